use std::sync::Arc;

use chrono::TimeDelta;

use super::*;
use crate::session::{Cause, Rule, record::tests::starting};

fn after(minutes: i64) -> DateTime<Utc> {
    starting().created + TimeDelta::minutes(minutes)
}

/// Creates a session that was requested at 12:00 and ready `ready` minutes later.
fn session(number: u32, owner: u64, ready: i64) -> Record {
    let record = starting().with_announcement(None, after(ready), 0);
    Record {
        id: format!("{number:06x}").parse().expect("a valid ID"),
        owner: owner.into(),
        ..record
    }
}

fn ending(cause: Cause, minutes: i64) -> Ending {
    Ending {
        at: after(minutes),
        cause,
    }
}

fn stopped(by: u64, minutes: i64) -> Ending {
    ending(Cause::Stopped { by: by.into() }, minutes)
}

fn used(minutes: i64, sessions: u32) -> UsageTotal {
    UsageTotal {
        seconds: minutes * 60,
        sessions,
    }
}

#[test]
fn hours_outcomes_and_starts_of_a_period() {
    let idle = Cause::Reaped {
        rule: Rule::Idle,
        since: after(20),
    };
    let ledger = Ledger::new(after(-600))
        .with_ended(&session(1, 7, 1), &stopped(7, 61), None)
        .with_ended(&session(2, 7, 3), &ending(idle, 123), None)
        .with_ended(&session(3, 8, 2), &stopped(9, 32), None)
        .with_ended(&starting(), &ending(Cause::Lost, 5), None)
        .with_ended(&session(5, 9, 1), &ending(Cause::OverQuota, 1), None);
    let running = RunningSession {
        record: Arc::new(session(4, 8, 10)),
        due: None,
        unreachable: None,
    };
    let report = ledger.report(vec![running], after(130));
    assert_eq!(report.sessions, 5);
    assert_eq!(
        report.users,
        [(7.into(), used(180, 3)), (8.into(), used(150, 2))]
    );
    assert_eq!(
        report.outcomes,
        [
            (Outcome::Stopped, 1),
            (Outcome::StoppedByAdmin, 1),
            (Outcome::Reaped(Rule::Idle), 1),
            (Outcome::Lost, 1)
        ]
    );
    let minutes = TimeDelta::minutes;
    assert_eq!(report.starts, Some([minutes(2), minutes(10)]));
}

#[test]
fn use_before_the_period_does_not_count() {
    let ledger = Ledger::new(after(60)).with_ended(&session(1, 7, 1), &stopped(7, 90), None);
    let report = ledger.report(Vec::new(), after(100));
    assert_eq!(report.users, [(7.into(), used(30, 1))]);
    assert_eq!(report.starts, None, "the start was in the previous report");
}

#[test]
fn a_session_is_counted_once_across_periods() {
    let one = session(1, 7, 1);
    let ledger = Ledger::new(after(0)).with_ended(&one, &stopped(7, 60), None);
    assert_eq!(ledger.with_ended(&one, &stopped(7, 60), None), ledger);
    let next = ledger
        .with_claim(after(61), [])
        .with_report_posted(after(61));
    assert!(
        next.with_ended(&one, &stopped(7, 60), None)
            .report(Vec::new(), after(62))
            .is_quiet()
    );
}

#[test]
fn a_session_that_is_entered_before_its_record_is_removed_is_counted_once() {
    let one = session(1, 7, 1);
    let one = one.with_ending(Cause::Stopped { by: 7.into() }, after(60));
    let ledger = Ledger::new(after(0)).with_ended(&one, &stopped(7, 60), None);
    let there = || {
        vec![RunningSession {
            record: Arc::new(one.clone()),
            due: None,
            unreachable: None,
        }]
    };
    let now = ledger.report(there(), after(61));
    let claimed = ledger.with_claim(after(61), [&one]);
    let pending = claimed.pending_report(there()).expect("a pending report");
    for report in [now, pending] {
        assert_eq!((report.sessions, report.there), (1, 0));
        assert_eq!(report.users, [(7.into(), used(59, 1))]);
    }
}

