//! Waits for conditions that send no notification.

use std::{fmt::Debug, time::Duration};

/// Maximum time to wait for anything. Generous, because the machine may be busy with other tests.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(180);
/// Maximum time for the bot to acknowledge an interaction, in tests about something else.
///
/// Discord gives it 3 s, but a machine that runs all tests may stall for longer. `scale` runs alone
/// and measures against 3 s.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(9);
/// Interval between two looks. Not shorter, because the program under test may have only two cores.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Calls `look` until its result satisfies `is_so`, and returns that result.
///
/// # Panics
///
/// If the condition is not met within [`WAIT_TIMEOUT`].
pub async fn wait_until<T: Debug>(
    mut look: impl AsyncFnMut() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    let mut last = None;
    let so = async {
        last = Some(look().await);
        while !last.as_ref().is_some_and(&is_so) {
            tokio::time::sleep(POLL_INTERVAL).await;
            last = Some(look().await);
        }
    };
    let in_time = tokio::time::timeout(WAIT_TIMEOUT, so).await.is_ok();
    assert!(
        in_time,
        "the condition was not met in time; last seen: {last:?}"
    );
    last.expect("the condition was checked at least once")
}
