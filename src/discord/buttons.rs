//! Parses Discord's data into commands, buttons and forms (Discord calls them modals).
//!
//! Other modules get parsed values. Only autocomplete (`handlers::suggest`) reads the raw option
//! that is being typed.

use std::collections::HashMap;

use secrecy::SecretString;
use serenity::all::{ActionRow, ActionRowComponent, CommandData, CommandDataOptionValue};

use super::commands::{
    ALL, CATALOG, CommandKind, DURATION, PATTERN, QUERY, SESSION, SHARE, SIZE, TABLE,
};
use crate::{
    credentials::{CredentialField, CredentialsForm},
    session::{OwnerId, SessionId},
};

/// Command with its options, as a person sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/duck setup`
    Setup {
        /// Name of the catalog to check the credentials against.
        catalog: Option<String>,
    },
    /// `/duck forget`
    Forget,
    /// `/duck start`
    Start {
        /// Name of a size.
        size: Option<String>,
        /// Name of a catalog.
        catalog: Option<String>,
    },
    /// `/duck open`
    Open {
        /// Session ID as typed.
        session: Option<String>,
    },
    /// `/duck stop`
    Stop {
        /// Session ID as typed.
        session: Option<String>,
    },
    /// `/duck list`
    List {
        /// True to list everybody's sessions.
        all: bool,
    },
    /// `/duck status`
    Status {
        /// Session ID as typed.
        session: Option<String>,
    },
    /// `/duck extend`
    Extend {
        /// Session ID as typed.
        session: Option<String>,
        /// Additional time as typed, such as `2h`.
        by: Option<String>,
    },
    /// `/duck sql`
    Sql {
        /// Text of the query; without it, a form opens.
        query: Option<String>,
        how: SqlOptions,
    },
    /// `/duck tables`
    Tables {
        /// Pattern for table names.
        pattern: Option<String>,
        /// Session ID as typed.
        session: Option<String>,
    },
    /// `/duck describe`
    Describe {
        /// Table name as typed.
        table: String,
        /// Session ID as typed.
        session: Option<String>,
    },
    /// `/duck report`
    Report,
    /// `/duck reap`
    Reap,
    /// `/duck help`
    Help,
}

/// Options of `/duck sql` other than the query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlOptions {
    /// Session ID as typed.
    pub session: Option<String>,
    /// True to post the result in the channel for everybody.
    pub share: bool,
}

/// Button of one of the bot's messages. Its custom ID holds all its data, so it works after a
/// restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Button {
    /// Opens the credentials form. The credentials will be checked against this catalog.
    OpenForm(Option<String>),
    /// Checks the stored credentials against this catalog.
    CheckCredentials(Option<String>),
    /// Asks whether to delete the stored credentials.
    AskToForget,
    /// Deletes the stored credentials.
    Forget {
        /// True to also stop the sessions that use them.
        stop: bool,
    },
    /// Keeps the stored credentials.
    KeepCredentials,
    /// Restarts the sessions that use old credentials.
    Restart,
    /// Starts another session.
    StartAnother {
        /// Name of a size.
        size: Option<String>,
        /// Name of a catalog.
        catalog: Option<String>,
    },
    /// Starts a session like a failed one.
    Retry {
        /// ID of the failed session.
        session: SessionId,
        /// Owner of the failed session. Nobody else may press the button.
        owner: OwnerId,
        /// Name of a size.
        size: String,
        /// Name of a catalog.
        catalog: String,
    },
    /// Opens a session for its owner.
    Open(SessionId),
    /// Confirms that a session is to be stopped.
    Stop(SessionId),
    /// Leaves a session running.
    Keep(SessionId),
    /// Shows the last lines that a session's DuckDB wrote.
    Log(SessionId),
    /// Gives a session more time.
    Extend(SessionId),
    /// Stops a session whose owner was warned that it will be stopped.
    StopNow(SessionId),
    /// Stops and removes everything that is due, if the list still has this digest.
    Reap(String),
    /// Stops and removes nothing.
    LeaveAll,
    /// Interrupts one of the person's queries.
    Cancel(String),
    /// Posts the result above the button in the channel.
    Share,
}

const SQL_FORM_PREFIX: &str = "duckbot:sql:";

/// Custom ID of the query form.
pub fn sql_form_id(how: &SqlOptions) -> String {
    // Discord limits custom IDs to 100 characters. A valid session ID has six.
    let session: String = how
        .session
        .iter()
        .flat_map(|it| it.chars())
        .take(40)
        .collect();
    let share = if how.share { "share" } else { "" };
    format!("{SQL_FORM_PREFIX}{share}:{session}")
}

/// Parses the custom ID of a query form. Returns `None` for any other form.
pub fn sql_form(id: &str) -> Option<SqlOptions> {
    let (share, session) = id.strip_prefix(SQL_FORM_PREFIX)?.split_once(':')?;
    Some(SqlOptions {
        session: non_empty(session),
        share: share == "share",
    })
}

const CREDENTIALS_FORM_PREFIX: &str = "duckbot:credentials:";

