//! docs/reliability.md is generated, from what was walked, soaked and fuzzed last:
//! `DUCKBOT_TEST_WRITE=1 cargo test --test tests reliability::`

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use serde_json::Value;

const HEAD: &str = "\
<!-- Generated: DUCKBOT_TEST_WRITE=1 cargo test --test tests reliability:: -->
# Reliability

What was done to duckbot, and what it survived. Each row can be run again by its command, on one
machine and without an account anywhere: only Discord is a stand-in (`src/sandbox/discord`).

## Each call of each use case, failing in each way

A machine runs a use case once and records the calls to Kubernetes and Discord. Then it runs the
use case again for each of these calls and each thing that can go wrong with it. Afterwards the bot
is killed and started again, and this is looked at: no object of a session without the others, no
second session, nothing lost that was there, keys whole or not there, no keys without their session,
and whoever asked was told what is so. In the end a session can be stopped and started as before.

What makes this hold: docs/architecture.md, \"One step at a time\". A case is not
reached where the use case went another way, such as with fewer edits of its progress.

";

/// Single faults: what happens, and the test that makes it happen.
const SINGLE: [(&str, &str, &str); 23] = [
    (
        "the socket to Discord breaks in the middle of a command",
        "tests",
        "trouble::a_socket_that_breaks_in_the_middle_of_a_command_loses_nothing",
    ),
    (
        "Discord refuses to resume",
        "tests",
        "trouble::after_a_resume_that_is_refused_the_bot_is_there_again",
    ),
    (
        "a reply's token is over after 15 minutes",
        "tests",
        "trouble::when_a_reply_can_be_edited_no_more_the_channel_is_told_all_the_same",
    ),
    (
        "somebody deletes the bot's message",
        "tests",
        "trouble::a_message_that_somebody_deleted_is_not_missed",
    ),
    (
        "somebody deletes the channel",
        "tests",
        "trouble::in_a_channel_that_is_gone_a_session_is_had_and_stopped_all_the_same",
    ),
    (
        "somebody loses the role between question and press",
        "tests",
        "trouble::whoever_loses_the_role_before_pressing_stops_nothing_and_reads_why",
    ),
    (
        "fifty people start at once",
        "scale",
        "people::fifty_people_at_once_each_get_their_own",
    ),
    (
        "one person starts fifty times at once",
        "tests",
        "start::fifty_starts_at_once_make_exactly_the_quota",
    ),
    (
        "one interaction is delivered twice",
        "tests",
        "faults::one_interaction_delivered_twice_makes_one_session",
    ),
    (
        "Discord is away for a while",
        "tests",
        "admin::without_discord_it_is_not_ready",
    ),
    (
        "two bots run at once",
        "tests",
        "faults::two_bots_at_once_do_everything_once",
    ),
    (
        "the API server hangs",
        "tests",
        "faults::a_command_is_acknowledged_although_the_api_server_hangs",
    ),
    (
        "a watch looks open and is silent",
        "tests",
        "watch::a_watch_that_looks_open_but_says_nothing_is_begun_anew",
    ),
    (
        "a permission is taken away",
        "tests",
        "faults::a_revoked_permission_is_named_and_nothing_is_left_behind",
    ),
    (
        "the API server is killed in the middle of a start",
        "scale",
        "outages::an_api_server_that_is_restarted_in_the_middle_of_a_start_holds_it_up_only",
    ),
    (
        "etcd stands still for 20 s",
        "scale",
        "outages::an_etcd_that_is_paused_for_twenty_seconds_loses_no_session_and_doubles_none",
    ),
    (
        "the clock jumps by a month, forth and back",
        "scale",
        "outages::a_clock_that_jumps_by_a_month_stops_no_sessions",
    ),
    (
        "the bot's disk is full or read-only",
        "tests",
        "local::a_disk_that_fails_is_told_and_nothing_is_half_made",
    ),
    (
        "a session fills the disk of its node",
        "tests",
        "node::recovery::a_session_that_fills_the_disk_of_its_node_is_evicted",
    ),
    (
        "a node dies",
        "tests",
        "node::recovery::a_session_whose_node_dies_starts_again_on_another_one",
    ),
    (
        "a node is drained",
        "tests",
        "node::recovery::a_session_that_is_drained_from_its_node_starts_again_under_its_record",
    ),
    (
        "DuckDB runs out of memory",
        "tests",
        "node::recovery::duckdb_that_runs_out_of_memory_is_started_again_and_its_owner_told_what_is_lost",
    ),
    (
        "of 500 sessions, many are to go at once",
        "scale",
        "of_many_sessions_the_right_ones_go_with_all_that_they_own",
    ),
];

#[test]
fn reliability_md_says_what_was_seen() {
    let mut text = HEAD.to_owned();
    scenarios(&mut text);
    singles(&mut text);
    soak(&mut text);
    fuzzing(&mut text);
    let path = here("docs/reliability.md");
    if std::env::var_os("DUCKBOT_TEST_WRITE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/reliability.md is not what was seen last; its first line says how to write it"
    );
}

