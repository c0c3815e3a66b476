//! Facts about a session that Kubernetes' Events tell: what duckbot did, and why. Pure.
//!
//! A fact follows from two versions of the record alone. Only one write leads from the one to the other, so
//! each fact is told once, by the bot that wrote. A fact names no person, and quotes nothing that a person
//! typed.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::session::{
    Cause, ErrorSummary, Failure, Incident, RECORD_VERSION, Record, Rule, SaveFailureReason, Stage,
    Warning, WorkOutcome,
};

/// A fact, as an Event says it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fact {
    /// Short name in CamelCase, for programs and for `kubectl get events`.
    pub reason: &'static str,
    /// Action of duckbot, as a verb.
    pub action: &'static str,
    pub is_warning: bool,
    pub note: String,
}

fn normal(reason: &'static str, action: &'static str, note: impl Into<String>) -> Fact {
    Fact {
        reason,
        action,
        is_warning: false,
        note: note.into(),
    }
}

fn warning(reason: &'static str, action: &'static str, note: impl Into<String>) -> Fact {
    Fact {
        is_warning: true,
        ..normal(reason, action, note)
    }
}

/// Returns the facts of a new record.
pub(super) fn of_claim(record: &Record) -> Vec<Fact> {
    let Record { id, size, .. } = record;
    let note = format!(
        "Requested, with the size {size}. Its Pod is {}",
        id.object_name()
    );
    worth_telling(record, [Some(normal("Requested", "Start", note))])
}

/// Returns the facts of a record that replaced another version of itself.
pub(super) fn of_change(before: &Record, after: &Record) -> Vec<Fact> {
    if before.id != after.id {
        let (old, new) = (before.id.object_name(), after.id.object_name());
        let note = format!("Restarted by its owner: {new} replaces {old}");
        return worth_telling(after, [Some(normal("Requested", "Start", note))]);
    }
    let facts = [
        of_stage(before, after),
        of_announcement(before, after),
        of_work(before, after),
        of_warning(before, after),
        of_extension(before, after),
        of_credentials(before, after),
        of_restarts(before, after),
    ];
    worth_telling(after, facts)
}

/// Returns the fact that no rule touches the session of a record, because this version can't read it.
pub(super) fn of_unreadable() -> Fact {
    let note = format!(
        "This duckbot reads version {RECORD_VERSION} of records, and can't read this one. It leaves the \
         session alone: nothing warns, renews or ends it. The bot's log has the reason"
    );
    warning("UnreadableRecord", "Read", note)
}

/// Keeps only the warnings of a query runner. It holds nobody's work, and comes and goes with each question.
fn worth_telling<const N: usize>(record: &Record, facts: [Option<Fact>; N]) -> Vec<Fact> {
    let facts = facts.into_iter().flatten();
    let wanted = facts.filter(|fact| fact.is_warning || !record.is_runner());
    wanted.collect()
}

fn of_stage(before: &Record, after: &Record) -> Option<Fact> {
    match (&before.stage, &after.stage) {
        (Stage::Starting, Stage::Running) => Some(ready(before, after)),
        (Stage::Rescheduling(_), Stage::Rescheduling(_)) => None,
        (_, Stage::Rescheduling(incident)) => {
            let why = describe(incident);
            let note = format!("Lost its Pod: {why}. It starts again when the Pod is gone");
            Some(warning("Rescheduling", "Reschedule", note))
        }
        (Stage::Rescheduling(_), Stage::Starting) => {
            let note = "Starts again with a new Pod, because the cluster took the last one";
            Some(normal("StartingAgain", "Start", note))
        }
        (Stage::Stopping { .. }, _) => None,
        (_, Stage::Stopping { ending, .. }) => Some(of_ending(&ending.cause, after)),
        _ => None,
    }
}

fn ready(before: &Record, after: &Record) -> Fact {
    let took = match (before.ready, after.ready) {
        (None, Some(ready)) => format!("{} after its request", duration(ready - after.created)),
        _ => "again".to_owned(),
    };
    if after.announcement_due {
        let note = format!(
            "Ready {took}, but Discord did not take the message with its URL. duckbot repeats it"
        );
        return warning("NotAnnounced", "Announce", note);
    }
    let told = match after.announcement {
        Some(_) => ", and announced in Discord",
        None => "",
    };
    normal("Ready", "Announce", format!("Ready {took}{told}"))
}

