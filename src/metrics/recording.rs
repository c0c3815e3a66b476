//! Recording of what happens, in the metrics.

use std::time::{Duration, Instant};

use ::metrics::{counter, gauge, histogram};
use serde::Serialize;

use super::definitions::{
    ACKNOWLEDGED, API, API_DURATION, COMMAND, COMMANDS, CONNECTED, DISCORD, DOOR, ENDED, HELD_BACK,
    KUBERNETES, KUBERNETES_DURATION, KUBERNETES_QUEUE, LEADING, QUESTION, QUESTIONS, REAPER,
    RUNNER_STARTED, RUNNERS, RUNNERS_ENDED, SAVE, SAVES, SCHEDULED, SESSIONS, STARTED,
    STEP_FAILURES, UNREACHABLE, UNREADABLE, VIEW_AGE, WATCHES,
};
use crate::session::{Failure, Observed, Outcome, Phase, RecordKind, Rule, Step};

/// Outcomes of runs of schedules.
const RUN_OUTCOMES: [&str; 6] = ["posted", "quiet", "failed", "paused", "dropped", "unknown"];
/// Values of the label `outcome`.
const OUTCOMES: [&str; 3] = ["done", "refused", "failed"];
/// Values of the label `runs_in`.
const RUNS_IN: [&str; 2] = ["session", "runner"];
/// Values of the label `step`.
const STEPS: [&str; 13] = [
    "create",
    "announce",
    "renew_credentials",
    "warn_credentials_expiry",
    "announce_restart",
    "reschedule",
    "resume",
    "end",
    "save_work",
    "delete",
    "announce_end",
    "remove",
    "renew",
];

/// Creates the metrics whose labels are known, with value 0. A counter that appears with its first count
/// has no rate at that moment, so it would raise no alert.
pub(super) fn initialize() {
    for name in [
        HELD_BACK,
        CONNECTED,
        LEADING,
        UNREACHABLE,
        UNREADABLE,
        VIEW_AGE,
    ] {
        gauge!(name).set(0.0);
    }
    for (how, why) in all_ends() {
        for name in [ENDED, RUNNERS_ENDED] {
            counter!(name, "how" => how, "why" => why.clone()).increment(0);
        }
    }
    for rule in RULES {
        for action in ["warned", "stopped"] {
            counter!(REAPER, "action" => action, "rule" => label(&rule)).increment(0);
        }
    }
    for step in STEPS {
        counter!(STEP_FAILURES, "step" => step).increment(0);
    }
    for outcome in RUN_OUTCOMES {
        counter!(SCHEDULED, "outcome" => outcome).increment(0);
    }
    for outcome in OUTCOMES {
        counter!(DOOR, "outcome" => outcome).increment(0);
        counter!(SAVES, "outcome" => outcome).increment(0);
        for runs_in in RUNS_IN {
            counter!(QUESTIONS, "runs_in" => runs_in, "outcome" => outcome).increment(0);
        }
    }
}

/// The rules that stop sessions.
const RULES: [Rule; 4] = [Rule::MaxAge, Rule::OwnerLeft, Rule::Lifetime, Rule::Idle];

/// Returns the labels of all ways in which a session can end.
fn all_ends() -> impl Iterator<Item = (&'static str, String)> {
    let others = [
        Outcome::Stopped,
        Outcome::StoppedByAdmin,
        Outcome::Restarted,
        Outcome::Refused,
        Outcome::TookTooLong,
        Outcome::Lost,
    ];
    let failures = Failure::ALL.map(Outcome::Failed);
    let all = others.into_iter().chain(failures);
    all.chain(RULES.map(Outcome::Reaped)).map(end_labels)
}

/// Records the time that an acknowledgement took.
pub(crate) fn record_acknowledgement(took: Duration) {
    histogram!(ACKNOWLEDGED).record(took);
}

/// Counts a command, and records the time until its reply was final.
pub(crate) fn record_command(command: &'static str, outcome: &'static str, took: Duration) {
    for it in OUTCOMES {
        let count = u64::from(it == outcome);
        counter!(COMMANDS, "command" => command, "outcome" => it).increment(count);
    }
    histogram!(COMMAND, "command" => command).record(took);
}

/// Counts a request to Discord.
pub(crate) fn count_discord_request(what: &'static str, outcome: &'static str) {
    for it in OUTCOMES {
        counter!(DISCORD, "request" => what, "outcome" => it).increment(u64::from(it == outcome));
    }
}

/// Records the time that a call to the Kubernetes API server waited for its turn.
pub(crate) fn record_kubernetes_queue(took: Duration) {
    histogram!(KUBERNETES_QUEUE).record(took);
}