/// Custom ID of the credentials form, with the catalog to check against.
pub fn form_id(catalog: Option<&str>) -> String {
    format!("{CREDENTIALS_FORM_PREFIX}{}", catalog.unwrap_or_default())
}

/// Parses the custom ID of a credentials form. Returns `None` for any other form.
pub fn form_catalog(id: &str) -> Option<Option<String>> {
    id.strip_prefix(CREDENTIALS_FORM_PREFIX).map(non_empty)
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl Button {
    /// Custom ID of the button, which Discord sends back. At most 100 characters.
    pub fn custom_id(&self) -> String {
        let or_empty = |name: &Option<String>| name.clone().unwrap_or_default();
        match self {
            Self::OpenForm(catalog) => format!("duckbot:setup:{}", or_empty(catalog)),
            Self::CheckCredentials(catalog) => format!("duckbot:check:{}", or_empty(catalog)),
            Self::AskToForget => "duckbot:ask-to-forget".into(),
            Self::Forget { stop: true } => "duckbot:forget:stop".into(),
            Self::Forget { stop: false } => "duckbot:forget:only".into(),
            Self::KeepCredentials => "duckbot:keep-keys".into(),
            Self::Restart => "duckbot:restart".into(),
            Self::StartAnother { size, catalog } => {
                format!("duckbot:start:{}:{}", or_empty(size), or_empty(catalog))
            }
            Self::Retry {
                session,
                owner,
                size,
                catalog,
            } => format!("duckbot:retry:{session}:{owner}:{size}:{catalog}"),
            Self::Open(id) => format!("duckbot:open:{id}"),
            Self::Stop(id) => format!("duckbot:stop:{id}"),
            Self::Keep(id) => format!("duckbot:keep:{id}"),
            Self::Log(id) => format!("duckbot:log:{id}"),
            Self::Extend(id) => format!("duckbot:extend:{id}"),
            Self::StopNow(id) => format!("duckbot:stop-now:{id}"),
            Self::Reap(digest) => format!("duckbot:reap:{digest}"),
            Self::LeaveAll => "duckbot:leave-all".into(),
            Self::Cancel(question) => format!("duckbot:cancel:{question}"),
            Self::Share => "duckbot:share".into(),
        }
    }

    /// Parses a custom ID. Returns `None` if this version has no such button.
    pub fn from_custom_id(text: &str) -> Option<Self> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["duckbot", "setup", catalog] => Some(Self::OpenForm(non_empty(catalog))),
            ["duckbot", "check", catalog] => Some(Self::CheckCredentials(non_empty(catalog))),
            ["duckbot", "ask-to-forget"] => Some(Self::AskToForget),
            ["duckbot", "forget", "stop"] => Some(Self::Forget { stop: true }),
            ["duckbot", "forget", "only"] => Some(Self::Forget { stop: false }),
            ["duckbot", "keep-keys"] => Some(Self::KeepCredentials),
            ["duckbot", "restart"] => Some(Self::Restart),
            ["duckbot", "start", size, catalog] => Some(Self::StartAnother {
                size: non_empty(size),
                catalog: non_empty(catalog),
            }),
            ["duckbot", "retry", session, owner, size, catalog] => Some(Self::Retry {
                session: session.parse().ok()?,
                owner: owner.parse().ok()?,
                size: size.to_owned(),
                catalog: catalog.to_owned(),
            }),
            ["duckbot", "open", id] => Some(Self::Open(id.parse().ok()?)),
            ["duckbot", "stop", id] => Some(Self::Stop(id.parse().ok()?)),
            ["duckbot", "keep", id] => Some(Self::Keep(id.parse().ok()?)),
            ["duckbot", "log", id] => Some(Self::Log(id.parse().ok()?)),
            ["duckbot", "extend", id] => Some(Self::Extend(id.parse().ok()?)),
            ["duckbot", "stop-now", id] => Some(Self::StopNow(id.parse().ok()?)),
            ["duckbot", "reap", digest] => Some(Self::Reap(digest.to_owned())),
            ["duckbot", "leave-all"] => Some(Self::LeaveAll),
            ["duckbot", "cancel", question] => Some(Self::Cancel(question.to_owned())),
            ["duckbot", "share"] => Some(Self::Share),
            _ => None,
        }
    }
}

/// Kind of a command. `None` if this version has no such command.
pub fn kind(data: &CommandData) -> Option<CommandKind> {
    CommandKind::from_name(&data.options.first()?.name)
}

