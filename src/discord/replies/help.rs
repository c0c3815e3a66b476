//! The list of all commands, and the reply to those that are gone.

use std::fmt::Write;

use super::reply::Reply;
use crate::discord::commands::spec::{CommandSpec, ROOT};

/// Shows the first steps, and lists the commands that the person can use.
pub(crate) fn help(commands: &[&CommandSpec]) -> Reply {
    let mut text = String::new();
    if commands.iter().any(|it| it.name == "sql") {
        text += "Query the team's tables here with `/duck sql`. You need no session for that.\n";
    }
    text += "Run your own DuckDB on the team's tables, in three steps:\n\
        1. `/duck start` starts your session.\n\
        2. Press **Open** under the message with the link.\n\
        3. When you are done, `/duck stop`. You are warned before an idle session is stopped.\n\
        The first time, paste your credentials into the form that opens.\n\
        You can use these commands:";
    for spec in commands {
        // Discord shows the options while a person types. All commands must fit into the message.
        let _ = write!(text, "\n- `/{ROOT} {}`: {}.", spec.name, spec.summary);
    }
    Reply::new(text)
}

/// Reply to a button, form or command of an older version.
pub(crate) fn outdated() -> Reply {
    Reply::new(
        "This is from an older version of the bot and no longer works. Run the command again; \
         `/duck help` lists your commands.",
    )
}
