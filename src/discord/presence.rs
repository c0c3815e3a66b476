//! The bot's presence in Discord, which shows a pause of starts.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serenity::{
    all::{ActivityData, OnlineStatus},
    gateway::ShardMessenger,
};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::replies;
use crate::service::Service;

/// Time until the pause is read again after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// Maximum time between two looks at the clock during a pause. Clocks may be set.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// Keeps the presence of the newest connection current.
#[derive(Default)]
pub(super) struct Presence(Mutex<Option<AbortOnDropHandle<()>>>);

impl Presence {
    /// Shows the present state in a new connection to the gateway, and each change.
    pub(super) fn follow(&self, service: Arc<Service>, shard: ShardMessenger) {
        let task = tokio::spawn(async move { show_changes(&service, &shard).await });
        *self.0.lock() = Some(AbortOnDropHandle::new(task));
    }
}

async fn show_changes(service: &Service, shard: &ShardMessenger) {
    // The previous bot, or another one, may have paused starts.
    while let Err(error) = service.pause().await {
        warn!(%error, "could not read whether starts are paused; trying again");
        sleep(RETRY_AFTER).await;
    }
    let mut changes = service.pause_changes();
    let mut shown = None;
    loop {
        changes.mark_unchanged();
        let now = service.now();
        let pause = service.known_pause();
        let zone = service.time_zone();
        let status = pause
            .as_ref()
            .map(|it| replies::paused_status(it, now, zone));
        if shown.as_ref() != Some(&status) {
            let look = match status {
                Some(_) => OnlineStatus::Idle,
                None => OnlineStatus::Online,
            };
            shard.set_presence(status.clone().map(ActivityData::custom), look);
            shown = Some(status);
            debug!("the presence is shown");
        }
        let left = pause.map(|pause| (pause.until - now).to_std().unwrap_or_default());
        let look_again = async {
            match left {
                // The timer may be a little early.
                Some(left) => sleep(left.min(LOOK_INTERVAL) + Duration::from_millis(10)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = look_again => {}
        }
    }
}
