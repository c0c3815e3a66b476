//! What is said of sessions that nobody takes down: before, after, and all together.

use std::{fmt::Write, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Button, Emphasis, MAX_MESSAGE_CHARS, RESERVE, Reply, ago, duration, plain};
use crate::{
    service::{ExtendedSession, ReapResult},
    session::{
        Action, Failure, Outcome, OwnerId, Plan, ReapPause, Record, Report, Rule, RunningSession,
        ScheduledStop, SessionId, UsageTotal, Warning,
    },
};

/// How many lines each list of a report has.
const MAX_LINES: usize = 8;

/// To the owner, before a session is stopped.
pub fn will_be_stopped(record: &Record, warning: &Warning, extend_by: TimeDelta) -> Reply {
    let Warning { rule, since, at } = warning;
    let session = format!("Session `{}`", record.id);
    let when = format!("it will be stopped {} ({})", ago(*at), clock(*at));
    let more = duration(extend_by.num_seconds());
    let (why, what) = match rule {
        Rule::Idle => (
            format!(
                "Nobody has asked {} anything since {}: {when}.",
                lower(&session),
                ago(*since)
            ),
            format!("A query keeps it, and so does **Extend**, for {more}."),
        ),
        Rule::Lifetime => (
            format!(
                "The lifetime of {} is nearly over: {when}.",
                lower(&session)
            ),
            format!("**Extend** gives it {more} more."),
        ),
        Rule::MaxAge | Rule::OwnerLeft => (
            format!("{session} is nearly as old as one may get: {when}."),
            "It can't be extended. Save what you need, then start a new one.".to_owned(),
        ),
    };
    let lost = "**What is only in it is lost then**: tables and notebooks that are not saved \
                elsewhere. What is in S3 stays.";
    let reply = Reply::new(format!("<@{}> {why} {what}\n{lost}", record.owner));
    let reply = match rule {
        Rule::Idle | Rule::Lifetime => {
            reply.with(Emphasis::Main, "Extend", Button::Extend(record.id.clone()))
        }
        Rule::MaxAge | Rule::OwnerLeft => reply,
    };
    reply.with(
        Emphasis::Quiet,
        "Stop now",
        Button::StopNow(record.id.clone()),
    )
}

fn lower(session: &str) -> String {
    session.replacen('S', "s", 1)
}

/// When a session lives longer.
pub fn extended(extended: &ExtendedSession) -> Reply {
    let ExtendedSession { record, by, due } = extended;
    let by = duration(by.num_seconds());
    let id = &record.id;
    let then = match due {
        Some(due) => format!(
            "As things are, it will be stopped {} ({}).",
            ago(due.at),
            when(due)
        ),
        None => match record.kept_until {
            Some(until) => format!("It is not stopped for being idle before {}.", clock(until)),
            None => String::new(),
        },
    };
    Reply::new(format!("Session `{id}` may go on for {by} longer. {then}"))
}

/// Why a session was stopped, as the end of a sentence; and whether it can be had again.
pub fn reaped(rule: Rule, since: DateTime<Utc>) -> String {
    match rule {
        Rule::Idle => format!("nobody had asked it anything since {}.", ago(since)),
        Rule::Lifetime => format!("its lifetime was over; it was asked for {}.", ago(since)),
        Rule::MaxAge => format!(
            "it was as old as one may get; it was asked for {}.",
            ago(since)
        ),
        Rule::OwnerLeft => "its owner is no longer a member of this server.".to_owned(),
    }
}

/// In a list: when a session is stopped, and why.
pub fn stops(due: &ScheduledStop, dry_run: bool) -> String {
    let (will, unless) = match dry_run {
        true => ("would", ", if this were no dry run"),
        false => ("will", ""),
    };
    format!(
        ", {will} be stopped {} ({}{unless})",
        ago(due.at),
        when(due)
    )
}

fn when(due: &ScheduledStop) -> &'static str {
    match due.rule {
        Rule::Idle => "if nobody asks it anything",
        Rule::Lifetime => "its lifetime is over then",
        Rule::MaxAge => "as old as one may get",
        Rule::OwnerLeft => "its owner left",
    }
}

/// To admins: doors that are silent.
pub fn unreachable(silent: &[(Arc<Record>, DateTime<Utc>)]) -> Reply {
    let (whose, they) = match silent.len() {
        1 => (
            "The door of a session does",
            "it is used, so I don't stop it",
        ),
        _ => (
            "The doors of some sessions do",
            "they are used, so I don't stop them",
        ),
    };
    let mut text = format!(
        "{whose} not answer me. I don't know whether {they} for being idle. See whether I reach \
         their Pods at port 8081 (a NetworkPolicy?), and how those Pods are.",
    );
    let lines = silent.iter().map(|(record, since)| {
        let whose = plain(&record.display_name);
        format!("session `{}` of {whose}, since {}", record.id, ago(*since))
    });
    listed(&mut text, &lines.collect::<Vec<_>>(), usize::MAX);
    Reply::new(text)
}

