//! Replies to extending a session.

use std::fmt::Write;

use super::{
    format::{date_time, duration, limit_text, relative_time, session_name},
    reply::Reply,
};
use crate::{service::ExtendedSession, session::Rule};

/// Confirms an extension. Says what it changed, and what limits it.
pub(crate) fn extended(extended: &ExtendedSession) -> Reply {
    let ExtendedSession {
        record,
        by,
        shortened,
        latest_stop,
        due,
        left: (left, limit),
    } = extended;
    let mut text = format!(
        "Session {} was extended by {}.",
        session_name(record),
        duration(by.num_seconds())
    );
    if let Some(limit) = shortened {
        let _ = write!(
            text,
            " That is less than you asked for: {}.",
            limit_text(*limit)
        );
    }
    match latest_stop {
        Some((before, after)) if before == after => {
            let _ = write!(text, "\nIt can run until {}, as before.", date_time(*after));
        }
        Some((before, after)) => {
            let _ = write!(
                text,
                "\nIt can now run until {} ({}); before, until {}.",
                date_time(*after),
                relative_time(*after),
                date_time(*before)
            );
        }
        None => {}
    }
    let idle = due.filter(|due| due.rule == Rule::Idle).map(|due| due.at);
    let kept = record.kept_until.filter(|_| latest_stop.is_none());
    if let Some(at) = idle.or(kept) {
        let _ = write!(
            text,
            " If no query runs, it is stopped for being idle, but not before {} ({}).",
            date_time(at),
            relative_time(at)
        );
    }
    if left.is_zero() {
        let _ = write!(
            text,
            "\nIt can't be extended any further: {}.",
            limit_text(*limit)
        );
    } else {
        let left = duration(left.num_seconds());
        let _ = write!(text, "\nYou can extend it by {left} more.");
    }
    Reply::new(text)
}
