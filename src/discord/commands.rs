//! The commands: one table from which they are registered, parsed, helped with
//! and documented (commands.md). Pure.

use std::fmt::Write;

use serenity::all::{CommandOptionType, CreateCommand, CreateCommandOption};

/// The name that all commands start with.
pub const ROOT: &str = "duck";

/// A command, as `/duck <name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    /// Hand in credentials.
    Setup,
    /// Start a session.
    Start,
    /// Open a session.
    Open,
    /// Let a session live longer.
    Extend,
    /// Stop a session.
    Stop,
    /// Forget credentials.
    Forget,
    /// Show sessions.
    List,
    /// Ask DuckDB.
    Sql,
    /// Show the tables.
    Tables,
    /// Show a table's columns.
    Describe,
    /// Look at one session closely.
    Status,
    /// Tell what ran.
    Report,
    /// Take down what is to go.
    Reap,
    /// Explain the commands.
    Help,
}

/// What one command is called and takes.
pub struct CommandSpec {
    /// Its name.
    pub name: &'static str,
    /// One line, up to 100 characters.
    pub summary: &'static str,
    /// What else a person should know.
    pub details: &'static str,
    /// What it takes.
    pub options: &'static [OptionSpec],
}

/// An option of a command.
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// One line, up to 100 characters.
    pub summary: &'static str,
    /// What kind of value.
    pub value: OptionKind,
}

/// The kind of value that an option takes. Most can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// A text.
    Text,
    /// A text, with suggestions while typing, that can't be left out.
    Required,
    /// A text, with suggestions while typing.
    Suggested,
    /// Yes or no.
    Flag,
}

/// Option `size`.
pub const SIZE: &str = "size";
/// Option `catalog`.
pub const CATALOG: &str = "catalog";
/// Option `session`.
pub const SESSION: &str = "session";
/// Option `duration`.
pub const DURATION: &str = "duration";
/// Option `query`.
pub const QUERY: &str = "query";
/// Option `share`.
pub const SHARE: &str = "share";
/// Option `pattern`.
pub const PATTERN: &str = "pattern";
/// Option `table`.
pub const TABLE: &str = "table";
/// Option `all`.
pub const ALL: &str = "all";

impl CommandKind {
    /// All of them, in the order of a first day.
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

