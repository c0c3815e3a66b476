//! Activity reports of doors.

use duckbot::door::activity::Activity;
use duckbot::service::usage;
use duckbot::session::{Rule, Usage};

use super::at;
use super::state::{decide, limits, record, watched};

/// The response of a door to `/activity`.
///
/// A report survives a round trip through JSON. A session with a running query is not idle, and no
/// session is idle since a time in the future. Deciding what to do never panics.
pub fn activity(data: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Activity>(data) else {
        return;
    };
    let text = serde_json::to_string(&said).expect("activity serializes to JSON");
    assert_eq!(
        serde_json::from_str::<Activity>(&text).ok(),
        Some(said.clone())
    );
    let limits = limits();
    for now in [at(0), at(3600), at(1 << 20)] {
        let usage = usage(&said, now);
        match usage {
            Usage::Busy => assert!(said.queries > 0),
            Usage::Idle(since) => {
                assert!(said.queries == 0 && since <= now);
                assert!(said.since.is_none_or(|it| it <= since || since == now));
            }
            Usage::Unknown => assert!(said.last_query.is_none() && said.since.is_none()),
            Usage::Unreachable(_) => panic!("the door answered"),
        }
        if let Some(due) = decide(&watched(record(), usage), now, &limits) {
            assert!(due.rule != Rule::Idle || matches!(usage, Usage::Idle(_)));
        }
    }
}
