//! Snapshots of the replies about schedules.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    tests::{gallery, outcome},
    *,
};
use crate::{
    credentials::CredentialPart,
    discord::{charts, schedule_buttons::ScheduleAction, schedule_form::ScheduleTarget},
    error::Error,
    runtime::{Column, QueryError, QueryResponse, Rows},
    schedule::{
        BookPause, ClaimedRun, Condition, InvalidWhen, LastRun, PauseReason, PostFormat, Run,
        RunFailure, RunOutcome, Schedule, ScheduleId, Seen,
    },
    service::{
        QueryRejection, Rejection, RunProblem, ScheduleAccess, ScheduleRejection, SetupOutcome,
    },
};

const SQL: &str = "SELECT count(*) AS orders\nFROM sales.orders";

fn at() -> DateTime<Utc> {
    "2026-11-27T08:00:05Z".parse().expect("a time")
}

fn id() -> ScheduleId {
    "977a26".parse().expect("an ID")
}

fn schedule() -> Schedule {
    Schedule {
        owner: 99.into(),
        display_name: "Ana".into(),
        channel: 10.into(),
        catalog: "lake".into(),
        when: "every weekday at 9:00".into(),
        cron: "0 9 * * 1-5".into(),
        zone: "Europe/Berlin".into(),
        format: PostFormat::Table,
        condition: Condition::Always,
        created: at(),
        credentials_stored: None,
        next: Some(at() + TimeDelta::days(3)),
        is_asked: false,
        run: None,
        last: None,
        failures: 0,
        paused: None,
        seen: Seen::default(),
    }
}

fn run() -> ClaimedRun {
    ClaimedRun {
        id: id(),
        schedule: schedule(),
        run: Run {
            due: at(),
            bot: "b".into(),
            is_posting: false,
            is_asked: false,
            attempts: 1,
        },
    }
}

fn card(lead: &str, schedule: &Schedule, is_owner: bool) -> Reply {
    let view = ScheduleView {
        id: &id(),
        schedule,
        sql: is_owner.then_some(SQL),
        is_owner,
    };
    schedule_card(lead, &view)
}

#[test]
fn one_schedule() {
    let with = |change: fn(&mut Schedule)| {
        let mut schedule = schedule();
        change(&mut schedule);
        schedule
    };
    let asked = |it: &ScheduleView<'_>| ask_to_delete(it);
    let shown = schedule();
    let view = ScheduleView {
        id: &id(),
        schedule: &shown,
        sql: Some(SQL),
        is_owner: true,
    };
    let ended = |outcome| LastRun {
        due: at(),
        at: at(),
        outcome,
    };
    let last = |outcome| Schedule {
        last: Some(ended(outcome)),
        ..schedule()
    };
    let done = |action| schedule_done(action, &shown);
    insta::assert_snapshot!(gallery(&[
        ("made", card(SCHEDULE_MADE, &shown, true)),
        ("an admin sees it", card("", &shown, false)),
        (
            "only if",
            card(
                "",
                &with(|it| it.condition = "> 100".parse().expect("one")),
                true
            )
        ),
        (
            "running",
            card(
                &done(ScheduleAction::Run),
                &with(|it| it.run = Some(run().run)),
                true
            )
        ),
        (
            "paused",
            card(
                &done(ScheduleAction::Pause),
                &with(|it| it.paused = Some(PauseReason::By(99.into()))),
                true
            )
        ),
        ("resumed", card(&done(ScheduleAction::Resume), &shown, true)),
        (
            "posted",
            card("", &last(RunOutcome::Posted(5.into())), true)
        ),
        ("quiet", card("", &last(RunOutcome::Quiet), true)),
        ("unknown", card("", &last(RunOutcome::Unknown), true)),
        (
            "failed",
            card(
                "",
                &last(RunOutcome::Failed(RunFailure::Other("ab12".into()))),
                true
            )
        ),
        ("delete?", asked(&view)),
        ("deleted", schedule_deleted(&shown)),
    ]));
}

#[test]
fn reasons_of_pauses() {
    let all = [
        PauseReason::Failures,
        PauseReason::OwnerLeft,
        PauseReason::OwnerLostAccess,
        PauseReason::OwnerLostChannel,
        PauseReason::CredentialsGone,
        PauseReason::CredentialsReplaced,
        PauseReason::CredentialsExpired(at()),
    ];
    let notices = all.map(|why| schedule_paused_notice(&run(), &why).text);
    insta::assert_snapshot!(notices.join("\n"));
}

