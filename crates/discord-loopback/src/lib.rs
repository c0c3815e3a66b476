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
mod body;
mod chat;
mod command_line;
mod config;
mod controls;
mod faults;
mod forms;
mod gateway;
mod gateway_session;
mod inspect;
mod interaction;
mod interactions;
mod json;
mod model;
mod people;
mod post;
mod rest;
mod rules;
mod server;
mod shared;
mod snowflake;
mod state;
mod transcript;
mod view;

pub use config::{ADMINISTRATOR, DiscordConfig, MEMBER_PERMISSIONS, PersonConfig};
pub use faults::{BoxFuture, FaultButton, Interception, Interceptor, RestCall, RestFault};
pub use interaction::{Acknowledgement, Interaction};
pub use model::{Access, ResponseKind};
pub use people::Person;
pub use server::Discord;
pub use shared::Observer;
pub use snowflake::Snowflake;
pub use transcript::RestExchange;
pub use view::{Attachment, Button, Input, MessageView, ModalView};
