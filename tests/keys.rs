//! Keys that are kept: looked at, checked again, replaced, forgotten, expired.

use chrono::{TimeDelta, Utc};

use crate::support::{CREDENTIALS, PERMANENT_CREDENTIALS, TestEnv, assert_says, session_id_in};

#[tokio::test]
async fn setup_again_shows_what_is_kept_and_checks_it_again() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let kept = team.reply_to(&team.ana, "/duck setup").await;
    assert!(kept.ephemeral);
    assert!(
        kept.content
            .starts_with("I have your key ending in `4D7Q`, stored <t:")
    );
    assert_says(&kept, "It worked when I last tried it, <t:");

    let pressed = team.ana.press(&kept, "Check again").await.unwrap();
    let checked = pressed.reply().await;
    assert_says(&checked, "It worked when I last tried it");
    assert_eq!(team.s3.requests().len(), 2);

    team.s3.forget(CREDENTIALS[0].1);
    let pressed = team.ana.press(&checked, "Check again").await.unwrap();
    let refused = pressed.reply().await;
    assert!(
        refused.content.starts_with("I tried your keys again:"),
        "{}",
        refused.content
    );
    assert!(
        refused
            .content
            .contains("doesn't know this **access key ID**")
    );
    assert!(
        team.stored_credentials(&team.ana).await.is_some(),
        "they are not thrown away"
    );
}

#[tokio::test]
async fn forgetting_asks_first_and_removes_the_secret() {
    let team = TestEnv::start().await;
    let nothing = team.reply_to(&team.ana, "/duck forget").await;
    assert_eq!(nothing.content, "I have no keys of yours.");

    team.enter_credentials(&team.ana).await;
    let question = team.reply_to(&team.ana, "/duck forget").await;
    assert!(question.ephemeral && question.content.contains("ending in `4D7Q`"));
    let pressed = team.ana.press(&question, "Keep it").await.unwrap();
    assert_eq!(pressed.reply().await.content, "Your keys stay as they are.");
    assert!(team.stored_credentials(&team.ana).await.is_some());

    let question = team.reply_to(&team.ana, "/duck forget").await;
    let custom_id = question
        .button("Forget it")
        .unwrap()
        .custom_id
        .clone()
        .unwrap();
    for _ in 0..2 {
        // Twice: a stale button does no harm.
        let pressed = team
            .ana
            .press_custom_id(question.id, &custom_id)
            .await
            .unwrap();
        let done = pressed.reply().await;
        assert_eq!(
            done.content,
            "Your keys are forgotten: I have none of yours any more."
        );
    }
    assert!(team.stored_credentials(&team.ana).await.is_none());
}

#[tokio::test]
async fn forgetting_says_which_sessions_hold_the_keys_and_stops_them_if_asked() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let id = team.ready_session(&team.ana).await;

    let question = team.reply_to(&team.ana, "/duck forget").await;
    assert!(
        question
            .content
            .contains(&format!("Sessions that hold it: `{id}`."))
    );
    let pressed = team
        .ana
        .press(&question, "Forget it and stop them")
        .await
        .unwrap();
    pressed
        .until(|reply| reply.content.contains("I have none of yours any more"))
        .await;
    team.assert_nothing_left().await;
    assert!(team.stored_credentials(&team.ana).await.is_none());
}

#[tokio::test]
async fn forgetting_only_leaves_the_session_and_says_so() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let id = team.ready_session(&team.ana).await;
    let question = team.reply_to(&team.ana, "/duck forget").await;
    let pressed = team.ana.press(&question, "Forget it only").await.unwrap();
    let done = pressed.reply().await;
    assert!(
        done.content
            .contains(&format!("these sessions still hold them: `{id}`"))
    );
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ana, 0, &id)
    );
}

#[tokio::test]
async fn replacing_offers_to_start_running_sessions_again_with_the_new_keys() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let old = team.ready_session(&team.ana).await;

    let kept = team.reply_to(&team.ana, "/duck setup").await;
    let stored = team
        .fill_form(&team.ana, &kept, &PERMANENT_CREDENTIALS)
        .await;
    assert!(
        stored
            .content
            .contains(&format!("Sessions with the keys of before: `{old}`"))
    );
    let label = "Start them again with the new keys";
    let pressed = team.ana.press(&stored, label).await.unwrap();
    let done = pressed
        .until(|reply| reply.content.starts_with("Stopped"))
        .await;
    assert!(done.content.contains(&old));

    let records = team.cluster.documents().await;
    let new = records[0]["id"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    team.kubelet.mark_ready(&new).await;
    let announced = team.ana.read("#data").await;
    assert_eq!(session_id_in(&announced.content), new);
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ana, 0, &new)
    );

    // Its keys are the new ones: there is nothing to start again.
    let button = stored.button(label).unwrap().custom_id.clone().unwrap();
    let pressed = team.ana.press_custom_id(stored.id, &button).await.unwrap();
    pressed
        .until(|reply| reply.content == "No session of yours holds old keys.")
        .await;
}

