//! The table of all commands. Registration, parsing, `/duck help` and commands.md use it. Pure.
//!
//! docs/development.md lists the steps to add a command.

mod forget;
mod list;
mod open;
mod reap;
mod setup;
mod sql;
pub(super) mod start;
mod status;
mod stop;

use std::fmt::Write;

use serenity::all::{CommandOptionType, CreateCommand, CreateCommandOption};

use crate::door::ticket;

/// Name of the slash command. All others are its subcommands.
pub(super) const ROOT: &str = "duck";

/// A command: `/duck <name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    Setup,
    Start,
    Open,
    Extend,
    Stop,
    Forget,
    List,
    Sql,
    Tables,
    Describe,
    Status,
    Report,
    Reap,
    Help,
}

/// Name, texts and options of a command.
pub struct CommandSpec {
    pub name: &'static str,
    /// Single line without a period. Discord allows at most 100 characters.
    pub summary: &'static str,
    /// Paragraph for commands.md. `{link_lifetime}` stands for [`ticket::lifetime`].
    pub details: &'static str,
    pub options: &'static [OptionSpec],
}

/// An option of a command.
pub struct OptionSpec {
    pub name: &'static str,
    /// Single line without a period. Discord allows at most 100 characters.
    pub summary: &'static str,
    pub value: OptionKind,
}

/// The kind of value of an option. Only [`OptionKind::Required`] can't be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Text.
    Text,
    /// Required text, with suggestions while typing.
    Required,
    /// Text, with suggestions while typing.
    Suggested,
    /// True or false.
    Flag,
}

pub(super) const SIZE: &str = "size";
pub(super) const CATALOG: &str = "catalog";
pub(super) const SESSION: &str = "session";
pub(super) const DURATION: &str = "duration";
pub(super) const QUERY: &str = "query";
pub(super) const SHARE: &str = "share";
pub(super) const PATTERN: &str = "pattern";
pub(super) const TABLE: &str = "table";
pub(super) const ALL: &str = "all";

impl CommandKind {
    /// Commands, in the order in which a new person needs them.
    pub const ALL: [Self; 14] = [
        Self::Setup,
        Self::Start,
        Self::Open,
        Self::Sql,
        Self::Tables,
        Self::Describe,
        Self::List,
        Self::Status,
        Self::Extend,
        Self::Stop,
        Self::Forget,
        Self::Report,
        Self::Reap,
        Self::Help,
    ];

