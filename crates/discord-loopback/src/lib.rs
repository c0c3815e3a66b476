//! A stand-in for Discord in this process: REST v10 and the gateway, over plain HTTP and WebSocket
//! on loopback.
//!
//! The stand-in speaks Discord's wire format and knows no bot. The bot's real client connects to
//! [`Discord::url`]. Tests act as people through [`Person`], and read the same messages. All state
//! is one `State` behind one lock. Requests that Discord rejects are rejected with the same codes.
//! A request to an unknown route gets 404 and is listed by [`Discord::unknown_routes`].
//!
//! ```no_run
//! # use discord_loopback::{Discord, DiscordConfig};
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let config = DiscordConfig::default().channel("data").role("analyst").person("ana", &["analyst"]);
//! let discord = Discord::start(config).await?;
//! // ... the bot starts, with discord.url() and discord.token() ...
//! discord.wait_for_commands().await;
//! let ana = discord.person("ana");
//! let start = ana.run_command("#data", "/duck start size:small").await?;
//! let ready = start.until(|reply| reply.button("Stop it").is_some()).await;
//! let stop = ana.press(&ready, "Stop it").await?;
//! assert_eq!(stop.reply().await.content, "Stopped.");
//! # Ok(())
//! # }
//! ```
//!
//! Does I/O: listens on a socket.

#![warn(unreachable_pub)]

mod api_error;
mod chat;
mod command_line;
mod config;
mod controls;
mod faults;
mod forms;
mod gateway;
mod inspect;
mod interaction;
mod interactions;
mod json;
mod model;
mod people;
mod post;
mod rest;
mod rules;
mod shared;
mod snowflake;
mod state;
mod transcript;
mod view;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{self, Path, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::chat::FaultButton;
pub use self::config::{ADMINISTRATOR, DiscordConfig, MEMBER_PERMISSIONS, PersonConfig};
pub use self::faults::{BoxFuture, Interception, Interceptor, RestCall, RestFault};
pub use self::interaction::{Acknowledgement, Interaction};
pub use self::model::{Access, ResponseKind};
pub use self::people::Person;
pub use self::shared::Observer;
pub use self::snowflake::Snowflake;
pub use self::transcript::RestExchange;
pub use self::view::{Attachment, Button, Input, MessageView, ModalView};

use self::model::State;
use self::shared::Shared;

/// A running loopback Discord. It stops when this is dropped.
#[derive(Debug)]
pub struct Discord {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Discord {
    /// Starts a loopback Discord in the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If it can't listen on `config.listen`.
    pub async fn start(config: DiscordConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let mut state = State::new(&config);
        state.gateway_url = format!("ws://{address}/gateway");
        let shared = Shared::new(state, config.wait_timeout);
        let app = Router::new()
            .route("/gateway", any(open_gateway))
            .route("/files/{message}/{at}", get(file))
            .merge(chat::routes())
            .fallback(rest::serve)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // axum's server ends only with its task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            shared,
            address,
            server,
        })
    }

