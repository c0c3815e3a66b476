//! Texts about the pause of starts.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    format::{code, date_time, plain, relative_time},
    reply::Reply,
};
use crate::{
    discord::until::InvalidTime,
    session::{OwnerId, StartPause},
};

/// Confirms to an admin that starts are paused. `is_told` is true if the admin of the earlier pause was
/// told.
pub(crate) fn paused(pause: &StartPause, replaced: Option<&StartPause>, is_told: bool) -> Reply {
    let reason = match &pause.reason {
        Some(reason) => format!("People who try read your reason: {}", plain(reason)),
        None => "You gave no reason. To add one, run `/duck pause` again.".to_owned(),
    };
    let replaced = replaced.map(|old| {
        let (by, old_end) = (old.by, date_time(old.until));
        let whose = if by == pause.by {
            "your earlier pause".to_owned()
        } else {
            format!("the pause of <@{by}>")
        };
        let told = match (by == pause.by, is_told) {
            (true, _) => "",
            (false, true) => " They were told.",
            (false, false) => " I could not send them a message, so please tell them.",
        };
        format!("\nThis replaces {whose} until {old_end}.{told}")
    });
    Reply::new(format!(
        "**Nobody can start a session** until {} ({}). Sessions that run go on. {reason}\nTo end the \
         pause sooner, run `/duck resume`.{}",
        date_time(pause.until),
        relative_time(pause.until),
        replaced.unwrap_or_default()
    ))
}

/// Confirms to an admin that starts are possible. `ended` is the pause that was in force.
pub(crate) fn resumed(ended: Option<&StartPause>) -> Reply {
    Reply::new(match ended {
        Some(ended) => format!(
            "Everybody can start sessions again. The pause would have ended {}.",
            relative_time(ended.until)
        ),
        None => "Starts are not paused.".to_owned(),
    })
}

/// Tells an admin that `by` replaced their pause by `pause`, or ended it.
pub(crate) fn pause_replaced(by: OwnerId, pause: Option<&StartPause>) -> Reply {
    Reply::new(match pause {
        Some(pause) => format!(
            "<@{by}> has replaced your pause of starts. Now it ends {} ({}).{}",
            relative_time(pause.until),
            date_time(pause.until),
            reason(pause)
        ),
        None => {
            format!("<@{by}> has ended your pause of starts. Everybody can start sessions again.")
        }
    })
}

/// Explains why a session or a query runner did not start.
pub(super) fn starts_paused(pause: &StartPause) -> Reply {
    Reply::new(format!(
        "**Nobody can start a session right now**, and no query that needs a new DuckDB can run. This ends \
         {} ({}). <@{}> has paused starts.{} Sessions that run go on, and you can extend them.",
        relative_time(pause.until),
        date_time(pause.until),
        pause.by,
        reason(pause)
    ))
}

/// Adds a line about the pause that is in force.
pub(crate) fn with_pause(mut reply: Reply, pause: Option<&StartPause>) -> Reply {
    if let Some(pause) = pause {
        let until = date_time(pause.until);
        let why = reason(pause);
        reply.text += &format!("\n**Nobody can start a session** until {until}.{why}");
    }
    reply
}

fn reason(pause: &StartPause) -> String {
    let reason = pause.reason.as_deref();
    let reason = reason.map(|reason| format!(" The reason: {}", plain(reason)));
    reason.unwrap_or_default()
}

/// Status of the bot in Discord during a pause. It can't contain a timestamp.
pub(crate) fn paused_status(pause: &StartPause, now: DateTime<Utc>, zone: Tz) -> String {
    let until = pause.until.with_timezone(&zone);
    let is_today = until.date_naive() == now.with_timezone(&zone).date_naive();
    let format = if is_today {
        "%H:%M %Z"
    } else {
        "%b %-d, %H:%M %Z"
    };
    format!("Starts are paused until {}", until.format(format))
}

/// Reply to a text that is no time for the end of a pause.
pub(crate) fn invalid_time(given: &str, why: InvalidTime, zone: Tz) -> Reply {
    let given = code(given, 41);
    Reply::new(match why {
        InvalidTime::Unreadable => format!(
            "`{given}` is not a time. Enter one like `18:00`, `2h`, `tomorrow 8:00` or `2026-11-28 \
             18:00`. Times are in the time zone {zone} (`report.time_zone`)."
        ),
        InvalidTime::Past(at) => format!(
            "`{given}` was {} ({}), in the time zone {zone} (`report.time_zone`). Enter a time in the \
             future.",
            relative_time(at),
            date_time(at)
        ),
        InvalidTime::TooFar => format!(
            "`{given}` is more than 30 days from now. Enter an earlier time. You can pause again later."
        ),
    })
}

/// Reply to a reason that is too long.
pub(crate) fn reason_too_long(max: usize) -> Reply {
    Reply::new(format!(
        "The reason can have at most {max} characters. Shorten it, then run `/duck pause` again."
    ))
}
