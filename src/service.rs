//! The use cases. Discord (and later HTTP) both go through here, so a rule
//! holds whichever way a request came in.
//!
//! A use case claims or marks a record and returns; carrying it out is the
//! [`reconciler`](crate::reconciler)'s work. So a crash right after loses nothing.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    credentials::{CredentialStore, Credentials, KeyHint},
    fault::Fault,
    runtime::{Claim, Runtime, rewrite},
    session::{
        Cause, ChannelId, Ending, MessageId, Observed, OwnerId, RECORD_VERSION, Record, RequestId,
        SessionId, Stage, open_places,
    },
    settings::Settings,
};

/// Tells the time; tests step it.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The clock on the wall.
pub fn wall_clock() -> Clock {
    Arc::new(Utc::now)
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// The person.
    pub id: OwnerId,
    /// What they are called in the chat.
    pub display_name: String,
    /// Whether they may act on everybody's sessions.
    pub is_admin: bool,
}

/// What is asked for by `start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// Names the request: the same one never makes two sessions.
    pub request: RequestId,
    /// Where it was asked for.
    pub channel: ChannelId,
    /// A size's name; none: the default.
    pub size: Option<String>,
    /// A catalog's name; none: the default.
    pub catalog: Option<String>,
    /// Start one although another one runs.
    pub another: bool,
}

/// The answer to `start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It is on its way.
    Starting(Box<Record>),
    /// One of theirs runs already; `room` says whether another may be started.
    AlreadyRunning {
        /// Theirs.
        sessions: Vec<Observed>,
        /// Whether the quota leaves room.
        room: bool,
    },
}

/// A request that is turned down: a value with a sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such size.
    #[error("There is no size `{}`. Choose one of: {}.", quoted(.given), names(.known))]
    UnknownSize {
        /// What was asked for.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such catalog.
    #[error("There is no catalog `{}`. Choose one of: {}.", quoted(.given), names(.known))]
    UnknownCatalog {
        /// What was asked for.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// They have not handed in credentials yet.
    #[error("I don't have your S3 credentials yet. Hand them in once, then start again.")]
    NoCredentials,
    /// All their places are taken.
    #[error(
        "You already have {} of {} sessions ({}). Stop one first with `/duck stop`.",
        .ids.len(), .limit, names(.ids)
    )]
    QuotaReached {
        /// Their sessions.
        ids: Vec<String>,
        /// How many they may have.
        limit: u8,
    },
    /// Not an id at all.
    #[error("`{}` is no session: a session is six characters, like `977a26`. `/duck list` shows yours.", quoted(.0))]
    NotAnId(String),
    /// No session has that id.
    #[error("There is no session `{0}`: it has ended, or never was. `/duck list` shows what runs.")]
    NoSuchSession(SessionId),
    /// It is somebody else's.
    #[error("Session `{0}` belongs to somebody else. Only they or an admin can stop it.")]
    NotYours(SessionId),
    /// They have none.
    #[error("You have no session to stop.")]
    NothingToStop,
    /// They have several.
    #[error("You have several sessions ({}). Say which: `/duck stop session:…`", names(.0))]
    SayWhich(Vec<String>),
}

/// A use case that did not work out.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not to be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Fault),
}

/// Tells people about sessions where everybody sees it.
///
/// Each call may be repeated after a crash; for some minutes the message is then
/// the same one.
#[async_trait]
pub trait Herald: Send + Sync {
    /// Says that a session is ready, and where. `None` when there is no such
    /// place any more (the channel is gone).
    async fn ready(&self, record: &Record, url: &str) -> Result<Option<MessageId>, Fault>;

    /// Says that a session has ended, and why.
    async fn ended(&self, record: &Record, ending: &Ending) -> Result<(), Fault>;
}

/// The use cases.
pub struct Service {
    settings: Arc<Settings>,
    runtime: Arc<dyn Runtime>,
    credentials: Arc<dyn CredentialStore>,
    clock: Clock,
}

