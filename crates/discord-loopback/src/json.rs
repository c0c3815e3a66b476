//! The state as JSON in Discord's formats. Reads the state, no I/O.

use serde_json::{Value, json};

use crate::config::SEND_MESSAGES;
use crate::model::{
    Access, Channel, InteractionKind, InteractionState, Message, PersonState, Role,
};
use crate::snowflake::{Snowflake, created_at};
use crate::state::State;
use crate::view::Attachment;

impl State {
    /// User object of a person or the bot.
    pub(crate) fn user_json(&self, id: Snowflake) -> Value {
        let mut user = json!({
            "id": id.to_string(),
            "username": self.name_of(id),
            "global_name": self.name_of(id),
            "avatar": null,
            "discriminator": "0",
            "public_flags": 0,
            "flags": 0,
            "primary_guild": null,
        });
        if id == self.application.id {
            user["bot"] = true.into();
        }
        user
    }

    /// User object of the bot, with the fields that only the bot itself gets.
    pub(crate) fn own_user_json(&self) -> Value {
        let mut user = self.user_json(self.application.id);
        for (key, value) in [
            ("mfa_enabled", json!(true)),
            ("locale", json!("en-US")),
            ("verified", json!(true)),
            ("email", Value::Null),
        ] {
            user[key] = value;
        }
        user
    }

    /// Application object of the bot.
    pub(crate) fn application_json(&self) -> Value {
        json!({
            "id": self.application.id.to_string(),
            "name": self.application.name,
            "icon": null,
            "description": "",
            "type": null,
            "verify_key": "00",
            "flags": 0,
            "flags_new": "0",
            "redirect_uris": [],
            "interactions_endpoint_url": null,
            "role_connections_verification_url": null,
            "owner": self.user_json(self.application.id),
            "approximate_guild_count": 1,
            "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0,
            "explicit_content_filter": 0,
            "team": null,
            "eligible_oauth2_scopes": [],
            "bot_public": false,
            "bot_require_code_grant": false,
        })
    }

    /// Owner of the guild. Never the bot, because an owner has all permissions.
    fn owner(&self) -> Snowflake {
        let somebody = self.people.first().map(|person| person.id);
        somebody.unwrap_or(self.guild.id)
    }

    /// Member object of a person.
    pub(crate) fn member_json(&self, person: &PersonState) -> Value {
        self.member_with(person.id, &person.roles)
    }

    /// Member object of the bot.
    pub(crate) fn own_member_json(&self) -> Value {
        self.member_with(self.application.id, &[])
    }

    fn member_with(&self, id: Snowflake, roles: &[Snowflake]) -> Value {
        let roles: Vec<String> = roles.iter().map(Snowflake::to_string).collect();
        json!({
            "user": self.user_json(id),
            "roles": roles,
            "nick": null,
            "avatar": null,
            "banner": null,
            "communication_disabled_until": null,
            "flags": 0,
            "joined_at": created_at(id).to_rfc3339(),
            "pending": false,
            "premium_since": null,
            "mute": false,
            "deaf": false,
        })
    }

    /// Member object in an interaction, with permissions as computed for its channel.
    pub(crate) fn interaction_member_json(&self, person: &PersonState, permissions: u64) -> Value {
        let mut member = self.member_json(person);
        member["permissions"] = permissions.to_string().into();
        member
    }

    /// Channel object, of the guild or a DM.
    pub(crate) fn channel_json(&self, channel: &Channel) -> Value {
        let newest = self.messages.values().rfind(|m| m.channel == channel.id);
        let newest = newest.map(|message| message.id.to_string());
        match channel.recipient {
            Some(person) => json!({
                "id": channel.id.to_string(),
                "type": 1,
                "flags": 0,
                "last_message_id": newest,
                "recipients": [self.user_json(person)],
            }),
            None => json!({
                "id": channel.id.to_string(),
                "type": 0,
                "flags": 0,
                "guild_id": self.guild.id.to_string(),
                "name": channel.name,
                "position": 0,
                "last_message_id": newest,
                "permission_overwrites": self.overwrites_json(channel),
            }),
        }
    }

    /// Overwrites of a guild channel: what everyone lacks, and what the bot has nevertheless.
    fn overwrites_json(&self, channel: &Channel) -> Value {
        let overwrite = |id: Snowflake, kind: u8, allow: u64, deny: u64| {
            json!({
                "id": id.to_string(),
                "type": kind,
                "allow": allow.to_string(),
                "deny": deny.to_string(),
            })
        };
        let mut overwrites = Vec::new();
        if channel.access == Access::ReadOnly {
            overwrites.push(overwrite(
                self.guild.id,
                0,
                0,
                channel.denied | SEND_MESSAGES,
            ));
        } else if channel.denied != 0 {
            overwrites.push(overwrite(self.guild.id, 0, 0, channel.denied));
            overwrites.push(overwrite(self.application.id, 1, channel.denied, 0));
        }
        overwrites.into()
    }

