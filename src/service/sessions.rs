//! The use cases of sessions: start, find, open, stop, list.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{
    LookupRejection, Rejection, Requester, Service, ServiceError, SessionAction, StartOutcome,
    StartRejection, StartRequest,
    audit::audit,
    claims::{check_workspace, is_equivalent},
    summarize,
};
use crate::{
    credentials::{CredentialPart, Credentials},
    door::{ENTER_PATH, ticket::TICKET_LIFETIME},
    error::{Error, new_reference},
    runtime::rewrite,
    session::{
        Cause, CredentialSource, NewRecord, Observed, OwnerId, Record, RecordKind, RequestId,
        SessionId, Stage, Workspace,
    },
    settings::Interface,
    unicode::is_layout_control,
};

/// Time that the call which claimed a session has to store the session's own credentials. After
/// that, another call of the same request stores them.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time to wait until a stopped session is gone.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);

/// A session, and a link that opens it.
pub struct OpenedSession {
    pub record: Arc<Record>,
    /// Secret link, which opens the session once.
    pub link: SecretString,
    /// The same link to the console, if the session's URL may open DuckDB's UI instead.
    pub console: Option<SecretString>,
    /// Time for which the link is valid.
    pub lifetime: TimeDelta,
}

impl Service {
    /// Starts a session with the owner's stored credentials, by claiming a workspace for it.
    ///
    /// # Errors
    /// Returns a rejection if nothing was started. After an error, the session may still start.
    pub async fn start(
        &self,
        who: &Requester,
        ask: StartRequest,
    ) -> Result<StartOutcome, ServiceError> {
        let mut record = self.new_record(who, &ask)?;
        if self.settings.named_catalog(&record.catalog).is_none() {
            return Err(StartRejection::OwnCredentialsNeeded.into());
        }
        if let Some(same) = self.find_by_request(&record) {
            if ask.exact && !is_equivalent(&ask, &record, &same) {
                return Err(StartRejection::RequestReused.into());
            }
            return Ok(StartOutcome::Starting(same));
        }
        let mine = self.sessions_of(who.id);
        let is_ready = |seen: &Observed| seen.record.stage == Stage::Running;
        if ask.workspace.is_none() && !ask.another && mine.iter().any(is_ready) {
            return Ok(StartOutcome::AlreadyRunning {
                room: mine.len() < usize::from(self.settings.sessions.per_user),
                sessions: mine,
            });
        }
        let usable = self.usable_credentials(who.id, &record.catalog);
        let (pause, usable) = tokio::join!(self.pause(), usable);
        self.check_pause(pause?)?;
        check_workspace(&ask, &mine)?;
        record.credentials_expire = usable?;
        let claimed = self.claim(who, &ask, &record).await?;
        if ask.exact && !is_equivalent(&ask, &record, &claimed) {
            Err(StartRejection::RequestReused.into())
        } else {
            Ok(StartOutcome::Starting(claimed))
        }
    }

    /// Returns true if the person can't start a session before they have entered credentials. False if
    /// that is not known.
    pub async fn needs_credentials_to_start(
        &self,
        who: &Requester,
        size: Option<&str>,
        catalog: Option<&str>,
        workspace: Option<&Workspace>,
    ) -> bool {
        let is_shown_instead = |seen: &Observed| match workspace {
            Some(workspace) => seen.record.workspace == *workspace,
            None => seen.record.stage == Stage::Running,
        };
        if self.known_pause().is_some()
            || self.size(size).is_err()
            || self.check_catalog(catalog).is_err()
            || self.sessions_of(who.id).iter().any(is_shown_instead)
        {
            return false;
        }
        self.lacks_credentials(who.id, catalog).await
    }