    /// Base URL for a client, instead of `https://discord.com`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bot token. It is different in every run, so tests can search for leaks.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.read(|state| state.application.token.clone())
    }

    /// ID of the application, which is also the bot's user ID.
    #[must_use]
    pub fn application_id(&self) -> Snowflake {
        self.shared.read(|state| state.application.id)
    }

    /// ID of the guild.
    #[must_use]
    pub fn guild_id(&self) -> Snowflake {
        self.shared.read(|state| state.guild.id)
    }

    /// ID of a channel.
    ///
    /// # Panics
    ///
    /// If there is no channel with this name.
    #[must_use]
    pub fn channel(&self, name: &str) -> Snowflake {
        let id = self
            .shared
            .read(|state| state.channel_named(name).map(|channel| channel.id));
        id.unwrap_or_else(|| panic!("the config has no channel {name:?}"))
    }

    /// ID of a role.
    ///
    /// # Panics
    ///
    /// If there is no role with this name.
    #[must_use]
    pub fn role(&self, name: &str) -> Snowflake {
        self.shared.read(|state| state.guild.role(name).id)
    }

    /// Returns the person with this name.
    ///
    /// # Panics
    ///
    /// If there is no person with this name.
    #[must_use]
    pub fn person(&self, name: &str) -> Person {
        let id = self.shared.read(|state| {
            state
                .people
                .iter()
                .find(|person| person.name == name)
                .map(|person| person.id)
        });
        let id = id.unwrap_or_else(|| panic!("the config has no person {name:?}"));
        Person {
            shared: Arc::clone(&self.shared),
            id,
        }
    }

    /// Gives a person a role.
    pub fn grant(&self, person: &str, role: &str) {
        let (id, role) = (self.person(person).id, self.role(role));
        self.shared
            .change(|state| state.person_mut(id).map(|person| person.roles.push(role)));
    }

    /// Takes a role away from a person.
    pub fn revoke(&self, person: &str, role: &str) {
        let (id, role) = (self.person(person).id, self.role(role));
        self.shared.change(|state| {
            state
                .person_mut(id)
                .map(|person| person.roles.retain(|held| *held != role))
        });
    }

    /// Removes a person from the guild, with all their roles.
    pub fn leave_guild(&self, person: &str) {
        let id = self.person(person).id;
        self.shared.change(|state| {
            state.person_mut(id).map(|person| {
                person.in_guild = false;
                person.roles.clear();
            })
        });
    }

    /// Adds a person to the guild.
    pub fn join_guild(&self, person: &str) {
        let id = self.person(person).id;
        self.shared
            .change(|state| state.person_mut(id).map(|person| person.in_guild = true));
    }

    /// Sets the bot's access to a channel.
    pub fn set_access(&self, channel: &str, access: Access) {
        let id = self.channel(channel);
        self.shared.change(|state| {
            let channels = state.channels.iter_mut();
            channels
                .filter(|channel| channel.id == id)
                .for_each(|channel| channel.access = access);
        });
    }

    /// Waits until a bot is connected and READY.
    pub async fn wait_connected(&self) {
        self.shared
            .wait("a bot to connect", |state| {
                state.is_connected().then_some(())
            })
            .await;
    }

    /// Waits until `count` heartbeats were answered since the start.
    pub async fn wait_heartbeats(&self, count: usize) {
        self.shared
            .wait("heartbeats", |state| {
                (state.controls.heartbeats_answered >= count).then_some(())
            })
            .await;
    }

    /// Waits until no bot is connected.
    pub async fn wait_disconnected(&self) {
        self.shared
            .wait("the bot to disconnect", |state| {
                (!state.is_connected()).then_some(())
            })
            .await;
    }

    /// Waits until the bot has registered commands.
    pub async fn wait_for_commands(&self) {
        self.shared
            .wait("commands to be registered", has_commands)
            .await;
    }

    /// Waits without a time limit until the bot has registered commands.
    pub async fn wait_for_commands_forever(&self) {
        while self
            .shared
            .wait_for(self.shared.wait_timeout, has_commands)
            .await
            .is_none()
        {}
    }
}

impl Drop for Discord {
    fn drop(&mut self) {
        self.server.abort();
        // Open connections have their own tasks, which this ends.
        self.set_offline(true);
    }
}

fn has_commands(state: &mut State) -> Option<()> {
    (!state.commands.is_empty()).then_some(())
}

/// Serves an attached file of a message, like Discord's CDN.
async fn file(
    extract::State(shared): extract::State<Arc<Shared>>,
    Path((message, at)): Path<(Snowflake, usize)>,
) -> Result<String, StatusCode> {
    let content = shared.read(|state| {
        let message = state.messages.get(&message)?;
        Some(message.files.get(at)?.content.clone())
    });
    content.ok_or(StatusCode::NOT_FOUND)
}

async fn open_gateway(
    extract::State(shared): extract::State<Arc<Shared>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(|socket| gateway::serve(shared, socket))
}
