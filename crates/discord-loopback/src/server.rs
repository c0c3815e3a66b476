//! A loopback Discord: starts its server, and finds what the configuration names. Does I/O: listens
//! on a socket.

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

use crate::config::DiscordConfig;
use crate::people::Person;
use crate::shared::Shared;
use crate::snowflake::Snowflake;
use crate::state::State;
use crate::{chat, gateway, rest};

/// A running loopback Discord. It stops when this is dropped.
#[derive(Debug)]
pub struct Discord {
    pub(crate) shared: Arc<Shared>,
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
            .route("/uploads/{id}", get(upload))
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
}

impl Drop for Discord {
    fn drop(&mut self) {
        self.server.abort();
        // Open connections have their own tasks, which this ends.
        self.shared.change(|state| state.set_offline(true));
    }
}

/// Serves an attached file of a message, like Discord's CDN.
async fn file(
    extract::State(shared): extract::State<Arc<Shared>>,
    Path((message, at)): Path<(Snowflake, usize)>,
) -> Result<Vec<u8>, StatusCode> {
    let content = shared.read(|state| {
        let message = state.messages.get(&message)?;
        Some(message.files.get(at)?.content.clone())
    });
    content.ok_or(StatusCode::NOT_FOUND)
}

/// Serves a file that a person uploaded, like Discord's CDN.
async fn upload(
    extract::State(shared): extract::State<Arc<Shared>>,
    Path(id): Path<Snowflake>,
) -> Result<Vec<u8>, StatusCode> {
    let content = shared.read(|state| Some(state.uploads.get(&id)?.content.clone()));
    content.ok_or(StatusCode::NOT_FOUND)
}

async fn open_gateway(
    extract::State(shared): extract::State<Arc<Shared>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(|socket| gateway::serve(shared, socket))
}
