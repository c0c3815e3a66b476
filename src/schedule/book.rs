//! The book of all schedules: a document that outlives the bot. Each change makes a new book, which is
//! stored only if no other bot has changed it meanwhile.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};

use super::{
    Carried, Condition, LastRun, MAX_FAILURES, Recurrence, Run, RunOutcome, ScheduleId, Seen,
};
use crate::session::{ChannelId, OwnerId};

/// Version of the document. A bot reads only its own.
const VERSION: u32 = 1;
/// Maximum number of schedules of all people. The document has at most 1 MiB, and each takes less than 1 kB.
pub const MAX_SCHEDULES: usize = 500;
/// Seconds over which runs with the same time are spread.
const SPREAD_SECONDS: u32 = 30;

/// Book of all schedules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    version: u32,
    /// Pause of all schedules. `None` if they are not paused.
    pub paused: Option<BookPause>,
    pub schedules: BTreeMap<ScheduleId, Schedule>,
}

/// A pause of all schedules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookPause {
    /// Admin who began it.
    pub by: OwnerId,
    pub at: DateTime<Utc>,
}

/// A query that runs at recurring times. Its text is stored elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Person who made it, and with whose credentials it runs.
    pub owner: OwnerId,
    /// Name that the chat shows for the owner. For display only.
    pub display_name: String,
    /// Channel that its results are posted in.
    pub channel: ChannelId,
    /// Name of a catalog in the settings.
    pub catalog: String,
    /// Recurring times, as its owner typed them.
    pub when: String,
    /// The same times as a cron expression.
    pub cron: String,
    /// Name of the time zone.
    pub zone: String,
    pub format: PostFormat,
    pub condition: Condition,
    pub created: DateTime<Utc>,
    /// Time at which the credentials were stored that it runs with. With others, it is paused.
    pub credentials_stored: Option<DateTime<Utc>>,
    /// Time of the next run. `None` if there is none.
    pub next: Option<DateTime<Utc>>,
    /// True if a person asked for the next run.
    pub is_asked: bool,
    pub run: Option<Run>,
    pub last: Option<LastRun>,
    /// Number of failed runs since the last one that did not fail.
    pub failures: u32,
    pub paused: Option<PauseReason>,
    pub seen: Seen,
}

/// A run that this bot carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedRun {
    pub id: ScheduleId,
    /// The schedule as it was at the claim.
    pub schedule: Schedule,
    pub run: Run,
}

impl ClaimedRun {
    /// Returns the entry of the run in [`Carried`].
    pub fn key(&self) -> (ScheduleId, DateTime<Utc>) {
        (self.id.clone(), self.run.due)
    }
}

/// Form in which a result is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostFormat {
    #[default]
    Table,
    Chart,
    /// A CSV file.
    File,
}

impl PostFormat {
    pub const ALL: [Self; 3] = [Self::Table, Self::Chart, Self::File];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Chart => "chart",
            Self::File => "file",
        }
    }

    /// Finds a form by its name. An empty name is a table.
    pub fn find(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.name() == name || (name.is_empty() && *it == Self::default()))
    }
}

/// Reasons why a schedule is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// A person paused it: its owner or an admin.
    By(OwnerId),
    /// [`MAX_FAILURES`] runs in a row failed.
    Failures,
    /// Its owner left the Discord server.
    OwnerLeft,
    /// Its owner may no longer use the bot, for example without a role.
    OwnerLostAccess,
    /// Its owner may no longer write in the channel, or the channel is gone.
    OwnerLostChannel,
    /// Its owner has deleted their credentials, or a part that its catalog requires.
    CredentialsGone,
    /// Its owner has replaced their credentials.
    CredentialsReplaced,
    /// The credentials expired at this time.
    CredentialsExpired(DateTime<Utc>),
}

impl Schedule {
    /// Returns its recurring times. `None` if this version can't read them.
    pub fn recurrence(&self) -> Option<Recurrence> {
        let (cron, zone) = (self.cron.parse::<Cron>(), self.zone.parse::<Tz>());
        Some(Recurrence::new(cron.ok()?, zone.ok()?))
    }

    /// Returns the time of the first run after `time`.
    pub fn next_after(&self, id: &ScheduleId, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.recurrence()?.next_after(time)?;
        Some(next + TimeDelta::seconds(id.spread(SPREAD_SECONDS).into()))
    }

