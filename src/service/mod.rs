//! The use cases. Discord and HTTP both go through here, so a rule
//! holds whichever way a request came in.
//!
//! A use case claims or marks a record and returns; carrying it out is the
//! [`reconciler`](crate::reconciler)'s work. So a crash right after loses nothing.

mod audit;
mod credentials;
mod reaping;
mod rejection;
mod report;
mod sessions;
mod sql;
mod status;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard};

pub use audit::audit_replacement;
pub use credentials::SetupOutcome;
pub use reaping::{ExtendedSession, ReapResult, usage};
pub use rejection::Rejection;
pub use report::ReportClaim;
pub use sessions::displayable_name;
pub use sql::{QueryPermit, TableList};
pub use status::Status;

use crate::{
    credentials::{
        CredentialStore,
        preflight::{Preflight, PreflightError},
    },
    error::Error,
    runtime::{LedgerStore, ReplyStore, Runtime},
    session::{
        ChannelId, Ending, Incident, MessageId, Observed, OwnerId, ReapPause, Record, Report,
        RequestId, Warning,
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
    /// Where it was asked for, and is told of; none: nowhere.
    pub channel: Option<ChannelId>,
    /// A size's name; none: the default.
    pub size: Option<String>,
    /// A catalog's name; none: the default.
    pub catalog: Option<String>,
    /// Start one although another one runs.
    pub another: bool,
    /// Whether one that was made for the same request must be like it.
    pub exact: bool,
}

/// The answer to `start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// It is on its way.
    Starting(Arc<Record>),
    /// One of theirs runs already; `room` says whether another may be started.
    AlreadyRunning {
        /// Theirs.
        sessions: Vec<Observed>,
        /// Whether the quota leaves room.
        room: bool,
    },
}

/// A use case that did not work out.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// It is not to be done.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The keys don't work.
    #[error("the keys don't work")]
    UnusableCredentials(Vec<PreflightError>),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Tells people about sessions where everybody sees it.
///
/// Each call may be repeated after a crash; for some minutes the message is then
/// the same one.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Says that a session is ready, and where. `None` when there is no such
    /// place any more (the channel is gone).
    async fn announce_ready(&self, record: &Record, url: &str) -> Result<Option<MessageId>, Error>;

    /// Warns the owner that a session's keys expire.
    async fn warn_credentials_expire(
        &self,
        record: &Record,
        at: DateTime<Utc>,
    ) -> Result<(), Error>;

    /// Says that DuckDB ended and was started again, for that many times by now.
    async fn report_restart(
        &self,
        record: &Record,
        why: &Incident,
        times: u32,
    ) -> Result<(), Error>;

    /// Says that a session was taken from its node and starts again.
    async fn report_rescheduling(&self, record: &Record, why: &Incident) -> Result<(), Error>;

    /// Tells the owner that a session will be stopped, and how to keep it.
    /// Whether there was any way to.
    async fn warn_of_stop(&self, record: &Record, warning: &Warning) -> Result<bool, Error>;

    /// Tells admins that the doors of these sessions have not answered since then.
    async fn alert_unreachable(&self, silent: &[(Arc<Record>, DateTime<Utc>)])
    -> Result<(), Error>;

    /// Tells admins that nothing is stopped, because too much would be.
    async fn alert_reaping_paused(&self, held_back: &ReapPause) -> Result<(), Error>;

    /// Posts the report. Whether there is a place for it.
    async fn post_report(&self, report: &Report) -> Result<bool, Error>;

    /// Whether there is a place that only admins read.
    fn has_admin_channel(&self) -> bool;

    /// Shows admins the last lines that a session's DuckDB wrote.
    async fn show_log_tail(&self, record: &Record, log: &str) -> Result<(), Error>;

    /// Says that a session has ended, and why.
    async fn announce_end(&self, record: &Record, ending: &Ending) -> Result<(), Error>;

    /// Asks whether that person is in the guild.
    async fn is_member(&self, person: OwnerId) -> Result<bool, Error>;
}

/// What the use cases work with.
pub struct Dependencies {
    /// Where sessions run.
    pub runtime: Arc<dyn Runtime>,
    /// Where credentials are kept.
    pub credentials: Arc<dyn CredentialStore>,
    /// Where replies that go on are kept.
    pub replies: Arc<dyn ReplyStore>,
    /// The ledger.
    pub ledger: Arc<LedgerStore>,
    /// Tells people about sessions.
    pub notifier: Arc<dyn Notifier>,
    /// Tries credentials out.
    pub preflight: Preflight,
    /// The time.
    pub clock: Clock,
}

/// The use cases.
pub struct Service {
    settings: Arc<Settings>,
    runtime: Arc<dyn Runtime>,
    credentials: Arc<dyn CredentialStore>,
    replies: Arc<dyn ReplyStore>,
    ledger: Arc<LedgerStore>,
    notifier: Arc<dyn Notifier>,
    preflight: Preflight,
    clock: Clock,
    reaper_cache: reaping::ReaperCache,
    queries: sql::QueryState,
    /// Since when people are answered.
    bot_started: DateTime<Utc>,
    /// Whether the chat is connected.
    connected: AtomicBool,
    /// Whoever changes a person's keys has that person's turn; see [`Service::lock_owner`].
    owner_locks: [Mutex<()>; 64],
}

impl Service {
    /// Works with `dependencies` under the rules of `settings`.
    pub fn new(settings: Arc<Settings>, dependencies: Dependencies) -> Self {
        let Dependencies {
            runtime,
            credentials,
            replies,
            ledger,
            notifier,
            preflight,
            clock,
        } = dependencies;
        Self {
            settings,
            runtime,
            credentials,
            replies,
            ledger,
            notifier,
            preflight,
            reaper_cache: reaping::ReaperCache::default(),
            queries: sql::QueryState::default(),
            bot_started: clock(),
            clock,
            connected: AtomicBool::new(false),
            owner_locks: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// One change of a person's keys at a time: trying keys takes seconds, and
    /// whatever the person did last must win. Some people share a turn.
    async fn lock_owner(&self, who: OwnerId) -> MutexGuard<'_, ()> {
        let count = self.owner_locks.len() as u64;
        let place = usize::try_from(who.get() % count).expect("it is below 64");
        self.owner_locks[place].lock().await
    }

    /// Notes whether people can reach the bot in the chat.
    pub fn set_connected(&self, is_connected: bool) {
        self.connected.store(is_connected, Ordering::Relaxed);
    }

    /// Whether people can reach the bot in the chat.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where sessions are looked at; for following one.
    pub fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// Where replies that go on are kept.
    pub fn replies(&self) -> &dyn ReplyStore {
        &*self.replies
    }

    fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        self.runtime.sessions_of(owner)
    }

    fn size(&self, asked: Option<&str>) -> Result<String, Rejection> {
        let name = asked.unwrap_or(&self.settings.sessions.default_size);
        match self.settings.size(name) {
            Some(size) => Ok(size.name.clone()),
            None => Err(Rejection::UnknownSize {
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

    /// By its name, or by its address.
    fn catalog(&self, asked: Option<&str>) -> Result<String, Rejection> {
        let asked = asked.unwrap_or(&self.settings.sessions.default_catalog);
        match self.settings.resolve_catalog(asked) {
            Some(name) => Ok(name),
            None => Err(self.unknown_catalog(asked)),
        }
    }

    fn unknown_catalog(&self, given: &str) -> Rejection {
        let catalogs = self.settings.catalogs.iter();
        Rejection::UnknownCatalog {
            given: given.to_owned(),
            known: catalogs.map(|it| it.name.clone()).collect(),
        }
    }
}
