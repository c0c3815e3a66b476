//! Tests of `/duck stop`, and of the audit log.

use test_support::{TestEnv, assert_says, session_id_in};

#[tokio::test]
async fn ana_stops_her_only_session_after_reading_what_is_lost() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;

    let question = env.reply_to(&env.ana, "/duck stop").await;
    assert!(
        question.ephemeral
            && question
                .content
                .contains("Tables and notebooks that are not saved elsewhere will be lost.")
    );
    assert_eq!(
        env.cluster.objects().await.len(),
        4,
        "nothing must happen before the confirmation"
    );

    let pressed = env.ana.press(&question, "Stop it").await.unwrap();
    let done = pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
    assert_eq!(
        done.content,
        format!("Session `{id}` is stopped and removed.")
    );
    assert!(done.button("Stop it").is_none());
    env.assert_nothing_left().await;

    // The message with the URL no longer offers it, and nobody was mentioned again.
    let [announced] = &env.discord.history("#data")[..] else {
        panic!("expected exactly one message")
    };
    assert!(announced.content.contains("was stopped by its owner"));
    assert!(!announced.content.contains("https://"));
    env.assert_clean().await;
}

#[tokio::test]
async fn keeping_it_changes_nothing() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    let pressed = env.ana.press(&question, "Keep it").await.unwrap();
    assert_eq!(
        pressed.reply().await.content,
        format!("Session `{id}` was not stopped.")
    );
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_is_still_starting_can_be_stopped() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (starting, id) = env.start_session(&env.ana, "").await;
    env.kubelet.wait_for_pod(&id).await;

    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    starting
        .until(|reply| reply.content.contains("was stopped by its owner"))
        .await;
    assert!(env.discord.unread().is_empty(), "told twice");
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn pressing_twice_is_fine_and_a_button_outlives_the_bot() {
    let mut env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    let custom_id = question
        .button("Stop it")
        .unwrap()
        .custom_id
        .clone()
        .unwrap();
    env.kill_bot().await;
    env.start_bot().await;

    let first = env
        .ana
        .press_custom_id(question.id, &custom_id)
        .await
        .unwrap();
    let second = env
        .ana
        .press_custom_id(question.id, &custom_id)
        .await
        .unwrap();
    first.acknowledgement().await;
    second.acknowledgement().await;
    let is_over = |text: &str| text.contains("is stopped") || text.contains("It may have ended.");
    env.discord
        .wait_edited(question.id, |reply| is_over(&reply.content))
        .await;
    env.cluster
        .wait_until_gone(&env.record_name(&env.ana, 0))
        .await;

    let late = env
        .ana
        .press_custom_id(question.id, &custom_id)
        .await
        .unwrap();
    late.acknowledgement().await;
    let answer = format!("There is no session `{id}`. It may have ended.");
    env.discord
        .wait_edited(question.id, |reply| reply.content.starts_with(&answer))
        .await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn another_persons_session_is_theirs_but_an_admin_may_and_the_owner_is_told() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let line = format!("/duck stop session:{id}");

    let asked = env.ben.run_command("#data", &line).await.unwrap();
    assert!(
        asked
            .reply()
            .await
            .content
            .contains("belongs to someone else")
    );
    let choices = env
        .ben
        .complete("#data", "/duck stop session:")
        .await
        .unwrap();
    assert_eq!(choices, []);

    let choices = env
        .ada
        .complete("#data", "/duck stop session:")
        .await
        .unwrap();
    assert_eq!(
        choices,
        [(format!("{id} (ana, small, running)"), id.clone())]
    );
    let question = env.reply_to(&env.ada, &line).await;

    // Ben copies the ID of Ada's button, but his own rights count.
    let forged = format!("duckbot:stop:{id}");
    let pressed = env.ben.press_custom_id(question.id, &forged).await.unwrap();
    pressed.acknowledgement().await;
    env.discord
        .wait_edited(question.id, |reply| {
            reply.content.contains("belongs to someone else")
        })
        .await;
    assert_eq!(env.cluster.objects().await.len(), 4);

    let pressed = env.ada.press_custom_id(question.id, &forged).await.unwrap();
    pressed.acknowledgement().await;
    env.discord
        .wait_edited(question.id, |reply| reply.content.contains("is stopped"))
        .await;
    let told = env.ana.read("#data").await;
    assert_eq!(told.mentions, [env.ana.id()]);
    assert!(
        told.content
            .contains(&format!("was stopped by <@{}>.", env.ada.id()))
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_wrong_id_or_none_to_stop_is_said() {
    let env = TestEnv::start().await;
    for (line, answer) in [
        ("/duck stop", "You have no session to stop."),
        ("/duck stop session:abcdef", "There is no session `abcdef`"),
        ("/duck stop session:quack", "`quack` is not a session ID."),
    ] {
        let reply = env.reply_to(&env.ana, line).await;
        assert!(reply.content.starts_with(answer), "{}", reply.content);
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn with_two_sessions_each_command_offers_both_and_the_list_has_buttons() {
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__PER_USER", "2")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (one, first) = env.start_session(&env.ana, "").await;
    let (two, second) = env.start_session(&env.ana, "").await;
    let full = env.reply_to(&env.ana, "/duck start size:large").await;
    assert_says(
        &full,
        "and the limit is 2. To start another session, first stop one.",
    );
    for (asked, id) in [(one, &first), (two, &second)] {
        env.kubelet.mark_ready(id).await;
        asked
            .until(|reply| reply.content.contains("is ready"))
            .await;
        env.ana.read("#data").await;
    }
    for (line, question, answer) in [
        ("/duck open", "open", "Your link to session"),
        ("/duck status", "look at", "running, small, `lake`"),
        (
            "/duck extend duration:3h",
            "extend",
            "was extended by 3 hours.",
        ),
        (
            "/duck stop",
            "stop",
            "**Tables and notebooks that are not saved",
        ),
    ] {
        let which = env.reply_to(&env.ana, line).await;
        assert_says(
            &which,
            &format!("You have 2 sessions. Which one do you want to {question}?"),
        );
        assert_says(&which, &format!("\n- `{first}` of <@"));
        assert_says(&which, &format!("\n- `{second}` in **main-2** of <@"));
        let label = format!("{second} in main-2");
        let pressed = env.ana.press(&which, &label).await.unwrap();
        let said = pressed.until(|it| it.content.contains(answer)).await;
        assert_says(&said, &second);
    }

    let list = env.reply_to(&env.ana, "/duck list").await;
    for label in ["Open", "Extend", "Stop"] {
        assert!(list.button(&format!("{label} {first}")).is_some());
    }
    let pressed = env.ana.press(&list, &format!("Stop {first}")).await;
    let question = pressed.unwrap().reply().await;
    env.confirm_stop(&env.ana, &question).await;
    // The refused start goes on with its options.
    let again = env.ana.press(&full, "Try again").await.unwrap();
    let third = again
        .until(|it| it.content.contains("(large, `lake`)"))
        .await;
    let third = session_id_in(&third.content);
    env.kubelet.mark_ready(&third).await;
    env.ana.read("#data").await;
    let seen_by_ben = env.reply_to(&env.ben, "/duck list all:True").await;
    assert_eq!(seen_by_ben.components.len(), 0);
    env.assert_clean().await;
}

#[tokio::test]
async fn who_did_what_stands_in_the_log() {
    let mut env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    env.reply_to(&env.ana, "/duck extend").await;
    let question = env
        .reply_to(&env.ada, &format!("/duck stop session:{id}"))
        .await;
    env.confirm_stop(&env.ada, &question).await;
    env.mark_all_read().await;
    let (ana, ada) = (env.ana.id(), env.ada.id());
    for (who, act) in [(ana, "started"), (ana, "extended"), (ada, "stopped")] {
        env.bot()
            .wait_for_log(&format!(": audit: {who} {act} {id}"))
            .await;
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn lines_of_a_log_are_json_if_asked_and_say_which_command_they_belong_to() {
    let settings = [
        ("DUCKBOT_LOG__FORMAT", "json"),
        // Audit lines are written whatever the filter says.
        ("DUCKBOT_LOG__FILTER", "duckbot=warn"),
    ];
    let mut env = TestEnv::without_bot(&settings).await;
    let audit = env.file("audit.log", "");
    let place = ("DUCKBOT_LOG__AUDIT".to_owned(), audit.clone());
    env.variables.extend([place]);
    env.start_bot().await;
    env.enter_credentials(&env.ana).await;
    let id = env.ready_session(&env.ana).await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    env.forget_credentials(&env.ana).await;
    // The bot ends with its audit log complete.
    assert_eq!(env.terminate_bot().await, Some(0));
    let read = |log: &str| -> Vec<serde_json::Value> {
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    let others = read(&env.log());
    assert!(others.iter().all(|line| line["target"] != "audit"));
    let acts = read(&std::fs::read_to_string(audit).unwrap());
    let said: Vec<_> = acts
        .iter()
        .map(|it| it["fields"]["act"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["started", "stopped", "forgot"]);
    assert_eq!(acts[0]["fields"]["what"], *id);
    assert_eq!(acts[0]["fields"]["who"], env.ana.id().to_string());
    assert_eq!(acts[0]["span"]["name"], "interaction");
    assert!(
        acts[0]["span"]["id"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .is_ok()
    );
    env.assert_clean().await;
}
