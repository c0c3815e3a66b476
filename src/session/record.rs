//! The record of a session: the one document that outlives the bot.
//!
//! Where it is kept is the runtime's business (a ConfigMap on Kubernetes);
//! what it says is fixed here, with a version: see [`RECORD_VERSION`].

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{ChannelId, Failure, Incident, MessageId, OwnerId, RequestId, Rule, SessionId};

/// The version of a record's document. A bot reads no other one: what a record leaves out must not
/// be guessed.
pub const RECORD_VERSION: u32 = 5;

/// One session, as it was asked for and how far it has come.
///
/// What the Pod says (queued, ready, failed) is never stored: see
/// [`Phase`](super::Phase).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`] of the bot that wrote it.
    pub version: u32,
    /// The session's id.
    pub id: SessionId,
    /// The request that made it. A second record for the same request is never made.
    pub request: RequestId,
    /// Whose session it is.
    pub owner: OwnerId,
    /// Which of the owner's places (counted from 0) it takes up.
    pub slot: u8,
    /// What the owner is called in the chat: display text only.
    pub display_name: String,
    /// Name of its size in the settings.
    pub size: String,
    /// Name of its catalog in the settings.
    pub catalog: String,
    /// Where it was asked for, and where its URL is told; none: nowhere.
    pub channel: Option<ChannelId>,
    /// When it was asked for.
    pub created: DateTime<Utc>,
    /// Which keys it is started with.
    pub credentials: CredentialSource,
    /// When the keys that it was started with expire, if that is known.
    pub credentials_expire: Option<DateTime<Utc>>,
    /// Whether its owner was warned of that.
    pub credentials_warned: bool,
    /// When it was ready for the first time.
    pub ready: Option<DateTime<Utc>>,
    /// When and why it was started again on another node. That happens once.
    pub rescheduled: Option<Rescheduled>,
    /// How many restarts of DuckDB in its Pod the owner knows of.
    pub restarts_told: u32,
    /// By how much its lifetime was extended in all.
    pub extended_seconds: i64,
    /// Until then it is not stopped for being idle: its owner said so.
    pub kept_until: Option<DateTime<Utc>>,
    /// What its owner was told of the stop that is next.
    pub warned: Option<Warning>,
    /// The public message with its URL, once that is posted.
    pub announcement: Option<MessageId>,
    /// How far it has come.
    #[serde(flatten)]
    pub stage: Stage,
}

/// Which keys a session is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// Those that its owner has handed in, as they are when its Pod starts.
    #[default]
    Owner,
    /// Its own, which are about to be stored: until then it has no Pod.
    Awaited,
    /// Its own, which go with it.
    Session,
}

/// How far a session has come. It moves forward, but for the one time that it
/// is started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Its objects are being made, or its Pod is not ready yet.
    Starting,
    /// It was ready, and its owner was told the URL.
    Running,
    /// The cluster took its Pod away; once that is gone, it starts again.
    Rescheduling(Incident),
    /// It is being taken down; the record goes last.
    Stopping {
        /// Why.
        ending: Ending,
        /// Whether people were told that it has ended.
        told: bool,
    },
}

/// How a session came to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescheduled {
    /// When it was started again.
    pub at: DateTime<Utc>,
    /// What took it from the first one.
    #[serde(flatten)]
    pub incident: Incident,
}

/// What an owner was told of a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Which rule stops the session.
    pub rule: Rule,
    /// What that counts from.
    pub since: DateTime<Utc>,
    /// When it will.
    pub at: DateTime<Utc>,
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When that was decided.
    pub at: DateTime<Utc>,
    /// What made it end.
    #[serde(flatten)]
    pub cause: Cause,
}

/// What makes a session end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// Somebody asked for it: the owner or an admin.
    Stopped {
        /// Who.
        by: OwnerId,
    },
    /// Its owner wants one like it with new keys; that takes its place.
    Restarted {
        /// Who.
        by: OwnerId,
        /// When the new keys expire, if that is known.
        credentials_expire: Option<DateTime<Utc>>,
    },
    /// The cluster refused one of its objects, and asking again would not help.
    Refused {
        /// A sentence for the owner, without anything secret.
        why: String,
        /// What an engineer looks for in the log.
        reference: String,
    },
    /// It was not ready in time.
    TookTooLong {
        /// How long it was given, in seconds.
        after_seconds: i64,
    },
    /// Its Pod can't run.
    Failed(Incident),
    /// Its Pod was deleted by somebody else.
    Lost,
    /// A rule of the settings stopped it.
    Reaped {
        /// Which one.
        rule: Rule,
        /// What that counts from: since when it was idle, when it was asked for, when its
        /// owner left.
        since: DateTime<Utc>,
    },
}

