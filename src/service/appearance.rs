//! Tells a session that the view does not show yet from one that is gone.

use std::time::Duration;

use tokio::time::Instant;

/// Time in which a session that was just claimed appears in the view, unless the view is out of
/// date. After that, the session is gone.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Deadline for a followed session to appear in the view.
#[derive(Debug)]
pub struct Appearance {
    /// `None` once the view has shown the session, or the time has passed.
    until: Option<Instant>,
}

impl Appearance {
    /// Begins to follow a session that was just claimed.
    pub fn expected(now: Instant) -> Self {
        Self {
            until: Some(now + TIMEOUT),
        }
    }

    /// Begins to follow a session that the view has shown.
    pub fn seen() -> Self {
        Self { until: None }
    }

    /// Notes whether the view shows the session. `is_stale` means that a watch is broken, so the
    /// view shows nothing new. Returns true if the session is gone.
    pub fn observe(&mut self, is_shown: bool, is_stale: bool, now: Instant) -> bool {
        self.until = match self.until {
            Some(_) if is_shown => None,
            Some(_) if is_stale => Some(now + TIMEOUT),
            until => until.filter(|until| now < *until),
        };
        !is_shown && self.until.is_none()
    }

    /// Waits until another look is necessary, even if the view does not change.
    pub async fn timeout(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_session_is_gone_if_a_current_view_does_not_show_it_in_time() {
        let now = Instant::now();
        let mut appearance = Appearance::expected(now);
        assert!(!appearance.observe(false, false, now));
        assert!(!appearance.observe(false, true, now + TIMEOUT));
        assert!(!appearance.observe(false, false, now + TIMEOUT));
        assert!(appearance.observe(false, false, now + 2 * TIMEOUT));
    }

    #[test]
    fn a_session_that_was_shown_is_gone_at_once() {
        let now = Instant::now();
        let mut appearance = Appearance::expected(now);
        assert!(!appearance.observe(true, false, now));
        assert!(appearance.observe(false, true, now));
        assert!(Appearance::seen().observe(false, false, now));
    }
}
