//! Posts, edits and deletes messages. Changes the state, no I/O.

use chrono::Utc;
use serde_json::{Value, json};

use crate::api_error::{ApiError, EMPTY_MESSAGE};
use crate::body::{file_content, plain};
use crate::model::{Access, EPHEMERAL, LOADING, Message, SILENT, SUPPRESS_EMBEDS};
use crate::rules::messages;
use crate::snowflake::Snowflake;
use crate::state::State;
use crate::view::Attachment;

/// Flags that a request body can set; only Discord sets the others.
const SETTABLE: u64 = EPHEMERAL | SILENT | SUPPRESS_EMBEDS;
/// Intents for MESSAGE_CREATE, in the guild's channels and in DMs.
const GUILD_MESSAGES: u64 = 1 << 9;
const DIRECT_MESSAGES: u64 = 1 << 12;

/// Message content in a request body. `None` leaves a part unchanged.
#[derive(Debug, Default)]
pub(crate) struct MessageDraft {
    pub content: Option<String>,
    pub embeds: Option<Vec<Value>>,
    pub components: Option<Vec<Value>>,
    pub flags: u64,
    pub nonce: Option<Value>,
    pub enforce_nonce: bool,
    pub allowed_mentions: Value,
    pub files: Option<Vec<Attachment>>,
}

impl MessageDraft {
    /// Reads a message body. `at` is its path in the request with a final dot, such as `data.`.
    ///
    /// # Errors
    ///
    /// Status 400 if the body exceeds one of Discord's limits.
    pub(crate) fn read(at: &str, body: &Value) -> Result<Self, ApiError> {
        messages::check(at, body).finish()?;
        let list = |key: &str| match &body[key] {
            Value::Array(list) => Some(list.clone()),
            Value::Null if body.get(key).is_some() => Some(Vec::new()),
            _ => None,
        };
        Ok(Self {
            content: body
                .get("content")
                .map(|text| text.as_str().unwrap_or("").to_owned()),
            embeds: list("embeds").map(|embeds| embeds.into_iter().map(normalize_embed).collect()),
            components: list("components").map(normalize_components),
            flags: body["flags"].as_u64().unwrap_or(0) & SETTABLE,
            nonce: body.get("nonce").filter(|nonce| !nonce.is_null()).cloned(),
            enforce_nonce: body["enforce_nonce"] == true,
            allowed_mentions: body["allowed_mentions"].clone(),
            files: list("attachments").map(|files| files.iter().map(attachment).collect()),
        })
    }
}

/// Channel, author and audience of a new message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageTarget {
    pub channel: Snowflake,
    pub author: Snowflake,
    /// Only person who sees the message, if it is ephemeral.
    pub visible_to: Option<Snowflake>,
    /// Interaction that the message responds to.
    pub interaction: Option<Snowflake>,
}

impl State {
    /// Posts a message.
    ///
    /// # Errors
    ///
    /// Status 400 if the message is empty and not "thinking".
    pub(crate) fn post(
        &mut self,
        target: MessageTarget,
        draft: MessageDraft,
    ) -> Result<Snowflake, ApiError> {
        let id = self.ids.next();
        let mut message = Message {
            id,
            channel: target.channel,
            author: target.author,
            content: String::new(),
            embeds: Vec::new(),
            components: Vec::new(),
            flags: draft.flags,
            nonce: draft.nonce.clone(),
            nonce_enforced: draft.enforce_nonce,
            edited: None,
            deleted: false,
            visible_to: target.visible_to,
            interaction: target.interaction,
            mentions: Vec::new(),
            notified: Vec::new(),
            files: Vec::new(),
            versions: Vec::new(),
            seen: false,
        };
        self.fill(&mut message, draft);
        if message.flags & LOADING == 0 && is_empty(&message) {
            return Err(EMPTY_MESSAGE.into());
        }
        if message.flags & SILENT == 0 {
            message.notified = message.mentions.clone();
        }
        message.versions.push(message.view());
        self.note_message("", &message);
        self.messages.insert(id, message);
        self.dispatch_message_create(id);
        Ok(id)
    }

    /// Edits a message; parts that the draft leaves out stay. Ends "thinking".
    ///
    /// # Errors
    ///
    /// Status 400 if the message would be empty.
    pub(crate) fn edit(&mut self, id: Snowflake, draft: MessageDraft) -> Result<(), ApiError> {
        let Some(mut message) = self.messages.get(&id).cloned() else {
            return Ok(());
        };
        self.fill(&mut message, draft);
        if is_empty(&message) {
            return Err(EMPTY_MESSAGE.into());
        }
        message.flags &= !LOADING;
        message.edited = Some(Utc::now());
        message.versions.push(message.view());
        self.note_message("edits: ", &message);
        self.messages.insert(id, message);
        Ok(())
    }

