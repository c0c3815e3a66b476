//! Who did what: one line in the log for each, of a kind of its own (target `audit`), so that
//! it can be kept apart. Never what was typed.

use std::time::Duration;

use tracing::info;

use super::Requester;
use crate::{
    session::{OwnerId, SessionId},
    telemetry::AUDIT,
};

/// Somebody did something, with a session or with what is theirs.
pub fn audit(who: &Requester, act: &'static str, what: &str) {
    let admin = who.is_admin;
    info!(target: AUDIT, who = %who.id, admin, act, what, "{} {act} {what}", who.id);
}

/// The reaper did something, because a rule says so.
pub fn audit_reaper(act: &'static str, what: &str) {
    info!(target: AUDIT, who = "reaper", act, what, "the reaper {act} {what}");
}

/// A session took the place of one of that owner's, who wanted new keys in it.
pub fn audit_replacement(owner: OwnerId, id: &SessionId) {
    info!(target: AUDIT, who = %owner, act = "started", what = %id, "{owner} started {id} in place of another");
}

/// A question to DuckDB, as it is noted.
pub struct QueryAudit<'a> {
    /// Who asked.
    pub who: &'a Requester,
    /// Whose DuckDB answered.
    pub session: &'a SessionId,
    /// How long it took.
    pub took: Duration,
    /// What became of it.
    pub outcome: &'static str,
    /// How many rows came.
    pub rows: usize,
    /// What was asked, if the settings say so.
    pub sql: Option<&'a str>,
}

/// Somebody asked DuckDB something. Never what it answered.
pub fn audit_query(query: &QueryAudit<'_>) {
    let QueryAudit {
        who,
        session,
        outcome,
        rows,
        sql,
        ..
    } = query;
    let (who, milliseconds) = (who.id, query.took.as_millis() as u64);
    info!(
        target: AUDIT, %who, act = "asked", what = %session, outcome, rows, milliseconds, sql,
        "{who} asked {session}: {outcome}, {rows} rows, {milliseconds} ms"
    );
}
