//! Counts of a door's requests, and log lines about those that were refused or failed.
//!
//! A browser that retries or a scan of ports must not fill the disk, so each reason has a few lines a minute.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::StatusCode;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::{
    activity::RequestCounts,
    outcome::{RequestLabel, RequestOutcome},
};

/// Maximum number of lines about one reason in a minute.
const MAX_LINES: u32 = 5;
/// The minute.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts and log of one door.
pub(super) struct RequestLog {
    session: String,
    done: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    limit: Arc<Mutex<LineLimit>>,
}

impl RequestLog {
    pub(super) fn new(session: &str) -> Self {
        Self {
            session: session.to_owned(),
            done: AtomicU64::default(),
            refused: AtomicU64::default(),
            failed: AtomicU64::default(),
            limit: Arc::default(),
        }
    }

    /// Returns the number of requests since the door began.
    pub(super) fn counts(&self) -> RequestCounts {
        RequestCounts {
            done: self.done.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }

    /// Counts a request, and logs it unless it was answered.
    pub(super) fn record(
        &self,
        request: RequestLabel,
        outcome: RequestOutcome,
        status: StatusCode,
    ) {
        let count = match outcome {
            RequestOutcome::Done => &self.done,
            RequestOutcome::Refused(_) => &self.refused,
            RequestOutcome::Failed(_) => &self.failed,
        };
        count.fetch_add(1, Relaxed);
        let (RequestOutcome::Refused(reason) | RequestOutcome::Failed(reason)) = outcome else {
            return;
        };
        match self.limit.lock().admit(reason, Instant::now()) {
            Admission::Write => {}
            Admission::HoldBack => return,
            Admission::HoldBackUntil(end) => {
                let (session, limit) = (self.session.clone(), self.limit.clone());
                tokio::spawn(summarize_at(end, session, limit, reason));
                return;
            }
        }
        let (session, status) = (&self.session, status.as_u16());
        let RequestLabel { method, kind } = request;
        if matches!(outcome, RequestOutcome::Failed(_)) {
            warn!(
                session,
                method,
                kind,
                status,
                reason,
                "session {session}: a request failed: {reason} ({method}, {kind}, status {status})"
            );
        } else {
            info!(
                session,
                method,
                kind,
                status,
                reason,
                "session {session}: refused a request: {reason} ({method}, {kind}, status {status})"
            );
        }
    }
}

/// Logs at `end` how many lines about a reason were left out.
async fn summarize_at(
    end: Instant,
    session: String,
    limit: Arc<Mutex<LineLimit>>,
    reason: &'static str,
) {
    sleep_until(end).await;
    let count = limit.lock().end(reason);
    info!(
        session,
        reason, count, "session {session}: {count} more in the last minute: {reason}"
    );
}

/// Decision about a line.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Write,
    /// Leave the line out.
    HoldBack,
    /// Leave the line out. It is the first one, and the minute ends at this time.
    HoldBackUntil(Instant),
}

/// Lines of the present minute, by reason.
#[derive(Default)]
struct LineLimit(HashMap<&'static str, Minute>);

struct Minute {
    begin: Instant,
    written: u32,
    held_back: u64,
}

impl LineLimit {
    fn admit(&mut self, reason: &'static str, now: Instant) -> Admission {
        let new = Minute {
            begin: now,
            written: 0,
            held_back: 0,
        };
        let minute = self.0.entry(reason).or_insert(new);
        if minute.held_back == 0 && now >= minute.begin + WINDOW {
            (minute.begin, minute.written) = (now, 0);
        }
        if minute.written < MAX_LINES {
            minute.written += 1;
            return Admission::Write;
        }
        minute.held_back += 1;
        if minute.held_back == 1 {
            Admission::HoldBackUntil(minute.begin + WINDOW)
        } else {
            Admission::HoldBack
        }
    }

    /// Ends a reason's minute. Returns the number of lines that were left out.
    fn end(&mut self, reason: &'static str) -> u64 {
        let minute = self.0.remove(reason);
        minute.map_or(0, |minute| minute.held_back)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_minute_says_how_many_lines_were_left_out() {
        let mut file = tempfile::tempfile().unwrap();
        let output = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(file.try_clone().unwrap())
            .finish();
        let log = RequestLog::new("977a26");
        let reason = "DuckDB does not respond";
        for _ in 0..MAX_LINES + 3 {
            log.limit.lock().admit(reason, Instant::now());
        }
        let _guard = tracing::subscriber::set_default(output);
        summarize_at(Instant::now(), log.session, log.limit, reason).await;
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        let line = "session 977a26: 3 more in the last minute: DuckDB does not respond";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_reason_has_a_few_lines_a_minute() {
        let (mut limit, begin) = (LineLimit::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        for _ in 0..MAX_LINES {
            assert_eq!(limit.admit("a", at(0)), Admission::Write);
        }
        assert_eq!(limit.admit("a", at(1)), Admission::HoldBackUntil(at(60)));
        assert_eq!(limit.admit("a", at(2)), Admission::HoldBack);
        assert_eq!(limit.admit("b", at(2)), Admission::Write, "another reason");
        // The summary is late, and counts this one too.
        assert_eq!(limit.admit("a", at(61)), Admission::HoldBack);
        assert_eq!(limit.end("a"), 3);
        assert_eq!(limit.admit("a", at(61)), Admission::Write);
        for _ in 1..MAX_LINES {
            assert_eq!(limit.admit("b", at(2)), Admission::Write);
        }
        assert_eq!(
            limit.admit("b", at(62)),
            Admission::Write,
            "the next minute"
        );
    }
}