    /// Marks a message as deleted; its versions stay.
    pub(crate) fn delete(&mut self, id: Snowflake) {
        if let Some(mut message) = self.messages.remove(&id) {
            message.deleted = true;
            message.versions.push(message.view());
            self.note_message("deletes: ", &message);
            self.messages.insert(id, message);
        }
    }

    fn fill(&self, message: &mut Message, draft: MessageDraft) {
        message.content = draft
            .content
            .unwrap_or_else(|| std::mem::take(&mut message.content));
        message.embeds = draft
            .embeds
            .unwrap_or_else(|| std::mem::take(&mut message.embeds));
        message.components = draft
            .components
            .unwrap_or_else(|| std::mem::take(&mut message.components));
        message.files = draft
            .files
            .unwrap_or_else(|| std::mem::take(&mut message.files));
        let named = |id: &Snowflake| {
            self.person(*id).is_some()
                && message.content.contains(&format!("<@{id}>"))
                && may_ping(&draft.allowed_mentions, *id)
                && message.visible_to.is_none_or(|only| only == *id)
        };
        message.mentions = self
            .people
            .iter()
            .map(|person| person.id)
            .filter(named)
            .collect();
    }

    /// Sends MESSAGE_CREATE to sessions with the intent, if the bot sees the message in its channel.
    fn dispatch_message_create(&mut self, id: Snowflake) {
        let Some(message) = self.messages.get(&id).filter(|m| m.visible_to.is_none()) else {
            return;
        };
        let Some(channel) = self.channel(message.channel) else {
            return;
        };
        if channel.access == Access::Hidden {
            return;
        }
        let mut data = self.message_json(message);
        let intent = if channel.recipient.is_some() {
            DIRECT_MESSAGES
        } else {
            data["guild_id"] = self.guild.id.to_string().into();
            if let Some(person) = self.person(message.author) {
                data["member"] = self.member_json(person);
            }
            GUILD_MESSAGES
        };
        self.dispatch("MESSAGE_CREATE", &data, intent);
    }

    fn note_message(&mut self, what: &str, message: &Message) {
        let mut view = message.view().text().replace('\n', "\n      ");
        if message.flags & LOADING != 0 {
            view.push_str("(is thinking)");
        }
        for button in message.view().components.iter().flatten() {
            view.push_str(&format!(" [{}]", button.label));
        }
        let only = message
            .visible_to
            .map(|id| format!(", only for {}", self.name_of(id)));
        let line = format!(
            "{} in {}{}: {what}{view}",
            self.name_of(message.author),
            self.channel_label(message.channel),
            only.unwrap_or_default(),
        );
        self.transcript.note(line);
    }
}

fn is_empty(message: &Message) -> bool {
    message.content.trim().is_empty() && message.embeds.is_empty() && message.files.is_empty()
}

fn attachment(raw: &Value) -> Attachment {
    let text = |name: &str| raw[name].as_str().map(str::to_owned);
    Attachment {
        name: text("filename").unwrap_or_else(|| "unnamed".to_owned()),
        content: file_content(raw),
        description: text("description"),
    }
}

/// Returns true if `allowed_mentions` permits to notify a person; without it, all mentions notify.
fn may_ping(allowed: &Value, person: Snowflake) -> bool {
    let holds = |key: &str, wanted: &str| {
        allowed[key]
            .as_array()
            .is_some_and(|list| list.iter().any(|one| plain(one) == wanted))
    };
    allowed.is_null() || holds("parse", "users") || holds("users", &person.to_string())
}

/// Numbers the components of a message and sets the defaults of menus, as Discord does when it stores
/// them.
fn normalize_components(mut rows: Vec<Value>) -> Vec<Value> {
    let mut next = 1;
    for row in &mut rows {
        row["id"] = next.into();
        next += 1;
        for component in row["components"].as_array_mut().into_iter().flatten() {
            component["id"] = next.into();
            next += 1;
            if component["type"] == 3 {
                for limit in ["min_values", "max_values"] {
                    if component[limit].is_null() {
                        component[limit] = 1.into();
                    }
                }
            }
        }
    }
    rows
}

/// Normalises an embed like Discord: sets its type and `inline` of each field, and drops nulls.
fn normalize_embed(mut embed: Value) -> Value {
    if let Some(parts) = embed.as_object_mut() {
        parts.retain(|_, part| !part.is_null());
    }
    embed["type"] = json!("rich");
    for field in embed
        .get_mut("fields")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        field["inline"] = (field["inline"] == true).into();
    }
    embed
}