/// To admins: nothing is stopped.
pub fn held_back(held_back: &ReapPause) -> Reply {
    Reply::new(format!(
        "I would stop {} at once, which is more than I may, so **I stop none**, and remove \
         nothing. See whether that can be right (the clock, the settings): `/duck reap` shows \
         which, and stops them if you say so.",
        of(held_back)
    ))
}

fn of(held_back: &ReapPause) -> String {
    format!("{} of {} sessions", held_back.stops, held_back.of)
}

/// To an admin: what would go.
pub fn plan(plan: &Plan, dry_run: bool) -> Reply {
    let lines: Vec<_> = plan.takedowns().filter_map(planned).collect();
    if lines.is_empty() {
        return Reply::new("Nothing is to be stopped or removed now.");
    }
    let mut text = "This is to go now:".to_owned();
    listed(&mut text, &lines, usize::MAX);
    if let Some(held_back) = &plan.held_back {
        let of = of(held_back);
        let _ = write!(
            text,
            "\nThat is {of}, which is more than I may stop by myself."
        );
    }
    if dry_run {
        text.push_str("\nThe setting `reaper.dry_run` keeps me from doing it by myself.");
    }
    Reply::new(text)
        .with(Emphasis::Danger, "Do it", Button::Reap(plan.digest()))
        .with(Emphasis::Quiet, "Leave them", Button::LeaveAll)
}

fn planned(action: &Action) -> Option<String> {
    match action {
        Action::Stop(id, due) => Some(format!("session `{id}`: {}", reaped(due.rule, due.since))),
        Action::Remove(orphan) => Some(format!(
            "what is left of session `{}`, which has no record",
            orphan.id
        )),
        Action::Forget(owner, since) => Some(format!(
            "the keys of <@{owner}>, who left the server {}",
            ago(*since)
        )),
        Action::Warn(..) | Action::ReportUnreachable(..) => None,
    }
}

/// To an admin who said yes to something else.
pub fn plan_anew(plan: &Plan, dry_run: bool) -> Reply {
    let mut reply = self::plan(plan, dry_run);
    reply
        .text
        .insert_str(0, "That has changed since you looked, so I did nothing. ");
    reply
}

/// To an admin: what went.
pub fn done(reaped: &ReapResult) -> Reply {
    let ReapResult {
        done,
        spared,
        failed,
    } = reaped;
    let mut text = match done.len() {
        0 => "Nothing was stopped or removed.".to_owned(),
        _ => "Done:".to_owned(),
    };
    let lines: Vec<_> = done.iter().filter_map(planned).collect();
    listed(&mut text, &lines, usize::MAX);
    if *spared > 0 {
        let _ = write!(text, "\nSpared, because that changed just now: {spared}.");
    }
    if let Some(reference) = failed {
        let _ = write!(
            text,
            "\nNot all of it could be done; I try again. (Reference: `{reference}`)"
        );
    }
    Reply::new(text)
}

/// To an admin who thought better of it.
pub fn left_alone() -> Reply {
    Reply::new("I leave them alone now. The rules apply all the same.")
}

fn listed(text: &mut String, lines: &[String], most: usize) {
    for (place, line) in lines.iter().enumerate() {
        let is_full = text.chars().count() + line.chars().count() > MAX_MESSAGE_CHARS - 2 * RESERVE;
        if place >= most || is_full {
            let _ = write!(text, "\n- …and {} more", lines.len() - place);
            break;
        }
        let _ = write!(text, "\n- {line}");
    }
}

/// What happened, and what is next.
pub fn report(report: &Report, dry_run: bool) -> Reply {
    let Report {
        since,
        until,
        running,
        ..
    } = report;
    let mut text = format!("**Sessions from {} to {}**\n", day(*since), day(*until));
    if report.is_quiet() {
        text.push_str("There was none.");
        return Reply::new(text);
    }
    let ended = report.sessions - report.there;
    let _ = write!(
        text,
        "{}, of which {} now",
        sessions(report.sessions),
        are(report.there)
    );
    let _ = write!(text, " and {} ended.", has_have(ended));
    if let Some([median, p95]) = report.starts {
        let _ = write!(
            text,
            " From asked for to ready: {} (median), {} (95 of 100).",
            seconds(median),
            seconds(p95)
        );
    }
    let outcomes = |is_failure: bool| {
        let some = report
            .outcomes
            .iter()
            .filter(move |(it, _)| it.is_failure() == is_failure);
        some.map(|(outcome, count)| format!("{count} × {}", ended_by(*outcome)))
    };
    section(&mut text, "Ended", outcomes(false).collect());
    section(&mut text, "Failed", outcomes(true).collect());
    section(&mut text, "Used", users(report));
    let next = running.iter().filter_map(|one| Some((one, one.due?)));
    let next = next.map(|(RunningSession { record, .. }, due)| {
        format!(
            "{}: {} ({})",
            named(&record.id, record.owner),
            ago(due.at),
            when(&due)
        )
    });
    let title = match dry_run {
        true => "Would be stopped next, if this were no dry run",
        false => "Stopped next",
    };
    section(&mut text, title, next.collect());
    let silent = running
        .iter()
        .filter_map(|one| Some((one, one.unreachable?)));
    let silent = silent.map(|(RunningSession { record, .. }, since)| {
        format!("{}: since {}", named(&record.id, record.owner), ago(since))
    });
    section(&mut text, "Not answering", silent.collect());
    Reply::new(text)
}

