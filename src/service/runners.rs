//! The use cases of query runners: where queries from the chat run if their owner has no running
//! session.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{
    Appearance, QueryRejection, Requester, Service, ServiceError, StartRequest,
    audit::{audit, audit_reaper},
    runner_uses::RunnerUse,
};
use crate::{
    error::Error,
    runtime::{Claim, rewrite},
    session::{
        Cause, Observed, OwnerId, Pod, PodState, RUNNER_SIZE, Record, RecordKind, RequestId,
        Restore, Rule, ScheduledStop, SessionId, Stage, Usage, Workspace,
    },
};

/// Maximum time to wait until a runner is gone whose name is needed.
const FREE_NAME_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum number of attempts to claim a name, each after one became free.
const MAX_CLAIM_ATTEMPTS: usize = 5;

/// A session or a query runner that is to run queries.
pub struct QueryPlace {
    record: Arc<Record>,
    appearance: Appearance,
    runner_use: Option<RunnerUse>,
}

/// The state of a [`QueryPlace`].
pub enum PlaceState {
    Ready(Box<Observed>),
    /// Starting. Holds the Pod, if it exists.
    Starting(Option<Pod>),
}

impl QueryPlace {
    pub fn id(&self) -> &SessionId {
        &self.record.id
    }

    /// Cause of a query runner's end, if this bot has removed its record.
    fn end(&self) -> Option<Cause> {
        self.runner_use.as_ref().and_then(RunnerUse::ended)
    }

    /// Waits until another look is necessary, even if the view does not change.
    pub async fn timeout(&self) {
        self.appearance.timeout().await;
    }
}

impl Service {
    /// Returns all query runners, or only those of one person, oldest first.
    pub fn runners(&self, of: Option<OwnerId>) -> Vec<Observed> {
        let mut all = match of {
            Some(owner) => self.runtime.sessions_of(owner),
            None => self.runtime.sessions(),
        };
        all.retain(|seen| seen.record.is_runner());
        all
    }

    /// Finds the place for a person's queries: the named session, else their newest running session,
    /// else a query runner, which is started if necessary. `catalog` is the name of the wanted catalog.
    ///
    /// # Errors
    /// Returns a rejection if there is none and none can be started, or the session is not ready or
    /// belongs to someone else. Admins can't query it either, because the query would use the owner's
    /// credentials.
    pub async fn find_query_place(
        &self,
        who: &Requester,
        session: Option<&str>,
        catalog: Option<&str>,
    ) -> Result<QueryPlace, ServiceError> {
        self.check_catalog(catalog)?;
        if let Some(place) = self.find_ready_place(who, session, catalog)? {
            return Ok(place);
        }
        let runners = self.settings.sql.as_ref().map_or(0, |sql| sql.runners);
        if runners == 0 {
            return Err(self.no_session_to_query(who).into());
        }
        let catalog = self.catalog(catalog)?;
        self.find_or_start_runner(who, &catalog, runners).await
    }

    /// Same as [`Service::find_query_place`], but starts nothing. Returns `None` if a query runner has to
    /// be started or waited for.
    ///
    /// # Errors
    /// Same as [`Service::find_query_place`].
    pub fn find_ready_place(
        &self,
        who: &Requester,
        session: Option<&str>,
        catalog: Option<&str>,
    ) -> Result<Option<QueryPlace>, ServiceError> {
        let seen = self.find_session_to_query(who, session, catalog)?;
        let Some(seen) = seen else {
            let catalog = self.catalog(catalog)?;
            return Ok(self.use_runner(who.id, &catalog, is_queryable));
        };
        Ok(Some(QueryPlace {
            appearance: Appearance::seen(),
            record: seen.record,
            runner_use: None,
        }))
    }

    /// Returns true if a person's queries can't run before they have entered credentials. False if that
    /// is not known.
    pub async fn needs_credentials_to_query(&self, who: &Requester, catalog: Option<&str>) -> bool {
        self.known_pause().is_none()
            && self.check_catalog(catalog).is_ok()
            && matches!(self.find_ready_place(who, None, catalog), Ok(None))
            && self.lacks_credentials(who.id, catalog).await
    }