/// Counts a request to the Kubernetes API server, and records its duration.
pub(crate) fn record_kubernetes_request(
    verb: &'static str,
    resource: &str,
    outcome: &'static str,
    took: Duration,
) {
    for it in OUTCOMES {
        let (resource, count) = (resource.to_owned(), u64::from(it == outcome));
        counter!(KUBERNETES, "verb" => verb, "resource" => resource, "outcome" => it)
            .increment(count);
    }
    histogram!(KUBERNETES_DURATION, "verb" => verb).record(took);
}

/// Counts a request to the HTTP API, and records the time until its response began.
pub(crate) fn record_api_request(method: &str, route: &str, status: u16, took: Duration) {
    let outcome = match status {
        ..400 => "done",
        400..500 => "refused",
        _ => "failed",
    };
    for it in OUTCOMES {
        let (route, method) = (route.to_owned(), method_label(method));
        let count = u64::from(it == outcome);
        counter!(API, "method" => method, "route" => route, "outcome" => it).increment(count);
    }
    histogram!(API_DURATION, "route" => route.to_owned()).record(took);
}

/// Maps unusual HTTP methods to `other`, because clients choose them and labels must be bounded.
fn method_label(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Counts requests to doors.
pub(crate) fn count_door_requests(done: u64, refused: u64, failed: u64) {
    for (outcome, count) in OUTCOMES.into_iter().zip([done, refused, failed]) {
        counter!(DOOR, "outcome" => outcome).increment(count);
    }
}

/// Counts a query when it is dropped, and records its duration. Unless its outcome is set, it counts as
/// refused: its owner or a limit ended it.
pub(crate) struct QuestionTimer {
    runs_in: &'static str,
    outcome: &'static str,
    begin: Instant,
}

impl QuestionTimer {
    /// Begins to measure a query that runs in a session or in a query runner.
    pub(crate) fn start(kind: RecordKind) -> Self {
        let runs_in = match kind {
            RecordKind::Session => "session",
            RecordKind::QueryRunner => "runner",
        };
        Self {
            runs_in,
            outcome: "refused",
            begin: Instant::now(),
        }
    }

    /// Sets the outcome: done, refused or failed.
    pub(crate) fn set_outcome(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for QuestionTimer {
    fn drop(&mut self) {
        let (runs_in, outcome) = (self.runs_in, self.outcome);
        counter!(QUESTIONS, "runs_in" => runs_in, "outcome" => outcome).increment(1);
        histogram!(QUESTION, "runs_in" => runs_in).record(self.begin.elapsed());
    }
}

/// Counts a save that the bot ordered, and records the time until its outcome.
pub(crate) fn record_save(outcome: &'static str, took: Duration) {
    counter!(SAVES, "outcome" => outcome).increment(1);
    histogram!(SAVE).record(took);
}

/// Counts a step of the reconciler that failed.
pub(crate) fn count_step_failure(step: &Step) {
    if let Some(step) = step_label(step) {
        counter!(STEP_FAILURES, "step" => step).increment(1);
    }
}

fn step_label(step: &Step) -> Option<&'static str> {
    Some(match step {
        Step::Wait(_) => return None,
        Step::Create(_) => "create",
        Step::Announce => "announce",
        Step::RenewCredentials => "renew_credentials",
        Step::WarnCredentialsExpiry(_) => "warn_credentials_expiry",
        Step::AnnounceRestart(..) => "announce_restart",
        Step::Reschedule(_) => "reschedule",
        Step::Resume(_) => "resume",
        Step::End(_) => "end",
        Step::SaveWork => "save_work",
        Step::Delete(_) => "delete",
        Step::AnnounceEnd(_) => "announce_end",
        Step::Remove => "remove",
        Step::Renew(_) => "renew",
    })
}

/// Counts a watch that broke.
pub(crate) fn count_watch_restart(resource: &str) {
    counter!(WATCHES, "resource" => resource.to_owned()).increment(1);
}

/// Records the time until a session or query runner was ready for the first time.
pub(crate) fn record_start(kind: RecordKind, took: Duration) {
    let name = match kind {
        RecordKind::Session => STARTED,
        RecordKind::QueryRunner => RUNNER_STARTED,
    };
    histogram!(name).record(took);
}

/// Counts a session or query runner that ended.
pub(crate) fn count_end(kind: RecordKind, outcome: Outcome) {
    let name = match kind {
        RecordKind::Session => ENDED,
        RecordKind::QueryRunner => RUNNERS_ENDED,
    };
    let (how, why) = end_labels(outcome);
    counter!(name, "how" => how, "why" => why).increment(1);
}

fn end_labels(outcome: Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Stopped => ("stopped", "owner".to_owned()),
        Outcome::StoppedByAdmin => ("stopped", "admin".to_owned()),
        Outcome::Restarted => ("stopped", "new_credentials".to_owned()),
        Outcome::Reaped(rule) => ("reaped", label(&rule)),
        Outcome::Refused => ("failed", "refused".to_owned()),
        Outcome::TookTooLong => ("failed", "took_too_long".to_owned()),
        Outcome::Failed(failure) => ("failed", label(&failure)),
        Outcome::Lost => ("failed", "lost".to_owned()),
    }
}

/// Counts an action of the reaper; `why` is its rule.
pub(crate) fn count_reaper_action(action: &'static str, why: &impl Serialize) {
    counter!(REAPER, "action" => action, "rule" => label(why)).increment(1);
}

/// Counts a run of a schedule.
pub(crate) fn count_scheduled_run(outcome: &'static str) {
    counter!(SCHEDULED, "outcome" => outcome).increment(1);
}

/// Sets whether reaping is paused.
pub(crate) fn set_held_back(is_held_back: bool) {
    gauge!(HELD_BACK).set(f64::from(u8::from(is_held_back)));
}

/// Sets whether the bot is connected to Discord's gateway.
pub(crate) fn set_discord_connected(is_connected: bool) {
    gauge!(CONNECTED).set(f64::from(u8::from(is_connected)));
}

/// Sets whether this bot is the one that acts.
pub(crate) fn set_leading(is_leading: bool) {
    gauge!(LEADING).set(f64::from(u8::from(is_leading)));
}

/// Sets the number of doors that don't answer.
pub(crate) fn set_unreachable_doors(count: usize) {
    gauge!(UNREACHABLE).set(count as f64);
}

/// Sets the number of records that can't be read.
pub(crate) fn set_unreadable_records(count: usize) {
    gauge!(UNREADABLE).set(count as f64);
}

/// Sets the time since which the view may be out of date.
pub(crate) fn set_view_age(age: Duration) {
    gauge!(VIEW_AGE).set(age.as_secs_f64());
}

/// Sets the number of sessions by phase, for the given sizes.
pub(crate) fn set_sessions<'a>(sessions: &[Observed], sizes: impl Iterator<Item = &'a str>) {
    for size in sizes {
        for phase in Phase::ALL {
            let same = |seen: &&Observed| seen.record.size == size && seen.phase() == phase;
            let count = sessions.iter().filter(same).count();
            let phase = label(&phase);
            gauge!(SESSIONS, "phase" => phase, "size" => size.to_owned()).set(count as f64);
        }
    }
}

