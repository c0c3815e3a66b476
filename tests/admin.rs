//! Endpoints for operators: liveness, readiness and metrics.

use chrono::TimeDelta;
use discord_loopback::RestFault;
use test_support::{
    ApiFault, Bot, CREDENTIALS, TestEnv, UiClient, WAIT_TIMEOUT, assert_says, duckdb_pids, lake,
    link_of, wait_until,
};
use tokio::process::Command;

use crate::{
    deploy::kubectl,
    local::{ready_session, reply_to, start_with_work},
};

/// Starts an environment with the admin endpoints. Returns it with their URL.
async fn env() -> (TestEnv, String) {
    env_with(&[]).await
}

/// Same as [`env`], with these settings added.
async fn env_with(settings: &[(&str, &str)]) -> (TestEnv, String) {
    let mut env = env_without_bot(settings).await;
    let url = start_bot(&mut env).await;
    (env, url)
}

pub async fn env_without_bot(settings: &[(&str, &str)]) -> TestEnv {
    let own = [
        ("DUCKBOT_ADMIN__LISTEN", "127.0.0.1:0"),
        ("DUCKBOT_REAPER__EVERY", "1s"),
    ];
    let mut env = TestEnv::without_bot(&[&own, settings].concat()).await;
    let ops = env.discord.channel("ops").to_string();
    env.variables
        .insert("DUCKBOT_DISCORD__ADMIN_CHANNEL".into(), ops);
    env
}

/// Starts the bot, and returns the URL of its admin endpoints.
async fn start_bot(env: &mut TestEnv) -> String {
    env.start_bot().await;
    admin_url(env.bot()).await
}

/// URL of a running bot's admin endpoints.
pub async fn admin_url(bot: &mut Bot) -> String {
    const SAYS: &str = "health and metrics are at ";
    bot.wait_for_log(SAYS).await;
    let log = bot.log();
    let url = log.split(SAYS).last().unwrap().split_whitespace().next();
    url.unwrap().to_owned()
}

