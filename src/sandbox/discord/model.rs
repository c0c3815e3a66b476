//! Everything that the loopback knows, as plain data. No I/O.
//!
//! One `State` stands behind one lock; REST handlers, the gateway and the verbs all work on it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::faults::Controls;
use super::gateway::GatewaySession;
use super::snowflake::{Snowflake, SnowflakeGenerator};
use super::transcript::Transcript;
use super::view::{Attachment, MessageView, ModalView};

/// The whole state.
#[derive(Debug)]
pub struct State {
    pub ids: SnowflakeGenerator,
    pub application: Application,
    pub guild: Guild,
    pub people: Vec<PersonState>,
    /// Guild channels, and the DM channels that were opened so far.
    pub channels: Vec<Channel>,
    /// The guild's commands, as they were answered to the bot.
    pub commands: Vec<Value>,
    /// By id, so in the order posted. Deleted ones stay, marked.
    pub messages: BTreeMap<Snowflake, Message>,
    pub interactions: BTreeMap<Snowflake, InteractionState>,
    /// Gateway sessions, connected or waiting to be resumed.
    pub sessions: Vec<GatewaySession>,
    pub controls: Controls,
    pub transcript: Transcript,
    /// Where READY and `/gateway` send the bot.
    pub gateway_url: String,
    pub first_response_timeout: Duration,
    pub token_lifetime: Duration,
}

/// The bot's application. The bot user has the same id, as with every newer application.
#[derive(Debug)]
pub struct Application {
    pub id: Snowflake,
    pub token: String,
    pub name: String,
}

#[derive(Debug)]
pub struct Guild {
    pub id: Snowflake,
    pub name: String,
    pub roles: Vec<Role>,
}

#[derive(Debug)]
pub struct Role {
    pub id: Snowflake,
    pub name: String,
    pub permissions: u64,
}

/// A person, in the guild or not.
#[derive(Debug)]
pub struct PersonState {
    pub id: Snowflake,
    pub name: String,
    pub roles: Vec<Snowflake>,
    pub in_guild: bool,
    pub dms_open: bool,
}

/// A text channel of the guild, or a DM channel.
#[derive(Debug)]
pub struct Channel {
    pub id: Snowflake,
    pub name: String,
    /// The person at the other end, in a DM channel.
    pub recipient: Option<Snowflake>,
    pub access: Access,
}

/// What the bot may do in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Full,
    ReadOnly,
    Hidden,
}

/// A message, as it stands now, with everything that it was before.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: Snowflake,
    pub channel: Snowflake,
    pub author: Snowflake,
    pub content: String,
    pub embeds: Vec<Value>,
    pub components: Vec<Value>,
    pub flags: u64,
    pub nonce: Option<Value>,
    /// Whether a second post with this nonce is this message again.
    pub nonce_enforced: bool,
    pub edited: Option<DateTime<Utc>>,
    pub deleted: bool,
    /// The only person who sees it, for an ephemeral one.
    pub visible_to: Option<Snowflake>,
    /// The interaction that it answers.
    pub interaction: Option<Snowflake>,
    /// People whom its text names.
    pub mentions: Vec<Snowflake>,
    /// People who got a ping: only when it was posted, never by an edit.
    pub notified: Vec<Snowflake>,
    /// Attached files.
    pub files: Vec<Attachment>,
    /// One view for each change, the first as posted.
    pub versions: Vec<MessageView>,
    /// Whether a verb has read any version.
    pub seen: bool,
}

/// `SUPPRESS_EMBEDS`: links get no preview.
pub const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// `EPHEMERAL`: only its person sees the message.
pub const EPHEMERAL: u64 = 1 << 6;
/// `LOADING`: "thinking", a deferred answer without content so far.
pub const LOADING: u64 = 1 << 7;
/// `SUPPRESS_NOTIFICATIONS`: posted without a ping.
pub const SILENT: u64 = 1 << 12;

/// One interaction: a person did something that the bot must answer.
#[derive(Debug)]
pub struct InteractionState {
    pub id: Snowflake,
    pub token: String,
    pub kind: InteractionKind,
    pub person: Snowflake,
    pub channel: Snowflake,
    /// The message with the button, or from which the modal was opened.
    pub source: Option<Snowflake>,
    /// The interaction that opened the modal.
    pub parent: Option<Snowflake>,
    pub created: Instant,
    /// What was done, as the page shows it: the command's line, or the transcript's words.
    pub words: String,
    /// The id of the component that was used.
    pub custom_id: Option<String>,
    /// Set by a test: the token is dead before its time.
    pub expired: bool,
    /// The first response, and how long it took.
    pub response: Option<(ResponseKind, Duration)>,
    /// The message behind `@original`.
    pub original: Option<Snowflake>,
    pub followups: Vec<Snowflake>,
    pub choices: Vec<Value>,
    pub modal: Option<ModalView>,
    /// How many versions the message had when its button was pressed: what came before is no answer.
    pub read_from: usize,
    /// How many versions of the original its handle has read.
    pub read_to: usize,
    /// How many follow-ups its handle has read.
    pub followups_read: usize,
}

/// What a person did; the numbers are Discord's interaction types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InteractionKind {
    Command = 2,
    Component = 3,
    Autocomplete = 4,
    Modal = 5,
}

/// What the first response was; the numbers are Discord's callback types.
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
    /// Whether its first response came too late, should it come now.
    pub fn is_overdue(&self, limit: Duration) -> bool {
        self.response.is_none() && self.created.elapsed() > limit
    }
}
