//! The connection to Discord's gateway.
//!
//! serenity 0.12.5 opens a new session (IDENTIFY) by itself and without a limit, whenever it can't
//! resume the last one. Here its runner only resumes: the address with which it would open a session
//! is empty. It then ends, and [`keep_connected`] decides when to open the next session.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use parking_lot::Mutex;
use serenity::{
    all::{
        Event, GatewayIntents, Interaction, Message, Ready, SessionStartLimit, ShardId, ShardInfo,
    },
    client::{Context, EventHandler, RawEventHandler},
    gateway::{
        ConnectionStage, Shard, ShardManager, ShardManagerOptions, ShardMessenger, ShardRunner,
        ShardRunnerInfo, ShardRunnerMessage, ShardRunnerOptions,
    },
    prelude::TypeMap,
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, RwLock},
    time::{sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    bot::Bot,
    connect::{ConnectError, GatewayInfo, OutageLog, look_up_gateway, register_commands},
    identify::{Pace, wait_for_limit},
    inbox, interactions,
    presence::Presence,
    pulse::Pulse,
    relay::Relay,
};
use crate::{health::Health, outbound::Outbound};

/// Interval between checks of the connection.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum time to open the connection.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time to close the connection properly.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum pause between two attempts to reach Discord.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);
/// Maximum time between two looks at Discord's limit of sessions.
const LIMIT_CHECK_INTERVAL: Duration = Duration::from_mins(5);
/// The only shard. A guild needs no more.
const SHARD: ShardId = ShardId(0);
/// Code with which the bot closes the connection, so that Discord ends the session.
const CLOSE_NORMAL: u16 = 1000;

/// Parts of a connection that outlive a term.
pub(super) struct Links {
    pub outbound: Outbound,
    pub health: Arc<Health>,
    pub pace: Mutex<Pace>,
}

/// Connects to the gateway until `stop`, again and again. Notifies `prepared` once the commands are
/// registered.
///
/// # Errors
/// If Discord refuses the token or the guild.
pub(super) async fn keep_connected(
    bot: &Arc<Bot>,
    links: &Links,
    prepared: &Notify,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut outage = OutageLog::default();
    let mut failures = 0;
    let mut is_registered = false;
    let mut is_limited = false;
    let pause = async |time: Duration| {
        stop.run_until_cancelled(sleep(time)).await;
    };
    while !stop.is_cancelled() {
        links.health.set_connected(false, Utc::now());
        let found = stop.run_until_cancelled(prepare(bot, &mut is_registered));
        let gateway = match found.await {
            None => break,
            Some(Ok(gateway)) => gateway,
            Some(Err(ConnectError::Refused(error))) => return Err(error),
            Some(Err(ConnectError::Unavailable(reason))) => {
                outage.report(reason);
                failures += 1;
                pause(retry_delay(failures)).await;
                continue;
            }
        };
        failures = 0;
        prepared.notify_one();
        if let Some(left) = wait_for_limit(&gateway.limit) {
            if !is_limited {
                report_limit(&gateway.limit, left);
            }
            is_limited = true;
            pause(left.min(LIMIT_CHECK_INTERVAL)).await;
            continue;
        }
        is_limited = false;
        let next = links.pace.lock().next(Instant::now(), jitter());
        let paced = stop.run_until_cancelled(sleep_until(next.into())).await;
        if paced.is_none() || !bot.term.is_held() {
            break;
        }
        let begin = Instant::now();
        let opened = timeout(
            OPEN_TIMEOUT,
            Session::open(bot, &gateway.url, &links.outbound),
        );
        match stop.run_until_cancelled(opened).await {
            None => break,
            Some(Ok(Ok(session))) => {
                outage.end();
                session.run(&links.health, stop).await;
            }
            // serenity's error may contain what it received.
            Some(Ok(Err(_)) | Err(_)) => {
                outage.report("its gateway does not answer".to_owned());
            }
        }
        links.pace.lock().ended(begin, Instant::now());
    }
    Ok(())
}

/// Does what is needed before a session is opened: takes a new token, and registers the commands once.
async fn prepare(bot: &Bot, is_registered: &mut bool) -> Result<GatewayInfo, ConnectError> {
    let has_new_token = bot.client.take_new_token();
    if has_new_token.map_err(ConnectError::Refused)? || !*is_registered {
        register_commands(&bot.client, bot.settings.guild).await?;
        *is_registered = true;
    }
    look_up_gateway(&bot.client).await
}

fn report_limit(limit: &SessionStartLimit, left: Duration) {
    let until = Utc::now() + TimeDelta::from_std(left).unwrap_or_default();
    warn!(
        "Discord allows this bot only {} more sessions until {until:.0?}, so it opens none before. Find \
         out what ends its sessions: another program with the same token, or a bot that restarts again \
         and again. Until then, commands get no answer; sessions and the API go on",
        limit.remaining
    );
}

/// Returns a number between 0 and 1, so that several bots don't act at the same moments.
fn jitter() -> f64 {
    f64::from(Uuid::new_v4().as_bytes()[0]) / 255.0
}

fn retry_delay(failures: u32) -> Duration {
    let delay = Duration::from_millis(500) * (1 << failures.min(10));
    delay.min(MAX_RETRY_DELAY).mul_f64(1.0 - jitter() / 4.0)
}

