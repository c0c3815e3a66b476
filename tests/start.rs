//! Tests of `/duck start`.

use std::time::Duration;

use discord_loopback::MessageView;
use futures_util::future::join_all;
use test_support::{ApiFault, PERMANENT_CREDENTIALS, TestEnv, assert_says, link_of, session_id_in};

#[tokio::test]
async fn ana_starts_a_session_and_the_channel_shows_its_url() {
    let env = TestEnv::start().await;
    env.enter_credentials(&env.ana).await;

    let (asked, id) = env.start_session(&env.ana, "size:large catalog:pond").await;
    env.kubelet.schedule(&id).await;
    let progress = asked
        .until(|reply| reply.content.contains("a cluster node is preparing it"))
        .await;
    assert!(progress.ephemeral && progress.content.contains("(large, `pond`)"));

    env.kubelet.mark_ready(&id).await;
    let url = format!("<https://duckui-{id}.duck.example.com/>");
    let ready = asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    // The message in the channel has the link.
    assert_eq!(ready.content, format!("Session `{id}` is ready."));
    assert!(ready.button("Open").is_some());

    let announced = env.ana.read("#data").await;
    assert!(announced.content.contains(&url));
    assert_eq!(announced.mentions, [env.ana.id()]);
    env.cluster
        .wait_for_stage(&env.record_name(&env.ana, 0), "running")
        .await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    let pod = env
        .cluster
        .pods()
        .get(&format!("duckui-{id}"))
        .await
        .unwrap();
    let limits = pod.spec.unwrap().containers[0]
        .resources
        .clone()
        .unwrap()
        .limits
        .unwrap();
    assert_eq!(limits["memory"].0, "16Gi");
    env.assert_clean().await;
}

#[tokio::test]
async fn the_button_open_works_as_soon_as_the_url_is_posted() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    // The record can't say yet that the session runs.
    env.api.set_faults(|call| {
        let is_record = call.method == "PUT" && call.route == "configmaps/{name}";
        is_record.then(|| ApiFault::Answer(500, "not now".into()))
    });
    env.kubelet.mark_ready(&id).await;
    let announced = env.ana.read("#data").await;
    let pressed = env.ana.press(&announced, "Open").await.unwrap();
    let link = link_of(&pressed.reply().await, "Open DuckDB");
    assert!(link.starts_with(&format!("https://duckui-{id}.duck.example.com/")));
    env.api.clear_faults();
    asked.until(|it| it.content.contains("is ready")).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_starts_although_the_bot_can_not_reach_its_door() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet.mark_ready_without_door(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    let says = format!("session {id}: the bot can't reach its door at ");
    assert!(env.log().contains(&says));
    env.assert_clean().await;
}

#[tokio::test]
async fn without_credentials_a_form_opens_and_the_session_starts_once_they_work() {
    let env = TestEnv::start().await;
    let asked = env.ana.run_command("#data", "/duck start size:large").await;
    let form = asked.unwrap().modal().await;
    let [(id_field, id), (secret_field, secret)] = PERMANENT_CREDENTIALS;
    let wrong = [(id_field, id), (secret_field, "not/the/secret/of/this/key")];
    let refused = env.ana.submit(&form, &wrong).await.unwrap().reply().await;
    assert_says(&refused, "so they were not saved");
    env.assert_nothing_left().await;

    let form = env.open_form(&env.ana, &refused, "Enter credentials").await;
    let right = [(id_field, id), (secret_field, secret)];
    let sent = env.ana.submit(&form, &right).await.unwrap();
    let starting = sent
        .until(|it| it.content.contains("Starting session"))
        .await;
    assert_says(
        &starting,
        "(access key ID ending in `WXYZ`) were checked and saved.\n",
    );
    assert_says(&starting, "(large, `lake`)");
    let session = session_id_in(starting.content.split_once('\n').unwrap().1);
    env.kubelet.mark_ready(&session).await;
    sent.until(|it| it.content.contains("is ready")).await;
    assert_says(&env.ana.read("#data").await, &session);
    env.assert_clean().await;
}

