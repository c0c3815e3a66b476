//! The parts of a reply, and the length of its text.

use std::borrow::Cow;

use crate::{
    discord::{buttons::Button, start_options::StartOptions},
    session::{Record, SessionId},
};

/// Maximum length of a Discord message, as counted by [`message_len`].
pub(crate) const MAX_MESSAGE_CHARS: usize = 2000;

/// Maximum number of buttons in a row.
pub(crate) const ROW_BUTTONS: usize = 5;

/// Maximum number of rows of buttons.
pub(super) const MAX_ROWS: usize = 5;

/// Characters kept free for the line that says how many entries were left out.
pub(super) const RESERVE: usize = 120;

/// Returns the length of a text as Discord counts it: in Unicode code points
/// (discord/discord-api-docs#1315).
pub(crate) fn message_len(text: &str) -> usize {
    text.chars().count()
}

/// Returns `text` with at most `max` characters. A text that was cut ends with "…".
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if message_len(text) <= max {
        text.to_owned()
    } else {
        let kept = text.chars().take(max.saturating_sub(1));
        kept.chain(['…']).collect()
    }
}

/// A message with optional buttons, menu and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Discord markdown.
    pub text: String,
    /// Buttons under the text, at most five in a row, in at most five rows.
    pub buttons: Vec<LabelledButton>,
    /// Menu above the buttons.
    pub menu: Option<Menu>,
    /// Attached files. Discord shows pictures below the text.
    pub files: Vec<File>,
}

/// A file to attach to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub content: Vec<u8>,
    /// Text for people who don't see the picture in the file.
    pub alt: Option<String>,
}

/// A menu of which one entry can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// Text while nothing is chosen.
    pub hint: &'static str,
    /// At most 25 entries.
    pub entries: Vec<MenuEntry>,
}

/// An entry of a menu. Choosing it is the same as pressing its button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuEntry {
    pub button: Button,
    /// At most 100 characters, as the description.
    pub label: String,
    pub description: Option<String>,
}

/// A button with its label and style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledButton {
    /// Action of the button.
    pub button: Button,
    pub label: Cow<'static, str>,
    pub emphasis: Emphasis,
    /// True to begin a new row. A full row ends anyway.
    pub starts_row: bool,
}

/// Style of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emphasis {
    /// The action that most people want.
    Primary,
    /// An alternative.
    Secondary,
    /// An action that can't be undone.
    Danger,
}

impl File {
    pub(super) fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            alt: None,
        }
    }
}

impl Reply {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            buttons: Vec::new(),
            menu: None,
            files: Vec::new(),
        }
    }

    /// Returns true if this is a query result that can be shared.
    pub fn is_answer(&self) -> bool {
        self.buttons.iter().any(|it| it.button == Button::Share)
    }

    /// Attaches the log of a session's DuckDB.
    pub(super) fn with_log(self, record: &Record, text: String) -> Self {
        let name = format!("duckui-{}.log", record.id);
        Self {
            files: vec![File::new(name, text)],
            ..self
        }
    }

    pub(super) fn with(
        mut self,
        emphasis: Emphasis,
        label: impl Into<Cow<'static, str>>,
        button: Button,
    ) -> Self {
        self.buttons.push(LabelledButton {
            button,
            label: label.into(),
            emphasis,
            starts_row: false,
        });
        self
    }

    /// Adds a row of buttons for a session. Their labels have its ID if there are several sessions.
    pub(super) fn with_session_row(
        mut self,
        id: &SessionId,
        has_several: bool,
        buttons: impl IntoIterator<Item = (Emphasis, &'static str, Button)>,
    ) -> Self {
        let first = self.buttons.len();
        for (emphasis, label, button) in buttons {
            self = if has_several {
                self.with(emphasis, format!("{label} {id}"), button)
            } else {
                self.with(emphasis, label, button)
            };
        }
        if let Some(button) = self.buttons.get_mut(first) {
            button.starts_row = true;
        }
        self
    }

    /// Adds the button that opens the credentials form.
    pub(super) fn with_form(self, catalog: Option<String>) -> Self {
        self.with_form_button(Button::OpenForm(catalog))
    }

    /// Adds a button that opens a form for credentials.
    pub(super) fn with_form_button(self, button: Button) -> Self {
        self.with(Emphasis::Primary, "Enter credentials", button)
    }

    /// Adds a button that starts a session, even if the person has one.
    pub(super) fn with_start(self, label: &'static str, options: StartOptions) -> Self {
        self.with(Emphasis::Primary, label, Button::StartAnother(options))
    }
}
