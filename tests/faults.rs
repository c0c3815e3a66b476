//! What people read when the cluster or Discord fails.

use std::time::Duration;

use duckbot::sandbox::discord::Fault;

use crate::support::{Damage, Team};

#[tokio::test]
async fn a_command_is_acknowledged_although_the_api_server_hangs() {
    let team = Team::gathers().await;
    team.cluster
        .keys_of(team.ana.id().to_string().parse().unwrap())
        .await;
    team.api
        .damages(|_| Some(Damage::Hang(Duration::from_secs(30))));
    let asked = team.ana.types("#data", "/duck start").await.unwrap();
    asked.acknowledged().await;
    let reply = asked.reply().await;
    assert!(
        reply
            .content
            .starts_with("I can't reach the cluster at the moment.")
    );
    assert!(reply.content.contains("(Reference: `"), "{}", reply.content);
    team.api.heals();
    assert_eq!(team.cluster.objects().await, [""; 0]);
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_makes_one_session() {
    let team = Team::gathers().await;
    team.cluster
        .keys_of(team.ana.id().to_string().parse().unwrap())
        .await;
    let first = std::sync::atomic::AtomicBool::new(true);
    team.api.damages(move |call| {
        let is_claim = call.method == "POST" && call.route == "configmaps";
        let is_first = is_claim && first.swap(false, std::sync::atomic::Ordering::Relaxed);
        is_first.then_some(Damage::LostAnswer)
    });
    // The client tries again by itself, and finds its own record.
    let (asked, id) = team.starts(&team.ana, "").await;
    team.kubelet.readies(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    team.ana.reads("#data").await;
    assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
}

#[tokio::test]
async fn a_revoked_permission_is_named_and_nothing_is_left_behind() {
    let team = Team::gathers().await;
    team.cluster
        .keys_of(team.ana.id().to_string().parse().unwrap())
        .await;
    let roles = team.cluster.roles();
    let mut role = roles.get("duckbot-sessions").await.unwrap();
    for rule in role.rules.iter_mut().flatten() {
        if rule.resources.as_deref() == Some(&["services".to_owned()]) {
            rule.verbs.retain(|verb| verb != "create");
        }
    }
    roles
        .replace("duckbot-sessions", &Default::default(), &role)
        .await
        .unwrap();

    let asked = team.ana.types("#data", "/duck start").await.unwrap();
    let reply = asked
        .until(|reply| reply.content.contains("could not be made"))
        .await;
    let lacking = format!("(to create services in {})", team.cluster.sessions);
    assert!(reply.content.contains(&lacking), "{}", reply.content);
    let reference = reply.content.split("Reference: `").nth(1).unwrap()[..8].to_owned();
    assert!(
        team.log().contains(&reference),
        "the log knows the reference"
    );
    team.ana.reads("#data").await;
    team.cluster.gone(&team.record(&team.ana, 0)).await;
    assert_eq!(team.cluster.objects().await, [""; 0]);
}

#[tokio::test]
async fn what_admission_refuses_is_taken_down_again() {
    let team = Team::gathers().await;
    team.cluster
        .keys_of(team.ana.id().to_string().parse().unwrap())
        .await;
    team.api.damages(|call| {
        let is_pod = call.method == "POST" && call.route == "pods";
        is_pod.then(|| {
            Damage::Answer(
                403,
                "pods \"x\" is forbidden: exceeded quota: sessions".into(),
            )
        })
    });
    let asked = team.ana.types("#data", "/duck start").await.unwrap();
    let reply = asked
        .until(|reply| reply.content.contains("could not be made"))
        .await;
    assert!(
        reply
            .content
            .contains("The cluster's rules turned it down."),
        "{}",
        reply.content
    );
    team.ana.reads("#data").await;
    team.cluster.gone(&team.record(&team.ana, 0)).await;
    assert_eq!(team.cluster.objects().await, [""; 0]);
}

#[tokio::test]
async fn one_interaction_delivered_twice_makes_one_session() {
    let team = Team::gathers().await;
    team.cluster
        .keys_of(team.ana.id().to_string().parse().unwrap())
        .await;
    team.discord.deliver_twice(1);
    let (asked, id) = team.starts(&team.ana, "").await;
    team.kubelet.readies(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    team.ana.reads("#data").await;
    assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_in_the_channel_once() {
    let team = Team::gathers().await;
    team.cluster
        .keys_of(team.ana.id().to_string().parse().unwrap())
        .await;
    team.discord
        .fault(Fault::cut_after("POST", "/channels/{channel}/messages"));
    let (asked, id) = team.starts(&team.ana, "").await;
    team.kubelet.readies(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    team.ana.reads("#data").await;
    assert_eq!(team.discord.history("#data").len(), 1);
}
