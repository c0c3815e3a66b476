//! Every fact in words, and that a write which brings none is silent.

use super::*;
use crate::session::{SaveFailure, SaveSummary, SessionId, starting, starting_runner};

fn at(minutes: i64) -> DateTime<Utc> {
    starting().created + TimeDelta::minutes(minutes)
}

fn ready_session() -> Record {
    starting().with_announcement(Some(9.into()), at(1), 0)
}

fn incident() -> Incident {
    Incident::new(Failure::Evicted, "the node was low on memory")
}

fn ended(cause: Cause) -> Record {
    ready_session().with_ending(cause, at(60))
}

/// Returns a line for each fact, such as `Normal Extended: Extended by 4h`.
fn said(facts: &[Fact]) -> String {
    let line = |fact: &Fact| {
        let kind = if fact.is_warning { "Warning" } else { "Normal" };
        format!("{kind} {}: {}", fact.reason, fact.note)
    };
    facts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn change(before: &Record, after: &Record) -> String {
    said(&of_change(before, after))
}

#[test]
fn every_fact_in_words() {
    let (new, running) = (starting(), ready_session());
    let late = new.with_ready(at(1), 0);
    let warning = Warning {
        rule: Rule::Idle,
        since: at(10),
        at: at(70),
    };
    let lost = running.with_reschedule(incident());
    let stopping = ended(Cause::Stopped { by: 7.into() });
    let mut expiring = running.clone();
    expiring.credentials_expire = Some(at(90));
    let successor = stopping.successor(SessionId::from_uuid(uuid::Uuid::nil()), None, at(61));
    let save = SaveSummary {
        number: 4,
        at: at(60),
        tables: 1,
        notebooks: 0,
        bytes: 10,
        is_partial: false,
    };
    let unsaved = |last| WorkOutcome::NotSaved {
        failure: SaveFailure {
            at: at(60),
            reason: SaveFailureReason::KeysRefused,
            error: "canary".into(),
        },
        last,
    };
    let saved = |outcome| change(&stopping, &stopping.with_work_outcome(outcome));
    let lines = [
        said(&of_claim(&new)),
        change(&new, &running),
        change(&new, &late),
        change(&late, &late.with_announcement(Some(9.into()), at(5), 0)),
        change(&running, &running.with_warning(warning)),
        change(&expiring, &expiring.with_credentials_warning()),
        change(&running, &running.with_renewed_credentials(None, at(9))),
        change(
            &running,
            &running.with_extension(TimeDelta::hours(4), at(9)),
        ),
        change(&running, &running.with_restarts_told(2)),
        change(&running, &lost),
        change(&lost, &lost.with_restart(None, at(20))),
        saved(WorkOutcome::Saved(save)),
        saved(WorkOutcome::Nothing),
        saved(unsaved(Some(at(30)))),
        saved(unsaved(None)),
        saved(WorkOutcome::NoAnswer),
        change(&stopping, &successor),
        said(&[of_unreadable()]),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_end_in_words() {
    let summary = |error| Cause::Refused {
        error,
        reference: "1a2b3c4d".into(),
    };
    let quota = ErrorSummary::QuotaExceeded {
        why: "requested: pods=1, used: pods=40, limited: pods=40".into(),
    };
    let forbidden = ErrorSummary::NotAllowed {
        verb: "create".into(),
        resource: "pods".into(),
        namespace: "duckbot-sessions".into(),
    };
    let reaped = |rule| Cause::Reaped { rule, since: at(2) };
    let causes = [
        Cause::Stopped { by: 7.into() },
        Cause::Stopped { by: 8.into() },
        Cause::Restarted {
            by: 7.into(),
            credentials_expire: None,
        },
        Cause::OverQuota,
        summary(quota),
        summary(forbidden),
        summary(ErrorSummary::Refused),
        summary(ErrorSummary::Unreachable),
        Cause::TookTooLong { after_seconds: 300 },
        Cause::Failed(incident()),
        Cause::Failed(Incident::new(Failure::NodeGone, "")),
        Cause::Lost,
        reaped(Rule::Idle),
        reaped(Rule::Lifetime),
        reaped(Rule::MaxAge),
        reaped(Rule::OwnerLeft),
    ];
    let running = ready_session();
    let lines = causes.map(|cause| change(&running, &ended(cause)));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_write_that_brings_nothing_new_is_silent() {
    let running = ready_session();
    let stopping = ended(Cause::Lost);
    let warned = running.with_credentials_warning();
    for (before, after) in [
        (&running, running.clone()),
        (&stopping, stopping.with_end_announced()),
        (&stopping, stopping.with_ending(Cause::OverQuota, at(61))),
        (&warned, warned.with_credentials_warning()),
        (&running, running.with_replaced_credentials()),
    ] {
        assert_eq!(of_change(before, &after), []);
    }
}

#[test]
fn of_a_query_runner_only_failures_are_told() {
    let runner = starting_runner();
    let running = runner.with_announcement(None, at(1), 0);
    assert_eq!(of_claim(&runner), []);
    assert_eq!(of_change(&runner, &running), []);
    let failed = running.with_ending(Cause::Failed(incident()), at(2));
    assert_eq!(
        change(&running, &failed),
        "Warning Failed: Ends, because the node evicted its Pod (the node was low on memory)"
    );
}
