//! The use cases. Discord and the HTTP API both call them, so the same rules hold for both.
//!
//! `start` and `stop` only claim or mark a record; the `reconciler` does the
//! rest. So a crash right after them loses nothing.

mod appearance;
mod audit;
mod catalog_tables;
mod claims;
mod clients;
mod credentials;
pub mod doctor;
mod door_totals;
mod history;
mod options;
mod pausing;
mod queries;
mod query_outcome;
mod reaper_cache;
mod reaping;
mod rejection;
mod renewal;
mod report;
mod run_problem;
mod runner_uses;
mod runners;
mod saves;
mod saving;
mod schedule_access;
mod schedule_runs;
mod schedules;
mod sessions;
mod sql;
mod status;
mod summary;
mod table_details;
mod tables;
mod view;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard, watch};

pub use appearance::Appearance;
pub use audit::audit_replacement;
pub use catalog_tables::MissingTable;
pub use clients::{ClientAccess, NotConnected};
pub use credentials::SetupOutcome;
pub use history::AskedQuery;
pub use queries::{QueryPermit, ReplyRoom, TableList};
pub use reaping::{ExtendedSession, ReapOutcome, ReapResult, usage};
pub use rejection::{
    CredentialsRejection, ExtendRejection, LookupRejection, QueryRejection, Rejection,
    ScheduleRejection, SessionAction, StartRejection, TablesError, UnknownCatalog,
};
pub(crate) use renewal::renew;
pub use report::ReportClaim;
pub use run_problem::RunProblem;
pub use runner_uses::RunnerUses;
pub use runners::{PlaceState, QueryPlace};
pub use saves::Saves;
pub(crate) use saving::{describe_work, save_work};
pub use schedule_access::ScheduleAccess;
pub use schedules::{NewSchedule, ScheduleList};
pub use sessions::{OpenedSession, displayable_name};
pub use sql::RunOptions;
pub use status::Status;
pub use summary::summarize;
pub use table_details::TableDetails;
pub use work::{SaveTrial, WorkDeletion, try_saving};

use crate::{
    credentials::{
        CredentialStore,
        preflight::{Preflight, PreflightError},
    },
    error::Error,
    history::HistoryStore,
    runtime::{BookStore, LedgerStore, PauseStore, ReplyStore, Rows, Runtime},
    schedule::{ClaimedRun, PauseReason, ScheduleTexts},
    session::{
        ChannelId, Ending, Incident, MessageId, Observed, OwnerId, ReapPause, Record, Renewal,
        Report, RequestId, Restore, StartPause, Warning, WorkReport, Workspace,
    },
    settings::Settings,
};

/// Function that returns the current time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Returns the system clock.
pub fn wall_clock() -> Clock {
    Arc::new(Utc::now)
}

/// The caller: the person on whose behalf a use case runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub id: OwnerId,
    /// Name that the chat shows for the person.
    pub display_name: String,
    /// True if the person may act on other people's sessions.
    pub is_admin: bool,
}

/// The options of `start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// Request ID. Starting again with the same ID makes no second session.
    pub request: RequestId,
    /// Channel for the session's messages. Without one, nothing is posted.
    pub channel: Option<ChannelId>,
    /// Name of a size. The default is `sessions.default_size`.
    pub size: Option<String>,
    /// Name or URL of a catalog. The default is `sessions.default_catalog`.
    pub catalog: Option<String>,
    /// Workspace to open. Without one, the session gets the first free one of `main`, `main-2` and so
    /// on.
    pub workspace: Option<Workspace>,
    pub restore: Restore,
    /// Start a session even if another one is running. Has no effect with a named workspace.
    pub another: bool,
    /// Reject the request if the session that it made before has other options.
    pub exact: bool,
}

/// The result of `start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The session of this request. An earlier attempt may have claimed it.
    Starting(Arc<Record>),
    /// Nothing was started, because one of the owner's sessions is running.
    AlreadyRunning {
        /// Sessions of the owner, running or not.
        sessions: Vec<Observed>,
        /// True if the quota allows another session.
        room: bool,
    },
}

/// The reason why a use case did not succeed.
#[derive(Debug)]
pub enum ServiceError {
    Rejected(Rejection),
    /// The storage or the catalog did not accept the credentials.
    UnusableCredentials(Vec<PreflightError>),
    Failed(Error),
}

