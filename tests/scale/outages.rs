//! Outages of the control plane, and jumps of the clock.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use kube::api::ListParams;
use test_support::{Cluster, TestEnv, assert_says, wait_until};
use tokio::process::Command;

use crate::lock_machine;

/// Sends a signal to one of the control plane's programs.
async fn send_signal(program: &str, signal: &str) {
    let pid = Cluster::shared().folder().join(format!("{program}.pid"));
    let pid = std::fs::read_to_string(pid).unwrap();
    let sent = Command::new("kill").args([signal, pid.trim()]).status();
    assert!(sent.await.unwrap().success());
}

/// Waits until the API server answers (`answers`) or stops answering.
async fn wait_for_api_server(env: &TestEnv, answers: bool) {
    let pods = env.cluster.pods();
    let asked = async || {
        let few = ListParams::default().limit(1);
        let asked = tokio::time::timeout(Duration::from_secs(2), pods.list(&few)).await;
        asked.is_ok_and(|it| it.is_ok())
    };
    wait_until(asked, |it| *it == answers).await;
}

#[tokio::test]
async fn an_api_server_that_is_restarted_in_the_middle_of_a_start_holds_it_up_only() {
    let _alone = lock_machine().await;
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet.wait_for_pod(&id).await;

    send_signal("kube-apiserver", "-KILL").await;
    wait_for_api_server(&env, false).await;
    let refused = env.ben.run_command("#data", "/duck setup").await.unwrap();
    refused.acknowledgement().await;
    assert_says(
        &refused.reply().await,
        "I can't reach the cluster right now.",
    );

    wait_for_api_server(&env, true).await;
    env.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    env.ana.read("#data").await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.clean_up().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn an_etcd_that_is_paused_for_twenty_seconds_loses_no_session_and_doubles_none() {
    let _alone = lock_machine().await;
    let env = TestEnv::start().await;
    let running = env.ready_session(&env.ana).await;
    env.cluster.store_credentials(env.ben.id()).await;

    send_signal("etcd", "-STOP").await;
    let paused = tokio::time::Instant::now();
    let begun = env.ben.run_command("#data", "/duck start").await.unwrap();
    begun.acknowledgement().await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    let stopped = env.ana.press(&question, "Stop it").await.unwrap();
    stopped.acknowledgement().await;
    assert_says(
        &env.reply_to(&env.ada, "/duck list all:true").await,
        &running,
    );
    tokio::time::sleep_until(paused + Duration::from_secs(20)).await;
    send_signal("etcd", "-CONT").await;
    wait_for_api_server(&env, true).await;

    // Both commands either failed or succeeded. Repeating them must succeed.
    let is_last = |it: &discord_loopback::MessageView| {
        let last = ["is stopped", "is ready", "Reference: ", "Starting"];
        last.iter().any(|words| it.content.contains(words))
    };
    begun.until(is_last).await;
    stopped.until(is_last).await;
    let quick = env.kubelet.ready_all_pods();
    env.stop_session(&env.ana).await;
    let again = env.reply_to(&env.ben, "/duck start").await;
    let settled = async || env.cluster.documents().await;
    wait_until(settled, |found| {
        found.len() == 1 && found.iter().all(|it| it["stage"] == "running")
    })
    .await;
    assert!(!again.content.contains("Reference: "), "{}", again.content);
    let id = env.cluster.documents().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ben, 0, &id)
    );
    quick.abort();
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_clock_that_jumps_by_a_month_stops_no_sessions() {
    let _alone = lock_machine().await;
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: the clock of one process can be set on Linux only");
        return;
    }
    let mut env = TestEnv::without_bot(&[
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_SESSIONS__PER_USER", "12"),
    ])
    .await;
    env.fake_clock();
    let ops = env.discord.channel("ops").to_string();
    env.variables
        .insert("DUCKBOT_DISCORD__ADMIN_CHANNEL".into(), ops);
    env.cluster.store_credentials(env.ana.id()).await;
    let quick = env.kubelet.ready_all_pods();
    for number in 0..12 {
        let id = format!("{:06x}", 0xc10c00 + u32::from(number));
        let created = Utc::now().to_rfc3339();
        env.create_record(&id, env.ana.id(), number, &created).await;
    }
    env.start_bot().await;
    let running = async || {
        let documents = env.cluster.documents().await;
        documents
            .iter()
            .filter(|it| it["stage"] == "running")
            .count()
    };
    wait_until(running, |count| *count == 12).await;
    env.mark_all_read().await;

    env.set_clock(TimeDelta::days(30));
    assert_says(
        &env.ada.read("#ops").await,
        "**Reaping is paused**: 12 of 12 sessions are due at once",
    );
    env.set_clock(TimeDelta::days(-30));
    let swept = env.bot().log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 3).await;
    env.set_clock(TimeDelta::zero());
    let swept = env.bot().log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 3).await;
    let documents = env.cluster.documents().await;
    assert!(
        documents.iter().all(|it| it["stage"] == "running"),
        "{documents:?}"
    );
    assert_eq!(documents.len(), 12);
    quick.abort();
    env.mark_all_read().await;
    env.assert_clean().await;
}
