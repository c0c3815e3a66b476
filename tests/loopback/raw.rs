//! Bot without a client library: sends raw requests to test each of Discord's refusals.

use discord_loopback::{Discord, Interaction};
use reqwest::Method;
use serde_json::{Value, json};

/// Sends requests with the bot's token.
pub struct Raw<'a> {
    discord: &'a Discord,
    client: reqwest::Client,
    token: String,
}

/// Status and body of a response.
pub type Answer = (u16, Value);

impl<'a> Raw<'a> {
    pub fn new(discord: &'a Discord) -> Self {
        Self {
            discord,
            client: reqwest::Client::new(),
            token: discord.token(),
        }
    }

    /// Client with a wrong token.
    pub fn forged(discord: &'a Discord) -> Self {
        Self {
            token: "wrong".to_owned(),
            ..Self::new(discord)
        }
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        let url = format!("{}/api/v10{path}", self.discord.url());
        let request = self.client.request(method, url);
        let request = request.header("authorization", format!("Bot {}", self.token));
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let response = request.send().await.expect("the loopback Discord answers");
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Value::Null).await
    }

    /// Responds to an interaction.
    pub async fn answer(&self, interaction: &Interaction, body: Value) -> Answer {
        let path = format!(
            "/interactions/{}/{}/callback",
            interaction.id(),
            interaction.token()
        );
        self.post(&path, body).await
    }

    /// Path for an interaction's follow-up messages.
    pub fn hook(&self, interaction: &Interaction) -> String {
        format!(
            "/webhooks/{}/{}",
            self.discord.application_id(),
            interaction.token()
        )
    }

    /// Path of an interaction's reply.
    pub fn original(&self, interaction: &Interaction) -> String {
        format!("{}/messages/@original", self.hook(interaction))
    }

    /// Path of a channel's messages.
    pub fn messages(&self, channel: &str) -> String {
        format!("/channels/{}/messages", self.discord.channel(channel))
    }

    /// Overwrites all commands.
    pub async fn register(&self, commands: Value) -> Answer {
        self.send(Method::PUT, &self.commands(), commands).await
    }

    pub async fn create_command(&self, command: Value) -> Answer {
        self.post(&self.commands(), command).await
    }

    fn commands(&self) -> String {
        let (application, guild) = (self.discord.application_id(), self.discord.guild_id());
        format!("/applications/{application}/guilds/{guild}/commands")
    }

    /// Registers `/ping`, and `/find what:…` with autocomplete.
    pub async fn register_two(&self) {
        let what = json!({ "type": 3, "name": "what", "description": "x", "autocomplete": true });
        let commands = json!([
            { "name": "ping", "description": "x" },
            { "name": "find", "description": "x", "options": [what] },
        ]);
        assert_eq!(self.register(commands).await.0, 200);
    }
}
