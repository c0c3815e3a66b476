//! The use cases of the pause of starts.

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{Requester, Service, ServiceError, StartRejection, audit::audit, reaping::admins_only};
use crate::{
    error::Error,
    session::{PauseDocument, StartPause},
};

impl Service {
    /// Refuses new sessions and query runners until `until`. Sessions that run, restart or are
    /// rescheduled go on. Returns the pause, and the one in force that it replaces.
    ///
    /// # Errors
    /// Returns [`Rejection::AdminsOnly`](super::Rejection::AdminsOnly) if the caller is not an admin, or
    /// an error if the pause can't be stored.
    pub async fn pause_starts(
        &self,
        who: &Requester,
        until: DateTime<Utc>,
        reason: Option<String>,
    ) -> Result<(StartPause, Option<StartPause>), ServiceError> {
        admins_only(who)?;
        let by = who.id;
        let pause = StartPause { until, by, reason };
        let replaced = self.store_pause(Some(pause.clone())).await?;
        audit(
            who,
            "paused starts",
            &format!("until {}", until.to_rfc3339()),
        );
        Ok((pause, replaced))
    }

    /// Allows new sessions again. Returns the pause that was in force.
    ///
    /// # Errors
    /// Same as [`Service::pause_starts`].
    pub async fn resume_starts(&self, who: &Requester) -> Result<Option<StartPause>, ServiceError> {
        admins_only(who)?;
        let ended = self.store_pause(None).await?;
        if let Some(ended) = &ended {
            let until = ended.until.to_rfc3339();
            audit(who, "resumed starts", &format!("before {until}"));
        }
        Ok(ended)
    }

    /// Stores the pause, in place of any other. Returns the one that was in force.
    async fn store_pause(&self, pause: Option<StartPause>) -> Result<Option<StartPause>, Error> {
        let mut replaced = None;
        let changed = |stored: Option<&PauseDocument>| {
            replaced = stored.and_then(|stored| stored.pause.clone());
            PauseDocument::new(pause.clone())
        };
        let stored = self.pauses.replace(changed).await?;
        self.note_pause(stored.pause);
        Ok(replaced.filter(|it| it.is_in_force(self.now())))
    }

    /// Reads the pause that is in force now.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn pause(&self) -> Result<Option<StartPause>, Error> {
        let stored = self.pauses.read().await?;
        self.note_pause(stored.and_then(|stored| stored.pause));
        Ok(self.known_pause())
    }

    fn note_pause(&self, stored: Option<StartPause>) {
        self.known_pause.send_if_modified(|known| {
            let is_news = *known != stored;
            *known = stored;
            is_news
        });
    }

    /// Returns the pause that is in force, as this bot has last read or written it. Asks nobody.
    pub fn known_pause(&self) -> Option<StartPause> {
        let known = self.known_pause.borrow().clone();
        known.filter(|pause| pause.is_in_force(self.now()))
    }

    /// Subscribes to changes of [`Service::known_pause`]. Its end is no change.
    pub fn pause_changes(&self) -> watch::Receiver<Option<StartPause>> {
        self.known_pause.subscribe()
    }

    /// Rejects a start if `pause` is in force.
    pub(super) fn check_pause(&self, pause: Option<StartPause>) -> Result<(), StartRejection> {
        match pause {
            Some(pause) => Err(StartRejection::Paused {
                left: pause.until - self.now(),
                pause,
            }),
            None => Ok(()),
        }
    }
}
