//! Pure functions that run often or over all sessions. The benchmark `pure` measures their time, and `tests/effort.rs`
//! counts their instructions.

use std::{collections::HashMap, hint::black_box};

use axum::http::{Request, request::Parts};
use chrono::{DateTime, TimeDelta, Utc};
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

/// Use of a function, with all that it needs.
pub struct Work {
    pub name: &'static str,
    pub run: Box<dyn Fn()>,
}

impl Work {
    fn new<T>(name: &'static str, run: impl Fn() -> T + 'static) -> Self {
        let run = Box::new(move || {
            black_box(run());
        });
        Self { name, run }
    }
}

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

/// Returns all of them. Some are about this many sessions.
pub fn all(sessions: i64, now: DateTime<Utc>) -> Vec<Work> {
    let mut all = deciding(sessions, now);
    all.extend(entering(now));
    all.extend(building(now));
    all
}

fn deciding(sessions: i64, now: DateTime<Utc>) -> Vec<Work> {
    let sessions: std::rc::Rc<[_]> = (0..sessions).map(|number| session(number, now)).collect();
    let (floor, again) = (sessions.clone(), sessions.clone());
    let nobody = HashMap::new();
    vec![
        // Floor of the next two.
        Work::new("read one field of all sessions", move || {
            let all = black_box(&floor).iter();
            all.map(|it| it.seen.record.created).min()
        }),
        Work::new("next_step of all sessions", move || {
            for session in &*sessions {
                black_box(next_step(&session.seen, now, &POLICY));
            }
        }),
        Work::new("plan a sweep of all sessions", move || {
            plan(black_box(&again), &[], &nobody, now, &LIMITS)
        }),
    ]
}

fn entering(now: DateTime<Utc>) -> Vec<Work> {
    let query = query();
    let own = Origin::read("https://duckui-977a26.duck.example.com").unwrap();
    let key = SigningKey::read("2026-11-24-aaaaaaaa", &SigningKey::generate()).unwrap();
    let ticket = key.ticket("977a26", now);
    let public = key.public();
    vec![
        Work::new("evaluate a query", move || {
            evaluate(black_box(&query), &own, |cookie| cookie.len() == 22)
        }),
        Work::new("sign a ticket", move || key.ticket("977a26", now)),
        // Each ticket opens a door once, so it needs another door.
        Work::new("check a ticket", move || {
            let started = now - TimeDelta::hours(1);
            let mut door = TicketVerifier::new("977a26", &public, started).unwrap();
            door.redeem(&ticket, now).is_ok()
        }),
    ]
}

fn building(now: DateTime<Utc>) -> Vec<Work> {
    let settings = std::rc::Rc::new(settings());
    let (again, record) = (settings.clone(), std::rc::Rc::new(record(1, now)));
    let stored = build::record(&settings, &record, None);
    let same = record.clone();
    vec![
        Work::new("write a record", move || {
            build::record(&again, black_box(&same), Some("1"))
        }),
        Work::new("read a record", move || {
            build::read_record(black_box(&stored)).is_ok()
        }),
        Work::new("build Pod, Service and route", move || {
            let size = settings.size("small").unwrap();
            let catalog = settings.catalog("lake").unwrap();
            let key = "2026-11-24-a:AAAA";
            let pod = build::pod(&settings, &record, "u", size, &catalog, key);
            let service = build::service(&settings, &record, "u");
            (pod, service, build::route(&settings, &record, "u"))
        }),
    ]
}
