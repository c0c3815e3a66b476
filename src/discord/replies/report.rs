//! Text of the report.

use std::fmt::Write;

use chrono::TimeDelta;

use super::{
    format::{count_of, date_time, duration, plain, relative_time},
    reaping::{push_list, when},
    reply::Reply,
};
use crate::session::{
    Failure, Outcome, OwnerId, Report, ReportDetail, Rule, RunningSession, SessionId, UsageTotal,
};

/// Maximum number of lines in each list.
const MAX_LINES: usize = 8;
/// Number of people and sizes with their own line. Another one is for all others.
pub(super) const MAX_NAMED: usize = MAX_LINES - 1;
/// Name of the people or sizes that share a total.
pub(super) const OTHERS: &str = "others";

/// Report about the sessions of a period, and about the next stops.
pub(crate) fn report(report: &Report, dry_run: bool) -> Reply {
    let Report {
        since,
        until,
        running,
        ..
    } = report;
    let mut text = format!(
        "**Sessions from {} to {}**\n",
        date_time(*since),
        date_time(*until)
    );
    if report.is_quiet() {
        text.push_str("There were no sessions.");
        return Reply::new(text);
    }
    let ended = report.sessions - report.there;
    let _ = write!(
        text,
        "{}: {} active now, {ended} ended. Total use: {}.",
        count_of(report.sessions, "session"),
        report.there,
        hours(report.total().seconds)
    );
    if let Some([median, p95]) = report.starts {
        let _ = write!(
            text,
            " Time from request to ready: {} (median), {} (95th percentile).",
            seconds(median),
            seconds(p95)
        );
    }
    text.push_str(&saved(report).unwrap_or_default());
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
    section(&mut text, "Usage by size", sizes(report));
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

/// Says how much time the reaper saved, unless it saved none in both periods.
fn saved(report: &Report) -> Option<String> {
    let detail = report.detail.as_ref()?;
    let change = change(detail);
    if detail.saved == 0 && detail.saved_before.unwrap_or_default() == 0 {
        return None;
    }
    let change = change.map(|it| format!(" ({it})")).unwrap_or_default();
    Some(format!(
        "\nThe reaper saved up to {}{change}. Sessions that it stopped early would have run until the \
         end of their lifetime, or until their owner started another one.",
        hours(detail.saved)
    ))
}

/// Compares the saved time with that of the previous period.
pub(super) fn change(detail: &ReportDetail) -> Option<String> {
    let change = detail.saved - detail.saved_before?;
    let sign = if change < 0 { '-' } else { '+' };
    Some(format!("{sign}{} vs. last period", hours(change.abs())))
}

/// Returns a line for each owner with the most usage, and one for all others together.
fn users(report: &Report) -> Vec<String> {
    let (most, others) = report.most_active(MAX_NAMED);
    let whose = |(owner, it): &(OwnerId, UsageTotal)| used(&format!("<@{owner}>"), it);
    let mut lines: Vec<_> = most.iter().map(whose).collect();
    if others.sessions > 0 {
        lines.push(used(OTHERS, &others));
    }
    lines
}

/// Returns a line for each size with the most usage, and one for all others together.
fn sizes(report: &Report) -> Vec<String> {
    let sizes = report.detail.iter().flat_map(|it| &it.sizes);
    let mut lines: Vec<_> = sizes
        .clone()
        .take(MAX_NAMED)
        .map(|(name, it)| used(&plain(name), it))
        .collect();
    let rest = sizes.skip(MAX_NAMED).map(|(_, it)| *it);
    if let Some(others) = rest.reduce(UsageTotal::plus) {
        lines.push(used(OTHERS, &others));
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
    let sessions = count_of(used.sessions as usize, "session");
    format!("{whose}: {} in {sessions}", hours(used.seconds))
}

/// Formats a duration in hours and minutes.
pub(super) fn hours(seconds: i64) -> String {
    let minutes = seconds / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
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
