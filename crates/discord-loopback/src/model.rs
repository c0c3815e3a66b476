//! Data model of the loopback. No I/O.
//!
//! REST handlers, the gateway and people's actions share one `State` behind one lock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::faults::Controls;
use super::gateway::GatewaySession;
use super::snowflake::{Snowflake, SnowflakeGenerator};
use super::transcript::Transcript;
use super::view::{Attachment, MessageView, ModalView};

/// Complete state of the loopback.
#[derive(Debug)]
pub(super) struct State {
    pub ids: SnowflakeGenerator,
    pub application: Application,
    pub guild: Guild,
    pub people: Vec<PersonState>,
    /// Guild channels, and DM channels opened so far.
    pub channels: Vec<Channel>,
    /// Commands of the guild, as returned to the bot.
    pub commands: Vec<Value>,
    /// Messages by ID, which is the order in which they were posted. Deleted ones stay, marked.
    pub messages: BTreeMap<Snowflake, Message>,
    pub interactions: BTreeMap<Snowflake, InteractionState>,
    /// Gateway sessions, connected or waiting to be resumed.
    pub sessions: Vec<GatewaySession>,
    pub controls: Controls,
    pub transcript: Transcript,
    /// Gateway URL in READY and in the response of `/gateway`.
    pub gateway_url: String,
    pub first_response_timeout: Duration,
    pub token_lifetime: Duration,
}

/// The bot's application. The bot user has the same ID, as for every newer application.
#[derive(Debug)]
pub(super) struct Application {
    pub id: Snowflake,
    pub token: String,
    pub name: String,
}

#[derive(Debug)]
pub(super) struct Guild {
    pub id: Snowflake,
    pub name: String,
    pub roles: Vec<Role>,
}

#[derive(Debug)]
pub(super) struct Role {
    pub id: Snowflake,
    pub name: String,
    pub permissions: u64,
}

/// A person, in the guild or not.
#[derive(Debug)]
pub(super) struct PersonState {
    pub id: Snowflake,
    pub name: String,
    pub roles: Vec<Snowflake>,
    pub in_guild: bool,
    pub dms_open: bool,
}

/// A text channel of the guild, or a DM channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub id: Snowflake,
    pub name: String,
    /// The bot's counterpart in a DM channel; `None` for a guild channel.
    pub recipient: Option<Snowflake>,
    pub access: Access,
}

/// The bot's access to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Full,
    ReadOnly,
    Hidden,
}

/// A message with its current content and all earlier versions.
#[derive(Debug, Clone)]
pub(super) struct Message {
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
pub(super) const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// `EPHEMERAL`: only one person sees the message.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// `LOADING`: "thinking", a deferred response that has no content yet.
pub(super) const LOADING: u64 = 1 << 7;
/// `SUPPRESS_NOTIFICATIONS`: the message notifies nobody.
pub(super) const SILENT: u64 = 1 << 12;

/// An interaction: an action of a person that the bot must respond to.
#[derive(Debug)]
pub(super) struct InteractionState {
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
pub(super) enum InteractionKind {
    Command = 2,
    Component = 3,
    Autocomplete = 4,
    Modal = 5,
}

/// Kind of the first response; the numbers are Discord's callback types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseKind {
    Message = 4,
    Deferred = 5,
    DeferredUpdate = 6,
    Update = 7,
    Choices = 8,
    Modal = 9,
}

impl InteractionState {
    /// Returns true if there is no first response yet and it would now be too late.
    pub(super) fn is_overdue(&self, limit: Duration) -> bool {
        self.response.is_none() && self.created.elapsed() > limit
    }
}