    /// Starts a session with its own credentials, which are deleted together with the session.
    ///
    /// # Errors
    /// Same as [`Service::start`]. If the credentials can't be stored, the session ends.
    pub async fn start_with(
        &self,
        who: &Requester,
        ask: StartRequest,
        credentials: &Credentials,
    ) -> Result<Arc<Record>, ServiceError> {
        let mut record = self.new_record(who, &ask)?;
        let part = CredentialPart::required_for(&self.settings, &record.catalog);
        if !credentials.has(part) {
            let catalog = record.catalog;
            return Err(StartRejection::CredentialsLack { part, catalog }.into());
        }
        record.credentials = CredentialSource::Awaited;
        record.credentials_expire = credentials.expiry(part);
        if self.find_by_request(&record).is_none() {
            self.check_pause(self.pause().await?)?;
            check_workspace(&ask, &self.sessions_of(who.id))?;
            if self.settings.credentials.preflight {
                self.try_credentials(credentials, &record.catalog).await?;
            }
        }
        let claimed = self.claim(who, &ask, &record).await?;
        if claimed.id != record.id {
            let is_stored = self.has_same_credentials(&claimed, credentials).await?;
            if !is_stored || !is_equivalent(&ask, &record, &claimed) {
                return Err(StartRejection::RequestReused.into());
            }
        }
        let newest = self.latest_record(&claimed);
        if newest.credentials != CredentialSource::Awaited || newest.is_stopping() {
            return Ok(newest);
        }
        match self.store_own_credentials(&claimed.id, credentials).await {
            Ok(record) => Ok(Arc::new(record)),
            Err(error) => {
                // Leave a session that another call claimed to that call.
                if claimed.id == record.id {
                    let cause = Cause::Refused {
                        error: summarize(&error),
                        reference: new_reference(),
                    };
                    let ended = |record: &Record| record.with_ending(cause.clone(), self.now());
                    // If this fails too, the reconciler ends the session after a minute.
                    let _ = rewrite(&*self.runtime, &claimed.id, ended).await;
                }
                Err(error.into())
            }
        }
    }

    /// Returns true if the session of an earlier call of the same request has the same credentials, or
    /// none. Waits for the earlier call, which may be about to store them.
    async fn has_same_credentials(
        &self,
        found: &Arc<Record>,
        credentials: &Credentials,
    ) -> Result<bool, Error> {
        let mut changes = self.runtime.changes();
        let awaits = || self.latest_record(found).credentials == CredentialSource::Awaited;
        let stored = async { while awaits() && changes.changed().await.is_ok() {} };
        // After the timeout, the bot that was to store them has probably died.
        let _ = tokio::time::timeout(CREDENTIALS_TIMEOUT, stored).await;
        let kept = if awaits() {
            None
        } else {
            self.credentials.read_own(found).await?
        };
        Ok(kept.is_none_or(|kept| kept.is_same(credentials)))
    }

    /// Returns the record as the view shows it now.
    fn latest_record(&self, record: &Arc<Record>) -> Arc<Record> {
        let seen = self.runtime.session(&record.id);
        seen.map_or_else(|| record.clone(), |seen| seen.record)
    }

    /// Waits until the session of the same request is gone, if it is stopping.
    ///
    /// # Errors
    /// Same as [`Service::wait_until_gone`].
    pub async fn wait_for_ending_session(
        &self,
        who: &Requester,
        request: &RequestId,
    ) -> Result<(), Error> {
        let mut theirs = self.sessions_of(who.id).into_iter().map(|seen| seen.record);
        match theirs.find(|it| it.request == *request && it.is_stopping()) {
            Some(ending) => self.wait_until_gone(&ending.id).await,
            None => Ok(()),
        }
    }

    /// Stores a session's own credentials, then notes that they are stored.
    async fn store_own_credentials(
        &self,
        id: &SessionId,
        credentials: &Credentials,
    ) -> Result<Record, Error> {
        let gone = || Error::Session {
            action: format!("storing the credentials of session {id}"),
            why: "the session is gone".into(),
        };
        let seen = self.runtime.session(id).ok_or_else(gone)?;
        self.credentials.put_own(&seen, credentials).await?;
        let noted = self.runtime.note_own_credentials(id).await?;
        noted.ok_or_else(gone)
    }

    /// Returns the session that an earlier call of the same request made.
    pub(super) fn find_by_request(&self, record: &Record) -> Option<Arc<Record>> {
        let mut mine = self
            .sessions_of(record.owner)
            .into_iter()
            .map(|seen| seen.record);
        mine.find(|it| it.request == record.request)
    }

