//! Stored credentials: shown, checked again, replaced, deleted, expired.

use chrono::{TimeDelta, Utc};
use test_support::{
    CREDENTIALS, PERMANENT_CREDENTIALS, TestEnv, assert_says, session_id_in, wait_until,
};

#[tokio::test]
async fn setup_again_shows_what_is_kept_and_checks_it_again() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    assert!(kept.ephemeral);
    assert!(kept.content.starts_with(
        "Your S3 credentials (access key ID ending in `4D7Q`) and your catalog token were saved <t:"
    ));
    assert_says(&kept, "They last worked <t:");

    let pressed = env.ana.press(&kept, "Check again").await.unwrap();
    let checked = pressed.reply().await;
    assert_says(&checked, "They last worked");
    assert_eq!(env.s3.requests().len(), 2);

    env.s3.forget(CREDENTIALS[0].1);
    let pressed = env.ana.press(&checked, "Check again").await.unwrap();
    let refused = pressed.reply().await;
    assert!(
        refused
            .content
            .starts_with("The check of your saved credentials failed:"),
        "{}",
        refused.content
    );
    assert!(
        refused
            .content
            .contains("doesn't know this **access key ID**")
    );
    assert!(
        env.stored_credentials(&env.ana).await.is_some(),
        "a failed check must not delete the credentials"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn forgetting_asks_first_and_removes_the_secret() {
    let env = TestEnv::start().await;
    let nothing = env.reply_to(&env.ana, "/duck forget").await;
    assert_eq!(nothing.content, "You have no saved credentials.");

    env.enter_credentials(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck forget").await;
    assert!(question.ephemeral && question.content.contains("ending in `4D7Q`"));
    let pressed = env.ana.press(&question, "Keep credentials").await.unwrap();
    assert_eq!(
        pressed.reply().await.content,
        "Your credentials were not deleted."
    );
    assert!(env.stored_credentials(&env.ana).await.is_some());

    let question = env.reply_to(&env.ana, "/duck forget").await;
    let custom_id = question
        .button("Delete")
        .unwrap()
        .custom_id
        .clone()
        .unwrap();
    for _ in 0..2 {
        // Press twice: a stale button does no harm.
        let pressed = env
            .ana
            .press_custom_id(question.id, &custom_id)
            .await
            .unwrap();
        let done = pressed.reply().await;
        assert_eq!(done.content, "Your saved credentials were deleted.");
    }
    assert!(env.stored_credentials(&env.ana).await.is_none());
    env.assert_clean().await;
}

#[tokio::test]
async fn forgetting_says_which_sessions_use_the_credentials_and_stops_them_if_asked() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;

    let question = env.reply_to(&env.ana, "/duck forget").await;
    assert!(question.content.contains(&format!(
        "Session `{id}` keeps using them until it is stopped."
    )));
    let pressed = env
        .ana
        .press(&question, "Delete and stop the session")
        .await
        .unwrap();
    pressed
        .until(|reply| reply.content == "Your saved credentials were deleted.")
        .await;
    env.assert_nothing_left().await;
    assert!(env.stored_credentials(&env.ana).await.is_none());
    env.assert_clean().await;
}

#[tokio::test]
async fn forgetting_only_leaves_the_session_and_says_so() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck forget").await;
    let pressed = env.ana.press(&question, "Delete only").await.unwrap();
    let done = pressed.reply().await;
    assert!(done.content.contains(&format!(
        "Session `{id}` keeps using them until it is stopped."
    )));
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn replacing_offers_to_restart_running_sessions_with_the_new_credentials() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let old = env.ready_session(&env.ana).await;

    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let stored = env.fill_form(&env.ana, &kept, &PERMANENT_CREDENTIALS).await;
    assert!(stored.content.contains(&format!(
        "Session `{old}` may still use your previous credentials: it did not answer."
    )));
    let label = "Restart with the new credentials";
    let pressed = env.ana.press(&stored, label).await.unwrap();
    let done = pressed
        .until(|reply| reply.content.starts_with("Stopped"))
        .await;
    assert!(done.content.contains(&old));

    let records = env.cluster.documents().await;
    let new = records[0]["id"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    env.kubelet.mark_ready(&new).await;
    let announced = env.ana.read("#data").await;
    assert_eq!(session_id_in(&announced.content), new);
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &new)
    );

    // The session has the new credentials, so there is nothing to start again.
    let button = stored.button(label).unwrap().custom_id.clone().unwrap();
    let pressed = env.ana.press_custom_id(stored.id, &button).await.unwrap();
    pressed
        .until(|reply| {
            reply.content
                == "None of your sessions uses previous credentials, so nothing was restarted."
        })
        .await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_was_not_ready_and_does_not_answer_is_asked_until_its_owner_is_told() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let (_, id) = env.start_session(&env.ana, "").await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let stored = env.fill_form(&env.ana, &kept, &PERMANENT_CREDENTIALS).await;
    assert_says(
        &stored,
        &format!("Session `{id}` gets them when it is ready."),
    );
    env.kubelet.mark_ready(&id).await;
    assert_says(&env.ana.read("#data").await, &id);
    let missed = format!("could not renew the credentials of {id}: unreachable");
    let attempts = async || env.log().matches(&missed).count();
    wait_until(attempts, |count| *count >= 2).await;
    let is_pending = async || {
        let records = env.cluster.documents().await;
        records[0]["credentials_replaced"] == true
    };
    assert!(is_pending().await);

    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let stored = env.fill_form(&env.ana, &kept, &CREDENTIALS).await;
    assert_says(&stored, "it did not answer");
    assert!(!is_pending().await);
    env.assert_clean().await;
}

