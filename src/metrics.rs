//! Metrics for Prometheus. Every name, unit and label is defined here.
//!
//! Label values are bounded: fixed words, names of sizes, and Kubernetes resources. No label
//! identifies a person.

use std::{sync::OnceLock, time::Duration};

use ::metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;

use crate::session::{Failure, Observed, Outcome, Phase, RecordKind, Rule};

/// Histogram buckets in seconds. Discord's deadline of 3 s is a bucket.
const REQUEST_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 10.0];
/// Histogram buckets in seconds. The promised start time of one minute is a bucket.
const START_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

const API: &str = "duckbot_api_requests_total";
const API_DURATION: &str = "duckbot_api_request_duration_seconds";
const ACKNOWLEDGED: &str = "duckbot_acknowledge_duration_seconds";
const BUILD: &str = "duckbot_build_info";
const COMMANDS: &str = "duckbot_commands_total";
const COMMAND: &str = "duckbot_command_duration_seconds";
const CONNECTED: &str = "duckbot_discord_connected";
const DISCORD: &str = "duckbot_discord_requests_total";
const ENDED: &str = "duckbot_sessions_ended_total";
const HELD_BACK: &str = "duckbot_reaper_held_back";
const KUBERNETES: &str = "duckbot_kubernetes_requests_total";
const KUBERNETES_DURATION: &str = "duckbot_kubernetes_request_duration_seconds";
const LEADING: &str = "duckbot_leading";
const RUNNERS: &str = "duckbot_query_runners";
const RUNNERS_ENDED: &str = "duckbot_query_runners_ended_total";
const RUNNER_STARTED: &str = "duckbot_query_runner_start_duration_seconds";
const REAPER: &str = "duckbot_reaper_actions_total";
const SESSIONS: &str = "duckbot_sessions";
const STARTED: &str = "duckbot_start_duration_seconds";
const TASKS: &str = "duckbot_tasks";
const UNREADABLE: &str = "duckbot_unreadable_records";
const UNREACHABLE: &str = "duckbot_unreachable_doors";
const WATCHES: &str = "duckbot_watch_restarts_total";

/// Handle to the process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder, or returns the one that is installed. All bots of a process share it,
    /// because the sandbox can restart its bot.
    ///
    /// # Errors
    /// If another recorder is installed.
    pub fn start() -> anyhow::Result<Self> {
        static STARTED_ONCE: OnceLock<Metrics> = OnceLock::new();
        if let Some(metrics) = STARTED_ONCE.get() {
            return Ok(metrics.clone());
        }
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(STARTED.into()), &START_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(RUNNER_STARTED.into()), &START_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(COMMAND.into()), &START_BUCKETS)?
            .set_buckets(&REQUEST_BUCKETS)?
            .install_recorder()?;
        describe();
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!(HELD_BACK).set(0.0);
        gauge!(CONNECTED).set(0.0);
        gauge!(LEADING).set(0.0);
        gauge!(UNREACHABLE).set(0.0);
        initialize_counters();
        Ok(STARTED_ONCE.get_or_init(|| Self(handle)).clone())
    }

    /// Renders all metrics in Prometheus's text format, version 0.0.4.
    pub fn text(&self) -> String {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            gauge!(TASKS).set(runtime.metrics().num_alive_tasks() as f64);
        }
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    let seconds = Unit::Seconds;
    describe_histogram!(
        ACKNOWLEDGED,
        seconds,
        "Time from an interaction until Discord confirms the acknowledgement; Discord's limit is 3 s."
    );
    describe_counter!(
        API,
        "Requests to the HTTP API, by outcome: done, refused (4xx), failed (5xx)."
    );
    describe_histogram!(
        API_DURATION,
        seconds,
        "Time until the response to an API request begins; DELETE waits until the session is gone."
    );
    describe_gauge!(BUILD, "Always 1; the label is the bot's version.");
    describe_counter!(
        COMMANDS,
        "Commands and buttons, by outcome: done, refused, failed."
    );
    describe_histogram!(
        COMMAND,
        seconds,
        "Time until the reply to a command is final; for start, until the session is ready."
    );
    describe_gauge!(
        CONNECTED,
        "1 while this bot is connected to Discord's gateway; of several bots, only the leader is."
    );
    describe_counter!(
        DISCORD,
        "Requests to Discord, by outcome: done, refused (permanently), failed."
    );
    describe_counter!(ENDED, "Sessions that ended, by how and why.");
    describe_gauge!(
        HELD_BACK,
        "1 while reaping is paused, because too many sessions are due at once."
    );
    describe_counter!(
        KUBERNETES,
        "Requests to the Kubernetes API server except watches, by outcome: done, refused, failed."
    );
    describe_histogram!(
        KUBERNETES_DURATION,
        seconds,
        "Duration of requests to the Kubernetes API server except watches."
    );
    describe_gauge!(
        LEADING,
        "1 while this bot is the one that answers commands and runs the reaper."
    );
    describe_counter!(REAPER, "Actions of the reaper, by rule.");
    describe_gauge!(RUNNERS, "Present query runners, by phase.");
    describe_counter!(RUNNERS_ENDED, "Query runners that ended, by how and why.");
    describe_histogram!(
        RUNNER_STARTED,
        seconds,
        "Time from the first query until its query runner is ready."
    );
    describe_gauge!(SESSIONS, "Present sessions, by phase and size.");
    describe_histogram!(
        STARTED,
        seconds,
        "Time from the request for a session until it is ready for the first time."
    );
    describe_gauge!(
        TASKS,
        "Asynchronous tasks that are alive; a number that only grows is a bug."
    );
    describe_gauge!(
        UNREADABLE,
        "Records that can't be read; their sessions are left alone."
    );
    describe_gauge!(
        UNREACHABLE,
        "Sessions whose door has not answered for reaper.unreachable."
    );
    describe_counter!(
        WATCHES,
        "Watches of the Kubernetes API server that broke and were restarted."
    );
}

/// Creates the counters with value 0. A counter that appears with its first count has no rate at
/// that moment, so it would raise no alert.
fn initialize_counters() {
    let rules = [Rule::MaxAge, Rule::OwnerLeft, Rule::Lifetime, Rule::Idle];
    let failures = Failure::ALL.map(Outcome::Failed);
    let others = [
        Outcome::Stopped,
        Outcome::StoppedByAdmin,
        Outcome::Restarted,
        Outcome::Refused,
        Outcome::TookTooLong,
        Outcome::Lost,
    ];
    let all = others.into_iter().chain(failures);
    for outcome in all.chain(rules.map(Outcome::Reaped)) {
        let (how, why) = end_labels(outcome);
        for name in [ENDED, RUNNERS_ENDED] {
            counter!(name, "how" => how, "why" => why.clone()).increment(0);
        }
    }
    for rule in rules {
        for action in ["warned", "stopped"] {
            counter!(REAPER, "action" => action, "rule" => label(&rule)).increment(0);
        }
    }
}

/// Values of the label `outcome`.
const OUTCOMES: [&str; 3] = ["done", "refused", "failed"];

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
