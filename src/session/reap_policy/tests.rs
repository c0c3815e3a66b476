//! Tests of the rules: tables of cases, and invariants for random histories.

use proptest::prelude::*;

use super::*;
use crate::session::{
    Cause, Pod, PodState, Record,
    record::tests::{starting, starting_runner},
};

const LIMITS: Limits = Limits {
    lifetime: Some(TimeDelta::hours(8)),
    max_age: Some(TimeDelta::hours(24)),
    idle: Some(TimeDelta::hours(2)),
    warn_before: TimeDelta::minutes(15),
    extend_budget: TimeDelta::hours(12),
    left_guild: Some(TimeDelta::hours(24)),
    orphans: Some(TimeDelta::minutes(2)),
    unreachable: TimeDelta::minutes(15),
    linger: TimeDelta::minutes(5),
    stops_per_sweep: 50,
    largest_share: 50,
};

const NOTHING: Limits = Limits {
    lifetime: None,
    max_age: None,
    idle: None,
    left_guild: None,
    orphans: None,
    ..LIMITS
};

fn after(minutes: i64) -> DateTime<Utc> {
    starting().created + TimeDelta::minutes(minutes)
}

fn hours(hours: i64) -> i64 {
    hours * 60
}

/// Creates a session that was ready after one minute.
fn running(usage: Usage) -> TrackedSession {
    let record = starting().with_announcement(None, after(1), 0);
    let seen = Observed {
        record: Arc::new(record),
        uid: "u".into(),
        revision: "1".into(),
        pod: Some(Pod::new(PodState::Ready)),
        service: true,
        route: true,
    };
    TrackedSession {
        seen,
        usage,
        left: None,
        bot_started: after(-hours(48)),
    }
}

fn with(watched: TrackedSession, change: impl FnOnce(&Record) -> Record) -> TrackedSession {
    watched.with_record(&change(&watched.seen.record))
}

fn warned(watched: TrackedSession, rule: Rule, minutes: i64) -> TrackedSession {
    let (since, at) = (after(0), after(minutes));
    with(watched, |record| {
        record.with_warning(Warning { rule, since, at })
    })
}