/// Accepts a [`Rejection`] or any of its groups, so that `?` converts it.
impl<R: Into<Rejection>> From<R> for ServiceError {
    fn from(rejection: R) -> Self {
        Self::Rejected(rejection.into())
    }
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Posts public messages about sessions, and sends notices to owners and admins.
///
/// A call may be repeated after a crash. A message that is posted again within a few minutes is
/// still one message, because it has the same nonce.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Posts that a session is ready, with its URL. Returns `None` if nothing was posted: the
    /// session has no channel, or Discord refuses for good. `work` is the session's report about its
    /// work, if it gave one.
    async fn announce_ready(
        &self,
        record: &Record,
        url: &str,
        work: Option<&WorkReport>,
    ) -> Result<Option<MessageId>, Error>;

    /// Warns the owner that the session's credentials expire at this time.
    async fn warn_credentials_expire(
        &self,
        record: &Record,
        at: DateTime<Utc>,
    ) -> Result<(), Error>;

    /// Tells the owner that a session keeps its previous credentials, or lost its catalog, when it
    /// should have taken those that they stored.
    async fn report_renewal(&self, record: &Record, renewal: &Renewal) -> Result<(), Error>;

    /// Posts that DuckDB ended and was restarted. `times` counts all restarts in this Pod.
    async fn report_restart(
        &self,
        record: &Record,
        why: &Incident,
        times: u32,
    ) -> Result<(), Error>;

    /// Posts that the cluster took a session's Pod and that the session starts again.
    async fn report_rescheduling(&self, record: &Record, why: &Incident) -> Result<(), Error>;

    /// Warns the owner that a rule will stop the session, and says how to keep it. Returns false
    /// if neither a direct message nor the channel reaches the owner.
    async fn warn_of_stop(&self, record: &Record, warning: &Warning) -> Result<bool, Error>;

    /// Tells admins which doors do not answer, each with the time of its first missing answer.
    async fn alert_unreachable(&self, silent: &[(Arc<Record>, DateTime<Utc>)])
    -> Result<(), Error>;

    /// Tells admins that reaping is paused, because too many sessions are due at once.
    async fn alert_reaping_paused(&self, held_back: &ReapPause) -> Result<(), Error>;

    /// Posts the report. Returns false if it can't be posted in the report channel.
    async fn post_report(&self, report: &Report) -> Result<bool, Error>;

    /// Shows admins why DuckDB crashes, and the end of its log. Both must be redacted. Does nothing if
    /// the settings name no channel for admins.
    async fn show_log_tail(&self, record: &Record, why: &str, log: &str) -> Result<(), Error>;

    /// Posts that a session has ended, and why.
    async fn announce_end(&self, record: &Record, ending: &Ending) -> Result<(), Error>;

    /// Returns true if the person is in the Discord server.
    async fn is_member(&self, person: OwnerId) -> Result<bool, Error>;

    /// Returns whether a person may use the bot, and they and the bot may post in a channel. `has_file` is true
    /// for posts with a file.
    async fn schedule_access(
        &self,
        owner: OwnerId,
        channel: ChannelId,
        has_file: bool,
    ) -> Result<ScheduleAccess, Error>;

    /// Posts the result of a schedule's run. Returns `None` if Discord refuses for good.
    async fn post_scheduled(
        &self,
        run: &ClaimedRun,
        sql: &str,
        rows: Rows,
    ) -> Result<Option<MessageId>, Error>;

    /// Tells the owner of a schedule that its run failed. `is_last` is true if it is paused now. The text of
    /// the query is `None` if it is gone.
    async fn report_failed_run(
        &self,
        run: &ClaimedRun,
        sql: Option<&str>,
        why: &RunProblem,
        is_last: bool,
    ) -> Result<(), Error>;

    /// Tells the owner of a schedule that nobody knows whether its result was posted.
    async fn report_unknown_run(&self, run: &ClaimedRun) -> Result<(), Error>;

    /// Tells the owner of a schedule that it was paused instead of run. If a direct message does not reach
    /// them, the channel of the schedule is told.
    async fn report_paused_schedule(
        &self,
        run: &ClaimedRun,
        why: &PauseReason,
    ) -> Result<(), Error>;
}

/// The parts that the use cases need.
pub struct Dependencies {
    pub runtime: Arc<dyn Runtime>,
    pub credentials: Arc<dyn CredentialStore>,
    pub replies: Arc<dyn ReplyStore>,
    pub history: Arc<dyn HistoryStore>,
    pub ledger: Arc<LedgerStore>,
    pub pauses: Arc<PauseStore>,
    pub book: Arc<BookStore>,
    pub schedule_texts: Arc<dyn ScheduleTexts>,
    pub notifier: Arc<dyn Notifier>,
    pub preflight: Preflight,
    pub runner_uses: RunnerUses,
    pub clock: Clock,
}