    /// Returns the state of a place, as last seen.
    ///
    /// # Errors
    /// Returns [`QueryRejection::RunnerEnded`] if it has ended.
    pub fn place_state(&self, place: &mut QueryPlace) -> Result<PlaceState, ServiceError> {
        let seen = self.session(&place.record.id);
        let is_stale = self.stale_since().is_some();
        let is_gone = (place.appearance).observe(seen.is_some(), is_stale, Instant::now());
        if let Some(seen) = &seen {
            place.record = seen.record.clone();
        }
        match (&place.record.stage, seen) {
            (Stage::Stopping { ending, .. }, _) => Err(ended(&ending.cause)),
            (_, Some(seen)) if is_queryable(&seen) => Ok(PlaceState::Ready(Box::new(seen))),
            (_, Some(seen)) => Ok(PlaceState::Starting(seen.pod)),
            (_, None) if let Some(cause) = place.end() => Err(ended(&cause)),
            (_, None) if is_gone => Err(ended(&Cause::Lost)),
            (_, None) => Ok(PlaceState::Starting(None)),
        }
    }

    /// Uses one of the person's runners for this catalog that satisfies `is_usable`.
    fn use_runner(
        &self,
        owner: OwnerId,
        catalog: &str,
        is_usable: impl Fn(&Observed) -> bool,
    ) -> Option<QueryPlace> {
        let mine = self.runners(Some(owner)).into_iter().rev();
        let mut fitting = mine.filter(|seen| {
            let record = &seen.record;
            let is_wanted = record.catalog == catalog;
            is_wanted && !record.is_stopping() && !record.credentials_replaced && is_usable(seen)
        });
        fitting.find_map(|seen| {
            Some(QueryPlace {
                runner_use: Some(self.runner_uses.begin(&seen.record.id, &self.clock)?),
                record: seen.record,
                appearance: Appearance::seen(),
            })
        })
    }

    pub(super) async fn find_or_start_runner(
        &self,
        who: &Requester,
        catalog: &str,
        limit: u8,
    ) -> Result<QueryPlace, ServiceError> {
        let deadline = Instant::now() + FREE_NAME_TIMEOUT;
        for _ in 0..MAX_CLAIM_ATTEMPTS {
            {
                // Queries that come at the same time start one runner, with the credentials that are
                // being stored.
                let _guard = self.lock_owner(who.id).await;
                let is_usable = |seen: &Observed| is_queryable(seen) || is_starting(seen);
                if let Some(place) = self.use_runner(who.id, catalog, is_usable) {
                    return Ok(place);
                }
                if let Some(place) = self.claim_runner(who, catalog, limit).await? {
                    return Ok(place);
                }
            }
            let mut changes = self.runtime.changes();
            let is_full = || self.runners(Some(who.id)).len() >= usize::from(limit);
            if is_full() && !self.make_room_for_runner(who.id).await? {
                break;
            }
            let freed = async { while is_full() && changes.changed().await.is_ok() {} };
            if timeout_at(deadline, freed).await.is_err() {
                let (action, after) = ("ending a query runner".into(), FREE_NAME_TIMEOUT);
                return Err(Error::TimedOut { action, after }.into());
            }
        }
        Err(QueryRejection::RunnersBusy(limit).into())
    }

    /// Claims a name for a new runner. Returns `None` if all are taken.
    async fn claim_runner(
        &self,
        who: &Requester,
        catalog: &str,
        limit: u8,
    ) -> Result<Option<QueryPlace>, ServiceError> {
        let usable = self.usable_credentials(who.id, catalog);
        let (pause, usable) = tokio::join!(self.pause(), usable);
        self.check_pause(pause?)?;
        let credentials_expire = usable?;
        let ask = StartRequest {
            request: RequestId(format!("query-{}", Uuid::new_v4().simple())),
            channel: None,
            size: None,
            catalog: Some(catalog.to_owned()),
            workspace: None,
            restore: Restore::Nothing,
            another: true,
            exact: false,
        };
        let record = Record {
            kind: RecordKind::QueryRunner,
            size: RUNNER_SIZE.to_owned(),
            keeps_work: false,
            credentials_expire,
            ..self.new_record(who, &ask)?
        };
        for number in 0..limit {
            let record = Record {
                workspace: Workspace::of_runner(number),
                ..record.clone()
            };
            if let Claim::Made { record, .. } = self.runtime.claim(&record).await? {
                audit(who, "started query runner", &record.id.to_string());
                let begun = self.runner_uses.begin(&record.id, &self.clock);
                return Ok(begun.map(|begun| QueryPlace {
                    record,
                    appearance: Appearance::expected(Instant::now()),
                    runner_use: Some(begun),
                }));
            }
        }
        Ok(None)
    }

