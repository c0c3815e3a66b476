//! Waiting for what nobody announces.

use std::{fmt::Debug, time::Duration};

/// Looks again and again until what is seen is as it should be; no longer than `limit`.
pub async fn becomes<T: Debug>(
    limit: Duration,
    mut look: impl AsyncFnMut() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    let mut last = None;
    let so = async {
        while !last.as_ref().is_some_and(&is_so) {
            last = Some(look().await);
        }
    };
    let in_time = tokio::time::timeout(limit, so).await.is_ok();
    assert!(in_time, "not so in time; seen last: {last:?}");
    last.expect("it was looked at")
}