#[test]
fn nothing_is_lost_between_two_reports_if_one_is_posted_late() {
    let (one, other) = (session(1, 7, 0), session(2, 8, 0));
    let ending_now = other.with_ending(Cause::Stopped { by: 8.into() }, after(50));
    let ledger = Ledger::new(after(0)).with_claim(after(60), [&one, &ending_now]);
    // The report could not be posted, and is tried again after both sessions have ended.
    let ledger = ledger
        .with_ended(&other, &stopped(8, 50), None)
        .with_ended(&one, &stopped(7, 90), None)
        .with_claim(after(100), []);
    assert_eq!(ledger.claimed_since(), Some(after(100)));
    let first = ledger.pending_report(Vec::new()).expect("a pending report");
    assert_eq!((first.since, first.until), (after(0), after(60)));
    assert_eq!((first.sessions, first.there), (2, 2));
    assert_eq!(
        first.users,
        [(7.into(), used(60, 1)), (8.into(), used(50, 1))]
    );

    let posted = ledger.with_report_posted(after(60));
    assert_eq!(
        (posted.claimed_since(), posted.pending_report(Vec::new())),
        (None, None)
    );
    let second = posted.report(Vec::new(), after(120));
    assert_eq!(second.outcomes, [(Outcome::Stopped, 2)]);
    assert_eq!(
        second.users,
        [(7.into(), used(30, 1)), (8.into(), used(0, 1))]
    );
}

#[test]
fn a_departure_keeps_its_first_time_and_ends_with_a_return() {
    let ledger = Ledger::new(after(0)).with_owners([7.into(), 8.into()]);
    let ledger = ledger
        .with_members(&[(7.into(), false), (9.into(), false)], after(1))
        .with_members(&[(7.into(), false)], after(9));
    assert_eq!(
        ledger.departed().collect::<Vec<_>>(),
        [(7.into(), after(1))]
    );
    assert_eq!(
        ledger.with_owners([7.into()]),
        ledger,
        "adding an owner again does not undo their departure"
    );
    let back = ledger.with_members(&[(7.into(), true)], after(10));
    assert_eq!(back.departed().count(), 0);
    let known: Vec<_> = back.without_owner(7.into()).owners().collect();
    assert_eq!(known, [8.into()]);
}

#[test]
fn the_document_stays_small() {
    let mut ledger = Ledger::new(after(0));
    for number in 0..7_000 {
        let one = session(number, u64::from(number) + 1, 1);
        ledger = match number % 6 {
            0 => {
                let minutes = i64::from(number) * 10;
                let end = Some(after(minutes + 9000));
                ledger.with_ended(&one, &reaped(Rule::Idle, minutes), end)
            }
            _ => ledger.with_owners([one.owner]),
        };
    }
    let text = ledger.write();
    assert!(text.len() < 300_000, "{}", text.len());
    assert_eq!(Ledger::read(&text), Ok(ledger));
}

#[test]
fn a_ledger_with_a_time_out_of_range_is_not_read() {
    let ledger = Ledger::new(after(0)).with_ended(&session(1, 7, 1), &stopped(7, 60), None);
    let text = ledger
        .with_owners([8.into()])
        .with_claim(after(61), [])
        .write();
    assert!(Ledger::read(&text).is_ok());
    for (from, to) in [
        ("\"2026-11-23T12:00:00Z\"", "\"+262142-11-23T12:00:00Z\""),
        ("\"2026-11-23T13:01:00Z\"", "\"-262143-01-01T00:00:00Z\""),
        ("\"8\":null", "\"8\":\"+10000-01-01T00:00:00Z\""),
        ("\"seconds\":3540", "\"seconds\":9223372036854775807"),
        ("\"seconds\":3540", "\"seconds\":-1"),
    ] {
        let strange = text.replace(from, to);
        assert_ne!(strange, text, "{from}");
        let read = Ledger::read(&strange);
        assert_eq!(
            read,
            Err("it contains a time that is out of range".to_owned()),
            "{to}"
        );
    }
}

#[test]
fn counts_saturate() {
    let ledger = Ledger::new(after(0)).with_ended(&session(1, 7, 1), &stopped(7, 60), None);
    let text = ledger.write();
    let full = text.replace(
        "{\"how\":\"stopped\"},1]",
        "{\"how\":\"stopped\"},4294967295]",
    );
    let full = full.replace("\"sessions\":1", "\"sessions\":4294967295");
    assert_ne!(full, text);
    let full = Ledger::read(&full).expect("a valid ledger");
    let more = full.with_ended(&session(2, 7, 1), &stopped(7, 60), None);
    let report = more.report(Vec::new(), after(60));
    assert_eq!(report.outcomes, [(Outcome::Stopped, u32::MAX)]);
    assert_eq!(report.users, [(7.into(), used(118, u32::MAX))]);
}

