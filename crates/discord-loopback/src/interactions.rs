//! Creates interactions: stores them in the state and sends them over the gateway.
//!
//! Discord's API description does not contain the payload. Its format is documented at
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object>.

use std::time::Instant;

use serde_json::{Value, json};

use crate::config::ADMINISTRATOR;
use crate::model::{InteractionKind, InteractionState};
use crate::snowflake::{Snowflake, random_hex};
use crate::state::State;

/// Action of a person that creates an interaction.
#[derive(Debug)]
pub(crate) struct NewInteraction {
    pub kind: InteractionKind,
    pub person: Snowflake,
    pub channel: Snowflake,
    /// Message with the component, or from which the modal was opened.
    pub source: Option<Snowflake>,
    /// Interaction that opened the modal.
    pub parent: Option<Snowflake>,
    /// `data` field of the interaction.
    pub data: Value,
    /// Description of the action, for the transcript.
    pub words: String,
}

impl State {
    /// Stores the interaction and sends it to every gateway session, connected or not.
    pub(crate) fn create_interaction(&mut self, new: NewInteraction) -> Snowflake {
        let id = self.ids.next();
        let words = format!(
            "{} in {} {}",
            self.name_of(new.person),
            self.channel_label(new.channel),
            new.words
        );
        self.transcript.note(words);
        let line = new.words.strip_prefix("types ");
        let shown = line.unwrap_or(&new.words).to_owned();
        // The response to a button is the next version of its message, so reading starts there.
        let read_from = new
            .source
            .and_then(|id| self.messages.get(&id))
            .map_or(0, |m| m.versions.len());
        self.interactions.insert(
            id,
            InteractionState {
                id,
                token: format!("interaction.{id}.{}", random_hex()),
                kind: new.kind,
                person: new.person,
                channel: new.channel,
                source: new.source,
                parent: new.parent,
                words: shown,
                custom_id: new.data["custom_id"].as_str().map(str::to_owned),
                created: Instant::now(),
                expired: false,
                response: None,
                original: None,
                followups: Vec::new(),
                choices: Vec::new(),
                modal: None,
                read_from,
                read_to: read_from,
                followups_read: 0,
            },
        );
        let payload = self.payload(&self.interactions[&id], new.data);
        self.dispatch("INTERACTION_CREATE", &payload, 0);
        if self.controls.deliver_twice > 0 {
            self.controls.deliver_twice -= 1;
            self.dispatch("INTERACTION_CREATE", &payload, 0);
        }
        id
    }

    fn payload(&self, interaction: &InteractionState, data: Value) -> Value {
        let mut payload = json!({
            "id": interaction.id.to_string(),
            "application_id": self.application.id.to_string(),
            "type": interaction.kind as u8,
            "data": data,
            "channel_id": interaction.channel.to_string(),
            "token": interaction.token,
            "version": 1,
            "app_permissions": ADMINISTRATOR.to_string(),
            "locale": "en-US",
            "entitlements": [],
            "attachment_size_limit": 10 << 20,
        });
        self.add_context(&mut payload, interaction);
        if let Some(source) = interaction.source.and_then(|id| self.messages.get(&id)) {
            payload["message"] = self.message_json(source);
        }
        payload
    }

    /// Adds the channel and, in the guild, the member; in a DM there is only a user.
    fn add_context(&self, payload: &mut Value, interaction: &InteractionState) {
        let channel = self.channel(interaction.channel);
        if let Some(channel) = channel {
            payload["channel"] = self.channel_json(channel);
        }
        if channel.is_some_and(|channel| channel.recipient.is_some()) {
            payload["user"] = self.user_json(interaction.person);
            payload["context"] = 1.into();
            payload["authorizing_integration_owners"] = json!({ "0": "0" });
            return;
        }
        let guild = self
            .controls
            .other_guild
            .unwrap_or(self.guild.id)
            .to_string();
        if let Some((person, channel)) = self.person(interaction.person).zip(channel) {
            let permissions = self.permissions_in(person, channel);
            payload["member"] = self.interaction_member_json(person, permissions);
            payload["channel"]["permissions"] = permissions.to_string().into();
        }
        payload["context"] = 0.into();
        payload["authorizing_integration_owners"] = json!({ "0": guild });
        payload["guild"] = json!({ "id": guild, "locale": "en-US", "features": [] });
        payload["guild_locale"] = "en-US".into();
        payload["guild_id"] = guild.into();
    }
}