    /// Guild object with its roles.
    pub(crate) fn guild_json(&self) -> Value {
        let roles: Vec<Value> = self.guild.roles.iter().map(role_json).collect();
        json!({
            "id": self.guild.id.to_string(), "name": self.guild.name, "icon": null,
            "description": null, "home_header": null, "splash": null, "discovery_splash": null,
            "features": [], "banner": null, "owner_id": self.owner().to_string(),
            "application_id": null, "region": "us-west", "afk_channel_id": null,
            "afk_timeout": 300, "system_channel_id": null, "system_channel_flags": 0,
            "widget_enabled": false, "widget_channel_id": null, "verification_level": 0,
            "roles": roles, "default_message_notifications": 0, "mfa_level": 0,
            "explicit_content_filter": 0, "max_presences": null, "max_members": 1000,
            "max_stage_video_channel_users": 0, "max_video_channel_users": 0,
            "vanity_url_code": null, "premium_tier": 0, "premium_subscription_count": 0,
            "preferred_locale": "en-US", "rules_channel_id": null,
            "safety_alerts_channel_id": null, "public_updates_channel_id": null,
            "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0,
            "emojis": [], "stickers": [], "incidents_data": null,
        })
    }

    /// Guild object in GUILD_CREATE, for a bot without the intent for members.
    pub(crate) fn guild_create_json(&self) -> Value {
        let mut guild = self.guild_json();
        let channels = self
            .channels
            .iter()
            .filter(|channel| channel.recipient.is_none());
        let channels: Vec<Value> = channels.map(|channel| self.channel_json(channel)).collect();
        let members = self.people.iter().filter(|person| person.in_guild).count() + 1;
        for (key, value) in [
            ("channels", json!(channels)),
            ("member_count", json!(members)),
            ("joined_at", json!(created_at(self.guild.id).to_rfc3339())),
            ("large", json!(false)),
            ("unavailable", json!(false)),
        ] {
            guild[key] = value;
        }
        for key in [
            "members",
            "threads",
            "presences",
            "voice_states",
            "stage_instances",
            "guild_scheduled_events",
        ] {
            guild[key] = json!([]);
        }
        guild
    }

    /// Message object of the current version.
    pub(crate) fn message_json(&self, message: &Message) -> Value {
        let mentions = message.mentions.iter().map(|&id| self.user_json(id));
        let answers = message
            .interaction
            .and_then(|id| self.interactions.get(&id));
        let is_command =
            answers.is_some_and(|interaction| interaction.kind == InteractionKind::Command);
        let mut json = json!({
            "id": message.id.to_string(),
            "channel_id": message.channel.to_string(),
            "type": if is_command { 20 } else { 0 },
            "author": self.user_json(message.author),
            "content": message.content,
            "embeds": message.embeds,
            "components": message.components,
            "flags": message.flags,
            "mentions": mentions.collect::<Vec<_>>(),
            "mention_roles": [],
            "mention_everyone": false,
            "attachments": self.attachments(message),
            "timestamp": created_at(message.id).to_rfc3339(),
            "edited_timestamp": message.edited.map(|at| at.to_rfc3339()),
            "pinned": false,
            "tts": false,
        });
        if let Some(nonce) = &message.nonce {
            json["nonce"] = nonce.clone();
        }
        if let Some(interaction) = answers {
            json["webhook_id"] = self.application.id.to_string().into();
            json["application_id"] = self.application.id.to_string().into();
            json["interaction_metadata"] = self.metadata_json(interaction);
        }
        json
    }

    /// `interaction_metadata` of a message: the interaction that it responds to.
    fn metadata_json(&self, interaction: &InteractionState) -> Value {
        let mut metadata = json!({
            "id": interaction.id.to_string(),
            "type": interaction.kind as u8,
            "user": self.user_json(interaction.person),
            "authorizing_integration_owners": { "0": self.guild.id.to_string() },
        });
        if interaction.kind == InteractionKind::Component {
            metadata["interacted_message_id"] = json!(interaction.source.map(|id| id.to_string()));
        }
        if let Some(parent) = interaction.parent.and_then(|id| self.interactions.get(&id)) {
            metadata["triggering_interaction_metadata"] = self.metadata_json(parent);
        }
        metadata
    }
}

/// Role object.
pub(crate) fn role_json(role: &Role) -> Value {
    json!({
        "id": role.id.to_string(),
        "name": role.name,
        "permissions": role.permissions.to_string(),
        "position": 0,
        "color": 0,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
        "hoist": false,
        "managed": false,
        "mentionable": false,
        "icon": null,
        "unicode_emoji": null,
        "flags": 0,
    })
}

impl State {
    /// Base URL of the server.
    fn base_url(&self) -> String {
        let base = self.gateway_url.trim_end_matches("/gateway");
        base.replacen("ws", "http", 1)
    }

    /// Attachment object of a file that a person uploaded.
    pub(crate) fn upload_json(&self, id: Snowflake) -> Option<Value> {
        let upload = self.uploads.get(&id)?;
        let url = format!("{}/uploads/{id}", self.base_url());
        Some(json!({
            "id": id.to_string(),
            "filename": upload.name,
            "size": upload.content.len(),
            "url": url,
            "proxy_url": url,
            "ephemeral": true,
        }))
    }

    /// Attachment objects of a message, with the URLs of its files.
    fn attachments(&self, message: &Message) -> Vec<Value> {
        let base = self.base_url();
        let file = |(at, file): (usize, &Attachment)| {
            let url = format!("{base}/files/{}/{at}", message.id);
            let mut attachment = json!({
                "id": (message.id + 1 + at as u64).to_string(),
                "filename": file.name,
                "size": file.content.len(),
                "url": url,
                "proxy_url": url,
            });
            if let Some(description) = &file.description {
                attachment["description"] = description.as_str().into();
            }
            attachment
        };
        message.files.iter().enumerate().map(file).collect()
    }
}
