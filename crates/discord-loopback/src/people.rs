//! Actions of people: run commands, press buttons, write and read messages. Each action makes the
//! same checks as Discord's client, and waits for the bot where necessary.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::body::plain;
use crate::command_line::{self, Purpose, Typed};
use crate::config::SEND_MESSAGES;
use crate::interaction::Interaction;
use crate::interactions::NewInteraction;
use crate::model::{EPHEMERAL, InteractionKind, LOADING, Message, PersonState, Upload};
use crate::post::{MessageDraft, MessageTarget};
use crate::shared::Shared;
use crate::snowflake::Snowflake;
use crate::state::State;
use crate::view::MessageView;

/// A person who uses Discord. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Person {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: Snowflake,
}

impl Person {
    /// User ID of the person.
    #[must_use]
    pub fn id(&self) -> Snowflake {
        self.id
    }

    /// Name of the person.
    #[must_use]
    pub fn name(&self) -> String {
        self.shared.read(|state| state.name_of(self.id).to_owned())
    }

    /// Text that mentions the person in a message.
    #[must_use]
    pub fn mention(&self) -> String {
        format!("<@{}>", self.id)
    }

    /// Refuses further DMs of the bot.
    pub fn close_dms(&self) {
        self.update(|person| person.dms_open = false);
    }

    /// Accepts DMs of the bot again.
    pub fn open_dms(&self) {
        self.update(|person| person.dms_open = true);
    }

    /// Sends a command such as `/duck start size:small`.
    ///
    /// # Errors
    ///
    /// If Discord's client would not send it.
    pub async fn run_command(&self, channel: &str, line: &str) -> Result<Interaction, String> {
        self.send_command(channel, line.into())
    }

    /// Sends a command, as [`Self::run_command`] does.
    pub(crate) fn send_command(
        &self,
        channel: &str,
        typed: Typed<'_>,
    ) -> Result<Interaction, String> {
        self.shared.change(|state| {
            let data = command_line::parse(state, self.member(state)?, typed, Purpose::Send)?;
            let channel = channel_id(state, channel)?;
            let words = format!("types {}", with_file_names(state, &typed.to_string()));
            Ok(self.interact(state, InteractionKind::Command, channel, None, data, words))
        })
    }

    /// Uploads a file for an option of a command. Its value in the line is the returned ID.
    pub fn upload(&self, name: &str, content: &[u8]) -> Snowflake {
        self.shared.change(|state| {
            let (id, name) = (state.ids.next(), name.to_owned());
            let content = content.to_owned();
            state.uploads.insert(id, Upload { name, content });
            id
        })
    }

    /// Requests autocomplete for the last option in `line`. Returns the names and values of the
    /// choices.
    ///
    /// # Errors
    ///
    /// If Discord's client would not send it, or if the bot does not answer in time.
    pub async fn complete(
        &self,
        channel: &str,
        line: &str,
    ) -> Result<Vec<(String, String)>, String> {
        self.request_choices(channel, line.into()).await
    }

