//! The list of all commands, and the reply to those that are gone.

use std::fmt::Write;

use super::reply::Reply;
use crate::discord::commands::spec::CommandSpec;

/// Lists all commands.
pub(crate) fn help(commands: &[&CommandSpec]) -> Reply {
    let mut text = "Run your own DuckDB on the team's tables:".to_owned();
    for spec in commands {
        let _ = write!(text, "\n- `{}`: {}.", spec.usage(), spec.summary);
    }
    Reply::new(text)
}

/// Reply to a button, form or command of an older version.
pub(crate) fn outdated() -> Reply {
    Reply::new(
        "This is from an older version of the bot and no longer works. Run the command again; \
         `/duck help` lists all commands.",
    )
}