/// Session at the gateway. It ends if it can't be resumed.
struct Session {
    runner: AbortOnDropHandle<()>,
    messenger: ShardMessenger,
    manager: Arc<ShardManager>,
    /// Address with which the runner resumes the session.
    url: Arc<AsyncMutex<String>>,
    _relay: Option<Relay>,
}

impl Session {
    async fn open(bot: &Arc<Bot>, url: &str, outbound: &Outbound) -> anyhow::Result<Self> {
        let relay = Relay::start(url, outbound).await?;
        let url = relay.as_ref().map_or(url, |relay| &relay.url);
        let url = Arc::new(AsyncMutex::new(url.to_owned()));
        let http = bot.client.http();
        let info = ShardInfo {
            id: SHARD,
            total: 1,
        };
        let intents = GatewayIntents::DIRECT_MESSAGES;
        let shard = Shard::new(url.clone(), http.token(), info, intents, None).await?;
        let data = Arc::new(RwLock::new(TypeMap::new()));
        // The runner needs a manager, and asks it for a new session if it can't resume this one.
        let (manager, _) = ShardManager::new(ShardManagerOptions {
            data: data.clone(),
            event_handlers: Vec::new(),
            raw_event_handlers: Vec::new(),
            shard_index: SHARD.0,
            shard_init: 0,
            shard_total: 1,
            // Not an address, so the manager opens nothing.
            ws_url: Arc::default(),
            http: http.clone(),
            intents,
            presence: None,
        });
        let mut runner = ShardRunner::new(ShardRunnerOptions {
            data,
            event_handlers: vec![Arc::new(Handler {
                bot: bot.clone(),
                presence: Presence::default(),
            })],
            raw_event_handlers: vec![Arc::new(UnreadableInteractionLogger)],
            manager: manager.clone(),
            shard,
            http,
        });
        let messenger = ShardMessenger::new(&runner);
        // A task of its own, because serenity's runner does not yield while its socket is broken. See
        // `watch_connection`.
        let runner = tokio::spawn(async move { drop(runner.run().await) });
        Ok(Self {
            runner: AbortOnDropHandle::new(runner),
            messenger,
            manager,
            url,
            _relay: relay,
        })
    }

    /// Runs until the session ends. At `stop`, closes it.
    async fn run(mut self, health: &Health, stop: &CancellationToken) {
        self.register().await;
        // The runner asks the manager to shut it down, and would wait 5 s for the answer.
        self.manager.shutdown_finished(SHARD);
        tokio::select! {
            _ = &mut self.runner => {}
            () = watch_connection(&self.manager, health) => {}
            () = stop.cancelled() => {
                // Nothing may resume the session from here on.
                self.url.lock().await.clear();
                let close = ShardRunnerMessage::Close(CLOSE_NORMAL, None);
                self.messenger.send_to_shard(close);
                let _ = timeout(CLOSE_TIMEOUT, &mut self.runner).await;
            }
        }
        // Ends the manager's task. It ends it only if it has a runner.
        self.register().await;
        self.manager.shutdown_finished(SHARD);
        self.manager.shutdown_all().await;
    }

    /// Adds the runner to the manager, which then has its state.
    async fn register(&self) {
        let info = ShardRunnerInfo {
            latency: None,
            runner_tx: self.messenger.clone(),
            stage: ConnectionStage::Handshake,
        };
        self.manager.runners.lock().await.insert(SHARD, info);
    }
}

/// Tells `health` again and again whether the session is connected.
async fn watch_connection(manager: &ShardManager, health: &Health) {
    let mut looks = tokio::time::interval(CHECK_INTERVAL);
    let mut pulse = Pulse::default();
    loop {
        looks.tick().await;
        let runners = manager.runners.lock().await;
        let is_up = |it: &ShardRunnerInfo| {
            it.stage == ConnectionStage::Connected && pulse.is_alive(it.latency, Instant::now())
        };
        let runner = runners.get(&SHARD);
        if let Some(runner) = runner.filter(|it| it.stage == ConnectionStage::Connecting) {
            // The runner could not resume. It would read from its broken socket, without a pause, until
            // the next heartbeat is due. It ends because nothing can be sent there.
            let close = ShardRunnerMessage::Close(CLOSE_NORMAL, None);
            runner.runner_tx.send_to_shard(close);
        }
        let is_connected = runner.is_some_and(is_up);
        health.set_connected(is_connected, Utc::now());
    }
}

/// Handler of the gateway's events. Does nothing after the end of the term: a process that was stopped
/// for a while may read events that another bot has handled.
struct Handler {
    bot: Arc<Bot>,
    presence: Presence,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, context: Context, ready: Ready) {
        info!("connected to Discord as {}", ready.user.name);
        self.presence
            .follow(self.bot.service.clone(), context.shard);
    }

    async fn message(&self, _: Context, message: Message) {
        if self.bot.term.is_held() {
            inbox::answer(&self.bot, message).await;
        }
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        if self.bot.term.is_held() {
            let handled = interactions::handle(&self.bot, interaction);
            self.bot.handlers.track_future(handled).await;
        }
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
