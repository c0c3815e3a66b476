//! Tests of query runners, where queries run without a session. No node runs their Pods here:
//! `sql::runners` tests what they answer.

use discord_loopback::{Interaction, MessageView};
use kube::api::EvictParams;
use test_support::{CREDENTIALS, TestEnv, assert_says, wait_until};

const QUERY: &str = "/duck sql query:SELECT 42";

/// Starts an environment in which Ana has credentials.
async fn start_env(settings: &[(&str, &str)]) -> TestEnv {
    let env = TestEnv::start_with(settings).await;
    env.cluster.store_credentials(env.ana.id()).await;
    env
}

/// Runs a query of Ana's, and waits until its reply shows that DuckDB starts.
async fn start_runner(env: &TestEnv, line: &str) -> (Interaction, MessageView) {
    let asked = env.ana.run_command("#data", line).await.unwrap();
    let starting = asked.reply().await;
    assert_says(
        &starting,
        "No session of yours is running, so DuckDB starts for your queries.",
    );
    (asked, starting)
}

/// Returns the IDs of all query runners, sorted by name.
async fn runners(env: &TestEnv) -> Vec<String> {
    let mut all = env.cluster.documents().await;
    all.retain(|it| it["kind"] == "query_runner");
    all.sort_by_key(|it| it["workspace"].to_string());
    let ids = all.iter().map(|it| it["id"].as_str().unwrap().to_owned());
    ids.collect()
}

async fn wait_for_runner(env: &TestEnv) -> String {
    let mut found = wait_until(async || runners(env).await, |all| all.len() == 1).await;
    found.remove(0)
}

/// Waits until the query ends with an error, because no node runs its Pod.
async fn wait_for_failure(asked: &Interaction) {
    asked.until(|it| it.content.contains("Reference: ")).await;
}

