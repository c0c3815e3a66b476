//! What a door says of its session.

use duckbot::door::activity::Activity;
use duckbot::service::usage;
use duckbot::session::{Rule, Usage};

use super::at;
use super::state::{decide, limits, record, watched};

/// What a door answers at `/activity`.
///
/// It is read back as it was written. A session with a query that runs is not idle, none is idle
/// from a time to come, and whatever a door says, deciding what to do about it does not fail.
pub fn activity(data: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Activity>(data) else {
        return;
    };
    let text = serde_json::to_string(&said).expect("it is JSON");
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
            Usage::Unreachable(_) => panic!("it answers"),
        }
        if let Some(due) = decide(&watched(record(), usage), now, &limits) {
            assert!(due.rule != Rule::Idle || matches!(usage, Usage::Idle(_)));
        }
    }
}
