//! The cluster itself fails, and the clock.

use std::time::Duration;

use chrono::Utc;
use kube::api::ListParams;
use tokio::process::Command;

use crate::{
    lock_machine,
    support::{Cluster, TestEnv, assert_says, tools, wait_until},
};

/// Sends a signal to one of the cluster's programs.
async fn send_signal(program: &str, signal: &str) {
    let pid = Cluster::shared().folder().join(format!("{program}.pid"));
    let pid = std::fs::read_to_string(pid).unwrap();
    let sent = Command::new("kill").args([signal, pid.trim()]).status();
    assert!(sent.await.unwrap().success());
}

/// Waits until the API server answers, or does not.
async fn wait_for_api_server(team: &TestEnv, answers: bool) {
    let pods = team.cluster.pods();
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
    let team = TestEnv::start().await;
    team.cluster.store_credentials(team.ana.id()).await;
    let (asked, id) = team.start_session(&team.ana, "").await;
    team.kubelet.wait_for_pod(&id).await;

    send_signal("kube-apiserver", "-KILL").await;
    wait_for_api_server(&team, false).await;
    let refused = team.ben.run_command("#data", "/duck setup").await.unwrap();
    refused.acknowledgement().await;
    assert_says(
        &refused.reply().await,
        "I can't reach the cluster at the moment.",
    );

    wait_for_api_server(&team, true).await;
    team.kubelet.mark_ready(&id).await;
    asked.until(|it| it.content.contains("is ready")).await;
    team.ana.read("#data").await;
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ana, 0, &id)
    );
    team.clean_up().await;
}

#[tokio::test]
async fn an_etcd_that_is_paused_for_twenty_seconds_loses_no_session_and_doubles_none() {
    let _alone = lock_machine().await;
    let team = TestEnv::start().await;
    let running = team.ready_session(&team.ana).await;
    team.cluster.store_credentials(team.ben.id()).await;

    send_signal("etcd", "-STOP").await;
    let paused = tokio::time::Instant::now();
    let begun = team.ben.run_command("#data", "/duck start").await.unwrap();
    begun.acknowledgement().await;
    let question = team.reply_to(&team.ana, "/duck stop").await;
    let stopped = team.ana.press(&question, "Stop it").await.unwrap();
    stopped.acknowledgement().await;
    assert_says(
        &team.reply_to(&team.ada, "/duck list all:true").await,
        &running,
    );
    tokio::time::sleep_until(paused + Duration::from_secs(20)).await;
    send_signal("etcd", "-CONT").await;
    wait_for_api_server(&team, true).await;

    // Each was told that it failed, or it is done. Whichever: once more, and it is so.
    let is_last = |it: &duckbot::sandbox::discord::MessageView| {
        let last = ["is stopped", "is ready", "Reference: ", "starts"];
        last.iter().any(|words| it.content.contains(words))
    };
    begun.until(is_last).await;
    stopped.until(is_last).await;
    let quick = team.kubelet.ready_all_pods();
    team.stop_session(&team.ana).await;
    let again = team.reply_to(&team.ben, "/duck start").await;
    let settled = async || team.cluster.documents().await;
    wait_until(settled, |found| {
        found.len() == 1 && found.iter().all(|it| it["stage"] == "running")
    })
    .await;
    assert!(!again.content.contains("Reference: "), "{}", again.content);
    let id = team.cluster.documents().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ben, 0, &id)
    );
    quick.abort();
    team.mark_all_read().await;
}

#[tokio::test]
async fn a_clock_that_jumps_by_a_month_stops_no_sessions() {
    let _alone = lock_machine().await;
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: only on Linux the clock of one process can be set");
        return;
    }
    let library = tools::get("faketime").join("libfaketime.so.1");
    let mut team = TestEnv::without_bot(&[
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_SESSIONS__PER_USER", "12"),
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_NO_CACHE", "1"),
    ])
    .await;
    let clock = team.file("clock", "+0");
    team.variables
        .insert("FAKETIME_TIMESTAMP_FILE".into(), clock);
    let ops = team.discord.channel("ops").to_string();
    team.variables
        .insert("DUCKBOT_DISCORD__ADMIN_CHANNEL".into(), ops);
    team.cluster.store_credentials(team.ana.id()).await;
    let quick = team.kubelet.ready_all_pods();
    for slot in 0..12 {
        let id = format!("{:06x}", 0xc10c00 + u32::from(slot));
        let created = Utc::now().to_rfc3339();
        team.create_record(&id, team.ana.id(), slot, &created).await;
    }
    team.start_bot().await;
    let running = async || {
        let documents = team.cluster.documents().await;
        documents
            .iter()
            .filter(|it| it["stage"] == "running")
            .count()
    };
    wait_until(running, |count| *count == 12).await;
    team.mark_all_read().await;

    team.file("clock", "+30d");
    assert_says(
        &team.ada.read("#ops").await,
        "I would stop 12 of 12 sessions at once",
    );
    team.file("clock", "-30d");
    let swept = team.bot().log().matches(" swept").count();
    team.bot().wait_for_log_times(" swept", swept + 3).await;
    team.file("clock", "+0");
    let swept = team.bot().log().matches(" swept").count();
    team.bot().wait_for_log_times(" swept", swept + 3).await;
    let documents = team.cluster.documents().await;
    assert!(
        documents.iter().all(|it| it["stage"] == "running"),
        "{documents:?}"
    );
    assert_eq!(documents.len(), 12);
    quick.abort();
    team.mark_all_read().await;
}
