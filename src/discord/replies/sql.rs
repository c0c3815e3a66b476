//! Replies about a running query, and about sharing its result.

use chrono::{DateTime, Utc};

use super::{
    answer::quote_query,
    format::relative_time,
    reply::{Emphasis, File, MAX_MESSAGE_CHARS, Reply, message_len},
};
use crate::discord::buttons::Button;

/// Start of the line about a failed share. Cleaned text can't contain it, because `clean` replaces
/// U+FE0F, the second character of the sign.
const SHARE_ERROR_PREFIX: &str = "\n⚠️ ";
/// Start of a note that only the person who asked may see, as [`SHARE_ERROR_PREFIX`].
const NOTE_PREFIX: &str = "\nℹ️ ";

/// Progress of a query, with a button to cancel it.
pub(crate) fn query_running(sql: &str, cancel: &Button, since: DateTime<Utc>) -> Reply {
    Reply::new(format!(
        "{}\nRunning, started {}.",
        quote_query(sql),
        relative_time(since)
    ))
    .with(Emphasis::Danger, "Cancel", cancel.clone())
}

/// Confirms that a query was cancelled.
pub(crate) fn cancelled(sql: &str) -> Reply {
    Reply::new(format!("{}\nCancelled.", quote_query(sql)))
}

/// Tells a person that the bot was restarted while their query ran.
pub(crate) fn interrupted(sql: &str) -> Reply {
    Reply::new(format!(
        "{}\nThe bot was restarted while this query ran, so its result is lost. Run it again in a few \
         seconds. If it changes something, first check whether it already did.",
        quote_query(sql)
    ))
}

/// Reply to **Cancel** if the query is not running.
pub(crate) fn query_over() -> Reply {
    Reply::new(
        "This query is no longer running: it has just finished, or the bot was restarted. Run it again \
         for a result. If it changes something, first check whether it already did.",
    )
}

/// Public message with a shared result. `text` is the text of a reply by `answer`.
pub(crate) fn shared(who: u64, text: &str, files: Vec<File>) -> Reply {
    Reply {
        files,
        ..Reply::new(format!("<@{who}> shared a query:\n{text}"))
    }
}

/// Adds to a result that it was shared.
pub(crate) fn share_done(text: &str) -> Reply {
    Reply::new(format!("{text}\nShared in this channel."))
}

/// Adds a note below a reply that only the person who asked may see, if there is room for it.
pub(crate) fn with_note(reply: Reply, note: &str) -> Reply {
    let text = format!("{}{NOTE_PREFIX}{note}", reply.text);
    if message_len(&text) > MAX_MESSAGE_CHARS {
        return reply;
    }
    Reply { text, ..reply }
}

/// Removes the note and the line about a failed share from the text of a reply.
pub(crate) fn strip_private_lines(text: &str) -> &str {
    // Queries, values and errors are cleaned, so only these lines can match.
    let ends = [SHARE_ERROR_PREFIX, NOTE_PREFIX].map(|prefix| text.find(prefix));
    let end = ends.into_iter().flatten().min();
    &text[..end.unwrap_or(text.len())]
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