#[test]
fn a_ledger_with_a_newer_version_is_not_read() {
    let text = Ledger::new(after(0)).write();
    let later = text.replace("\"version\":1", "\"version\":2");
    assert!(Ledger::read(&later).is_err());
}

fn reaped(rule: Rule, minutes: i64) -> Ending {
    let since = after(0);
    ending(Cause::Reaped { rule, since }, minutes)
}

fn detail(report: Report) -> ReportDetail {
    report.detail.expect("a detail")
}

/// Returns the minutes of use of each size, from one part to the next.
fn minutes(detail: &ReportDetail) -> Vec<Vec<i64>> {
    let parts = detail.load.iter();
    parts
        .map(|part| part.seconds.iter().map(|it| it / 60).collect())
        .collect()
}

#[test]
fn use_over_time_is_that_of_the_people() {
    let large = Record {
        size: "large".into(),
        ..session(1, 7, 0)
    };
    let ledger = Ledger::new(after(30))
        .with_ended(&large, &stopped(7, 32), None)
        .with_ended(&session(2, 8, 33), &stopped(8, 34), None);
    let running = RunningSession {
        record: Arc::new(session(3, 8, 31)),
        due: None,
        unreachable: None,
    };
    let report = ledger.report(vec![running], after(35));
    assert_eq!(report.total(), used(7, 3));
    assert_eq!(
        report.users,
        [(8.into(), used(5, 2)), (7.into(), used(2, 1))]
    );
    let detail = detail(report);
    assert_eq!(
        detail.sizes,
        [("small".into(), used(5, 2)), ("large".into(), used(2, 1))]
    );
    assert_eq!(minutes(&detail), [[0, 1], [1, 1], [1, 0], [2, 0], [1, 0]]);
    let ends: Vec<_> = detail.load.iter().map(|it| (it.from, it.until)).collect();
    assert_eq!(ends[0], (after(30), after(31)));
    assert_eq!(ends[4], (after(34), after(35)));
    assert_eq!(detail.load[3].average(120), 2.0);
    assert_eq!(detail.names[&7.into()], "Ana");
}

#[test]
fn longer_periods_have_longer_parts() {
    let (hour, day) = (60, 24 * 60);
    for (length, width) in [
        (3 * hour, 1),
        (12 * hour, 5),
        (day, 15),
        (7 * day, hour),
        (30 * day, 4 * hour),
        (90 * day, day),
        (365 * day, 2 * day),
        (3650 * day, 32 * day),
    ] {
        let one = session(1, 7, 30);
        let ledger = Ledger::new(after(0)).with_ended(&one, &stopped(7, 90), None);
        let late = session(2, 8, length - 60);
        let ledger = ledger.with_ended(&late, &stopped(8, length), None);
        let report = ledger.report(Vec::new(), after(length));
        assert_eq!(report.total(), used(120, 2));
        let parts = detail(report).load;
        assert!(parts.len() <= 201, "{}", parts.len());
        assert_eq!(parts[1].until - parts[1].from, TimeDelta::minutes(width));
        assert!(parts.windows(2).all(|it| it[0].until == it[1].from));
        assert_eq!(parts[0].from, after(0));
        assert_eq!(parts[parts.len() - 1].until, after(length));
        let sum: i64 = parts.iter().map(|it| it.seconds[0]).sum();
        assert_eq!(sum, 7200, "{length}");
    }
}

