//! What a loopback Discord is built from: a guild, its channels, roles and people. No I/O.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The permission that implies all others.
pub const ADMINISTRATOR: u64 = 1 << 3;
/// See channels, send messages (in threads, too), attach files, use application commands: what
/// everybody may.
pub const EVERYBODY: u64 = (1 << 10) | (1 << 11) | (1 << 15) | (1 << 31) | (1 << 38);

/// The plan of one guild. Start from [`Blueprint::default`] and add to it.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// The guild's name.
    pub guild: String,
    /// The bot's name.
    pub bot: String,
    /// Names of text channels, without `#`.
    pub channels: Vec<String>,
    /// Names of roles, each with its permission bits.
    pub roles: Vec<(String, u64)>,
    /// Everybody who can do something.
    pub people: Vec<PersonPlan>,
    /// How long an interaction waits for its first response. Discord: 3 s.
    pub first_response_within: Duration,
    /// How long an interaction's token is good. Discord: 15 min.
    pub tokens_live: Duration,
    /// How long a verb waits for the bot before it gives up.
    pub patience: Duration,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
}

/// One person of a [`Blueprint`].
#[derive(Debug, Clone)]
pub struct PersonPlan {
    /// The user name.
    pub name: String,
    /// Names of the person's roles.
    pub roles: Vec<String>,
    /// False for somebody who is not in the guild.
    pub member: bool,
}

impl Default for Blueprint {
    fn default() -> Self {
        Self {
            guild: "The Pond".to_owned(),
            bot: "duckbot".to_owned(),
            channels: Vec::new(),
            roles: Vec::new(),
            people: Vec::new(),
            first_response_within: Duration::from_secs(3),
            tokens_live: Duration::from_secs(15 * 60),
            patience: Duration::from_secs(20),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
        }
    }
}

impl Blueprint {
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
        self.people.push(PersonPlan {
            name: name.to_owned(),
            roles,
            member,
        });
        self
    }

    /// Sets how long an interaction waits for its first response.
    #[must_use]
    pub fn first_response_within(mut self, limit: Duration) -> Self {
        self.first_response_within = limit;
        self
    }

    /// Sets how long an interaction's token is good.
    #[must_use]
    pub fn tokens_live(mut self, limit: Duration) -> Self {
        self.tokens_live = limit;
        self
    }

    /// Sets how long a verb waits before it gives up.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Sets the address to listen on.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }
}