impl Cause {
    /// The kind of failure that it was.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Failed(incident) => incident.failure,
            _ => Failure::Other,
        }
    }
}

/// More seconds than anything takes that a document counts.
pub(super) const MAX_SECONDS: i64 = 1_000_000_000_000;

/// Whether a time is of a year with four digits. Nobody means others, and what is calculated
/// from them may be no time any more: that would be a panic, for the sake of one document.
pub(super) fn is_plausible_time(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}

/// What is the same in every version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Record {
    /// Reads a stored document.
    ///
    /// # Errors
    /// What is wrong with it: not a record, another version, or a time out of range.
    pub fn read(document: &str) -> Result<Self, String> {
        let wrong = |why: serde_json::Error| why.to_string();
        let Versioned { version } = serde_json::from_str(document).map_err(wrong)?;
        if version != RECORD_VERSION {
            return Err(format!(
                "it has version {version}; this bot reads version {RECORD_VERSION} only"
            ));
        }
        let record: Self = serde_json::from_str(document).map_err(wrong)?;
        let is_extended = (0..=MAX_SECONDS).contains(&record.extended_seconds);
        if !is_extended || !record.times().all(is_plausible_time) {
            return Err("it has a time that can't be".to_owned());
        }
        Ok(record)
    }

    /// All times in it.
    fn times(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let (ended, cause) = match self.ending() {
            Some(Ending { at, cause }) => (Some(*at), Some(cause)),
            None => (None, None),
        };
        let of_cause = match cause {
            Some(Cause::Restarted {
                credentials_expire, ..
            }) => *credentials_expire,
            Some(Cause::Reaped { since, .. }) => Some(*since),
            _ => None,
        };
        let warned = self.warned.as_ref();
        let all = [
            Some(self.created),
            self.credentials_expire,
            self.ready,
            self.rescheduled.as_ref().map(|rescheduled| rescheduled.at),
            self.kept_until,
            warned.map(|warning| warning.since),
            warned.map(|warning| warning.at),
            ended,
            of_cause,
        ];
        all.into_iter().flatten()
    }

    /// Why it is being taken down, if it is.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.stage {
            Stage::Stopping { ending, .. } => Some(ending),
            _ => None,
        }
    }

    /// Whether it is being taken down.
    pub fn is_stopping(&self) -> bool {
        matches!(self.stage, Stage::Stopping { .. })
    }

    /// The same record with its end decided. A session ends for one reason: a
    /// record that is already stopping is returned as it was.
    pub fn with_ending(&self, cause: Cause, at: DateTime<Utc>) -> Self {
        let mut record = self.clone();
        if !record.is_stopping() {
            record.stage = Stage::Stopping {
                ending: Ending { at, cause },
                told: false,
            };
        }
        record
    }

    /// The same record after its URL was told, in `message` if there is one.
    pub fn with_announcement(
        &self,
        message: Option<MessageId>,
        at: DateTime<Utc>,
        restarts: u32,
    ) -> Self {
        let mut record = self.clone();
        record.announcement = message;
        record.ready.get_or_insert(at);
        record.restarts_told = restarts;
        if record.stage == Stage::Starting {
            record.stage = Stage::Running;
        }
        record
    }

    /// Whether it was ready once.
    pub fn was_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Whether its Pod is still to read its owner's keys.
    pub fn is_to_start(&self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Rescheduling(_))
    }

    /// Whether it holds the keys that its owner has handed in.
    pub fn uses_owner_credentials(&self) -> bool {
        self.credentials == CredentialSource::Owner
    }

    /// The same record when its own keys are stored.
    pub fn with_own_credentials(&self) -> Self {
        let mut record = self.clone();
        if record.credentials == CredentialSource::Awaited {
            record.credentials = CredentialSource::Session;
        }
        record
    }

    /// Since when it starts: since it was asked for, or since it was moved.
    pub fn start_began(&self) -> DateTime<Utc> {
        self.rescheduled
            .as_ref()
            .map_or(self.created, |rescheduled| rescheduled.at)
    }

    /// The same record when its Pod was taken away and it is to start again.
    pub fn with_reschedule(&self, incident: Incident) -> Self {
        let mut record = self.clone();
        if !record.is_stopping() {
            record.stage = Stage::Rescheduling(incident);
        }
        record
    }

    /// The same record when the old Pod is gone, and the next one will have keys
    /// that expire then.
    pub fn with_restart(
        &self,
        credentials_expire: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Self {
        let mut record = self.clone();
        if let Stage::Rescheduling(incident) = &self.stage {
            let incident = incident.clone();
            record.rescheduled = Some(Rescheduled { at, incident });
            record.restarts_told = 0;
            record.credentials_warned &= record.credentials_expire == credentials_expire;
            record.credentials_expire = credentials_expire;
            record.stage = Stage::Starting;
        }
        record
    }

    /// The same record after its owner was told of that many restarts.
    pub fn with_restarts_told(&self, restarts: u32) -> Self {
        Self {
            restarts_told: restarts,
            ..self.clone()
        }
    }

    /// The same record after its owner was warned that its keys expire.
    pub fn with_credentials_warning(&self) -> Self {
        Self {
            credentials_warned: true,
            ..self.clone()
        }
    }

    /// The same record after its owner was told of a stop.
    pub fn with_warning(&self, warning: Warning) -> Self {
        Self {
            warned: Some(warning),
            ..self.clone()
        }
    }

    /// By how much its lifetime was extended in all.
    pub fn extension(&self) -> TimeDelta {
        TimeDelta::seconds(self.extended_seconds)
    }

    /// The same record with a longer life, and not idle for that time.
    pub fn with_extension(&self, by: TimeDelta, now: DateTime<Utc>) -> Self {
        Self {
            extended_seconds: (self.extended_seconds + by.num_seconds()).min(MAX_SECONDS),
            kept_until: self.kept_until.max(Some(now + by)),
            ..self.clone()
        }
    }

    /// The record of the session that takes this one's place.
    pub fn successor(
        &self,
        id: SessionId,
        credentials_expire: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            version: RECORD_VERSION,
            request: RequestId(format!("restart-{}", self.id)),
            id,
            credentials_expire,
            credentials_warned: false,
            created: at,
            ready: None,
            rescheduled: None,
            restarts_told: 0,
            extended_seconds: 0,
            kept_until: None,
            warned: None,
            announcement: None,
            stage: Stage::Starting,
            ..self.clone()
        }
    }

    /// The same record after people were told that it has ended.
    pub fn with_end_announced(&self) -> Self {
        let mut record = self.clone();
        if let Stage::Stopping { told, .. } = &mut record.stage {
            *told = true;
        }
        record
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record of the analyst with id 7, asked for at 12:00.
    pub fn starting() -> Record {
        Record {
            version: RECORD_VERSION,
            id: "977a26".parse().expect("an id"),
            request: RequestId("1042".into()),
            owner: 7.into(),
            slot: 0,
            display_name: "Ana".into(),
            size: "small".into(),
            catalog: "lake".into(),
            channel: Some(5.into()),
            created: "2026-11-23T12:00:00Z".parse().expect("a time"),
            credentials: CredentialSource::Owner,
            credentials_expire: None,
            credentials_warned: false,
            ready: None,
            rescheduled: None,
            restarts_told: 0,
            extended_seconds: 0,
            kept_until: None,
            warned: None,
            announcement: None,
            stage: Stage::Starting,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn read(json: &str) -> Record {
        serde_json::from_str(json).expect("reads")
    }

    #[test]
    fn version_5_is_written_like_this_and_read_back() {
        let drained = Incident::new(Failure::Evicted, "The node is drained.");
        let record = starting()
            .with_announcement(Some(99.into()), at("2026-11-23T12:00:20Z"), 0)
            .with_reschedule(drained)
            .with_restart(None, at("2026-11-23T12:30:00Z"))
            .with_warning(Warning {
                rule: Rule::Idle,
                since: at("2026-11-23T12:35:00Z"),
                at: at("2026-11-23T12:50:00Z"),
            })
            .with_extension(TimeDelta::hours(1), at("2026-11-23T12:45:00Z"))
            .with_ending(
                Cause::Failed(Incident::new(Failure::OutOfMemory, "OOMKilled")),
                at("2026-11-23T13:00:00Z"),
            );
        let json = serde_json::to_string_pretty(&record).expect("a record is JSON");
        insta::assert_snapshot!(json, @r#"
        {
          "version": 5,
          "id": "977a26",
          "request": "1042",
          "owner": "7",
          "slot": 0,
          "display_name": "Ana",
          "size": "small",
          "catalog": "lake",
          "channel": "5",
          "created": "2026-11-23T12:00:00Z",
          "credentials": "owner",
          "credentials_expire": null,
          "credentials_warned": false,
          "ready": "2026-11-23T12:00:20Z",
          "rescheduled": {
            "at": "2026-11-23T12:30:00Z",
            "failure": "evicted",
            "why": "The node is drained."
          },
          "restarts_told": 0,
          "extended_seconds": 3600,
          "kept_until": "2026-11-23T13:45:00Z",
          "warned": {
            "rule": "idle",
            "since": "2026-11-23T12:35:00Z",
            "at": "2026-11-23T12:50:00Z"
          },
          "announcement": "99",
          "stage": "stopping",
          "ending": {
            "at": "2026-11-23T13:00:00Z",
            "cause": "failed",
            "failure": "out_of_memory",
            "why": "OOMKilled"
          },
          "told": false
        }
        "#);
        assert_eq!(read(&json), record);
        let reaped = Cause::Reaped {
            rule: Rule::OwnerLeft,
            since: at("2026-11-20T12:00:00Z"),
        };
        let reaped = starting().with_ending(reaped, at("2026-11-23T13:00:00Z"));
        let json = serde_json::to_string(&reaped).expect("a record is JSON");
        assert_eq!(read(&json), reaped);
        let rescheduling = starting().with_reschedule(Incident::new(Failure::NodeGone, "gone"));
        let json = serde_json::to_string(&rescheduling).expect("a record is JSON");
        assert_eq!(read(&json), rescheduling);
    }

    #[test]
    fn a_record_of_another_version_is_not_read() {
        let json = serde_json::to_string(&starting()).expect("a record is JSON");
        for version in [0, 4, 6] {
            let other = json.replace("\"version\":5", &format!("\"version\":{version}"));
            let why = format!("it has version {version}; this bot reads version 5 only");
            assert_eq!(Record::read(&other), Err(why));
        }
    }

    #[test]
    fn a_record_with_a_time_that_can_not_be_is_not_read() {
        let json = serde_json::to_string(&starting()).expect("a record is JSON");
        assert!(Record::read(&json).is_ok());
        for (from, to) in [
            ("\"2026-11-23T12:00:00Z\"", "\"+262142-11-23T12:00:00Z\""),
            ("\"2026-11-23T12:00:00Z\"", "\"-262143-01-01T00:00:00Z\""),
            (
                "\"extended_seconds\":0",
                "\"extended_seconds\":9223372036854775807",
            ),
            ("\"extended_seconds\":0", "\"extended_seconds\":-1"),
            (
                "\"credentials_expire\":null",
                "\"credentials_expire\":\"+10000-01-01T00:00:00Z\"",
            ),
        ] {
            let strange = json.replace(from, to);
            assert_ne!(strange, json);
            let read = Record::read(&strange);
            assert_eq!(read, Err("it has a time that can't be".to_owned()), "{to}");
        }
    }

    #[test]
    fn a_session_that_is_stopped_while_it_is_announced_goes_on_stopping() {
        let at = at("2026-11-23T13:00:00Z");
        let stopping = starting().with_ending(Cause::Lost, at);
        let both = stopping.with_announcement(Some(99.into()), at, 0);
        assert_eq!(both.announcement, Some(99.into()));
        assert_eq!(both.stage, stopping.stage);
    }

    #[test]
    fn a_session_ends_for_the_first_reason_given() {
        let at = at("2026-11-23T13:00:00Z");
        let once = starting().with_ending(Cause::Lost, at);
        assert_eq!(once.with_ending(Cause::Stopped { by: 7.into() }, at), once);
    }
}
