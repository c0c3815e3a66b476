use super::*;
use crate::{schedule::RunFailure, session::RequestId};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn id(number: u8) -> ScheduleId {
    ScheduleId::of_request(&RequestId(number.to_string()))
}

/// A schedule of each weekday at 9:00 in Berlin, made on a Friday evening.
fn weekdays(owner: u64) -> Schedule {
    Schedule {
        owner: owner.into(),
        display_name: "ana".into(),
        channel: 5.into(),
        catalog: "lake".into(),
        when: "every weekday at 9:00".into(),
        cron: "0 9 * * 1-5".into(),
        zone: "Europe/Berlin".into(),
        format: PostFormat::Table,
        condition: Condition::Always,
        created: at("2026-11-27T20:00:00Z"),
        credentials_stored: None,
        next: Some(at("2026-11-30T08:00:07Z")),
        is_asked: false,
        run: None,
        last: None,
        failures: 0,
        paused: None,
        seen: Seen::default(),
    }
}

fn book(schedules: impl IntoIterator<Item = (u8, Schedule)>) -> Book {
    Book {
        schedules: schedules.into_iter().map(|(n, it)| (id(n), it)).collect(),
        ..Book::default()
    }
}

const MONDAY: &str = "2026-11-30T08:00:30Z";

/// A bot that carries out nothing.
fn term(bot: &str) -> Carried {
    Carried {
        bot: bot.into(),
        ..Carried::default()
    }
}

/// The bot that carries out a run.
fn carrier(run: &ClaimedRun) -> Carried {
    Carried {
        bot: run.run.bot.clone(),
        runs: [run.key()].into(),
    }
}

fn claim_one(book: &Book, now: &str, bot: &str) -> (Book, ClaimedRun) {
    let (book, mut claimed) = book.with_claims(at(now), &term(bot), 9);
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    (book, claimed.remove(0))
}

#[test]
fn a_due_time_is_claimed_once() {
    let before = book([(1, weekdays(7))]);
    assert_eq!(before.next_run(&term("a")), before.schedules[&id(1)].next);
    let (early, claimed) = before.with_claims(at("2026-11-30T08:00:06Z"), &term("a"), 9);
    assert_eq!((early, claimed), (before.clone(), Vec::new()));
    let (claimed, run) = claim_one(&before, MONDAY, "a");
    assert_eq!(run.run.due, at("2026-11-30T08:00:07Z"));
    assert_eq!(claimed.with_claims(at(MONDAY), &carrier(&run), 9).1, []);
    let next = claimed.schedules[&id(1)].next.expect("Tuesday");
    assert_eq!(next.date_naive(), at("2026-12-01T00:00:00Z").date_naive());
}

#[test]
fn there_is_one_run_for_all_times_that_were_missed() {
    let (after, run) = claim_one(&book([(1, weekdays(7))]), "2026-12-10T12:00:00Z", "a");
    assert_eq!(run.run.due, at("2026-11-30T08:00:07Z"));
    let next = after.schedules[&id(1)].next.expect("Friday");
    assert!(next > at("2026-12-11T07:59:59Z"), "{next}");
    let ended = after.with_outcome(&run, at(MONDAY), RunOutcome::Quiet, None);
    assert_eq!(
        ended
            .with_claims(at("2026-12-10T12:00:01Z"), &term("a"), 9)
            .1,
        []
    );
}

#[test]
fn runs_over_the_limit_wait_and_the_one_that_waited_longest_comes_first() {
    let late = Schedule {
        next: Some(at("2026-11-30T07:00:00Z")),
        ..weekdays(7)
    };
    let before = book([(1, weekdays(7)), (2, late), (3, weekdays(8))]);
    let (after, claimed) = before.with_claims(at(MONDAY), &term("a"), 1);
    assert_eq!(claimed[0].id, id(2));
    assert_eq!(
        after
            .with_claims(at(MONDAY), &carrier(&claimed[0]), 9)
            .1
            .len(),
        2
    );
}

#[test]
fn a_run_of_another_bot_is_taken_over_unless_it_may_have_posted() {
    let (claimed, first) = claim_one(&book([(1, weekdays(7))]), MONDAY, "a");
    let (taken, second) = claim_one(&claimed, MONDAY, "b");
    assert_eq!((second.run.due, second.run.attempts), (first.run.due, 2));
    assert_eq!(
        taken.with_posting(&first),
        None,
        "it is not the first bot's any more"
    );
    let posting = taken.with_posting(&second).expect("it is the second bot's");
    assert_eq!(posting.with_claims(at(MONDAY), &carrier(&second), 9).1, []);
    let (unsettled, third) = claim_one(&posting, MONDAY, "c");
    assert!(third.run.is_posting);
    // A bot that dies before it has told the owner leaves that to the next one.
    assert!(claim_one(&unsettled, MONDAY, "d").1.run.is_posting);
}