fn of_announcement(before: &Record, after: &Record) -> Option<Fact> {
    let is_late = before.announcement_due && !after.announcement_due;
    let is_running = before.stage == Stage::Running && after.stage == Stage::Running;
    (is_late && is_running).then(|| normal("Announced", "Announce", "Announced in Discord"))
}

fn of_ending(cause: &Cause, record: &Record) -> Fact {
    const STOP: &str = "Stop";
    match cause {
        Cause::Stopped { by } if *by == record.owner => {
            normal("Stopping", STOP, "Stopped by its owner")
        }
        Cause::Stopped { .. } => normal("Stopping", STOP, "Stopped by an admin"),
        Cause::Restarted { .. } => normal(
            "Stopping",
            STOP,
            "Restarted by its owner, with new credentials",
        ),
        Cause::OverQuota => normal(
            "Stopping",
            STOP,
            "Taken back, because another session got the last place of a quota",
        ),
        Cause::Reaped { rule, since } => {
            let note = format!("Stopped by a rule: {} ({})", rule_text(*rule), time(*since));
            normal("Stopping", STOP, note)
        }
        Cause::Refused { error, reference } => {
            let why = refusal(error);
            let note = format!("Ends, because {why}. The bot's log has more at {reference}");
            warning("Failed", STOP, note)
        }
        Cause::TookTooLong { after_seconds } => {
            let limit = duration(TimeDelta::seconds(*after_seconds));
            warning(
                "Failed",
                STOP,
                format!("Ends, because it was not ready within {limit}"),
            )
        }
        Cause::Failed(incident) => warning(
            "Failed",
            STOP,
            format!("Ends, because {}", describe(incident)),
        ),
        Cause::Lost => warning(
            "Failed",
            STOP,
            "Ends, because somebody else deleted its Pod",
        ),
    }
}

fn of_work(before: &Record, after: &Record) -> Option<Fact> {
    let outcome = after
        .work_outcome()
        .filter(|_| before.work_outcome().is_none())?;
    Some(match outcome {
        WorkOutcome::Saved(save) => {
            let note = format!("Its work is in save {} ({})", save.number, time(save.at));
            normal("WorkSaved", "Save", note)
        }
        WorkOutcome::Nothing => normal("WorkSaved", "Save", "There was no work to save"),
        WorkOutcome::NotSaved { failure, last } => {
            let last = match last {
                Some(last) => format!("The last save has the work of {}", time(*last)),
                None => "There is no save".to_owned(),
            };
            let why = save_failure(failure.reason);
            warning(
                "WorkNotSaved",
                "Save",
                format!("Work is lost: {why}. {last}"),
            )
        }
        WorkOutcome::NoAnswer => {
            let note =
                "It did not answer when it was told to save. Its Pod saves by itself when it ends";
            warning("WorkNotSaved", "Save", note)
        }
    })
}

fn of_warning(before: &Record, after: &Record) -> Option<Fact> {
    let Warning { rule, since, at } = after
        .warned
        .as_ref()
        .filter(|_| after.warned != before.warned)?;
    let (why, since, at) = (rule_text(*rule), time(*since), time(*at));
    let note = format!("Its owner was warned of a stop at {at}: {why} ({since})");
    Some(normal("OwnerWarned", "Warn", note))
}

fn of_extension(before: &Record, after: &Record) -> Option<Fact> {
    let more = after.extension() - before.extension();
    let is_more = more > TimeDelta::zero();
    is_more.then(|| {
        normal(
            "Extended",
            "Extend",
            format!("Extended by {}", duration(more)),
        )
    })
}

fn of_credentials(before: &Record, after: &Record) -> Option<Fact> {
    if after.credentials_renewed != before.credentials_renewed {
        let note = "Took the new credentials of its owner, without a restart";
        return Some(normal("CredentialsRenewed", "Renew", note));
    }
    let expire = after.credentials_expire.map(time).unwrap_or_default();
    let is_new = after.credentials_warned && !before.credentials_warned;
    is_new.then(|| {
        let note = format!("Its owner was warned: its credentials expire at {expire}");
        normal("OwnerWarned", "Warn", note)
    })
}