#[tokio::test]
async fn if_the_cluster_is_slow_a_button_opens_the_form_and_keeps_the_options() {
    let env = TestEnv::start().await;
    env.api.set_faults(|call| {
        let is_credentials = call.method == "GET" && call.route == "secrets/{name}";
        is_credentials.then(|| ApiFault::Hang(Duration::from_secs(3)))
    });
    let asked = env.ana.run_command("#data", "/duck start size:large").await;
    let asked = asked.unwrap();
    asked.acknowledgement().await;
    assert!(asked.modal_if_any().is_none());
    env.api.set_faults(|_| None);
    let reply = asked.reply().await;
    assert_says(
        &reply,
        "You have no saved S3 credentials, and the catalog `lake` requires them. Enter them",
    );
    let sent = env.open_form(&env.ana, &reply, "Enter credentials").await;
    let sent = env.ana.submit(&sent, &PERMANENT_CREDENTIALS).await.unwrap();
    let starting = sent
        .until(|it| it.content.contains("(large, `lake`)"))
        .await;
    let session = session_id_in(starting.content.split_once('\n').unwrap().1);
    env.kubelet.mark_ready(&session).await;
    env.ana.read("#data").await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_size_or_catalog_that_is_not_there_is_answered_with_those_that_are() {
    let env = TestEnv::start().await;
    for (options, answer) in [
        (
            "size:huge",
            "There is no size `huge`. Choose one of: `small`, `large`.",
        ),
        (
            "catalog:sea",
            "There is no catalog `sea`. Choose one of: `lake`, `pond`.",
        ),
    ] {
        let line = format!("/duck start {options}");
        let asked = env.ana.run_command("#data", &line).await.unwrap();
        assert_eq!(asked.reply().await.content, answer);
    }
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn sizes_and_catalogs_are_suggested_while_typing() {
    let env = TestEnv::start().await;
    let sizes = env
        .ana
        .complete("#data", "/duck start size:")
        .await
        .unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        sizes,
        [
            pair("small: 1 CPU, 4Gi memory", "small"),
            pair("large: 4 CPU, 16Gi memory", "large"),
        ]
    );
    let catalogs = env
        .ana
        .complete("#data", "/duck start catalog:LA")
        .await
        .unwrap();
    assert_eq!(catalogs, [pair("lake", "lake")]);
    env.assert_clean().await;
}

#[tokio::test]
async fn one_that_runs_already_is_offered_first_and_another_up_to_the_quota() {
    let env = TestEnv::start().await;
    let first = env.ready_session(&env.ana).await;

    let offer = env.reply_to(&env.ana, "/duck start").await;
    assert!(
        offer.content.starts_with("You already have a session:"),
        "{}",
        offer.content
    );
    assert!(
        offer
            .content
            .contains(&format!("https://duckui-{first}.duck.example.com/"))
    );

    let another = env.ana.press(&offer, "Start another").await.unwrap();
    let second = session_id_in(&another.reply().await.content);
    env.kubelet.mark_ready(&second).await;
    another
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;

    let full = env.reply_to(&env.ana, "/duck start").await;
    assert_says(&full, "You have reached your session limit.");
    assert!(full.button("Start another").is_none());
    for label in [format!("Open {first}"), format!("Stop {second}")] {
        assert!(full.button(&label).is_some(), "{label}");
    }
    // The old button can still be pressed, and starts nothing twice.
    let pressed = env.ana.press(&offer, "Start another").await.unwrap();
    let again = format!("Session `{second}` in **main-2** is ready.");
    assert_says(&pressed.reply().await, &again);
    env.assert_clean().await;
}

#[tokio::test]
async fn fifty_starts_at_once_make_exactly_the_quota() {
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__PER_USER", "3")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let asked = join_all((0..50).map(|_| env.ana.run_command("#data", "/duck start"))).await;
    let replies = join_all(asked.iter().map(|asked| asked.as_ref().unwrap().reply())).await;

    let (refused, started): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| {
        reply.content.starts_with("You already have 3 sessions (")
            && reply.content.contains(", and the limit is 3.")
    });
    assert_eq!((started.len(), refused.len()), (3, 47));
    let records = env.cluster.documents().await;
    assert_eq!(records.len(), 3);

    // All three sessions become ready, and each is announced once.
    let quick = env.kubelet.ready_all_pods();
    for _ in 0..3 {
        env.ana.read("#data").await;
    }
    for asked in asked.iter().flatten() {
        asked.until(|reply| !reply.content.contains('…')).await;
    }
    quick.abort();
    assert_eq!(env.discord.history("#data").len(), 3);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_pod_that_fails_ends_the_session_and_everybody_concerned_knows_why() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet
        .mark_failed(&id, "The node was low on memory.")
        .await;

    let answer = asked
        .until(|reply| reply.content.contains("has failed"))
        .await;
    assert_says(&answer, "The node was low on memory.");
    env.wait_until_nothing_left(&env.ana).await;
    assert!(env.discord.unread().is_empty(), "told twice");
    env.assert_clean().await;
}

