//! The result of a check. Pure.

use chrono::{DateTime, Utc};

use super::facts::{AddressFact, Check, Room};
use crate::{
    credentials::preflight::PreflightError,
    error::Error,
    service::{StartRejection, TablesError},
    session::{Incident, Pod, SaveFailure, StartPause, WorkReport},
};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Pending(Check),
    /// Not checked, because the session is not ready.
    NotReady(Check),
    /// Not checked, because it would use the credentials of the owner, who did not ask.
    OwnerOnly(Check),
    /// Not known, because there was no answer in time.
    TimedOut(Check),
    /// Not known, because this failed.
    NotChecked(Check, Error),

    ClusterAnswers,
    /// The API server answers, but changes have not arrived since this time.
    ClusterOutdated(DateTime<Utc>),
    ClusterFails(Error),

    StartsAllowed,
    StartsPaused(StartPause),

    Room(Room),
    NoRoom(StartRejection),

    RulesAllow,
    /// A quota or another rule of the cluster refuses the Pod of a session.
    RulesRefuse(Error),

    Running,
    /// DuckDB ended and was restarted this often.
    Restarted(Incident, u32),
    /// Holds the Pod, if it exists.
    Starting(Option<Pod>),
    /// The cluster took its Pod, and it starts again.
    Rescheduling(Incident),
    /// The Pod can't run.
    Broken(Incident),
    PodGone,
    /// True if it saves its work first.
    Stopping(bool),

    DuckDbAnswers,
    DuckDbSilent,
    /// Not known, because the bot can't reach the door.
    DuckDbUnknown,

    DoorAnswers,
    DoorUnreachable {
        error: Error,
        /// True if browsers reach it.
        is_open: bool,
    },

    Address(AddressFact),

    /// Time of expiry, if it is known, and true if they were tried and work.
    CredentialsValid(Option<DateTime<Utc>>, bool),
    CredentialsMissing,
    /// The credentials were deleted. The session keeps those that it has.
    CredentialsDeleted,
    CredentialsExpired(DateTime<Utc>),
    CredentialsRefused(PreflightError),
    /// The session uses older ones than those that are stored.
    CredentialsOutdated,

    StorageAnswers,
    CatalogAnswers,
    /// No connection, or another failure on the way, for this reason.
    ServiceSilent(Check, String),
    ServiceFails(Check, PreflightError),

    Tables(usize, bool),
    TablesFail(TablesError),
    TablesNeedCredentials,
    TablesBusy,

    WorkReported(WorkReport),
    WorkCanBeSaved,
    WorkFails(SaveFailure),
    /// The session did not answer.
    WorkUnknown,
    /// Not tried, because there are no keys that could work.
    WorkUntried,
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    Pending,
    Passed,
    /// The thing works, or will by itself, and the person should know something.
    Notice,
    Failed,
    Unknown,
}

impl Finding {
    pub fn check(&self) -> Check {
        match self {
            Self::Pending(check)
            | Self::NotReady(check)
            | Self::OwnerOnly(check)
            | Self::TimedOut(check)
            | Self::NotChecked(check, _)
            | Self::ServiceSilent(check, _)
            | Self::ServiceFails(check, _) => *check,
            Self::ClusterAnswers | Self::ClusterOutdated(_) | Self::ClusterFails(_) => {
                Check::Cluster
            }
            Self::StartsAllowed | Self::StartsPaused(_) => Check::Starts,
            Self::Room(_) | Self::NoRoom(_) => Check::Room,
            Self::RulesAllow | Self::RulesRefuse(_) => Check::Rules,
            Self::Running
            | Self::Restarted(..)
            | Self::Starting(_)
            | Self::Rescheduling(_)
            | Self::Broken(_)
            | Self::PodGone
            | Self::Stopping(_) => Check::Session,
            Self::DuckDbAnswers | Self::DuckDbSilent | Self::DuckDbUnknown => Check::DuckDb,
            Self::DoorAnswers | Self::DoorUnreachable { .. } => Check::Door,
            Self::Address(_) => Check::Address,
            Self::CredentialsValid(..)
            | Self::CredentialsMissing
            | Self::CredentialsDeleted
            | Self::CredentialsExpired(_)
            | Self::CredentialsRefused(_)
            | Self::CredentialsOutdated => Check::Credentials,
            Self::StorageAnswers => Check::Storage,
            Self::CatalogAnswers => Check::Catalog,
            Self::Tables(..)
            | Self::TablesFail(_)
            | Self::TablesNeedCredentials
            | Self::TablesBusy => Check::Tables,
            Self::WorkReported(_)
            | Self::WorkCanBeSaved
            | Self::WorkFails(_)
            | Self::WorkUnknown
            | Self::WorkUntried => Check::Work,
        }
    }

    pub fn status(&self) -> CheckStatus {
        match self {
            Self::Pending(_) => CheckStatus::Pending,
            Self::ClusterAnswers
            | Self::StartsAllowed
            | Self::Room(_)
            | Self::RulesAllow
            | Self::Running
            | Self::DuckDbAnswers
            | Self::DoorAnswers
            | Self::Address(AddressFact::Door)
            | Self::CredentialsValid(..)
            | Self::StorageAnswers
            | Self::CatalogAnswers
            | Self::Tables(..)
            | Self::WorkReported(_)
            | Self::WorkCanBeSaved => CheckStatus::Passed,
            Self::ClusterOutdated(_)
            | Self::Restarted(..)
            | Self::Starting(_)
            | Self::Rescheduling(_)
            | Self::Stopping(_)
            | Self::DoorUnreachable { is_open: true, .. }
            | Self::Address(AddressFact::UnknownIssuer(_) | AddressFact::NoRoute)
            | Self::CredentialsDeleted
            | Self::CredentialsOutdated => CheckStatus::Notice,
            Self::Address(AddressFact::Other(status)) if is_login(*status) => CheckStatus::Notice,
            Self::ClusterFails(_)
            | Self::StartsPaused(_)
            | Self::NoRoom(_)
            | Self::RulesRefuse(_)
            | Self::Broken(_)
            | Self::PodGone
            | Self::DuckDbSilent
            | Self::DoorUnreachable { is_open: false, .. }
            | Self::Address(
                AddressFact::Other(_)
                | AddressFact::Silent
                | AddressFact::NoAddress
                | AddressFact::BadCertificate(_)
                | AddressFact::RouteRefused(_),
            )
            | Self::CredentialsMissing
            | Self::CredentialsExpired(_)
            | Self::CredentialsRefused(_)
            | Self::ServiceSilent(..)
            | Self::ServiceFails(..)
            | Self::TablesFail(_)
            | Self::TablesNeedCredentials
            | Self::WorkFails(_) => CheckStatus::Failed,
            Self::NotReady(_)
            | Self::OwnerOnly(_)
            | Self::TimedOut(_)
            | Self::NotChecked(..)
            | Self::DuckDbUnknown
            | Self::Address(AddressFact::Unreachable(_))
            | Self::TablesBusy
            | Self::WorkUnknown
            | Self::WorkUntried => CheckStatus::Unknown,
        }
    }
}

/// Returns true for statuses of a page that asks people to log in, or leads to one.
pub fn is_login(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 407)
}

/// Returns the finding that should be acted on first: a failure, else a notice.
pub fn first_problem(findings: &[Finding]) -> Option<&Finding> {
    let with = |status| findings.iter().find(move |it| it.status() == status);
    with(CheckStatus::Failed).or_else(|| with(CheckStatus::Notice))
}
