//! Handing in credentials.

use kube::ResourceExt;

use crate::support::{KEYS, Team};

#[tokio::test]
async fn ana_hands_in_her_keys_in_private_and_reads_only_four_characters() {
    let team = Team::gathers().await;
    let asked = team.ana.types("#data", "/duck setup").await.unwrap();
    let reply = asked.reply().await;
    assert!(reply.ephemeral && reply.content.starts_with("I've sent you a direct message"));

    let invitation = team.ana.reads_dm().await;
    let pressed = team
        .ana
        .presses(&invitation, "Enter credentials")
        .await
        .unwrap();
    let form = pressed.modal().await;
    let labels: Vec<_> = form
        .inputs
        .iter()
        .map(|input| input.label.as_str())
        .collect();
    assert_eq!(labels, KEYS.map(|(label, _)| label));

    let stored = team.ana.submits(&form, &KEYS).await.unwrap().reply().await;
    assert_eq!(
        stored.content,
        "Your key ending in `4D7Q` is stored. You can use `/duck start` in the server now."
    );
    let secret = team
        .cluster
        .secrets()
        .get(&format!("duckbot-s3-{}", team.ana.id()))
        .await
        .unwrap();
    let values = secret.data.clone().unwrap();
    let stored: Vec<_> = values
        .iter()
        .map(|(k, v)| (k.as_str(), v.0.as_slice()))
        .collect();
    assert_eq!(
        stored,
        [
            ("catalog-token", KEYS[3].1.as_bytes()),
            ("s3-access-key-id", KEYS[0].1.as_bytes()),
            ("s3-secret-access-key", KEYS[1].1.as_bytes()),
            ("s3-session-token", KEYS[2].1.as_bytes()),
        ]
    );
    assert_eq!(
        secret.labels()["duckbot.dev/owner"],
        team.ana.id().to_string()
    );
}

#[tokio::test]
async fn with_direct_messages_closed_the_button_is_in_a_reply_that_only_ana_sees() {
    let team = Team::gathers().await;
    team.ana.closes_dms();
    let asked = team.ana.types("#data", "/duck setup").await.unwrap();
    let reply = asked.reply().await;
    assert!(reply.ephemeral && reply.content.contains("couldn't send you a direct message"));

    let pressed = team.ana.presses(&reply, "Enter credentials").await.unwrap();
    let form = pressed.modal().await;
    let stored = team
        .ana
        .submits(&form, &KEYS[..2])
        .await
        .unwrap()
        .reply()
        .await;
    assert!(stored.ephemeral && stored.content.contains("`4D7Q` is stored"));
    assert_eq!(team.discord.history("#data"), []);
}

#[tokio::test]
async fn handing_in_again_replaces_everything_and_a_form_sent_twice_changes_nothing() {
    let team = Team::gathers().await;
    team.hands_in_keys(&team.ana).await;

    let asked = team.ana.types("#data", "/duck setup").await.unwrap();
    asked.reply().await;
    let invitation = team.ana.reads_dm().await;
    let pressed = team
        .ana
        .presses(&invitation, "Enter credentials")
        .await
        .unwrap();
    let form = pressed.modal().await;
    let new = [
        ("Access key ID", "AKIANEWKEYID0000WXYZ"),
        ("Secret access key", "new-secret"),
    ];
    for _ in 0..2 {
        let stored = team.ana.submits(&form, &new).await.unwrap().reply().await;
        assert!(
            stored.content.contains("`WXYZ` is stored"),
            "{}",
            stored.content
        );
    }
    let secret = team
        .cluster
        .secrets()
        .get(&format!("duckbot-s3-{}", team.ana.id()))
        .await
        .unwrap();
    let names: Vec<_> = secret.data.unwrap().into_keys().collect();
    assert_eq!(names, ["s3-access-key-id", "s3-secret-access-key"]);
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_name_and_nothing_is_stored() {
    let team = Team::gathers().await;
    let asked = team.ana.types("#data", "/duck setup").await.unwrap();
    asked.reply().await;
    let invitation = team.ana.reads_dm().await;
    let long = "canary".repeat(667)[..4000].to_owned();
    for (typed, answer) in [
        (
            ["AKIA CANARY", "s", "", ""],
            "**Access key ID** has a space or a line break",
        ),
        (
            ["AKIACANARY", "ca\nnary", "", ""],
            "**Secret access key** has a space or a line break",
        ),
        (
            [&long, "s", "", ""],
            "**Access key ID** is 4000 characters long",
        ),
        (["  ", "s", "", ""], "**Access key ID** is empty"),
        (
            ["AKIACANARY", "can\u{e4}ry", "", ""],
            "**Secret access key** has a character",
        ),
    ] {
        let pressed = team
            .ana
            .presses(&invitation, "Enter credentials")
            .await
            .unwrap();
        let form = pressed.modal().await;
        let ids: Vec<_> = form
            .inputs
            .iter()
            .map(|input| input.custom_id.clone())
            .collect();
        let values: Vec<_> = ids.iter().map(String::as_str).zip(typed).collect();
        let reply = team
            .ana
            .submits_raw(&form, &values)
            .await
            .unwrap()
            .reply()
            .await;
        assert!(reply.content.contains("Nothing was stored") && reply.content.contains(answer));
        assert!(
            !reply.content.to_lowercase().contains("canary"),
            "{}",
            reply.content
        );
    }
    let stored = team
        .cluster
        .secrets()
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(stored.items, []);
}

#[tokio::test]
async fn somebody_who_lost_the_role_can_hand_in_nothing_by_direct_message() {
    let team = Team::gathers().await;
    let asked = team.ben.types("#data", "/duck setup").await.unwrap();
    asked.reply().await;
    let invitation = team.ben.reads_dm().await;
    team.discord.revoke("ben", "analyst");

    let pressed = team
        .ben
        .presses(&invitation, "Enter credentials")
        .await
        .unwrap();
    let form = pressed.modal().await;
    let reply = team.ben.submits(&form, &KEYS).await.unwrap().reply().await;
    assert!(
        reply.content.starts_with("You need one of these roles"),
        "{}",
        reply.content
    );

    team.discord.leave_guild("ben");
    let reply = team.ben.submits(&form, &KEYS).await.unwrap().reply().await;
    assert_eq!(
        reply.content,
        "You are not a member of the server that I serve."
    );
    let stored = team
        .cluster
        .secrets()
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(stored.items, []);
}
