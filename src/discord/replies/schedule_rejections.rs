//! Texts of rejected requests about schedules.

use super::{
    format::{code, date_time, duration, relative_time},
    reply::Reply,
};
use crate::{
    schedule::{InvalidWhen, MAX_SCHEDULES},
    service::{ScheduleAccess, ScheduleRejection},
};

/// Maximum length of a typed text in a sentence.
const MAX_GIVEN_CHARS: usize = 60;

/// Explains why a request about schedules was rejected.
pub(super) fn schedule_rejected(rejection: &ScheduleRejection) -> Reply {
    let quoted = |given: &str| format!("`{}`", code(given, MAX_GIVEN_CHARS));
    Reply::new(match rejection {
        ScheduleRejection::Disabled => "Schedules are turned off here. An admin can turn them on \
             (`schedules.per_user` and `sql.runners`)."
            .to_owned(),
        ScheduleRejection::InvalidWhen { given, why } => {
            format!("{} {}", quoted(given), invalid_when(*why))
        }
        ScheduleRejection::UnknownZone(given) => format!(
            "There is no time zone {}. Enter a name such as `Europe/Berlin`, `America/New_York` or `UTC`.",
            quoted(given)
        ),
        ScheduleRejection::InvalidCondition(given) => format!(
            "{} is not a condition. Leave **Only if** empty to post each result, or enter `rows`, `> 100`, \
             `< 100` or `changed`.",
            quoted(given)
        ),
        ScheduleRejection::UnknownFormat(given) => format!(
            "A result can't be shown as {}. Enter `table`, `chart` or `file`.",
            quoted(given)
        ),
        ScheduleRejection::TooOften(shortest) => format!(
            "That is too often: there must be {} or more between two runs. Enter fewer times.",
            duration(shortest.num_seconds())
        ),
        ScheduleRejection::Never => {
            "That time never comes. Enter one that does, such as `every month on the 1st at 9:00`."
                .to_owned()
        }
        ScheduleRejection::LimitReached(limit) => format!(
            "You already have {limit} schedules, and the limit is {limit}. Delete one with \
             `/duck schedules`, then try again."
        ),
        ScheduleRejection::BookFull => format!(
            "Your team has {MAX_SCHEDULES} schedules, which is the limit for all together. Ask people to \
             delete some with `/duck schedules`."
        ),
        ScheduleRejection::CredentialsExpireBefore { expire, next } => {
            let text = format!(
                "Your credentials expire {} ({}), which is before the next run ({}). Enter credentials \
                 that last longer, then try again.",
                relative_time(*expire),
                date_time(*expire),
                date_time(*next)
            );
            return Reply::new(text).with_form(None);
        }
        ScheduleRejection::Channel { access, is_owner } => channel(access, *is_owner),
        ScheduleRejection::NoSuchSchedule(_) => {
            "This schedule does not exist any more. `/duck schedules` lists yours.".to_owned()
        }
        ScheduleRejection::NotYours(owner) => format!(
            "Only <@{owner}> can do that, because this schedule runs with their credentials."
        ),
        ScheduleRejection::Paused(_) => {
            "This schedule is paused, so it did not run. Press **Resume** first.".to_owned()
        }
        ScheduleRejection::AllPaused(pause) => format!(
            "Nothing runs right now, because <@{}> has paused all schedules ({}). An admin can end that \
             with `/duck schedules`.",
            pause.by,
            relative_time(pause.at)
        ),
        ScheduleRejection::Running => {
            "This schedule is running right now. Its result comes when it is done.".to_owned()
        }
    })
}

fn invalid_when(why: InvalidWhen) -> &'static str {
    match why {
        InvalidWhen::Unreadable => {
            "is not a recurring time. Enter one like `every weekday at 9:00`, `mondays 8:30`, `every 2 \
             hours` or `every month on the 1st at 9:00`, or a cron expression such as `0 9 * * MON`."
        }
        InvalidWhen::NoTime => "has no time of day. Add one, as in `every weekday at 9:00`.",
        InvalidWhen::DifferentMinutes => {
            "has times with different minutes. Enter times with the same ones, as in `every day at 9:00 and \
             17:00`, or make a schedule for each."
        }
        InvalidWhen::Uneven => {
            "does not divide an hour or a day into equal parts. Enter an interval that does, such as `every \
             15 minutes` or `every 6 hours`."
        }
    }
}

fn channel(access: &ScheduleAccess, is_owner: bool) -> String {
    const ELSEWHERE: &str =
        "For another channel, run `/duck schedule` there, or with the option `channel`.";
    let (who, they) = if is_owner {
        ("You", "You")
    } else {
        ("Its owner", "They")
    };
    match access {
        ScheduleAccess::Allowed { .. } => "Results can be posted in this channel.".to_owned(),
        ScheduleAccess::NotAMember => {
            "The owner of a schedule must be a member of this server.".to_owned()
        }
        ScheduleAccess::NoAccess => {
            format!("{who} can't use this bot in that channel. {ELSEWHERE}")
        }
        ScheduleAccess::NoChannel => format!(
            "Results can't be posted in this channel. They can in a text channel of this server, and in a \
             public thread. {ELSEWHERE}"
        ),
        ScheduleAccess::OwnerMayNotPost(names) => {
            format!("{who} can't post in that channel. {they} lack: **{names}**. {ELSEWHERE}")
        }
        ScheduleAccess::BotMayNotPost(names) => format!(
            "I can't post in that channel. I lack: **{names}**. An admin of the server can give me the \
             permission. {ELSEWHERE}"
        ),
    }
}
