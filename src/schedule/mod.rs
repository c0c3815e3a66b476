//! Schedules: queries that run at recurring times and are posted to a channel. Their times, conditions,
//! stages and limits (pure), and the trait of the store of their texts.

mod book;
mod condition;
mod id;
mod recurrence;
mod run;
mod texts;
mod when;

pub use book::{Book, BookPause, ClaimedRun, MAX_SCHEDULES, PauseReason, PostFormat, Schedule};
pub use condition::{Condition, InvalidCondition, Limit};
pub use id::{InvalidScheduleId, ScheduleId};
pub use recurrence::Recurrence;
pub use run::{Carried, LastRun, MAX_FAILURES, Run, RunFailure, RunOutcome, Seen};
pub use texts::{ScheduleText, ScheduleTexts};
pub use when::{InvalidWhen, parse as parse_when, time_of_day};