#[test]
fn changes_of_credentials() {
    let replaced = |paused_schedules| SetupOutcome {
        paused_schedules,
        ..outcome(true, &[])
    };
    let saved = |count| stored(&replaced(count), None, CredentialPart::S3Keys, None);
    insta::assert_snapshot!(gallery(&[
        ("one is paused", saved(1)),
        ("two are paused", saved(2)),
        (
            "none to keep",
            with_kept_schedules(credentials_deleted(&[]), 0, false)
        ),
        (
            "one stays",
            with_kept_schedules(credentials_deleted(&[]), 1, false)
        ),
        (
            "two stay",
            with_kept_schedules(Reply::new("Delete?"), 2, true)
        ),
    ]));
}

#[test]
fn the_list() {
    let (id, own) = (id(), schedule());
    let others = Schedule {
        owner: 7.into(),
        display_name: "Ben `@everyone`".into(),
        when: "hourly".into(),
        paused: Some(PauseReason::Failures),
        last: Some(LastRun {
            due: at(),
            at: at(),
            outcome: RunOutcome::Failed(RunFailure::TimedOut),
        }),
        ..schedule()
    };
    let view = |schedule, sql| ScheduleView {
        id: &id,
        schedule,
        sql,
        is_owner: sql.is_some(),
    };
    let one = [view(&own, Some(SQL))];
    let all = [view(&own, Some(SQL)), view(&others, None)];
    let pause = BookPause {
        by: 3.into(),
        at: at(),
    };
    let menu = schedule_list(&all, (0, 2), None, true).menu.expect("one");
    let entries = menu.entries.into_iter().map(|entry| {
        let description = entry.description.expect("a description");
        format!(
            "{}: {} ({description})",
            entry.button.custom_id(),
            entry.label
        )
    });
    let entries: Vec<_> = entries.collect();
    insta::assert_snapshot!(gallery(&[
        ("none", schedule_list(&[], (0, 0), None, false)),
        ("own", schedule_list(&one, (0, 1), None, false)),
        ("all", schedule_list(&all, (0, 12), None, true)),
        ("the last page", schedule_list(&all, (10, 12), None, true)),
        (
            "all are paused",
            schedule_list(&one, (0, 1), Some(&pause), true)
        ),
        ("menu", Reply::new(entries.join("\n"))),
    ]));
}

#[test]
fn posts() {
    let column = |name: &str, kind: &str| Column {
        name: name.into(),
        kind: kind.into(),
    };
    let answer = |values: &[&str]| {
        QueryResponse::Rows(Rows {
            columns: vec![column("day", "DATE"), column("orders", "BIGINT")],
            rows: values
                .iter()
                .map(|day| vec![Some((*day).into()), Some("7".into())])
                .collect(),
            milliseconds: 12,
            ..Rows::default()
        })
    };
    let few = answer(&["2026-11-26", "@everyone <@99>"]);
    let many = answer(&["2026-11-26"; 100]);
    let question = QueryContext {
        sql: SQL,
        catalog: "lake",
        ..QueryContext::default()
    };
    let no_chart = Err(charts::ChartError::NoChart(chart::NoChart::NoNumbers));
    let without_file = |reply: Reply| {
        assert!(message_len(&reply.text) <= MAX_MESSAGE_CHARS);
        assert!(reply.buttons.is_empty() && reply.menu.is_none());
        let names = reply.files.iter().map(|file| format!("\n{}", file.name));
        let text = reply.text.clone() + &names.collect::<String>();
        Reply::new(text)
    };
    let post = |is_late, question: &QueryContext<'_>, rows| {
        without_file(scheduled_result(&run(), is_late, question, rows))
    };
    insta::assert_snapshot!(gallery(&[
        ("a table", post(false, &question, &few)),
        ("late", post(true, &question, &few)),
        ("long", post(false, &question, &many)),
        (
            "long, without a file",
            post(
                false,
                &QueryContext {
                    no_file: true,
                    ..question
                },
                &many
            )
        ),
        (
            "no chart",
            post(
                false,
                &QueryContext {
                    chart: Some(&no_chart),
                    ..question
                },
                &few
            )
        ),
    ]));
}

