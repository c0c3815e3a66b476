//! Rejections: expected answers that say "no" to a request. Data only, because the chat and the API
//! use different words. Pure.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};

use super::schedule_access::ScheduleAccess;
use crate::{
    credentials::CredentialPart,
    runtime::{QueryError, RequestFailure},
    schedule::{BookPause, InvalidWhen, PauseReason, ScheduleId},
    session::{Cause, ExtensionLimit, Observed, OwnerId, SessionId, StartPause, Workspace},
};

/// The reason why a request was rejected, grouped by use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    Start(StartRejection),
    UnknownCatalog(UnknownCatalog),
    Credentials(CredentialsRejection),
    Lookup(LookupRejection),
    Extend(ExtendRejection),
    Query(QueryRejection),
    Schedule(ScheduleRejection),
    /// The signing key that the session's door trusts is gone, or its Pod names none.
    NoSigningKey(SessionId),
    AdminsOnly,
}

/// Reasons not to start a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartRejection {
    UnknownSize {
        /// Text that the person entered.
        given: String,
        /// Names of the available sizes.
        known: Vec<String>,
    },
    /// The stored or given credentials lack the part that this catalog requires.
    CredentialsLack {
        part: CredentialPart,
        catalog: String,
    },
    /// The part of the stored credentials that the catalog requires expired at this time.
    CredentialsExpired {
        part: CredentialPart,
        catalog: String,
        at: DateTime<Utc>,
    },
    QuotaReached {
        /// IDs of the owner's sessions. For a record that can't be read, the name of its object.
        ids: Vec<String>,
        /// Maximum number of sessions per person.
        limit: u8,
    },
    /// An admin has paused starts.
    Paused {
        pause: StartPause,
        /// Time until it ends.
        left: TimeDelta,
    },
    /// The maximum number of sessions of all people together is reached.
    TotalReached {
        /// Maximum number of sessions.
        total: NonZeroU32,
        /// Sessions of the caller that they can stop.
        own: Vec<SessionId>,
        /// First time at which a rule stops a session if nothing changes, if it is known.
        next_end: Option<DateTime<Utc>>,
    },
    /// The owner has a session in this workspace.
    WorkspaceInUse {
        workspace: Workspace,
        /// ID of the session. For a record that can't be read, the name of its object.
        id: String,
        /// True if the session is ending, so that the workspace is free soon.
        is_stopping: bool,
    },
    /// The catalog is a URL of the caller, which must not get stored credentials.
    OwnCredentialsNeeded,
    /// An existing session was made by the same request, but with other options.
    RequestReused,
}

impl StartRejection {
    /// Returns true if the caller can enter credentials, and then repeat the request.
    pub fn asks_for_credentials(&self) -> bool {
        matches!(
            self,
            Self::CredentialsLack { .. } | Self::CredentialsExpired { .. }
        )
    }
}

/// A catalog that is not in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCatalog {
    /// Text that the person entered: a name or a URL.
    pub given: String,
    /// Names of the available catalogs.
    pub known: Vec<String>,
}

/// Reasons not to check stored credentials, or not to use them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsRejection {
    NoneStored,
    /// `credentials.preflight` is off.
    PreflightDisabled,
}

/// The purpose for which a session is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAction {
    /// Read its details or its log.
    Inspect,
    /// Find out why it does not work.
    Examine,
    Open,
    /// Let DuckDB clients in.
    Connect,
    Query,
    /// Save its work.
    Save,
    Extend,
    Stop,
}

/// Reasons why a request names no session that the caller can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupRejection {
    /// The text is not a well-formed session ID.
    InvalidId(String),
    NoSuchSession(SessionId),
    /// The caller has no session for this. Only a running one can be queried.
    NoSession(SessionAction),
    /// The caller has several sessions and named none.
    Ambiguous {
        sessions: Vec<Observed>,
        action: SessionAction,
    },
    /// The session belongs to someone else. To open or query it would use their credentials, so an
    /// admin can't do that either.
    NotYours {
        id: SessionId,
        owner: OwnerId,
        action: SessionAction,
    },
    /// The session is starting, or its Pod is not ready.
    NotReady(SessionId),
    /// A query runner can't be opened or extended.
    IsRunner(SessionId),
}