/// Returns the actions of a plan for this session alone, as text.
fn does(watched: &TrackedSession, minutes: i64, limits: &Limits) -> String {
    let Plan { actions, held_back } = plan(
        std::slice::from_ref(watched),
        &[],
        &HashMap::new(),
        after(minutes),
        limits,
    );
    assert_eq!(held_back, None);
    let at = |at: DateTime<Utc>| (at - after(0)).num_minutes();
    let words = actions.iter().map(|action| match action {
        Action::Warn(_, warning) => format!("warn {:?} {}", warning.rule, at(warning.at)),
        Action::Stop(_, due) => format!("stop {:?}", due.rule),
        Action::ReportUnreachable(_, since) => format!("report {}", at(*since)),
        other => format!("{other:?}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Creates a query runner that was ready after one minute.
fn runner(usage: Usage) -> TrackedSession {
    let record = starting_runner().with_announcement(None, after(1), 0);
    running(usage).with_record(&record)
}

#[test]
fn a_query_runner_ends_when_no_query_used_it_for_a_while() {
    let ends = |watched: &TrackedSession, minutes| does(watched, minutes, &LIMITS);
    let end = "EndRunner(SessionId(\"977a26\"))";
    let idle = runner(Usage::Idle(after(10)));
    assert_eq!(ends(&idle, 14), "");
    assert_eq!(ends(&idle, 15), end);
    assert_eq!(
        ends(&runner(Usage::Idle(after(-60))), 5),
        "",
        "it was not ready before"
    );
    assert_eq!(ends(&runner(Usage::Busy), hours(48)), "");
    assert_eq!(
        ends(&runner(Usage::Idle(after(hours(24) - 1))), hours(24)),
        end
    );
    let starting = running(Usage::Idle(after(1))).with_record(&starting_runner());
    assert_eq!(ends(&starting, 60), "");
    assert_eq!(ends(&starting, hours(24)), end);
    let replaced = with(idle, Record::with_replaced_credentials);
    assert_eq!(ends(&replaced, 11), end, "it takes no further query");
}

#[test]
fn ends_of_query_runners_are_no_reason_to_pause_and_nothing_to_confirm() {
    let idle = vec![runner(Usage::Idle(after(1))); 20];
    let plan = plan(&idle, &[], &HashMap::new(), after(30), &LIMITS);
    assert_eq!(plan.held_back, None);
    assert_eq!(plan.takedowns().count(), 0);
    assert_eq!(plan.sweep(&LIMITS).count(), 20);
}

#[test]
fn each_rule_just_before_at_and_just_after() {
    let idle = || running(Usage::Idle(after(10)));
    let busy = || running(Usage::Busy);
    let old = |limits: Limits| Limits {
        lifetime: None,
        ..limits
    };
    let left = |minutes| TrackedSession {
        left: Some(after(minutes)),
        ..busy()
    };
    for (name, watched, limits, cases) in [
        (
            "idle: warned first",
            idle(),
            LIMITS,
            vec![(114, ""), (115, "warn Idle 130"), (116, "warn Idle 131")],
        ),
        (
            "idle and warned: stopped at the time of the warning",
            warned(idle(), Rule::Idle, 130),
            LIMITS,
            vec![(129, ""), (130, "stop Idle"), (131, "stop Idle")],
        ),
        (
            "idle and warned late: stopped at the later time",
            warned(idle(), Rule::Idle, 300),
            LIMITS,
            vec![(299, ""), (300, "stop Idle")],
        ),
        (
            "idle since before it was ready",
            running(Usage::Idle(after(-90))),
            LIMITS,
            vec![(105, ""), (106, "warn Idle 121")],
        ),
        (
            "idle again after a warning and a query: warned again",
            warned(idle(), Rule::Idle, 60),
            LIMITS,
            vec![(114, ""), (115, "warn Idle 130")],
        ),
        (
            "lifetime",
            busy(),
            LIMITS,
            vec![
                (hours(8) - 16, ""),
                (hours(8) - 15, "warn Lifetime 480"),
                (hours(8), "warn Lifetime 495"),
            ],
        ),
        (
            "lifetime, warned",
            warned(busy(), Rule::Lifetime, 480),
            LIMITS,
            vec![(479, ""), (480, "stop Lifetime")],
        ),
        (
            "the maximum age is not put off by a late warning",
            busy(),
            old(LIMITS),
            vec![
                (hours(24) - 16, ""),
                (hours(24) - 15, "warn MaxAge 1440"),
                (hours(24), "stop MaxAge"),
                (hours(24) + 1, "stop MaxAge"),
            ],
        ),
        (
            "owner left, and nothing else is due",
            left(100),
            Limits {
                left_guild: LIMITS.left_guild,
                ..NOTHING
            },
            vec![
                (100 + hours(24) - 1, ""),
                (100 + hours(24), "stop OwnerLeft"),
            ],
        ),
        (
            "a door that does not answer is reported and never counts as idle",
            running(Usage::Unreachable(after(10))),
            LIMITS,
            vec![(24, ""), (25, "report 10"), (200, "report 10")],
        ),
        (
            "door not queried yet",
            running(Usage::Unknown),
            LIMITS,
            vec![(200, "")],
        ),
    ] {
        for (minutes, expected) in cases {
            assert_eq!(
                does(&watched, minutes, &limits),
                expected,
                "{name} at {minutes}"
            );
        }
    }
}

#[test]
fn a_rule_that_is_off_stops_nothing() {
    for usage in [
        Usage::Busy,
        Usage::Idle(after(1)),
        Usage::Unknown,
        Usage::Unreachable(after(1_000_000)),
    ] {
        let watched = TrackedSession {
            left: Some(after(1)),
            ..running(usage)
        };
        assert_eq!(does(&watched, 1_000_000, &NOTHING), "");
        assert_eq!(scheduled_stop(&watched, after(1_000_000), &NOTHING), None);
    }
}

#[test]
fn combinations_that_matter() {
    let old = hours(24);
    let starting = with(running(Usage::Unknown), |_| starting());
    let ending = with(running(Usage::Busy), |record| {
        record.with_ending(Cause::Lost, after(1))
    });
    let extended = with(running(Usage::Idle(after(10))), |record| {
        record.with_extension(TimeDelta::hours(5), after(100))
    });
    for (name, watched, minutes, expected) in [
        (
            "in use and too old",
            running(Usage::Busy),
            old,
            "stop MaxAge",
        ),
        ("pending and too old", starting, old, "stop MaxAge"),
        ("ending and too old", ending, old, ""),
        (
            "unreachable and too old",
            running(Usage::Unreachable(after(old - 1))),
            old,
            "stop MaxAge",
        ),
        (
            "unreachable, and idle before that",
            warned(running(Usage::Unreachable(after(129))), Rule::Idle, 130),
            130,
            "",
        ),
        (
            "warned as idle, but in use just before the stop",
            warned(running(Usage::Busy), Rule::Idle, 130),
            130,
            "",
        ),
        ("idle and extended", extended.clone(), 384, ""),
        (
            "extended, and idle until the end of the extension",
            extended,
            385,
            "warn Idle 400",
        ),
    ] {
        assert_eq!(does(&watched, minutes, &LIMITS), expected, "{name}");
    }
}

#[test]
fn an_extension_moves_the_lifetime_within_the_budget_and_the_maximum_age() {
    let busy = running(Usage::Busy);
    let more = |watched: &TrackedSession, wanted, minutes| {
        let record = &watched.seen.record;
        let (by, limit) = extension(record, TimeDelta::hours(wanted), after(minutes), &LIMITS);
        (by.num_hours(), limit)
    };
    let budget = ExtensionLimit::Budget(TimeDelta::hours(12));
    let age = ExtensionLimit::MaxAge(TimeDelta::hours(24));
    assert_eq!(more(&busy, 2, 60), (2, budget));
    assert_eq!(more(&busy, 20, 60), (12, budget));
    assert_eq!(more(&busy, 12, hours(23)), (1, age));
    assert_eq!(more(&busy, 12, hours(24)), (0, age));
    assert_eq!(more(&busy, 12, hours(25)), (0, age));
    let extended = with(busy, |record| {
        record.with_extension(TimeDelta::hours(12), after(60))
    });
    assert_eq!(more(&extended, 1, 61), (0, budget), "the budget is used up");
    let stops = scheduled_stop(&extended, after(61), &LIMITS).expect("a scheduled stop");
    assert_eq!((stops.at, stops.rule), (after(hours(20)), Rule::Lifetime));
}

fn many(count: usize, idle: usize) -> Vec<TrackedSession> {
    let one = |number: usize| {
        let usage = if number < idle {
            Usage::Idle(after(0))
        } else {
            Usage::Busy
        };
        let watched = warned(running(usage), Rule::Idle, 121);
        with(watched, |record| Record {
            id: format!("{number:06x}").parse().expect("a valid ID"),
            ..record.clone()
        })
    };
    (0..count).map(one).collect()
}

#[test]
fn reaping_pauses_if_too_many_sessions_are_due() {
    let sweep = |sessions: &[TrackedSession]| {
        let nobody = HashMap::new();
        plan(sessions, &[], &nobody, after(130), &LIMITS).held_back
    };
    assert_eq!(
        sweep(&many(9, 9)),
        None,
        "a few sessions may all be stopped"
    );
    assert_eq!(sweep(&many(10, 5)), None);
    assert_eq!(sweep(&many(10, 6)), Some(ReapPause { stops: 6, of: 10 }));
}

#[test]
fn a_sweep_stops_a_limited_number_and_the_maximum_age_comes_first() {
    let limits = Limits {
        stops_per_sweep: 3,
        ..LIMITS
    };
    let mut sessions = many(20, 5);
    sessions[9] = with(sessions[9].clone(), |record| Record {
        created: after(-hours(24)),
        ..record.clone()
    });
    let all = plan(&sessions, &[], &HashMap::new(), after(130), &limits);
    assert_eq!(all.takedowns().count(), 6, "an admin sees all of them");
    let rules = all.sweep(&limits).map(|action| match action {
        Action::Stop(_, due) => due.rule,
        other => panic!("{other:?}"),
    });
    assert_eq!(
        rules.collect::<Vec<_>>(),
        [Rule::MaxAge, Rule::Idle, Rule::Idle]
    );
}

#[test]
fn a_reap_pause_stops_and_removes_nothing_but_owners_are_still_warned() {
    let mut sessions = many(10, 6);
    sessions.push(running(Usage::Idle(after(20))));
    let orphan = Orphan {
        id: starting().id,
        since: after(0),
    };
    let left = HashMap::from([(OwnerId::from(99), after(-hours(48)))]);
    let all = plan(&sessions, &[orphan], &left, after(130), &LIMITS);
    assert!(all.held_back.is_some());
    assert_eq!(all.takedowns().count(), 8);
    let sweep: Vec<_> = all.sweep(&LIMITS).collect();
    assert!(matches!(sweep[..], [Action::Warn(..)]), "{sweep:?}");
}

#[test]
fn plans_with_different_stops_have_different_digests() {
    let digest = |idle, minutes| {
        let nobody = HashMap::new();
        plan(&many(10, idle), &[], &nobody, after(minutes), &LIMITS).digest()
    };
    assert_eq!(digest(3, 130), digest(3, 131));
    assert_ne!(digest(3, 130), digest(4, 130));
}

#[test]
fn orphans_are_removed_only_after_their_minimum_age() {
    let orphan = Orphan {
        id: starting().id,
        since: after(0),
    };
    let sweep = |minutes, limits| {
        let orphans = std::slice::from_ref(&orphan);
        plan(&[], orphans, &HashMap::new(), after(minutes), limits).actions
    };
    assert_eq!(sweep(1, &LIMITS), []);
    assert_eq!(sweep(2, &LIMITS), [Action::Remove(orphan.clone())]);
    assert_eq!(sweep(2, &NOTHING), []);
}

#[test]
fn credentials_of_departed_owners_are_deleted_after_the_grace_period() {
    let left = HashMap::from([(OwnerId::from(7), after(0))]);
    let sweep = |minutes, limits| plan(&[], &[], &left, after(minutes), limits).actions;
    assert_eq!(sweep(hours(24) - 1, &LIMITS), []);
    assert_eq!(
        sweep(hours(24), &LIMITS),
        [Action::Forget(7.into(), after(0))]
    );
    assert_eq!(sweep(hours(24), &NOTHING), []);
    // Sessions go first, because without the entry their owner would not count as departed.
    let theirs = [running(Usage::Busy)];
    let with_session = plan(&theirs, &[], &left, after(hours(23)), &LIMITS);
    assert_eq!(with_session.takedowns().count(), 0);
}

#[test]
fn after_a_restart_of_the_bot_the_warning_time_begins_again() {
    let mut watched = warned(running(Usage::Idle(after(0))), Rule::Idle, 121);
    watched.bot_started = after(200);
    assert_eq!(does(&watched, 200, &LIMITS), "");
    let warn_before = LIMITS.warn_before.num_minutes();
    assert_eq!(does(&watched, 200 + warn_before - 1, &LIMITS), "");
    assert_eq!(does(&watched, 200 + warn_before, &LIMITS), "stop Idle");
}

/// An event between two sweeps.
#[derive(Debug, Clone)]
enum Event {
    QueryBegins,
    QueryEnds,
    DoorFalls,
    DoorRises,
    Extend(i64),
    /// The bot is killed after an action, before it has recorded the action.
    CrashWhileActing,
    BotDown(i64),
    /// Step of the clock in minutes, forward or backward.
    ClockStep(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::QueryBegins),
        3 => Just(Event::QueryEnds),
        1 => Just(Event::DoorFalls),
        2 => Just(Event::DoorRises),
        1 => (1..600i64).prop_map(Event::Extend),
        1 => Just(Event::CrashWhileActing),
        1 => (1..300i64).prop_map(Event::BotDown),
        1 => (-90..90i64).prop_map(Event::ClockStep),
    ]
}

proptest! {
    #[test]
    fn no_history_stops_a_busy_session_as_idle_or_exceeds_the_maximum_age(
        history in proptest::collection::vec((0..120i64, event()), 1..80),
    ) {
        let mut watched = running(Usage::Unknown);
        let (mut minute, mut query, mut last_query, mut door) = (1, false, 1, true);
        let mut loses_notes = false;
        'life: for (pause, event) in history {
            let until = minute + pause;
            let mut is_first = true;
            while minute <= until {
                watched.usage = match (door, query) {
                    (false, _) => Usage::Unreachable(after(minute)),
                    (true, true) => Usage::Busy,
                    (true, false) => Usage::Idle(after(last_query)),
                };
                let age = after(minute) - watched.seen.record.created;
                let sweep = plan(
                    std::slice::from_ref(&watched), &[], &HashMap::new(), after(minute), &LIMITS,
                );
                for action in sweep.actions {
                    match action {
                        Action::Warn(_, warning) => {
                            prop_assert!(warning.at >= after(minute));
                            if !std::mem::take(&mut loses_notes) {
                                watched = with(watched, |record| record.with_warning(warning));
                            }
                        }
                        Action::Stop(_, due) => {
                            prop_assert!(due.rule != Rule::Idle || !query, "a running query was stopped");
                            prop_assert!(due.rule != Rule::Idle || door, "stopped as idle without an answer of the door");
                            if due.rule.is_soft() {
                                let bot_started = after(minute) - watched.bot_started;
                                prop_assert!(bot_started >= LIMITS.warn_before, "stopped before the owner could react");
                                prop_assert!(watched.seen.record.warned.is_some(), "stopped without a warning");
                            }
                            break 'life;
                        }
                        _ => {}
                    }
                }
                // Only the first sweep after a pause of the bot or a step of the clock may find the
                // session older than the maximum age.
                prop_assert!(is_first || age <= TimeDelta::hours(24) + TimeDelta::minutes(1));
                prop_assert!(age < TimeDelta::hours(24), "a sweep did not stop a session of maximum age");
                is_first = false;
                minute += 1;
            }
            match event {
                Event::QueryBegins => query = true,
                Event::QueryEnds => { query = false; last_query = minute; }
                Event::DoorFalls => door = false,
                Event::DoorRises => door = true,
                Event::Extend(by) => {
                    let by = TimeDelta::minutes(by);
                    let (by, _) = extension(&watched.seen.record, by, after(minute), &LIMITS);
                    if by > TimeDelta::zero() {
                        watched = with(watched, |it| it.with_extension(by, after(minute)));
                    }
                }
                Event::CrashWhileActing => loses_notes = true,
                Event::BotDown(minutes) => {
                    minute += minutes;
                    watched.bot_started = after(minute);
                }
                Event::ClockStep(minutes) => minute = (minute + minutes).max(1),
            }
        }
    }
}
