//! Claims: which workspace a new session gets, and whether its owner may have another session.

use std::sync::Arc;

use super::{Requester, Service, ServiceError, StartRejection, StartRequest, audit::audit};
use crate::{
    runtime::{Claim, rewrite},
    session::{Cause, Observed, Record, Workspace, is_within_quota, open_workspaces},
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
        let limit = self.settings.sessions.per_user;
        let mine = self.sessions_of(who.id);
        let ids = |seen: &Observed| seen.record.id.to_string();
        if let Some(workspace) = &ask.workspace {
            if mine.len() >= usize::from(limit) {
                let ids = mine.iter().map(ids).collect();
                return Err(StartRejection::QuotaReached { ids, limit }.into());
            }
            return match self.runtime.claim(record).await? {
                Claim::Made(claimed) => self.confirm(who, record, claimed, None).await,
                Claim::Taken(id) => Err(self.workspace_in_use(workspace, id).into()),
            };
        }
        let open = open_workspaces(limit, &workspaces(&mine));
        let is_open = |seen: &Observed| {
            (0..open).any(|number| Workspace::unnamed(number) == seen.record.workspace)
        };
        let beyond = mine.iter().filter(|seen| !is_open(seen));
        let mut taken: Vec<_> = beyond.map(ids).collect();
        for number in 0..open {
            let record = Record {
                workspace: Workspace::unnamed(number),
                ..record.clone()
            };
            match self.runtime.claim(&record).await? {
                Claim::Made(claimed) => {
                    return self.confirm(who, &record, claimed, Some(number)).await;
                }
                Claim::Taken(other) => taken.push(other),
            }
        }
        Err(StartRejection::QuotaReached { ids: taken, limit }.into())
    }

    /// Takes a record back that was just claimed if its owner now has more sessions than allowed. The
    /// names of workspaces are not bounded, so two starts can claim the last free place at the same
    /// moment. The view shows all records that were made before this one. So at least the later start
    /// is rejected, and both are if each sees the other. `unnamed` is the number of an unnamed workspace.
    async fn confirm(
        &self,
        who: &Requester,
        asked: &Record,
        claimed: Arc<Record>,
        unnamed: Option<u8>,
    ) -> Result<Arc<Record>, ServiceError> {
        let limit = self.settings.sessions.per_user;
        let mine = self.sessions_of(who.id);
        // An earlier call of the same request may have made the record, and may have been cut off.
        if claimed.was_ready() || is_within_quota(limit, unnamed, &workspaces(&mine)) {
            if claimed.id == asked.id {
                audit(who, "started", &claimed.id.to_string());
            }
            return Ok(claimed);
        }
        // The reconciler may have begun to create parts, so it also removes them. Nothing was announced.
        let ended = |record: &Record| {
            let record = record.with_ending(Cause::OverQuota, self.now());
            record.with_end_announced()
        };
        rewrite(&*self.runtime, &claimed.id, ended).await?;
        let others = mine.iter().filter(|seen| seen.record.id != claimed.id);
        let ids = others.map(|seen| seen.record.id.to_string()).collect();
        Err(StartRejection::QuotaReached { ids, limit }.into())
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

fn workspaces(sessions: &[Observed]) -> Vec<Workspace> {
    let workspaces = sessions.iter().map(|seen| seen.record.workspace.clone());
    workspaces.collect()
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
