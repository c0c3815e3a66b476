//! Usage of sessions and departed owners, as last reported.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::session::{OwnerId, SessionId, Usage};

/// Cached answers, which are fetched again after a restart of the bot.
#[derive(Default)]
pub(super) struct ReaperCache {
    pub(super) usage: Mutex<HashMap<SessionId, UsageReading>>,
    pub(super) departed: Mutex<HashMap<OwnerId, DateTime<Utc>>>,
}

/// The usage that a door reported, or its silence, with the time of the query.
#[derive(Clone, Copy)]
pub(super) struct UsageReading {
    pub(super) usage: Usage,
    pub(super) at: DateTime<Utc>,
}