#[test]
fn a_run_whose_claim_got_no_response_is_claimed_again() {
    let (claimed, lost) = claim_one(&book([(1, weekdays(7))]), MONDAY, "a");
    assert_ne!(
        claimed.next_run(&carrier(&lost)),
        Some(DateTime::<Utc>::MIN_UTC)
    );
    assert_eq!(claimed.next_run(&term("a")), Some(DateTime::<Utc>::MIN_UTC));
    let (_, again) = claim_one(&claimed, MONDAY, "a");
    assert_eq!((again.key(), again.run.attempts), (lost.key(), 2));
}

#[test]
fn a_run_during_which_each_bot_ends_is_given_up() {
    let mut present = book([(1, weekdays(7))]);
    for (bot, is_given_up) in [("a", false), ("b", false), ("c", false), ("d", true)] {
        let run;
        (present, run) = claim_one(&present, MONDAY, bot);
        assert_eq!(run.run.was_begun_too_often(), is_given_up, "{bot}");
    }
}

#[test]
fn nothing_is_posted_after_a_pause_or_a_deletion() {
    let (claimed, run) = claim_one(&book([(1, weekdays(7))]), MONDAY, "a");
    assert!(claimed.with_posting(&run).is_some());
    assert_eq!(claimed.without(&id(1)).with_posting(&run), None);
    let gone = PauseReason::CredentialsGone;
    assert_eq!(
        claimed
            .with_owner_paused(7.into(), &gone)
            .with_posting(&run),
        None
    );
    let pause = BookPause {
        by: 9.into(),
        at: at(MONDAY),
    };
    let paused = claimed.with_all_paused(Some(pause));
    assert_eq!(paused.with_posting(&run), None);
    let dropped = paused.with_run_dropped(&run);
    assert_eq!(dropped.next_run(&term("a")), None, "all are paused");
    assert!(dropped.with_all_paused(None).next_run(&term("a")).is_some());
    assert_eq!(
        claimed.with_owner_paused(8.into(), &gone),
        claimed,
        "of somebody else"
    );
}

#[test]
fn three_failures_in_a_row_pause_a_schedule() {
    let failed = RunOutcome::Failed(RunFailure::Query);
    let mut present = book([(1, weekdays(7))]);
    for (day, outcome, failures) in [
        (1, failed.clone(), 1),
        (2, failed.clone(), 2),
        (3, RunOutcome::Quiet, 0),
        (4, failed.clone(), 1),
        (7, failed.clone(), 2),
        (8, RunOutcome::Unknown, 2),
        (9, failed, 3),
    ] {
        let now = format!("2026-12-{day:02}T12:00:00Z");
        let (claimed, run) = claim_one(&present, &now, "a");
        present = claimed.with_outcome(&run, at(&now), outcome, None);
        assert_eq!(present.schedules[&id(1)].failures, failures, "{day}");
    }
    assert_eq!(
        present.schedules[&id(1)].paused,
        Some(PauseReason::Failures)
    );
    assert_eq!(present.next_run(&term("a")), None);
}

#[test]
fn the_document_keeps_its_format() {
    let (claimed, run) = claim_one(&book([(1, weekdays(7))]), MONDAY, "a");
    let posted = RunOutcome::Posted(6.into());
    let ended = claimed.with_outcome(&run, at(MONDAY), posted, None);
    insta::assert_snapshot!(ended.write(), @r#"{"version":1,"paused":null,"schedules":{"6b86b2":{"owner":"7","display_name":"ana","channel":"5","catalog":"lake","when":"every weekday at 9:00","cron":"0 9 * * 1-5","zone":"Europe/Berlin","format":"table","condition":"always","created":"2026-11-27T20:00:00Z","credentials_stored":null,"next":"2026-12-01T08:00:14Z","is_asked":false,"run":null,"last":{"due":"2026-11-30T08:00:07Z","at":"2026-11-30T08:00:30Z","outcome":{"posted":"6"}},"failures":0,"paused":null,"seen":{"was_beyond":false}}}}"#);
    assert_eq!(Book::read(&ended.write()), Ok(ended));
    for other in ["", "{}", r#"{"version":2,"schedules":{}}"#] {
        assert!(Book::read(other).is_err(), "{other}");
    }
}