impl Service {
    /// Serves the sessions of `runtime` under the rules of `settings`.
    pub fn new(
        settings: Arc<Settings>,
        runtime: Arc<dyn Runtime>,
        credentials: Arc<dyn CredentialStore>,
        clock: Clock,
    ) -> Self {
        Self {
            settings,
            runtime,
            credentials,
            clock,
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where sessions are looked at; for following one.
    pub fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// Keeps a person's credentials in place of those they had.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_up(&self, who: OwnerId, keys: &Credentials) -> Result<KeyHint, Fault> {
        self.credentials.put(who, keys).await?;
        Ok(keys.hint())
    }

    /// Starts a session: claims a place for it.
    ///
    /// # Errors
    /// A refusal changes nothing. After a fault the session may still come up.
    pub async fn start(&self, who: &Requester, ask: StartRequest) -> Result<Started, Problem> {
        let record = self.record(who, &ask)?;
        let mine = self.of(who.id);
        let limit = self.settings.sessions.per_user;
        let is_ready = |seen: &Observed| seen.record.stage == Stage::Running;
        if !ask.another && mine.iter().any(is_ready) {
            return Ok(Started::AlreadyRunning {
                room: mine.len() < usize::from(limit),
                sessions: mine,
            });
        }
        if self.credentials.hint(who.id).await?.is_none() {
            return Err(Refusal::NoCredentials.into());
        }
        let places: Vec<_> = mine.iter().map(|seen| seen.record.slot).collect();
        let open = open_places(limit, &places);
        let beyond = mine.iter().filter(|seen| seen.record.slot >= open);
        let mut taken: Vec<_> = beyond.map(|seen| seen.record.id.to_string()).collect();
        for slot in 0..open {
            let record = Record {
                slot,
                ..record.clone()
            };
            match self.runtime.claim(&record).await? {
                Claim::Made(record) => return Ok(Started::Starting(record)),
                Claim::Taken(other) => taken.push(other),
            }
        }
        Err(Refusal::QuotaReached { ids: taken, limit }.into())
    }

    /// The record that is asked for, if there is such a size and catalog.
    fn record(&self, who: &Requester, ask: &StartRequest) -> Result<Record, Refusal> {
        Ok(Record {
            version: RECORD_VERSION,
            id: self.fresh_id(),
            request: ask.request.clone(),
            owner: who.id,
            slot: 0,
            display_name: who.display_name.clone(),
            size: self.size(ask.size.as_deref())?,
            catalog: self.catalog(ask.catalog.as_deref())?,
            channel: ask.channel,
            created: (self.clock)(),
            announcement: None,
            stage: Stage::Starting,
        })
    }

    /// Finds the session that somebody wants to stop.
    ///
    /// # Errors
    /// A refusal when it is not theirs, not there, or not clear which.
    pub fn to_stop(&self, who: &Requester, given: Option<&str>) -> Result<Observed, Refusal> {
        let Some(given) = given else {
            let mut mine = self.of(who.id);
            if mine.len() > 1 {
                // One that ends already is not meant.
                mine.retain(|seen| !seen.record.is_stopping());
            }
            return match mine.len() {
                0 => Err(Refusal::NothingToStop),
                1 => Ok(mine.remove(0)),
                _ => Err(Refusal::SayWhich(
                    mine.iter().map(|seen| seen.record.id.to_string()).collect(),
                )),
            };
        };
        let id = given.trim().parse::<SessionId>();
        let id = id.map_err(|_| Refusal::NotAnId(given.to_owned()))?;
        match self.runtime.session(&id) {
            None => Err(Refusal::NoSuchSession(id)),
            Some(seen) if seen.record.owner == who.id || who.is_admin => Ok(seen),
            Some(_) => Err(Refusal::NotYours(id)),
        }
    }

    /// Marks a session as stopping. Stopping one that is stopping already is fine.
    ///
    /// # Errors
    /// As [`Service::to_stop`], or if the record can't be written.
    pub async fn stop(&self, who: &Requester, id: &SessionId) -> Result<Record, Problem> {
        self.to_stop(who, Some(&id.to_string()))?;
        let cause = || Cause::Stopped { by: who.id };
        let ended = |record: &Record| record.ended(cause(), (self.clock)());
        let stopped = rewrite(&*self.runtime, id, ended).await?;
        stopped.ok_or_else(|| Refusal::NoSuchSession(id.clone()).into())
    }

    /// All sessions, or only `of` one person; oldest first.
    pub fn list(&self, of: Option<OwnerId>) -> Vec<Observed> {
        match of {
            Some(owner) => self.of(owner),
            None => self.runtime.sessions(),
        }
    }

    fn of(&self, owner: OwnerId) -> Vec<Observed> {
        let mut sessions = self.runtime.sessions();
        sessions.retain(|seen| seen.record.owner == owner);
        sessions
    }

    fn size(&self, asked: Option<&str>) -> Result<String, Refusal> {
        let name = asked.unwrap_or(&self.settings.sessions.default_size);
        match self.settings.size(name) {
            Some(size) => Ok(size.name.clone()),
            None => Err(Refusal::UnknownSize {
                given: name.to_owned(),
                known: self
                    .settings
                    .sizes
                    .iter()
                    .map(|it| it.name.clone())
                    .collect(),
            }),
        }
    }

    fn catalog(&self, asked: Option<&str>) -> Result<String, Refusal> {
        let name = asked.unwrap_or(&self.settings.sessions.default_catalog);
        match self.settings.catalog(name) {
            Some(catalog) => Ok(catalog.name.clone()),
            None => Err(Refusal::UnknownCatalog {
                given: name.to_owned(),
                known: self
                    .settings
                    .catalogs
                    .iter()
                    .map(|it| it.name.clone())
                    .collect(),
            }),
        }
    }

    /// An id that no session has.
    fn fresh_id(&self) -> SessionId {
        loop {
            let id = SessionId::from_uuid(Uuid::new_v4());
            if self.runtime.session(&id).is_none() {
                return id;
            }
        }
    }
}

fn names(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What a person typed, short and without what would end a code span.
fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|c| *c != '`' && !c.is_control());
    let mut short: String = plain.take(40).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}
