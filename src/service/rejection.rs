//! Why a request is turned down. Pure.

use chrono::{DateTime, Utc};

use crate::session::{OwnerId, SessionId};

/// A request that is turned down: a value with a sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such size.
    #[error("There is no size `{}`. Choose one of: {}.", quoted(.given), names(.known))]
    UnknownSize {
        /// What was asked for.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such catalog.
    #[error("There is no catalog `{}`. Choose one of: {}.", quoted(.given), names(.known))]
    UnknownCatalog {
        /// What was asked for.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The keys that they handed in have expired.
    #[error("Your keys have expired (<t:{}:R>). Hand in new ones, then start again.", .0.timestamp())]
    CredentialsExpired(DateTime<Utc>),
    /// The settings say not to.
    #[error("Trying keys out is turned off here.")]
    CheckingIsOff,
    /// The same request was made for another session.
    #[error("That was asked for before, in another way, and is still there.")]
    OtherWish,
    /// There is nothing to check or to forget.
    #[error("I have no keys of yours.")]
    NothingKept,
    /// They have not handed in credentials yet.
    #[error("I don't have your S3 credentials yet. Hand them in once, then start again.")]
    NoCredentials,
    /// All their places are taken.
    #[error(
        "You already have {} of {} sessions ({}). Stop one first with `/duck stop`.",
        .ids.len(), .limit, names(.ids)
    )]
    QuotaReached {
        /// Their sessions.
        ids: Vec<String>,
        /// How many they may have.
        limit: u8,
    },
    /// Not an id at all.
    #[error("`{}` is no session: a session is six characters, like `977a26`. `/duck list` shows yours.", quoted(.0))]
    NotAnId(String),
    /// No session has that id.
    #[error("There is no session `{0}`: it has ended, or never was. `/duck list` shows what runs.")]
    NoSuchSession(SessionId),
    /// It is somebody else's.
    #[error("Session `{0}` belongs to somebody else. Only they or an admin can {1} it.")]
    NotYours(SessionId, &'static str),
    /// Somebody else may press it.
    #[error("That button is for <@{0}>. `/duck start` makes a session of your own.")]
    NotYourButton(OwnerId),
    /// They have none.
    #[error("You have no session to {0}.")]
    NothingTo(&'static str),
    /// They have several.
    #[error("You have several sessions ({}). Say which: `/duck {} session:…`", names(.ids), .command)]
    SayWhich {
        /// Theirs.
        ids: Vec<String>,
        /// What they wanted.
        command: &'static str,
    },
    /// Not for everybody.
    #[error("Only admins can do that.")]
    AdminsOnly,
    /// Not a length of time.
    #[error("`{}` is no length of time. Say it like `2h` or `1h 30m`.", quoted(.0))]
    NotADuration(String),
    /// No rule would.
    #[error("Sessions are not stopped here for being idle or old, so there is nothing to extend.")]
    NothingStopsIt,
    /// It was extended by as much as it may.
    #[error(
        "Session `{id}` can't be extended any more{}. Save what you need, then start a new one.",
        .at.map(|at| format!("; it will be stopped <t:{}:R>", at.timestamp())).unwrap_or_default()
    )]
    NoMoreTime {
        /// Which one.
        id: SessionId,
        /// When it will be stopped, if anything stops it.
        at: Option<DateTime<Utc>>,
    },
    /// The settings say not to.
    #[error("Questions from the chat are turned off here.")]
    AskingIsOff,
    /// They have no session that could answer.
    #[error(
        "None of your sessions runs, and one must: it is your DuckDB that answers. Start one, then ask again."
    )]
    NothingToAsk,
    /// It is somebody else's, and they would ask with its owner's keys.
    #[error(
        "Session `{0}` belongs to somebody else, and would answer with their keys. Only they can ask it."
    )]
    NotYoursToAsk(SessionId),
    /// Nothing is asked.
    #[error("There is no question in that. Say it like `SELECT 42`.")]
    NoQuestion,
    /// It holds what can't be seen.
    #[error("There is a character in it that can't be seen (U+{:04X}). Type it anew, without that.", u32::from(*.0))]
    Unseen(char),
    /// They ask as much as they may.
    #[error("{0} questions of yours are being answered. Wait for one of them, or cancel it.")]
    AskingAlready(usize),
    /// DuckDB says why.
    #[error("The tables can't be looked at: {}. If it is your keys: `/duck setup` checks them.", plain(.0))]
    TablesUnseen(String),
    /// No such table.
    #[error(
        "There is no table `{}`.{} `/duck tables` shows all.", quoted(.given),
        match .nearest.is_empty() {
            true => String::new(),
            false => format!(" Near to that are: {}.", names(.nearest)),
        }
    )]
    UnknownTable {
        /// What was asked for.
        given: String,
        /// What is called nearly that.
        nearest: Vec<String>,
    },
    /// They have none.
    #[error("You have no session to open. `/duck start` makes one.")]
    NothingToOpen,
    /// Not even an admin gets in.
    #[error("Only <@{0}> can open that session. `/duck start` makes one of your own.")]
    NotYoursToOpen(OwnerId),
    /// It has no link yet.
    #[error("Session `{0}` is not ready yet. I post its link when it is.")]
    NotReady(SessionId),
    /// The key to its door is gone, or its door is one without a lock.
    #[error(
        "I don't have the key to session `{0}` (any more). `/duck stop` and `/duck start` give you a new one."
    )]
    NoKey(SessionId),
}

fn names(names: &[String]) -> String {
    let each: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", quoted(name)))
        .collect();
    each.join(", ")
}

/// What a person typed, short and without what would end a code span.
fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|c| *c != '`' && !c.is_control());
    let mut short: String = plain.take(40).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

/// Others' words, in one line and without what would be markdown.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control() && !"`*_~|<>[]@#".contains(*c);
    text.chars().filter(is_plain).take(300).collect()
}
