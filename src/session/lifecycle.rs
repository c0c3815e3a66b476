//! The rule that takes a session through its life: [`next_step`] chooses the one thing to do next.
//!
//! The choice depends only on the observation, the time and the policy. So after a crash, a new bot
//! continues by observing the session again.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Cause, CredentialSource, Ending, Failure, Incident, Observed, Parts, Pod, PodState, Stage,
};

/// The settings for the life of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Maximum time until a session is ready.
    pub start_timeout: TimeDelta,
    /// Time before the expiry of credentials at which the owner is warned.
    pub credential_warning: TimeDelta,
    /// End sessions that can't run.
    pub stop_failed: bool,
    /// End sessions that are not ready in time.
    pub stop_late: bool,
}

/// The next thing to do for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Do nothing until something changes, or until this time.
    Wait(Option<DateTime<Utc>>),
    /// Create these parts.
    Create(Parts),
    /// Announce the URL, and write that into the record.
    Announce,
    /// Give the stored credentials to the session, and write that into the record.
    RenewCredentials,
    /// Warn the owner that the credentials expire at this time, and write that into the record.
    WarnCredentialsExpiry(DateTime<Utc>),
    /// Announce that DuckDB was restarted, and write the number of restarts into the record.
    AnnounceRestart(Incident, u32),
    /// Write into the record that the cluster took the Pod, so that the session starts again.
    Reschedule(Incident),
    /// Start the session again after its old Pod is gone, and announce that.
    Resume(Incident),
    /// Write into the record that the session ends, and why.
    End(Cause),
    /// Save the work of a session that ends, and write the outcome into the record.
    SaveWork,
    /// Delete these parts.
    Delete(Parts),
    /// Announce the end after all parts are gone, and write that into the record.
    AnnounceEnd(Ending),
    /// Remove the record after the end was announced.
    Remove,
    /// Replace the record by that of a new session, after the end was announced. The time is the
    /// expiry of the new credentials.
    Renew(Option<DateTime<Utc>>),
}

/// Number of restarts after which a running session ends if a container ends soon after its start.
const MAX_RESTARTS: u32 = 3;

/// Decides what to do next for one session.
pub fn next_step(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    let parts = seen.parts();
    match &seen.record.stage {
        Stage::Starting if seen.record.credentials == CredentialSource::Awaited => {
            step_awaiting_credentials(seen, now)
        }
        Stage::Starting => step_starting(seen, now, policy),
        Stage::Running => step_running(seen, now, policy),
        // Keep the Service and the route, so that the URL stays the same.
        Stage::Rescheduling(_) if parts.pod => Step::Delete(Parts::POD),
        Stage::Rescheduling(incident) => Step::Resume(incident.clone()),
        Stage::Stopping { ending, told, .. } => match (parts, told, &ending.cause) {
            _ if seen.is_to_save() => Step::SaveWork,
            (parts, _, _) if parts.any() => Step::Delete(parts),
            // Nothing was posted about it.
            _ if seen.record.is_runner() => Step::Remove,
            // Without a channel, there is nobody to tell.
            (_, false, _) if seen.record.channel.is_some() => Step::AnnounceEnd(ending.clone()),
            (
                _,
                _,
                Cause::Restarted {
                    credentials_expire, ..
                },
            ) => Step::Renew(*credentials_expire),
            _ => Step::Remove,
        },
    }
}

/// Maximum time for storing a session's own credentials.
const CREDENTIALS_TIMEOUT: TimeDelta = TimeDelta::minutes(1);

/// Waits for a session's own credentials. Ends the session after a timeout, because the bot that
/// was to store them may have died.
fn step_awaiting_credentials(seen: &Observed, now: DateTime<Utc>) -> Step {
    let deadline = seen.record.created + CREDENTIALS_TIMEOUT;
    if now >= deadline {
        Step::End(Cause::Failed(Incident::new(
            Failure::CredentialsMissing,
            "",
        )))
    } else {
        Step::Wait(Some(deadline))
    }
}

