//! Messages about sessions that a rule stops: warnings, reap plans, and the report.

use std::{fmt::Write, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    format::{duration, plain, relative_time},
    kept::before_a_stop,
    life::reap_reason,
    reply::{Emphasis, MAX_MESSAGE_CHARS, RESERVE, Reply, message_len},
};
use crate::{
    discord::buttons::Button,
    service::ReapResult,
    session::{
        Action, Failure, Outcome, OwnerId, Plan, ReapPause, Record, Report, Rule, RunningSession,
        ScheduledStop, SessionId, UsageTotal, Warning,
    },
};

/// Maximum number of lines in each list of a report.
const MAX_LINES: usize = 8;

/// Warns the owner before a rule stops a session.
pub(crate) fn stop_warning(record: &Record, warning: &Warning, extend_by: TimeDelta) -> Reply {
    let Warning { rule, since, at } = warning;
    let session = format!("Session `{}`", record.id);
    let when = format!("**It stops {}** ({}).", relative_time(*at), clock(*at));
    let more = duration(extend_by.num_seconds());
    let (why, what) = match rule {
        Rule::Idle => (
            format!("{session} is idle (last active {}).", relative_time(*since)),
            format!("To keep it, run a query, or press **Extend** for {more} more."),
        ),
        Rule::Lifetime => (
            format!("{session} is near the end of its lifetime."),
            format!("To keep it, press **Extend** for {more} more."),
        ),
        Rule::MaxAge | Rule::OwnerLeft if record.keeps_work => (
            format!("{session} has almost reached the maximum session age."),
            "It can't be extended. Start a new session afterwards.".to_owned(),
        ),
        Rule::MaxAge | Rule::OwnerLeft => (
            format!("{session} has almost reached the maximum session age."),
            "It can't be extended. Save your work, then start a new session.".to_owned(),
        ),
    };
    let lost = before_a_stop(record);
    let reply = Reply::new(format!("<@{}> {why} {when} {what}\n{lost}", record.owner));
    let reply = match rule {
        Rule::Idle | Rule::Lifetime => reply.with(
            Emphasis::Primary,
            "Extend",
            Button::Extend(record.id.clone()),
        ),
        Rule::MaxAge | Rule::OwnerLeft => reply,
    };
    reply.with(
        Emphasis::Secondary,
        "Stop now",
        Button::StopNow(record.id.clone()),
    )
}

/// Returns the time and reason of the next stop, for a list.
pub(crate) fn stops(due: &ScheduledStop, dry_run: bool) -> String {
    let (verb, note) = if dry_run {
        ("would stop", ", but `reaper.dry_run` is on")
    } else {
        ("stops", "")
    };
    format!(", {verb} {} ({}{note})", relative_time(due.at), when(due))
}

fn when(due: &ScheduledStop) -> &'static str {
    match due.rule {
        Rule::Idle => "unless a query runs",
        Rule::Lifetime => "end of its lifetime",
        Rule::MaxAge => "maximum session age",
        Rule::OwnerLeft => "its owner left",
    }
}

/// Alerts admins to doors that do not respond.
pub(crate) fn unreachable(silent: &[(Arc<Record>, DateTime<Utc>)]) -> Reply {
    let (whose, they, pods) = match silent.len() {
        1 => (
            "The door of 1 session does".to_owned(),
            "its activity is unknown and it is",
            "the session's Pod on port 8081, and that the Pod is",
        ),
        count => (
            format!("The doors of {count} sessions do"),
            "their activity is unknown and they are",
            "the sessions' Pods on port 8081, and that the Pods are",
        ),
    };
    let mut text = format!(
        "{whose} not respond, so {they} not stopped for being idle. Check that the bot can reach \
         {pods} healthy. A NetworkPolicy may block the bot.",
    );
    let lines = silent.iter().map(|(record, since)| {
        let whose = plain(&record.display_name);
        format!(
            "session `{}` of {whose}, stopped responding {}",
            record.id,
            relative_time(*since)
        )
    });
    push_list(&mut text, &lines.collect::<Vec<_>>(), usize::MAX);
    Reply::new(text)
}

