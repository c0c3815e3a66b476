//! Replies about a running query, and about sharing its result.

use chrono::{DateTime, Utc};

use super::{
    answer::quote_query,
    format::relative_time,
    reply::{Emphasis, File, Reply},
};
use crate::discord::buttons::Button;

/// Start of the line about a failed share. Cleaned text can't contain it, because `clean` replaces
/// U+FE0F, the second character of the sign.
const SHARE_ERROR_PREFIX: &str = "\n⚠️ ";

/// Progress of a query, with a button to cancel it.
pub(crate) fn query_running(sql: &str, id: &str, since: DateTime<Utc>) -> Reply {
    Reply::new(format!(
        "{}\nRunning, started {}.",
        quote_query(sql),
        relative_time(since)
    ))
    .with(Emphasis::Danger, "Cancel", Button::Cancel(id.to_owned()))
}

/// Confirms that a query was cancelled.
pub(crate) fn cancelled(sql: &str) -> Reply {
    Reply::new(format!("{}\nCancelled.", quote_query(sql)))
}

/// Reply to **Cancel** if the query has already ended.
pub(crate) fn query_over() -> Reply {
    Reply::new("This query has already finished.")
}

/// Public message with a shared result. `text` is the text of a reply by `answer`.
pub(crate) fn shared(who: u64, text: &str, file: Option<File>) -> Reply {
    Reply {
        file,
        ..Reply::new(format!("<@{who}> shared a query:\n{text}"))
    }
}

/// Adds to a result that it was shared.
pub(crate) fn share_done(text: &str) -> Reply {
    Reply::new(format!("{text}\nShared in this channel."))
}

/// Removes the line about a failed share from the text of a reply.
pub(crate) fn strip_share_error(text: &str) -> &str {
    // Queries, values and errors are cleaned, so only that line can match.
    let said = text.rsplit_once(SHARE_ERROR_PREFIX);
    said.map_or(text, |(text, _)| text)
}

/// Adds to a result that the person lacks permissions to post it. `missing` has their names.
pub(crate) fn share_denied(text: &str, missing: &[&str]) -> Reply {
    let names: Vec<_> = missing.iter().map(|name| format!("**{name}**")).collect();
    let (permission, this) = match missing.len() {
        1 => ("permission", "this permission"),
        _ => ("permissions", "these permissions"),
    };
    let why = format!(
        "I did not share the result, because you don't have the {permission} {} here. Only you can \
         see it. To share it, run the query with `share:True` in a channel where you have {this}.",
        names.join(" and ")
    );
    share_failed(text, &why)
}

/// Adds to a result that Discord does not let the bot share it. `code` is Discord's error code.
pub(crate) fn share_refused(text: &str, code: Option<isize>) -> Reply {
    let code = code.map_or_else(|| "unknown".to_owned(), |code| code.to_string());
    let why = format!(
        "Discord does not let me post in this channel (error {code}), so nobody else sees the \
         result. An admin can grant the permission."
    );
    share_failed(text, &why)
}

/// Adds to a result that its file is gone.
pub(crate) fn share_without_file(text: &str) -> Reply {
    let why = "The result's file can't be downloaded from Discord any more. Run the query again \
               with `share:True`.";
    share_failed(text, why)
}

/// Adds to a result why it could not be shared, with the button to try again.
pub(crate) fn share_failed(text: &str, why: &str) -> Reply {
    Reply::new(format!("{text}{SHARE_ERROR_PREFIX}{why}")).with(
        Emphasis::Secondary,
        "Share",
        Button::Share,
    )
}
