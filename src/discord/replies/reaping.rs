//! Messages about sessions that a rule stops: warnings, alerts and reap plans.

use std::{fmt::Write, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    format::{count_of, duration, plain, relative_time, session_name},
    kept::before_a_stop,
    life::reap_reason,
    reply::{Emphasis, MAX_MESSAGE_CHARS, RESERVE, Reply, message_len},
};
use crate::{
    discord::buttons::Button,
    service::ReapResult,
    session::{Action, Plan, ReapPause, Record, Rule, ScheduledStop, Warning},
};

/// Warns the owner before a rule stops a session.
pub(crate) fn stop_warning(record: &Record, warning: &Warning, extend_by: TimeDelta) -> Reply {
    let Warning { rule, since, at } = warning;
    let session = format!("Session {}", session_name(record));
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

/// Returns the reason of a scheduled stop.
pub(super) fn when(due: &ScheduledStop) -> &'static str {
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
    format!(
        "{} of {}",
        held_back.stops,
        count_of(held_back.of, "session")
    )
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

/// Adds a list with at most `most` lines, as far as the message has room.
pub(super) fn push_list(text: &mut String, lines: &[String], most: usize) {
    for (position, line) in lines.iter().enumerate() {
        let is_full = message_len(text) + message_len(line) > MAX_MESSAGE_CHARS - 2 * RESERVE;
        if position >= most || is_full {
            let _ = write!(text, "\n- …and {} more", lines.len() - position);
            break;
        }
        let _ = write!(text, "\n- {line}");
    }
}

/// Formats a time of day in the reader's time zone.
fn clock(time: DateTime<Utc>) -> String {
    format!("<t:{}:t>", time.timestamp())
}
