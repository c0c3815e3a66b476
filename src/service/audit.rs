//! Who did what: one line in the log for each, of a kind of its own (target `audit`), so that
//! it can be kept apart. Never what was typed.

use tracing::info;

use super::Requester;

/// Somebody did something, with a session or with what is theirs.
pub fn audit(who: &Requester, act: &'static str, what: &str) {
    let admin = who.is_admin;
    info!(target: "audit", who = %who.id, admin, act, what, "{} {act} {what}", who.id);
}
