//! Records and ledgers from the cluster.

use chrono::TimeDelta;
use duckbot::session::{
    Cause, CredentialSource, Incident, Ledger, Pod, PodState, Policy, Record, Rule, RunningSession,
    Stage, StartupStep, Usage, Warning, next_step, usual_start,
};

use super::at;
use super::state::{decide, limits, observed, record, watched};

/// A session's record or the ledger, as read from the cluster.
///
/// A valid document survives a round trip through JSON, also after each possible change.
/// Deciding what to do next never panics.
pub fn documents(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(record) = Record::read(text) {
        assert_can_be_continued(&record);
    }
    if let Ok(ledger) = Ledger::read(text) {
        assert_ledger_round_trips(&ledger);
    }
}

fn assert_round_trips(record: &Record) {
    let text = serde_json::to_string(record).expect("a record serializes to JSON");
    assert_eq!(Record::read(&text).as_ref(), Ok(record));
}

fn assert_can_be_continued(record: &Record) {
    assert_eq!(record.version, duckbot::session::RECORD_VERSION);
    assert_round_trips(record);
    let policy = Policy {
        start_timeout: TimeDelta::minutes(5),
        credential_warning: TimeDelta::hours(1),
        stop_failed: true,
        stop_late: true,
    };
    let incident = Incident::new(Default::default(), "gone");
    for now in [record.created, at(0)] {
        for state in [
            PodState::Ready,
            PodState::Terminating,
            PodState::Stuck(incident.clone()),
            PodState::Disrupted(incident.clone()),
            PodState::Pending {
                step: StartupStep::Pulling(record.created),
                incident: Some(incident.clone()),
            },
        ] {
            let mut pod = Pod::new(state);
            pod.unready_since = Some(record.created);
            next_step(&observed(record.clone(), Some(pod)), now, &policy);
        }
        next_step(&observed(record.clone(), None), now, &policy);
        for usage in [
            Usage::Busy,
            Usage::Idle(record.created),
            Usage::Unreachable(record.created),
        ] {
            decide(&watched(record.clone(), usage), now, &limits());
        }
    }
    usual_start(&[observed(record.clone(), None)]);
    let warning = Warning {
        rule: Rule::Idle,
        since: record.created,
        at: at(60),
    };
    let other = match record.id.to_string().as_str() {
        "1b2c3d" => "977a26",
        _ => "1b2c3d",
    };
    let other = other.parse().expect("the ID is valid");
    for next in [
        record.with_ending(Cause::Lost, at(1)),
        record.with_announcement(Some(9.into()), at(1), 2),
        record.with_reschedule(incident.clone()),
        record
            .with_reschedule(incident)
            .with_restart(Some(at(9)), at(1)),
        record.with_extension(TimeDelta::days(1), at(1)),
        record
            .with_warning(warning)
            .with_credentials_warning()
            .with_restarts_told(3),
        record.with_own_credentials(),
        record.successor(other, None, at(1)),
        record.with_end_announced(),
    ] {
        assert_round_trips(&next);
        // A stopping session stays stopping; only its successor, with another ID, starts.
        assert!(!record.is_stopping() || next.is_stopping() || next.id != record.id);
        assert!(
            next.stage != Stage::Starting
                || next.credentials != CredentialSource::Awaited
                || record.credentials == CredentialSource::Awaited
        );
    }
}

fn assert_ledger_round_trips(ledger: &Ledger) {
    assert_eq!(Ledger::read(&ledger.write()).as_ref(), Ok(ledger));
    let record = record();
    let cause = Cause::Stopped { by: 7.into() };
    let ended = record.with_ending(cause, at(3600));
    let ending = ended.ending().expect("the record is stopping");
    let running = || {
        vec![RunningSession {
            record: record.clone().into(),
            due: None,
            unreachable: None,
        }]
    };
    let with = ledger.with_ended(&ended, ending, None);
    assert_eq!(
        with.with_ended(&ended, ending, None),
        with,
        "a session is counted once"
    );
    let (rule, since) = (Rule::Idle, at(1));
    let reaped = record.with_ending(Cause::Reaped { rule, since }, at(3600));
    let ending = reaped.ending().expect("the record is stopping");
    let reaped = ledger.with_ended(&reaped, ending, Some(at(9000)));
    let claimed = with.with_claim(at(3700), [&record]);
    assert!(claimed.claimed_since().is_some() && claimed.pending_report(running()).is_some());
    for next in [
        ledger.with_owners([9.into()]),
        ledger.without_owner(7.into()),
        ledger.with_members(&[(7.into(), false)], at(1)),
        ledger.with_report_posted(at(1)),
        with,
        reaped.with_claim(at(3700), [&record]),
        reaped,
        claimed,
    ] {
        assert_eq!(Ledger::read(&next.write()).as_ref(), Ok(&next));
        let report = next.report(running(), at(7200));
        // A session that was entered counts as ended, although its record is there still.
        let there = usize::from(!next.has_entered(&record.id));
        assert!(report.sessions >= report.there && report.there == there);
        let waits = next.pending_report(running());
        assert!(waits.is_none_or(|report| report.sessions >= report.there));
    }
}
