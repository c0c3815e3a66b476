//! Findings: the meaning of facts. Pure.

use chrono::{DateTime, Utc};

use super::facts::{
    AddressFact, Check, CredentialsFact, Fact, Facts, Room, Subject, TablesFact, WorkFact,
};
use crate::{
    credentials::preflight::{CheckedService, ErrorOrigin, PreflightError},
    error::Error,
    service::{StartRejection, TablesError},
    session::{
        Incident, Observed, Phase, Pod, PodState, Record, SaveFailure, Stage, StartPause,
        WorkReport,
    },
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

impl Facts {
    /// Returns the findings so far, one for each check.
    pub fn findings(&self) -> Vec<Finding> {
        let all = self.checks.iter();
        all.map(|check| self.finding(*check)).collect()
    }

    fn finding(&self, check: Check) -> Finding {
        match check {
            Check::Cluster => match &self.subject {
                Subject::Start => self.cluster(&self.pause),
                Subject::Session(_) => self.cluster(&self.pod),
            },
            Check::Starts => known(check, &self.pause, |pause| match pause {
                Some(pause) => Finding::StartsPaused(pause.clone()),
                None => Finding::StartsAllowed,
            }),
            Check::Room => match &self.room {
                Ok(room) => Finding::Room(*room),
                Err(rejection) => Finding::NoRoom(rejection.clone()),
            },
            Check::Rules => match &self.trial {
                Fact::Known(Err(error @ (Error::QuotaExceeded { .. } | Error::Refused { .. }))) => {
                    Finding::RulesRefuse(error.clone())
                }
                trial => known(check, trial, |()| Finding::RulesAllow),
            },
            Check::Session => self.session(),
            Check::DuckDb => match &self.door {
                Fact::Known(Err(_)) => Finding::DuckDbUnknown,
                door => known(check, door, |answers| {
                    if *answers {
                        Finding::DuckDbAnswers
                    } else {
                        Finding::DuckDbSilent
                    }
                }),
            },
            Check::Door => match &self.door {
                Fact::Known(Err(error)) => Finding::DoorUnreachable {
                    error: error.clone(),
                    is_open: self.address == Fact::Known(AddressFact::Door),
                },
                door => known(check, door, |_| Finding::DoorAnswers),
            },
            Check::Address => judge(check, &self.address, |it| Finding::Address(it.clone())),
            Check::Credentials => known(check, &self.access, |access| self.credentials(access)),
            Check::Storage => self.service(check, &self.storage, Finding::StorageAnswers),
            Check::Catalog => self.service(check, &self.catalog_answer, Finding::CatalogAnswers),
            Check::Tables => known(check, &self.tables, |tables| match tables {
                TablesFact::Listed(count, more) => Finding::Tables(*count, *more),
                TablesFact::Failed(error) => Finding::TablesFail(error.clone()),
                TablesFact::CredentialsGone => Finding::TablesNeedCredentials,
                TablesFact::Busy => Finding::TablesBusy,
            }),
            Check::Work => known(check, &self.work, work),
        }
    }

    /// Judges the API server by its answer to a question of this examination.
    fn cluster<T>(&self, answer: &Fact<Result<T, Error>>) -> Finding {
        match answer {
            Fact::Known(Err(error)) => Finding::ClusterFails(error.clone()),
            answer => known(Check::Cluster, answer, |_| match self.stale_since {
                Some(since) => Finding::ClusterOutdated(since),
                None => Finding::ClusterAnswers,
            }),
        }
    }

    fn session(&self) -> Finding {
        let Subject::Session(seen) = &self.subject else {
            return Finding::NotReady(Check::Session);
        };
        match &seen.record.stage {
            Stage::Stopping { .. } => return Finding::Stopping(seen.phase() == Phase::Saving),
            Stage::Rescheduling(incident) => return Finding::Rescheduling(incident.clone()),
            Stage::Starting | Stage::Running => {}
        }
        match &self.pod {
            Fact::Known(Ok(pod)) => of_pod(seen, pod.as_ref()),
            Fact::Pending => Finding::Pending(Check::Session),
            // The cluster's own finding says that this may be out of date.
            _ => of_pod(seen, seen.pod.as_ref()),
        }
    }

    fn credentials(&self, access: &CredentialsFact) -> Finding {
        let session = match &self.subject {
            Subject::Session(seen) => Some(&*seen.record),
            Subject::Start => None,
        };
        let is_past = |at: &DateTime<Utc>| *at <= self.now;
        let in_session = session.and_then(|record| record.credentials_expire);
        let uses_stored = session.is_none_or(|record| record.uses_owner_credentials());
        if !uses_stored {
            return match in_session.filter(is_past) {
                Some(at) => Finding::CredentialsExpired(at),
                None => Finding::CredentialsValid(in_session, false),
            };
        }
        let stored = access.stored.as_ref().filter(|it| it.has(self.part));
        let Some(stored) = stored else {
            return match session {
                Some(_) => Finding::CredentialsDeleted,
                None => Finding::CredentialsMissing,
            };
        };
        let expiry = stored.expiry(self.part);
        if let Some(at) = expiry.filter(is_past) {
            return Finding::CredentialsExpired(at);
        }
        let keeps = |record: &Record| {
            let since = stored.stored;
            since.is_some_and(|since| record.keeps_credentials_from_before(since))
        };
        if session.is_some_and(keeps) {
            return Finding::CredentialsOutdated;
        }
        match &access.tried {
            Some(Err(errors)) => match errors.iter().find(|it| concerns(it).is_none()) {
                Some(error) => Finding::CredentialsRefused(error.clone()),
                None => Finding::CredentialsValid(expiry, false),
            },
            Some(Ok(works)) => Finding::CredentialsValid(expiry, *works),
            None => Finding::CredentialsValid(expiry, false),
        }
    }

    /// Judges a service by its answers with credentials, if they were tried, and without.
    fn service(&self, check: Check, answer: &Fact<Result<(), String>>, fine: Finding) -> Finding {
        if let Fact::Known(Ok(CredentialsFact {
            tried: Some(Err(errors)),
            ..
        })) = &self.access
            && let Some(error) = errors.iter().find(|it| concerns(it) == Some(check))
        {
            return Finding::ServiceFails(check, error.clone());
        }
        match (answer, &self.access) {
            (Fact::Known(Err(why)), _) => Finding::ServiceSilent(check, why.clone()),
            (Fact::Known(Ok(())), Fact::Pending) => Finding::Pending(check),
            (answer, _) => judge(check, answer, |_| fine),
        }
    }
}

/// Returns the meaning of a fact, or the finding that it is not known.
fn judge<T>(check: Check, fact: &Fact<T>, meaning: impl FnOnce(&T) -> Finding) -> Finding {
    match fact {
        Fact::Known(known) => meaning(known),
        Fact::Pending => Finding::Pending(check),
        Fact::NotReady => Finding::NotReady(check),
        Fact::OwnerOnly => Finding::OwnerOnly(check),
        Fact::TimedOut => Finding::TimedOut(check),
    }
}

/// Same as [`judge`], for a fact that may have failed to be found out.
fn known<T>(
    check: Check,
    fact: &Fact<Result<T, Error>>,
    meaning: impl FnOnce(&T) -> Finding,
) -> Finding {
    judge(check, fact, |outcome| match outcome {
        Ok(known) => meaning(known),
        Err(error) => Finding::NotChecked(check, error.clone()),
    })
}

fn of_pod(seen: &Observed, pod: Option<&Pod>) -> Finding {
    let was_ready = seen.record.stage == Stage::Running;
    let Some(pod) = pod else {
        return if was_ready {
            Finding::PodGone
        } else {
            Finding::Starting(None)
        };
    };
    match &pod.state {
        PodState::Pending {
            incident: Some(incident),
            ..
        } if was_ready => Finding::Broken(incident.clone()),
        PodState::Pending { .. } => Finding::Starting(Some(pod.clone())),
        PodState::Ready if !was_ready => Finding::Starting(Some(pod.clone())),
        PodState::Ready => match (&pod.last_end, pod.restarts) {
            (Some(why), times @ 1..) => Finding::Restarted(why.clone(), times),
            _ => Finding::Running,
        },
        PodState::Crashing { incident, .. }
        | PodState::Stuck(incident)
        | PodState::Failed(incident)
        | PodState::Disrupted(incident) => Finding::Broken(incident.clone()),
        PodState::Terminating => Finding::Stopping(false),
    }
}

fn work(fact: &WorkFact) -> Finding {
    match fact {
        WorkFact::Report(report) => match &report.failure {
            Some(failure) => Finding::WorkFails(failure.clone()),
            None => Finding::WorkReported(report.clone()),
        },
        WorkFact::Trial(Ok(())) => Finding::WorkCanBeSaved,
        WorkFact::Trial(Err(failure)) => Finding::WorkFails(failure.clone()),
        WorkFact::NoAnswer => Finding::WorkUnknown,
        WorkFact::NoKeys => Finding::WorkUntried,
    }
}

/// Returns the service that an error of the preflight is about, or `None` if it is about the credentials.
fn concerns(error: &PreflightError) -> Option<Check> {
    if error.origin() == ErrorOrigin::Credentials {
        return None;
    }
    Some(match error {
        PreflightError::Unreachable(who)
        | PreflightError::BadCertificate { who, .. }
        | PreflightError::Busy { who, .. }
        | PreflightError::WrongEndpoint { who, .. }
        | PreflightError::Strange { who, .. } => match who {
            CheckedService::Storage => Check::Storage,
            CheckedService::Catalog(_) => Check::Catalog,
        },
        PreflightError::CatalogWantsSigV4(_) | PreflightError::CatalogMoved { .. } => {
            Check::Catalog
        }
        _ => Check::Storage,
    })
}

#[cfg(test)]
mod tests;
