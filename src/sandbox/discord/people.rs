//! What people do: type, press, write, read. Each verb checks what Discord's client would check
//! first, and waits where it needs the bot.

use std::sync::Arc;

use serde_json::{Value, json};

use super::command_line::{self, Purpose};
use super::interaction::Interaction;
use super::interactions::NewInteraction;
use super::model::{EPHEMERAL, InteractionKind, LOADING, Message, PersonState, State};
use super::post::{MessageDraft, MessageTarget};
use super::shared::Shared;
use super::snowflake::Snowflake;
use super::view::{MessageView, plain};

/// Somebody who uses Discord. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Person {
    pub(super) shared: Arc<Shared>,
    pub(super) id: Snowflake,
}

impl Person {
    /// The person's user id.
    #[must_use]
    pub fn id(&self) -> Snowflake {
        self.id
    }

    /// The person's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.shared.read(|state| state.name_of(self.id).to_owned())
    }

    /// How a message mentions the person.
    #[must_use]
    pub fn mention(&self) -> String {
        format!("<@{}>", self.id)
    }

    /// From now on the bot's DMs are refused.
    pub fn close_dms(&self) {
        self.update(|person| person.dms_open = false);
    }

    /// From now on the bot's DMs arrive again.
    pub fn open_dms(&self) {
        self.update(|person| person.dms_open = true);
    }

    /// Types a command such as `/duck start size:small` and sends it.
    ///
    /// # Errors
    ///
    /// What Discord's client would not have let pass.
    pub async fn run_command(&self, channel: &str, line: &str) -> Result<Interaction, String> {
        self.shared.change(|state| {
            let data = command_line::parse(state, self.member(state)?, line, Purpose::Send)?;
            let channel = channel_id(state, channel)?;
            let words = format!("types {line}");
            Ok(self.interact(state, InteractionKind::Command, channel, None, data, words))
        })
    }

    /// Types the beginning of a command's last option; the answer is what the client then offers,
    /// as name and value.
    ///
    /// # Errors
    ///
    /// What Discord's client would not have let pass; or that no choices came in time.
    pub async fn complete(
        &self,
        channel: &str,
        line: &str,
    ) -> Result<Vec<(String, String)>, String> {
        let interaction = self.shared.change(|state| {
            let data = command_line::parse(state, self.member(state)?, line, Purpose::Complete)?;
            let channel = channel_id(state, channel)?;
            let words = format!("begins to type {line}");
            Ok::<_, String>(self.interact(
                state,
                InteractionKind::Autocomplete,
                channel,
                None,
                data,
                words,
            ))
        })?;
        let choices = interaction
            .choices()
            .await
            .ok_or("no choices came in time")?;
        Ok(choices
            .iter()
            .map(|one| (plain(&one["name"]), plain(&one["value"])))
            .collect())
    }

    /// Presses the button with this label under a message, as the message stands now.
    ///
    /// # Errors
    ///
    /// If the person does not see the message, or if such a button can't be pressed.
    pub async fn press(&self, message: &MessageView, label: &str) -> Result<Interaction, String> {
        let custom_id = self.shared.read(|state| {
            let message = self.visible_message(state, message.id)?;
            let now = MessageView::of(message);
            let button = now
                .button(label)
                .ok_or_else(|| format!("no button {label:?} there"))?;
            if button.disabled {
                return Err(format!("the button {label:?} is disabled"));
            }
            button
                .custom_id
                .clone()
                .ok_or_else(|| format!("the button {label:?} opens a link"))
        })?;
        self.press_custom_id(message.id, &custom_id).await
    }

    /// Sends a press that the message does not have to offer: forged, or from an old client.
    ///
    /// # Errors
    ///
    /// If there never was such a message.
    pub async fn press_custom_id(
        &self,
        message: Snowflake,
        custom_id: &str,
    ) -> Result<Interaction, String> {
        let data = json!({ "component_type": 2, "custom_id": custom_id });
        self.shared.change(|state| {
            let source = state
                .messages
                .get(&message)
                .ok_or("there never was such a message")?;
            let (channel, words) = (source.channel, format!("presses {custom_id:?}"));
            Ok(self.interact(
                state,
                InteractionKind::Component,
                channel,
                Some(message),
                data,
                words,
            ))
        })
    }

    /// Writes a DM to the bot, which learns of it if it has the intent.
    pub fn write_dm(&self, text: &str) -> Snowflake {
        self.shared.change(|state| {
            let channel = state.open_dm(self.id);
            let target = MessageTarget {
                channel,
                author: self.id,
                visible_to: None,
                interaction: None,
            };
            let draft = MessageDraft {
                content: Some(text.to_owned()),
                ..MessageDraft::default()
            };
            let posted = state.post(target, draft);
            let id = posted.unwrap_or_else(|_| panic!("{text:?} is nothing to write"));
            if let Some(message) = state.messages.get_mut(&id) {
                message.seen = true;
            }
            id
        })
    }

    /// The next unread public message of a channel, as it was posted. Waits for it.
    pub async fn read(&self, channel: &str) -> MessageView {
        let what = format!("a message in {channel}");
        self.shared
            .wait(&what, |state| {
                let channel = state.channel_named(channel)?.id;
                next_unread(state, channel)
            })
            .await
    }

    /// The next unread DM of the bot, as it was posted. Waits for it.
    pub async fn read_dm(&self) -> MessageView {
        let read = self.shared.wait("a DM", |state| {
            let channel = state
                .channels
                .iter()
                .find(|channel| channel.recipient == Some(self.id))?
                .id;
            next_unread(state, channel)
        });
        read.await
    }

    fn update(&self, change: impl FnOnce(&mut PersonState)) {
        self.shared
            .change(|state| state.person_mut(self.id).map(change));
    }

    fn member<'a>(&self, state: &'a State) -> Result<&'a PersonState, String> {
        let person = state.person(self.id).filter(|person| person.in_guild);
        person.ok_or_else(|| format!("{} is not in the guild", state.name_of(self.id)))
    }

    fn visible_message<'a>(&self, state: &'a State, id: Snowflake) -> Result<&'a Message, String> {
        let message = state.messages.get(&id).filter(|message| !message.deleted);
        let message = message.ok_or("the message is gone")?;
        let for_me = message.visible_to.is_none_or(|only| only == self.id);
        let channel = state.channel(message.channel);
        let in_reach = match channel.and_then(|channel| channel.recipient) {
            Some(with) => with == self.id,
            None => self.member(state).is_ok(),
        };
        if for_me && in_reach {
            return Ok(message);
        }
        Err(format!(
            "{} does not see that message",
            state.name_of(self.id)
        ))
    }

    fn interact(
        &self,
        state: &mut State,
        kind: InteractionKind,
        channel: Snowflake,
        source: Option<Snowflake>,
        data: Value,
        words: String,
    ) -> Interaction {
        let (person, parent) = (self.id, None);
        self.create_interaction(
            state,
            NewInteraction {
                kind,
                person,
                channel,
                source,
                parent,
                data,
                words,
            },
        )
    }

    pub(super) fn create_interaction(&self, state: &mut State, new: NewInteraction) -> Interaction {
        Interaction {
            shared: Arc::clone(&self.shared),
            id: state.create_interaction(new),
        }
    }
}

fn channel_id(state: &State, channel: &str) -> Result<Snowflake, String> {
    let found = state.channel_named(channel);
    found
        .map(|channel| channel.id)
        .ok_or_else(|| format!("there is no channel {channel}"))
}

/// The oldest public message of the bot that nobody has read, in its first version with content.
fn next_unread(state: &mut State, channel: Snowflake) -> Option<MessageView> {
    let unread = |message: &&mut Message| {
        message.channel == channel && !message.seen && message.flags & (EPHEMERAL | LOADING) == 0
    };
    let message = state.messages.values_mut().find(unread)?;
    message.seen = true;
    message
        .versions
        .iter()
        .find(|version| !version.thinking)
        .cloned()
}
