//! Commands of the bot to a running session, and their answers. Pure.
//!
//! The bot signs each command with the key that also signs the session's tickets. The session's
//! entry point verifies it, because SQL in the session can reach every local port and file.

use std::{collections::HashMap, fmt, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::environment::{self, ConfigError, SessionConfig, secret};
use crate::{
    door::ticket::{MAX_CLOCK_SKEW, Signed, TICKET_LIFETIME, TicketError, Verifier},
    work::WorkReport,
};

/// Maximum number of commands that a session accepts within [`TICKET_LIFETIME`].
const MAX_COMMANDS: usize = 20;
/// Maximum time for a command, with the delay for the bot's clock. DuckDB contacts the catalog with short
/// time limits.
const CARRY_OUT_TIMEOUT: Duration = Duration::from_secs(35);
/// Time that the bot waits longer than the session, for the way there and back.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);
/// Variables with the owner's own credentials. The others belong to the team.
const OWN: [&str; 4] = [
    secret::KEY_ID,
    secret::KEY,
    secret::SESSION_TOKEN,
    secret::CATALOG_TOKEN,
];

/// A command. It has no `Debug`, because it may contain credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ControlCommand {
    /// Use these credentials of the owner instead of the previous ones, by variable.
    RenewCredentials { variables: HashMap<String, String> },
    /// Save the work, for at most this time. The answer is [`ControlResponse::Work`], also if saving
    /// failed.
    SaveWork { seconds: u32 },
    /// Describe the state of the work.
    DescribeWork,
    /// A command of a newer version.
    #[serde(other)]
    Unknown,
}

impl Signed for ControlCommand {
    const PURPOSE: &'static str = "duckbot command 1";
    const MAX_BYTES: usize = 64 << 10;
}

impl ControlCommand {
    /// Maximum time for the session to carry the command out.
    pub(super) fn time_limit(&self) -> Duration {
        match self {
            Self::SaveWork { seconds } => Duration::from_secs((*seconds).into()),
            _ => CARRY_OUT_TIMEOUT,
        }
    }

    /// Maximum time for the bot to wait for the answer.
    pub fn timeout(&self) -> Duration {
        self.time_limit() + ANSWER_MARGIN
    }

    /// Label of the action, for logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RenewCredentials { .. } => "renew credentials",
            Self::SaveWork { .. } => "save work",
            Self::DescribeWork => "describe work",
            Self::Unknown => "unknown",
        }
    }
}

/// Outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlResponse {
    /// The command was carried out.
    Done,
    /// A step failed, with DuckDB's error without secret values. The session keeps its credentials.
    Failed { what: String, error: String },
    /// The credentials were replaced, but the catalog could not be attached again, with DuckDB's
    /// error without secret values. The table `memory.problems` has the statement.
    Detached(String),
    /// The state of the work.
    Work(Box<WorkReport>),
    /// The command was not carried out.
    Refused(String),
    /// The session does not know the command, or takes none.
    NotSupported,
}

impl fmt::Display for ControlResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "done"),
            Self::Failed { what, error } => write!(f, "{what} failed: {error}"),
            Self::Detached(error) => write!(f, "done, but the catalog is detached: {error}"),
            Self::Work(_) => write!(f, "a report about the work"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::NotSupported => write!(f, "not supported"),
        }
    }
}

/// Decides which commands a session carries out.
pub struct ControlGate(Verifier<ControlCommand>);

impl ControlGate {
    /// Creates a gate for the session of `config`. Returns `None` if it takes no commands.
    pub fn new(config: &SessionConfig, now: DateTime<Utc>) -> Option<Self> {
        let control = config.control.as_ref()?;
        Verifier::new(&control.session, &control.key, now).map(Self)
    }

    /// Returns the time to wait before a command can be accepted, because the bot's clock is ahead.
    /// Zero if it is too far ahead: the command is then refused.
    pub fn delay(&self, signed: &str, now: DateTime<Utc>) -> Duration {
        let longest = MAX_CLOCK_SKEW.to_std().unwrap_or_default();
        let delay = self.0.time_until_issued(signed, now);
        if delay > longest {
            Duration::ZERO
        } else {
            delay
        }
    }

