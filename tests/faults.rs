//! Messages to people when the cluster or Discord fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use discord_loopback::{BoxFuture, Interception, Interceptor, MessageView, RestCall, RestFault};
use test_support::{ApiFault, Bot, TestEnv, assert_says, link_of, wait_until};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_command_is_acknowledged_although_the_api_server_hangs() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    env.api
        .set_faults(|_| Some(ApiFault::Hang(Duration::from_secs(30))));
    let asked = env.ana.run_command("#data", "/duck start").await.unwrap();
    asked.acknowledgement().await;
    let reply = asked.reply().await;
    assert!(
        reply
            .content
            .starts_with("The cluster did not answer in time.")
    );
    assert!(reply.content.contains("(Reference: `"), "{}", reply.content);
    env.api.clear_faults();
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_makes_one_session() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let first = std::sync::atomic::AtomicBool::new(true);
    env.api.set_faults(move |call| {
        let is_claim = call.method == "POST" && call.route == "configmaps";
        let is_first = is_claim && first.swap(false, std::sync::atomic::Ordering::Relaxed);
        is_first.then_some(ApiFault::LostAnswer)
    });
    // The client repeats the call by itself, and finds its own record.
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet.mark_ready(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn creates_that_hang_do_not_hold_up_the_next_start() {
    // One more than are created at a time.
    const HANGING: usize = 13;
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let left = AtomicUsize::new(HANGING);
    env.api.set_faults(move |call| {
        let is_pod = call.method == "POST" && call.route == "pods";
        let take = || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        (is_pod && take().is_ok()).then_some(ApiFault::Hang(Duration::from_secs(60)))
    });
    let now = chrono::Utc::now().to_rfc3339();
    for number in 0..HANGING as u64 {
        let id = format!("{:06x}", 0xa0_0000 + number);
        env.create_record_in(None, &id, 1_000_000 + number, 0, &now)
            .await;
    }
    env.api.wait_for_call("POST", "pods", HANGING).await;
    env.ready_session(&env.ana).await;
    let log = env.log();
    assert!(!log.contains("got no answer within"), "they hang no more");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_link_that_discord_did_not_take_is_followed_by_a_new_one() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let edit = "/webhooks/{application}/{token}/messages/@original";
    let before = edits_of(&env, edit).len();
    env.discord
        .inject_fault(RestFault::cut_before("PATCH", edit));
    let opened = env.reply_to(&env.ana, "/duck open").await;
    let link = link_of(&opened, "Open DuckDB");
    assert!(link.contains(&id), "{link}");
    let edits = edits_of(&env, edit).split_off(before);
    assert_eq!(
        edits.len(),
        2,
        "expected one failed edit and one that succeeded"
    );
    assert_ne!(edits[0], edits[1], "each edit must have its own ticket");
    env.assert_clean().await;
}

fn edits_of(env: &TestEnv, route: &str) -> Vec<Option<serde_json::Value>> {
    let exchanges = env.discord.exchanges().into_iter();
    let edits = exchanges.filter(|it| it.method == "PATCH" && it.route == route);
    edits.map(|it| it.request).collect()
}

#[tokio::test]
async fn a_revoked_permission_is_named_and_nothing_is_left_behind() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let roles = env.cluster.roles();
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
    env.cluster.wait_until_forbidden("create", "services").await;

    let asked = env.ana.run_command("#data", "/duck start").await.unwrap();
    let reply = asked
        .until(|reply| reply.content.contains("could not be created"))
        .await;
    let lacking = format!(
        "an admin has to grant it: create services in the namespace {}.",
        env.cluster.sessions
    );
    assert_says(&reply, &lacking);
    let reference = reply.content.split("Reference: `").nth(1).unwrap()[..8].to_owned();
    assert!(
        env.log().contains(&reference),
        "the reference must be in the log"
    );
    assert!(env.discord.unread().is_empty(), "told twice");
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn what_admission_refuses_is_taken_down_again() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    env.api.set_faults(|call| {
        let is_pod = call.method == "POST" && call.route == "pods";
        is_pod.then(|| {
            ApiFault::Answer(
                403,
                "pods \"x\" is forbidden: exceeded quota: sessions".into(),
            )
        })
    });
    let asked = env.ana.run_command("#data", "/duck start").await.unwrap();
    let reply = asked
        .until(|reply| reply.content.contains("could not be created"))
        .await;
    assert_says(&reply, "The cluster's rules don't allow this.");
    assert!(env.discord.unread().is_empty(), "told twice");
    env.wait_until_nothing_left(&env.ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_running_session_is_not_ended_for_want_of_a_route() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    env.api.set_faults(|call| {
        let is_route = call.method == "POST" && call.route == "ingressroutes";
        is_route.then(|| ApiFault::Answer(404, "404 page not found".into()))
    });
    let name = format!("duckui-{id}");
    env.cluster
        .routes()
        .delete(&name, &Default::default())
        .await
        .unwrap();
    env.api.wait_for_call("POST", "ingressroutes", 3).await;
    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&listed, ": running,");
    env.api.clear_faults();
    let is_back = |it: Option<&kube::api::DynamicObject>| it.is_some();
    let back = kube::runtime::wait::await_condition(env.cluster.routes(), &name, is_back);
    tokio::time::timeout(Duration::from_secs(20), back)
        .await
        .unwrap()
        .unwrap();
    env.assert_clean().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_edited_any_more_does_not_hold_the_session() {
    let env = TestEnv::start().await;
    env.ready_session(&env.ana).await;
    let edit = "/channels/{channel}/messages/{message}";
    env.discord.inject_fault(RestFault::respond(
        "PATCH",
        edit,
        400,
        50083,
        "Thread is archived",
    ));
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn the_last_word_arrives_although_discord_stumbles() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    // After this reply, no other edit is on its way.
    asked
        .until(|reply| reply.content.contains("waiting for a cluster node"))
        .await;
    let edit = "/webhooks/{application}/{token}/messages/@original";
    let stumble = RestFault::cut_before("PATCH", edit);
    env.discord.inject_fault(stumble.times(2));
    env.kubelet.mark_ready(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_removed_pings_nobody_twice() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    env.api.set_faults(|call| {
        let is_removal = call.method == "DELETE" && call.route == "configmaps/{name}";
        is_removal.then(|| ApiFault::Answer(500, "etcd is ill".into()))
    });
    env.kubelet.mark_failed(&id, "why").await;
    env.ana.read("#data").await;
    env.api
        .wait_for_call("DELETE", "configmaps/{name}", 3)
        .await;
    let posts =
        |call: &&RestCall| call.method == "POST" && call.route == "/channels/{channel}/messages";
    assert_eq!(
        env.discord.calls().iter().filter(posts).count(),
        2,
        "expected two messages: ready, and ended"
    );
    env.api.clear_faults();
    env.cluster
        .wait_until_gone(&env.record_name(&env.ana, 0))
        .await;
    env.assert_clean().await;
}

/// Holds calls to a route of Discord until `go` is cancelled.
struct Held {
    method: &'static str,
    route: &'static str,
    arrived: Notify,
    go: CancellationToken,
}

impl Held {
    /// Holds the calls of this method and route from now on.
    fn start(env: &TestEnv, method: &'static str, route: &'static str) -> Arc<Self> {
        let held = Arc::new(Self {
            method,
            route,
            arrived: Notify::new(),
            go: CancellationToken::new(),
        });
        env.discord.set_interceptor(held.clone());
        held
    }
}

impl Interceptor for Held {
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async move {
            if call.method == self.method && call.route == self.route {
                self.arrived.notify_one();
                self.go.cancelled().await;
            }
            Interception::Continue
        })
    }

    fn after<'a>(&'a self, _: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async { Interception::Continue })
    }
}

