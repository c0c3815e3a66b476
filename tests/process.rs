//! Tests of the bot's process: start, start-up errors, and end.

use std::{collections::HashMap, time::Duration};

use discord_loopback::RestCall;
use test_support::{ApiFault, TestEnv, WAIT_TIMEOUT, command};

/// Starts a bot that fails at start-up. Returns its exit code and its error.
async fn run_until_exit(env: &mut TestEnv) -> (Option<i32>, String) {
    env.spawn_bot();
    let status = env
        .bot()
        .wait(WAIT_TIMEOUT)
        .await
        .expect("the bot exited in time");
    let log = env.log();
    let said = log.split("duckbot: ").last().unwrap_or_default().to_owned();
    (status.code(), said)
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_within_five_seconds() {
    let mut env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    let status = env
        .bot()
        .terminate(Duration::from_secs(5))
        .await
        .expect("the bot ended in time");
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        env.cluster.objects().await,
        env.session_objects(&env.ana, 0, &id),
        "sessions must outlive the bot"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn sigterm_while_it_starts_ends_it_too() {
    let mut env = TestEnv::without_bot(&[]).await;
    env.api
        .set_faults(|_| Some(ApiFault::Hang(Duration::from_secs(30))));
    env.spawn_bot();
    // The bot is running once it calls the API server.
    env.api
        .wait_for_call("POST", "selfsubjectaccessreviews", 1)
        .await;
    let status = env
        .bot()
        .terminate(Duration::from_secs(5))
        .await
        .expect("the bot ended in time");
    assert_eq!(status.code(), Some(0));
    env.assert_clean().await;
}

#[tokio::test]
async fn wrong_settings_are_named_and_end_with_2() {
    let variables = HashMap::from([("DUCKBOT_SESSIONS__PER_USR".to_owned(), "3".to_owned())]);
    let output = command(&["serve"], &variables).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for mistake in [
        "discord.token_file: ",
        "discord.guild: ",
        "sessions.per_usr: ",
    ] {
        assert!(said.contains(mistake), "{said}");
    }
}

#[tokio::test]
async fn help_is_everywhere() {
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["door", "--help"],
        &["commands", "--help"],
    ] {
        let output = command(arguments, &HashMap::new()).output().await.unwrap();
        assert!(output.status.success());
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("Usage: duckbot")
        );
    }
    let nonsense = command(&["quack"], &HashMap::new()).output().await.unwrap();
    assert_eq!(nonsense.status.code(), Some(2));
}

#[tokio::test]
async fn a_token_that_discord_refuses_is_said() {
    let mut env = TestEnv::without_bot(&[]).await;
    let token = env.file("token", "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.wrong-canary");
    env.variables
        .insert("DUCKBOT_DISCORD__TOKEN_FILE".into(), token);
    let (code, said) = run_until_exit(&mut env).await;
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("Discord does not accept the bot's token"),
        "{said}"
    );
    assert!(!env.log().contains("wrong-canary"));
    env.assert_clean().await;
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_said_and_waited_for() {
    let mut env = TestEnv::without_bot(&[]).await;
    let nowhere = "apiVersion: v1\nkind: Config\ncurrent-context: t\n\
        contexts: [{name: t, context: {cluster: t, user: t}}]\n\
        clusters: [{name: t, cluster: {server: \"http://127.0.0.1:9\"}}]\nusers: [{name: t, user: {}}]\n";
    let kubeconfig = env.file("kubeconfig", nowhere);
    env.variables.insert("KUBECONFIG".into(), kubeconfig);
    env.spawn_bot();
    for says in [
        "the Kubernetes API is at http://127.0.0.1:9/",
        "the start waits for the Kubernetes API, and tries again: ",
        "Connection refused",
    ] {
        env.wait_for_log(says).await;
    }
    let status = env.bot().terminate(WAIT_TIMEOUT).await;
    assert_eq!(status.expect("the bot ended in time").code(), Some(0));
    env.assert_clean().await;
}

#[tokio::test]
async fn an_api_server_that_fails_during_the_start_only_delays_it() {
    let mut env = TestEnv::without_bot(&[]).await;
    env.api
        .set_faults(|_| Some(ApiFault::Answer(500, "etcd is ill".into())));
    env.spawn_bot();
    env.wait_for_log("etcd is ill").await;
    // The checks succeed now, and what follows them does not.
    let key = |call: &RestCall| call.route == "secrets/{name}";
    env.api.set_faults(move |call| {
        let fails = call.method == "LIST" || key(call);
        fails.then(|| ApiFault::Answer(500, "etcd is still ill".into()))
    });
    env.wait_for_log("a watch of the cluster failed").await;
    env.wait_for_log("etcd is still ill").await;
    env.api.clear_faults();
    env.discord.wait_connected().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_missing_permission_is_named_at_the_start() {
    let mut env = TestEnv::without_bot(&[]).await;
    let roles = env.cluster.roles();
    let mut role = roles.get("duckbot-sessions").await.unwrap();
    for rule in role.rules.iter_mut().flatten() {
        rule.verbs.retain(|verb| verb != "watch" && verb != "patch");
    }
    roles
        .replace("duckbot-sessions", &Default::default(), &role)
        .await
        .unwrap();
    env.cluster.wait_until_forbidden("watch", "pods").await;
    let (code, said) = run_until_exit(&mut env).await;
    assert_eq!(code, Some(1));
    let missing = "watch configmaps, watch pods, watch events, watch services, patch secrets, \
                   watch ingressroutes";
    assert!(said.contains(missing), "{said}");
    env.assert_clean().await;
}

#[tokio::test]
async fn a_cluster_without_the_kind_of_route_is_said() {
    // One control plane serves all tests, so the CRDs can't be removed. The response is the one of a
    // real server without them.
    let mut env = TestEnv::without_bot(&[("DUCKBOT_ROUTING__GATEWAY", "web")]).await;
    env.api.set_faults(|call| {
        let is_route = ["ingressroutes", "httproutes"].contains(&&*call.route);
        is_route.then(|| ApiFault::Answer(404, "404 page not found".into()))
    });
    for (kind, says) in [
        (
            "traefik",
            "no IngressRoute (traefik.io/v1alpha1). Install the custom resource definitions of Traefik",
        ),
        (
            "gateway",
            "no HTTPRoute (gateway.networking.k8s.io/v1). Install the custom resource definitions of \
             the Gateway API",
        ),
    ] {
        env.variables
            .insert("DUCKBOT_ROUTING__KIND".into(), kind.into());
        let (code, said) = run_until_exit(&mut env).await;
        assert_eq!(code, Some(1));
        assert!(said.contains(says), "{said}");
        env.kill_bot().await;
    }
    env.assert_clean().await;
}
