//! Rejections: expected answers that say "no" to a request. Pure.

use chrono::{DateTime, Utc};

use crate::session::{OwnerId, SessionId};

/// The reason why a request was rejected. `Display` is the sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("There is no size `{}`. Choose one of: {}.", quoted(.given), names(.known))]
    UnknownSize {
        /// Text that the person entered.
        given: String,
        /// Names of the available sizes.
        known: Vec<String>,
    },
    #[error("There is no catalog `{}`. Choose one of: {}.", quoted(.given), names(.known))]
    UnknownCatalog {
        /// Text that the person entered: a name or a URL.
        given: String,
        /// Names of the available catalogs.
        known: Vec<String>,
    },
    /// The stored credentials expired at this time.
    #[error("Your S3 credentials expired <t:{}:R>. Enter new ones, then try again.", .0.timestamp())]
    CredentialsExpired(DateTime<Utc>),
    /// `credentials.preflight` is off.
    #[error("Checking credentials is turned off here.")]
    PreflightDisabled,
    /// An existing session was made by the same request, but with other options.
    #[error(
        "This button already started a session with other options, and that session still exists. `/duck list` shows it."
    )]
    RequestReused,
    /// No credentials are stored that could be checked or used again.
    #[error("You have no saved S3 credentials.")]
    NoStoredCredentials,
    /// No credentials are stored to start a session with.
    #[error("You have no saved S3 credentials. Enter them, then try again.")]
    NoCredentials,
    #[error(
        "You already have {} session{} ({}), and the limit is {}. Stop one first: `/duck stop`.",
        .ids.len(), match .ids.len() { 1 => "", _ => "s" }, names(.ids), .limit
    )]
    QuotaReached {
        /// IDs of the owner's sessions. For a record that can't be read, the name of its object.
        ids: Vec<String>,
        /// Maximum number of sessions per person.
        limit: u8,
    },
    /// The text is not a well-formed session ID.
    #[error("`{}` is not a session ID. A session ID has six characters, like `977a26`. `/duck list` shows yours.", quoted(.0))]
    InvalidSessionId(String),
    #[error("There is no session `{0}`. It may have ended. `/duck list` shows your sessions.")]
    NoSuchSession(SessionId),
    /// The session belongs to someone else. The text is a verb: what the caller wanted to do.
    #[error("Session `{0}` belongs to someone else. Only its owner or an admin can {1} it.")]
    NotYours(SessionId, &'static str),
    /// The button belongs to this person.
    #[error("That button is for <@{0}>. Start your own session with `/duck start`.")]
    NotYourButton(OwnerId),
    /// The caller has no session. The text is a verb: what the caller wanted to do.
    #[error("You have no session to {0}.")]
    NoSessionTo(&'static str),
    /// The caller has several sessions and named none.
    #[error("You have several sessions ({}). Choose one: `/duck {} session:…`", names(.ids), .command)]
    AmbiguousSession {
        /// IDs of the caller's sessions.
        ids: Vec<String>,
        /// Subcommand of `/duck` that the caller used.
        command: &'static str,
    },
    #[error("Only admins can do that.")]
    AdminsOnly,
    #[error("`{}` is not a duration. Enter one like `2h` or `1h 30m`.", quoted(.0))]
    InvalidDuration(String),
    /// The idle, lifetime and maximum-age rules are all off.
    #[error("Idle and old sessions are not stopped here, so there is nothing to extend.")]
    NothingStopsIt,
    /// The extension budget is used up, or the maximum age leaves no room.
    #[error(
        "Session `{id}` can't be extended any further{}. Save your work, then start a new session.",
        .at.map(|at| format!("; it stops <t:{}:R>", at.timestamp())).unwrap_or_default()
    )]
    ExtensionLimitReached {
        id: SessionId,
        /// Time at which the session will be stopped, if a rule stops it.
        at: Option<DateTime<Utc>>,
    },
    /// The settings have no `sql` section.
    #[error("Queries from the chat are turned off here.")]
    QueriesDisabled,
    /// The caller has no running session to query.
    #[error("You have no running session for queries. Start one, or wait until yours is ready.")]
    NoRunningSession,
    /// The session belongs to someone else. A query would use its owner's credentials.
    #[error(
        "Session `{0}` belongs to someone else, and a query would use their credentials. Only its owner can query it."
    )]
    NotYoursToQuery(SessionId),
    /// The query is empty, or has only semicolons.
    #[error("The query is empty. Enter one like `SELECT 42`.")]
    EmptyQuery,
    /// The query contains this control character.
    #[error("The query contains an invisible character (U+{:04X}). Remove it, then try again.", u32::from(*.0))]
    InvisibleCharacter(char),
    /// The caller has this many running queries, which is the maximum.
    #[error(
        "You already have {0} queries running, and the limit is {0}. Wait for one to finish, or cancel it."
    )]
    TooManyQueries(usize),
    /// Reading the tables failed. The text is the reason, from DuckDB.
    #[error("I can't read the tables: {}. If your credentials are the cause, check them with `/duck setup`.", plain(.0))]
    TablesUnavailable(String),
    #[error(
        "There is no table `{}`.{} `/duck tables` shows all tables.", quoted(.given),
        if nearest.is_empty() { String::new() } else { format!(" Did you mean {}?", names(.nearest)) }
    )]
    UnknownTable {
        /// Text that the person entered.
        given: String,
        /// Tables with similar names, most similar first.
        nearest: Vec<String>,
    },
    #[error("You have no session to open. `/duck start` starts one.")]
    NoSessionToOpen,
    /// The session belongs to this person. Admins can't open it either.
    #[error("Only <@{0}> can open that session. Start your own with `/duck start`.")]
    NotYoursToOpen(OwnerId),
    /// The session is starting, or its Pod is not ready.
    #[error(
        "Session `{0}` is not ready right now. Try again in a minute; `/duck list` shows its state."
    )]
    NotReady(SessionId),
    /// The signing key that the session's door trusts is gone, or its Pod names none.
    #[error(
        "I can't open session `{0}`, because its signing key is gone. Stop it with `/duck stop`, then start a new one with `/duck start`."
    )]
    NoSigningKey(SessionId),
}

fn names(names: &[String]) -> String {
    let each: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", quoted(name)))
        .collect();
    each.join(", ")
}

/// Shortens a person's text to 40 characters and removes characters that would end a code span.
fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|c| *c != '`' && !c.is_control());
    let mut short: String = plain.take(40).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

/// Removes control characters and Markdown from a foreign text, and cuts it after 300 characters.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control() && !"`*_~|<>[]@#".contains(*c);
    text.chars().filter(is_plain).take(300).collect()
}
