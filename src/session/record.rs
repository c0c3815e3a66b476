//! The record of a session: its document, which outlives the bot.
//!
//! The runtime stores it (a ConfigMap on Kubernetes, a file with the local runtime). This module
//! defines its content and version ([`RECORD_VERSION`]).

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ChannelId, ErrorSummary, Failure, Incident, MessageId, OwnerId, RequestId, Restore, Rule,
    SessionId, WorkOutcome, Workspace,
};

/// Version of a record's document. A bot reads no other version, because it must not guess fields
/// that are missing.
pub const RECORD_VERSION: u32 = 8;

/// The record of one session: its options and its stage.
///
/// The state of the Pod (queued, ready, failed) is never stored. [`Phase`](super::Phase) is
/// computed from it. Only the outcome of the last save is stored, because people are told of it after
/// the Pod is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`] of the bot that wrote the record.
    pub version: u32,
    pub kind: RecordKind,
    pub id: SessionId,
    /// Request that made the session. One request makes at most one record.
    pub request: RequestId,
    pub owner: OwnerId,
    /// Workspace that the session opens. No other session of its owner has it. A query runner has a
    /// reserved one, without work.
    pub workspace: Workspace,
    /// The saved work with which the session begins.
    #[serde(default)]
    pub restore: Restore,
    /// True if the work of the session is saved. It is decided at the start, so that the settings of a
    /// later bot don't change what people were told.
    #[serde(default)]
    pub keeps_work: bool,
    /// Name that the chat shows for the owner. For display only.
    pub display_name: String,
    /// Name of a size in the settings, or [`RUNNER_SIZE`].
    pub size: String,
    /// Name of a catalog in the settings, or the URL of another catalog if the settings allow it.
    pub catalog: String,
    /// Channel in which the session was requested and its messages are posted. `None` for a session
    /// without messages.
    pub channel: Option<ChannelId>,
    /// Time of the request.
    pub created: DateTime<Utc>,
    /// Credentials that the session uses.
    pub credentials: CredentialSource,
    /// Expiry of the credentials that the session has, if it is known.
    pub credentials_expire: Option<DateTime<Utc>>,
    /// True if the owner was warned that the credentials expire.
    pub credentials_warned: bool,
    /// Time at which the running session took new credentials of its owner, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_renewed: Option<DateTime<Utc>>,
    /// True if the owner replaced their credentials while the session was not ready. It may have read
    /// the previous ones, so it gets the new ones when it is ready. True for any query runner whose
    /// owner replaced them: it takes no further query.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub credentials_replaced: bool,
    /// Time at which the session was ready for the first time.
    pub ready: Option<DateTime<Utc>>,
    /// Time and reason of the last rescheduling. A session is rescheduled each time that the cluster
    /// takes its Pod after it was ready, or that its process ended with the bot (local runtime).
    pub rescheduled: Option<Rescheduled>,
    /// Number of restarts of DuckDB in the present Pod that were announced.
    pub restarts_told: u32,
    /// Sum of all extensions, in seconds.
    pub extended_seconds: i64,
    /// Time before which the idle rule does not stop the session, because of an extension.
    pub kept_until: Option<DateTime<Utc>>,
    /// Last warning that the owner was sent.
    pub warned: Option<Warning>,
    /// Announcement, once it is posted.
    pub announcement: Option<MessageId>,
    /// True if the session is ready, and is still to be announced because Discord could not be reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announcement_due: bool,
    #[serde(flatten)]
    pub stage: Stage,
}

/// Name of the size of query runners. No size in the settings can have it.
pub const RUNNER_SIZE: &str = "query runner";

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A session, which its owner opens in a browser.
    Session,
    /// A query runner: it runs its owner's queries from the chat while they have no session. It has no
    /// UI, door, Service or route, and nothing is posted about it.
    QueryRunner,
}

/// The credentials that a session uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// The owner's stored credentials, as they are when the Pod starts.
    #[default]
    Owner,
    /// The session's own credentials, which are not stored yet. No Pod is created before they are.
    Awaited,
    /// The session's own credentials, which are deleted with it.
    Session,
}