pub async fn get(url: &str, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{url}{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Value of a metric with these labels, or 0 if it is not exported.
async fn value(url: &str, metric: &str) -> f64 {
    let (_, text) = get(url, "/metrics").await;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn wait_for_value(url: &str, metric: &str, wanted: f64) {
    wait_until(async || value(url, metric).await, |it| *it == wanted).await;
}

async fn wait_for_not_ready(url: &str, words: &str) {
    let is_so = |(status, text): &(u16, String)| *status == 503 && text.contains(words);
    wait_until(async || get(url, "/readyz").await, is_so).await;
}

async fn wait_until_ready(url: &str) {
    let ready = "ready\ndiscord: connected\nleading: yes\n";
    let is_so = |answer: &(u16, String)| *answer == (200, ready.to_owned());
    wait_until(async || get(url, "/readyz").await, is_so).await;
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let (env, url) = env().await;
    assert_eq!(get(&url, "/healthz").await, (200, "ok\n".to_owned()));
    wait_until_ready(&url).await;
    env.api.set_faults(|call| {
        let answer = || test_support::ApiFault::Answer(503, "not now".into());
        let is_watch = ["LIST", "WATCH"].contains(&&*call.method);
        (is_watch && call.route == "pods").then(answer)
    });
    env.api.cut_watches();
    wait_for_not_ready(&url, "cluster: no updates since ").await;
    let view_age = "duckbot_view_age_seconds";
    wait_until(async || value(&url, view_age).await, |age| *age > 1.0).await;
    assert_eq!(
        get(&url, "/healthz").await.0,
        200,
        "a restart would not help, so the bot must count as alive"
    );
    env.api.clear_faults();
    wait_until_ready(&url).await;
    assert_eq!(value(&url, view_age).await, 0.0);
    let broke = "duckbot_watch_restarts_total{resource=\"pods\"}";
    assert!(value(&url, broke).await >= 1.0);
    assert_eq!(get(&url, "/sessions").await.0, 404);
    env.assert_clean().await;
}

#[tokio::test]
async fn what_people_do_and_what_becomes_of_it_is_counted() {
    let (env, url) = env().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    env.reply_to(&env.ana, "/duck stop session:nonsense").await;
    env.reply_to(&env.gil, "/duck list").await;
    for (metric, wanted) in [
        (
            "duckbot_commands_total{command=\"start\",outcome=\"done\"}",
            1.0,
        ),
        (
            "duckbot_commands_total{command=\"stop\",outcome=\"refused\"}",
            1.0,
        ),
        (
            "duckbot_commands_total{command=\"list\",outcome=\"refused\"}",
            1.0,
        ),
        ("duckbot_sessions{phase=\"running\",size=\"small\"}", 1.0),
        ("duckbot_start_duration_seconds_count", 1.0),
        ("duckbot_reaper_held_back", 0.0),
    ] {
        wait_for_value(&url, metric, wanted).await;
    }
    assert!(value(&url, "duckbot_acknowledge_duration_seconds_count").await >= 4.0);
    let created =
        "duckbot_kubernetes_requests_total{verb=\"create\",resource=\"pods\",outcome=\"done\"}";
    assert_eq!(value(&url, created).await, 1.0);
    let posted = "duckbot_discord_requests_total{request=\"message\",outcome=\"done\"}";
    assert_eq!(value(&url, posted).await, 1.0);

    env.kubelet.mark_failed(&id, "out of luck").await;
    assert_says(&env.ana.read("#data").await, "has failed.");
    env.wait_until_nothing_left(&env.ana).await;
    wait_for_value(
        &url,
        "duckbot_sessions_ended_total{how=\"failed\",why=\"other\"}",
        1.0,
    )
    .await;
    wait_for_value(
        &url,
        "duckbot_sessions{phase=\"running\",size=\"small\"}",
        0.0,
    )
    .await;
    env.assert_clean().await;
}

#[tokio::test]
async fn what_the_reaper_does_is_counted_by_its_rule() {
    let (env, url) = env().await;
    env.ready_session(&env.ana).await;
    let record = env.record_name(&env.ana, 0);
    let long_ago = (chrono::Utc::now() - chrono::TimeDelta::days(9)).to_rfc3339();
    env.cluster
        .edit_record(&record, |it| it["created"] = long_ago.into())
        .await;
    assert_says(
        &env.ana.read("#data").await,
        "was stopped at the maximum session age",
    );
    env.wait_until_nothing_left(&env.ana).await;
    let stopped = "duckbot_reaper_actions_total{action=\"stopped\",rule=\"max_age\"}";
    wait_for_value(&url, stopped, 1.0).await;
    wait_for_value(
        &url,
        "duckbot_sessions_ended_total{how=\"reaped\",why=\"max_age\"}",
        1.0,
    )
    .await;
    env.assert_clean().await;
}

#[tokio::test]
async fn query_runners_are_counted_apart_from_sessions() {
    let (env, url) = env_with(&[("DUCKBOT_SQL__LINGER", "2s")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let asked = env.ana.run_command("#data", "/duck tables").await.unwrap();
    let starting = "duckbot_query_runners{phase=\"starting\"}";
    let queued = "duckbot_query_runners{phase=\"queued\"}";
    let present = async || value(&url, starting).await + value(&url, queued).await;
    wait_until(present, |count| *count == 1.0).await;
    let records = env.cluster.documents().await;
    env.kubelet
        .mark_ready(records[0]["id"].as_str().unwrap())
        .await;
    asked.until(|it| it.content.contains("Reference: ")).await;
    wait_for_value(
        &url,
        "duckbot_query_runners_ended_total{how=\"reaped\",why=\"idle\"}",
        1.0,
    )
    .await;
    let starts = "duckbot_query_runner_start_duration_seconds_count";
    assert_eq!(value(&url, starts).await, 1.0);
    assert_eq!(
        value(&url, "duckbot_start_duration_seconds_count").await,
        0.0
    );
    let session = "duckbot_sessions_ended_total{how=\"reaped\",why=\"idle\"}";
    assert_eq!(value(&url, session).await, 0.0);
    // No DuckDB runs in the Pod.
    let asked = "duckbot_questions_total{runs_in=\"runner\",outcome=\"failed\"}";
    assert_eq!(value(&url, asked).await, 1.0);
    env.assert_clean().await;
}

#[tokio::test]
async fn queries_saves_and_requests_to_doors_are_counted() {
    let (key, secret) = ("AKIAWORKTHATISCOUNTED", "a-secret-for-work-that-is-counted");
    lake().s3.add_key(key, secret);
    let mut home = start_with_work(&[("DUCKBOT_ADMIN__LISTEN", "127.0.0.1:0")]).await;
    let url = admin_url(&mut home.bot).await;
    let ana = &home.ana;
    home.enter_key_pair(ana, key, secret).await;
    let id = ready_session(ana).await;

    for sql in ["SELECT 42", "SELECT mistake"] {
        let line = format!("/duck sql query:{sql}");
        let asked = ana.run_command("#data", &line).await.unwrap();
        let is_last = |it: &discord_loopback::MessageView| {
            it.content.contains("42") || it.content.contains("mistake")
        };
        asked
            .until(|it| is_last(it) && it.button("Cancel").is_none())
            .await;
    }
    for outcome in ["done", "refused"] {
        let asked = format!("duckbot_questions_total{{runs_in=\"session\",outcome=\"{outcome}\"}}");
        wait_for_value(&url, &asked, 1.0).await;
    }
    let times = "duckbot_question_duration_seconds_count{runs_in=\"session\"}";
    assert_eq!(value(&url, times).await, 2.0);

    let asked = ana.run_command("#data", "/duck save").await.unwrap();
    asked.until(|it| !it.content.starts_with("Saving")).await;
    wait_for_value(&url, "duckbot_saves_total{outcome=\"done\"}", 1.0).await;
    assert_eq!(
        value(&url, "duckbot_save_duration_seconds_count").await,
        1.0
    );

    let link = link_of(&reply_to(ana, "/duck open").await, "Open DuckDB");
    let host = link.split('/').nth(2).unwrap();
    let door = format!("http://127.0.0.1:{}", host.rsplit(':').next().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let stranger = client.get(&door).header("host", host).send().await;
    assert_eq!(stranger.unwrap().status(), 401);
    let ui = UiClient::enter(&link, &door).await;
    ui.run_sql("CREATE TABLE ducks AS SELECT 42 AS legs")
        .await
        .unwrap();
    lake().s3.forget(key);
    let asked = ana.run_command("#data", "/duck save").await.unwrap();
    asked
        .until(|it| it.content.contains("refused your S3 credentials"))
        .await;
    wait_for_value(&url, "duckbot_saves_total{outcome=\"refused\"}", 1.0).await;
    lake().s3.add_key(key, secret);
    for pid in duckdb_pids(&id) {
        let pid = pid.to_string();
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .await
            .unwrap();
    }
    let status = async || ui.tokenize("SELECT 42").await;
    wait_until(status, |status| *status == 503).await;
    assert_says(&ana.read("#data").await, "restarted");
    reply_to(ana, "/duck list").await;
    let requests = async |outcome: &str| {
        value(
            &url,
            &format!("duckbot_door_requests_total{{outcome=\"{outcome}\"}}"),
        )
        .await
    };
    assert_eq!(requests("refused").await, 1.0);
    assert!(requests("done").await >= 2.0);
    let failed = requests("failed").await;
    assert!(failed >= 1.0);
    reply_to(ana, "/duck list").await;
    assert_eq!(requests("failed").await, failed, "each counts once");
    assert!(home.log().contains(&format!(
        "session {id}: a request failed: DuckDB does not respond"
    )));
    home.assert_clean().await;
}

/// Reference of all metrics.
const REFERENCE: &str = include_str!("../docs/metrics.md");

#[tokio::test]
async fn metrics_keep_prometheus_conventions_and_name_nobody() {
    let (env, url) = env().await;
    env.enter_credentials(&env.ana).await;
    env.ready_session(&env.ana).await;
    let (_, text) = get(&url, "/metrics").await;
    let described = |kind: &str, name: &str| text.contains(&format!("# {kind} {name} "));
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|base| described("TYPE", base))
            .unwrap_or(name);
        assert!(REFERENCE.contains(&format!("`{base}`")), "{line}");
        assert!(described("HELP", base) && described("TYPE", base), "{line}");
        let is_counter = text.contains(&format!("# TYPE {base} counter"));
        assert_eq!(is_counter, base.ends_with("_total"), "{line}");
        assert!(
            line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(),
            "{line}"
        );
    }
    assert!(text.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))));
    for (_, key) in CREDENTIALS {
        assert!(!text.contains(key));
    }
    assert!(!text.contains(&env.ana.id().to_string()));
    assert!(!text.contains(&env.ana.name()));
    env.assert_clean().await;
}

#[tokio::test]
async fn health_is_served_before_the_cluster_answers() {
    let mut env = env_without_bot(&[]).await;
    env.api
        .set_faults(|_| Some(ApiFault::Hang(std::time::Duration::from_secs(30))));
    env.spawn_bot();
    let url = admin_url(env.bot()).await;
    env.api
        .wait_for_call("POST", "selfsubjectaccessreviews", 1)
        .await;
    assert_eq!(get(&url, "/healthz").await, (200, "ok\n".to_owned()));
    wait_for_not_ready(&url, "starting: reading the cluster\n").await;
    assert_eq!(value(&url, "duckbot_leading").await, 0.0);
    env.assert_clean().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut env = TestEnv::without_bot(&[("DUCKBOT_ADMIN__LISTEN", &address)]).await;
    env.spawn_bot();
    let status = env.bot().wait(WAIT_TIMEOUT).await;
    assert_eq!(status.and_then(|it| it.code()), Some(1));
    let why = format!("can't listen on {address}; set another address in admin.listen");
    assert!(env.log().contains(&why), "{}", env.log());
    env.assert_clean().await;
}

#[tokio::test]
async fn without_discord_it_is_ready_and_says_so() {
    let (mut env, _) = env().await;
    env.kill_bot().await;
    env.discord
        .set_heartbeat_interval(std::time::Duration::from_secs(1));
    let url = start_bot(&mut env).await;
    wait_until_ready(&url).await;
    let (connected, leading) = ("duckbot_discord_connected", "duckbot_leading");
    assert_eq!(value(&url, connected).await, 1.0);
    // The bot learns the heartbeat interval from two heartbeats.
    env.discord.wait_heartbeats(3).await;
    env.discord.set_offline(true);
    let is_lost = |(status, text): &(u16, String)| {
        *status == 200 && text.starts_with("ready\ndiscord: not connected since ")
    };
    wait_until(async || get(&url, "/readyz").await, is_lost).await;
    assert_eq!(value(&url, connected).await, 0.0);
    assert_eq!(value(&url, leading).await, 1.0);
    env.discord.set_offline(false);
    wait_until_ready(&url).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn what_is_worth_an_alert_is_seen_to_move() {
    let mut env = env_without_bot(&[("DUCKBOT_REAPER__LATE", "false")]).await;
    env.fake_clock();
    let url = start_bot(&mut env).await;
    let failed = "duckbot_sessions_ended_total{how=\"failed\",why=\"refused\"}";
    let steps = "duckbot_step_failures_total{step=\"create\"}";
    assert_eq!(value(&url, steps).await, 0.0);
    let refused =
        "duckbot_kubernetes_requests_total{verb=\"create\",resource=\"pods\",outcome=\"refused\"}";
    assert_eq!(
        value(&url, failed).await,
        0.0,
        "the metric must exist before the first failure"
    );

    // No door listens at the Pod's address.
    let id = env.ready_session(&env.ana).await;
    let swept = env.log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 2).await;
    env.set_clock(TimeDelta::minutes(20));
    wait_for_value(&url, "duckbot_unreachable_doors", 1.0).await;
    assert_says(&env.ada.read("#ops").await, "does not respond");

    // The cluster refuses all Pods from now on.
    env.api.set_faults(|call| {
        let is_pod = call.method == "POST" && call.route == "pods";
        is_pod.then(|| ApiFault::Answer(403, "pods \"x\" is forbidden: no".into()))
    });
    env.cluster.store_credentials(env.ben.id()).await;
    let (asked, _) = env.start_session(&env.ben, "").await;
    asked
        .until(|it| it.content.contains("could not be created"))
        .await;
    wait_for_value(&url, failed, 1.0).await;
    assert!(value(&url, refused).await >= 1.0);
    assert!(value(&url, steps).await >= 1.0);
    let queued = "duckbot_kubernetes_queue_duration_seconds_count";
    assert!(value(&url, queued).await >= 1.0);
    env.api.clear_faults();

    // Discord refuses a message permanently.
    let posted = "duckbot_discord_requests_total{request=\"message\",outcome=\"refused\"}";
    let before = value(&url, posted).await;
    let gone = RestFault::respond(
        "POST",
        "/channels/{channel}/messages",
        403,
        50001,
        "no access",
    );
    env.discord.inject_fault(gone);
    env.kubelet.mark_failed(&id, "out of luck").await;
    wait_for_value(&url, posted, before + 1.0).await;
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn an_alarm_is_a_metric_too() {
    let (mut env, url) = env_with(&[("DUCKBOT_REAPER__LATE", "false")]).await;
    assert_eq!(value(&url, "duckbot_reaper_held_back").await, 0.0);
    env.kill_bot().await;
    for number in 0..10 {
        let id = format!("{:06x}", 0xabc000 + u32::from(number));
        let long_ago = (chrono::Utc::now() - chrono::TimeDelta::days(9)).to_rfc3339();
        env.create_record(&id, env.ana.id(), number, &long_ago)
            .await;
    }
    let url = start_bot(&mut env).await;
    wait_for_value(&url, "duckbot_reaper_held_back", 1.0).await;
    assert_says(
        &env.ada.read("#ops").await,
        "**Reaping is paused**: 10 of 10 sessions are due at once",
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_record_that_nobody_can_read_is_counted_and_removed_as_the_manual_says() {
    let (env, url) = env().await;
    let id = env.ready_session(&env.ana).await;
    wait_for_value(&url, "duckbot_unreadable_records", 0.0).await;
    let record = env.record_name(&env.ana, 0);
    env.cluster
        .edit_record(&record, |it| it["version"] = 99.into())
        .await;
    wait_for_value(&url, "duckbot_unreadable_records", 1.0).await;
    assert!(
        env.log()
            .contains(&format!("record {record} can't be read"))
    );
    let sessions = &env.cluster.sessions;
    let line = format!("describe configmap {record} --namespace {sessions}");
    let described = async || kubectl(&line).await;
    wait_until(described, |it: &String| it.contains("UnreadableRecord")).await;
    let params = kube::api::DeleteParams::default();
    env.cluster
        .records()
        .delete(&record, &params)
        .await
        .unwrap();
    wait_for_value(&url, "duckbot_unreadable_records", 0.0).await;
    let left = async || env.cluster.objects().await;
    wait_until(left, Vec::is_empty).await;
    assert!(!env.log().contains(&format!("session {id} has no record")));
    env.assert_clean().await;
}