/// The use cases.
pub struct Service {
    settings: Arc<Settings>,
    runtime: Arc<dyn Runtime>,
    credentials: Arc<dyn CredentialStore>,
    replies: Arc<dyn ReplyStore>,
    history: Arc<dyn HistoryStore>,
    ledger: Arc<LedgerStore>,
    pauses: Arc<PauseStore>,
    book: Arc<BookStore>,
    schedule_texts: Arc<dyn ScheduleTexts>,
    /// Marked as changed when a run may be due earlier than known before.
    schedules_changed: tokio::sync::Notify,
    /// The pause as it was last read or written.
    known_pause: watch::Sender<Option<StartPause>>,
    notifier: Arc<dyn Notifier>,
    preflight: Preflight,
    clock: Clock,
    reaper_cache: reaper_cache::ReaperCache,
    door_totals: parking_lot::Mutex<door_totals::DoorTotals>,
    queries: queries::QueryState,
    runner_uses: RunnerUses,
    /// Time since which this bot acts. Before it, owners could perhaps not react to warnings.
    acting_since: parking_lot::Mutex<DateTime<Utc>>,
    /// Locks for changes of credentials; see [`Service::lock_owner`].
    owner_locks: [Mutex<()>; 64],
}

impl Service {
    /// Creates the service.
    pub fn new(settings: Arc<Settings>, dependencies: Dependencies) -> Self {
        let Dependencies {
            runtime,
            credentials,
            replies,
            history,
            ledger,
            pauses,
            book,
            schedule_texts,
            notifier,
            preflight,
            runner_uses,
            clock,
        } = dependencies;
        Self {
            settings,
            runtime,
            credentials,
            replies,
            history,
            ledger,
            pauses,
            book,
            schedule_texts,
            schedules_changed: tokio::sync::Notify::new(),
            known_pause: watch::Sender::new(None),
            notifier,
            preflight,
            reaper_cache: reaper_cache::ReaperCache::default(),
            door_totals: parking_lot::Mutex::default(),
            queries: queries::QueryState::default(),
            runner_uses,
            acting_since: parking_lot::Mutex::new(clock()),
            clock,
            owner_locks: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Allows one change of a person's credentials at a time. A check takes seconds, and the
    /// person's last change must win. Several people may share a lock.
    async fn lock_owner(&self, who: OwnerId) -> MutexGuard<'_, ()> {
        let count = self.owner_locks.len() as u64;
        let index = usize::try_from(who.get() % count).expect("less than 64");
        self.owner_locks[index].lock().await
    }

    /// Stores that this bot acts from now on.
    pub fn begin_to_act(&self) {
        *self.acting_since.lock() = self.now();
        let present = self.runtime.sessions().into_iter();
        let present = present.map(|seen| seen.record.id.clone());
        self.door_totals.lock().begin(present);
    }

    /// Stores that this bot no longer acts.
    pub fn stop_acting(&self) {
        self.door_totals.lock().stop();
    }

    /// Time since which this bot acts.
    fn acting_since(&self) -> DateTime<Utc> {
        *self.acting_since.lock()
    }

    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Returns all sessions, without query runners.
    fn sessions(&self) -> Vec<Observed> {
        let mut sessions = self.runtime.sessions();
        sessions.retain(|seen| !seen.record.is_runner());
        sessions
    }

    /// Returns the sessions of a person, without query runners.
    fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        let mut sessions = self.runtime.sessions_of(owner);
        sessions.retain(|seen| !seen.record.is_runner());
        sessions
    }

    fn size(&self, asked: Option<&str>) -> Result<String, StartRejection> {
        let name = asked.unwrap_or(&self.settings.sessions.default_size);
        match self.settings.size(name) {
            Some(size) => Ok(size.name.clone()),
            None => Err(StartRejection::UnknownSize {
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

    /// Resolves a catalog by its name or its URL.
    fn catalog(&self, asked: Option<&str>) -> Result<String, UnknownCatalog> {
        let asked = asked.unwrap_or(&self.settings.sessions.default_catalog);
        match self.settings.resolve_catalog(asked) {
            Some(name) => Ok(name),
            None => Err(self.unknown_catalog(asked)),
        }
    }

    fn unknown_catalog(&self, given: &str) -> UnknownCatalog {
        let catalogs = self.settings.catalogs.iter();
        UnknownCatalog {
            given: given.to_owned(),
            known: catalogs.map(|it| it.name.clone()).collect(),
        }
    }
}
