//! Facts about a session, or about the next start. Pure.

use chrono::{DateTime, Utc};

use crate::{
    credentials::{CredentialMetadata, CredentialPart, preflight::PreflightError},
    error::Error,
    service::{SaveTrial, StartRejection, TablesError},
    session::{Observed, OwnerId, Pod, StartPause, WorkReport},
    settings::RouteKind,
};

/// The thing that is examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The next start of the person who asks.
    Start,
    /// A session or a query runner, as last seen.
    Session(Observed),
}

/// A thing that is checked. The order is that in which they are shown: causes come before what depends on
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The API server.
    Cluster,
    /// The pause of starts.
    Starts,
    /// The bot's own limits.
    Room,
    /// The cluster's quotas and other rules for Pods.
    Rules,
    /// The record and the Pod.
    Session,
    DuckDb,
    Door,
    /// DNS, the certificate and the route of the session's URL.
    Address,
    Credentials,
    Storage,
    Catalog,
    Tables,
    Work,
}

/// A fact that is being asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fact<T> {
    #[default]
    Pending,
    /// Impossible to find out, because the session is not ready.
    NotReady,
    /// Only the owner can have it asked for, because that uses their credentials.
    OwnerOnly,
    /// No answer in time.
    TimedOut,
    Known(T),
}

/// The room that a person has for sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Number of the person's sessions.
    pub own: usize,
    /// Maximum number per person.
    pub limit: u8,
}

/// The credentials of the owner, and what became of them when they were tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsFact {
    pub stored: Option<CredentialMetadata>,
    /// Outcome of the preflight, as [`Preflight::check`](crate::credentials::preflight::Preflight::check)
    /// returns it. `None` if they were not tried.
    pub tried: Option<Result<bool, Vec<PreflightError>>>,
}

/// The answer at the URL of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressFact {
    /// The session's door.
    Door,
    /// Another server, probably the ingress controller, with this status.
    Other(u16),
    /// The ingress controller, which gives no answer: it does not get one from the session.
    Silent,
    NoAddress,
    /// No connection from here, for this reason.
    Unreachable(String),
    /// The certificate was issued by a CA that the bot does not know.
    UnknownIssuer(String),
    /// The certificate is not valid for another reason.
    BadCertificate(String),
    /// The controller refused the route, for this reason.
    RouteRefused(String),
    /// The route does not exist.
    NoRoute,
}

/// The outcome of listing the tables in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TablesFact {
    /// The number of tables, and true if there are more.
    Listed(usize, bool),
    Failed(TablesError),
    /// The owner's credentials were deleted.
    CredentialsGone,
    /// Other queries of the owner are running.
    Busy,
}

/// The state of a person's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkFact {
    Report(WorkReport),
    /// The session did not answer.
    NoAnswer,
    /// Outcome of the attempt to write to the place for saved work.
    Trial(SaveTrial),
    /// There are no keys to try.
    NoKeys,
}

/// Names and addresses that admins are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Namespace of the sessions. `None` if they run on this machine.
    pub namespace: Option<String>,
    /// URL of the session.
    pub url: Option<String>,
    pub route: Option<RouteKind>,
    /// Endpoints in the settings.
    pub storage: String,
    pub catalog: String,
}

/// Facts that are known so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub subject: Subject,
    /// The things that are checked, in order.
    pub checks: Vec<Check>,
    pub owner: OwnerId,
    /// True if the person who asks owns what is examined.
    pub is_owner: bool,
    pub now: DateTime<Utc>,
    /// Name of the catalog, or its URL if it is not in the settings.
    pub catalog: String,
    /// The part of the credentials that the catalog requires.
    pub part: CredentialPart,
    pub places: Places,
    /// Time since which the view is out of date, if it is.
    pub stale_since: Option<DateTime<Utc>>,
    /// The room for another session, or the reason why there is none.
    pub room: Result<Room, StartRejection>,
    pub pause: Fact<Result<Option<StartPause>, Error>>,
    /// The cluster's answer to the question whether it would accept the Pod of the next session.
    pub trial: Fact<Result<(), Error>>,
    /// The Pod as the API server knows it. It does not know whether DuckDB answers.
    pub pod: Fact<Result<Option<Pod>, Error>>,
    /// The door's answer to the question whether DuckDB answers.
    pub door: Fact<Result<bool, Error>>,
    pub address: Fact<AddressFact>,
    pub access: Fact<Result<CredentialsFact, Error>>,
    /// Answers of the services to a request without credentials, or why there are none.
    pub storage: Fact<Result<(), String>>,
    pub catalog_answer: Fact<Result<(), String>>,
    pub tables: Fact<Result<TablesFact, Error>>,
    pub work: Fact<Result<WorkFact, Error>>,
}

#[cfg(test)]
impl Facts {
    /// Facts of an examination that has just begun, for the owner 7 of the catalog `lake`.
    pub(crate) fn pending(subject: Subject, checks: Vec<Check>) -> Self {
        Self {
            subject,
            checks,
            owner: 7.into(),
            is_owner: true,
            now: crate::session::starting().created,
            catalog: "lake".into(),
            part: CredentialPart::S3Keys,
            places: Places::default(),
            stale_since: None,
            room: Ok(Room { own: 0, limit: 2 }),
            pause: Fact::Pending,
            trial: Fact::Pending,
            pod: Fact::Pending,
            door: Fact::Pending,
            address: Fact::Pending,
            access: Fact::Pending,
            storage: Fact::Pending,
            catalog_answer: Fact::Pending,
            tables: Fact::Pending,
            work: Fact::Pending,
        }
    }
}