#[tokio::test]
async fn queries_at_the_same_time_start_one_runner_and_can_be_cancelled() {
    let env = start_env(&[]).await;
    let (first, second) = tokio::join!(start_runner(&env, QUERY), start_runner(&env, QUERY));
    let id = wait_for_runner(&env).await;
    let whole = [
        format!("configmaps/duckui-{}-query-0", env.ana.id()),
        format!("pods/duckui-{id}"),
    ];
    wait_until(async || env.cluster.objects().await, |it| *it == whole).await;
    for (asked, starting) in [first, second] {
        env.ana.press(&starting, "Cancel").await.unwrap();
        asked.until(|it| it.content.contains("Cancelled.")).await;
    }
    env.kubelet.mark_ready(&id).await;
    let record = format!("duckui-{}-query-0", env.ana.id());
    env.cluster.wait_for_stage(&record, "running").await;

    // Only admins see it. Its owner can stop it too, but not open or extend it.
    let line = format!(
        "`{id}` of <@{}>: running, query runner, `lake`",
        env.ana.id()
    );
    let all = env.reply_to(&env.ada, "/duck list all:true").await;
    assert_says(&all, "Nobody has a session.");
    assert_says(&all, &format!("1 query runner:\n- {line}"));
    let all = env.reply_to(&env.ana, "/duck list all:true").await;
    assert!(!all.content.contains(&id), "{}", all.content);
    let status = env
        .reply_to(&env.ada, &format!("/duck status session:{id}"))
        .await;
    assert_says(&status, &line);
    for command in ["open", "extend"] {
        let refused = env
            .reply_to(&env.ana, &format!("/duck {command} session:{id}"))
            .await;
        assert_says(&refused, &format!("`{id}` is a query runner."));
    }
    let refused = env
        .reply_to(&env.ben, &format!("{QUERY} session:{id}"))
        .await;
    assert_says(&refused, "belongs to someone else");
    let question = env
        .reply_to(&env.ada, &format!("/duck stop session:{id}"))
        .await;
    assert_says(&question, "Queries that run there will be lost.");
    env.confirm_stop(&env.ada, &question).await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_person_is_told_why_duckdb_does_not_start() {
    let env = start_env(&[]).await;
    let (asked, _) = start_runner(&env, "/duck tables").await;
    let id = wait_for_runner(&env).await;
    env.kubelet.mark_failed(&id, "it is no good").await;
    let told = asked
        .until(|it| it.content.contains("could not start"))
        .await;
    assert_says(
        &told,
        "DuckDB could not start for your query: the cluster ended it.",
    );
    assert_says(&told, "it is no good");
    wait_until(async || env.cluster.objects().await, Vec::is_empty).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_runner_with_replaced_credentials_takes_no_further_query_and_ends() {
    let env = TestEnv::start_with(&[("DUCKBOT_REAPER__EVERY", "1s")]).await;
    env.enter_credentials(&env.ana).await;
    let (asked, _) = start_runner(&env, QUERY).await;
    let old = wait_for_runner(&env).await;
    env.kubelet.mark_ready(&old).await;
    wait_for_failure(&asked).await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let stored = env.fill_form(&env.ana, &kept, &CREDENTIALS).await;
    assert_says(&stored, "were checked and saved");
    let (asked, _) = start_runner(&env, QUERY).await;
    let new = async || runners(&env).await;
    let new = wait_until(new, |all| matches!(&**all, [one] if *one != old)).await;
    env.kubelet.mark_ready(&new[0]).await;
    wait_for_failure(&asked).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn an_unused_runner_makes_room_for_one_of_another_catalog() {
    let env = start_env(&[("DUCKBOT_SQL__RUNNERS", "1")]).await;
    let (asked, _) = start_runner(&env, QUERY).await;
    let lake = wait_for_runner(&env).await;
    let pond = format!("{QUERY} catalog:pond");
    let refused = env.reply_to(&env.ana, &pond).await;
    assert_says(
        &refused,
        "still running in 1 query runner, which is the limit.",
    );
    env.kubelet.mark_ready(&lake).await;
    wait_for_failure(&asked).await;

    let (asked, starting) = start_runner(&env, &pond).await;
    let new = wait_for_runner(&env).await;
    assert_ne!(new, lake);
    assert_eq!(env.cluster.documents().await[0]["catalog"], "pond");
    env.ana.press(&starting, "Cancel").await.unwrap();
    asked.until(|it| it.content.contains("Cancelled.")).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn the_next_bot_uses_the_runners_of_the_last_one() {
    let mut env = start_env(&[]).await;
    let (asked, _) = start_runner(&env, QUERY).await;
    let id = wait_for_runner(&env).await;
    env.kubelet.mark_ready(&id).await;
    wait_for_failure(&asked).await;
    env.kill_bot().await;
    env.start_bot().await;
    let asked = env.ana.run_command("#data", QUERY).await.unwrap();
    wait_for_failure(&asked).await;
    assert_eq!(runners(&env).await, [id]);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_runner_that_the_cluster_takes_ends_and_the_next_query_starts_another_one() {
    let env = start_env(&[]).await;
    let (asked, _) = start_runner(&env, QUERY).await;
    let taken = wait_for_runner(&env).await;
    env.kubelet.mark_ready(&taken).await;
    wait_for_failure(&asked).await;
    let (pods, name) = (env.cluster.pods(), format!("duckui-{taken}"));
    pods.evict(&name, &EvictParams::default()).await.unwrap();
    wait_until(async || env.cluster.objects().await, Vec::is_empty).await;

    let (asked, starting) = start_runner(&env, QUERY).await;
    assert_ne!(wait_for_runner(&env).await, taken);
    env.ana.press(&starting, "Cancel").await.unwrap();
    asked.until(|it| it.content.contains("Cancelled.")).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn an_unused_runner_ends_also_in_a_dry_run() {
    let settings = [
        ("DUCKBOT_REAPER__DRY_RUN", "true"),
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_SQL__LINGER", "1s"),
    ];
    let env = start_env(&settings).await;
    let (asked, _) = start_runner(&env, QUERY).await;
    env.kubelet.mark_ready(&wait_for_runner(&env).await).await;
    wait_for_failure(&asked).await;
    wait_until(async || env.cluster.objects().await, Vec::is_empty).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn without_query_runners_a_query_needs_a_session() {
    let env = start_env(&[("DUCKBOT_SQL__RUNNERS", "0")]).await;
    let offered = env.reply_to(&env.ana, QUERY).await;
    assert_says(&offered, "You have no running session");
    assert!(offered.button("Start a session").is_some());
    env.assert_nothing_left().await;
    env.assert_clean().await;
}
