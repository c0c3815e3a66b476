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
mod connect;
mod direct;
mod drawing;
mod errors;
pub mod file_format;
mod followed;
pub mod forms;
mod gateway;
pub mod goals;
mod identify;
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
pub mod schedule_buttons;
pub mod schedule_form;
pub mod start_options;
mod suggest;
mod table;
pub mod until;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use bot::Bot;
pub use check::{invitation, look, read_application_id};
use client::Client;
pub use commands::reference;
use direct::DirectMessages;
use drawing::DrawingQueue;
use followed::FollowedStarts;
use gateway::{Links, keep_connected};
pub use notifier::DiscordNotifier;
use query_file::FILE_TIMEOUT;
use responder::PendingAcks;

use crate::{health::Health, leadership::Term, service::Service, settings};

/// Maximum time for the last replies after the bot was told to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The bot at Discord. Sends messages at any time, and answers interactions during a term.
pub struct Discord {
    client: Arc<Client>,
    direct: Arc<DirectMessages>,
    followed: FollowedStarts,
    drawings: Arc<DrawingQueue>,
    files: reqwest::Client,
    settings: Arc<settings::Settings>,
    links: Links,
}

impl Discord {
    /// Creates the bot. Connects to nothing.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(settings: Arc<settings::Settings>, health: Arc<Health>) -> anyhow::Result<Self> {
        let outbound = settings.outbound.clone();
        let client = Arc::new(Client::new(&settings.discord, &outbound)?);
        Ok(Self {
            direct: Arc::new(DirectMessages::new(client.clone())),
            client,
            followed: FollowedStarts::default(),
            drawings: Arc::default(),
            files: outbound.client().timeout(FILE_TIMEOUT).build()?,
            settings,
            links: Links {
                outbound,
                health,
                pace: Default::default(),
            },
        })
    }

    /// Checks the token and the membership in the guild, so that a new bot with a wrong one never takes
    /// the place of the previous bot. Changes nothing.
    ///
    /// # Errors
    /// If Discord refuses one of them. The message says what to do. An outage is no error.
    pub async fn check(&self) -> anyhow::Result<()> {
        connect::check(&self.client, self.settings.discord.guild).await
    }

    /// Creates the notifier.
    pub fn notifier(&self) -> DiscordNotifier {
        let (client, direct) = (self.client.clone(), self.direct.clone());
        let (followed, drawings) = (self.followed.clone(), self.drawings.clone());
        DiscordNotifier::new(client, direct, followed, drawings, self.settings.clone())
    }

    /// Registers the commands, and answers interactions until `stop`. Then sends the last replies and closes
    /// the connection. While Discord can't be reached, tries again.
    ///
    /// # Errors
    /// If Discord refuses the bot for good, for example because its token was revoked. The message says
    /// what to do.
    pub async fn serve(
        &self,
        service: Arc<Service>,
        term: Term,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let bot = Arc::new(Bot {
            client: self.client.clone(),
            files: self.files.clone(),
            settings: self.settings.discord.clone(),
            service,
            term,
            direct: self.direct.clone(),
            pending_acks: PendingAcks::default(),
            followed: self.followed.clone(),
            drawings: self.drawings.clone(),
            shutdown: stop.clone(),
            handlers: TaskTracker::new(),
        });
        let prepared = Notify::new();
        let connected = Box::pin(keep_connected(&bot, &self.links, &prepared, &stop));
        let resumed = async {
            let resume = async {
                prepared.notified().await;
                commands::start::resume_replies(&bot).await;
            };
            stop.run_until_cancelled(resume).await;
            anyhow::Ok(())
        };
        let drained = async {
            stop.cancelled().await;
            bot.handlers.close();
            let _ = timeout(DRAIN_TIMEOUT, bot.handlers.wait()).await;
            Ok(())
        };
        tokio::try_join!(connected, resumed, drained).map(|_| ())
    }
}
