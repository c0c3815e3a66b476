//! Replies about schedules: one with its buttons, and the list.

use super::{
    answer::quote_query,
    format::{code, count_of, date_time, relative_time},
    reply::{Emphasis, MAX_MESSAGE_CHARS, Menu, MenuEntry, RESERVE, Reply, message_len, shorten},
};
use crate::{
    discord::{
        buttons::Button,
        schedule_buttons::{ScheduleAction, ScheduleButton},
        table::clean,
    },
    schedule::{
        BookPause, Condition, LastRun, MAX_FAILURES, PauseReason, RunFailure, RunOutcome, Schedule,
        ScheduleId,
    },
    unicode::isolate,
};

/// Number of schedules on a page of the list.
pub(crate) const PAGE_SCHEDULES: usize = 10;
/// Hint of the menu of schedules.
const MENU_HINT: &str = "Choose a schedule";
/// Maximum length of recurring times in a reply.
const MAX_WHEN_CHARS: usize = 60;
/// Maximum length of a query in the list.
const MAX_LISTED_CHARS: usize = 40;
/// Maximum length of an entry of the menu. Discord allows 100 characters, and [`isolate`] may add two.
const MAX_ENTRY_CHARS: usize = 98;

/// A schedule as a person sees it.
pub(crate) struct ScheduleView<'a> {
    pub id: &'a ScheduleId,
    pub schedule: &'a Schedule,
    /// Text of its query, which only its owner sees.
    pub sql: Option<&'a str>,
    /// True if its owner reads this.
    pub is_owner: bool,
}

/// Shows a schedule with its buttons, after a sentence about what was just done.
pub(crate) fn schedule_card(lead: &str, view: &ScheduleView<'_>) -> Reply {
    let ScheduleView { id, schedule, .. } = view;
    let buttons = match &schedule.paused {
        None => [
            (Emphasis::Secondary, "Run now", ScheduleAction::Run),
            (Emphasis::Secondary, "Pause", ScheduleAction::Pause),
        ]
        .to_vec(),
        Some(_) => vec![(Emphasis::Primary, "Resume", ScheduleAction::Resume)],
    };
    let delete = (Emphasis::Danger, "Delete", ScheduleAction::AskToDelete);
    let reply = buttons.into_iter().chain([delete]).fold(
        Reply::new(join(lead, &details(view))),
        |reply, (emphasis, label, action)| reply.with(emphasis, label, act(action, id, false)),
    );
    let reply = if view.is_owner {
        with_change_button(reply, id)
    } else {
        reply
    };
    with_list_button(reply)
}

/// Adds the button that opens the form with a schedule's values. Only its owner can use it.
pub(super) fn with_change_button(reply: Reply, id: &ScheduleId) -> Reply {
    let change = Button::Schedules(ScheduleButton::Change(id.clone()));
    reply.with(Emphasis::Secondary, "Change…", change)
}

/// Adds the button that lists all schedules.
pub(crate) fn with_list_button(reply: Reply) -> Reply {
    let list = Button::Schedules(ScheduleButton::List(0));
    reply.with(Emphasis::Secondary, "All schedules", list)
}

/// Sentence after a schedule was made.
pub(crate) const SCHEDULE_MADE: &str = "**Your query is scheduled.**";

/// Sentence after a schedule was changed.
pub(crate) const SCHEDULE_CHANGED: &str = "**Your schedule is changed.**";

/// Sentence after an action on a schedule. Empty for those without one.
pub(crate) fn schedule_done(action: ScheduleAction, schedule: &Schedule) -> String {
    match action {
        ScheduleAction::Run => format!(
            "**It runs now.** Its result is posted in <#{}>, whatever its condition says.",
            schedule.channel
        ),
        ScheduleAction::Pause => "**It is paused.** A run that has begun posts nothing.".to_owned(),
        ScheduleAction::Resume => "**It runs again.**".to_owned(),
        ScheduleAction::Show | ScheduleAction::AskToDelete | ScheduleAction::Delete => {
            String::new()
        }
    }
}

/// Asks whether to delete a schedule.
pub(crate) fn ask_to_delete(view: &ScheduleView<'_>) -> Reply {
    let text = "**Delete this schedule?** It will not run again. What it has posted stays.";
    Reply::new(join(text, &details(view)))
        .with(
            Emphasis::Danger,
            "Delete",
            act(ScheduleAction::Delete, view.id, false),
        )
        .with(
            Emphasis::Secondary,
            "Keep",
            act(ScheduleAction::Show, view.id, false),
        )
}

/// Confirms that a schedule was deleted.
pub(crate) fn schedule_deleted(schedule: &Schedule) -> Reply {
    with_list_button(Reply::new(format!(
        "The schedule {} for <#{}> is deleted.",
        times(schedule),
        schedule.channel
    )))
}

pub(super) fn act(action: ScheduleAction, id: &ScheduleId, is_notice: bool) -> Button {
    Button::Schedules(ScheduleButton::Act {
        action,
        id: id.clone(),
        is_notice,
    })
}

