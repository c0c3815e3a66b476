//! What a sweep costs: deciding about 10,000 sessions, against only looking at each once,
//! which is the floor. `cargo bench --bench reaper`
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::HashMap,
    hint::black_box,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use duckbot::session::{Limits, Observed, Pod, PodState, Record, Usage, Watched, plan};

const SESSIONS: i64 = 10_000;
const ROUNDS: usize = 201;

const LIMITS: Limits = Limits {
    lifetime: Some(TimeDelta::hours(12)),
    max_age: Some(TimeDelta::days(3)),
    idle: Some(TimeDelta::hours(3)),
    warn_before: TimeDelta::minutes(15),
    extend_budget: TimeDelta::days(2),
    left_guild: Some(TimeDelta::days(1)),
    orphans: Some(TimeDelta::minutes(5)),
    unreachable: TimeDelta::minutes(15),
    stops_per_sweep: 50,
    largest_share: 50,
};

/// Of all ages, idle for all lengths of time; every hundredth does not answer.
fn session(number: i64, now: DateTime<Utc>) -> Watched {
    let created = now - TimeDelta::minutes(number % 1000);
    let ready = created + TimeDelta::seconds(20);
    let record: Record = serde_json::from_value(serde_json::json!({
        "version": 3, "id": format!("{number:06x}"), "request": number.to_string(), "owner": "7",
        "slot": 0, "display_name": "Ana", "size": "small", "catalog": "lake", "channel": "5",
        "created": created, "ready": ready, "announcement": "9", "stage": "running",
    }))
    .unwrap();
    let idle_since = now - TimeDelta::minutes(number % 240);
    Watched {
        seen: Observed {
            record,
            uid: "u".into(),
            revision: "1".into(),
            pod: Some(Pod::new(PodState::Ready)),
            service: true,
            route: true,
        },
        usage: match number % 100 {
            0 => Usage::Unreachable(idle_since),
            1..20 => Usage::Busy,
            _ => Usage::Idle(idle_since),
        },
        left: None,
        awake: now - TimeDelta::days(2),
    }
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn main() {
    let now = Utc::now();
    let sessions: Vec<_> = (0..SESSIONS).map(|number| session(number, now)).collect();
    let nobody = HashMap::new();
    let looking = median(|| {
        let oldest = black_box(&sessions)
            .iter()
            .map(|it| it.seen.record.created)
            .min();
        black_box(oldest);
    });
    let planning = median(|| {
        black_box(plan(black_box(&sessions), &[], &nobody, now, &LIMITS));
    });
    let actions = plan(&sessions, &[], &nobody, now, &LIMITS).actions.len();
    let ratio = planning.as_secs_f64() / looking.as_secs_f64();
    println!(
        "{SESSIONS} sessions: {actions} actions planned in {planning:.2?} (looking at each: {looking:.2?}, {ratio:.0} times)"
    );
}
