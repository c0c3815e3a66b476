//! Data model of the loopback: the parts of its state. No I/O.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::body::plain;
use crate::snowflake::Snowflake;
use crate::view::{Attachment, MessageView, ModalView, buttons, menus};

/// The bot's application. The bot user has the same ID, as for every newer application.
#[derive(Debug)]
pub(crate) struct Application {
    pub id: Snowflake,
    pub token: String,
    pub name: String,
}

#[derive(Debug)]
pub(crate) struct Guild {
    pub id: Snowflake,
    pub name: String,
    pub roles: Vec<Role>,
}

#[derive(Debug)]
pub(crate) struct Role {
    pub id: Snowflake,
    pub name: String,
    pub permissions: u64,
}

/// A person, in the guild or not.
#[derive(Debug)]
pub(crate) struct PersonState {
    pub id: Snowflake,
    pub name: String,
    pub roles: Vec<Snowflake>,
    pub in_guild: bool,
    pub dms_open: bool,
}

/// A text channel of the guild, or a DM channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub id: Snowflake,
    pub name: String,
    /// The bot's counterpart in a DM channel; `None` for a guild channel.
    pub recipient: Option<Snowflake>,
    pub access: Access,
    /// Permission bits that people lack in this channel. The bot has them.
    pub denied: u64,
}

/// The bot's access to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The bot can read and post.
    Full,
    /// The bot can read, but not post.
    ReadOnly,
    /// The bot can neither read nor post, and gets no MESSAGE_CREATE.
    Hidden,
}

/// A message with its current content and all earlier versions.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub id: Snowflake,
    pub channel: Snowflake,
    pub author: Snowflake,
    pub content: String,
    pub embeds: Vec<Value>,
    pub components: Vec<Value>,
    pub flags: u64,
    pub nonce: Option<Value>,
    /// True if a second post with this nonce returns this message.
    pub nonce_enforced: bool,
    pub edited: Option<DateTime<Utc>>,
    pub deleted: bool,
    /// Only person who sees the message, if it is ephemeral.
    pub visible_to: Option<Snowflake>,
    /// Interaction that the message responds to.
    pub interaction: Option<Snowflake>,
    /// People mentioned in the text.
    pub mentions: Vec<Snowflake>,
    /// People notified when the message was posted; edits notify nobody.
    pub notified: Vec<Snowflake>,
    pub files: Vec<Attachment>,
    /// Versions of the message, starting with the message as posted.
    pub versions: Vec<MessageView>,
    /// True if any version was read.
    pub seen: bool,
}

/// `SUPPRESS_EMBEDS`: links have no preview.
pub(crate) const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// `EPHEMERAL`: only one person sees the message.
pub(crate) const EPHEMERAL: u64 = 1 << 6;
/// `LOADING`: "thinking", a deferred response that has no content yet.
pub(crate) const LOADING: u64 = 1 << 7;
/// `SUPPRESS_NOTIFICATIONS`: the message notifies nobody.
pub(crate) const SILENT: u64 = 1 << 12;

/// A file that a person uploaded for an option of a command.
#[derive(Debug)]
pub(crate) struct Upload {
    pub name: String,
    pub content: Vec<u8>,
}

/// An interaction: an action of a person that the bot must respond to.
#[derive(Debug)]
pub(crate) struct InteractionState {
    pub id: Snowflake,
    pub token: String,
    pub kind: InteractionKind,
    pub person: Snowflake,
    pub channel: Snowflake,
    /// Message with the component, or from which the modal was opened.
    pub source: Option<Snowflake>,
    /// Interaction that opened the modal.
    pub parent: Option<Snowflake>,
    pub created: Instant,
    /// Description of the action on the page: the command line, or the transcript's text.
    pub words: String,
    /// Custom ID of the component that was used.
    pub custom_id: Option<String>,
    /// True if a test has expired the token.
    pub expired: bool,
    /// First response, with the time that it took.
    pub response: Option<(ResponseKind, Duration)>,
    /// Message behind `@original`.
    pub original: Option<Snowflake>,
    pub followups: Vec<Snowflake>,
    pub choices: Vec<Value>,
    pub modal: Option<ModalView>,
    /// Number of versions that the message had when its button was pressed; later versions are
    /// responses.
    pub read_from: usize,
    /// Number of versions of the original that the interaction's handle has read.
    pub read_to: usize,
    /// Number of follow-ups that the interaction's handle has read.
    pub followups_read: usize,
}

/// Kind of an interaction; the numbers are Discord's interaction types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InteractionKind {
    Command = 2,
    Component = 3,
    Autocomplete = 4,
    Modal = 5,
}

/// Kind of the first response; the numbers are Discord's callback types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseKind {
    /// A new message.
    Message = 4,
    /// "Thinking": a message whose content follows.
    Deferred = 5,
    /// Nothing yet; an edit of the component's message may follow.
    DeferredUpdate = 6,
    /// An edit of the component's message.
    Update = 7,
    /// Choices of an autocomplete.
    Choices = 8,
    /// A modal that opens for the person.
    Modal = 9,
}

impl Message {
    /// View of the message's current version.
    pub(crate) fn view(&self) -> MessageView {
        let posted = self.edited.is_none() && !self.deleted;
        MessageView {
            id: self.id,
            channel: self.channel,
            author: self.author,
            content: self.content.clone(),
            embeds: self.embeds.clone(),
            components: self.components.iter().map(buttons).collect(),
            menus: self.components.iter().flat_map(menus).collect(),
            ephemeral: self.flags & EPHEMERAL != 0,
            thinking: self.flags & LOADING != 0,
            edited: self.edited.is_some(),
            deleted: self.deleted,
            mentions: if posted {
                self.notified.clone()
            } else {
                Vec::new()
            },
            nonce: self.nonce.as_ref().map(plain),
            flags: self.flags,
            files: self.files.clone(),
        }
    }
}

impl InteractionState {
    /// Returns true if there is no first response yet and it would now be too late.
    pub(crate) fn is_overdue(&self, limit: Duration) -> bool {
        self.response.is_none() && self.created.elapsed() > limit
    }
}