    /// Requests autocomplete for the last option, as [`Self::complete`] does.
    pub(crate) async fn request_choices(
        &self,
        channel: &str,
        typed: Typed<'_>,
    ) -> Result<Vec<(String, String)>, String> {
        let interaction = self.shared.change(|state| {
            let data = command_line::parse(state, self.member(state)?, typed, Purpose::Complete)?;
            let channel = channel_id(state, channel)?;
            let words = format!("begins to type {typed}");
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
            .ok_or("the bot did not offer choices in time")?;
        Ok(choices
            .iter()
            .map(|one| (plain(&one["name"]), plain(&one["value"])))
            .collect())
    }

    /// Presses the button with this label in the current version of a message.
    ///
    /// # Errors
    ///
    /// If the person does not see the message, or if the button is missing, disabled or a link.
    pub async fn press(&self, message: &MessageView, label: &str) -> Result<Interaction, String> {
        let custom_id = self.shared.read(|state| {
            let message = self.visible_message(state, message.id)?;
            let now = message.view();
            let button = now
                .button(label)
                .ok_or_else(|| format!("the message has no button {label:?}"))?;
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

    /// Sends a button press even if the message has no such button: forged, or from an old client.
    ///
    /// # Errors
    ///
    /// If the message never existed.
    pub async fn press_custom_id(
        &self,
        message: Snowflake,
        custom_id: &str,
    ) -> Result<Interaction, String> {
        let data = json!({ "component_type": 2, "custom_id": custom_id });
        self.use_component(message, data, format!("presses {custom_id:?}"))
    }

    /// Chooses the entry with this label in a menu of a message.
    ///
    /// # Errors
    ///
    /// If the person does not see the message, or if no menu has the entry.
    pub async fn choose(&self, message: &MessageView, label: &str) -> Result<Interaction, String> {
        let (menu, value) = self.shared.read(|state| {
            let now = self.visible_message(state, message.id)?.view();
            let mut entries = now.menus.iter().flat_map(|menu| {
                let options = menu.options.iter();
                options.map(move |option| (&menu.custom_id, option))
            });
            let found = entries.find(|(_, option)| option.label == label);
            found
                .map(|(menu, option)| (menu.clone(), option.value.clone()))
                .ok_or_else(|| format!("no menu has {label:?}"))
        })?;
        self.choose_values(message.id, &menu, &json!([value]))
    }

    /// Sends the choice of values in a menu, without the client's checks.
    pub(crate) fn choose_values(
        &self,
        message: Snowflake,
        custom_id: &str,
        values: &Value,
    ) -> Result<Interaction, String> {
        let data = json!({ "component_type": 3, "custom_id": custom_id, "values": values });
        self.use_component(message, data, format!("chooses in {custom_id:?}"))
    }

    fn use_component(
        &self,
        message: Snowflake,
        data: Value,
        words: String,
    ) -> Result<Interaction, String> {
        self.shared.change(|state| {
            let source = state
                .messages
                .get(&message)
                .ok_or("the message does not exist")?;
            let channel = source.channel;
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

    /// Writes a DM to the bot. The bot gets the event if it has the intent.
    ///
    /// # Panics
    ///
    /// If the text is empty or too long.
    pub fn write_dm(&self, text: &str) -> Snowflake {
        let channel = self.shared.change(|state| state.open_dm(self.id));
        let posted = self.post(channel, text);
        posted.unwrap_or_else(|why| panic!("{text:?} can't be posted as a message: {why}"))
    }

    /// Writes a message in a channel of the guild. The bot gets the event if it has the intent.
    ///
    /// # Errors
    ///
    /// If Discord's client would not send it.
    pub fn write(&self, channel: &str, text: &str) -> Result<Snowflake, String> {
        let channel = self.shared.read(|state| channel_id(state, channel))?;
        self.post(channel, text)
    }

    /// Posts a message in a guild channel or in the person's DM channel, and marks it read.
    pub(crate) fn post(&self, channel: Snowflake, text: &str) -> Result<Snowflake, String> {
        let target = MessageTarget {
            channel,
            author: self.id,
            visible_to: None,
            interaction: None,
        };
        self.shared.change(|state| {
            let found = state
                .channel(channel)
                .ok_or("this channel does not exist")?;
            match found.recipient {
                Some(with) if with == self.id => {}
                Some(_) => return Err("this is another person's DM channel".to_owned()),
                None => {
                    let held = state.permissions_in(self.member(state)?, found);
                    if held & SEND_MESSAGES == 0 {
                        return Err(format!(
                            "{} can't write in this channel",
                            state.name_of(self.id)
                        ));
                    }
                }
            }
            let draft = MessageDraft::read("", &json!({ "content": text }));
            let posted = draft.and_then(|draft| state.post(target, draft));
            let id = posted.map_err(|_| "a message must have 1 to 2000 characters")?;
            if let Some(message) = state.messages.get_mut(&id) {
                message.seen = true;
            }
            Ok(id)
        })
    }

    /// Waits for the next unread public message in a channel, and returns its first version with
    /// content.
    pub async fn read(&self, channel: &str) -> MessageView {
        let what = format!("a message in {channel}");
        self.shared
            .wait(&what, |state| {
                let channel = state.channel_named(channel)?.id;
                next_unread(state, channel)
            })
            .await
    }

    /// Waits for the bot's next unread DM, and returns its first version with content.
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
        person.ok_or_else(|| format!("{} is not in this server", state.name_of(self.id)))
    }

    fn visible_message<'a>(&self, state: &'a State, id: Snowflake) -> Result<&'a Message, String> {
        let message = state.messages.get(&id).filter(|message| !message.deleted);
        let message = message.ok_or("the message no longer exists")?;
        let for_me = message.visible_to.is_none_or(|only| only == self.id);
        let channel = state.channel(message.channel);
        let in_reach = match channel.and_then(|channel| channel.recipient) {
            Some(with) => with == self.id,
            None => self.member(state).is_ok(),
        };
        if for_me && in_reach {
            return Ok(message);
        }
        Err(format!("{} can't see this message", state.name_of(self.id)))
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

    pub(crate) fn create_interaction(&self, state: &mut State, new: NewInteraction) -> Interaction {
        Interaction {
            shared: Arc::clone(&self.shared),
            id: state.create_interaction(new),
        }
    }
}

/// Replaces the IDs of uploads in a line by the names of their files, as Discord shows them.
fn with_file_names(state: &State, line: &str) -> String {
    let uploads = state.uploads.iter();
    uploads.fold(line.to_owned(), |line, (id, upload)| {
        line.replace(&id.to_string(), &upload.name)
    })
}

fn channel_id(state: &State, channel: &str) -> Result<Snowflake, String> {
    let found = state.channel_named(channel);
    found
        .map(|channel| channel.id)
        .ok_or_else(|| format!("there is no channel {channel}"))
}

/// Returns the oldest unread public message of a channel, in its first version with content.
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
