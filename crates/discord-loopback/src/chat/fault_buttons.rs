//! Faults that a person can inject on the page. Reads the state, no I/O.

use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::RestFault;
use crate::snowflake::Snowflake;
use crate::state::State;

/// Delay of each call while Discord is slow.
const SLOW_DELAY: Duration = Duration::from_secs(2);

/// Faults that a person can inject, for the page.
pub(super) fn fault_buttons(state: &State, me: Snowflake) -> Vec<Value> {
    let switch = |id: &str, label: &str, help: &str, on: bool| json!({ "id": id, "label": label, "help": help, "kind": "switch", "on": on });
    let button = |id: &str, label: &str, help: &str| json!({ "id": id, "label": label, "help": help, "kind": "button" });
    let closed = state.person(me).is_some_and(|person| !person.dms_open);
    let mut all = vec![
        switch(
            "dms",
            "Close my direct messages",
            "The bot can't send me direct messages.",
            closed,
        ),
        switch(
            "slow",
            "Slow Discord",
            "Each request from the bot takes 2 s longer.",
            state.controls.has_fault(&slow_fault()),
        ),
        switch(
            "offline",
            "Discord is down",
            "All of the bot's connections to Discord fail.",
            state.controls.offline,
        ),
        button(
            "limit",
            "Rate limit",
            "The bot's next 3 requests are rate limited for 3 s.",
        ),
    ];
    let fault_buttons = state.controls.fault_buttons.iter();
    all.extend(fault_buttons.map(|it| button(it.id, it.label, it.help)));
    all
}

/// Fault while Discord is slow.
pub(super) fn slow_fault() -> RestFault {
    RestFault::delay("*", "*", SLOW_DELAY).times(usize::MAX)
}