/// Sets the number of query runners by phase.
pub(crate) fn set_runners(runners: &[Observed]) {
    for phase in Phase::ALL {
        let count = runners.iter().filter(|seen| seen.phase() == phase).count();
        gauge!(RUNNERS, "phase" => label(&phase)).set(count as f64);
    }
}

/// Returns a value's name as in JSON, which is also its name in records.
fn label(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value);
    let word = value
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned));
    word.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::definitions::ALL, *};

    /// Returns the documented values of a label.
    fn documented(metric: &str, label: &str) -> &'static str {
        let metric = ALL.iter().find(|it| it.name == metric).expect("a metric");
        let label = metric.labels.iter().find(|(name, _)| *name == label);
        label.expect("a label").1
    }

    #[test]
    fn the_reference_lists_all_values_of_fixed_labels() {
        let (hows, whys) = all_ends().unzip::<_, _, Vec<_>, Vec<_>>();
        let hows: Vec<_> = hows.into_iter().map(str::to_owned).collect();
        let words = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        for (metric, label_name, values) in [
            (ENDED, "how", hows),
            (ENDED, "why", whys),
            (STEP_FAILURES, "step", words(&STEPS)),
            (DOOR, "outcome", words(&OUTCOMES)),
            (SAVES, "outcome", words(&OUTCOMES)),
            (SCHEDULED, "outcome", words(&RUN_OUTCOMES)),
            (QUESTIONS, "runs_in", words(&RUNS_IN)),
            (SESSIONS, "phase", Phase::ALL.iter().map(label).collect()),
            (REAPER, "rule", RULES.iter().map(label).collect()),
        ] {
            let text = documented(metric, label_name);
            for value in values {
                assert!(text.contains(&format!("`{value}`")), "{metric} {value}");
            }
        }
    }

    #[test]
    fn each_step_has_a_label_that_is_created_at_the_start() {
        let documented = documented(STEP_FAILURES, "step");
        assert_eq!(documented.split(", ").count(), STEPS.len());
        for step in [
            Step::Announce,
            Step::SaveWork,
            Step::Remove,
            Step::Renew(None),
        ] {
            assert!(STEPS.contains(&step_label(&step).expect("a label")));
        }
        assert_eq!(step_label(&Step::Wait(None)), None);
    }
}
