//! Sessions for the targets that make decisions.

use chrono::{DateTime, TimeDelta, Utc};
use duckbot::session::{
    Limits, Observed, Orphan, Pod, PodState, Record, ScheduledStop, TrackedSession, Usage,
    extension, plan, scheduled_stop,
};
use std::collections::HashMap;

use super::at;

/// Checks that deciding about a session with these limits never panics.
pub fn check_limits(limits: &Limits) {
    let record = record();
    for usage in [
        Usage::Unknown,
        Usage::Busy,
        Usage::Idle(at(0)),
        Usage::Unreachable(at(0)),
    ] {
        for now in [at(0), at(1 << 20), at(1 << 32)] {
            decide(&watched(record.clone(), usage), now, limits);
        }
    }
}

pub fn limits() -> Limits {
    Limits {
        lifetime: Some(TimeDelta::days(1)),
        max_age: Some(TimeDelta::days(365)),
        idle: Some(TimeDelta::hours(2)),
        warn_before: TimeDelta::minutes(15),
        extend_budget: TimeDelta::days(2),
        left_guild: Some(TimeDelta::days(7)),
        orphans: Some(TimeDelta::minutes(10)),
        unreachable: TimeDelta::minutes(10),
        linger: TimeDelta::minutes(5),
        stops_per_sweep: 5,
        largest_share: 50,
    }
}

/// Record of a running session, created at time 0.
pub fn record() -> Record {
    let text = r#"{
        "version": 8, "kind": "session", "id": "977a26", "request": "1042", "owner": "7",
        "workspace": "main",
        "display_name": "Ana", "size": "small", "catalog": "lake", "channel": "5",
        "created": "2027-01-15T08:00:00Z", "credentials": "owner",
        "credentials_expire": null, "credentials_warned": false, "restarts_told": 0, "extended_seconds": 0,
        "ready": "2027-01-15T08:00:20Z", "announcement": "99", "stage": "running"
    }"#;
    Record::read(text).expect("the record is valid")
}

pub fn observed(record: Record, pod: Option<Pod>) -> Observed {
    Observed {
        record: record.into(),
        uid: "u".into(),
        revision: "1".into(),
        service: pod.is_some(),
        route: pod.is_some(),
        pod,
    }
}

pub fn watched(record: Record, usage: Usage) -> TrackedSession {
    TrackedSession {
        seen: observed(record, Some(Pod::new(PodState::Ready))),
        usage,
        left: None,
        bot_started: at(0),
    }
}

/// Decides about one session. Returns the next stop, if there is one.
pub fn decide(
    watched: &TrackedSession,
    now: DateTime<Utc>,
    limits: &Limits,
) -> Option<ScheduledStop> {
    let due = scheduled_stop(watched, now, limits);
    let orphan = Orphan {
        id: watched.seen.record.id.clone(),
        since: watched.seen.record.created,
    };
    let left = HashMap::from([(watched.seen.record.owner, watched.seen.record.created)]);
    let all = plan(std::slice::from_ref(watched), &[orphan], &left, now, limits);
    assert!(
        due.is_some()
            || !all
                .takedowns()
                .any(|it| matches!(it, duckbot::session::Action::Stop(..)))
    );
    let (longer, _) = extension(&watched.seen.record, TimeDelta::hours(1), now, limits);
    assert!(longer >= TimeDelta::zero() && longer <= TimeDelta::hours(1));
    due
}
