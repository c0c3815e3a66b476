//! Configuration of a loopback Discord: a guild, its channels, roles and people. No I/O.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Permission that implies all others.
pub const ADMINISTRATOR: u64 = 1 << 3;
/// Permission to send messages in a channel.
pub const SEND_MESSAGES: u64 = 1 << 11;
/// Permission to attach files to messages.
pub const ATTACH_FILES: u64 = 1 << 15;
/// Permissions of every member: see channels, send messages (in threads too), attach files, use
/// application commands.
pub const MEMBER_PERMISSIONS: u64 =
    (1 << 10) | SEND_MESSAGES | ATTACH_FILES | (1 << 31) | (1 << 38);

/// Configuration of one guild. Start from [`DiscordConfig::default`] and add to it.
#[derive(Debug, Clone)]
pub struct DiscordConfig {
    /// Name of the guild.
    pub guild: String,
    /// Name of the bot.
    pub bot: String,
    /// Names of text channels, without `#`.
    pub channels: Vec<String>,
    /// Names of roles, each with its permission bits.
    pub roles: Vec<(String, u64)>,
    /// People who can act, in the guild or not.
    pub people: Vec<PersonConfig>,
    /// Time within which an interaction needs its first response. On Discord: 3 s.
    pub first_response_timeout: Duration,
    /// Lifetime of an interaction's token. On Discord: 15 min.
    pub token_lifetime: Duration,
    /// Maximum time that a method waits for the bot.
    pub wait_timeout: Duration,
    /// Address to listen on; with port 0 the system chooses a free port.
    pub listen: SocketAddr,
}

/// Configuration of a person.
#[derive(Debug, Clone)]
pub struct PersonConfig {
    /// Name, by which [`Discord::person`](crate::Discord::person) finds the person.
    pub name: String,
    /// Names of roles, each of which is in [`DiscordConfig::roles`].
    pub roles: Vec<String>,
    /// True if the person is in the guild.
    pub member: bool,
    /// ID of the person. `None` for a new one at each start.
    pub id: Option<u64>,
}

impl Default for DiscordConfig {
    fn default() -> Self {
        Self {
            guild: "Test server".to_owned(),
            bot: "bot".to_owned(),
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
    /// Sets the name of the guild.
    #[must_use]
    pub fn guild(mut self, name: &str) -> Self {
        self.guild = name.to_owned();
        self
    }

    /// Sets the name of the bot.
    #[must_use]
    pub fn bot(mut self, name: &str) -> Self {
        self.bot = name.to_owned();
        self
    }

    /// Adds a text channel.
    #[must_use]
    pub fn channel(mut self, name: &str) -> Self {
        self.channels.push(name.trim_start_matches('#').to_owned());
        self
    }

    /// Adds a role without permissions.
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

    /// Adds a person who is not in the guild.
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
            id: None,
        });
        self
    }

    /// Gives the person who was added last an ID that is the same at each start.
    #[must_use]
    pub fn id(mut self, id: u64) -> Self {
        if let Some(person) = self.people.last_mut() {
            person.id = Some(id);
        }
        self
    }

    /// Sets the time within which an interaction needs its first response.
    #[must_use]
    pub fn first_response_timeout(mut self, limit: Duration) -> Self {
        self.first_response_timeout = limit;
        self
    }

    /// Sets the lifetime of interaction tokens.
    #[must_use]
    pub fn token_lifetime(mut self, limit: Duration) -> Self {
        self.token_lifetime = limit;
        self
    }

    /// Sets the maximum time that a method waits for the bot.
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