    /// The command with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.spec().name == name)
    }

    /// The table.
    pub fn spec(self) -> CommandSpec {
        match self {
            Self::Setup => CommandSpec {
                name: "setup",
                summary: "Hand in your S3 credentials, in private",
                details: "I send you a direct message with a button. It opens a form for your \
                    access key ID, your secret access key and, if you have them, a session token \
                    with its expiry and a catalog token. Lines of an env file or an AWS \
                    credentials file will do as well, in any field. Nothing that you type there \
                    stands in any chat. I try the keys before I keep them. Doing it again shows \
                    what I have; you can replace it, have it checked again, or have it forgotten.",
                options: &[OptionSpec {
                    name: CATALOG,
                    summary: "Which tables the keys are tried against",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Start => CommandSpec {
                name: "start",
                summary: "Start your own DuckDB, attached to the team's tables",
                details: "I post its link in the channel when it is ready. If one of yours runs \
                    already, I show it to you first.",
                options: &[
                    OptionSpec {
                        name: SIZE,
                        summary: "How much processor and memory it gets",
                        value: OptionKind::Suggested,
                    },
                    OptionSpec {
                        name: CATALOG,
                        summary: "Which tables it is attached to",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Open => CommandSpec {
                name: "open",
                summary: "Get a link that opens your session",
                details: "Only you see the link. It is good for one minute and for one browser, \
                    which then stays in until the session ends. The button Open under the \
                    message about a session does the same. With one session you need not say \
                    which. Nobody else can open it, not even an admin.",
                options: &[OptionSpec {
                    name: SESSION,
                    summary: "Which one, if you have several",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Sql => CommandSpec {
                name: "sql",
                summary: "Ask the team's tables a question in SQL",
                details: "Without a query I open a form, which holds a longer one. It runs in a \
                    DuckDB of its own beside your session, with your keys: tables and settings \
                    of the session are not there, and its work is not held up. Only you see the \
                    answer until you press Share. What is more than a message holds comes as a \
                    CSV file. One statement at a time, and only what DuckDB itself calls a \
                    SELECT, unless this server's admins let you do more.",
                options: &[
                    OptionSpec {
                        name: QUERY,
                        summary: "One SELECT; left out: a form opens",
                        value: OptionKind::Text,
                    },
                    OptionSpec {
                        name: SHARE,
                        summary: "Show the answer to everybody in the channel",
                        value: OptionKind::Flag,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Which one, if you have several",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Tables => CommandSpec {
                name: "tables",
                summary: "Show the tables that you can ask",
                details: "Those that your session's catalog lists, by schema and name. What you \
                    type is looked for in their names; `*` stands for anything. What is shown is \
                    up to a minute old.",
                options: &[
                    OptionSpec {
                        name: PATTERN,
                        summary: "Part of a name, like orders or sales.*",
                        value: OptionKind::Text,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Which one, if you have several",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Describe => CommandSpec {
                name: "describe",
                summary: "Show a table's columns",
                details: "With their types, as DuckDB calls them.",
                options: &[
                    OptionSpec {
                        name: TABLE,
                        summary: "Which one, like sales.orders",
                        value: OptionKind::Required,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Which one, if you have several",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::List => CommandSpec {
                name: "list",
                summary: "Show your sessions, or everybody's",
                details: "It says when each will be stopped as things are, and why. Only you see \
                    the answer.",
                options: &[OptionSpec {
                    name: ALL,
                    summary: "Everybody's sessions",
                    value: OptionKind::Flag,
                }],
            },
            Self::Status => CommandSpec {
                name: "status",
                summary: "Show how one session is",
                details: "Which machine it is on, how often DuckDB was started again and why, \
                    what runs in it, how much memory it takes where that is measured, and what \
                    the cluster said about it last. A button shows the last lines that DuckDB \
                    wrote, without your keys. Admins can look into any session. Only you see the \
                    answer.",
                options: &[OptionSpec {
                    name: SESSION,
                    summary: "Which one, if you have several",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Extend => CommandSpec {
                name: "extend",
                summary: "Let a session live longer",
                details: "Sessions are stopped when nobody asks them anything for long, and when \
                    they are old. I say so in a direct message before, with a button that does \
                    the same. How much a session may be extended, and how old it gets at most, is \
                    up to this server's admins.",
                options: &[
                    OptionSpec {
                        name: DURATION,
                        summary: "By how much, like 2h or 1h 30m",
                        value: OptionKind::Suggested,
                    },
                    OptionSpec {
                        name: SESSION,
                        summary: "Which one, if you have several",
                        value: OptionKind::Suggested,
                    },
                ],
            },
            Self::Report => CommandSpec {
                name: "report",
                summary: "For admins: show what ran, what was stopped and why, and what is next",
                details: "Since the last report that was posted in the channel that the settings \
                    name. Only you see the answer.",
                options: &[],
            },
            Self::Reap => CommandSpec {
                name: "reap",
                summary: "For admins: show what the rules would stop now, and stop it",
                details: "First I only say what would go, and why. If you say so, I stop it, also \
                    where it is so much that I would not by myself.",
                options: &[],
            },
            Self::Stop => CommandSpec {
                name: "stop",
                summary: "Stop one of your sessions",
                details: "I ask first: what is only in the session is lost. With one session you \
                    need not say which. Admins can stop any session.",
                options: &[OptionSpec {
                    name: SESSION,
                    summary: "Which one, if you have several",
                    value: OptionKind::Suggested,
                }],
            },
            Self::Forget => CommandSpec {
                name: "forget",
                summary: "Have me forget your S3 credentials",
                details: "I ask first, and say which running sessions hold them: those keep them \
                    until they end.",
                options: &[],
            },
            Self::Help => CommandSpec {
                name: "help",
                summary: "Show what I can do",
                details: "",
                options: &[],
            },
        }
    }
}

/// What is registered with Discord.
pub fn registration() -> [CreateCommand; 1] {
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

/// The reference of all commands: commands.md.
pub fn reference() -> String {
    let mut text = String::from(
        "# Commands\n\n\
         <!-- Made by `duckbot commands`; a test compares them. -->\n\n\
         What people type in Discord. Options in square brackets may be left out.\n",
    );
    for kind in CommandKind::ALL {
        let spec = kind.spec();
        // Writing to a String can't fail.
        let _ = write!(text, "\n## `{}`\n\n{}.\n", usage(&spec), spec.summary);
        if !spec.details.is_empty() {
            let _ = write!(text, "\n{}\n", spec.details);
        }
        if !spec.options.is_empty() {
            text.push_str("\n| option | what it says |\n| --- | --- |\n");
        }
        for option in spec.options {
            let _ = writeln!(text, "| `{}` | {} |", option.name, option.summary);
        }
    }
    text
}

/// A command with its options, as one would type it.
pub fn usage(spec: &CommandSpec) -> String {
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
    fn commands_md_is_what_the_table_says() {
        let written = include_str!("../../commands.md");
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