    /// Returns true if `run` is under way, and carried out by the same bot.
    fn carries_out(&self, run: &Run) -> bool {
        let present = self.run.as_ref();
        present.is_some_and(|it| it.due == run.due && it.bot == run.bot)
    }

    fn end_run(&mut self, now: DateTime<Utc>, outcome: RunOutcome) {
        let Some(run) = self.run.take() else { return };
        self.failures = match outcome {
            RunOutcome::Failed(_) => self.failures + 1,
            RunOutcome::Posted(_) | RunOutcome::Quiet => 0,
            RunOutcome::Unknown => self.failures,
        };
        if self.failures >= MAX_FAILURES && self.paused.is_none() {
            self.paused = Some(PauseReason::Failures);
        }
        self.last = Some(LastRun {
            due: run.due,
            at: now,
            outcome,
        });
    }
}

impl Default for Book {
    fn default() -> Self {
        Self {
            version: VERSION,
            paused: None,
            schedules: BTreeMap::new(),
        }
    }
}

impl Book {
    /// Parses a stored document.
    ///
    /// # Errors
    /// Returns the reason if it is of another version, or not valid.
    pub fn read(document: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let invalid = |why: serde_json::Error| why.to_string();
        let Versioned { version } = serde_json::from_str(document).map_err(invalid)?;
        if version != VERSION {
            return Err(format!("version {version} is not {VERSION}"));
        }
        serde_json::from_str(document).map_err(invalid)
    }

