//! From Discord's words to ours. Past this line nobody sees a raw option.

use secrecy::SecretString;
use serenity::all::{
    ActionRowComponent, CommandData, CommandDataOptionValue, ModalInteractionData,
};

use super::commands::{ALL, CATALOG, Kind, SESSION, SIZE};
use crate::{credentials::Field, session::SessionId};

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/duck setup`
    Setup,
    /// `/duck start`
    Start {
        /// A size's name.
        size: Option<String>,
        /// A catalog's name.
        catalog: Option<String>,
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
    /// `/duck help`
    Help,
}

/// A button of ours. Everything that it needs is in its id, so it works after
/// a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Button {
    /// Opens the form for credentials.
    OpenForm,
    /// Starts one more session.
    StartAnother {
        /// A size's name.
        size: Option<String>,
        /// A catalog's name.
        catalog: Option<String>,
    },
    /// Stops a session, for good.
    Stop(SessionId),
    /// Leaves a session alone.
    Keep(SessionId),
}

/// The id of the form for credentials.
pub const FORM: &str = "duckbot:credentials";

impl Button {
    /// The id that Discord sends back: at most 100 characters.
    pub fn custom_id(&self) -> String {
        match self {
            Self::OpenForm => "duckbot:setup".into(),
            Self::StartAnother { size, catalog } => format!(
                "duckbot:start:{}:{}",
                size.as_deref().unwrap_or_default(),
                catalog.as_deref().unwrap_or_default(),
            ),
            Self::Stop(id) => format!("duckbot:stop:{id}"),
            Self::Keep(id) => format!("duckbot:keep:{id}"),
        }
    }

    /// Reads such an id; none if it is not (any more) one of ours.
    pub fn from_custom_id(text: &str) -> Option<Self> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match text.split(':').collect::<Vec<_>>()[..] {
            ["duckbot", "setup"] => Some(Self::OpenForm),
            ["duckbot", "start", size, catalog] => Some(Self::StartAnother {
                size: some(size),
                catalog: some(catalog),
            }),
            ["duckbot", "stop", id] => Some(Self::Stop(id.parse().ok()?)),
            ["duckbot", "keep", id] => Some(Self::Keep(id.parse().ok()?)),
            _ => None,
        }
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
    Some(match Kind::named(&chosen.name)? {
        Kind::Setup => Command::Setup,
        Kind::Start => Command::Start {
            size: text(SIZE),
            catalog: text(CATALOG),
        },
        Kind::Stop => Command::Stop {
            session: text(SESSION),
        },
        Kind::List => Command::List {
            all: value(ALL).and_then(CommandDataOptionValue::as_bool) == Some(true),
        },
        Kind::Help => Command::Help,
    })
}

/// What was typed into the form, in the order of [`Field::ALL`].
pub fn form(data: &ModalInteractionData) -> [SecretString; 4] {
    let inputs = || data.components.iter().flat_map(|row| &row.components);
    Field::ALL.map(|field| {
        let typed = inputs().find_map(|component| match component {
            ActionRowComponent::InputText(input) if input.custom_id == input_id(field) => {
                input.value.clone()
            }
            _ => None,
        });
        SecretString::from(typed.unwrap_or_default())
    })
}

/// The id of an input of the form.
pub fn input_id(field: Field) -> &'static str {
    match field {
        Field::KeyId => "key_id",
        Field::SecretKey => "secret_key",
        Field::SessionToken => "session_token",
        Field::CatalogToken => "catalog_token",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_is_read_back_from_its_id() {
        let id: SessionId = "977a26".parse().expect("an id");
        let name = || Some("n".repeat(32));
        for button in [
            Button::OpenForm,
            Button::StartAnother {
                size: name(),
                catalog: name(),
            },
            Button::StartAnother {
                size: None,
                catalog: None,
            },
            Button::Stop(id.clone()),
            Button::Keep(id),
        ] {
            let custom_id = button.custom_id();
            assert!(custom_id.len() <= 100, "{custom_id}");
            assert_eq!(Button::from_custom_id(&custom_id), Some(button));
        }
    }

    #[test]
    fn anything_else_is_no_button() {
        for text in [
            "",
            "duckbot",
            "duckbot:stop",
            "duckbot:stop:../x",
            "other:setup",
            "duckbot:setup:x",
        ] {
            assert_eq!(Button::from_custom_id(text), None, "{text:?}");
        }
    }
}