    /// Creates the record for a request.
    ///
    /// # Errors
    /// Returns a rejection if the size or the catalog does not exist.
    pub(super) fn new_record(
        &self,
        who: &Requester,
        ask: &StartRequest,
    ) -> Result<Record, Rejection> {
        let catalog = self.catalog(ask.catalog.as_deref())?;
        let settings = self.settings.catalog(&catalog);
        Ok(Record::starting(NewRecord {
            kind: RecordKind::Session,
            id: self.fresh_id(),
            request: ask.request.clone(),
            owner: who.id,
            workspace: ask.workspace.clone().unwrap_or_default(),
            restore: ask.restore,
            keeps_work: settings.is_some_and(|catalog| catalog.work.is_some()),
            display_name: displayable_name(&who.display_name),
            size: self.size(ask.size.as_deref())?,
            catalog,
            channel: ask.channel,
            created: self.now(),
            credentials: CredentialSource::Owner,
        }))
    }

    /// Returns true if there is a session with this ID, which may be stopping.
    pub fn exists(&self, id: &SessionId) -> bool {
        self.runtime.session(id).is_some()
    }

    /// Finds the session with this ID, for its owner and for admins. No query runner.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else or does not exist.
    pub fn look_up(&self, who: &Requester, id: &str) -> Result<Observed, LookupRejection> {
        let seen = self.find_accessible(who, Some(id), SessionAction::Inspect)?;
        if seen.record.is_runner() {
            return Err(LookupRejection::IsRunner(seen.record.id.clone()));
        }
        Ok(seen)
    }