    /// Serializes the document.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("all map keys are strings")
    }

    /// Returns the schedules of a person.
    pub fn of(&self, owner: OwnerId) -> impl Iterator<Item = (&ScheduleId, &Schedule)> {
        self.schedules
            .iter()
            .filter(move |(_, it)| it.owner == owner)
    }

    /// Returns the time of the next run, if there is one. A run of another bot is due at once.
    pub fn next_run(&self, carried: &Carried) -> Option<DateTime<Utc>> {
        let time = |(id, schedule): (&ScheduleId, &Schedule)| match &schedule.run {
            Some(run) if carried.has(id, run) => None,
            Some(_) => Some(DateTime::<Utc>::MIN_UTC),
            None if schedule.paused.is_some() || self.paused.is_some() => None,
            None => schedule.next,
        };
        self.schedules.iter().filter_map(time).min()
    }

    /// Claims the runs that are due for the bot with this term, at most `max`, those that have waited longest
    /// first. Returns the book with the claims, and the claimed runs.
    ///
    /// However many times were missed, there is one run for them. A run of another bot is taken over, because
    /// only one bot acts at a time. Who carries it out sees in it that the other one may have posted, or that
    /// too many have begun it.
    #[must_use]
    pub fn with_claims(
        &self,
        now: DateTime<Utc>,
        carried: &Carried,
        max: usize,
    ) -> (Self, Vec<ClaimedRun>) {
        let (mut book, mut claimed) = (self.clone(), Vec::new());
        let mut ids: Vec<_> = self.schedules.iter().collect();
        ids.sort_by_key(|(_, it)| it.run.as_ref().map(|run| run.due).or(it.next));
        let ids: Vec<_> = ids.into_iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            let schedule = book.schedules.get_mut(&id).expect("the ID is of this book");
            let is_free = claimed.len() < max;
            match schedule.run.clone() {
                Some(run) if carried.has(&id, &run) => continue,
                Some(run) if is_free => {
                    schedule.run = Some(Run {
                        bot: carried.bot.clone(),
                        attempts: run.attempts + 1,
                        ..run
                    });
                }
                None if is_free && schedule.paused.is_none() && self.paused.is_none() => {
                    let Some(due) = schedule.next.filter(|next| *next <= now) else {
                        continue;
                    };
                    schedule.run = Some(Run {
                        due,
                        bot: carried.bot.clone(),
                        is_posting: false,
                        is_asked: std::mem::take(&mut schedule.is_asked),
                        attempts: 1,
                    });
                    schedule.next = schedule.next_after(&id, now);
                }
                _ => continue,
            }
            claimed.push(ClaimedRun {
                run: schedule.run.clone().expect("it was just claimed"),
                schedule: schedule.clone(),
                id,
            });
        }
        (book, claimed)
    }

    /// Ends a run that posts nothing, because its schedule was paused meanwhile. Nothing else remembers it.
    #[must_use]
    pub fn with_run_dropped(&self, claimed: &ClaimedRun) -> Self {
        let dropped = self.with_run(claimed, |schedule| schedule.run = None);
        dropped.unwrap_or_else(|| self.clone())
    }

    /// Applies `change` to the schedule of a run, if this bot still carries out the run.
    fn with_run(&self, claimed: &ClaimedRun, change: impl FnOnce(&mut Schedule)) -> Option<Self> {
        let mut book = self.clone();
        let schedule = book.schedules.get_mut(&claimed.id)?;
        schedule
            .carries_out(&claimed.run)
            .then(|| change(schedule))?;
        Some(book)
    }

    /// Marks that the result of a run is about to be posted. Returns `None` if it must not be: the schedule
    /// was deleted or paused meanwhile, or another bot took over.
    #[must_use]
    pub fn with_posting(&self, claimed: &ClaimedRun) -> Option<Self> {
        let schedule = self.schedules.get(&claimed.id)?;
        if schedule.paused.is_some() || self.paused.is_some() {
            return None;
        }
        self.with_run(claimed, |schedule| {
            if let Some(run) = &mut schedule.run {
                run.is_posting = true;
            }
        })
    }

    /// Ends a run. After [`MAX_FAILURES`] failures in a row, the schedule is paused. `seen` replaces what
    /// the conditions remember.
    #[must_use]
    pub fn with_outcome(
        &self,
        claimed: &ClaimedRun,
        now: DateTime<Utc>,
        outcome: RunOutcome,
        seen: Option<Seen>,
    ) -> Self {
        let ended = self.with_run(claimed, |schedule| {
            schedule.end_run(now, outcome);
            if let Some(seen) = seen {
                schedule.seen = seen;
            }
        });
        ended.unwrap_or_else(|| self.clone())
    }

    /// Ends a run that could not begin, and pauses its schedule.
    #[must_use]
    pub fn with_run_paused(&self, claimed: &ClaimedRun, why: PauseReason) -> Self {
        let paused = self.with_run(claimed, |schedule| {
            schedule.run = None;
            schedule.paused.get_or_insert(why);
        });
        paused.unwrap_or_else(|| self.clone())
    }

    /// Adds a schedule, unless its ID is taken.
    #[must_use]
    pub fn with_new(&self, id: &ScheduleId, schedule: &Schedule) -> Self {
        let mut book = self.clone();
        let entry = book.schedules.entry(id.clone());
        entry.or_insert_with(|| schedule.clone());
        book
    }

    /// Removes a schedule.
    #[must_use]
    pub fn without(&self, id: &ScheduleId) -> Self {
        let mut book = self.clone();
        book.schedules.remove(id);
        book
    }

    /// Applies `change` to a schedule, if it is there.
    #[must_use]
    pub fn with_changed(&self, id: &ScheduleId, change: impl FnOnce(&mut Schedule)) -> Self {
        let mut book = self.clone();
        if let Some(schedule) = book.schedules.get_mut(id) {
            change(schedule);
        }
        book
    }

    /// Pauses all schedules, or ends that pause. A second pause does not replace the first one.
    #[must_use]
    pub fn with_all_paused(&self, pause: Option<BookPause>) -> Self {
        let mut book = self.clone();
        book.paused = pause.map(|pause| self.paused.clone().unwrap_or(pause));
        book
    }

    /// Pauses the schedules of a person that are not paused.
    #[must_use]
    pub fn with_owner_paused(&self, owner: OwnerId, why: &PauseReason) -> Self {
        let mut book = self.clone();
        let theirs = book.schedules.values_mut().filter(|it| it.owner == owner);
        for schedule in theirs.filter(|it| it.paused.is_none()) {
            schedule.paused = Some(why.clone());
        }
        book
    }

    /// Removes the schedules of a person.
    #[must_use]
    pub fn without_owner(&self, owner: OwnerId) -> Self {
        let mut book = self.clone();
        book.schedules.retain(|_, it| it.owner != owner);
        book
    }
}

#[cfg(test)]
mod tests;
