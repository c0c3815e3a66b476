//! The rule that carries a session through its life: given what is seen now,
//! what is the one next thing to do?
//!
//! The answer depends on nothing but the observation, the time and the policy.
//! So a bot that was killed at any moment carries on by looking again.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Cause, Ending, Observed, Parts, PodState, Stage};

/// What the settings say about the life of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a session may take until it is ready.
    pub start_timeout: TimeDelta,
    /// How long before a session's keys expire its owner is warned.
    pub key_warning: TimeDelta,
}

/// The next thing to do for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until something changes or that time has come.
    Wait(Option<DateTime<Utc>>),
    /// Make these parts.
    Create(Parts),
    /// Tell the owner its URL, and remember that in the record.
    Announce,
    /// Warn the owner that the session's keys expire then, and remember that.
    WarnOfKeys(DateTime<Utc>),
    /// Write into the record that it ends, and why.
    End(Cause),
    /// Delete these parts.
    Delete(Parts),
    /// Everything is gone: tell how it ended, and remember that in the record.
    Tell(Ending),
    /// People were told: remove the record.
    Remove,
    /// People were told: put the record of a new session, with keys that expire
    /// then, in its place.
    Renew(Option<DateTime<Utc>>),
}

/// Decides what to do next for one session.
pub fn next_step(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    match &seen.record.stage {
        Stage::Starting => while_starting(seen, now, policy),
        Stage::Running => while_running(seen, now, policy),
        Stage::Stopping { ending, told } => match (seen.parts(), told, &ending.cause) {
            (parts, _, _) if parts.any() => Step::Delete(parts),
            (_, false, _) => Step::Tell(ending.clone()),
            (_, true, Cause::Restarted { keys_expire, .. }) => Step::Renew(*keys_expire),
            (_, true, _) => Step::Remove,
        },
    }
}

fn while_starting(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    let deadline = seen.record.created + policy.start_timeout;
    let missing = seen.parts().missing();
    match &seen.pod {
        Some(PodState::Failed(why)) => Step::End(Cause::Failed { why: why.clone() }),
        Some(PodState::Going) => Step::End(Cause::Lost),
        Some(PodState::Ready) if !missing.any() => Step::Announce,
        _ if now >= deadline => Step::End(Cause::TookTooLong {
            after_seconds: policy.start_timeout.num_seconds(),
        }),
        _ if missing.any() => Step::Create(missing),
        _ => Step::Wait(Some(deadline)),
    }
}

fn while_running(seen: &Observed, now: DateTime<Utc>, policy: &Policy) -> Step {
    let missing = seen.parts().missing();
    match &seen.pod {
        None | Some(PodState::Going) => Step::End(Cause::Lost),
        Some(PodState::Failed(why)) => Step::End(Cause::Failed { why: why.clone() }),
        Some(_) if missing.any() => Step::Create(missing),
        Some(_) => match seen.record.keys_expire {
            Some(expire) if !seen.record.keys_warned => match expire - policy.key_warning {
                warning if now >= warning => Step::WarnOfKeys(expire),
                warning => Step::Wait(Some(warning)),
            },
            _ => Step::Wait(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::starting;
    use super::*;

    const POLICY: Policy = Policy {
        start_timeout: TimeDelta::minutes(5),
        key_warning: TimeDelta::minutes(30),
    };

    fn seen(stage: Stage, pod: Option<PodState>, others: bool) -> Observed {
        let mut record = starting();
        record.stage = stage;
        Observed {
            record,
            uid: "u".into(),
            revision: "1".into(),
            pod,
            service: others,
            route: others,
        }
    }

    fn after(minutes: i64) -> DateTime<Utc> {
        starting().created + TimeDelta::minutes(minutes)
    }

    fn stopping() -> Stage {
        starting().ended(Cause::Lost, after(1)).stage
    }

    #[test]
    fn a_life_without_trouble() {
        let step = |stage, pod, others| next_step(&seen(stage, pod, others), after(1), &POLICY);
        use PodState::{Queued, Ready, Starting};

        assert_eq!(step(Stage::Starting, None, false), Step::Create(Parts::ALL));
        let deadline = Step::Wait(Some(after(5)));
        assert_eq!(step(Stage::Starting, Some(Queued), true), deadline);
        assert_eq!(step(Stage::Starting, Some(Starting), true), deadline);
        assert_eq!(step(Stage::Starting, Some(Ready), true), Step::Announce);
        assert_eq!(step(Stage::Running, Some(Ready), true), Step::Wait(None));
        assert_eq!(
            step(stopping(), Some(Ready), true),
            Step::Delete(Parts::ALL)
        );
        assert!(matches!(step(stopping(), None, false), Step::Tell(_)));
        let told = starting().ended(Cause::Lost, after(1)).told().stage;
        assert_eq!(step(told, None, false), Step::Remove);
        let restarted = Cause::Restarted {
            by: 7.into(),
            keys_expire: None,
        };
        let told = starting().ended(restarted, after(1)).told().stage;
        assert_eq!(step(told, None, false), Step::Renew(None));
    }

    #[test]
    fn what_is_missing_is_made_again_but_never_the_pod_of_a_running_session() {
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
        assert_eq!(step(Stage::Running, None, true), Step::End(Cause::Lost));
    }

    #[test]
    fn a_session_that_is_not_ready_in_time_ends() {
        let queued = seen(Stage::Starting, Some(PodState::Queued), true);
        let just_before = after(5) - TimeDelta::milliseconds(1);
        let too_long = Step::End(Cause::TookTooLong { after_seconds: 300 });
        assert_eq!(
            next_step(&queued, just_before, &POLICY),
            Step::Wait(Some(after(5)))
        );
        assert_eq!(next_step(&queued, after(5), &POLICY), too_long);
        // Nothing could be made at all: the same.
        let nothing = seen(Stage::Starting, None, false);
        assert_eq!(next_step(&nothing, after(5), &POLICY), too_long);
        // Ready at the last moment is ready.
        let ready = seen(Stage::Starting, Some(PodState::Ready), true);
        assert_eq!(next_step(&ready, after(5), &POLICY), Step::Announce);
    }

    #[test]
    fn the_owner_is_warned_once_before_the_keys_expire() {
        let mut running = seen(Stage::Running, Some(PodState::Ready), true);
        running.record.keys_expire = Some(after(60));
        let step = |running: &Observed, minutes| next_step(running, after(minutes), &POLICY);
        assert_eq!(step(&running, 29), Step::Wait(Some(after(30))));
        assert_eq!(step(&running, 30), Step::WarnOfKeys(after(60)));
        assert_eq!(step(&running, 61), Step::WarnOfKeys(after(60)));
        running.record = running.record.warned_of_keys();
        assert_eq!(step(&running, 30), Step::Wait(None));
    }

    #[test]
    fn a_pod_that_failed_or_is_being_deleted_ends_the_session() {
        let failed = || Some(PodState::Failed("OOMKilled".into()));
        let end = Step::End(Cause::Failed {
            why: "OOMKilled".into(),
        });
        for stage in [Stage::Starting, Stage::Running] {
            assert_eq!(
                next_step(&seen(stage.clone(), failed(), true), after(1), &POLICY),
                end
            );
            let going = seen(stage, Some(PodState::Going), true);
            assert_eq!(next_step(&going, after(1), &POLICY), Step::End(Cause::Lost));
        }
    }
}