/// The stored stage of a session's life. It only moves forward, except for a rescheduling.
/// [`Phase`](super::Phase) is what people see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Objects are being created, or the Pod is not ready yet.
    Starting,
    /// The session was ready, and its URL was announced unless Discord could not be reached.
    Running,
    /// The cluster took the Pod. When the Pod is gone, the session starts again.
    Rescheduling(Incident),
    /// Objects are being deleted; the record is removed last.
    Stopping {
        ending: Ending,
        /// True if the end was announced.
        told: bool,
        /// Outcome of the save before the Pod is deleted. `None` before it, or if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work: Option<WorkOutcome>,
    },
}

/// A completed rescheduling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescheduled {
    /// Time at which the session started again.
    pub at: DateTime<Utc>,
    /// Reason why the cluster took the previous Pod.
    #[serde(flatten)]
    pub incident: Incident,
}

/// A warning to an owner that a rule will stop the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub rule: Rule,
    /// Time from which the rule counts.
    pub since: DateTime<Utc>,
    /// Time of the stop.
    pub at: DateTime<Utc>,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Time at which the end was decided.
    pub at: DateTime<Utc>,
    #[serde(flatten)]
    pub cause: Cause,
}

/// The reason why a session ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The owner or an admin stopped the session.
    Stopped { by: OwnerId },
    /// The owner restarted the session with new credentials. A new session replaces it.
    Restarted {
        by: OwnerId,
        /// Expiry of the new credentials, if it is known.
        credentials_expire: Option<DateTime<Utc>>,
    },
    /// Its start was taken back, because its owner, or all people together, had as many sessions as allowed.
    OverQuota,
    /// The cluster refused an object, or credentials could not be stored; a retry would not help.
    Refused {
        error: ErrorSummary,
        /// Reference in the log.
        reference: String,
    },
    /// The session was not ready in time.
    TookTooLong {
        /// Time limit for the start, in seconds.
        after_seconds: i64,
    },
    /// The Pod can't run.
    Failed(Incident),
    /// Someone deleted the Pod on the cluster.
    Lost,
    /// A rule stopped the session.
    Reaped {
        rule: Rule,
        /// Time from which the rule counts: the last query, the request, or when the owner left.
        since: DateTime<Utc>,
    },
}

impl Cause {
    /// Returns the kind of failure, or [`Failure::Other`] if the cause has none.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Failed(incident) => incident.failure,
            _ => Failure::Other,
        }
    }
}

/// Upper limit for durations in documents, in seconds. No real duration reaches it.
pub(super) const MAX_SECONDS: i64 = 1_000_000_000_000;

/// Returns true if the year has at most four digits. Calculations with other times could overflow
/// and panic, because of a single broken document.
pub(super) fn is_plausible_time(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}

/// The field that is the same in every version of the document.
#[derive(Deserialize)]
pub(super) struct Versioned {
    pub(super) version: u32,
}

/// The part of a record that is known before its session exists.
pub struct NewRecord {
    pub kind: RecordKind,
    pub id: SessionId,
    pub request: RequestId,
    pub owner: OwnerId,
    pub workspace: Workspace,
    pub restore: Restore,
    pub keeps_work: bool,
    pub display_name: String,
    pub size: String,
    pub catalog: String,
    pub channel: Option<ChannelId>,
    pub created: DateTime<Utc>,
    pub credentials: CredentialSource,
}

impl Record {
    /// Creates the record of a session that starts.
    pub fn starting(new: NewRecord) -> Self {
        let NewRecord {
            kind,
            id,
            request,
            owner,
            workspace,
            restore,
            keeps_work,
            display_name,
            size,
            catalog,
            channel,
            created,
            credentials,
        } = new;
        Self {
            version: RECORD_VERSION,
            kind,
            id,
            request,
            owner,
            workspace,
            restore,
            keeps_work,
            display_name,
            size,
            catalog,
            channel,
            created,
            credentials,
            credentials_expire: None,
            credentials_warned: false,
            credentials_renewed: None,
            credentials_replaced: false,
            ready: None,
            rescheduled: None,
            restarts_told: 0,
            extended_seconds: 0,
            kept_until: None,
            warned: None,
            announcement: None,
            announcement_due: false,
            stage: Stage::Starting,
        }
    }

