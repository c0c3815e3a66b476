//! The Discord front end: commands, buttons, replies and public messages.
//!
//! `interactions` calls the handler of a command, button or form in `commands`, and that calls the
//! [`Service`]. `responder` keeps Discord's deadlines. `replies` holds the texts of all replies,
//! messages and forms; the commands' descriptions are in `commands`.

mod access;
mod bot;
pub mod buttons;
mod call;
mod charts;
mod check;
mod client;
pub mod commands;
pub mod comments;
mod direct;
mod drawing;
mod errors;
pub mod file_format;
mod followed;
pub mod forms;
pub mod goals;
mod inbox;
mod interactions;
mod message;
mod notifier;
mod presence;
mod pulse;
mod query_file;
mod relay;
mod replies;
mod responder;
pub mod start_options;
mod suggest;
mod table;
pub mod until;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use serenity::{
    Client,
    all::{ClientBuilder, Event, GatewayIntents, GuildId, Interaction, Message, Ready},
    client::{Context, EventHandler, RawEventHandler},
    gateway::{ConnectionStage, ShardRunnerInfo},
    http::Http,
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use bot::Bot;
pub use check::{invitation, look, read_application_id};
use client::http;
pub use commands::reference;
use direct::DirectMessages;
use drawing::DrawingQueue;
use errors::status;
use followed::FollowedStarts;
pub use notifier::DiscordNotifier;
use presence::Presence;
use pulse::Pulse;
use query_file::FILE_TIMEOUT;
use relay::Relay;
use responder::PendingAcks;

use crate::{outbound::Outbound, service::Service, settings};

/// Interval between checks of the gateway connection.
const CONNECTION_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum time for the last replies after the bot was told to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Connection to Discord with a valid token and registered commands.
pub struct Discord {
    http: Arc<Http>,
    direct: Arc<DirectMessages>,
    followed: FollowedStarts,
    drawings: Arc<DrawingQueue>,
    settings: settings::Discord,
    outbound: Outbound,
}

/// Checks the token and registers the commands.
///
/// # Errors
/// If Discord can't be reached, or rejects the token or the commands. The message says what to do.
pub async fn connect(settings: &settings::Settings) -> anyhow::Result<Discord> {
    let outbound = settings.outbound.clone();
    let settings = &settings.discord;
    let http = http(settings, &outbound)?;
    let application = match http.get_current_application_info().await {
        Ok(application) => application.id,
        Err(error) if status(&error) == Some(401) => {
            bail!(
                "Discord does not accept the bot's token; get a new one in the developer portal \
                 (Bot, Reset Token)"
            )
        }
        Err(error) => {
            return Err(error).context(
                "Discord can't be reached; check the connection to discord.com, port 443 (or to \
                 discord.api_proxy)",
            );
        }
    };
    http.set_application_id(application);
    // If this lookup fails later, serenity silently connects to the public gateway instead.
    http.get_gateway()
        .await
        .context("Discord did not return its gateway's address; try again in a minute")?;
    let guild = GuildId::new(settings.guild);
    match http
        .create_guild_commands(guild, &commands::registration())
        .await
    {
        Ok(_) => {
            let http = Arc::new(http);
            Ok(Discord {
                direct: Arc::new(DirectMessages::new(http.clone())),
                followed: FollowedStarts::default(),
                drawings: Arc::default(),
                http,
                settings: settings.clone(),
                outbound,
            })
        }
        Err(error) if matches!(status(&error), Some(403 | 404)) => bail!(
            "Discord does not let the bot register commands in guild {guild}; add the bot with this \
             link: {}",
            invitation(application.get())
        ),
        Err(error) => {
            Err(error).context("the commands could not be registered; try again in a minute")
        }
    }
}

impl Discord {
    /// Creates the notifier for this connection.
    pub fn notifier(&self, settings: Arc<settings::Settings>) -> DiscordNotifier {
        let (http, direct) = (self.http.clone(), self.direct.clone());
        let (followed, drawings) = (self.followed.clone(), self.drawings.clone());
        DiscordNotifier::new(http, direct, followed, drawings, settings)
    }

    /// Handles interactions until `shutdown`.
    ///
    /// # Errors
    /// If Discord ends the connection for good, for example because the token was revoked.
    pub async fn serve(
        self,
        service: Arc<Service>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        // The client takes its own `Http`, and uses it only to look up the gateway.
        let own = http(&self.settings, &self.outbound)?;
        let bot = Arc::new(Bot {
            http: self.http,
            files: self.outbound.client().timeout(FILE_TIMEOUT).build()?,
            settings: self.settings,
            service: service.clone(),
            direct: self.direct,
            pending_acks: PendingAcks::default(),
            followed: self.followed,
            drawings: self.drawings,
            shutdown: shutdown.clone(),
            handlers: TaskTracker::new(),
        });
        let handlers = bot.handlers.clone();
        let resumed_replies = {
            let bot = bot.clone();
            async move {
                commands::start::resume_replies(&bot).await;
                std::future::pending().await
            }
        };
        let mut client: Client = ClientBuilder::new_with_http(own, GatewayIntents::DIRECT_MESSAGES)
            .event_handler(Gateway {
                bot,
                presence: Presence::default(),
            })
            .raw_event_handler(UnreadableInteractionLogger)
            .await?;
        let gateway = client.ws_url.lock().await.clone();
        let relay = Relay::start(&gateway, &self.outbound).await?;
        if let Some(relay) = &relay {
            *client.ws_url.lock().await = relay.url.clone();
        }
        let shards = client.shard_manager.clone();
        let looking = async {
            let mut looks = tokio::time::interval(CONNECTION_CHECK_INTERVAL);
            let mut pulse = Pulse::default();
            loop {
                looks.tick().await;
                let runners = shards.runners.lock().await;
                // One guild needs only one shard.
                let runner = runners.values().next();
                let is_up = |it: &ShardRunnerInfo| {
                    it.stage == ConnectionStage::Connected
                        && pulse.is_alive(it.latency, Instant::now())
                };
                service.set_connected(runner.is_some_and(is_up));
            }
        };
        tokio::select! {
            () = resumed_replies => Ok(()),
            () = looking => Ok(()),
            outcome = client.start() => outcome.context("the connection to Discord ended"),
            () = shutdown.cancelled() => {
                shards.shutdown_all().await;
                // The handlers' last replies are sent.
                handlers.close();
                let _ = timeout(DRAIN_TIMEOUT, handlers.wait()).await;
                Ok(())
            }
        }
    }
}

struct Gateway {
    bot: Arc<Bot>,
    presence: Presence,
}

#[async_trait]
impl EventHandler for Gateway {
    async fn ready(&self, context: Context, ready: Ready) {
        info!("connected to Discord as {}", ready.user.name);
        self.presence
            .follow(self.bot.service.clone(), context.shard);
    }

    async fn message(&self, _: Context, message: Message) {
        inbox::answer(&self.bot, message).await;
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        let handled = interactions::handle(&self.bot, interaction);
        self.bot.handlers.track_future(handled).await;
    }
}

/// Logs interactions that serenity can't parse. serenity drops them silently.
struct UnreadableInteractionLogger;

#[async_trait]
impl RawEventHandler for UnreadableInteractionLogger {
    async fn raw_event(&self, _: Context, event: Event) {
        if let Event::Unknown(unknown) = event
            && unknown.kind == "INTERACTION_CREATE"
        {
            warn!("Discord sent an interaction that this version can't parse; it is not answered");
        }
    }
}
