//! Conditions that must hold at the end of every test.

use discord_loopback::Discord;

use crate::credentials::leaked_credentials;

/// Part of an environment. A test that drops it without [`EndCheck::assert_clean`] fails.
#[derive(Default)]
pub(crate) struct EndCheck {
    is_done: bool,
}

impl EndCheck {
    /// Excuses a benchmark, which asserts nothing.
    pub(crate) fn skip(&mut self) {
        self.is_done = true;
    }

    /// Asserts that the bot's log has no panic, and that neither the log nor any message to Discord
    /// has a secret. `tokens` are more secrets that must not be in the log.
    pub(crate) fn assert_clean(&mut self, discord: &Discord, log: &str, tokens: &[&str]) {
        self.is_done = true;
        assert_eq!(
            discord.unknown_routes(),
            [],
            "routes that the loopback does not serve"
        );
        assert!(!log.contains("panicked"), "{log}");
        let bot_token = discord.token();
        for secret in tokens.iter().chain([&bot_token.as_str()]) {
            assert!(!log.contains(secret), "the log contains a token");
        }
        let traffic = discord.traffic();
        for (place, text) in [("in the log", log), ("sent to Discord", &traffic)] {
            let leaked = leaked_credentials(text);
            assert!(leaked.is_empty(), "credentials {place}: {leaked:?}");
        }
    }
}

impl Drop for EndCheck {
    fn drop(&mut self) {
        let is_missing = !self.is_done && !std::thread::panicking();
        assert!(
            !is_missing,
            "the test does not end with `env.assert_clean().await`"
        );
    }
}