/// Those who used most, and the others together.
fn users(report: &Report) -> Vec<String> {
    let shown = report.users.len().min(MAX_LINES - 1);
    let (most, rest) = report.users.split_at(shown);
    let whose = |(owner, it): &(OwnerId, UsageTotal)| used(&format!("<@{owner}>"), it);
    let mut lines: Vec<_> = most.iter().map(whose).collect();
    let others = rest.iter().fold(report.others, |sum, (_, it)| UsageTotal {
        seconds: sum.seconds.saturating_add(it.seconds),
        sessions: sum.sessions.saturating_add(it.sessions),
    });
    if others.sessions > 0 {
        lines.push(used("others", &others));
    }
    lines
}

fn named(id: &SessionId, owner: OwnerId) -> String {
    format!("`{id}` of <@{owner}>")
}

fn section(text: &mut String, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        let _ = write!(text, "\n**{title}**");
        listed(text, &lines, MAX_LINES);
    }
}

fn used(whose: &str, used: &UsageTotal) -> String {
    let minutes = used.seconds / 60;
    let time = format!("{} h {:02} min", minutes / 60, minutes % 60);
    format!("{whose}: {time} in {}", sessions(used.sessions as usize))
}

fn sessions(count: usize) -> String {
    match count {
        1 => "1 session".into(),
        _ => format!("{count} sessions"),
    }
}

fn are(count: usize) -> String {
    match count {
        0 => "none is there".into(),
        1 => "1 is there".into(),
        _ => format!("{count} are there"),
    }
}

fn has_have(count: usize) -> String {
    match count {
        0 => "none has".into(),
        1 => "1 has".into(),
        _ => format!("{count} have"),
    }
}

fn ended_by(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "stopped by its owner",
        Outcome::StoppedByAdmin => "stopped by an admin",
        Outcome::Restarted => "started again with new keys",
        Outcome::Reaped(Rule::Idle) => "idle",
        Outcome::Reaped(Rule::Lifetime) => "at the end of its lifetime",
        Outcome::Reaped(Rule::MaxAge) => "as old as one may get",
        Outcome::Reaped(Rule::OwnerLeft) => "its owner left the server",
        Outcome::Refused => "the cluster did not take it",
        Outcome::TookTooLong => "not ready in time",
        Outcome::Lost => "deleted on the cluster",
        Outcome::Failed(failure) => match failure {
            Failure::NoRoom => "no machine had room",
            Failure::NoNode => "no machine may take it",
            Failure::ImageMissing => "its image is not in the registry",
            Failure::ImageRefused => "its image may not be fetched",
            Failure::ImageUnavailable => "its image could not be fetched",
            Failure::CredentialsMissing => "its owner's keys were gone",
            Failure::Mount => "a disk could not be attached",
            Failure::Container => "the cluster can't run it as it is set up",
            Failure::Crashed => "DuckDB ended again and again",
            Failure::OutOfMemory => "DuckDB needed more memory than it had",
            Failure::Door => "its door ended again and again",
            Failure::DiskFull => "it filled its disk",
            Failure::Evicted => "the cluster took its machine, twice",
            Failure::NodeGone => "its machine failed, twice",
            Failure::Vanished => "it was gone, and nobody saw why",
            Failure::Other => "for another reason",
        },
    }
}

fn seconds(length: TimeDelta) -> String {
    match length.num_seconds() {
        0 => format!("{} ms", length.num_milliseconds()),
        1..10 => format!("{:.1} s", length.as_seconds_f64()),
        seconds => duration(seconds),
    }
}

/// A day, as the reader writes it.
fn day(time: DateTime<Utc>) -> String {
    format!("<t:{}:f>", time.timestamp())
}

/// A time of day, as the reader writes it.
fn clock(time: DateTime<Utc>) -> String {
    format!("<t:{}:t>", time.timestamp())
}