#[tokio::test]
async fn start_another_pressed_twice_starts_one() {
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__PER_USER", "3")]).await;
    env.ready_session(&env.ana).await;
    let offer = env.reply_to(&env.ana, "/duck start").await;
    let button = offer
        .button("Start another")
        .unwrap()
        .custom_id
        .clone()
        .unwrap();
    let presses = [0, 1].map(|_| env.ana.press_custom_id(offer.id, &button));
    let pressed: Vec<_> = join_all(presses)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let is_starting = |it: &MessageView| it.content.contains("Starting session");
    let replies = join_all(pressed.iter().map(|it| it.until(is_starting))).await;
    let second = session_id_in(&replies[0].content);
    assert_eq!(session_id_in(&replies[1].content), second);
    env.kubelet.mark_ready(&second).await;
    for pressed in &pressed {
        pressed.until(|it| it.content.contains("is ready")).await;
    }
    env.ana.read("#data").await;
    assert_eq!(env.cluster.documents().await.len(), 2);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_named_workspace_is_started_besides_others_and_only_once() {
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__PER_USER", "3")]).await;
    let first = env.ready_session(&env.ana).await;
    let line = "/duck start workspace:sales size:large";
    let asked = join_all((0..2).map(|_| env.ana.run_command("#data", line))).await;
    let replies = join_all(asked.iter().map(|asked| asked.as_ref().unwrap().reply())).await;
    let is_refused = |it: &&MessageView| it.content.contains("workspace **sales** is open in");
    let (refused, started): (Vec<_>, Vec<_>) = replies.iter().partition(is_refused);
    let ([refused], [started]) = (&refused[..], &started[..]) else {
        panic!("{replies:?}")
    };
    let second = session_id_in(&started.content);
    assert_says(
        started,
        &format!("Starting session `{second}` in **sales** (large, `lake`)"),
    );
    assert_says(refused, &format!("is open in session `{second}`."));
    env.kubelet.mark_ready(&second).await;
    let announced = env.ana.read("#data").await;
    assert_says(&announced, &format!("Session `{second}` in **sales** ("));
    env.ana.press(refused, "Open").await.unwrap().reply().await;

    let list = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&list, &format!("- `{first}` of"));
    assert_says(&list, &format!("- `{second}` in **sales** of"));
    let suggested = env.ana.complete("#data", "/duck start workspace:sa");
    let (label, value) = &suggested.await.unwrap()[0];
    assert!(label.starts_with(&format!("sales (session {second}, ")) && value == "sales");
    let fresh = "/duck start workspace:sales fresh:true";
    let open = env.reply_to(&env.ana, fresh).await;
    assert_says(
        &open,
        "To start it without saved work, first stop that session.",
    );
    let invalid = env.reply_to(&env.ana, "/duck start workspace:Sales").await;
    assert_says(&invalid, "`Sales` can't be the name of a workspace: ");

    // While the session stops, a start of its workspace waits.
    let stop = format!("/duck stop session:{second}");
    let question = env.reply_to(&env.ana, &stop).await;
    let pressed = env.ana.press(&question, "Stop it").await.unwrap();
    let stopping = |it: &MessageView| it.content.contains("stop");
    pressed.until(stopping).await;
    let again = env.ana.run_command("#data", fresh).await.unwrap();
    let third = again
        .until(|it| it.content.contains("Starting session"))
        .await;
    let third = session_id_in(&third.content);
    let record = format!("duckui-{}-sales", env.ana.id());
    env.kubelet.mark_ready(&third).await;
    env.cluster.wait_for_stage(&record, "running").await;
    let documents = env.cluster.documents().await;
    let restores = documents
        .iter()
        .map(|it| (&it["workspace"], &it["restore"]));
    let mut restores: Vec<_> = restores.map(|it| format!("{} {}", it.0, it.1)).collect();
    restores.sort();
    assert_eq!(restores, ["\"main\" \"latest\"", "\"sales\" \"nothing\""]);
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_a_larger_quota_allowed_still_counts() {
    let mut env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__PER_USER", "3")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let mut started = Vec::new();
    for _ in 0..3 {
        started.push(env.start_session(&env.ana, "").await);
    }
    let (asked, first) = started.remove(0);
    let line = format!("/duck stop session:{first}");
    let question = env.reply_to(&env.ana, &line).await;
    env.confirm_stop(&env.ana, &question).await;
    asked
        .until(|reply| reply.content.contains("was stopped by its owner"))
        .await;

    env.kill_bot().await;
    env.variables
        .insert("DUCKBOT_SESSIONS__PER_USER".into(), "2".into());
    env.start_bot().await;
    let full = env.reply_to(&env.ana, "/duck start").await;
    assert!(
        full.content.starts_with("You already have 2 sessions (")
            && full.content.contains(", and the limit is 2."),
        "{}",
        full.content
    );
    env.mark_all_read().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_occupies_its_workspace_and_is_in_the_log() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let name = env.record_name(&env.ana, 0);
    let labels = serde_json::json!({
        "app.kubernetes.io/managed-by": "duckbot", "app.kubernetes.io/name": "duckui",
    });
    let record = serde_json::from_value(serde_json::json!({
        "metadata": { "name": name, "labels": labels },
        "data": { "record.json": "{\"version\":1,\"id\":\"quack\"}" },
    }));
    env.cluster
        .records()
        .create(&Default::default(), &record.unwrap())
        .await
        .unwrap();

    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet.mark_ready(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    let second = env.record_name(&env.ana, 1);
    env.cluster.wait_for_stage(&second, "running").await;
    assert!(env.log().contains(&format!("record {name} can't be read")));
    env.assert_clean().await;
}

#[tokio::test]
async fn a_session_that_is_not_ready_in_time_is_taken_down() {
    // The bot waits for the deadline with a timer, which stays real with a fake clock.
    let env = TestEnv::start_with(&[("DUCKBOT_SESSIONS__START_TIMEOUT", "1s")]).await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, _) = env.start_session(&env.ana, "").await;
    asked
        .until(|reply| reply.content.contains("was not ready within 1 second"))
        .await;
    assert!(env.discord.unread().is_empty(), "told twice");
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn an_ingress_instead_of_traefik_is_a_setting() {
    let env = TestEnv::start_with(&[("DUCKBOT_ROUTING__KIND", "ingress")]).await;
    let id = env.ready_session(&env.ana).await;
    let objects = env.cluster.objects().await;
    assert!(
        objects.contains(&format!("ingresses/duckui-{id}")),
        "{objects:?}"
    );
    assert!(
        !objects
            .iter()
            .any(|name| name.starts_with("ingressroutes/"))
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn what_somebody_deletes_under_a_running_session_is_made_again() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let name = format!("duckui-{id}");
    let old = env.cluster.services().get(&name).await.unwrap();
    env.cluster
        .services()
        .delete(&name, &Default::default())
        .await
        .unwrap();
    let is_new = move |it: Option<&k8s_openapi::api::core::v1::Service>| {
        it.is_some_and(|it| it.metadata.uid != old.metadata.uid)
    };
    let made = kube::runtime::wait::await_condition(env.cluster.services(), &name, is_new);
    tokio::time::timeout(std::time::Duration::from_secs(20), made)
        .await
        .unwrap()
        .unwrap();
    env.assert_clean().await;
}

#[test]
fn the_harness_writes_records_of_the_bots_version() {
    assert_eq!(
        test_support::RECORD_VERSION,
        duckbot::session::RECORD_VERSION
    );
}
