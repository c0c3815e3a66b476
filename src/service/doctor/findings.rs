//! Findings: the meaning of facts. Pure.

use chrono::{DateTime, Utc};

use super::{
    facts::{AddressFact, Check, CredentialsFact, Fact, Facts, Subject, TablesFact, WorkFact},
    finding::Finding,
};
use crate::{
    credentials::preflight::{CheckedService, ErrorOrigin, PreflightError},
    error::Error,
    session::{Observed, Phase, Pod, PodState, Record, Stage},
};

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
        PreflightError::CatalogWantsSigV4(_)
        | PreflightError::CatalogOtherScope(_)
        | PreflightError::CatalogMoved { .. } => Check::Catalog,
        _ => Check::Storage,
    })
}

#[cfg(test)]
mod tests;