/// Reasons not to extend a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtendRejection {
    /// The idle, lifetime and maximum-age rules are all off.
    NothingStopsIt,
    /// The extension budget is used up, or the maximum age leaves no room.
    LimitReached {
        id: SessionId,
        /// Time at which the session will be stopped, if a rule stops it.
        at: Option<DateTime<Utc>>,
        limit: ExtensionLimit,
    },
}

/// Reasons not to run a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryRejection {
    /// The settings have no `sql` section.
    Disabled,
    /// The query is empty, or has only semicolons.
    Empty,
    /// The query contains this control character.
    InvisibleCharacter(char),
    /// The caller has this many running queries, which is the maximum.
    TooMany(usize),
    /// The answer is large, and the bot's memory is full of others that are being sent.
    NoRoom,
    UnknownTable {
        /// Text that the person entered.
        given: String,
        /// Tables with similar names, most similar first.
        nearest: Vec<String>,
    },
    /// The catalog lists this table, but does not find it when it is read.
    UnreadableTable(String),
    /// The session's credentials were deleted, and a query needs them.
    CredentialsGone,
    TablesUnavailable(Box<TablesError>),
    /// The named session is attached to another catalog than the wanted one.
    OtherCatalog {
        id: SessionId,
        /// Catalog of the session.
        catalog: String,
    },
    /// The caller's query runners all run queries of other catalogs. Holds the maximum number.
    RunnersBusy(u8),
    /// The caller's query runner ended before the query ran.
    RunnerEnded(Box<Cause>),
}

/// Reasons not to make, change or run a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleRejection {
    /// The settings allow no schedules, no queries, or no query runners.
    Disabled,
    InvalidWhen {
        /// Text that the person entered.
        given: String,
        why: InvalidWhen,
    },
    UnknownZone(String),
    InvalidCondition(String),
    UnknownFormat(String),
    /// Two runs would be closer to each other than this.
    TooOften(TimeDelta),
    /// The recurring times have no further one.
    Never,
    /// The caller has as many schedules as allowed.
    LimitReached(u8),
    /// The maximum number of schedules of all people together is reached.
    BookFull,
    /// The stored credentials expire before the next run.
    CredentialsExpireBefore {
        expire: DateTime<Utc>,
        next: DateTime<Utc>,
    },
    /// The caller or the bot may not post in the channel.
    Channel {
        access: ScheduleAccess,
        /// True if the caller owns the schedule.
        is_owner: bool,
    },
    NoSuchSchedule(ScheduleId),
    /// The schedule belongs to someone else.
    NotYours(OwnerId),
    /// The schedule is paused, and does not run before it is resumed.
    Paused(PauseReason),
    /// An admin has paused all schedules.
    AllPaused(BookPause),
    /// The schedule is running.
    Running,
}

/// Reasons why the list of tables can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TablesError {
    /// A step before the query failed.
    NoAccess {
        what: String,
        error: String,
        failure: Option<RequestFailure>,
    },
    Query(QueryError),
    TimedOut,
    Exited,
}

/// Implements `From` for each group, so that `?` converts it.
macro_rules! groups {
    ($($group:ident: $rejection:ty),* $(,)?) => {
        $(
            impl From<$rejection> for Rejection {
                fn from(rejection: $rejection) -> Self {
                    Self::$group(rejection)
                }
            }
        )*
    };
}

groups! {
    Start: StartRejection,
    UnknownCatalog: UnknownCatalog,
    Credentials: CredentialsRejection,
    Lookup: LookupRejection,
    Extend: ExtendRejection,
    Query: QueryRejection,
    Schedule: ScheduleRejection,
}
