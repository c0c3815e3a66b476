//! What a loopback Discord is built from: a guild, its channels, roles and people. No I/O.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The permission that implies all others.
pub const ADMINISTRATOR: u64 = 1 << 3;
/// See channels, send messages (in threads, too), attach files, use application commands: what
/// everybody may.
pub const MEMBER_PERMISSIONS: u64 = (1 << 10) | (1 << 11) | (1 << 15) | (1 << 31) | (1 << 38);

/// The plan of one guild. Start from [`DiscordConfig::default`] and add to it.
#[derive(Debug, Clone)]
pub struct DiscordConfig {
    /// The guild's name.
    pub guild: String,
    /// The bot's name.
    pub bot: String,
    /// Names of text channels, without `#`.
    pub channels: Vec<String>,
    /// Names of roles, each with its permission bits.
    pub roles: Vec<(String, u64)>,
    /// Everybody who can do something.
    pub people: Vec<PersonConfig>,
    /// How long an interaction waits for its first response. Discord: 3 s.
    pub first_response_timeout: Duration,
    /// How long an interaction's token is good. Discord: 15 min.
    pub token_lifetime: Duration,
    /// How long a verb waits for the bot before it gives up.
    pub wait_timeout: Duration,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
}

/// One person of a [`DiscordConfig`].
#[derive(Debug, Clone)]
pub struct PersonConfig {
    /// The user name.
    pub name: String,
    /// Names of the person's roles.
    pub roles: Vec<String>,
    /// False for somebody who is not in the guild.
    pub member: bool,
}

impl Default for DiscordConfig {
    fn default() -> Self {
        Self {
            guild: "The Pond".to_owned(),
            bot: "duckbot".to_owned(),
            channels: Vec::new(),
            roles: Vec::new(),
            people: Vec::new(),
            first_response_timeout: Duration::from_secs(3),
            token_lifetime: Duration::from_secs(15 * 60),
            wait_timeout: Duration::from_secs(20),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
        }
    }
}

impl DiscordConfig {
    /// Adds a text channel.
    #[must_use]
    pub fn channel(mut self, name: &str) -> Self {
        self.channels.push(name.trim_start_matches('#').to_owned());
        self
    }

    /// Adds a role without permissions of its own.
    #[must_use]
    pub fn role(self, name: &str) -> Self {
        self.role_with(name, 0)
    }

    /// Adds a role with permission bits, such as [`ADMINISTRATOR`].
    #[must_use]
    pub fn role_with(mut self, name: &str, permissions: u64) -> Self {
        self.roles.push((name.to_owned(), permissions));
        self
    }

    /// Adds a member of the guild.
    #[must_use]
    pub fn person(self, name: &str, roles: &[&str]) -> Self {
        self.with(name, roles, true)
    }

    /// Adds somebody who is not in the guild.
    #[must_use]
    pub fn stranger(self, name: &str) -> Self {
        self.with(name, &[], false)
    }

    fn with(mut self, name: &str, roles: &[&str], member: bool) -> Self {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        self.people.push(PersonConfig {
            name: name.to_owned(),
            roles,
            member,
        });
        self
    }

    /// Sets how long an interaction waits for its first response.
    #[must_use]
    pub fn first_response_timeout(mut self, limit: Duration) -> Self {
        self.first_response_timeout = limit;
        self
    }

    /// Sets how long an interaction's token is good.
    #[must_use]
    pub fn token_lifetime(mut self, limit: Duration) -> Self {
        self.token_lifetime = limit;
        self
    }

    /// Sets how long a verb waits before it gives up.
    #[must_use]
    pub fn wait_timeout(mut self, limit: Duration) -> Self {
        self.wait_timeout = limit;
        self
    }

    /// Sets the address to listen on.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }
}