/// Alerts admins to a reap pause.
pub(crate) fn held_back(held_back: &ReapPause) -> Reply {
    Reply::new(format!(
        "**Reaping is paused**: {} are due at once, over the safety limit \
         (`reaper.largest_share`). Nothing is stopped or removed. Check the clock and the \
         settings, then run `/duck reap` to see the sessions and stop them.",
        of(held_back)
    ))
}

fn of(held_back: &ReapPause) -> String {
    format!("{} of {}", held_back.stops, sessions(held_back.of))
}

/// Shows an admin what the rules would stop and remove now.
pub(crate) fn plan(plan: &Plan, dry_run: bool) -> Reply {
    let lines: Vec<_> = plan.takedowns().filter_map(action_text).collect();
    if lines.is_empty() {
        return Reply::new("There is nothing to stop or remove now.");
    }
    let mut text = "Ready to stop or remove:".to_owned();
    push_list(&mut text, &lines, usize::MAX);
    if let Some(held_back) = &plan.held_back {
        let of = of(held_back);
        let _ = write!(
            text,
            "\nReaping is paused, because {of} are due, over the safety limit \
             (`reaper.largest_share`)."
        );
    }
    if dry_run {
        text.push_str("\n`reaper.dry_run` is on, so the reaper does not do this on its own.");
    }
    Reply::new(text)
        .with(
            Emphasis::Danger,
            "Stop and remove",
            Button::Reap(plan.digest()),
        )
        .with(Emphasis::Secondary, "Cancel", Button::LeaveAll)
}

fn action_text(action: &Action) -> Option<String> {
    match action {
        Action::Stop(id, due) => Some(format!(
            "session `{id}`, {}",
            reap_reason(due.rule, due.since)
        )),
        Action::Remove(orphan) => Some(format!(
            "orphaned objects of session `{}`, which has no record",
            orphan.id
        )),
        Action::Forget(owner, since) => Some(format!(
            "saved S3 credentials of <@{owner}>, who left this server {}",
            relative_time(*since)
        )),
        Action::Warn(..) | Action::EndRunner(_) | Action::ReportUnreachable(..) => None,
    }
}

/// Shows an admin the new plan if it changed after they opened it.
pub(crate) fn changed_plan(plan: &Plan, dry_run: bool) -> Reply {
    let mut reply = self::plan(plan, dry_run);
    reply.text.insert_str(
        0,
        "The list changed after you opened it, so nothing was stopped or removed.\n",
    );
    reply
}

/// Shows an admin what was stopped and removed.
pub(crate) fn done(reaped: &ReapResult) -> Reply {
    let ReapResult {
        done,
        spared,
        failed,
    } = reaped;
    let mut text = match done.len() {
        0 => "Nothing was stopped or removed.".to_owned(),
        _ => "Stopped or removed:".to_owned(),
    };
    let lines: Vec<_> = done.iter().filter_map(action_text).collect();
    push_list(&mut text, &lines, usize::MAX);
    if *spared > 0 {
        let _ = write!(text, "\nSkipped: {spared} (changed in the meantime).");
    }
    if let Some(reference) = failed {
        let _ = write!(
            text,
            "\nSome of this failed. To try again, run `/duck reap`. (Reference: `{reference}`)"
        );
    }
    Reply::new(text)
}

/// Confirms to an admin that nothing was done.
pub(crate) fn nothing_reaped() -> Reply {
    Reply::new("Nothing was stopped or removed. The reaper may still do it later.")
}

fn push_list(text: &mut String, lines: &[String], most: usize) {
    for (position, line) in lines.iter().enumerate() {
        let is_full = message_len(text) + message_len(line) > MAX_MESSAGE_CHARS - 2 * RESERVE;
        if position >= most || is_full {
            let _ = write!(text, "\n- …and {} more", lines.len() - position);
            break;
        }
        let _ = write!(text, "\n- {line}");
    }
}