    /// Finds a command by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.spec().name == name)
    }

    /// Returns the command's entry in the table.
    pub fn spec(self) -> CommandSpec {
        match self {
            Self::Setup => CommandSpec {
                name: "setup",
                summary: "Enter your S3 credentials in private",
                details: "The bot sends you a direct message with a button. It opens a form for \
                    your access key ID, your secret access key and, if you have them, a session \
                    token with its expiry and a catalog token. You can also paste lines of an env \
                    file or an AWS credentials file into any field. Nothing that you enter there \
                    appears in a chat. The bot checks the credentials before it saves them. Later, \
                    the same command shows your saved credentials; you can replace them, check \
                    them again, or delete them.",
                options: &[OptionSpec {
                    name: CATALOG,
                    summary: "Catalog to check the credentials against",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Start => CommandSpec {
                name: "start",
                summary: "Start your own DuckDB, attached to the team's tables",
                details: "The bot posts the link in the channel when the session is ready. If you \
                    already have a session, the bot shows it to you first.",
                options: &[
                    OptionSpec {
                        name: SIZE,
                        summary: "Amount of CPU, memory and disk",
                        value: OptionKind::Suggested,
                    },
                    OptionSpec {
                        name: CATALOG,
                        summary: "Catalog with the tables to attach",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Open => CommandSpec {
                name: "open",
                summary: "Get a link that opens your session",
                details: "Only you see the link. It is valid for {link_lifetime} and works in one \
                    browser, which then stays signed in until the session ends. The **Open** \
                    button under a session's message does the same. If you have only one session, \
                    you can leave out its ID. Nobody else can open your session, not even an admin.",
                options: &[OptionSpec {
                    name: SESSION,
                    summary: "Session ID, if you have several sessions",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Sql => CommandSpec {
                name: "sql",
                summary: "Query the team's tables with SQL",
                details: "Without a query, a form opens for longer ones. The query runs in a \
                    separate DuckDB next to your session, with your credentials. It does not see \
                    the session's own tables and settings, and does not slow it down. Only you see \
                    the result until you press **Share**. Results that are too long for a message \
                    come as a CSV file. Send one statement at a time. It must be one that DuckDB \
                    treats as a `SELECT`, unless this server's admins allow you more.",
                options: &[
                    OptionSpec {
                        name: QUERY,
                        summary: "One SELECT statement; without it, a form opens",
                        value: OptionKind::Text,
                    },
                    OptionSpec {
                        name: SHARE,
                        summary: "Show the result to everybody in the channel",
                        value: OptionKind::Flag,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Session ID, if you have several sessions",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Tables => CommandSpec {
                name: "tables",
                summary: "Show the tables that you can query",
                details: "Lists the tables of your session's catalog, by schema and name. A \
                    pattern matches any part of a name; `*` matches any text. The list can be up \
                    to a minute old.",
                options: &[
                    OptionSpec {
                        name: PATTERN,
                        summary: "Part of a name, such as orders or sales.*",
                        value: OptionKind::Text,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Session ID, if you have several sessions",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Describe => CommandSpec {
                name: "describe",
                summary: "Show a table's columns",
                details: "Lists the columns with their DuckDB types.",
                options: &[
                    OptionSpec {
                        name: TABLE,
                        summary: "Name of the table, such as sales.orders",
                        value: OptionKind::Required,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Session ID, if you have several sessions",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::List => CommandSpec {
                name: "list",
                summary: "Show your sessions, or everybody's",
                details: "Shows when each session will be stopped, and why. Only you see the \
                    answer.",
                options: &[OptionSpec {
                    name: ALL,
                    summary: "Show everybody's sessions",
                    value: OptionKind::Flag,
                }],
            },
            Self::Status => CommandSpec {
                name: "status",
                summary: "Show details of a session",
                details: "Shows the session's cluster node, how often DuckDB was restarted and \
                    why, running queries, memory use if it is measured, and the latest events from \
                    the cluster. A button shows the last lines of DuckDB's log, without your \
                    credentials. Admins can see the details of any session. Only you see the \
                    answer.",
                options: &[OptionSpec {
                    name: SESSION,
                    summary: "Session ID, if you have several sessions",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Extend => CommandSpec {
                name: "extend",
                summary: "Keep a session running longer",
                details: "Sessions are stopped when they are idle for a long time, or when they \
                    are too old. The bot warns you in a direct message, which has a button that \
                    does the same as this command. This server's admins decide by how much you can \
                    extend a session, and how old it can get.",
                options: &[
                    OptionSpec {
                        name: DURATION,
                        summary: "Extra time, such as 2h or 1h 30m",
                        value: OptionKind::Suggested,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Session ID, if you have several sessions",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Report => CommandSpec {
                name: "report",
                summary: "For admins: show recent sessions, why they ended, and which stop next",
                details: "Covers the time since the last report in the admin channel. Only you see \
                    the answer.",
                options: &[],
            },
            Self::Reap => CommandSpec {
                name: "reap",
                summary: "For admins: show sessions that are due to be stopped, and stop them",
                details: "First, the bot lists what it would stop or remove, and why. It stops and \
                    removes nothing until you confirm. This also works while reaping is paused \
                    because too many sessions are due at once.",
                options: &[],
            },
            Self::Stop => CommandSpec {
                name: "stop",
                summary: "Stop one of your sessions",
                details: "The bot asks for confirmation first, because tables and notebooks that \
                    are not saved elsewhere will be lost. If you have only one session, you can \
                    leave out its ID. Admins can stop any session.",
                options: &[OptionSpec {
                    name: SESSION,
                    summary: "Session ID, if you have several sessions",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Forget => CommandSpec {
                name: "forget",
                summary: "Delete your saved S3 credentials",
                details: "The bot asks for confirmation first, and shows which sessions use the \
                    credentials. Running sessions keep using them until they are stopped; \
                    sessions that are still starting are stopped.",
                options: &[],
            },
            Self::Help => CommandSpec {
                name: "help",
                summary: "Show all commands",
                details: "",
                options: &[],
            },
        }
    }
}

/// Builds the registration of all commands with Discord.
pub(super) fn registration() -> [CreateCommand; 1] {
    let commands = CommandKind::ALL.map(|kind| {
        let spec = kind.spec();
        let command =
            CreateCommandOption::new(CommandOptionType::SubCommand, spec.name, spec.summary);
        spec.options.iter().fold(command, |command, option| {
            let is_suggested = matches!(option.value, OptionKind::Suggested | OptionKind::Required);
            let kind = match option.value {
                OptionKind::Suggested | OptionKind::Required | OptionKind::Text => {
                    CommandOptionType::String
                }
                OptionKind::Flag => CommandOptionType::Boolean,
            };
            command.add_sub_option(
                CreateCommandOption::new(kind, option.name, option.summary)
                    .required(option.value == OptionKind::Required)
                    .set_autocomplete(is_suggested),
            )
        })
    });
    [CreateCommand::new(ROOT)
        .description("Your own DuckDB, attached to the team's tables")
        .set_options(commands.into())]
}

/// Writes commands.md, the reference of all commands.
pub fn reference() -> String {
    let mut text = String::from(
        "# Commands\n\n\
         <!-- Generated by `duckbot commands`; a test compares this file with the code. -->\n\n\
         Commands that people type in Discord. Options in square brackets are optional.\n",
    );
    for kind in CommandKind::ALL {
        let spec = kind.spec();
        // Writing to a String can't fail.
        let _ = write!(text, "\n## `{}`\n\n{}.\n", usage(&spec), spec.summary);
        if !spec.details.is_empty() {
            let details = spec.details.replace("{link_lifetime}", &ticket::lifetime());
            let _ = write!(text, "\n{details}\n");
        }
        if !spec.options.is_empty() {
            text.push_str("\n| option | description |\n| --- | --- |\n");
        }
        for option in spec.options {
            let _ = writeln!(text, "| `{}` | {} |", option.name, option.summary);
        }
    }
    text
}

/// Formats a command with its options, as it is typed.
pub(super) fn usage(spec: &CommandSpec) -> String {
    let options = spec.options.iter().map(|option| match option.value {
        OptionKind::Suggested | OptionKind::Text => format!(" [{}]", option.name),
        OptionKind::Required => format!(" {}", option.name),
        OptionKind::Flag => format!(" [{}:True]", option.name),
    });
    format!("/{ROOT} {}{}", spec.name, options.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_md_matches_the_table() {
        let written = include_str!("../../../commands.md");
        assert_eq!(
            written,
            reference(),
            "run: cargo run -- commands > commands.md"
        );
    }

    #[test]
    fn every_name_finds_its_command() {
        for kind in CommandKind::ALL {
            assert_eq!(CommandKind::from_name(kind.spec().name), Some(kind));
        }
        assert_eq!(CommandKind::from_name("quack"), None);
    }
}