    /// Finds the session that the caller wants to stop.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else, does not exist or is ambiguous.
    pub fn find_to_stop(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Observed, LookupRejection> {
        self.find_accessible(who, given, SessionAction::Stop)
    }

    /// Finds the session for an action: one of the caller's, or any session if the caller is an
    /// admin.
    pub(super) fn find_accessible(
        &self,
        who: &Requester,
        given: Option<&str>,
        action: SessionAction,
    ) -> Result<Observed, LookupRejection> {
        let Some(given) = given else {
            let mut mine = self.sessions_of(who.id);
            if mine.len() > 1 {
                // Ignore sessions that are already stopping.
                mine = self.live_sessions(who.id);
            }
            return match mine.len() {
                0 => Err(LookupRejection::NoSession(action)),
                1 => Ok(mine.remove(0)),
                _ => Err(LookupRejection::Ambiguous {
                    sessions: mine,
                    action,
                }),
            };
        };
        let seen = self.find(given)?;
        if seen.record.owner != who.id && !who.is_admin {
            return Err(not_yours(&seen, action));
        }
        if seen.record.is_runner() && action == SessionAction::Extend {
            return Err(LookupRejection::IsRunner(seen.record.id.clone()));
        }
        Ok(seen)
    }

    /// Finds the session with the ID that a person typed.
    pub(super) fn find(&self, given: &str) -> Result<Observed, LookupRejection> {
        let id = given.trim().parse::<SessionId>();
        let id = id.map_err(|_| LookupRejection::InvalidId(given.to_owned()))?;
        self.runtime
            .session(&id)
            .ok_or(LookupRejection::NoSuchSession(id))
    }

    /// Makes a link that opens a session for its owner, once.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else, is not ready, does not exist, is
    /// ambiguous or has no signing key. Returns an error if the key can't be read.
    pub async fn open(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<OpenedSession, ServiceError> {
        let seen = self.find_own(who, given, SessionAction::Open)?;
        let id = &seen.record.id;
        let ticket = self.runtime.ticket(&seen).await?;
        let ticket = ticket.ok_or_else(|| Rejection::NoSigningKey(id.clone()))?;
        let url = self.runtime.url(id);
        let door = url.trim_end_matches('/');
        let link = format!("{door}{ENTER_PATH}#{}", ticket.expose_secret());
        audit(who, "opened", &id.to_string());
        let console =
            (self.settings.duckdb.ui == Interface::Auto).then(|| format!("{link}~console"));
        Ok(OpenedSession {
            record: seen.record,
            link: link.into(),
            console: console.map(Into::into),
            lifetime: TICKET_LIFETIME,
        })
    }

    /// Finds the running session that the caller wants to use with their own credentials, which are in
    /// it. So an admin can't use the sessions of others.
    pub(super) fn find_own(
        &self,
        who: &Requester,
        given: Option<&str>,
        action: SessionAction,
    ) -> Result<Observed, LookupRejection> {
        let seen = match given {
            Some(given) => self.find(given)?,
            None => {
                let mut mine = self.live_sessions(who.id);
                let is_ready = |seen: &Observed| seen.record.stage == Stage::Running;
                if mine.iter().any(is_ready) {
                    mine.retain(is_ready);
                }
                match mine.len() {
                    0 => return Err(LookupRejection::NoSession(action)),
                    1 => mine.remove(0),
                    _ => {
                        return Err(LookupRejection::Ambiguous {
                            sessions: mine,
                            action,
                        });
                    }
                }
            }
        };
        let id = seen.record.id.clone();
        if seen.record.is_runner() {
            return Err(LookupRejection::IsRunner(id));
        }
        if seen.record.owner != who.id {
            return Err(not_yours(&seen, action));
        }
        match seen.record.stage {
            Stage::Running => Ok(seen),
            // Its URL may be posted already, before its record says so.
            Stage::Starting if seen.has_ready_pod() => Ok(seen),
            Stage::Stopping { .. } => Err(LookupRejection::NoSuchSession(id)),
            Stage::Starting | Stage::Rescheduling(_) => Err(LookupRejection::NotReady(id)),
        }
    }

    /// Marks a session as stopping. Does nothing if it is already stopping.
    ///
    /// # Errors
    /// Same as [`Service::find_to_stop`], or if the record can't be written.
    pub async fn stop(&self, who: &Requester, id: &SessionId) -> Result<Record, ServiceError> {
        self.end(who, id, Cause::Stopped { by: who.id }).await
    }

    /// Stops a session and waits until it is gone.
    ///
    /// # Errors
    /// Same as [`Service::stop`] and [`Service::wait_until_gone`].
    pub async fn stop_and_wait(&self, who: &Requester, id: &SessionId) -> Result<(), ServiceError> {
        self.stop(who, id).await?;
        Ok(self.wait_until_gone(id).await?)
    }

    /// Writes the end of a session and its cause into the record.
    pub(super) async fn end(
        &self,
        who: &Requester,
        id: &SessionId,
        cause: Cause,
    ) -> Result<Record, ServiceError> {
        self.find_to_stop(who, Some(&id.to_string()))?;
        let ended = |record: &Record| record.with_ending(cause.clone(), self.now());
        let stopped = rewrite(&*self.runtime, id, ended).await?;
        let stopped = stopped.ok_or_else(|| LookupRejection::NoSuchSession(id.clone()))?;
        audit(who, "stopped", &id.to_string());
        Ok(stopped)
    }

    /// Waits until a session is gone.
    ///
    /// # Errors
    /// Returns [`Error::StillStopping`] if the session is still present after two minutes, and the time for
    /// saving its work.
    pub async fn wait_until_gone(&self, id: &SessionId) -> Result<(), Error> {
        let mut changes = self.runtime.changes();
        let gone = async {
            while self.runtime.session(id).is_some() && changes.changed().await.is_ok() {}
        };
        let seen = self.runtime.session(id);
        let keeps_work = seen.is_some_and(|seen| seen.record.keeps_work);
        // A session that does not answer saves when it is told to end.
        let saving = if keeps_work {
            2 * self.settings.work.deadline
        } else {
            Duration::ZERO
        };
        let limit = STOP_TIMEOUT + saving;
        let gone = tokio::time::timeout(limit, gone).await;
        gone.map_err(|_| Error::StillStopping {
            id: id.to_string(),
            after: limit,
        })
    }

    /// Returns all sessions, or only those of one person, oldest first.
    pub fn list(&self, of: Option<OwnerId>) -> Vec<Observed> {
        match of {
            Some(owner) => self.sessions_of(owner),
            None => self.sessions(),
        }
    }

    /// Generates an ID that no session has.
    pub(super) fn fresh_id(&self) -> SessionId {
        loop {
            let id = SessionId::from_uuid(Uuid::new_v4());
            if self.runtime.session(&id).is_none() {
                return id;
            }
        }
    }
}

pub(super) fn not_yours(seen: &Observed, action: SessionAction) -> LookupRejection {
    LookupRejection::NotYours {
        id: seen.record.id.clone(),
        owner: seen.record.owner,
        action,
    }
}

/// Removes the characters from a name that turn the text around it, or that can't be stored in an
/// annotation. The API server reads applied objects as YAML, which allows no control characters.
pub fn displayable_name(name: &str) -> String {
    let is_shown = |c: &char| !is_layout_control(*c) && !matches!(c, '\u{fffe}' | '\u{ffff}');
    name.chars().filter(is_shown).collect()
}