/// Session option of a command that is still being typed.
pub fn session(data: &CommandData) -> Option<String> {
    match &data.options.first()?.value {
        CommandDataOptionValue::SubCommand(options) => {
            let named = options.iter().find(|option| option.name == SESSION)?;
            Some(named.value.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// Parses a command. Returns `None` if this version has no such command.
pub fn command(data: &CommandData) -> Option<Command> {
    let chosen = data.options.first()?;
    let CommandDataOptionValue::SubCommand(options) = &chosen.value else {
        return None;
    };
    let value = |name: &str| Some(&options.iter().find(|option| option.name == name)?.value);
    let text = |name: &str| Some(value(name)?.as_str()?.to_owned());
    Some(match CommandKind::from_name(&chosen.name)? {
        CommandKind::Setup => Command::Setup {
            catalog: text(CATALOG),
        },
        CommandKind::Forget => Command::Forget,
        CommandKind::Start => Command::Start {
            size: text(SIZE),
            catalog: text(CATALOG),
        },
        CommandKind::Open => Command::Open {
            session: text(SESSION),
        },
        CommandKind::Stop => Command::Stop {
            session: text(SESSION),
        },
        CommandKind::List => Command::List {
            all: value(ALL).and_then(CommandDataOptionValue::as_bool) == Some(true),
        },
        CommandKind::Status => Command::Status {
            session: text(SESSION),
        },
        CommandKind::Extend => Command::Extend {
            session: text(SESSION),
            by: text(DURATION),
        },
        CommandKind::Sql => Command::Sql {
            query: text(QUERY),
            how: SqlOptions {
                session: text(SESSION),
                share: value(SHARE).and_then(CommandDataOptionValue::as_bool) == Some(true),
            },
        },
        CommandKind::Tables => Command::Tables {
            pattern: text(PATTERN),
            session: text(SESSION),
        },
        CommandKind::Describe => Command::Describe {
            table: text(TABLE)?,
            session: text(SESSION),
        },
        CommandKind::Report => Command::Report,
        CommandKind::Reap => Command::Reap,
        CommandKind::Help => Command::Help,
    })
}

fn typed(rows: Vec<ActionRow>) -> HashMap<String, String> {
    let inputs = rows.into_iter().flat_map(|row| row.components);
    let typed = inputs.filter_map(|component| match component {
        ActionRowComponent::InputText(input) => Some((input.custom_id, input.value?)),
        _ => None,
    });
    typed.collect()
}

/// Reads the query from the inputs of its form.
pub fn question(rows: Vec<ActionRow>) -> String {
    typed(rows).remove(QUERY).unwrap_or_default()
}

/// Reads the inputs of the credentials form. Moves the values out, so that no copy of them remains.
pub fn form(rows: Vec<ActionRow>) -> CredentialsForm {
    let mut values = typed(rows);
    let mut typed = |id: &str| values.remove(id).unwrap_or_default();
    CredentialsForm {
        secrets: CredentialField::ALL.map(|field| SecretString::from(typed(input_id(field)))),
        expires: typed(EXPIRES),
    }
}

/// Custom ID of the form's last input.
pub const EXPIRES: &str = "expires";

/// Custom ID of the form's input for a credential.
pub fn input_id(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId => "key_id",
        CredentialField::SecretKey => "secret_key",
        CredentialField::SessionToken => "session_token",
        CredentialField::CatalogToken => "catalog_token",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::MAX_NAME_BYTES;

    #[test]
    fn a_button_is_read_back_from_its_id() {
        let id: SessionId = "977a26".parse().expect("a valid ID");
        let name = || Some("n".repeat(MAX_NAME_BYTES));
        for button in [
            Button::OpenForm(None),
            Button::OpenForm(name()),
            Button::CheckCredentials(name()),
            Button::AskToForget,
            Button::Forget { stop: true },
            Button::Forget { stop: false },
            Button::KeepCredentials,
            Button::Restart,
            Button::StartAnother {
                size: name(),
                catalog: name(),
            },
            Button::StartAnother {
                size: None,
                catalog: None,
            },
            Button::Retry {
                session: id.clone(),
                owner: u64::MAX.into(),
                size: "n".repeat(MAX_NAME_BYTES),
                catalog: "n".repeat(MAX_NAME_BYTES),
            },
            Button::Open(id.clone()),
            Button::Stop(id.clone()),
            Button::Keep(id.clone()),
            Button::Log(id.clone()),
            Button::Extend(id.clone()),
            Button::StopNow(id),
            Button::Reap("0123456789abcdef".into()),
            Button::LeaveAll,
            Button::Cancel("0123456789abcdef0123456789abcdef".into()),
            Button::Share,
        ] {
            let custom_id = button.custom_id();
            assert!(custom_id.len() <= 100, "{custom_id}");
            assert_eq!(Button::from_custom_id(&custom_id), Some(button));
        }
    }

    #[test]
    fn query_options_are_read_back_from_the_forms_id() {
        let how = SqlOptions {
            session: Some("977a26".into()),
            share: true,
        };
        assert_eq!(sql_form(&sql_form_id(&how)), Some(how));
        let plain = SqlOptions::default();
        assert_eq!(sql_form(&sql_form_id(&plain)), Some(plain));
        let long = SqlOptions {
            session: Some("é".repeat(4000)),
            share: true,
        };
        assert!(sql_form_id(&long).chars().count() <= 100);
        assert_eq!(sql_form(&form_id(Some("lake"))), None);
    }

    #[test]
    fn other_ids_are_no_buttons() {
        for text in [
            "",
            "duckbot",
            "duckbot:stop",
            "duckbot:stop:../x",
            "other:setup",
            "duckbot:setup:x:y",
            "duckbot:retry:977a26:0:small:lake",
        ] {
            assert_eq!(Button::from_custom_id(text), None, "{text:?}");
        }
    }
}
