//! Messages about runs of schedules: the posted result, and notices to the owner.

use super::{
    answer::answer,
    errors::failed,
    format::{code, date_time, plain, relative_time},
    query_errors::{QueryContext, block, is_out_of_memory, point_at_error},
    questions::with_query,
    rejections::refused,
    reply::{Emphasis, Reply, message_len},
    schedules::{act, pause_reason, times, with_change_button},
};
use crate::{
    discord::schedule_buttons::ScheduleAction,
    runtime::QueryResponse,
    schedule::{ClaimedRun, Condition, MAX_FAILURES, PauseReason},
    service::RunProblem,
};

/// Advice for a query that needs too much time or memory.
const READ_LESS: &str = "Press **Change…** to let it read less.";

/// Post with the result of a run. `is_late` is true if it was due a while ago.
pub(crate) fn scheduled_result(
    run: &ClaimedRun,
    is_late: bool,
    question: &QueryContext<'_>,
    rows: &QueryResponse,
) -> Reply {
    let schedule = &run.schedule;
    let late = if is_late {
        format!(" It was due {}.", date_time(run.run.due))
    } else {
        String::new()
    };
    let head = format!(
        "**Scheduled query** of <@{}>, {}.{late} They can stop it with `/duck schedules`.",
        schedule.owner,
        times(schedule)
    );
    let question = QueryContext {
        lead_chars: message_len(&head) + 1,
        ..*question
    };
    let reply = answer(&question, rows);
    // The buttons and the menu are for the person who asked, and work in private replies only.
    Reply {
        files: reply.files,
        ..Reply::new(format!("{head}\n{}", reply.text))
    }
}

/// Tells the owner that a run failed. `is_last` is true if the schedule is paused now.
pub(crate) fn run_failed(
    run: &ClaimedRun,
    sql: Option<&str>,
    why: &RunProblem,
    is_last: bool,
) -> Reply {
    let schedule = &run.schedule;
    let next = match (is_last, schedule.next) {
        (true, _) => format!(
            "**{MAX_FAILURES} runs in a row have failed, so it is paused.** When the cause is gone, press \
             **Resume**."
        ),
        (false, Some(next)) => format!("It runs again {}.", relative_time(next)),
        (false, None) => String::new(),
    };
    let head = format!(
        "**Your scheduled query failed.** It runs {} for <#{}>, where nothing was posted. {next}",
        times(schedule),
        schedule.channel
    );
    let reason = reason(run, sql.unwrap_or_default(), why);
    let reply = Reply::new(format!("{head}\n{}", reason.text));
    let first = if is_last {
        vec![(Emphasis::Primary, "Resume", ScheduleAction::Resume)]
    } else {
        vec![
            (Emphasis::Secondary, "Run now", ScheduleAction::Run),
            (Emphasis::Secondary, "Pause", ScheduleAction::Pause),
        ]
    };
    with_actions(reply, run, &first)
}

/// Tells the owner that nobody knows whether a result was posted.
pub(crate) fn run_unknown(run: &ClaimedRun) -> Reply {
    let schedule = &run.schedule;
    let text = format!(
        "**I don't know whether the result of your scheduled query was posted.** It runs {} for <#{}>. While I \
         posted the result, I was restarted or lost Discord. Look in the channel: I don't post it again by \
         myself.",
        times(schedule),
        schedule.channel
    );
    let run_now = (Emphasis::Secondary, "Run now", ScheduleAction::Run);
    with_actions(Reply::new(text), run, &[run_now])
}

fn reason(run: &ClaimedRun, sql: &str, why: &RunProblem) -> Reply {
    let schedule = &run.schedule;
    let said = |text: String| with_query(sql, Reply::new(text));
    match why {
        RunProblem::Answer(answered) => match &**answered {
            QueryResponse::TimedOut => {
                said(format!("The query reached its time limit. {READ_LESS}"))
            }
            QueryResponse::Exited => said(format!(
                "DuckDB exited without an answer, probably because it ran out of memory. {READ_LESS}"
            )),
            QueryResponse::Error(error) if is_out_of_memory(error) => {
                let error = block(&point_at_error(sql, error));
                said(format!("{error}\n{READ_LESS}"))
            }
            answered => {
                let question = QueryContext {
                    sql,
                    catalog: &schedule.catalog,
                    ..QueryContext::default()
                };
                answer(&question, answered)
            }
        },
        RunProblem::Rejected(why) => with_query(sql, refused(why)),
        RunProblem::NotANumber(kind) => said(format!(
            "The condition `{}` compares the first value with a number, but the first column is of the type \
             {}. Press **Change…**, and put a number into the first column.",
            schedule.condition,
            plain(kind)
        )),
        RunProblem::NotComparable(error) => {
            let error = match error.as_str() {
                "" => String::new(),
                error => format!(" DuckDB's error: {}", plain(error)),
            };
            let what = match schedule.condition {
                Condition::Changed => "can't compare this result with the last one",
                _ => "can't compare this result with the limit",
            };
            said(format!(
                "DuckDB {what}, so the condition `{}` can't be applied. Press **Change…**, \
                 and use a `SELECT`, or no condition.{error}",
                schedule.condition
            ))
        }
        RunProblem::ChannelRefused => said(format!(
            "Discord does not let me post in <#{}>. Ask an admin of the server to let me view the channel, \
             send messages and attach files there.",
            schedule.channel
        )),
        RunProblem::TextGone => {
            Reply::new("The text of its query is gone. Press **Change…** to enter it again.")
        }
        RunProblem::Interrupted => {
            said("I was restarted each time before the query was done.".to_owned())
        }
        RunProblem::Failed { error, reference } => {
            with_query(sql, failed(error, &code(reference, 20)))
        }
    }
}

/// Tells the owner that their schedule was paused instead of run.
pub(crate) fn schedule_paused_notice(run: &ClaimedRun, why: &PauseReason) -> Reply {
    let schedule = &run.schedule;
    let text = format!(
        "<@{}> Your scheduled query {} for <#{}> is **paused**, and did not run. {}",
        schedule.owner,
        times(schedule),
        schedule.channel,
        pause_reason(why, true)
    );
    let resume = (Emphasis::Primary, "Resume", ScheduleAction::Resume);
    with_actions(Reply::new(text), run, &[resume])
}

fn with_actions(
    reply: Reply,
    run: &ClaimedRun,
    actions: &[(Emphasis, &'static str, ScheduleAction)],
) -> Reply {
    let delete = (Emphasis::Danger, "Delete", ScheduleAction::AskToDelete);
    let all = actions.iter().copied().chain([delete]);
    let reply = all.fold(reply, |reply, (emphasis, label, action)| {
        reply.with(emphasis, label, act(action, &run.id, true))
    });
    with_change_button(reply, &run.id)
}
