//! Generates docs/reliability.md from the last results of fault injection, soak test and fuzzing:
//! `DUCKBOT_TEST_WRITE=1 cargo test --test tests reliability::`

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use serde_json::Value;

const HEAD: &str = "\
<!-- Generated: DUCKBOT_TEST_WRITE=1 cargo test --test tests reliability:: -->
# Reliability

This page lists the faults that duckbot is tested against, and the results. Each section has the
commands that repeat its tests, on one machine and without any account. Discord is simulated
(`crates/discord-loopback`). [development.md](development.md#real-and-simulated-parts) lists the other
simulated parts.

## Every call of every use case, with every fault

A test runs each use case once and records its calls to Kubernetes and Discord. It then repeats the
use case for each of these calls and each fault. After each run, it kills and restarts the bot, and
checks that:

- each session has all of its objects or none
- there is no second session
- nothing that existed before is lost
- stored credentials are complete or absent, and none are left without their session
- every reply to the person is true
- a session can be stopped and started as before

[architecture.md](architecture.md#one-step-at-a-time) explains why this holds. A case is not reached
if the use case took another path, for example with fewer edits of its progress.

";

/// Single faults: description, test binary, and the test that injects the fault.
const SINGLE: [(&str, &str, &str); 45] = [
    (
        "the storage fails after each number of requests of a save",
        "tests",
        "session::work::a_save_that_is_cut_off_at_any_request_leaves_the_last_one",
    ),
    (
        "a save is incomplete, forged, of another person, or damaged",
        "tests",
        "session::work::a_save_that_is_incomplete_forged_or_damaged_is_not_restored",
    ),
    (
        "the storage refuses a save, or does not know the keys",
        "tests",
        "session::work::a_failed_save_says_why_and_the_next_one_succeeds",
    ),
    (
        "the storage does not answer when a session ends",
        "tests",
        "session::work::a_storage_that_does_not_answer_delays_the_end_only_for_a_while",
    ),
    (
        "the disk has no room for the copy of a database",
        "tests",
        "session::work::a_copy_without_room_is_not_made",
    ),
    (
        "DuckDB is killed",
        "tests",
        "session::work::a_duckdb_that_is_killed_loses_nothing_that_was_committed",
    ),
    (
        "the disk is full while a session saves, and while DuckDB makes a checkpoint",
        "tests",
        "session::full_disk::a_save_that_has_no_room_leaves_the_last_one_and_the_session_goes_on",
    ),
    (
        "a full disk makes DuckDB unusable",
        "tests",
        "session::full_disk::a_duckdb_that_a_full_disk_made_unusable_is_started_again",
    ),
    (
        "the disk is full when a session begins",
        "tests",
        "session::full_disk::a_session_that_begins_on_a_full_disk_waits_for_room_and_puts_nothing_aside",
    ),
    (
        "a session is killed, and told to end before it is prepared again",
        "tests",
        "session::work::a_session_that_is_told_to_end_while_it_is_prepared_saves_what_a_killed_one_left",
    ),
    (
        "two bots tell a session to save at the same time",
        "tests",
        "session::work::two_bots_that_tell_a_session_to_save_get_the_same_answer",
    ),
    (
        "on a node, DuckDB runs out of memory, and then its Pod is killed",
        "tests",
        "node::kept::work_outlives_a_duckdb_without_memory_and_a_pod_that_is_killed",
    ),
    (
        "databases in a session's folder can't be opened",
        "tests",
        "session::work::databases_that_cannot_be_opened_are_put_aside_and_named",
    ),
    (
        "the socket to Discord breaks during a command",
        "tests",
        "trouble::a_socket_that_breaks_in_the_middle_of_a_command_loses_nothing",
    ),
    (
        "Discord rejects a resume",
        "tests",
        "trouble::after_a_resume_that_is_refused_the_bot_is_there_again",
    ),
    (
        "an interaction token expires after 15 minutes",
        "tests",
        "trouble::when_a_reply_can_no_longer_be_edited_the_channel_message_still_comes",
    ),
    (
        "a person deletes the bot's message",
        "tests",
        "trouble::a_message_that_somebody_deleted_is_not_missed",
    ),
    (
        "a person deletes the channel",
        "tests",
        "trouble::in_a_channel_that_is_gone_a_session_is_had_and_stopped_all_the_same",
    ),
    (
        "a person loses the role between the prompt and the button press",
        "tests",
        "trouble::somebody_who_loses_the_role_before_pressing_stops_nothing_and_reads_why",
    ),
    (
        "fifty people start sessions at the same time",
        "scale",
        "people::fifty_people_at_once_each_get_their_own",
    ),
    (
        "one person starts fifty sessions at the same time",
        "tests",
        "start::fifty_starts_at_once_make_exactly_the_quota",
    ),
    (
        "24 sessions are started at two bots at the same time, and 3 fit",
        "tests",
        "maintenance::of_starts_at_two_bots_at_once_exactly_as_many_as_fit_get_a_session",
    ),
    (
        "two admins pause starts at the same time, and a pause ends while no bot runs",
        "tests",
        "maintenance::a_pause_replaces_the_one_before_and_ends_by_itself",
    ),
    (
        "one interaction is delivered twice",
        "tests",
        "faults::one_interaction_delivered_twice_makes_one_session",
    ),
    (
        "the API server fails while the bot starts",
        "tests",
        "process::an_api_server_that_fails_during_the_start_only_delays_it",
    ),
    (
        "the API server does not stream lists, or ends one too early",
        "tests",
        "watch::an_api_server_that_does_not_stream_lists_is_asked_for_pages",
    ),
    (
        "the creates of many sessions hang",
        "tests",
        "faults::creates_that_hang_do_not_hold_up_the_next_start",
    ),
    (
        "Discord is unavailable for a while",
        "tests",
        "admin::without_discord_it_is_ready_and_says_so",
    ),
    (
        "two bots run at the same time",
        "tests",
        "faults::two_bots_at_once_do_everything_once",
    ),
    (
        "the leader of two bots is killed, or told to end",
        "tests",
        "failover::a_leader_that_ends_is_followed",
    ),
    (
        "the leader of two bots does not reach the API server, or is stopped for a while",
        "tests",
        "failover::a_leader_that_may_not_act_does_not",
    ),
    (
        "two bots have no Discord, or no Lease",
        "tests",
        "failover::without_discord_or_the_lease_the_bots_wait_and_both_serve_the_api",
    ),
    (
        "the leader of two bots is killed after each call of a start that changes something",
        "tests",
        "fault_injection::a_start_goes_on_with_the_next_leader",
    ),
    (
        "the API server hangs",
        "tests",
        "faults::a_command_is_acknowledged_although_the_api_server_hangs",
    ),
    (
        "a watch stays open but is silent",
        "tests",
        "watch::a_watch_that_looks_open_but_is_silent_is_restarted",
    ),
    (
        "a permission is revoked",
        "tests",
        "faults::a_revoked_permission_is_named_and_nothing_is_left_behind",
    ),
    (
        "the API server is killed during a start",
        "scale",
        "outages::an_api_server_that_is_restarted_in_the_middle_of_a_start_holds_it_up_only",
    ),
    (
        "etcd is paused for 20 s",
        "scale",
        "outages::an_etcd_that_is_paused_for_twenty_seconds_loses_no_session_and_doubles_none",
    ),
    (
        "the clock jumps a month ahead and back",
        "scale",
        "outages::a_clock_that_jumps_by_a_month_stops_no_sessions",
    ),
    (
        "the bot's disk is full or read-only",
        "tests",
        "local::a_failing_disk_is_reported_and_nothing_is_half_made",
    ),
    (
        "a session fills the disk of its node",
        "tests",
        "node::recovery::a_session_that_fills_the_disk_of_its_node_is_evicted",
    ),
    (
        "a node fails",
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
        "node::recovery::duckdb_that_runs_out_of_memory_is_restarted_and_its_owner_reads_what_is_lost",
    ),
    (
        "many of 500 sessions are due to stop at the same time",
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
        "docs/reliability.md is outdated; its first line has the command to update it"
    );
}

fn scenarios(text: &mut String) {
    let mut results: Vec<_> = fs::read_dir(here("tests/fault_injection/results"))
        .unwrap()
        .collect();
    results.sort_by_key(|entry| entry.as_ref().unwrap().path());
    *text += "| use case | calls | cases | reached and passed | last run |\n| --- | --- | --- | --- | --- |\n";
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
    *text += "To run all of them: `DUCKBOT_TEST_WALK=all cargo test --test tests fault_injection::` (half an hour). CI gives \
              each call one fault, in turn: it kills the bot after every second call that changes something, and \
              the other calls meet the other faults.\n\n\
              | fault | cases |\n| --- | --- |\n";
    for (fault, count) in faults {
        let _ = writeln!(text, "| {} | {count} |", words(&fault));
    }
}

/// Describes a fault by its name in `tests/fault_injection/faults.rs`.
fn words(fault: &str) -> String {
    match fault {
        "Killed(Before)" => "the bot is killed before the call".into(),
        "Killed(After)" => "the bot is killed after the server processed the call".into(),
        "Disconnect(Before)" => "the connection closes before the server processes the call".into(),
        "Disconnect(After)" => "the connection closes after the server processed the call".into(),
        "NoAnswer" => "no response".into(),
        "InvalidJson" => "the server processes the call, and its response is not JSON".into(),
        "Status(429)" => "429 with a time to retry".into(),
        other => other.replace("Status(", "").replace(')', ""),
    }
}

fn singles(text: &mut String) {
    *text += "\n## Single faults\n\nAll of them run in CI.\n\n| fault | command |\n| --- | --- |\n";
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
        let read = |end| fs::read_to_string(here(&format!("tests/{folder}{end}")));
        let source = read(".rs").or_else(|_| read("/mod.rs")).unwrap();
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
        "\n## Soak test\n\n\
         {} sessions in {} minutes ({}), started by sixteen people and by the API. The API server \
         was real, the node was kwok's, and connections to Discord broke repeatedly. The bot was \
         built without optimisations. The values are medians, from {} samples, one per second.\n\n\
         | value | after the warm-up, and at the end |\n| --- | --- |\n| resident memory in KiB | {} |\n| tasks | {} |\n| descriptors | {} |\n| \
         of which sockets | {} |\n\n\
         At the end nothing was left: no object, no credentials, no task. To repeat it: \
         `DUCKBOT_TEST_SOAK=30m cargo test --test scale soak::`; CI runs it for half a minute.",
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

/// Renders sums of `fuzz/log.tsv`. It has a line per run: date, target, seconds, executions, edges,
/// files in the corpus, findings. Findings are named after their files in `fuzz/regressions`.
fn fuzzing(text: &mut String) {
    *text += "\n## Fuzzing\n\n\
              Everything that parses input from people, the network or the cluster has a fuzz target \
              (`fuzz/targets`), which states the properties that must hold. CI replays the corpora and \
              every input that once failed. [development.md](development.md#fuzzing) says how to \
              continue. Times and inputs are sums of `fuzz/log.tsv`.\n\n\
              | target | minutes | inputs | found and fixed | command |\n\
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