    /// Accepts a signed command, once.
    ///
    /// # Errors
    /// Returns the answer if the command is rejected.
    pub fn accept(
        &mut self,
        signed: &str,
        now: DateTime<Utc>,
    ) -> Result<ControlCommand, ControlResponse> {
        if self.0.count_recent(now) >= MAX_COMMANDS {
            let seconds = TICKET_LIFETIME.num_seconds();
            let why = format!("more than {MAX_COMMANDS} commands in {seconds} seconds");
            return Err(ControlResponse::Refused(why));
        }
        // After a restart of DuckDB, one from the future could be accepted again.
        if !self.0.time_until_issued(signed, now).is_zero() {
            return Err(ControlResponse::Refused(
                reason(TicketError::Expired).into(),
            ));
        }
        match self.0.redeem(signed, now) {
            Ok(ControlCommand::Unknown) => Err(ControlResponse::NotSupported),
            Ok(command) => Ok(command),
            Err(why) => Err(ControlResponse::Refused(reason(why).into())),
        }
    }
}

fn reason(error: TicketError) -> &'static str {
    match error {
        TicketError::Forged => "the bot did not sign the command",
        TicketError::OtherSession => "the command is for another session",
        TicketError::Expired => "the command has expired; compare the clocks of bot and node",
        TicketError::BeforeStart => "the command is older than DuckDB",
        TicketError::Used => "the command was already used",
    }
}

/// Returns `variables` with the credentials `renewed` in place of the owner's own.
pub fn with_credentials(
    variables: &HashMap<String, String>,
    renewed: &HashMap<String, String>,
) -> HashMap<String, String> {
    let kept = variables
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()));
    let renewed = renewed
        .iter()
        .filter(|(name, _)| OWN.contains(&name.as_str()));
    let all = kept.chain(renewed);
    all.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Reads the configuration with renewed credentials.
