//! Every metric's name, type, labels and meaning. Pure.

/// A metric, as `/metrics` and its reference describe it.
pub(super) struct Definition {
    pub name: &'static str,
    pub kind: Kind,
    /// Labels, each with its values.
    pub labels: &'static [(&'static str, &'static str)],
    pub help: &'static str,
}

/// Type of a metric, in Prometheus's terms.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// Gauge in seconds.
    Seconds,
    /// Histogram in seconds, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// Buckets for calls to the Kubernetes API server. Each has a time limit of 10 s.
const CALL_BUCKETS: Kind = Kind::Histogram(&[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0,
]);
/// Buckets around Discord's deadline of 3 s.
const ACKNOWLEDGE_BUCKETS: Kind = Kind::Histogram(&[
    0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 10.0,
]);
/// Buckets for requests to the HTTP API. A DELETE waits up to 40 s.
const API_BUCKETS: Kind = Kind::Histogram(&[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0,
]);
/// Buckets for what a person waits for: from a list at once to a start of minutes.
const WAIT_BUCKETS: Kind = Kind::Histogram(&[
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
]);
/// Buckets for starts. The promised start time of one minute is a bucket.
const START_BUCKETS: Kind =
    Kind::Histogram(&[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0]);

/// Defines each metric once: a constant with its name, and its place in [`ALL`].
macro_rules! metrics {
    ($($id:ident = $name:literal, $kind:expr, [$($label:literal: $values:literal),*], $help:literal;)*) => {
        $(pub(super) const $id: &str = $name;)*

        /// The metrics of duckbot, by name.
        pub(super) const ALL: &[Definition] = &[$(Definition {
            name: $name,
            kind: $kind,
            labels: &[$(($label, $values)),*],
            help: $help,
        }),*];
    };
}

