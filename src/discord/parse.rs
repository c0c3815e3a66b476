//! From Discord's words to ours. Past this line nobody sees a raw option.

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

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/duck setup`
    Setup {
        /// The catalog that keys are tried against.
        catalog: Option<String>,
    },
    /// `/duck forget`
    Forget,
    /// `/duck start`
    Start {
        /// A size's name.
        size: Option<String>,
        /// A catalog's name.
        catalog: Option<String>,
    },
    /// `/duck open`
    Open {
        /// A session's id, as typed.
        session: Option<String>,
    },
    /// `/duck stop`
    Stop {
        /// A session's id, as typed.
        session: Option<String>,
    },
    /// `/duck list`
    List {
        /// Everybody's.
        all: bool,
    },
    /// `/duck status`
    Status {
        /// A session's id, as typed.
        session: Option<String>,
    },
    /// `/duck extend`
    Extend {
        /// A session's id, as typed.
        session: Option<String>,
        /// By how much, as typed.
        by: Option<String>,
    },
    /// `/duck sql`
    Sql {
        /// What is asked; none: a form is wanted.
        query: Option<String>,
        /// How.
        how: SqlOptions,
    },
    /// `/duck tables`
    Tables {
        /// What their names are like.
        pattern: Option<String>,
        /// A session's id, as typed.
        session: Option<String>,
    },
    /// `/duck describe`
    Describe {
        /// A table's name, as typed.
        table: String,
        /// A session's id, as typed.
        session: Option<String>,
    },
    /// `/duck report`
    Report,
    /// `/duck reap`
    Reap,
    /// `/duck help`
    Help,
}

/// How a question is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlOptions {
    /// A session's id, as typed.
    pub session: Option<String>,
    /// Whether everybody is to see the answer.
    pub share: bool,
}

/// A button of ours. Everything that it needs is in its id, so it works after
/// a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Button {
    /// Opens the form for credentials, to be tried against that catalog.
    OpenForm(Option<String>),
    /// Tries the keys that are kept.
    CheckKeys(Option<String>),
    /// Asks whether to forget them.
    AskToForget,
    /// Forgets them.
    Forget {
        /// And stops the sessions that hold them.
        stop: bool,
    },
    /// Leaves them alone.
    KeepKeys,
    /// Starts sessions with old keys again.
    Restart,
    /// Starts one more session.
    StartAnother {
        /// A size's name.
        size: Option<String>,
        /// A catalog's name.
        catalog: Option<String>,
    },
    /// Starts a session like one of its owner's that failed.
    Retry {
        /// The one that failed.
        session: SessionId,
        /// Whose button it is.
        owner: OwnerId,
        /// A size's name.
        size: String,
        /// A catalog's name.
        catalog: String,
    },
    /// Opens a session, for its owner.
    Open(SessionId),
    /// Stops a session, for good.
    Stop(SessionId),
    /// Leaves a session alone.
    Keep(SessionId),
    /// Shows the last lines that a session's DuckDB wrote.
    Log(SessionId),
    /// Lets a session live longer.
    Extend(SessionId),
    /// Stops a session of which its owner was told that it will be.
    StopNow(SessionId),
    /// Stops and removes what the rules say, now: what was shown under that digest.
    Reap(String),
    /// Leaves all that alone.
    LeaveAll,
    /// Interrupts a question of theirs.
    Cancel(String),
    /// Shows everybody the answer above it.
    Share,
}

const SQL_FORM_PREFIX: &str = "duckbot:sql:";

/// The id of the form for a question.
pub fn sql_form_id(how: &SqlOptions) -> String {
    // A session is six characters; what is longer is none.
    let session: String = how
        .session
        .iter()
        .flat_map(|it| it.chars())
        .take(40)
        .collect();
    let share = if how.share { "share" } else { "" };
    format!("{SQL_FORM_PREFIX}{share}:{session}")
}

/// How a question is asked that comes in a form with that id; none if it is not our form.
pub fn sql_form(id: &str) -> Option<SqlOptions> {
    let (share, session) = id.strip_prefix(SQL_FORM_PREFIX)?.split_once(':')?;
    Some(SqlOptions {
        session: non_empty(session),
        share: share == "share",
    })
}

const CREDENTIALS_FORM_PREFIX: &str = "duckbot:credentials:";

/// The id of the form for credentials, to be tried against that catalog.
pub fn form_id(catalog: Option<&str>) -> String {
    format!("{CREDENTIALS_FORM_PREFIX}{}", catalog.unwrap_or_default())
}

/// The catalog in a form's id; none if it is not our form.
pub fn form_catalog(id: &str) -> Option<Option<String>> {
    id.strip_prefix(CREDENTIALS_FORM_PREFIX).map(non_empty)
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl Button {
    /// The id that Discord sends back: at most 100 characters.
    pub fn custom_id(&self) -> String {
        let or_empty = |name: &Option<String>| name.clone().unwrap_or_default();
        match self {
            Self::OpenForm(catalog) => format!("duckbot:setup:{}", or_empty(catalog)),
            Self::CheckKeys(catalog) => format!("duckbot:check:{}", or_empty(catalog)),
            Self::AskToForget => "duckbot:ask-to-forget".into(),
            Self::Forget { stop: true } => "duckbot:forget:stop".into(),
            Self::Forget { stop: false } => "duckbot:forget:only".into(),
            Self::KeepKeys => "duckbot:keep-keys".into(),
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

    /// Reads such an id; none if it is not (any more) one of ours.
    pub fn from_custom_id(text: &str) -> Option<Self> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["duckbot", "setup", catalog] => Some(Self::OpenForm(non_empty(catalog))),
            ["duckbot", "check", catalog] => Some(Self::CheckKeys(non_empty(catalog))),
            ["duckbot", "ask-to-forget"] => Some(Self::AskToForget),
            ["duckbot", "forget", "stop"] => Some(Self::Forget { stop: true }),
            ["duckbot", "forget", "only"] => Some(Self::Forget { stop: false }),
            ["duckbot", "keep-keys"] => Some(Self::KeepKeys),
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

/// Which command it is; none if it is not (any more) one of ours.
pub fn kind(data: &CommandData) -> Option<CommandKind> {
    CommandKind::from_name(&data.options.first()?.name)
}

/// The session that is named so far in a command that is still being typed.
pub fn session(data: &CommandData) -> Option<String> {
    match &data.options.first()?.value {
        CommandDataOptionValue::SubCommand(options) => {
            let named = options.iter().find(|option| option.name == SESSION)?;
            Some(named.value.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// Reads a command; none if it is not (any more) one of ours.
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

/// The question that was typed into its form.
pub fn question(rows: Vec<ActionRow>) -> String {
    typed(rows).remove(QUERY).unwrap_or_default()
}

/// What was typed into the form. Takes the values out, so no copy of them stays.
pub fn form(rows: Vec<ActionRow>) -> CredentialsForm {
    let mut values = typed(rows);
    let mut typed = |id: &str| values.remove(id).unwrap_or_default();
    CredentialsForm {
        secrets: CredentialField::ALL.map(|field| SecretString::from(typed(input_id(field)))),
        expires: typed(EXPIRES),
    }
}

/// The id of the form's last input.
pub const EXPIRES: &str = "expires";

/// The id of an input of the form.
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
        let id: SessionId = "977a26".parse().expect("an id");
        let name = || Some("n".repeat(MAX_NAME_BYTES));
        for button in [
            Button::OpenForm(None),
            Button::OpenForm(name()),
            Button::CheckKeys(name()),
            Button::AskToForget,
            Button::Forget { stop: true },
            Button::Forget { stop: false },
            Button::KeepKeys,
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
    fn how_a_question_is_asked_is_read_back_from_its_form() {
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
    fn anything_else_is_no_button() {
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
