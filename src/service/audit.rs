//! The audit log: one line per action, with its own target (`audit`), so that it can be stored
//! separately. It never contains what a person typed, except queries if the settings say so.

use std::time::Duration;

use tracing::info;

use super::Requester;
use crate::{
    session::{OwnerId, SessionId},
    telemetry::AUDIT,
};

/// Logs that a person did something, with a session or with their own credentials.
pub(super) fn audit(who: &Requester, act: &'static str, what: &str) {
    let admin = who.is_admin;
    info!(target: AUDIT, who = %who.id, admin, act, what, "{} {act} {what}", who.id);
}

/// Logs that the reaper did something, because a rule requires it.
pub(super) fn audit_reaper(act: &'static str, what: &str) {
    info!(target: AUDIT, who = "reaper", act, what, "the reaper {act} {what}");
}

/// Logs that a session replaced another one, because its owner restarted it with new credentials.
pub fn audit_replacement(owner: OwnerId, id: &SessionId) {
    info!(target: AUDIT, who = %owner, act = "started", what = %id, "{owner} started {id} in place of another session");
}

/// Logs that a running session was given its owner's new credentials, and with what outcome.
pub(super) fn audit_renewal(owner: OwnerId, id: &SessionId, outcome: &'static str, is_taken: bool) {
    let act = if is_taken {
        "renewed the credentials of"
    } else {
        "could not renew the credentials of"
    };
    info!(target: AUDIT, who = %owner, act, what = %id, outcome, "{owner} {act} {id}: {outcome}");
}

/// The audit log's entry for a query from the chat.
pub(super) struct QueryAudit<'a> {
    pub who: &'a Requester,
    pub session: &'a SessionId,
    pub took: Duration,
    /// Label of the outcome, such as `answered` or `cancelled`.
    pub outcome: &'static str,
    /// Number of rows in the answer.
    pub rows: usize,
    /// Text of the query, if `sql.log_queries` is on.
    pub sql: Option<&'a str>,
}

/// Logs a query, but never its result.
pub(super) fn audit_query(query: &QueryAudit<'_>) {
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