#[test]
fn failed_runs() {
    let mut run = run();
    run.schedule.condition = "> 100".parse().expect("a condition");
    let failed = |why: RunProblem| run_failed(&run, Some(SQL), &why, false);
    let wrong = QueryResponse::Error(QueryError {
        kind: "Binder".into(),
        message: "no column \"n\"".into(),
        ..QueryError::default()
    });
    let query = || RunProblem::Answer(Box::new(wrong.clone()));
    let gone = Rejection::Query(QueryRejection::CredentialsGone);
    let error = Error::Unavailable {
        action: "x".into(),
        why: "y".into(),
    };
    insta::assert_snapshot!(gallery(&[
        ("the query", failed(query())),
        (
            "the third time",
            run_failed(&run, Some(SQL), &query(), true)
        ),
        (
            "took too long",
            failed(RunProblem::Answer(Box::new(QueryResponse::TimedOut)))
        ),
        (
            "DuckDB exited",
            failed(RunProblem::Answer(Box::new(QueryResponse::Exited)))
        ),
        ("rejected", failed(RunProblem::Rejected(Box::new(gone)))),
        (
            "no number",
            failed(RunProblem::NotANumber("VARCHAR".into()))
        ),
        ("not kept", failed(RunProblem::NotComparable(String::new()))),
        (
            "not comparable",
            failed(RunProblem::NotComparable("Out of Memory".into()))
        ),
        ("no channel", failed(RunProblem::ChannelRefused)),
        ("interrupted", failed(RunProblem::Interrupted)),
        ("unknown", run_unknown(&run)),
        (
            "no text",
            run_failed(&run, None, &RunProblem::TextGone, false)
        ),
        (
            "another part",
            failed(RunProblem::Failed {
                error,
                reference: "ab12cd34".into()
            })
        ),
    ]));
}

#[test]
fn rejected_schedules() {
    let given = || "every `moon`".to_owned();
    let when = |why| ScheduleRejection::InvalidWhen {
        given: given(),
        why,
    };
    let channel = |access, is_owner| ScheduleRejection::Channel { access, is_owner };
    let lacks = || "Send Messages".to_owned();
    let pause = BookPause {
        by: 3.into(),
        at: at(),
    };
    let all = [
        ScheduleRejection::Disabled,
        when(InvalidWhen::Unreadable),
        when(InvalidWhen::NoTime),
        when(InvalidWhen::DifferentMinutes),
        when(InvalidWhen::Uneven),
        ScheduleRejection::UnknownZone(given()),
        ScheduleRejection::InvalidCondition(given()),
        ScheduleRejection::UnknownFormat(given()),
        ScheduleRejection::TooOften(TimeDelta::minutes(15)),
        ScheduleRejection::Never,
        ScheduleRejection::LimitReached(10),
        ScheduleRejection::BookFull,
        ScheduleRejection::CredentialsExpireBefore {
            expire: at(),
            next: at() + TimeDelta::days(1),
        },
        channel(ScheduleAccess::NotAMember, true),
        channel(ScheduleAccess::NoAccess, true),
        channel(ScheduleAccess::NoAccess, false),
        channel(ScheduleAccess::NoChannel, true),
        channel(ScheduleAccess::OwnerMayNotPost(lacks()), true),
        channel(ScheduleAccess::OwnerMayNotPost(lacks()), false),
        channel(ScheduleAccess::BotMayNotPost(lacks()), true),
        ScheduleRejection::NoSuchSchedule(id()),
        ScheduleRejection::NotYours(99.into()),
        ScheduleRejection::Paused(PauseReason::Failures),
        ScheduleRejection::AllPaused(pause),
        ScheduleRejection::Running,
    ];
    let replies: Vec<_> = all.map(|why| ("", refused(&why.into()))).into();
    insta::assert_snapshot!(gallery(&replies));
}

#[test]
fn the_form_is_sent_again_after_a_rejection() {
    let draft = crate::discord::schedule_form::ScheduleDraft {
        query: SQL.into(),
        when: "every full moon".into(),
        zone: "Europe/Berlin".into(),
        format: "table".into(),
        condition: String::new(),
    };
    let why = ScheduleRejection::InvalidWhen {
        given: draft.when.clone(),
        why: InvalidWhen::Unreadable,
    };
    let target = ScheduleTarget {
        replaces: None,
        channel: 10.into(),
        catalog: Some("lake".into()),
    };
    insta::assert_snapshot!(gallery(&[
        (
            "again",
            with_draft(refused(&why.into()), &draft, target, true)
        ),
        ("in a direct message", schedule_needs_channel()),
        ("too long", too_long_to_schedule()),
    ]));
}