///
/// # Errors
/// If a value is missing, or has a control character, which could end its statement.
pub fn renewed_config(variables: &HashMap<String, String>) -> Result<SessionConfig, ConfigError> {
    let is_plain = |name: &str| {
        let value = variables.get(name);
        value.is_none_or(|value| !value.contains(char::is_control))
    };
    match OWN.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(ConfigError::new(format!(
            "{name} must not contain control characters."
        ))),
        None => environment::read(variables),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::door::ticket::SigningKey;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
    }

    fn key() -> SigningKey {
        SigningKey::read("k1", &SigningKey::generate()).expect("a key")
    }

    fn gate(key: &SigningKey) -> ControlGate {
        ControlGate(Verifier::new("977a26", &key.public(), at(0)).expect("a key"))
    }

    fn renewal() -> ControlCommand {
        let variables = [(secret::KEY_ID, "AKIANEW"), (secret::KEY, "new")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ControlCommand::RenewCredentials {
            variables: variables.into(),
        }
    }

    fn refusal(answer: Result<ControlCommand, ControlResponse>) -> String {
        answer.err().expect("a refusal").to_string()
    }

    #[test]
    fn a_command_is_accepted_once() {
        let key = key();
        let mut gate = gate(&key);
        let signed = key.sign(renewal(), "977a26", at(5));
        assert!(gate.accept(&signed, at(6)) == Ok(renewal()));
        let again = refusal(gate.accept(&signed, at(7)));
        assert_eq!(again, "refused: the command was already used");
    }

    #[test]
    fn a_command_of_a_clock_that_is_ahead_waits_and_is_not_accepted_again_after_a_restart() {
        let key = key();
        let mut before = gate(&key);
        let signed = key.sign(renewal(), "977a26", at(20));
        assert_eq!(before.delay(&signed, at(5)), Duration::from_secs(15));
        assert_eq!(before.delay(&signed, at(-10)), Duration::from_secs(30));
        // A longer wait would be of no use.
        assert_eq!(before.delay(&signed, at(-11)), Duration::ZERO);
        assert!(refusal(before.accept(&signed, at(19))).contains("has expired"));
        assert_eq!(before.delay(&signed, at(20)), Duration::ZERO);
        assert!(before.accept(&signed, at(20)).is_ok());
        // The session can only restart after it accepted the command.
        let mut after = ControlGate(Verifier::new("977a26", &key.public(), at(21)).expect("a key"));
        let told = refusal(after.accept(&signed, at(22)));
        assert!(told.contains("older than DuckDB"), "{told}");
    }

    #[test]
    fn no_other_command_is_accepted() {
        let own = key();
        let mut gate = gate(&own);
        for (signed, why) in [
            (own.sign(renewal(), "1b2c3d", at(5)), "another session"),
            (own.sign(renewal(), "977a26", at(-1)), "older than DuckDB"),
            (own.sign(renewal(), "977a26", at(-60)), "has expired"),
            (own.sign(renewal(), "977a26", at(40)), "has expired"),
            (key().sign(renewal(), "977a26", at(5)), "did not sign"),
            // A ticket opens the door and commands nothing.
            (own.ticket("977a26", at(5)), "did not sign"),
            ("x".repeat(ControlCommand::MAX_BYTES + 1), "did not sign"),
        ] {
            let told = refusal(gate.accept(&signed, at(6)));
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_command_is_no_ticket() {
        let key = key();
        let mut door = Verifier::<()>::new("977a26", &key.public(), at(0)).expect("a key");
        let signed = key.sign(renewal(), "977a26", at(5));
        assert_eq!(door.redeem(&signed, at(6)), Err(TicketError::Forged));
    }

    #[test]
    fn a_command_that_is_too_large_is_refused() {
        let key = key();
        let variables = [(secret::CATALOG_TOKEN.to_owned(), "x".repeat(64 << 10))];
        let command = ControlCommand::RenewCredentials {
            variables: variables.into(),
        };
        let signed = key.sign(command, "977a26", at(5));
        let told = refusal(gate(&key).accept(&signed, at(6)));
        assert!(told.contains("did not sign"), "{told}");
    }

    #[test]
    fn the_number_of_commands_is_limited() {
        let key = key();
        let mut gate = gate(&key);
        let mut send = |second| gate.accept(&key.sign(renewal(), "977a26", at(second)), at(second));
        for _ in 0..MAX_COMMANDS {
            assert!(send(5).is_ok());
        }
        assert!(refusal(send(6)).contains("more than 20 commands"));
        let later = TICKET_LIFETIME + TimeDelta::seconds(5);
        assert!(send(later.num_seconds()).is_ok());
    }

    #[test]
    fn a_command_of_a_newer_version_is_not_supported() {
        #[derive(Serialize, Deserialize)]
        struct Newer {
            action: String,
            amount: u32,
        }
        impl Signed for Newer {
            const PURPOSE: &'static str = ControlCommand::PURPOSE;
            const MAX_BYTES: usize = ControlCommand::MAX_BYTES;
        }
        let key = key();
        let newer = Newer {
            action: "change_limits".into(),
            amount: 3,
        };
        let signed = key.sign(newer, "977a26", at(5));
        let answer = gate(&key).accept(&signed, at(6));
        assert!(answer == Err(ControlResponse::NotSupported));
    }

    #[test]
    fn only_the_owners_credentials_are_replaced() {
        let map = |pairs: &[(&str, &str)]| -> HashMap<_, _> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let before = map(&[
            ("HOME", "/home/duck"),
            (secret::KEY_ID, "old"),
            (secret::CATALOG_TOKEN, "old"),
        ]);
        let renewed = map(&[(secret::KEY_ID, "new"), ("HOME", "/elsewhere")]);
        let expected = map(&[("HOME", "/home/duck"), (secret::KEY_ID, "new")]);
        assert_eq!(with_credentials(&before, &renewed), expected);
    }
}
