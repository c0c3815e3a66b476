//! Waiting for what nobody announces.

use std::{fmt::Debug, time::Duration};

/// Much longer than anything takes, on a machine that does much else.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(180);
/// How long the bot may take to acknowledge where that is not what a test is about. Discord gives
/// it 3 s, and a machine on which all tests run stands still for longer. (`scale`, alone on the
/// machine, counts the 3 s.)
pub const ACK_TIMEOUT: Duration = Duration::from_secs(9);
/// How often is looked: who is waited for has only two cores.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Looks again and again until what is seen is as it should be; no longer than [`WAIT_TIMEOUT`].
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
    assert!(in_time, "not so in time; seen last: {last:?}");
    last.expect("it was looked at")
}