fn scenarios(text: &mut String) {
    let mut results: Vec<_> = fs::read_dir(here("tests/fault_injection/results"))
        .unwrap()
        .collect();
    results.sort_by_key(|entry| entry.as_ref().unwrap().path());
    *text += "| use case | calls | cases | reached and survived | last |\n| --- | --- | --- | --- | --- |\n";
    let mut faults: BTreeMap<String, u64> = BTreeMap::new();
    let (mut cases, mut survived) = (0, 0);
    for entry in results {
        let path = entry.unwrap().path();
        let scenario = path.file_stem().unwrap().to_str().unwrap();
        let seen = json(&path);
        let mut reached = 0;
        for (fault, count) in seen["faults"].as_object().unwrap() {
            reached += count.as_u64().unwrap();
            *faults.entry(fault.clone()).or_default() += count.as_u64().unwrap();
        }
        let _ = writeln!(
            text,
            "| {scenario} | {} | {} | {reached} | {} |",
            seen["calls"],
            seen["cases"],
            date(&seen)
        );
        cases += seen["cases"].as_u64().unwrap();
        survived += reached;
    }
    let _ = writeln!(text, "| **all** | | **{cases}** | **{survived}** | |\n");
    *text += "All of them: `DUCKBOT_TEST_WALK=all cargo test --test tests fault_injection::` (half an hour). CI \
              walks all kills and, at each call, one of the others in turn.\n\n\
              | what goes wrong | times |\n| --- | --- |\n";
    for (fault, count) in faults {
        let _ = writeln!(text, "| {} | {count} |", words(&fault));
    }
}

/// What a harm is called in `tests/fault_injection/faults.rs`, in words.
fn words(fault: &str) -> String {
    match fault {
        "Killed(Before)" => "the bot is killed right before the call".into(),
        "Killed(After)" => "the bot is killed right after the server acted".into(),
        "Disconnect(Before)" => "the connection ends before the server acted".into(),
        "Disconnect(After)" => "the connection ends after the server acted".into(),
        "NoAnswer" => "no answer comes".into(),
        "InvalidJson" => "the server acts, and answers with something that is no JSON".into(),
        "Status(429)" => "429 with a time to wait".into(),
        other => other.replace("Status(", "").replace(')', ""),
    }
}

fn singles(text: &mut String) {
    *text += "\n## Single faults\n\nAll of them run in CI.\n\n| what happens | run again |\n| --- | --- |\n";
    for (what, program, test) in SINGLE {
        let (folder, name) = match test.rsplit_once("::") {
            Some((module, name)) => (module.replace("::", "/"), name),
            None => ("main".into(), test),
        };
        let folder = if program == "tests" {
            folder
        } else {
            format!("{program}/{folder}")
        };
        let source = fs::read_to_string(here(&format!("tests/{folder}.rs"))).unwrap();
        assert!(
            source.contains(&format!("async fn {name}()")),
            "there is no test {test}"
        );
        let _ = writeln!(text, "| {what} | `cargo test --test {program} {test}` |");
    }
}

fn soak(text: &mut String) {
    let seen = json(&here("tests/scale/soak.json"));
    let pair = |name: &str| format!("{} and {}", seen[name][0], seen[name][1]);
    let _ = writeln!(
        text,
        "\n## For a long time\n\n\
         {} sessions in {} minutes ({}), by sixteen people and by the API, on a real API server with \
         kwok's node, while connections to Discord broke. After warming up, and at the end (middle of \
         {} samples, one a second; a build without optimisations):\n\n\
         | | |\n| --- | --- |\n| resident memory in KiB | {} |\n| tasks | {} |\n| descriptors | {} |\n| \
         of which sockets | {} |\n\n\
         At the end nothing was left: no object, no keys, no task. Run it again: \
         `DUCKBOT_TEST_SOAK=30m cargo test --test scale soak::`; CI does so for half a minute.",
        seen["sessions"],
        seen["minutes"],
        date(&seen),
        seen["samples"],
        pair("resident_kib"),
        pair("tasks"),
        pair("descriptors"),
        pair("sockets"),
    );
}

/// Sums of `fuzz/log.tsv`, a line for each run: date, target, seconds, executions, edges, files
/// of its corpus, findings. What was found is called like its file in `fuzz/regressions`.
fn fuzzing(text: &mut String) {
    *text += "\n## Input that nobody sends\n\n\
              Fuzz targets for all that parses what people or the network send, each with what must \
              hold (`fuzz/targets`). CI replays their corpora and everything that once failed; \
              docs/development.md says how to go on. Times and inputs are sums of `fuzz/log.tsv`.\n\n\
              | target | minutes | inputs tried | found and put right | run again |\n\
              | --- | --- | --- | --- | --- |\n";
    let log = fs::read_to_string(here("fuzz/log.tsv")).unwrap();
    let mut targets: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for line in log.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let sums = targets.entry(columns[1]).or_default();
        sums.0 += columns[2].parse::<u64>().unwrap();
        sums.1 += columns[3].parse::<u64>().unwrap();
    }
    for (target, (seconds, executions)) in targets {
        let found = fs::read_dir(here(&format!("fuzz/regressions/{target}")));
        let found = found
            .into_iter()
            .flatten()
            .map(|it| it.unwrap().file_name());
        let mut found: Vec<_> = found
            .map(|it| it.to_string_lossy().replace('-', " "))
            .collect();
        found.sort();
        if found.is_empty() {
            found.push("nothing".into());
        }
        let (minutes, found) = (seconds / 60, found.join("; "));
        let _ = writeln!(
            text,
            "| {target} | {minutes} | {executions} | {found} | `fuzz/run {target}` |"
        );
    }
}

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn date(seen: &Value) -> &str {
    seen["date"].as_str().unwrap()
}
