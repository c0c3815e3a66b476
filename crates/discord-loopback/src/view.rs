//! Messages and modals as a person sees them: plain values for tests. No I/O.

use std::borrow::Cow;

use serde_json::Value;

use crate::body::plain;
use crate::rules::interactions::value_lengths;
use crate::snowflake::Snowflake;

/// Version of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageView {
    /// Message ID, the same in all versions.
    pub id: Snowflake,
    /// ID of a guild channel or a DM channel.
    pub channel: Snowflake,
    /// User ID of a person or the bot.
    pub author: Snowflake,
    /// Text in Discord's Markdown, without embeds; [`MessageView::text`] includes them.
    pub content: String,
    /// Embed objects, as Discord returns them.
    pub embeds: Vec<Value>,
    /// Rows of buttons, without other components.
    pub components: Vec<Vec<Button>>,
    /// Menus from top to bottom.
    pub menus: Vec<Menu>,
    /// True if only the person of the interaction sees it.
    pub ephemeral: bool,
    /// True for a deferred response that has no content yet ("thinking").
    pub thinking: bool,
    /// True after the first edit.
    pub edited: bool,
    /// True for the last version of a deleted message; the content stays.
    pub deleted: bool,
    /// People notified by this version; empty for edits.
    pub mentions: Vec<Snowflake>,
    /// Nonce that the bot sent with the post.
    pub nonce: Option<String>,
    /// Discord's message flags.
    pub flags: u64,
    /// Attached files, in the order of the request.
    pub files: Vec<Attachment>,
}

/// A file attached to a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// File name; `unnamed` if the bot sent none.
    pub name: String,
    /// Content as the bot sent it.
    pub content: Vec<u8>,
    /// Text for people who don't see the picture in the file.
    pub description: Option<String>,
}

impl Attachment {
    /// Content as text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.content)
    }
}

/// A button under a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    /// Text on the button; empty if it has only an emoji.
    pub label: String,
    /// ID that the bot gets when the button is pressed. `None` for a link.
    pub custom_id: Option<String>,
    /// Target of a link. `None` for other buttons.
    pub url: Option<String>,
    /// Discord's style: 1 blue, 2 grey, 3 green, 4 red, 5 link.
    pub style: u64,
    /// True if nobody can press it.
    pub disabled: bool,
}

/// A menu of texts under a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Menu {
    /// ID that the bot gets with the choice.
    pub custom_id: String,
    /// Entries from top to bottom.
    pub options: Vec<MenuOption>,
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq)]
pub struct MenuOption {
    /// Text of the entry.
    pub label: String,
    /// Value that the bot gets if the entry is chosen.
    pub value: String,
    /// Second line of the entry.
    pub description: String,
}

impl MessageView {
    /// Returns the button with this label.
    #[must_use]
    pub fn button(&self, label: &str) -> Option<&Button> {
        self.components
            .iter()
            .flatten()
            .find(|button| button.label == label)
    }

    /// Returns the readable text: the content, then each embed's title, description, fields and
    /// footer.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![self.content.clone()];
        for embed in &self.embeds {
            let mut add = |value: &Value| lines.extend(value.as_str().map(str::to_owned));
            add(&embed["title"]);
            add(&embed["description"]);
            for field in embed["fields"].as_array().into_iter().flatten() {
                add(&field["name"]);
                add(&field["value"]);
            }
            add(&embed["footer"]["text"]);
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

/// A modal that is open for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct ModalView {
    /// Heading of the modal.
    pub title: String,
    /// ID that the bot gets when the modal is submitted.
    pub custom_id: String,
    /// Fields from top to bottom.
    pub inputs: Vec<Input>,
    /// Person for whom the modal is open.
    pub person: Snowflake,
    /// Channel of the interaction that opened the modal.
    pub channel: Snowflake,
    /// Interaction that opened the modal.
    pub opened_by: Snowflake,
}

/// A field of a modal.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Name of the field for the person.
    pub label: String,
    /// Name of the field for the bot.
    pub custom_id: String,
    /// True for a field with several lines.
    pub paragraph: bool,
    /// True if the person must fill it in.
    pub required: bool,
    /// Minimum number of characters, unless the field is optional and empty.
    pub min_length: usize,
    /// Maximum number of characters.
    pub max_length: usize,
    /// Initial value.
    pub value: String,
    /// Hint that Discord shows while the field is empty.
    pub placeholder: String,
}

impl ModalView {
    /// Returns the field with this label.
    #[must_use]
    pub fn input(&self, label: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.label == label)
    }
}

impl Input {
    /// Reads a text input of a modal that was checked before.
    pub(crate) fn of(raw: &Value) -> Self {
        let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
        let (min_length, max_length) = value_lengths(raw);
        Self {
            label: text("label"),
            custom_id: text("custom_id"),
            paragraph: raw["style"] == 2,
            required: raw["required"] != false,
            min_length,
            max_length,
            value: text("value"),
            placeholder: text("placeholder"),
        }
    }
}

/// Reads the buttons of a row of components.
pub(crate) fn buttons(row: &Value) -> Vec<Button> {
    let components = row["components"].as_array().into_iter().flatten();
    components
        .filter(|component| component["type"] == 2)
        .map(button)
        .collect()
}

/// Reads the menus of a row of components.
pub(crate) fn menus(row: &Value) -> Vec<Menu> {
    let components = row["components"].as_array().into_iter().flatten();
    components
        .filter(|component| component["type"] == 3)
        .map(menu)
        .collect()
}

fn menu(raw: &Value) -> Menu {
    let options = raw["options"].as_array().into_iter().flatten();
    Menu {
        custom_id: plain(&raw["custom_id"]),
        options: options
            .map(|option| MenuOption {
                label: plain(&option["label"]),
                value: plain(&option["value"]),
                description: option["description"].as_str().unwrap_or("").to_owned(),
            })
            .collect(),
    }
}

fn button(raw: &Value) -> Button {
    let text = |key: &str| raw[key].as_str().map(str::to_owned);
    Button {
        label: text("label").unwrap_or_default(),
        custom_id: text("custom_id"),
        url: text("url"),
        style: raw["style"].as_u64().unwrap_or(0),
        disabled: raw["disabled"] == true,
    }
}