#[tokio::test]
async fn an_expiry_is_kept_shown_and_warned_of_before_it_comes() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let expires = ("Session token expires", "20 min");
    let values = [CREDENTIALS[0], CREDENTIALS[1], CREDENTIALS[2], expires];
    env.fill_form(&env.ana, &invitation, &values).await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    assert_says(&kept, "\nSession token expires <t:");

    // Less than half an hour is left, so the warning comes once the session is running.
    let id = env.ready_session(&env.ana).await;
    let warning = env.ana.read_dm().await;
    let text = format!("The credentials of your session `{id}` **expire <t:");
    assert_says(&warning, &text);
    assert!(warning.button("Enter credentials").is_some());
    assert_eq!(
        env.cluster.documents().await.len(),
        1,
        "the session must keep running"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn with_direct_messages_closed_the_warning_is_in_the_channel() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let expires = ("Session token expires", "20 min");
    let values = [CREDENTIALS[0], CREDENTIALS[1], CREDENTIALS[2], expires];
    env.fill_form(&env.ana, &invitation, &values).await;
    env.ana.close_dms();
    env.ready_session(&env.ana).await;
    let warning = env.ana.read("#data").await;
    assert_eq!(warning.mentions, [env.ana.id()]);
    assert_says(&warning, "expire <t:");
    env.assert_clean().await;
}

#[tokio::test]
async fn with_expired_credentials_nothing_is_started_and_the_button_is_there() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let past = Utc::now() - TimeDelta::minutes(1);
    env.annotate_credentials(&env.ana, "expires-at", past).await;
    let reply = env.reply_to(&env.ana, "/duck start").await;
    assert!(
        reply.content.starts_with("Your S3 credentials expired <t:"),
        "{}",
        reply.content
    );
    assert!(reply.button("Enter credentials").is_some());
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn with_expired_credentials_a_running_session_is_not_given_up_for_a_restart() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    env.renew_credentials(&env.ana).await;
    env.annotate_credentials(&env.ana, "expires-at", Utc::now() - TimeDelta::minutes(1))
        .await;
    let list = env.reply_to(&env.ana, "/duck list").await;
    let pressed = env
        .ana
        .press_custom_id(list.id, "duckbot:restart")
        .await
        .unwrap();
    pressed
        .until(|reply| reply.content.starts_with("Your S3 credentials expired <t:"))
        .await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn somebody_who_lost_the_role_can_still_delete_their_credentials() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ben).await;
    env.discord.revoke("ben", "analyst");
    env.ben.write_dm("please delete my data");
    let answer = env.ben.read_dm().await;
    assert!(
        answer
            .content
            .starts_with("To use this bot, you need the role <@&"),
        "{}",
        answer.content
    );
    let pressed = env.ben.press(&answer, "Delete them").await.unwrap();
    let question = pressed.reply().await;
    let pressed = env.ben.press(&question, "Delete").await.unwrap();
    pressed
        .until(|reply| reply.content == "Your saved credentials were deleted.")
        .await;
    assert!(env.stored_credentials(&env.ben).await.is_none());
    env.assert_clean().await;
}

#[tokio::test]
async fn forgetting_while_a_form_is_being_tried_wins() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let form = env.open_form(&env.ana, &kept, "Replace").await;
    env.s3.hang();
    let submitted = env.ana.submit(&form, &PERMANENT_CREDENTIALS).await.unwrap();
    submitted.acknowledgement().await;
    let question = env.reply_to(&env.ana, "/duck forget").await;
    let pressed = env.ana.press(&question, "Delete").await.unwrap();
    pressed
        .until(|reply| reply.content == "Your saved credentials were deleted.")
        .await;
    submitted.reply().await;
    assert!(env.stored_credentials(&env.ana).await.is_none());
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_is_starting_cannot_start_without_its_credentials() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let (starting, _) = env.start_session(&env.ana, "").await;
    let question = env.reply_to(&env.ana, "/duck forget").await;
    let pressed = env.ana.press(&question, "Delete only").await.unwrap();
    let done = pressed
        .until(|reply| reply.content.contains("were deleted"))
        .await;
    assert_eq!(done.content, "Your saved credentials were deleted.");
    starting
        .until(|reply| reply.content.contains("was stopped"))
        .await;
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn credentials_that_are_entered_again_leave_a_running_session_its_key() {
    let work = ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/work");
    let env = TestEnv::start_with(&[work]).await;
    env.enter_credentials(&env.ana).await;
    env.ready_session(&env.ana).await;
    let key = async || {
        let stored = env.stored_credentials(&env.ana).await.unwrap();
        stored.data.unwrap().remove("work-key")
    };
    let before = key().await;
    assert!(before.is_some());
    let question = env.reply_to(&env.ana, "/duck forget").await;
    let pressed = env.ana.press(&question, "Delete only").await.unwrap();
    pressed
        .until(|it| it.content.contains("were deleted"))
        .await;
    env.enter_credentials(&env.ana).await;
    // A container that is started again reads it.
    assert_eq!(key().await, before);
    env.assert_clean().await;
}
