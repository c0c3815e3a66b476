//! A second bot of an environment. It follows the first one by the Lease.

use std::{collections::HashMap, path::Path};

use crate::{bot::Bot, proxy::Proxy};

/// Bot that stands by, with an own way to the API server.
pub(crate) struct Standby {
    pub bot: Bot,
    pub api: Proxy,
}

impl Standby {
    /// Starts a bot that reaches the API server through `api`, and waits until it stands by.
    pub async fn start(program: &Path, variables: &HashMap<String, String>, api: Proxy) -> Self {
        let mut bot = Bot::start_program(program, variables);
        bot.wait_for_log("; this bot stands by").await;
        Self { bot, api }
    }
}
