//! Sessions: their data types and every rule about them.
//!
//! Pure: no clock, no network, no tokio, kube or serenity. Callers pass in the time and new IDs.

mod details;
mod digest;
mod error_summary;
mod id;
mod incident;
mod ledger;
mod lifecycle;
mod observed;
mod pause;
mod quota;
mod reap_policy;
mod record;
mod renewal;
mod rule;
mod size;
mod work;
mod workspace;

pub use details::{Details, PodEvent};
pub use digest::{fingerprint, sha256_hex};
pub use error_summary::ErrorSummary;
pub use id::{ChannelId, InvalidId, MessageId, OwnerId, RequestId, SessionId};
pub use incident::{Failure, Incident, without_queries};
pub use ledger::{Ledger, LoadPart, Outcome, Report, ReportDetail, RunningSession, UsageTotal};
pub use lifecycle::{Policy, Step, next_step, usual_start};
pub use observed::{Observed, Parts, Phase, Pod, PodState, StartupStep};
pub use pause::{PauseDocument, StartPause};
pub use quota::{Quota, QuotaExceeded};
pub use reap_policy::{
    Action, ExtensionLimit, Limits, Orphan, Plan, ReapPause, ScheduledStop, TrackedSession, Usage,
    extension, latest_stop, plan, scheduled_stop,
};
pub use record::{
    Cause, CredentialSource, Ending, NewRecord, RECORD_VERSION, RUNNER_SIZE, Record, RecordKind,
    Stage, Warning,
};
pub use renewal::Renewal;
pub use rule::Rule;
pub use size::{Cpu, Mebibytes, Requests, Size};
pub use work::{
    PutAside, Restored, SaveFailure, SaveFailureReason, SaveSummary, WorkOutcome, WorkReport,
};
pub use workspace::{Restore, Workspace};

#[cfg(test)]
pub(crate) use record::tests::{starting, starting_runner};