/// Lists schedules, with a menu to choose one. `shown` is the page after `before` others, and `total` the
/// number of all. With `is_admin`, they may be of anybody.
pub(crate) fn schedule_list(
    shown: &[ScheduleView<'_>],
    (before, total): (usize, usize),
    paused: Option<&BookPause>,
    is_admin: bool,
) -> Reply {
    let head = match (total, is_admin) {
        (0, false) => "You have no schedules.".to_owned(),
        (0, true) => "There are no schedules.".to_owned(),
        (total, false) => format!("You have {}:", count_of(total, "schedule")),
        (total, true) => format!("All schedules ({total}):"),
    };
    let banner = paused.map(|pause| {
        format!(
            "**<@{}> has paused all schedules** ({}). Nothing runs until an admin ends that.\n",
            pause.by,
            relative_time(pause.at)
        )
    });
    let mut text = banner.unwrap_or_default() + &head;
    if total == 0 {
        text += " To make one, run `/duck schedule`, or press **Schedule…** under the result of a query.";
    }
    let (mut entries, mut listed) = (Vec::new(), 0);
    for view in shown {
        let line = format!("\n{}", line(view, paused.is_some()));
        if message_len(&text) + message_len(&line) > MAX_MESSAGE_CHARS - RESERVE {
            break;
        }
        text += &line;
        listed += 1;
        entries.push(entry(view));
    }
    let reply = Reply {
        menu: (!entries.is_empty()).then_some(Menu {
            hint: MENU_HINT,
            entries,
        }),
        ..Reply::new(text)
    };
    let page = |after| Button::Schedules(ScheduleButton::List(after));
    let after = before + listed;
    let reply = match after < total {
        true => reply.with(Emphasis::Secondary, "More", page(after)),
        false if before > 0 => reply.with(Emphasis::Secondary, "Back to the first", page(0)),
        false => reply,
    };
    match (is_admin, paused) {
        (true, Some(_)) => {
            let resume = Button::Schedules(ScheduleButton::ResumeAll);
            reply.with(Emphasis::Primary, "Resume all", resume)
        }
        (true, None) if total > 0 => {
            let pause = Button::Schedules(ScheduleButton::PauseAll);
            reply.with(Emphasis::Danger, "Pause all", pause)
        }
        _ => reply,
    }
}

/// Describes a schedule in a line of the list. With `is_held`, all are paused together.
fn line(view: &ScheduleView<'_>, is_held: bool) -> String {
    let ScheduleView { schedule, sql, .. } = view;
    let what = match sql {
        Some(sql) => format!("`{}`", code(&one_line(sql), MAX_LISTED_CHARS)),
        None if view.is_owner => "a query whose text is gone".to_owned(),
        None => format!("a query of <@{}>", schedule.owner),
    };
    let state = match (&schedule.paused, &schedule.run, schedule.next) {
        (Some(_), ..) => "**paused**".to_owned(),
        (None, Some(_), _) => "**running**".to_owned(),
        (None, None, Some(_)) if is_held => "waiting".to_owned(),
        (None, None, Some(_)) if schedule.is_asked => "about to run".to_owned(),
        (None, None, Some(next)) => format!("next run {}", relative_time(next)),
        (None, None, None) => "no further run".to_owned(),
    };
    let last = schedule.last.as_ref().map(|last| {
        let outcome = match last.outcome {
            RunOutcome::Posted(_) => "posted",
            RunOutcome::Quiet => "nothing to post",
            RunOutcome::Failed(_) => "failed",
            RunOutcome::Unknown => "perhaps posted",
        };
        format!(", last {}: {outcome}", relative_time(last.at))
    });
    format!(
        "- {what}: {} in <#{}>, {state}{}",
        times(schedule),
        schedule.channel,
        last.unwrap_or_default()
    )
}

fn entry(view: &ScheduleView<'_>) -> MenuEntry {
    let ScheduleView { schedule, sql, .. } = view;
    let label = match sql {
        Some(sql) => one_line(sql),
        None => format!("{}, {}", schedule.display_name, schedule.when),
    };
    let next = match (&schedule.paused, schedule.next) {
        (None, Some(next)) => format!("next {}", next.format("%Y-%m-%d %H:%M UTC")),
        _ => "paused".to_owned(),
    };
    let when = isolate(shorten(&clean(&schedule.when), MAX_WHEN_CHARS));
    MenuEntry {
        button: act(ScheduleAction::Show, view.id, false),
        label: isolate(shorten(&clean(&label), MAX_ENTRY_CHARS)),
        description: Some(format!("{when}, {next}")),
    }
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Describes a schedule: its query, when, where and how it posts, its state and its last run.
fn details(view: &ScheduleView<'_>) -> String {
    let ScheduleView { schedule, sql, .. } = view;
    let query = match sql {
        Some(sql) => quote_query(sql),
        None if view.is_owner => "The text of its query is gone.".to_owned(),
        None => format!(
            "A query of <@{}>, who alone can see its text.",
            schedule.owner
        ),
    };
    let mut text = format!(
        "{query}\nRuns {} and posts in <#{}> as a {}{}.",
        times(schedule),
        schedule.channel,
        schedule.format.name(),
        condition(&schedule.condition)
    );
    text += &match (&schedule.paused, &schedule.run, schedule.next) {
        (Some(why), ..) => format!("\n**Paused:** {}", pause_reason(why, view.is_owner)),
        (None, Some(_), _) => "\nIt is running right now.".to_owned(),
        (None, None, Some(_)) if schedule.is_asked => "\nIt is about to run.".to_owned(),
        (None, None, Some(next)) => {
            format!(
                "\nThe next run is {} ({}).",
                relative_time(next),
                date_time(next)
            )
        }
        (None, None, None) => "\nIt has no further run.".to_owned(),
    };
    if let Some(last) = &schedule.last {
        text += &format!("\n{}", last_run(last));
    }
    text
}

/// Names the recurring times in their owner's words.
pub(super) fn times(schedule: &Schedule) -> String {
    format!(
        "`{}` ({})",
        code(&schedule.when, MAX_WHEN_CHARS),
        schedule.zone
    )
}

/// Describes a condition after other words. Empty if each result is posted.
fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Always => String::new(),
        Condition::Rows => ", only if there are rows".to_owned(),
        Condition::Above(limit) => format!(
            ", only if the first value is above {} and was not before",
            limit.as_sql()
        ),
        Condition::Below(limit) => format!(
            ", only if the first value is below {} and was not before",
            limit.as_sql()
        ),
        Condition::Changed => ", only if the result has changed".to_owned(),
    }
}

