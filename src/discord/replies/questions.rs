//! Replies about the text of a query: how it arrived, and how it is run or edited again.

use super::{format::code, reply::Reply};
use crate::discord::query_file::{MAX_FILE_BYTES, UnreadableFile};

/// Refuses a long query whose line breaks Discord has removed.
pub(crate) fn line_breaks_lost() -> Reply {
    Reply::new(
        "The query did not run, because Discord removes the line breaks in this option, so a comment \
         that begins with `--` would hide the rest. The query is too long for a form. Attach it as a \
         file with the option `file`, or write comments as `/* … */`.",
    )
}

/// Refuses a command with both a query and a file.
pub(crate) fn query_and_file() -> Reply {
    Reply::new(
        "Nothing ran, because the command has both `query` and `file`. Use only one of them.",
    )
}

/// Explains why an attached file was not read. `name` is the file's.
pub(crate) fn unreadable_file(name: &str, why: UnreadableFile) -> Reply {
    let name = code(name, 100);
    let limit = MAX_FILE_BYTES >> 10;
    Reply::new(match why {
        UnreadableFile::TooLarge(size) => format!(
            "Nothing ran, because `{name}` has {} KiB, and a file with a query has at most {limit} KiB. \
             Shorten the query, or run it in the session itself: `/duck open`.",
            size.div_ceil(1024)
        ),
        UnreadableFile::NotText => format!(
            "Nothing ran, because `{name}` is not plain text in UTF-8. Save the query as UTF-8, and \
             attach it again."
        ),
        UnreadableFile::Unavailable => format!(
            "Nothing ran, because `{name}` can't be downloaded from Discord. Attach it again."
        ),
    })
}
