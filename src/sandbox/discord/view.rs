//! What a person sees: messages with buttons, and modals. Plain values for tests to look at. No I/O.

use serde_json::Value;

use super::model::{EPHEMERAL, LOADING, Message};
use super::rules::interactions::value_lengths;
use super::snowflake::Snowflake;

/// A message as it stood at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageView {
    pub id: Snowflake,
    pub channel: Snowflake,
    pub author: Snowflake,
    pub content: String,
    pub embeds: Vec<Value>,
    /// Rows of buttons. Other components are left out.
    pub components: Vec<Vec<Button>>,
    pub ephemeral: bool,
    /// "Thinking": a deferred answer without content so far.
    pub thinking: bool,
    pub edited: bool,
    pub deleted: bool,
    /// People who got a ping by this version: empty for every edit.
    pub mentions: Vec<Snowflake>,
    pub nonce: Option<String>,
    /// Discord's message flags.
    pub flags: u64,
    /// Attached files.
    pub files: Vec<Attachment>,
}

/// A file at a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    pub name: String,
    /// As text; what is none is shown as well as it can be.
    pub content: String,
}

/// A button under a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    pub label: String,
    pub custom_id: Option<String>,
    pub url: Option<String>,
    /// Discord's style: 1 blue, 2 grey, 3 green, 4 red, 5 link.
    pub style: u64,
    pub disabled: bool,
}

impl MessageView {
    /// The view of a message as it stands.
    pub(super) fn of(message: &Message) -> Self {
        let posted = message.edited.is_none() && !message.deleted;
        Self {
            id: message.id,
            channel: message.channel,
            author: message.author,
            content: message.content.clone(),
            embeds: message.embeds.clone(),
            components: message.components.iter().map(buttons).collect(),
            ephemeral: message.flags & EPHEMERAL != 0,
            thinking: message.flags & LOADING != 0,
            edited: message.edited.is_some(),
            deleted: message.deleted,
            mentions: if posted {
                message.notified.clone()
            } else {
                Vec::new()
            },
            nonce: message.nonce.as_ref().map(plain),
            flags: message.flags,
            files: message.files.clone(),
        }
    }

    /// The button with this label.
    #[must_use]
    pub fn button(&self, label: &str) -> Option<&Button> {
        self.components
            .iter()
            .flatten()
            .find(|button| button.label == label)
    }

    /// All that there is to read: content, then each embed's title, description, fields, footer.
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

/// A form that popped up in front of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct ModalView {
    pub title: String,
    pub custom_id: String,
    pub inputs: Vec<Input>,
    /// The person in front of whom it stands.
    pub person: Snowflake,
    pub channel: Snowflake,
    /// The interaction that it answers.
    pub opened_by: Snowflake,
}

/// One field of a modal.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    pub label: String,
    pub custom_id: String,
    /// One line, or a paragraph.
    pub paragraph: bool,
    pub required: bool,
    pub min_length: usize,
    pub max_length: usize,
    /// What stands in it already.
    pub value: String,
    pub placeholder: String,
}

impl ModalView {
    /// The field with this label.
    #[must_use]
    pub fn input(&self, label: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.label == label)
    }
}

impl Input {
    /// Reads a text input of a modal that passed the rules.
    pub(super) fn of(raw: &Value) -> Self {
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

fn buttons(row: &Value) -> Vec<Button> {
    let components = row["components"].as_array().into_iter().flatten();
    components
        .filter(|component| component["type"] == 2)
        .map(button)
        .collect()
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

/// A value without the quotes of JSON.
pub(super) fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
