//! For each alert, what makes it fire, and what is similar and does not.

/// A series, as the bot exports it, with its values each minute in promtool's notation. The test adds the namespace.
pub type Series = (&'static str, &'static str);

/// An alert with a case that fires and one that does not.
pub struct Case {
    pub alert: &'static str,
    /// Time of the evaluation.
    pub at: &'static str,
    /// Labels of the alert besides namespace and severity.
    pub labels: &'static [(&'static str, &'static str)],
    pub fires: &'static [Series],
    pub quiet: &'static [Series],
}

pub const CASES: &[Case] = &[
    Case {
        alert: "DuckbotDown",
        at: "15m",
        labels: &[],
        fires: &[("duckbot_build_info{version=\"1\"}", "1x5 stale")],
        // Both Pods are replaced.
        quiet: &[("duckbot_build_info{version=\"1\"}", "1x12 stale _x2 1x20")],
    },
    Case {
        alert: "DuckbotNotLeading",
        at: "10m",
        labels: &[],
        fires: &[
            ("duckbot_leading{pod=\"a\"}", "1x5 0x20"),
            ("duckbot_leading{pod=\"b\"}", "0x30"),
        ],
        // Another bot takes over.
        quiet: &[
            ("duckbot_leading{pod=\"a\"}", "1x9 0x20"),
            ("duckbot_leading{pod=\"b\"}", "0x10 1x20"),
        ],
    },
    Case {
        alert: "DuckbotDisconnected",
        at: "10m",
        labels: &[],
        fires: &[
            ("duckbot_discord_connected{pod=\"a\"}", "0x20"),
            ("duckbot_discord_connected{pod=\"b\"}", "0x20"),
        ],
        // The leader connects again.
        quiet: &[
            ("duckbot_discord_connected{pod=\"a\"}", "1x7 0x3 1x20"),
            ("duckbot_discord_connected{pod=\"b\"}", "0x30"),
        ],
    },
    Case {
        alert: "DuckbotViewStale",
        at: "15m",
        labels: &[],
        fires: &[
            ("duckbot_view_age_seconds{instance=\"a\"}", "0x2 0+60x20"),
            ("duckbot_leading{instance=\"a\"}", "1x30"),
        ],
        // The bot that stands by is the one whose watch is broken.
        quiet: &[
            ("duckbot_view_age_seconds{instance=\"a\"}", "0x2 0+60x20"),
            ("duckbot_leading{instance=\"a\"}", "0x30"),
            ("duckbot_view_age_seconds{instance=\"b\"}", "0x30"),
            ("duckbot_leading{instance=\"b\"}", "1x30"),
        ],
    },
    Case {
        alert: "DuckbotNobodyCanStart",
        at: "30m",
        labels: &[],
        fires: &[
            (
                "duckbot_sessions_ended_total{how=\"failed\", why=\"image_missing\"}",
                "0x10 2x30",
            ),
            (
                "duckbot_sessions_ended_total{how=\"failed\", why=\"crashed\"}",
                "0x10 1x30",
            ),
            ("duckbot_start_duration_seconds_count", "7x40"),
        ],
        quiet: &[
            (
                "duckbot_sessions_ended_total{how=\"failed\", why=\"image_missing\"}",
                "0x10 3x30",
            ),
            ("duckbot_start_duration_seconds_count", "7x20 8x20"),
        ],
    },
    Case {
        alert: "DuckbotNobodyCanStart",
        at: "30m",
        labels: &[],
        fires: &[(
            "duckbot_sessions_ended_total{how=\"failed\", why=\"took_too_long\"}",
            "0x10 3x30",
        )],
        // Nobody starts a session, and those that run need too much memory.
        quiet: &[(
            "duckbot_sessions_ended_total{how=\"failed\", why=\"out_of_memory\"}",
            "0x10 3x30",
        )],
    },
    Case {
        alert: "DuckbotSessionsFail",
        at: "30m",
        labels: &[("why", "image_refused")],
        fires: &[(
            "duckbot_sessions_ended_total{how=\"failed\", why=\"image_refused\"}",
            "0x20 1x30",
        )],
        // A person's query needs too much memory, and a person deletes a Pod.
        quiet: &[
            (
                "duckbot_sessions_ended_total{how=\"failed\", why=\"out_of_memory\"}",
                "0+1x40",
            ),
            (
                "duckbot_sessions_ended_total{how=\"failed\", why=\"vanished\"}",
                "0+1x40",
            ),
            (
                "duckbot_sessions_ended_total{how=\"stopped\", why=\"owner\"}",
                "0+1x40",
            ),
        ],
    },
    Case {
        alert: "DuckbotQueryRunnersFail",
        at: "30m",
        labels: &[("why", "no_room")],
        fires: &[(
            "duckbot_query_runners_ended_total{how=\"failed\", why=\"no_room\"}",
            "0x20 1x30",
        )],
        quiet: &[(
            "duckbot_query_runners_ended_total{how=\"failed\", why=\"credentials_missing\"}",
            "0+1x40",
        )],
    },
    Case {
        alert: "DuckbotStartsSlow",
        at: "1h",
        labels: &[],
        fires: &[
            ("duckbot_start_duration_seconds_bucket{le=\"60\"}", "0+0x80"),
            (
                "duckbot_start_duration_seconds_bucket{le=\"120\"}",
                "0+1x80",
            ),
            (
                "duckbot_start_duration_seconds_bucket{le=\"+Inf\"}",
                "0+1x80",
            ),
            ("duckbot_start_duration_seconds_count", "0+1x80"),
        ],
        // One slow start among few.
        quiet: &[
            ("duckbot_start_duration_seconds_bucket{le=\"60\"}", "0x80"),
            (
                "duckbot_start_duration_seconds_bucket{le=\"120\"}",
                "0x30 1x50",
            ),
            (
                "duckbot_start_duration_seconds_bucket{le=\"+Inf\"}",
                "0x30 1x50",
            ),
            ("duckbot_start_duration_seconds_count", "0x30 1x50"),
        ],
    },
    Case {
        alert: "DuckbotAcknowledgesSlowly",
        at: "20m",
        labels: &[],
        // Two Pods have answered within the time, so the rule must add their buckets.
        fires: &[
            (
                "duckbot_acknowledge_duration_seconds_bucket{pod=\"a\", le=\"2\"}",
                "0x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{pod=\"a\", le=\"3\"}",
                "0+1x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{pod=\"a\", le=\"+Inf\"}",
                "0+1x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_count{pod=\"a\"}",
                "0+1x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{pod=\"b\", le=\"2\"}",
                "0+1x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{pod=\"b\", le=\"3\"}",
                "0+1x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{pod=\"b\", le=\"+Inf\"}",
                "0+1x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_count{pod=\"b\"}",
                "0+1x30",
            ),
        ],
        // A single one, at night.
        quiet: &[
            (
                "duckbot_acknowledge_duration_seconds_bucket{le=\"2\"}",
                "0x30",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{le=\"3\"}",
                "0x10 1x20",
            ),
            (
                "duckbot_acknowledge_duration_seconds_bucket{le=\"+Inf\"}",
                "0x10 1x20",
            ),
            ("duckbot_acknowledge_duration_seconds_count", "0x10 1x20"),
        ],
    },
    Case {
        alert: "DuckbotCommandsFail",
        at: "20m",
        labels: &[("command", "list")],
        fires: &[(
            "duckbot_commands_total{command=\"list\", outcome=\"failed\"}",
            "0x10 3x20",
        )],
        quiet: &[
            (
                "duckbot_commands_total{command=\"list\", outcome=\"refused\"}",
                "0+3x30",
            ),
            (
                "duckbot_commands_total{command=\"list\", outcome=\"failed\"}",
                "0x10 1x20",
            ),
        ],
    },
    Case {
        alert: "DuckbotQuestionsFail",
        at: "20m",
        labels: &[("runs_in", "session")],
        fires: &[(
            "duckbot_questions_total{runs_in=\"session\", outcome=\"failed\"}",
            "0x10 3x20",
        )],
        // Errors in people's SQL.
        quiet: &[(
            "duckbot_questions_total{runs_in=\"session\", outcome=\"refused\"}",
            "0+9x30",
        )],
    },
    Case {
        alert: "DuckbotDoorsFail",
        at: "40m",
        labels: &[],
        fires: &[
            ("duckbot_door_requests_total{outcome=\"failed\"}", "0+5x60"),
            ("duckbot_door_requests_total{outcome=\"done\"}", "0+45x60"),
        ],
        // DuckDB of one person is out of memory again and again.
        quiet: &[
            ("duckbot_door_requests_total{outcome=\"failed\"}", "0+2x60"),
            ("duckbot_door_requests_total{outcome=\"done\"}", "0+98x60"),
        ],
    },
    Case {
        alert: "DuckbotDoorsUnreachable",
        at: "10m",
        labels: &[],
        fires: &[("duckbot_unreachable_doors{pod=\"a\"}", "1x20")],
        quiet: &[("duckbot_unreachable_doors{pod=\"a\"}", "0x20")],
    },
    Case {
        alert: "DuckbotSavesFail",
        at: "30m",
        labels: &[],
        fires: &[("duckbot_saves_total{outcome=\"failed\"}", "0x10 1x30")],
        // The owner's keys were refused.
        quiet: &[("duckbot_saves_total{outcome=\"refused\"}", "0+1x40")],
    },
    Case {
        alert: "DuckbotStepsFail",
        at: "40m",
        labels: &[("step", "announce")],
        fires: &[("duckbot_step_failures_total{step=\"announce\"}", "0+2x60")],
        // An outage that ended.
        quiet: &[(
            "duckbot_step_failures_total{step=\"announce\"}",
            "0x30 9x30",
        )],
    },
    Case {
        alert: "DuckbotKubernetesRefuses",
        at: "20m",
        labels: &[("verb", "create"), ("resource", "pods")],
        fires: &[(
            "duckbot_kubernetes_requests_total{verb=\"create\", resource=\"pods\", outcome=\"refused\"}",
            "0x10 1x20",
        )],
        quiet: &[(
            "duckbot_kubernetes_requests_total{verb=\"create\", resource=\"pods\", outcome=\"done\"}",
            "0+1x30",
        )],
    },
    Case {
        alert: "DuckbotKubernetesFails",
        at: "30m",
        labels: &[],
        fires: &[
            (
                "duckbot_kubernetes_requests_total{verb=\"get\", outcome=\"failed\"}",
                "0+2x40",
            ),
            (
                "duckbot_kubernetes_requests_total{verb=\"get\", outcome=\"done\"}",
                "0+8x40",
            ),
        ],
        quiet: &[
            (
                "duckbot_kubernetes_requests_total{verb=\"get\", outcome=\"failed\"}",
                "0+1x40",
            ),
            (
                "duckbot_kubernetes_requests_total{verb=\"get\", outcome=\"done\"}",
                "0+99x40",
            ),
        ],
    },
    Case {
        alert: "DuckbotKubernetesSlow",
        at: "30m",
        labels: &[],
        fires: &[
            (
                "duckbot_kubernetes_request_duration_seconds_bucket{verb=\"get\", le=\"1\"}",
                "0+8x40",
            ),
            (
                "duckbot_kubernetes_request_duration_seconds_bucket{verb=\"get\", le=\"2\"}",
                "0+10x40",
            ),
            (
                "duckbot_kubernetes_request_duration_seconds_bucket{verb=\"get\", le=\"+Inf\"}",
                "0+10x40",
            ),
        ],
        quiet: &[
            (
                "duckbot_kubernetes_request_duration_seconds_bucket{verb=\"get\", le=\"1\"}",
                "0+99x40",
            ),
            (
                "duckbot_kubernetes_request_duration_seconds_bucket{verb=\"get\", le=\"2\"}",
                "0+100x40",
            ),
            (
                "duckbot_kubernetes_request_duration_seconds_bucket{verb=\"get\", le=\"+Inf\"}",
                "0+100x40",
            ),
        ],
    },
    Case {
        alert: "DuckbotKubernetesQueue",
        at: "30m",
        labels: &[],
        fires: &[
            (
                "duckbot_kubernetes_queue_duration_seconds_bucket{le=\"1\"}",
                "0+8x40",
            ),
            (
                "duckbot_kubernetes_queue_duration_seconds_bucket{le=\"2\"}",
                "0+10x40",
            ),
            (
                "duckbot_kubernetes_queue_duration_seconds_bucket{le=\"+Inf\"}",
                "0+10x40",
            ),
        ],
        quiet: &[
            (
                "duckbot_kubernetes_queue_duration_seconds_bucket{le=\"1\"}",
                "0+10x40",
            ),
            (
                "duckbot_kubernetes_queue_duration_seconds_bucket{le=\"2\"}",
                "0+10x40",
            ),
            (
                "duckbot_kubernetes_queue_duration_seconds_bucket{le=\"+Inf\"}",
                "0+10x40",
            ),
        ],
    },
    Case {
        alert: "DuckbotWatchesBreak",
        at: "40m",
        labels: &[("resource", "pods")],
        fires: &[("duckbot_watch_restarts_total{resource=\"pods\"}", "0+1x60")],
        // The API server was restarted.
        quiet: &[(
            "duckbot_watch_restarts_total{resource=\"pods\"}",
            "0x20 2x40",
        )],
    },
    Case {
        alert: "DuckbotApiFails",
        at: "20m",
        labels: &[("route", "/sessions")],
        fires: &[(
            "duckbot_api_requests_total{method=\"POST\", route=\"/sessions\", outcome=\"failed\"}",
            "0x10 1x20",
        )],
        quiet: &[(
            "duckbot_api_requests_total{method=\"POST\", route=\"/sessions\", outcome=\"refused\"}",
            "0+1x30",
        )],
    },
    Case {
        alert: "DuckbotDiscordRefuses",
        at: "30m",
        labels: &[("request", "message")],
        fires: &[(
            "duckbot_discord_requests_total{request=\"message\", outcome=\"refused\"}",
            "0x10 1x30",
        )],
        // Discord has an outage.
        quiet: &[(
            "duckbot_discord_requests_total{request=\"message\", outcome=\"failed\"}",
            "0+1x40",
        )],
    },
    Case {
        alert: "DuckbotReapingPaused",
        at: "15m",
        labels: &[],
        fires: &[("duckbot_reaper_held_back{pod=\"a\"}", "1x30")],
        // An admin ran `/duck reap` soon.
        quiet: &[("duckbot_reaper_held_back{pod=\"a\"}", "1x8 0x20")],
    },
    Case {
        alert: "DuckbotRecordsUnreadable",
        at: "10m",
        labels: &[],
        fires: &[("duckbot_unreadable_records{pod=\"a\"}", "2x20")],
        quiet: &[("duckbot_unreadable_records{pod=\"a\"}", "0x20")],
    },
    Case {
        alert: "DuckbotRestarts",
        at: "30m",
        labels: &[],
        fires: &[(
            "process_start_time_seconds{pod=\"a\"}",
            "100x5 200x5 300x5 400x20",
        )],
        // An upgrade: two other Pods.
        quiet: &[
            ("process_start_time_seconds{pod=\"a\"}", "100x10 stale"),
            ("process_start_time_seconds{pod=\"b\"}", "100x12 stale"),
            ("process_start_time_seconds{pod=\"c\"}", "_x10 700x20"),
            ("process_start_time_seconds{pod=\"d\"}", "_x12 820x20"),
        ],
    },
    Case {
        alert: "DuckbotFilesRunOut",
        at: "20m",
        labels: &[],
        fires: &[
            ("process_open_fds{pod=\"a\"}", "900x30"),
            ("process_max_fds{pod=\"a\"}", "1024x30"),
        ],
        quiet: &[
            ("process_open_fds{pod=\"a\"}", "90x30"),
            ("process_max_fds{pod=\"a\"}", "1024x30"),
        ],
    },
    Case {
        alert: "DuckbotTasksLeak",
        at: "36h",
        labels: &[],
        fires: &[("duckbot_tasks{pod=\"a\"}", "200+1x2200")],
        // A busy day.
        quiet: &[("duckbot_tasks{pod=\"a\"}", "200x1000 900x1000 200x200")],
    },
];
