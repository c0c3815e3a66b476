//! Tests of `/duck setup`: the private form, and the accepted credentials.

use kube::ResourceExt;
use test_support::{CREDENTIALS, PERMANENT_CREDENTIALS, TestEnv, assert_says, session_id_in};

#[tokio::test]
async fn ana_enters_her_credentials_in_private_and_reads_only_four_characters() {
    let env = TestEnv::start().await;
    let reply = env.reply_to(&env.ana, "/duck setup").await;
    assert!(reply.ephemeral && reply.content.starts_with("I've sent you a direct message"));

    let invitation = env.ana.read_dm().await;
    let form = env
        .open_form(&env.ana, &invitation, "Enter credentials")
        .await;
    let labels: Vec<_> = form
        .inputs
        .iter()
        .map(|input| input.label.as_str())
        .collect();
    assert_eq!(labels[..4], CREDENTIALS.map(|(label, _)| label));
    assert_eq!(labels[4], "Session token expires");
    // The other fields may be empty, because a paste into the first one may have their values.
    let required: Vec<_> = form.inputs.iter().map(|input| input.required).collect();
    assert_eq!(required, [true, false, false, false, false]);
    assert_eq!(
        form.inputs[1].placeholder,
        "Nothing, if it is in your paste"
    );

    let stored = env
        .ana
        .submit(&form, &CREDENTIALS)
        .await
        .unwrap()
        .reply()
        .await;
    assert_eq!(
        stored.content,
        "Your S3 credentials (access key ID ending in `4D7Q`) and your catalog token were checked and saved."
    );
    assert!(stored.button("Start a session").is_some());
    let secret = env
        .stored_credentials(&env.ana)
        .await
        .expect("the credentials are stored");
    let values = secret.data.clone().unwrap();
    let stored: Vec<_> = values
        .iter()
        .map(|(k, v)| (k.as_str(), v.0.as_slice()))
        .collect();
    assert_eq!(
        stored,
        [
            ("catalog-token", CREDENTIALS[3].1.as_bytes()),
            ("s3-access-key-id", CREDENTIALS[0].1.as_bytes()),
            ("s3-secret-access-key", CREDENTIALS[1].1.as_bytes()),
            ("s3-session-token", CREDENTIALS[2].1.as_bytes()),
        ]
    );
    assert_eq!(
        secret.labels()["duckbot.dev/owner"],
        env.ana.id().to_string()
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn with_direct_messages_closed_the_button_is_in_a_reply_that_only_ana_sees() {
    let env = TestEnv::start().await;
    env.ana.close_dms();
    let reply = env.reply_to(&env.ana, "/duck setup").await;
    assert!(reply.ephemeral && reply.content.contains("couldn't send you a direct message"));

    let stored = env
        .fill_form(&env.ana, &reply, &PERMANENT_CREDENTIALS)
        .await;
    assert!(
        stored.ephemeral && stored.content.contains("ending in `WXYZ`"),
        "{}",
        stored.content
    );
    assert_eq!(env.discord.history("#data"), []);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_refused_direct_message_is_not_tried_again_until_the_person_writes_one() {
    let env = TestEnv::start().await;
    env.ana.close_dms();
    for _ in 0..3 {
        env.reply_to(&env.ana, "/duck setup").await;
    }
    let tries = |env: &TestEnv| {
        let calls = env.discord.calls();
        calls
            .iter()
            .filter(|call| call.route == "/channels/{channel}/messages")
            .count()
    };
    assert_eq!(tries(&env), 1);

    env.ana.open_dms();
    env.ana.write_dm("hello?");
    env.ana.read_dm().await;
    let reply = env.reply_to(&env.ana, "/duck setup").await;
    assert!(reply.content.starts_with("I've sent you a direct message"));
    env.ana.read_dm().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_paste_into_the_first_field_will_do() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let form = env
        .open_form(&env.ana, &invitation, "Enter credentials")
        .await;
    let hint = &form.inputs[0].placeholder;
    assert!(hint.contains("paste everything here"), "{hint}");

    let [(_, id), (_, secret)] = PERMANENT_CREDENTIALS;
    for paste in [
        format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
        // What a browser makes of three lines in an input of one.
        format!("# lake keys of ana AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} "),
        format!("set -gx AWS_ACCESS_KEY_ID {id} set -gx AWS_SECRET_ACCESS_KEY {secret}"),
        format!("Access key ID,Secret access key\r\n{id},{secret}\r\n"),
        format!(
            r#"{{"keys":[{{"user":"ana","access_key":"{id}","secret_key":"{}"}}]}}"#,
            secret.replace('/', r"\/")
        ),
    ] {
        let stored = env
            .fill_form(&env.ana, &invitation, &[("Access key ID", &paste)])
            .await;
        assert_says(&stored, "ending in `WXYZ`) were checked and saved.");
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn a_paste_that_is_not_clear_is_refused_with_the_place() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let [(_, id), (_, secret)] = PERMANENT_CREDENTIALS;
    let (first, second) = secret.split_at(10);
    for (paste, answer) in [
        (
            format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={first}\n{second}\n"),
            "**Secret access key** has a line break or a space after character 10,",
        ),
        (
            format!(
                "[lake]\naws_access_key_id={id}\naws_secret_access_key={secret}\n\
                 [prod]\naws_access_key_id={id}2\naws_secret_access_key={secret}2\n"
            ),
            "**Access key ID** was entered more than once, with different values, for `lake`, `prod`.",
        ),
    ] {
        let refused = env
            .fill_form(&env.ana, &invitation, &[("Access key ID", &paste)])
            .await;
        assert_says(&refused, answer);
    }
    assert!(env.stored_credentials(&env.ana).await.is_none());

    let paste =
        format!("Access Key: {id}\nSecret Key: {secret}\nExpiration: on the feast of St. Martin\n");
    let stored = env
        .fill_form(&env.ana, &invitation, &[("Access key ID", &paste)])
        .await;
    assert_says(
        &stored,
        "I didn't understand the time of expiry in your paste",
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn an_unknown_catalog_is_said_before_anything_is_asked_for() {
    let env = TestEnv::start().await;
    let reply = env.reply_to(&env.ana, "/duck setup catalog:sea").await;
    assert!(
        reply.content.starts_with("There is no catalog `"),
        "{}",
        reply.content
    );
    assert_eq!(env.ana.visible_dms(), []);
    env.assert_clean().await;
}

#[tokio::test]
async fn replacing_replaces_everything_and_a_form_sent_twice_changes_nothing() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;

    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let form = env.open_form(&env.ana, &kept, "Replace").await;
    let twice = [0, 1].map(|_| env.ana.submit(&form, &PERMANENT_CREDENTIALS));
    for submitted in futures_util::future::join_all(twice).await {
        let stored = submitted.unwrap().reply().await;
        assert_says(&stored, "ending in `WXYZ`");
    }
    let secret = env
        .stored_credentials(&env.ana)
        .await
        .expect("the credentials are stored");
    let names: Vec<_> = secret.data.unwrap().into_keys().collect();
    assert_eq!(names, ["s3-access-key-id", "s3-secret-access-key"]);
    env.assert_clean().await;
}

#[tokio::test]
async fn the_form_of_an_old_button_works_after_a_restart() {
    let mut env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let form = env
        .open_form(&env.ana, &invitation, "Enter credentials")
        .await;
    env.kill_bot().await;
    env.start_bot().await;
    let stored = env
        .ana
        .submit(&form, &PERMANENT_CREDENTIALS)
        .await
        .unwrap()
        .reply()
        .await;
    assert_says(&stored, "ending in `WXYZ`");
    env.assert_clean().await;
}

#[tokio::test]
async fn direct_messages_closed_between_button_and_answer_change_nothing() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let form = env
        .open_form(&env.ana, &invitation, "Enter credentials")
        .await;
    env.ana.close_dms();
    let stored = env
        .ana
        .submit(&form, &PERMANENT_CREDENTIALS)
        .await
        .unwrap()
        .reply()
        .await;
    assert_says(&stored, "ending in `WXYZ`");
    env.assert_clean().await;
}

#[tokio::test]
async fn unusable_credentials_are_rejected_by_field_and_nothing_is_stored() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ana).await;
    let long = "canary".repeat(667)[..4000].to_owned();
    for (typed, answer) in [
        (
            ["AKIA CANARY", "s", "", ""],
            "**Access key ID** contains a space or a line break: a space at character 5.",
        ),
        (
            ["AKIACANARY", "ca\nnary", "", ""],
            "**Secret access key** contains a space or a line break: a line break at character 3.",
        ),
        (
            [&long, "s", "", ""],
            "**Access key ID** is 4000 characters long",
        ),
        (["  ", "s", "", ""], "**Access key ID** is empty"),
        (
            ["AKIACANARY", "can\u{e4}ry", "", ""],
            "**Secret access key** contains a character that is not allowed: `\u{e4}` (U+00E4) at character 4.",
        ),
    ] {
        let form = env
            .open_form(&env.ana, &invitation, "Enter credentials")
            .await;
        let ids: Vec<_> = form
            .inputs
            .iter()
            .map(|input| input.custom_id.clone())
            .collect();
        let values: Vec<_> = ids.iter().map(String::as_str).zip(typed).collect();
        let reply = env
            .ana
            .submit_raw(&form, &values)
            .await
            .unwrap()
            .reply()
            .await;
        assert!(
            reply
                .content
                .contains("Your S3 credentials were not saved:")
                && reply.content.contains(answer)
        );
        assert!(
            !reply.content.to_lowercase().contains("canary"),
            "{}",
            reply.content
        );
    }
    assert!(env.stored_credentials(&env.ana).await.is_none());
    assert_eq!(
        env.s3.requests(),
        [""; 0],
        "malformed credentials must not be sent anywhere"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn somebody_who_lost_the_role_can_hand_in_nothing_by_direct_message() {
    let env = TestEnv::start().await;
    let invitation = env.request_invitation(&env.ben).await;
    env.discord.revoke("ben", "analyst");

    let form = env
        .open_form(&env.ben, &invitation, "Enter credentials")
        .await;
    let reply = env
        .ben
        .submit(&form, &CREDENTIALS)
        .await
        .unwrap()
        .reply()
        .await;
    assert!(
        reply
            .content
            .starts_with("To use this bot, you need the role <@&"),
        "{}",
        reply.content
    );

    env.discord.leave_guild("ben");
    let reply = env
        .ben
        .submit(&form, &CREDENTIALS)
        .await
        .unwrap()
        .reply()
        .await;
    assert_eq!(
        reply.content,
        "To use this bot, you must be a member of the server that it belongs to."
    );
    assert!(env.stored_credentials(&env.ben).await.is_none());
    assert_eq!(
        env.s3.requests(),
        [""; 0],
        "credentials of a person without access must not be sent anywhere"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_text_in_private_is_answered_with_the_button_and_a_key_with_a_warning() {
    let env = TestEnv::start().await;
    env.ana.write_dm("hello, how do I start?");
    let answer = env.ana.read_dm().await;
    assert!(answer.button("Enter credentials").is_some());
    assert!(!answer.content.contains("may contain credentials"));

    env.ana.write_dm(CREDENTIALS[1].1);
    env.ana.write_dm("aws_secret_access_key = whatever");
    for _ in 0..2 {
        let answer = env.ana.read_dm().await;
        assert_says(&answer, "**Your message may contain credentials.**");
        assert!(
            answer
                .content
                .contains("Delete your message (a bot can't do that for you)")
        );
    }
    assert!(env.stored_credentials(&env.ana).await.is_none());

    env.gil.write_dm("hello?");
    let answer = env.gil.read_dm().await;
    let text = &answer.content;
    assert!(
        text.starts_with("To use this bot, you need the role <@&"),
        "{text}"
    );
    assert!(answer.button("Enter credentials").is_none());
    env.assert_clean().await;
}

#[tokio::test]
async fn a_text_in_private_of_a_person_with_credentials_is_no_invitation_to_enter_some() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    env.ana.write_dm("/duck start");
    let answer = env.ana.read_dm().await;
    assert_says(&answer, "My commands work only in the server");
    assert_says(
        &answer,
        "(access key ID ending in `4D7Q`) and your catalog token were saved <t:",
    );
    assert!(answer.button("Enter credentials").is_none());

    let pressed = env.ana.press(&answer, "Start a session").await.unwrap();
    let starting = pressed
        .until(|it| it.content.contains("Starting session"))
        .await;
    let session = session_id_in(&starting.content);
    env.kubelet.mark_ready(&session).await;
    pressed.until(|it| it.content.contains("is ready")).await;
    assert_says(&env.ana.read_dm().await, "Your DuckDB is ready");
    assert_eq!(env.discord.history("#data"), []);
    env.assert_clean().await;
}