#[tokio::test]
async fn stopped_while_its_url_is_being_posted_the_message_does_not_go_on_offering_it() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let held = Held::start(&env, "POST", "/channels/{channel}/messages");
    let (starting, id) = env.start_session(&env.ana, "").await;
    env.kubelet.mark_ready(&id).await;
    held.arrived.notified().await;

    let question = env.reply_to(&env.ana, "/duck stop").await;
    let pressed = env.ana.press(&question, "Stop it").await.unwrap();
    env.cluster
        .wait_for_stage(&env.record_name(&env.ana, 0), "stopping")
        .await;
    held.go.cancel();
    pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
    starting
        .until(|reply| reply.content.contains("was stopped"))
        .await;
    env.ana.read("#data").await;
    let [message] = &env.discord.history("#data")[..] else {
        panic!("expected exactly one message")
    };
    assert!(!message.content.contains("https://"), "{}", message.content);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_query_runner_that_is_gone_before_the_reply_shows_it_says_why() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let is_pod = |call: &RestCall| call.method == "POST" && call.route == "pods";
    let forbidden = || ApiFault::Answer(403, "pods \"x\" is forbidden: no".into());
    env.api.set_faults(move |call| is_pod(call).then(forbidden));
    let edits = "/webhooks/{application}/{token}/messages/@original";
    let held = Held::start(&env, "PATCH", edits);
    let line = "/duck sql query:SELECT 42";
    let asked = env.ana.run_command("#data", line).await.unwrap();
    held.arrived.notified().await;
    wait_until(async || env.cluster.objects().await, Vec::is_empty).await;
    held.go.cancel();
    let is_over = |it: &MessageView| it.content.contains("DuckDB could not start");
    let told = asked.until(is_over).await;
    assert_says(&told, "The cluster's rules don't allow this.");
    env.api.clear_faults();
    env.assert_clean().await;
}

#[tokio::test]
async fn one_interaction_delivered_twice_makes_one_session() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    env.discord.deliver_twice(1);
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet.mark_ready(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id)
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_in_the_channel_once() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    env.discord
        .inject_fault(RestFault::cut_after("POST", "/channels/{channel}/messages"));
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.kubelet.mark_ready(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    assert_eq!(env.discord.history("#data").len(), 1);
    env.assert_clean().await;
}

#[tokio::test]
async fn two_bots_at_once_do_everything_once() {
    let env = TestEnv::start().await;
    let mut second = Bot::start(&env.variables);
    second.wait_for_log("connected to Discord").await;
    for (name, options, workspace) in [
        ("kim", "", "main"),
        ("lou", "workspace:sales", "sales"),
        ("mia", "", "main"),
    ] {
        let person = env.discord.add_person(name, &["analyst"]);
        env.cluster.store_credentials(person.id()).await;
        let (asked, id) = env.start_session(&person, options).await;
        env.kubelet.mark_ready(&id).await;
        asked
            .until(|reply| reply.content.contains("is ready"))
            .await;
        person.read("#data").await;
        let record = format!("duckui-{}-{workspace}", person.id());
        env.cluster.wait_for_stage(&record, "running").await;
        assert_eq!(
            env.cluster.objects().await,
            env.workspace_objects(&person, workspace, &id)
        );

        let question = env.reply_to(&person, "/duck stop").await;
        env.confirm_stop(&person, &question).await;
        // One bot may have recreated an object of a stopping session. The cluster removes it with
        // its owner.
        wait_until(async || env.cluster.objects().await, Vec::is_empty).await;
    }
    let messages = env.discord.history("#data");
    assert_eq!(messages.len(), 3, "{}", env.discord.transcript());
    assert!(messages.iter().all(|it| it.content.contains("was stopped")));
    env.assert_clean().await;
}