fn last_run(last: &LastRun) -> String {
    let at = relative_time(last.at);
    match &last.outcome {
        RunOutcome::Posted(_) => format!("The last result was posted {at}."),
        RunOutcome::Quiet => format!(
            "The last run was {at}. Nothing was posted, because its condition did not hold."
        ),
        RunOutcome::Failed(why) => format!("The last run failed {at}: {}", run_failure(why)),
        RunOutcome::Unknown => format!(
            "The last run was {at}. The bot ended or lost Discord while it posted the result, so look in \
             the channel. It is not posted again."
        ),
    }
}

fn run_failure(why: &RunFailure) -> String {
    match why {
        RunFailure::Query => "DuckDB refused the query, or could not read its tables.".to_owned(),
        RunFailure::TimedOut => "the query reached its time limit.".to_owned(),
        RunFailure::Ended => "DuckDB did not start, or ended before it was done.".to_owned(),
        RunFailure::Condition => "its condition can't be applied to the result.".to_owned(),
        RunFailure::ChannelRefused => {
            "Discord does not let me post in the channel. An admin of the server can give me the \
             permission."
                .to_owned()
        }
        RunFailure::TextGone => {
            "the text of its query is gone. Delete it, and make it again.".to_owned()
        }
        RunFailure::Interrupted => "the bot was restarted each time before it was done.".to_owned(),
        RunFailure::Other(reference) => {
            format!(
                "an error in the bot. If this happens again, tell an admin this reference: `{}`.",
                code(reference, 20)
            )
        }
    }
}

/// Says why a schedule is paused, and how it runs again.
pub(super) fn pause_reason(why: &PauseReason, is_owner: bool) -> String {
    let (who, have, may) = if is_owner {
        ("You", "have", "You may")
    } else {
        ("Its owner", "has", "Its owner may")
    };
    let why = match why {
        PauseReason::By(person) => {
            return format!("<@{person}> has paused it. Press **Resume** to let it run again.");
        }
        PauseReason::Failures => {
            return format!(
                "{MAX_FAILURES} runs in a row have failed. When the cause is gone, press **Resume**."
            );
        }
        PauseReason::OwnerLeft if is_owner => {
            "You are not a member of the server any more. Join it again".to_owned()
        }
        PauseReason::OwnerLeft => return "Its owner has left the server.".to_owned(),
        PauseReason::OwnerLostAccess => {
            format!("{may} no longer use this bot in its channel. Ask an admin for access")
        }
        PauseReason::OwnerLostChannel => format!(
            "{may} no longer post in its channel, or the channel is gone. Ask an admin of the server for \
             access"
        ),
        PauseReason::CredentialsGone => format!(
            "{who} {have} no saved credentials for its catalog any more. Enter some with `/duck setup`"
        ),
        PauseReason::CredentialsReplaced => {
            let owner = if is_owner { "" } else { "its owner can " };
            return format!(
                "{who} {have} replaced the credentials that it ran with. To let it run with the present \
                 ones, {owner}press **Resume**."
            );
        }
        PauseReason::CredentialsExpired(at) => format!(
            "The credentials that it ran with expired {}. Enter new ones with `/duck setup`",
            relative_time(*at)
        ),
    };
    format!("{why}, then press **Resume**.")
}

fn join(lead: &str, text: &str) -> String {
    match lead {
        "" => text.to_owned(),
        lead => format!("{lead}\n{text}"),
    }
}