#[test]
fn the_reaper_saves_the_time_until_the_session_would_have_ended() {
    let end = Some(after(720));
    let saved = |ledger: &Ledger, now: i64| detail(ledger.report(Vec::new(), after(now))).saved;
    let one = session(1, 7, 1);
    let idle = Ledger::new(after(0)).with_ended(&one, &reaped(Rule::Idle, 200), end);
    assert_eq!(saved(&idle, 260), 60 * 60, "until now");
    assert_eq!(
        saved(&idle, 5000),
        520 * 60,
        "until the end of its lifetime"
    );
    // The owner came back.
    let next = Record {
        created: after(300),
        ..session(2, 7, 301)
    };
    let back = idle.with_ended(&next, &stopped(7, 310), None);
    assert_eq!(saved(&back, 5000), 100 * 60);
    let running = RunningSession {
        record: Arc::new(next.clone()),
        due: None,
        unreachable: None,
    };
    let report = idle.report(vec![running], after(5000));
    assert_eq!(detail(report).saved, 100 * 60, "a session that runs");
    let by_another = idle.with_ended(&session(2, 8, 301), &stopped(8, 310), None);
    assert_eq!(saved(&by_another, 5000), 520 * 60);
    for (rule, at, end, seconds) in [
        (Rule::OwnerLeft, 700, end, 20 * 60),
        (Rule::Lifetime, 720, end, 0),
        (Rule::MaxAge, 725, end, 0),
        (Rule::Idle, 200, None, 4800 * 60),
    ] {
        let ledger = Ledger::new(after(0)).with_ended(&one, &reaped(rule, at), end);
        assert_eq!(saved(&ledger, 5000), seconds, "{rule:?}");
    }
    let by_owner = Ledger::new(after(0)).with_ended(&one, &stopped(7, 200), end);
    assert_eq!(saved(&by_owner, 5000), 0);
}

#[test]
fn saved_time_belongs_to_the_period_in_which_it_passes() {
    let limited = reaped(Rule::Idle, 200);
    let ledger = Ledger::new(after(0))
        .with_ended(&session(1, 7, 1), &limited, Some(after(720)))
        .with_ended(&session(2, 8, 1), &limited, None)
        .with_claim(after(500), []);
    let first = ledger.pending_report(Vec::new()).expect("a pending report");
    assert_eq!(detail(first).saved, 2 * 300 * 60);
    let second = detail(ledger.report(Vec::new(), after(1000)));
    assert_eq!(
        (second.saved, second.saved_before),
        (220 * 60, Some(600 * 60)),
        "no limit would have ended the other session"
    );
    let early = detail(ledger.report(Vec::new(), after(900)));
    assert_eq!(early.saved_before, None, "the period is not over");
    let third = ledger
        .with_report_posted(after(500))
        .with_claim(after(1010), []);
    let third = third.pending_report(Vec::new()).expect("a pending report");
    assert_eq!(detail(third).saved_before, Some(600 * 60));
}

#[test]
fn a_great_many_stops_count_only_until_the_next_one() {
    let mut ledger = Ledger::new(after(0));
    for number in 0..502 {
        let minutes = 100 + i64::from(number);
        let one = session(number, u64::from(number) + 1, 1);
        ledger = ledger.with_ended(&one, &reaped(Rule::Idle, minutes), Some(after(5000)));
    }
    let saved = detail(ledger.report(Vec::new(), after(601))).saved;
    let shown: i64 = (102..602).map(|it| 601 - it).sum();
    assert_eq!(saved, (shown + 500 + 500) * 60);
}

#[test]
fn a_period_that_an_older_bot_began_has_no_detail() {
    // As version 0.1.0 of the first months wrote it.
    let old = r#"{"version":1,"since":"2026-11-23T12:00:00Z","outcomes":[[{"how":"stopped"},1]],
        "users":{"7":{"seconds":3540,"sessions":1}},"others":{"seconds":0,"sessions":0},
        "starts_ms":[60000],"pending":{"since":"2026-11-22T12:00:00Z","outcomes":[],"users":{},
        "others":{"seconds":0,"sessions":0},"starts_ms":[],"until":"2026-11-23T12:00:00Z","there":0,
        "claimed":"2026-11-23T12:00:00Z"},"counted":["000001"],"known":{"7":null}}"#;
    let ledger = Ledger::read(old).expect("a ledger of an older bot");
    let ledger = ledger.with_ended(&session(2, 8, 1), &stopped(8, 60), None);
    assert_eq!(Ledger::read(&ledger.write()), Ok(ledger.clone()));
    let report = ledger.report(Vec::new(), after(60));
    assert_eq!((report.sessions, &report.detail), (2, &None));
    let pending = ledger.pending_report(Vec::new()).expect("a pending report");
    assert_eq!(pending.detail, None);
    let next = ledger
        .with_report_posted(after(0))
        .with_claim(after(70), [])
        .with_ended(&session(3, 8, 71), &stopped(8, 80), None);
    let detail = detail(next.report(Vec::new(), after(90)));
    assert_eq!(detail.sizes, [("small".into(), used(9, 1))]);
    assert_eq!(detail.saved_before, None);
}