metrics! {
    ACKNOWLEDGED = "duckbot_acknowledge_duration_seconds", ACKNOWLEDGE_BUCKETS, [],
        "Time from an interaction until Discord confirms the acknowledgement; Discord's limit is 3 s.";
    API_DURATION = "duckbot_api_request_duration_seconds", API_BUCKETS,
        ["route": "path of the API, such as `/sessions/{id}`"],
        "Time until the response to an API request begins; DELETE waits until the session is gone.";
    API = "duckbot_api_requests_total", Kind::Counter,
        ["method": "`GET`, `POST`, `DELETE`, `other`", "route": "path of the API, such as `/sessions/{id}`",
         "outcome": "`done`, `refused`, `failed`"],
        "Requests to the HTTP API, by outcome: done, refused (4xx), failed (5xx).";
    BUILD = "duckbot_build_info", Kind::Gauge, ["version": "the bot's version"],
        "Always 1; the label is the bot's version.";
    COMMAND = "duckbot_command_duration_seconds", WAIT_BUCKETS,
        ["command": "name of the subcommand, `button`, `form`"],
        "Time until the reply to a command is final; for start, until the session is ready.";
    COMMANDS = "duckbot_commands_total", Kind::Counter,
        ["command": "name of the subcommand, `button`, `form`", "outcome": "`done`, `refused`, `failed`"],
        "Commands and buttons, by outcome: done, refused, failed.";
    CONNECTED = "duckbot_discord_connected", Kind::Gauge, [],
        "1 while this bot is connected to Discord's gateway; of several bots, only the leader is.";
    DISCORD = "duckbot_discord_requests_total", Kind::Counter,
        ["request": "kind of request, such as `message`", "outcome": "`done`, `refused`, `failed`"],
        "Requests to Discord, by outcome: done, refused (permanently), failed.";
    DOOR = "duckbot_door_requests_total", Kind::Counter, ["outcome": "`done`, `refused`, `failed`"],
        "Requests to the doors of all sessions, by outcome: done, refused (by the door's rules and limits), failed (DuckDB or the door could not answer).";
    KUBERNETES_QUEUE = "duckbot_kubernetes_queue_duration_seconds", CALL_BUCKETS, [],
        "Time that a call to the Kubernetes API server waits for its turn before it is sent.";
    KUBERNETES_DURATION = "duckbot_kubernetes_request_duration_seconds", CALL_BUCKETS,
        ["verb": "verb of RBAC, such as `create`"],
        "Duration of requests to the Kubernetes API server except watches.";
    KUBERNETES = "duckbot_kubernetes_requests_total", Kind::Counter,
        ["verb": "verb of RBAC, such as `create`", "resource": "resource of RBAC, such as `pods`",
         "outcome": "`done`, `refused`, `failed`"],
        "Requests to the Kubernetes API server except watches, by outcome: done, refused, failed.";
    LEADING = "duckbot_leading", Kind::Gauge, [],
        "1 while this bot is the one that answers commands and runs the reaper.";
    RUNNER_STARTED = "duckbot_query_runner_start_duration_seconds", START_BUCKETS, [],
        "Time from the first query until its query runner is ready.";
    RUNNERS = "duckbot_query_runners", Kind::Gauge, ["phase": "as of `duckbot_sessions`"],
        "Present query runners, by phase.";
    RUNNERS_ENDED = "duckbot_query_runners_ended_total", Kind::Counter,
        ["how": "as of `duckbot_sessions_ended_total`", "why": "as of `duckbot_sessions_ended_total`"],
        "Query runners that ended, by how and why.";
    QUESTION = "duckbot_question_duration_seconds", WAIT_BUCKETS, ["runs_in": "`session`, `runner`"],
        "Time from a query's way to DuckDB until its answer, also without success.";
    QUESTIONS = "duckbot_questions_total", Kind::Counter,
        ["runs_in": "`session`, `runner`", "outcome": "`done`, `refused`, `failed`"],
        "Queries from the chat and those of the bot for its lists of tables, by outcome: done, refused (an error in the query, its limits, its owner's credentials), failed.";
    REAPER = "duckbot_reaper_actions_total", Kind::Counter,
        ["action": "`warned`, `stopped`, `removed`, `forgot`",
         "rule": "`max_age`, `owner_left`, `lifetime`, `idle`, `orphan`"],
        "Actions of the reaper, by rule.";
    HELD_BACK = "duckbot_reaper_held_back", Kind::Gauge, [],
        "1 while reaping is paused, because too many sessions are due at once.";
    SAVE = "duckbot_save_duration_seconds", WAIT_BUCKETS, [],
        "Time from the bot's command to save a session's work until its outcome.";
    SAVES = "duckbot_saves_total", Kind::Counter, ["outcome": "`done`, `refused`, `failed`"],
        "Saves that the bot ordered, by outcome: done, refused (the owner's keys or a full disk), failed. Sessions also save by themselves.";
    SCHEDULED = "duckbot_scheduled_runs_total", Kind::Counter,
        ["outcome": "`posted`, `quiet`, `failed`, `paused`, `dropped`, `unknown`"],
        "Runs of schedules, by outcome: posted, quiet (the condition did not hold), failed, paused (its owner or their keys had changed), dropped (deleted or paused meanwhile), unknown (nobody knows whether the message arrived).";
    SESSIONS = "duckbot_sessions", Kind::Gauge,
        ["phase": "`queued`, `starting`, `running`, `unready`, `saving`, `stopping`", "size": "name of a size"],
        "Present sessions, by phase and size.";
    ENDED = "duckbot_sessions_ended_total", Kind::Counter, ["how": "`stopped`, `reaped`, `failed`",
         "why": "stopped: `owner`, `admin`, `new_credentials`; reaped: `max_age`, `owner_left`, `lifetime`, `idle`; failed: `refused`, `took_too_long`, `lost`, `no_room`, `no_node`, `image_missing`, `image_refused`, `image_unavailable`, `credentials_missing`, `mount`, `container`, `crashed`, `out_of_memory`, `door`, `disk_full`, `evicted`, `node_gone`, `vanished`, `bot_ended`, `other`"],
        "Sessions that ended, by how and why.";
    STARTED = "duckbot_start_duration_seconds", START_BUCKETS, [],
        "Time from the request for a session until it is ready for the first time.";
    STEP_FAILURES = "duckbot_step_failures_total", Kind::Counter,
        ["step": "`create`, `announce`, `renew_credentials`, `warn_credentials_expiry`, `announce_restart`, `reschedule`, `resume`, `end`, `save_work`, `delete`, `announce_end`, `remove`, `renew`"],
        "Failed steps of the reconciler, by step; most are repeated.";
    TASKS = "duckbot_tasks", Kind::Gauge, [],
        "Asynchronous tasks that are alive; a number that only grows is a bug.";
    UNREACHABLE = "duckbot_unreachable_doors", Kind::Gauge, [],
        "Sessions whose door has not answered for reaper.unreachable.";
    UNREADABLE = "duckbot_unreadable_records", Kind::Gauge, [],
        "Records that can't be read; their sessions are left alone.";
    VIEW_AGE = "duckbot_view_age_seconds", Kind::Seconds, [],
        "Time since which the view of the cluster may be out of date, because a watch is broken; 0 while all watches work.";
    WATCHES = "duckbot_watch_restarts_total", Kind::Counter, ["resource": "plural name, such as `pods`"],
        "Watches of the Kubernetes API server that broke and were restarted.";
}
