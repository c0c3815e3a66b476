//! Benchmarks of pure functions that run often or over all sessions, with criterion.
//! `cargo bench --bench pure`
#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, hint::black_box};

use axum::http::{Request, request::Parts};
use chart::{Choice, Frame};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion};
use duckbot::{
    door::{
        policy::{Origin, evaluate},
        ticket::{SigningKey, TicketVerifier},
    },
    runtime::kubernetes::build,
    session::{
        Limits, Observed, Pod, PodState, Policy, RECORD_VERSION, Record, TrackedSession, Usage,
        next_step, plan,
    },
    settings::Settings,
};

const SESSIONS: i64 = 10_000;

const LIMITS: Limits = Limits {
    lifetime: Some(TimeDelta::hours(12)),
    max_age: Some(TimeDelta::days(3)),
    idle: Some(TimeDelta::hours(3)),
    warn_before: TimeDelta::minutes(15),
    extend_budget: TimeDelta::days(2),
    left_guild: Some(TimeDelta::days(1)),
    orphans: Some(TimeDelta::minutes(5)),
    unreachable: TimeDelta::minutes(15),
    linger: TimeDelta::minutes(5),
    stops_per_sweep: 50,
    largest_share: 50,
};

const POLICY: Policy = Policy {
    start_timeout: TimeDelta::minutes(5),
    credential_warning: TimeDelta::minutes(30),
    stop_failed: true,
    stop_late: true,
};

fn record(number: i64, created: DateTime<Utc>) -> Record {
    serde_json::from_value(serde_json::json!({
        "version": RECORD_VERSION, "kind": "session", "id": format!("{number:06x}"), "request": number.to_string(), "owner": "7",
        "workspace": "main", "display_name": "Ana", "size": "small", "catalog": "lake", "channel": "5",
        "created": created, "credentials": "owner", "credentials_warned": false,
        "ready": created + TimeDelta::seconds(20), "restarts_told": 0, "extended_seconds": 0,
        "announcement": "9", "stage": "running",
    }))
    .unwrap()
}

/// A session whose age and idle time depend on `number`. In one of 100 the door does not answer,
/// and 19 of 100 are busy.
fn session(number: i64, now: DateTime<Utc>) -> TrackedSession {
    let idle_since = now - TimeDelta::minutes(number % 240);
    TrackedSession {
        seen: Observed {
            record: record(number, now - TimeDelta::minutes(number % 1000)).into(),
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
        bot_started: now - TimeDelta::days(2),
    }
}

fn settings() -> Settings {
    let pairs = [
        ("DUCKBOT_DISCORD__GUILD", "1"),
        ("DUCKBOT_DISCORD_TOKEN", "t"),
        ("DUCKBOT_ROUTING__DOMAIN", "duck.example.com"),
        ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
        ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", "http://catalog:8181"),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Settings::load(None, pairs.into()).unwrap()
}

/// Request for a query, as DuckDB's own page sends it.
fn query() -> Parts {
    let request = Request::post("/ddb/run")
        .header("host", "duckui-977a26.duck.example.com")
        .header("origin", "https://duckui-977a26.duck.example.com")
        .header("sec-fetch-site", "same-origin")
        .header(
            "cookie",
            "theme=dark; __Host-duckbot=abcdefghijklmnopqrstuv",
        )
        .header("content-length", "9");
    request.body(()).unwrap().into_parts().0
}

fn deciding(bench: &mut Criterion, now: DateTime<Utc>) {
    let sessions: Vec<_> = (0..SESSIONS).map(|number| session(number, now)).collect();
    let nobody = HashMap::new();
    // Floor of the next two.
    bench.bench_function("read one field of 10,000 sessions", |it| {
        it.iter(|| {
            black_box(&sessions)
                .iter()
                .map(|it| it.seen.record.created)
                .min()
        });
    });
    bench.bench_function("next_step of 10,000 sessions", |it| {
        it.iter(|| {
            for session in &sessions {
                black_box(next_step(&session.seen, now, &POLICY));
            }
        });
    });
    bench.bench_function("plan a sweep of 10,000 sessions", |it| {
        it.iter(|| plan(black_box(&sessions), &[], &nobody, now, &LIMITS));
    });
}

fn entering(bench: &mut Criterion, now: DateTime<Utc>) {
    let (query, own) = (
        query(),
        Origin::read("https://duckui-977a26.duck.example.com").unwrap(),
    );
    bench.bench_function("evaluate a query", |it| {
        it.iter(|| evaluate(black_box(&query), &own, |cookie| cookie.len() == 22));
    });
    let key = SigningKey::read("2026-11-24-aaaaaaaa", &SigningKey::generate()).unwrap();
    bench.bench_function("sign a ticket", |it| it.iter(|| key.ticket("977a26", now)));
    let ticket = key.ticket("977a26", now);
    let tickets =
        || TicketVerifier::new("977a26", &key.public(), now - TimeDelta::hours(1)).unwrap();
    bench.bench_function("check a ticket", |it| {
        it.iter_batched_ref(tickets, |it| it.redeem(&ticket, now), BatchSize::SmallInput);
    });
}

fn building(bench: &mut Criterion, now: DateTime<Utc>) {
    let (settings, record) = (settings(), record(1, now));
    let size = settings.size("small").unwrap();
    let catalog = settings.catalog("lake").unwrap();
    let stored = build::record(&settings, &record, None);
    bench.bench_function("write a record", |it| {
        it.iter(|| build::record(&settings, black_box(&record), Some("1")));
    });
    bench.bench_function("read a record", |it| {
        it.iter(|| build::read_record(black_box(&stored)))
    });
    bench.bench_function("build Pod, Service and route", |it| {
        it.iter(|| {
            let pod = build::pod(&settings, &record, "u", size, &catalog, "2026-11-24-a:AAAA");
            let service = build::service(&settings, &record, "u");
            (pod, service, build::route(&settings, &record, "u"))
        });
    });
}

/// Draws as many points as are drawn as they are. The floor is a picture of the same size with one number.
fn drawing(bench: &mut Criterion) {
    let value = |at: u32| Some((f64::from(at * 7919 % 1000) / 10.0).to_string());
    let points: Vec<_> = (0..5000).map(|at| vec![value(at), value(at + 1)]).collect();
    let columns = [("x", "DOUBLE"), ("y", "DOUBLE")];
    for (what, rows, choice) in [
        ("a number as PNG (the floor)", &points[..1], "number.-.0.-"),
        ("a line of 5,000 points as PNG", &points[..], "line.-.0.-"),
        (
            "a scatter chart of 5,000 points as PNG",
            &points[..],
            "scatter.0.1.-",
        ),
    ] {
        let frame = Frame::new(columns, rows);
        let choice: Choice = choice.parse().unwrap();
        bench.bench_function(what, |it| {
            it.iter(|| chart::png(&frame.draw(&choice).unwrap().svg));
        });
    }
}

fn main() {
    let mut bench = Criterion::default().configure_from_args();
    let now = Utc::now();
    deciding(&mut bench, now);
    entering(&mut bench, now);
    building(&mut bench, now);
    drawing(&mut bench);
    bench.final_summary();
}