/// Report about the sessions of a period, and about the next stops.
pub(crate) fn report(report: &Report, dry_run: bool) -> Reply {
    let Report {
        since,
        until,
        running,
        ..
    } = report;
    let mut text = format!("**Sessions from {} to {}**\n", day(*since), day(*until));
    if report.is_quiet() {
        text.push_str("There were no sessions.");
        return Reply::new(text);
    }
    let ended = report.sessions - report.there;
    let _ = write!(
        text,
        "{}: {} active now, {ended} ended.",
        sessions(report.sessions),
        report.there
    );
    if let Some([median, p95]) = report.starts {
        let _ = write!(
            text,
            " Time from request to ready: {} (median), {} (95th percentile).",
            seconds(median),
            seconds(p95)
        );
    }
    let outcomes = |is_failure: bool| {
        let some = report
            .outcomes
            .iter()
            .filter(move |(it, _)| it.is_failure() == is_failure);
        some.map(|(outcome, count)| format!("{count} × {}", outcome_text(*outcome)))
    };
    section(&mut text, "Ended", outcomes(false).collect());
    section(&mut text, "Failed", outcomes(true).collect());
    section(&mut text, "Usage", users(report));
    let next = running.iter().filter_map(|one| Some((one, one.due?)));
    let next = next.map(|(RunningSession { record, .. }, due)| {
        format!(
            "{}: {} ({})",
            named(&record.id, record.owner),
            relative_time(due.at),
            when(&due)
        )
    });
    let title = if dry_run {
        "Next to stop, but `reaper.dry_run` is on"
    } else {
        "Next to stop"
    };
    section(&mut text, title, next.collect());
    let silent = running
        .iter()
        .filter_map(|one| Some((one, one.unreachable?)));
    let silent = silent.map(|(RunningSession { record, .. }, since)| {
        format!(
            "{}: stopped responding {}",
            named(&record.id, record.owner),
            relative_time(since)
        )
    });
    section(&mut text, "Not responding", silent.collect());
    Reply::new(text)
}

/// Returns a line for each owner with the most usage, and one for all others together.
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
        push_list(text, &lines, MAX_LINES);
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

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "stopped by its owner",
        Outcome::StoppedByAdmin => "stopped by an admin",
        Outcome::Restarted => "restarted with new credentials",
        Outcome::Reaped(Rule::Idle) => "idle",
        Outcome::Reaped(Rule::Lifetime) => "end of its lifetime",
        Outcome::Reaped(Rule::MaxAge) => "maximum session age",
        Outcome::Reaped(Rule::OwnerLeft) => "its owner left this server",
        Outcome::Refused => "refused by the cluster",
        Outcome::TookTooLong => "not ready in time",
        Outcome::Lost => "deleted on the cluster",
        Outcome::Failed(failure) => match failure {
            Failure::NoRoom => "no room on the cluster",
            Failure::NoNode => "no suitable cluster node",
            Failure::ImageMissing => "session image not found",
            Failure::ImageRefused => "no access to the session image",
            Failure::ImageUnavailable => "session image could not be downloaded",
            Failure::CredentialsMissing => "credentials were gone",
            Failure::Mount => "disk could not be attached",
            Failure::Container => "container could not run",
            Failure::Crashed => "DuckDB crashed repeatedly",
            Failure::OutOfMemory => "DuckDB ran out of memory",
            Failure::Door => "door crashed repeatedly",
            Failure::DiskFull => "disk was full",
            Failure::Evicted => "evicted, after an earlier restart",
            Failure::NodeGone => "cluster node failed, after an earlier restart",
            Failure::Vanished => "Pod disappeared, cause unknown",
            Failure::BotEnded => "bot was restarted",
            Failure::Other => "other reason",
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

/// Formats a date and time in the reader's time zone.
fn day(time: DateTime<Utc>) -> String {
    format!("<t:{}:f>", time.timestamp())
}

/// Formats a time of day in the reader's time zone.
fn clock(time: DateTime<Utc>) -> String {
    format!("<t:{}:t>", time.timestamp())
}