fn step_starting(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    let deadline = seen.record.start_began() + policy.start_timeout;
    let missing = seen.missing();
    let state = seen.pod.as_ref().map(|pod| &pod.state);
    match state {
        Some(
            PodState::Failed(incident)
            | PodState::Stuck(incident)
            | PodState::Crashing { incident, .. },
        ) if policy.stop_failed => Step::End(Cause::Failed(incident.clone())),
        Some(PodState::Disrupted(incident)) => reschedule_or_end(seen, incident),
        Some(PodState::Terminating) => Step::End(Cause::Lost),
        Some(PodState::Ready) if !missing.any() => Step::Announce,
        _ if now >= deadline && policy.stop_late => Step::End(match state {
            Some(PodState::Pending {
                incident: Some(incident),
                ..
            }) => Cause::Failed(incident.clone()),
            _ => Cause::TookTooLong {
                after_seconds: policy.start_timeout.num_seconds(),
            },
        }),
        _ if missing.any() => Step::Create(missing),
        _ => Step::Wait(policy.stop_late.then_some(deadline)),
    }
}

fn step_running(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    let missing = seen.missing();
    let Some(pod) = &seen.pod else {
        return reschedule_or_end(seen, &Incident::new(Failure::Vanished, ""));
    };
    match &pod.state {
        PodState::Terminating => Step::End(Cause::Lost),
        PodState::Disrupted(incident) => reschedule_or_end(seen, incident),
        PodState::Failed(incident) if policy.stop_failed => {
            Step::End(Cause::Failed(incident.clone()))
        }
        PodState::Crashing { incident, restarts }
            if policy.stop_failed && *restarts >= MAX_RESTARTS =>
        {
            Step::End(Cause::Failed(incident.clone()))
        }
        _ if missing.any() => Step::Create(missing),
        state => announce_restart(seen, pod).unwrap_or_else(|| {
            match (obstacle(state), pod.unready_since) {
                (Some(incident), Some(since)) if policy.stop_late => {
                    let deadline = since + policy.start_timeout;
                    if now >= deadline {
                        Step::End(Cause::Failed(incident.clone()))
                    } else {
                        Step::Wait(Some(deadline))
                    }
                }
                // It keeps its credentials for the query that runs, and its owner hears nothing of it.
                _ if seen.record.is_runner() => Step::Wait(None),
                _ if *state == PodState::Ready && seen.record.credentials_replaced => {
                    Step::RenewCredentials
                }
                _ if *state == PodState::Ready && seen.record.announcement_due => Step::Announce,
                _ => warn_or_wait(seen, now, policy),
            }
        }),
    }
}

/// Returns the obstacle that keeps DuckDB from running again. A DuckDB that runs but is too busy to
/// answer has none.
fn obstacle(state: &PodState) -> Option<&Incident> {
    match state {
        PodState::Stuck(incident) => Some(incident),
        PodState::Pending { incident, .. } => incident.as_ref(),
        _ => None,
    }
}

/// Decides about a session whose Pod the cluster took. It starts again, unless its last start after
/// such a loss was not completed, or it filled its disk both times. A query runner that was ready ends:
/// it holds nobody's work, and the next query starts another one.
fn reschedule_or_end(seen: &Observed, incident: &Incident) -> Step {
    let record = &seen.record;
    let is_expendable = record.is_runner() && record.was_ready();
    let is_in_vain = record.rescheduled.as_ref().is_some_and(|last| {
        let reasons = [last.incident.failure, incident.failure];
        record.stage != Stage::Running || reasons == [Failure::DiskFull; 2]
    });
    if is_expendable || is_in_vain {
        Step::End(Cause::Failed(incident.clone()))
    } else {
        Step::Reschedule(incident.clone())
    }
}

fn announce_restart(seen: &Observed, pod: &Pod) -> Option<Step> {
    let why = pod.last_end.clone()?;
    let is_untold = pod.restarts > seen.record.restarts_told && !seen.record.is_runner();
    is_untold.then_some(Step::AnnounceRestart(why, pod.restarts))
}

