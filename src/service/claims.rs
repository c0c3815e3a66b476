//! Claims: which workspace a new session gets, and whether there is room for it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Requester, Service, ServiceError, StartRejection, StartRequest, audit::audit};
use crate::{
    runtime::{Claim, rewrite},
    session::{Cause, Observed, OwnerId, Quota, QuotaExceeded, Record, SessionId, Workspace},
};

impl Service {
    /// Claims the named workspace, or else the first free unnamed one of the owner. Returns the existing
    /// record if the same request has already made one, perhaps at the same moment.
    pub(super) async fn claim(
        &self,
        who: &Requester,
        ask: &StartRequest,
        record: &Record,
    ) -> Result<Arc<Record>, ServiceError> {
        if let Some(same) = self.find_by_request(record) {
            return Ok(same);
        }
        let present: Vec<_> = self.sessions().into_iter().map(|it| it.record).collect();
        self.check_quota(who.id, &present)?;
        if let Some(workspace) = &ask.workspace {
            return match self.runtime.claim(record).await? {
                Claim::Made {
                    record: claimed,
                    earlier,
                } => self.confirm(who, record, claimed, &earlier).await,
                Claim::Taken(id) => Err(self.workspace_in_use(workspace, id).into()),
            };
        }
        let limit = self.settings.sessions.per_user;
        let mut taken = Vec::new();
        for number in 0..limit {
            let record = Record {
                workspace: Workspace::unnamed(number),
                ..record.clone()
            };
            match self.runtime.claim(&record).await? {
                Claim::Made {
                    record: claimed,
                    earlier,
                } => return self.confirm(who, &record, claimed, &earlier).await,
                Claim::Taken(other) => taken.push(other),
            }
        }
        Err(StartRejection::QuotaReached { ids: taken, limit }.into())
    }

    /// Takes a record back that was just claimed if there is no room for its session. Starts at the same
    /// moment can all find a place free, because the names of workspaces bound nothing. `earlier` are the
    /// records that were made before.
    async fn confirm(
        &self,
        who: &Requester,
        asked: &Record,
        claimed: Arc<Record>,
        earlier: &[Arc<Record>],
    ) -> Result<Arc<Record>, ServiceError> {
        // An earlier call of the same request may have made the record, and may have been cut off.
        let checked = if claimed.was_ready() {
            Ok(())
        } else {
            self.check_quota(who.id, earlier)
        };
        if let Err(rejection) = checked {
            // The reconciler may have begun to create parts, so it also removes them. Nothing was announced.
            let ended = |record: &Record| {
                let record = record.with_ending(Cause::OverQuota, self.now());
                record.with_end_announced()
            };
            rewrite(&*self.runtime, &claimed.id, ended).await?;
            return Err(rejection.into());
        }
        if claimed.id == asked.id {
            audit(who, "started", &claimed.id.to_string());
        }
        Ok(claimed)
    }

    /// Rejects another session of this person if there is no room for it besides those of `earlier`.
    pub(super) fn check_quota(
        &self,
        owner: OwnerId,
        earlier: &[Arc<Record>],
    ) -> Result<(), StartRejection> {
        let sessions = &self.settings.sessions;
        let quota = Quota {
            per_user: sessions.per_user,
            total: sessions.total,
        };
        Err(match quota.exceeded(owner, earlier) {
            None => return Ok(()),
            Some(QuotaExceeded::PerUser(ids)) => StartRejection::QuotaReached {
                ids: ids.iter().map(SessionId::to_string).collect(),
                limit: quota.per_user,
            },
            Some(QuotaExceeded::Total(total)) => StartRejection::TotalReached {
                total,
                own: self.live_sessions(owner).iter().map(id_of).collect(),
                next_end: self.next_end(),
            },
        })
    }

    /// Returns the first time at which a rule stops a session of anybody, as far as it is known.
    fn next_end(&self) -> Option<DateTime<Utc>> {
        let due = self.last_usage(self.sessions()).into_iter();
        let due = due.filter_map(|watched| self.scheduled_stop(&watched));
        due.map(|due| due.at).min()
    }

    /// Returns the rejection of a start in a workspace that has this session.
    fn workspace_in_use(&self, workspace: &Workspace, id: String) -> StartRejection {
        let seen = id.parse().ok().and_then(|id| self.runtime.session(&id));
        StartRejection::WorkspaceInUse {
            workspace: workspace.clone(),
            is_stopping: seen.is_some_and(|seen| seen.record.is_stopping()),
            id,
        }
    }
}

/// Rejects a start in a workspace that has a session. A start without a named one waits for the session
/// that is stopping in `main`, because the person means the work that is being saved there.
pub(super) fn check_workspace(ask: &StartRequest, mine: &[Observed]) -> Result<(), StartRejection> {
    let is_wanted = |seen: &&Observed| match &ask.workspace {
        Some(workspace) => seen.record.workspace == *workspace,
        None => !ask.another && seen.record.workspace.is_main() && seen.record.is_stopping(),
    };
    match mine.iter().find(is_wanted) {
        Some(seen) => Err(StartRejection::WorkspaceInUse {
            workspace: seen.record.workspace.clone(),
            id: seen.record.id.to_string(),
            is_stopping: seen.record.is_stopping(),
        }),
        None => Ok(()),
    }
}

fn id_of(seen: &Observed) -> SessionId {
    seen.record.id.clone()
}

/// Returns true if the record that was found has the same options as the one that was asked for: size,
/// catalog, display name, workspace if one was named, what to restore, and whether it uses the owner's
/// stored credentials.
pub(super) fn is_equivalent(ask: &StartRequest, asked: &Record, found: &Record) -> bool {
    let wish = |it: &Record| {
        let workspace = ask.workspace.as_ref().map(|_| it.workspace.clone());
        (
            it.size.clone(),
            it.catalog.clone(),
            it.display_name.clone(),
            workspace,
            it.restore,
            it.uses_owner_credentials(),
        )
    };
    wish(asked) == wish(found)
}