    /// Parses a stored document.
    ///
    /// # Errors
    /// Returns the reason if the document is not a record, has another version, or contains a time
    /// that is out of range.
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
            return Err("it contains a time that is out of range".to_owned());
        }
        Ok(record)
    }

    /// Returns all times in the record.
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
        let of_work = self.work_outcome().into_iter().flat_map(WorkOutcome::times);
        all.into_iter().flatten().chain(of_work)
    }

    /// Name under which the record is stored. It consists of the owner and the workspace, so creating
    /// it takes the workspace.
    pub fn name(&self) -> String {
        format!("duckui-{}-{}", self.owner, self.workspace)
    }

    pub fn is_runner(&self) -> bool {
        self.kind == RecordKind::QueryRunner
    }

    /// Returns the end of the session, if it was decided.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.stage {
            Stage::Stopping { ending, .. } => Some(ending),
            _ => None,
        }
    }

    /// Returns the outcome of the save at the end of the session, if it is known.
    pub fn work_outcome(&self) -> Option<&WorkOutcome> {
        match &self.stage {
            Stage::Stopping { work, .. } => work.as_ref(),
            _ => None,
        }
    }

    /// Returns true if the session has tried to save at its end. It need not do that again when its process is
    /// told to end.
    pub fn has_tried_to_save(&self) -> bool {
        matches!(
            self.work_outcome(),
            Some(WorkOutcome::Saved(_) | WorkOutcome::Nothing | WorkOutcome::NotSaved { .. })
        )
    }

    pub fn is_stopping(&self) -> bool {
        matches!(self.stage, Stage::Stopping { .. })
    }

    /// Returns the record with its end decided. A record that is already stopping keeps its cause.
    pub fn with_ending(&self, cause: Cause, at: DateTime<Utc>) -> Self {
        let mut record = self.clone();
        if !record.is_stopping() {
            record.stage = Stage::Stopping {
                ending: Ending { at, cause },
                told: false,
                work: None,
            };
        }
        record
    }

    /// Returns the record after its URL was announced, in `message` if one was posted.
    pub fn with_announcement(
        &self,
        message: Option<MessageId>,
        at: DateTime<Utc>,
        restarts: u32,
    ) -> Self {
        Self {
            announcement: message,
            announcement_due: false,
            ..self.with_ready(at, restarts)
        }
    }

    /// Returns the record of a session that is ready and still to be announced.
    pub fn with_ready(&self, at: DateTime<Utc>, restarts: u32) -> Self {
        let mut record = self.clone();
        record.announcement_due = true;
        record.ready.get_or_insert(at);
        record.restarts_told = restarts;
        if record.stage == Stage::Starting {
            record.stage = Stage::Running;
        }
        record
    }

    /// Returns true if the session was ready at least once.
    pub fn was_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Returns true if a Pod of the session is still to start and read the credentials.
    pub fn is_to_start(&self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Rescheduling(_))
    }

    /// Returns true if the session uses its owner's stored credentials.
    pub fn uses_owner_credentials(&self) -> bool {
        self.credentials == CredentialSource::Owner
    }

    /// Returns the record after the session's own credentials were stored.
    pub fn with_own_credentials(&self) -> Self {
        let mut record = self.clone();
        if record.credentials == CredentialSource::Awaited {
            record.credentials = CredentialSource::Session;
        }
        record
    }

    /// Returns when the last start began: the rescheduling, or the request if there was none.
    pub fn start_began(&self) -> DateTime<Utc> {
        self.rescheduled
            .as_ref()
            .map_or(self.created, |rescheduled| rescheduled.at)
    }

    /// Returns the time since which the session has its present credentials, or an earlier one.
    pub fn credentials_since(&self) -> DateTime<Utc> {
        let began = self.start_began();
        self.credentials_renewed
            .map_or(began, |renewed| renewed.max(began))
    }

    /// Returns true if the session has credentials from before this time, and keeps them unless it is
    /// restarted.
    pub fn keeps_credentials_from_before(&self, stored: DateTime<Utc>) -> bool {
        // A session that is not ready gets the stored ones when it is.
        let is_pending = self.is_to_start() || self.credentials_replaced;
        !is_pending && self.credentials_since() < stored
    }

    /// Returns the record after the running session took new credentials, which expire at `expire`.
    pub fn with_renewed_credentials(
        &self,
        expire: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            credentials_expire: expire,
            credentials_warned: false,
            credentials_renewed: Some(at),
            credentials_replaced: false,
            ..self.clone()
        }
    }

    /// Returns the record after the running session did not take new credentials.
    pub fn with_kept_credentials(&self) -> Self {
        Self {
            credentials_replaced: false,
            ..self.clone()
        }
    }

    /// Returns the record after its owner replaced their credentials, of a session that is not ready or
    /// a query runner.
    pub fn with_replaced_credentials(&self) -> Self {
        Self {
            credentials_replaced: true,
            ..self.clone()
        }
    }

    /// Returns the record after the cluster took the Pod, so that the session starts again.
    pub fn with_reschedule(&self, incident: Incident) -> Self {
        let mut record = self.clone();
        if !record.is_stopping() {
            record.stage = Stage::Rescheduling(incident);
        }
        record
    }

    /// Returns the record after the old Pod of a rescheduling is gone. `credentials_expire` is the
    /// expiry of the credentials that the next Pod will read.
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
            record.announcement_due = false;
            record.credentials_warned &= record.credentials_expire == credentials_expire;
            record.credentials_expire = credentials_expire;
            record.stage = Stage::Starting;
        }
        record
    }

    /// Returns the record after this number of restarts was announced.
    pub fn with_restarts_told(&self, restarts: u32) -> Self {
        Self {
            restarts_told: restarts,
            ..self.clone()
        }
    }

    /// Returns the record after its owner was warned that the credentials expire.
    pub fn with_credentials_warning(&self) -> Self {
        Self {
            credentials_warned: true,
            ..self.clone()
        }
    }

    /// Returns the record after its owner was warned of a stop.
    pub fn with_warning(&self, warning: Warning) -> Self {
        Self {
            warned: Some(warning),
            ..self.clone()
        }
    }

    /// Returns the sum of all extensions.
    pub fn extension(&self) -> TimeDelta {
        TimeDelta::seconds(self.extended_seconds)
    }

    /// Returns the record with a lifetime that is longer by `by`. The idle rule does not apply for
    /// that time either.
    pub fn with_extension(&self, by: TimeDelta, now: DateTime<Utc>) -> Self {
        Self {
            extended_seconds: (self.extended_seconds + by.num_seconds()).min(MAX_SECONDS),
            kept_until: self.kept_until.max(Some(now + by)),
            ..self.clone()
        }
    }

    /// Returns the saved work with which a new session in place of this one begins.
    pub fn next_restore(&self) -> Restore {
        // A session that was ready has work of its own, which is newer.
        if self.was_ready() {
            Restore::Latest
        } else {
            self.restore
        }
    }

    /// Returns the record of the new session that replaces this one in the same workspace.
    pub fn successor(
        &self,
        id: SessionId,
        credentials_expire: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            credentials_expire,
            ..Self::starting(NewRecord {
                kind: self.kind,
                id,
                request: RequestId(format!("restart-{}", self.id)),
                owner: self.owner,
                workspace: self.workspace.clone(),
                restore: self.next_restore(),
                keeps_work: self.keeps_work,
                display_name: self.display_name.clone(),
                size: self.size.clone(),
                catalog: self.catalog.clone(),
                channel: self.channel,
                created: at,
                credentials: self.credentials,
            })
        }
    }

    /// Returns the record of an ending session after its work was saved, or could not be.
    pub fn with_work_outcome(&self, outcome: WorkOutcome) -> Self {
        let mut record = self.clone();
        if let Stage::Stopping { work, .. } = &mut record.stage {
            work.get_or_insert(outcome);
        }
        record
    }

    /// Returns the record after its end was announced.
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

    /// Creates a record of owner 7, requested at 12:00.
    pub(crate) fn starting() -> Record {
        Record::starting(NewRecord {
            kind: RecordKind::Session,
            id: "977a26".parse().expect("a valid ID"),
            request: RequestId("1042".into()),
            owner: 7.into(),
            workspace: Workspace::unnamed(0),
            restore: Restore::Latest,
            keeps_work: false,
            display_name: "Ana".into(),
            size: "small".into(),
            catalog: "lake".into(),
            channel: Some(5.into()),
            created: "2026-11-23T12:00:00Z".parse().expect("a valid time"),
            credentials: CredentialSource::Owner,
        })
    }

    /// Creates the record of a query runner of owner 7, requested at 12:00.
    pub(crate) fn starting_runner() -> Record {
        Record {
            kind: RecordKind::QueryRunner,
            workspace: Workspace::of_runner(0),
            size: RUNNER_SIZE.into(),
            channel: None,
            ..starting()
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a valid time")
    }

    fn read(json: &str) -> Record {
        serde_json::from_str(json).expect("a valid record")
    }

    #[test]
    fn a_session_that_will_get_the_stored_credentials_does_not_keep_older_ones() {
        let ready = at("2026-11-23T12:00:20Z");
        let running = starting().with_announcement(None, ready, 0);
        let keeps = |record: &Record, stored| record.keeps_credentials_from_before(at(stored));
        assert!(keeps(&running, "2026-11-23T13:00:00Z"));
        assert!(!keeps(&running, "2026-11-23T11:00:00Z"));
        let pending = running.with_replaced_credentials();
        assert!(!keeps(&pending, "2026-11-23T13:00:00Z"));
        assert!(!keeps(&starting(), "2026-11-23T13:00:00Z"));
        assert!(keeps(
            &pending.with_kept_credentials(),
            "2026-11-23T13:00:00Z"
        ));
        let renewed = pending.with_renewed_credentials(None, at("2026-11-23T13:00:01Z"));
        assert!(!keeps(&renewed, "2026-11-23T13:00:00Z"));
    }

    #[test]
    fn version_8_is_written_like_this_and_read_back() {
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
        let json = serde_json::to_string_pretty(&record).expect("valid JSON");
        insta::assert_snapshot!(json, @r#"
        {
          "version": 8,
          "kind": "session",
          "id": "977a26",
          "request": "1042",
          "owner": "7",
          "workspace": "main",
          "restore": "latest",
          "keeps_work": false,
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
        // A failure that only a later version of the document knows.
        let later = json.replace("out_of_memory", "struck_by_lightning");
        assert_eq!(
            read(&later).ending().map(|it| it.cause.failure()),
            Some(Failure::Other)
        );
        let reaped = Cause::Reaped {
            rule: Rule::OwnerLeft,
            since: at("2026-11-20T12:00:00Z"),
        };
        let reaped = starting().with_ending(reaped, at("2026-11-23T13:00:00Z"));
        let json = serde_json::to_string(&reaped).expect("valid JSON");
        assert_eq!(read(&json), reaped);
        let refused = Cause::Refused {
            error: ErrorSummary::QuotaExceeded { why: "cpu".into() },
            reference: "1a2b3c4d".into(),
        };
        let refused = starting().with_ending(refused, at("2026-11-23T13:00:00Z"));
        let json = serde_json::to_string(&refused).expect("valid JSON");
        assert_eq!(read(&json), refused);
        let rescheduling = starting().with_reschedule(Incident::new(Failure::NodeGone, "gone"));
        let json = serde_json::to_string(&rescheduling).expect("valid JSON");
        assert_eq!(read(&json), rescheduling);
    }

    #[test]
    fn a_record_of_another_version_is_not_read() {
        let json = serde_json::to_string(&starting()).expect("valid JSON");
        for version in [0, 7, 9] {
            let other = json.replace("\"version\":8", &format!("\"version\":{version}"));
            let why = format!("it has version {version}; this bot reads version 8 only");
            assert_eq!(Record::read(&other), Err(why));
        }
    }

    #[test]
    fn the_name_has_the_workspace() {
        assert_eq!(starting().name(), "duckui-7-main");
        assert_eq!(starting_runner().name(), "duckui-7-query-0");
        let json = serde_json::to_string(&starting_runner()).expect("valid JSON");
        assert_eq!(read(&json), starting_runner());
    }

    #[test]
    fn a_record_with_a_time_out_of_range_is_not_read() {
        let json = serde_json::to_string(&starting()).expect("valid JSON");
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
            assert_eq!(
                read,
                Err("it contains a time that is out of range".to_owned()),
                "{to}"
            );
        }
    }

    #[test]
    fn a_session_that_is_stopped_during_its_announcement_keeps_stopping() {
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