fn of_restarts(before: &Record, after: &Record) -> Option<Fact> {
    let is_more = after.restarts_told > before.restarts_told;
    let was_running = before.stage == Stage::Running && !before.announcement_due;
    (is_more && was_running).then(|| {
        let note = format!(
            "DuckDB was restarted in its Pod ({} in all), and its owner was told",
            after.restarts_told
        );
        warning("DuckDBRestarted", "Announce", note)
    })
}

fn rule_text(rule: Rule) -> &'static str {
    match rule {
        Rule::MaxAge => "it reached the maximum age, which counts from its request",
        Rule::OwnerLeft => "its owner left the Discord server",
        Rule::Lifetime => "it reached the end of its lifetime, which counts from its request",
        Rule::Idle => "idle since its last query",
    }
}

/// Describes an incident in our words, with the cluster's message.
fn describe(incident: &Incident) -> String {
    let kind = match incident.failure {
        Failure::NoRoom => "no node has enough free resources",
        Failure::NoNode => "no node matches its Pod",
        Failure::ImageMissing => "the image does not exist in its registry",
        Failure::ImageRefused => "the registry refuses the image",
        Failure::ImageUnavailable => "the image can't be pulled",
        Failure::CredentialsMissing => "the Secret with its credentials is missing",
        Failure::Mount => "a volume can't be mounted",
        Failure::Container => "a container can't be created or run",
        Failure::Crashed => "DuckDB crashes repeatedly",
        Failure::OutOfMemory => "DuckDB exceeded its memory limit",
        Failure::Door => "the door crashes repeatedly",
        Failure::DiskFull => "it exceeded its disk limit",
        Failure::Evicted => "the node evicted its Pod",
        Failure::NodeGone => "its node is gone",
        Failure::Vanished => "its Pod is gone, and the cause is unknown",
        Failure::BotEnded => "the bot ended",
        Failure::Other => "its Pod can't run",
    };
    match incident.why.trim() {
        "" => kind.to_owned(),
        why => format!("{kind} ({why})"),
    }
}

fn refusal(error: &ErrorSummary) -> String {
    match error {
        ErrorSummary::NotAllowed {
            verb,
            resource,
            namespace,
        } => format!("duckbot may not {verb} {resource} in {namespace}"),
        ErrorSummary::Refused => "the API server refused one of its objects".to_owned(),
        ErrorSummary::QuotaExceeded { why } => format!("a ResourceQuota is used up ({why})"),
        ErrorSummary::NotFound => "a namespace, an object or its kind does not exist".to_owned(),
        ErrorSummary::NotInSettings { what, name } => {
            format!("the {what} {name:?} is no longer in the settings")
        }
        ErrorSummary::Disk { .. }
        | ErrorSummary::Conflict
        | ErrorSummary::Discord
        | ErrorSummary::NotAuthenticated
        | ErrorSummary::TimedOut
        | ErrorSummary::Unreachable
        | ErrorSummary::Session
        | ErrorSummary::StillStopping { .. }
        | ErrorSummary::Other => "something that it needs did not work".to_owned(),
    }
}

fn save_failure(reason: SaveFailureReason) -> &'static str {
    match reason {
        SaveFailureReason::KeysRefused => "the storage refused its owner's S3 credentials",
        SaveFailureReason::NotAllowed => {
            "its owner's S3 credentials don't allow writing to the storage"
        }
        SaveFailureReason::Unavailable => "the storage did not answer",
        SaveFailureReason::NoRoom => "its disk had no room for the copy",
        SaveFailureReason::TimedOut => "the save took longer than work.deadline",
        SaveFailureReason::NotCopied => "DuckDB could not copy its database",
        SaveFailureReason::NoKey => "it was started without the key of saved work",
        SaveFailureReason::NewerDuckDb
        | SaveFailureReason::NotGenuine
        | SaveFailureReason::NotFound
        | SaveFailureReason::Other => "the save failed",
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Formats a duration in whole seconds, such as `1h 30m`.
fn duration(time: TimeDelta) -> String {
    let seconds = std::time::Duration::from_secs(time.num_seconds().try_into().unwrap_or(0));
    humantime::format_duration(seconds).to_string()
}

#[cfg(test)]
mod tests;