    /// Ends the person's runner that was not used for the longest time, unless one is ending already.
    /// Returns false if all are in use.
    async fn make_room_for_runner(&self, owner: OwnerId) -> Result<bool, Error> {
        let mut mine = self.runners(Some(owner));
        if mine.iter().any(|seen| seen.record.is_stopping()) {
            return Ok(true);
        }
        let used = |seen: &Observed| match self.runner_usage(seen) {
            Usage::Idle(since) => since,
            _ => DateTime::<Utc>::MAX_UTC,
        };
        mine.sort_by_key(used);
        for seen in mine {
            let cause = Cause::Reaped {
                rule: Rule::Idle,
                since: used(&seen).min(self.now()),
            };
            if self
                .close_runner(&seen.record.id, |_| Some(cause.clone()))
                .await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the usage of a query runner.
    pub(super) fn runner_usage(&self, seen: &Observed) -> Usage {
        self.runner_uses.usage(&seen.record.id, self.acting_since())
    }

    /// Ends a query runner if it is still due. Returns false if it is not.
    ///
    /// # Errors
    /// If its record can't be written.
    pub(super) async fn end_unused_runner(&self, id: &SessionId) -> Result<bool, Error> {
        let Some(seen) = self.session(id) else {
            return Ok(false);
        };
        let watched = self.with_usage(seen.clone(), self.runner_usage(&seen));
        let due = |record: &Record| {
            let due = self.scheduled_stop(&watched.with_record(record));
            let ScheduledStop { rule, since, .. } = due.filter(|due| self.now() >= due.at)?;
            Some(Cause::Reaped { rule, since })
        };
        let Some(Cause::Reaped { rule, .. }) = due(&seen.record) else {
            return Ok(false);
        };
        let is_ended = self.close_runner(id, due).await?;
        if is_ended {
            audit_reaper("stopped query runner", &format!("{id} ({rule:?})"));
        }
        Ok(is_ended)
    }

    /// Ends a query runner that is not in use, for the cause that `cause` returns for its record.
    async fn close_runner(
        &self,
        id: &SessionId,
        cause: impl Fn(&Record) -> Option<Cause>,
    ) -> Result<bool, Error> {
        // If this future is dropped, as when a person cancels their query, the runner stays usable.
        let Some(closing) = self.runner_uses.close(id) else {
            return Ok(false);
        };
        let ended = |record: &Record| match cause(record) {
            Some(cause) => record.with_ending(cause, self.now()),
            None => record.clone(),
        };
        let written = rewrite(&*self.runtime, id, ended).await?;
        let is_ended = written.as_ref().is_none_or(Record::is_stopping);
        if is_ended {
            closing.confirm();
        }
        Ok(is_ended)
    }

    /// Notes that a person's runners have credentials that were replaced. They take no further query,
    /// and end when no query uses them.
    ///
    /// # Errors
    /// If a record can't be written.
    pub(super) async fn retire_runners(&self, owner: OwnerId) -> Result<(), Error> {
        for seen in self.runners(Some(owner)) {
            let id = &seen.record.id;
            rewrite(&*self.runtime, id, Record::with_replaced_credentials).await?;
        }
        Ok(())
    }

    /// Ends a person's runners at once, because their credentials were deleted. `told` is called for
    /// each.
    ///
    /// # Errors
    /// If a record can't be written.
    pub(super) async fn end_runners(
        &self,
        owner: OwnerId,
        cause: Cause,
        told: impl Fn(&SessionId),
    ) -> Result<(), Error> {
        for seen in self.runners(Some(owner)) {
            let id = &seen.record.id;
            let ended = |record: &Record| record.with_ending(cause.clone(), self.now());
            rewrite(&*self.runtime, id, ended).await?;
            told(id);
        }
        Ok(())
    }
}

/// Returns the rejection of a query whose runner ended.
pub(super) fn ended(cause: &Cause) -> ServiceError {
    QueryRejection::RunnerEnded(Box::new(cause.clone())).into()
}

/// Returns true if a runner gets ready for the first time. One that was ready before may be about to end.
fn is_starting(seen: &Observed) -> bool {
    let state = seen.pod.as_ref().map(|pod| &pod.state);
    let is_failing = !matches!(
        state,
        None | Some(PodState::Pending { .. } | PodState::Ready)
    );
    !seen.record.was_ready() && !is_failing
}

/// Returns true if queries can run there now.
pub(super) fn is_queryable(seen: &Observed) -> bool {
    let is_ready = |pod: &Pod| pod.state == PodState::Ready;
    seen.record.stage == Stage::Running && seen.pod.as_ref().is_some_and(is_ready)
}