#[tokio::test]
async fn an_expiry_is_kept_shown_and_warned_of_before_it_comes() {
    let team = TestEnv::start().await;
    let invitation = team.request_invitation(&team.ana).await;
    let expires = ("Session token expires", "20 min");
    let values = [CREDENTIALS[0], CREDENTIALS[1], CREDENTIALS[2], expires];
    team.fill_form(&team.ana, &invitation, &values).await;
    let kept = team.reply_to(&team.ana, "/duck setup").await;
    assert_says(&kept, "It expires <t:");

    // Less than half an hour is left, so the warning comes as soon as it runs.
    let id = team.ready_session(&team.ana).await;
    let warning = team.ana.read_dm().await;
    let text = format!("The S3 keys of your session `{id}` expire <t:");
    assert_says(&warning, &text);
    assert!(warning.button("Enter credentials").is_some());
    assert_eq!(team.cluster.documents().await.len(), 1, "it goes on");
}

#[tokio::test]
async fn with_direct_messages_closed_the_warning_is_in_the_channel() {
    let team = TestEnv::start().await;
    let invitation = team.request_invitation(&team.ana).await;
    let expires = ("Session token expires", "20 min");
    let values = [CREDENTIALS[0], CREDENTIALS[1], CREDENTIALS[2], expires];
    team.fill_form(&team.ana, &invitation, &values).await;
    team.ana.close_dms();
    team.ready_session(&team.ana).await;
    let warning = team.ana.read("#data").await;
    assert_eq!(warning.mentions, [team.ana.id()]);
    assert_says(&warning, "expire <t:");
}

#[tokio::test]
async fn with_expired_keys_nothing_is_started_and_the_button_is_there() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let past = Utc::now() - TimeDelta::minutes(1);
    team.annotate_credentials(&team.ana, "expires-at", past)
        .await;
    let reply = team.reply_to(&team.ana, "/duck start").await;
    assert!(
        reply.content.starts_with("Your keys have expired (<t:"),
        "{}",
        reply.content
    );
    assert!(reply.button("Enter credentials").is_some());
    team.assert_nothing_left().await;
}

#[tokio::test]
async fn with_expired_keys_a_running_session_is_not_given_up_for_a_restart() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let id = team.ready_session(&team.ana).await;
    team.renew_credentials(&team.ana).await;
    team.annotate_credentials(&team.ana, "expires-at", Utc::now() - TimeDelta::minutes(1))
        .await;
    let list = team.reply_to(&team.ana, "/duck list").await;
    let pressed = team
        .ana
        .press_custom_id(list.id, "duckbot:restart")
        .await
        .unwrap();
    pressed
        .until(|reply| reply.content.starts_with("Your keys have expired"))
        .await;
    assert_eq!(
        team.cluster.objects().await,
        team.session_objects(&team.ana, 0, &id)
    );
}

#[tokio::test]
async fn somebody_who_lost_the_role_can_still_have_their_keys_forgotten() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ben).await;
    team.discord.revoke("ben", "analyst");
    team.ben.write_dm("please delete my data");
    let answer = team.ben.read_dm().await;
    assert!(
        answer.content.starts_with("You need one of these roles"),
        "{}",
        answer.content
    );
    let pressed = team.ben.press(&answer, "Forget them").await.unwrap();
    let question = pressed.reply().await;
    let pressed = team.ben.press(&question, "Forget it").await.unwrap();
    pressed
        .until(|reply| reply.content.contains("I have none of yours any more"))
        .await;
    assert!(team.stored_credentials(&team.ben).await.is_none());
}

#[tokio::test]
async fn forgetting_while_a_form_is_being_tried_wins() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let kept = team.reply_to(&team.ana, "/duck setup").await;
    let form = team.open_form(&team.ana, &kept, "Replace").await;
    team.s3.hang();
    let submitted = team
        .ana
        .submit(&form, &PERMANENT_CREDENTIALS)
        .await
        .unwrap();
    submitted.acknowledgement().await;
    let question = team.reply_to(&team.ana, "/duck forget").await;
    let pressed = team.ana.press(&question, "Forget it").await.unwrap();
    pressed
        .until(|reply| reply.content.contains("I have none of yours any more"))
        .await;
    submitted.reply().await;
    assert!(team.stored_credentials(&team.ana).await.is_none());
}

#[tokio::test]
async fn a_session_that_is_starting_cannot_start_without_its_keys() {
    let team = TestEnv::start().await;
    team.enter_credentials(&team.ana).await;
    let (starting, _) = team.start_session(&team.ana, "").await;
    let question = team.reply_to(&team.ana, "/duck forget").await;
    let pressed = team.ana.press(&question, "Forget it only").await.unwrap();
    let done = pressed
        .until(|reply| reply.content.contains("forgotten"))
        .await;
    assert_says(&done, "I have none of yours any more");
    starting
        .until(|reply| reply.content.contains("has ended"))
        .await;
    team.ana.read("#data").await;
    team.wait_until_nothing_left(&team.ana).await;
}
