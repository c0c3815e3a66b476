//! The runs of a schedule, and how they end.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ScheduleId;
use crate::session::MessageId;

/// Number of failed runs in a row after which a schedule is paused.
pub const MAX_FAILURES: u32 = 3;
/// Maximum number of times that a run is begun. A bot that ends during a run leaves it to the next one, which
/// must not end of it, too, for ever.
const MAX_ATTEMPTS: u32 = 3;

/// A run that was claimed and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Time at which it was due.
    pub due: DateTime<Utc>,
    /// Term of the bot that carries it out.
    pub bot: String,
    /// True if its result is about to be posted, or was. A bot that finds such a run of another one can't
    /// know which.
    pub is_posting: bool,
    /// True if a person asked for this run, so that the condition does not matter.
    pub is_asked: bool,
    /// Number of bots that began it.
    pub attempts: u32,
}

impl Run {
    /// Returns true if so many bots have begun it that it is given up.
    pub fn was_begun_too_often(&self) -> bool {
        self.attempts > MAX_ATTEMPTS
    }
}

/// The runs that a bot carries out right now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Term of the bot.
    pub bot: String,
    /// Schedules, with the time at which the run was due.
    pub runs: HashSet<(ScheduleId, DateTime<Utc>)>,
}

impl Carried {
    /// Returns true if the bot carries out this run of a schedule. A run of its term that it does not carry
    /// out is from a claim whose response was lost.
    pub fn has(&self, id: &ScheduleId, run: &Run) -> bool {
        run.bot == self.bot && self.runs.contains(&(id.clone(), run.due))
    }
}

/// The last run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Time at which it was due.
    pub due: DateTime<Utc>,
    /// Time at which it ended.
    pub at: DateTime<Utc>,
    pub outcome: RunOutcome,
}

/// The end of a run. Holds nothing of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    Posted(MessageId),
    /// Nothing was posted, because the condition did not hold.
    Quiet,
    Failed(RunFailure),
    /// The bot ended while it posted the result. Nobody knows whether the message arrived, and it is not sent
    /// again.
    Unknown,
}

/// Reasons why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunFailure {
    /// DuckDB rejected the query, or could not read the tables.
    Query,
    TimedOut,
    /// DuckDB or its query runner ended, or did not start.
    Ended,
    /// The condition can't be applied to this result.
    Condition,
    /// Discord does not let the bot post in the channel.
    ChannelRefused,
    /// The text of the query is gone.
    TextGone,
    /// The bot ended during each attempt.
    Interrupted,
    /// Another part failed. Holds the reference in the log.
    Other(String),
}

/// Memory of the conditions about the last result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// True if the value was beyond the limit.
    #[serde(default)]
    pub was_beyond: bool,
    /// Digest of the result, for [`Condition::Changed`](super::Condition::Changed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