fn warn_or_wait(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    match seen.record.credentials_expire {
        // Replaced ones are renewed first. If that fails, the warning follows.
        Some(expire) if !seen.record.credentials_warned && !seen.record.credentials_replaced => {
            match expire - policy.credential_warning {
                warning if now >= warning => Step::WarnCredentialsExpiry(expire),
                warning => Step::Wait(Some(warning)),
            }
        }
        _ => Step::Wait(None),
    }
}

/// Returns the median start time of the given sessions that were ready, or `None` if there is none.
pub fn usual_start(sessions: &[Observed]) -> Option<TimeDelta> {
    let records = sessions.iter().map(|seen| &seen.record);
    let mut starts: Vec<_> = records
        .filter_map(|record| Some(record.ready? - record.created))
        .collect();
    starts.sort();
    starts.get(starts.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::record::tests::{starting, starting_runner};
    use super::*;
    use crate::session::{Record, StartupStep, WorkOutcome};

    const POLICY: Policy = Policy {
        start_timeout: TimeDelta::minutes(5),
        credential_warning: TimeDelta::minutes(30),
        stop_failed: true,
        stop_late: true,
    };

    const QUEUED: PodState = pending(StartupStep::Queued);
    const PLACED: PodState = pending(StartupStep::Placed);

    const fn pending(step: StartupStep) -> PodState {
        PodState::Pending {
            step,
            incident: None,
        }
    }

    fn incident(failure: Failure) -> Incident {
        Incident::new(failure, "why")
    }

    fn seen(stage: Stage, pod: Option<PodState>, others: bool) -> Observed {
        let mut record = starting();
        record.stage = stage;
        Observed {
            record: Arc::new(record),
            uid: "u".into(),
            revision: "1".into(),
            pod: pod.map(Pod::new),
            service: others,
            route: others,
        }
    }

    fn after(minutes: i64) -> DateTime<Utc> {
        starting().created + TimeDelta::minutes(minutes)
    }

    fn stopping() -> Stage {
        starting().with_ending(Cause::Lost, after(1)).stage
    }

    /// A session that was ready, whose work is saved, and that ends for this reason.
    fn ending_with_work(cause: Cause) -> Observed {
        let mut session = seen(Stage::Running, Some(PodState::Ready), true);
        let record = Record {
            keeps_work: true,
            ..starting()
        };
        let ready = record.with_announcement(None, after(1), 0);
        session.record = ready.with_ending(cause, after(2)).into();
        session
    }

    #[test]
    fn a_session_that_could_not_be_announced_runs_and_is_announced_later() {
        let mut session = seen(Stage::Starting, Some(PodState::Ready), true);
        assert_eq!(next_step(&session, after(1), &POLICY), Step::Announce);
        session.record = session.record.with_ready(after(1), 0).into();
        assert_eq!(session.phase(), crate::session::Phase::Running);
        assert_eq!(next_step(&session, after(9), &POLICY), Step::Announce);
        let announced = session.record.with_announcement(None, after(9), 0);
        assert_eq!(announced.ready, Some(after(1)));
        session.record = announced.into();
        assert_eq!(next_step(&session, after(9), &POLICY), Step::Wait(None));
    }

    #[test]
    fn work_is_saved_once_before_a_session_is_deleted() {
        let step = |seen: &Observed| next_step(seen, after(2), &POLICY);
        let by = 7.into();
        for cause in [
            Cause::Stopped { by },
            Cause::Restarted {
                by,
                credentials_expire: None,
            },
            Cause::Reaped {
                rule: crate::session::Rule::Idle,
                since: after(0),
            },
        ] {
            let mut session = ending_with_work(cause);
            assert_eq!(step(&session), Step::SaveWork);
            assert_eq!(session.phase(), crate::session::Phase::Saving);
            // Whatever the outcome is, it keeps no session alive.
            let done = session.record.with_work_outcome(WorkOutcome::NoAnswer);
            session.record = done.into();
            assert_eq!(step(&session), Step::Delete(Parts::ALL));
            assert_eq!(session.phase(), crate::session::Phase::Stopping);
        }
    }

    #[test]
    fn nothing_is_saved_of_a_session_that_can_not_or_need_not() {
        let stopped = || ending_with_work(Cause::Stopped { by: 7.into() });
        let step = |seen: &Observed| next_step(seen, after(2), &POLICY);
        let delete = Step::Delete(Parts::ALL);
        for cause in [
            Cause::Lost,
            Cause::Failed(incident(Failure::Crashed)),
            Cause::TookTooLong { after_seconds: 300 },
        ] {
            assert_eq!(step(&ending_with_work(cause)), delete, "DuckDB is gone");
        }
        let mut session = stopped();
        session.pod = Some(Pod::new(PodState::Terminating));
        assert_eq!(step(&session), delete, "its Pod saves by itself");
        session = stopped();
        Arc::make_mut(&mut session.record).ready = None;
        assert_eq!(step(&session), delete, "nobody could get in");
        session = stopped();
        Arc::make_mut(&mut session.record).keeps_work = false;
        assert_eq!(step(&session), delete, "the settings name no place");
    }

    #[test]
    fn a_session_without_problems() {
        let step = |stage, pod, others| next_step(&seen(stage, pod, others), after(1), &POLICY);
        let ready = || Some(PodState::Ready);

        assert_eq!(step(Stage::Starting, None, false), Step::Create(Parts::ALL));
        let deadline = Step::Wait(Some(after(5)));
        assert_eq!(step(Stage::Starting, Some(QUEUED), true), deadline);
        assert_eq!(step(Stage::Starting, Some(PLACED), true), deadline);
        assert_eq!(step(Stage::Starting, ready(), true), Step::Announce);
        assert_eq!(step(Stage::Running, ready(), true), Step::Wait(None));
        assert_eq!(step(stopping(), ready(), true), Step::Delete(Parts::ALL));
        assert!(matches!(
            step(stopping(), None, false),
            Step::AnnounceEnd(_)
        ));
        let told = starting()
            .with_ending(Cause::Lost, after(1))
            .with_end_announced()
            .stage;
        assert_eq!(step(told, None, false), Step::Remove);
        let mut without_channel = seen(stopping(), None, false);
        Arc::make_mut(&mut without_channel.record).channel = None;
        assert_eq!(next_step(&without_channel, after(1), &POLICY), Step::Remove);
        let restarted = Cause::Restarted {
            by: 7.into(),
            credentials_expire: None,
        };
        let told = starting()
            .with_ending(restarted, after(1))
            .with_end_announced()
            .stage;
        assert_eq!(step(told, None, false), Step::Renew(None));
    }

    #[test]
    fn without_its_own_credentials_a_session_gets_no_pod_and_ends_after_a_timeout() {
        let mut starting = seen(Stage::Starting, None, false);
        Arc::make_mut(&mut starting.record).credentials = CredentialSource::Awaited;
        let step = |seen: &Observed, seconds| {
            let now = after(0) + TimeDelta::seconds(seconds);
            next_step(seen, now, &POLICY)
        };
        assert_eq!(step(&starting, 59), Step::Wait(Some(after(1))));
        let gone = Incident::new(Failure::CredentialsMissing, "");
        assert_eq!(step(&starting, 60), Step::End(Cause::Failed(gone)));
        starting.record = starting.record.with_own_credentials().into();
        assert_eq!(step(&starting, 1), Step::Create(Parts::ALL));
    }

    #[test]
    fn credentials_that_were_replaced_during_the_start_are_given_to_a_ready_session() {
        let step = |stage, pod| {
            let mut seen = seen(stage, Some(pod), true);
            seen.record = seen.record.with_replaced_credentials().into();
            next_step(&seen, after(1), &POLICY)
        };
        assert_eq!(step(Stage::Starting, PodState::Ready), Step::Announce);
        assert_eq!(
            step(Stage::Running, PodState::Ready),
            Step::RenewCredentials
        );
        assert_eq!(step(Stage::Running, QUEUED), Step::Wait(None));
    }

    #[test]
    fn a_query_runner_is_a_pod_of_which_its_owner_hears_nothing() {
        let mut runner = seen(Stage::Starting, None, false);
        runner.record = starting_runner().into();
        let step = |runner: &Observed| next_step(runner, after(1), &POLICY);
        assert_eq!(step(&runner), Step::Create(Parts::POD));
        runner.pod = Some(Pod {
            restarts: 1,
            last_end: Some(incident(Failure::OutOfMemory)),
            ..Pod::new(PodState::Ready)
        });
        assert_eq!(step(&runner), Step::Announce);
        let running = starting_runner().with_announcement(None, after(1), 0);
        runner.record = Record {
            credentials_expire: Some(after(2)),
            ..running.with_replaced_credentials()
        }
        .into();
        assert_eq!(step(&runner), Step::Wait(None));
        runner.record = running.with_ending(Cause::Lost, after(1)).into();
        assert_eq!(step(&runner), Step::Delete(Parts::POD));
        runner.pod = None;
        assert_eq!(step(&runner), Step::Remove);
    }

    #[test]
    fn a_query_runner_that_the_cluster_takes_starts_again_only_if_it_was_never_ready() {
        let evicted = || incident(Failure::Evicted);
        let mut runner = seen(Stage::Starting, Some(PodState::Disrupted(evicted())), false);
        runner.record = starting_runner().into();
        let step = |runner: &Observed| next_step(runner, after(1), &POLICY);
        assert_eq!(step(&runner), Step::Reschedule(evicted()));
        let running = starting_runner().with_announcement(None, after(1), 0);
        runner.record = running.into();
        assert_eq!(step(&runner), Step::End(Cause::Failed(evicted())));
    }

    #[test]
    fn missing_parts_are_created_again() {
        let step = |stage, pod, others| next_step(&seen(stage, pod, others), after(1), &POLICY);
        let ready = Some(PodState::Ready);
        let others = Parts {
            pod: false,
            ..Parts::ALL
        };
        assert_eq!(
            step(Stage::Starting, ready.clone(), false),
            Step::Create(others)
        );
        assert_eq!(step(Stage::Running, ready, false), Step::Create(others));
    }

    #[test]
    fn a_session_that_is_not_ready_in_time_ends() {
        let queued = seen(Stage::Starting, Some(QUEUED), true);
        let just_before = after(5) - TimeDelta::milliseconds(1);
        let too_long = Step::End(Cause::TookTooLong { after_seconds: 300 });
        assert_eq!(
            next_step(&queued, just_before, &POLICY),
            Step::Wait(Some(after(5)))
        );
        assert_eq!(next_step(&queued, after(5), &POLICY), too_long);
        // The same holds if no part could be created.
        let nothing = seen(Stage::Starting, None, false);
        assert_eq!(next_step(&nothing, after(5), &POLICY), too_long);
        // A session that is ready exactly at the deadline is announced.
        let ready = seen(Stage::Starting, Some(PodState::Ready), true);
        assert_eq!(next_step(&ready, after(5), &POLICY), Step::Announce);
    }

    #[test]
    fn the_owner_is_warned_once_before_the_credentials_expire() {
        let mut running = seen(Stage::Running, Some(PodState::Ready), true);
        Arc::make_mut(&mut running.record).credentials_expire = Some(after(60));
        let step = |running: &Observed, minutes| next_step(running, after(minutes), &POLICY);
        assert_eq!(step(&running, 29), Step::Wait(Some(after(30))));
        assert_eq!(step(&running, 30), Step::WarnCredentialsExpiry(after(60)));
        assert_eq!(step(&running, 61), Step::WarnCredentialsExpiry(after(60)));
        let mut replaced = running.clone();
        replaced.record = running.record.with_replaced_credentials().into();
        assert_eq!(step(&replaced, 30), Step::RenewCredentials);
        replaced.pod = Some(Pod::new(QUEUED));
        assert_eq!(step(&replaced, 30), Step::Wait(None));
        running.record = running.record.with_credentials_warning().into();
        assert_eq!(step(&running, 30), Step::Wait(None));
    }

    #[test]
    fn a_pod_that_failed_or_is_being_deleted_ends_the_session() {
        let failed = || Some(PodState::Failed(incident(Failure::Crashed)));
        let stuck = Some(PodState::Stuck(incident(Failure::Crashed)));
        let end = Step::End(Cause::Failed(incident(Failure::Crashed)));
        for stage in [Stage::Starting, Stage::Running] {
            let step = |pod| next_step(&seen(stage.clone(), pod, true), after(1), &POLICY);
            assert_eq!(step(failed()), end);
            assert_eq!(step(Some(PodState::Terminating)), Step::End(Cause::Lost));
        }
        let starting = seen(Stage::Starting, stuck, true);
        assert_eq!(next_step(&starting, after(1), &POLICY), end);
    }

    #[test]
    fn failed_and_late_sessions_are_kept_if_the_settings_say_so() {
        let policy = Policy {
            stop_failed: false,
            stop_late: false,
            ..POLICY
        };
        let failed = PodState::Failed(incident(Failure::Crashed));
        let crashing = PodState::Crashing {
            incident: incident(Failure::OutOfMemory),
            restarts: 9,
        };
        for state in [failed, crashing, QUEUED] {
            for stage in [Stage::Starting, Stage::Running] {
                let mut session = seen(stage, Some(state.clone()), true);
                if let Some(pod) = &mut session.pod {
                    pod.unready_since = Some(after(1));
                }
                let step = next_step(&session, after(1000), &policy);
                assert_eq!(step, Step::Wait(None), "{state:?}");
            }
        }
    }

    #[test]
    fn an_obstacle_is_waited_for_until_the_deadline_and_then_named() {
        let no_room = PodState::Pending {
            step: StartupStep::Queued,
            incident: Some(incident(Failure::NoRoom)),
        };
        let queued = seen(Stage::Starting, Some(no_room), true);
        let wait = Step::Wait(Some(after(5)));
        assert_eq!(next_step(&queued, after(1), &POLICY), wait);
        let end = Step::End(Cause::Failed(incident(Failure::NoRoom)));
        assert_eq!(next_step(&queued, after(5), &POLICY), end);
    }

    /// A session that was taken from its node for this reason, and is starting again.
    fn rescheduled(failure: Failure) -> Observed {
        let mut session = seen(Stage::Starting, None, true);
        let record = session.record.with_reschedule(incident(failure));
        session.record = record.with_restart(None, after(20)).into();
        session
    }

    /// The same session, ready again.
    fn ready_again(failure: Failure) -> Observed {
        let mut session = rescheduled(failure);
        let record = session.record.with_announcement(None, after(21), 0);
        session.record = record.into();
        session
    }

    #[test]
    fn a_session_that_is_taken_from_its_node_starts_again() {
        let evicted = || incident(Failure::Evicted);
        let taken = || Some(PodState::Disrupted(evicted()));
        for stage in [Stage::Starting, Stage::Running] {
            let session = seen(stage, taken(), true);
            let step = next_step(&session, after(1), &POLICY);
            assert_eq!(step, Step::Reschedule(evicted()));
        }

        let mut session = seen(Stage::Rescheduling(evicted()), taken(), true);
        let step = |session: &Observed| next_step(session, after(21), &POLICY);
        assert_eq!(step(&session), Step::Delete(Parts::POD));
        session.pod = None;
        assert_eq!(step(&session), Step::Resume(evicted()));
        assert_eq!(
            step(&rescheduled(Failure::Evicted)),
            Step::Create(Parts::POD),
            "the time limit for the start begins again"
        );
    }

    #[test]
    fn a_session_may_be_taken_from_each_node_on_which_it_was_ready() {
        for failure in [Failure::Evicted, Failure::NodeGone] {
            let taken = PodState::Disrupted(incident(failure));
            let mut session = ready_again(Failure::Evicted);
            session.pod = Some(Pod::new(taken));
            let step = |session: &Observed| next_step(session, after(22), &POLICY);
            assert_eq!(step(&session), Step::Reschedule(incident(failure)));

            let pod = session.pod;
            session = rescheduled(Failure::Evicted);
            session.pod = pod;
            let end = Step::End(Cause::Failed(incident(failure)));
            assert_eq!(step(&session), end, "it was not ready in between");
        }
    }

    #[test]
    fn a_session_that_fills_its_disk_again_ends() {
        let full = || incident(Failure::DiskFull);
        let step = |mut session: Observed| {
            session.pod = Some(Pod::new(PodState::Disrupted(full())));
            next_step(&session, after(22), &POLICY)
        };
        let again = Step::Reschedule(full());
        assert_eq!(step(seen(Stage::Running, None, true)), again);
        assert_eq!(step(ready_again(Failure::Evicted)), again);
        let end = Step::End(Cause::Failed(full()));
        assert_eq!(step(ready_again(Failure::DiskFull)), end);
    }

    #[test]
    fn a_session_whose_pod_vanished_starts_again() {
        let vanished = Step::Reschedule(Incident::new(Failure::Vanished, ""));
        let running = seen(Stage::Running, None, true);
        assert_eq!(next_step(&running, after(1), &POLICY), vanished);
        let again = ready_again(Failure::Vanished);
        assert_eq!(next_step(&again, after(22), &POLICY), vanished);
    }

    #[test]
    fn a_session_that_can_not_restart_ends_after_the_start_timeout() {
        let stuck = || incident(Failure::CredentialsMissing);
        let mut session = seen(Stage::Running, Some(PodState::Stuck(stuck())), true);
        let step = |session: &Observed, minutes| next_step(session, after(minutes), &POLICY);
        assert_eq!(
            step(&session, 60),
            Step::Wait(None),
            "the time since when it is not ready is unknown"
        );
        if let Some(pod) = &mut session.pod {
            pod.unready_since = Some(after(20));
        }
        assert_eq!(step(&session, 24), Step::Wait(Some(after(25))));
        assert_eq!(step(&session, 25), Step::End(Cause::Failed(stuck())));
        // A DuckDB that is only too busy to answer is left alone.
        if let Some(pod) = &mut session.pod {
            pod.state = pending(StartupStep::Starting);
        }
        assert_eq!(step(&session, 90), Step::Wait(None));
    }

    #[test]
    fn each_restart_is_announced_once() {
        let mut running = seen(Stage::Running, Some(PLACED), true);
        let step = |running: &Observed| next_step(running, after(1), &POLICY);
        let oom = || incident(Failure::OutOfMemory);
        running.pod = Some(Pod {
            restarts: 1,
            last_end: Some(oom()),
            ..Pod::new(PLACED)
        });
        assert_eq!(step(&running), Step::AnnounceRestart(oom(), 1));
        running.record = running.record.with_restarts_told(1).into();
        assert_eq!(step(&running), Step::Wait(None));
        // Restarts before the announcement of the URL are not announced.
        let announced = starting().with_announcement(None, after(1), 1);
        running.record = Arc::new(announced);
        assert_eq!(step(&running), Step::Wait(None));
    }

    #[test]
    fn duckdb_may_crash_a_few_times_in_a_running_session_but_not_in_a_starting_one() {
        let crashing = |restarts| {
            Pod::new(PodState::Crashing {
                incident: incident(Failure::OutOfMemory),
                restarts,
            })
        };
        let end = Step::End(Cause::Failed(incident(Failure::OutOfMemory)));
        let mut session = seen(Stage::Running, None, true);
        session.pod = Some(crashing(2));
        assert_eq!(next_step(&session, after(1), &POLICY), Step::Wait(None));
        session.pod = Some(crashing(3));
        assert_eq!(next_step(&session, after(1), &POLICY), end);
        Arc::make_mut(&mut session.record).stage = Stage::Starting;
        session.pod = Some(crashing(1));
        assert_eq!(next_step(&session, after(1), &POLICY), end);
    }

    #[test]
    fn the_usual_start_time_is_the_median_of_the_known_ones() {
        assert_eq!(usual_start(&[]), None);
        let after = |seconds| {
            let mut session = seen(Stage::Running, Some(PodState::Ready), true);
            Arc::make_mut(&mut session.record).ready =
                Some(starting().created + TimeDelta::seconds(seconds));
            session
        };
        let unknown = seen(Stage::Starting, None, true);
        let all = [after(60), unknown, after(10), after(20)];
        assert_eq!(usual_start(&all), Some(TimeDelta::seconds(20)));
    }
}
