//! Two bots, of which the one that holds the Lease leads. The other one takes over when the leader ends, is
//! stopped, or does not reach the API server.
//!
//! Most of the time passes until a Lease lapses. So scenarios run at once, each in its own environment.

use std::{collections::BTreeSet, time::Duration};

use discord_loopback::RestCall;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use kube::{ResourceExt, api::DeleteParams};
use test_support::{ApiEnv, ApiFault, Proxy, TestEnv, assert_says, signal, wait_until};

/// Longer than any call waits.
const FOREVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_leader_that_ends_is_followed() {
    tokio::join!(killed_leader(), terminated_leader());
}

#[tokio::test]
async fn a_leader_that_may_not_act_does_not() {
    tokio::join!(partitioned_leader(), stopped_leader());
}

#[tokio::test]
async fn without_discord_or_the_lease_the_bots_wait_and_both_serve_the_api() {
    tokio::join!(
        leader_without_discord(),
        deleted_lease(),
        api_of_a_standby()
    );
}

/// Starts two bots. The first one leads.
async fn two_bots() -> TestEnv {
    let mut env = TestEnv::without_bot(&[]).await;
    env.use_lease();
    for person in [&env.ana, &env.ben] {
        env.cluster.store_credentials(person.id()).await;
    }
    env.start_bot().await;
    env.start_standby().await;
    env
}

async fn lease(env: &TestEnv) -> LeaseSpec {
    let lease = env.cluster.leases().get("duckbot").await.unwrap();
    lease.spec.unwrap()
}

/// Starts a session of Ana that does not become ready while `env.bot()` runs. Returns the interaction.
async fn start_half(env: &TestEnv) -> discord_loopback::Interaction {
    let is_route = |call: &RestCall| call.method == "POST" && call.route == "ingressroutes";
    env.api
        .set_faults(move |call| is_route(call).then_some(ApiFault::Hang(FOREVER)));
    let (asked, id) = env.start_session(&env.ana, "").await;
    env.api.wait_for_call("POST", "ingressroutes", 1).await;
    // The reply's token is stored, so that another bot can go on with the reply.
    let (secrets, name) = (env.cluster.secrets(), format!("duckui-{id}"));
    let token = async || secrets.get_opt(&name).await.unwrap();
    wait_until(token, Option::is_some).await;
    asked
}

/// States of a process's threads, such as `T` for a stopped one.
fn states_of_threads(process: u32) -> BTreeSet<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    // A thread may end meanwhile.
    let stats = threads.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("stat")).ok());
    let state = |stat: String| Some(stat.rsplit_once(") ")?.1.get(..1)?.to_owned());
    stats.filter_map(state).collect()
}

/// Calls through `api` from the one with this number on that change something. An Event changes nothing: it tells
/// what the bot has done before, and may be sent late.
fn changes_since(api: &Proxy, number: usize) -> Vec<String> {
    let calls = api.calls().into_iter().skip(number);
    let calls = calls.filter(|call| call.route != "events");
    let changes = calls.filter(|call| !["GET", "WATCH"].contains(&&*call.method));
    changes
        .map(|call| format!("{} {}", call.method, call.path))
        .collect()
}

async fn killed_leader() {
    let mut env = two_bots().await;
    let quick = env.kubelet.ready_all_pods();
    let asked = start_half(&env).await;
    env.kill_bot().await;
    let unheard = env.ben.run_command("#data", "/duck start").await.unwrap();
    env.swap_bots().await;

    // Ana's start goes on, and Ben reads Discord's own notice.
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    assert!(unheard.try_acknowledgement().await.is_none());
    assert_eq!(env.cluster.documents().await.len(), 1);
    let (again, _) = env.start_session(&env.ben, "").await;
    again
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ben.read("#data").await;
    assert_eq!(env.cluster.documents().await.len(), 2);
    assert_eq!(env.discord.history("#data").len(), 2);
    assert_eq!(env.discord.most_connected(), 1);
    assert_eq!(lease(&env).await.lease_transitions, Some(1));
    quick.abort();
    env.assert_clean().await;
}

async fn terminated_leader() {
    let mut env = two_bots().await;
    let quick = env.kubelet.ready_all_pods();
    let asked = start_half(&env).await;
    assert_eq!(env.terminate_bot().await, Some(0));
    assert!(env.log().contains("this bot has released its Lease"));
    env.swap_bots().await;

    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    assert_eq!(env.discord.history("#data").len(), 1);
    assert_eq!(env.discord.most_connected(), 1);
    assert_eq!(lease(&env).await.lease_transitions, Some(1));
    quick.abort();
    env.assert_clean().await;
}

async fn partitioned_leader() {
    let mut env = two_bots().await;
    let id = env.ready_session(&env.ana).await;
    env.api.silence_watches();
    env.api.set_faults(|_| Some(ApiFault::Hang(FOREVER)));
    // It closes its connection before the other one opens one.
    env.discord.wait_disconnected().await;
    env.swap_bots().await;
    let number = env.standby().1.calls().len();

    assert_says(&env.reply_to(&env.ana, "/duck list").await, &id);
    let (earlier, api) = env.standby();
    api.clear_faults();
    earlier.wait_for_log("; this bot stands by").await;
    env.clean_up().await;
    assert_eq!(changes_since(env.standby().1, number), [""; 0]);
    assert_eq!(env.discord.most_connected(), 1);
    assert_eq!(lease(&env).await.lease_transitions, Some(1));
    env.assert_clean().await;
}

async fn stopped_leader() {
    let mut env = two_bots().await;
    env.ready_session(&env.ana).await;
    let leader = env.bot().pid();
    signal("STOP", leader).await;
    wait_until(
        async || states_of_threads(leader),
        |it| *it == BTreeSet::from(["T".to_owned()]),
    )
    .await;
    let unheard = env.ben.run_command("#data", "/duck start").await.unwrap();
    env.swap_bots().await;
    // The connection of the stopped bot stays open.
    env.discord.wait_for_connections(2).await;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    env.confirm_stop(&env.ana, &question).await;
    let number = env.standby().1.calls().len();

    // It believes that it leads, and both interactions wait for it.
    signal("CONT", leader).await;
    env.discord.wait_for_connections(1).await;
    env.standby().0.wait_for_log("; this bot stands by").await;
    assert!(unheard.try_acknowledgement().await.is_none());
    assert_eq!(changes_since(env.standby().1, number), [""; 0]);
    env.assert_nothing_left().await;
    let exchanges = env.discord.exchanges();
    let refused = exchanges.iter().filter(|it| it.status >= Some(400));
    let refused: Vec<_> = refused.collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!(env.discord.history("#data").len(), 1);
    env.assert_clean().await;
}

/// Discord may be away for all, so the leader keeps the Lease.
async fn leader_without_discord() {
    let mut env = two_bots().await;
    let first = lease(&env).await;
    env.discord.set_offline(true);
    env.discord.wait_disconnected().await;
    for _ in 0..2 {
        let version = async || {
            let lease = env.cluster.leases().get("duckbot").await.unwrap();
            lease.resource_version()
        };
        let earlier = version().await;
        wait_until(version, |now| *now != earlier).await;
    }
    env.discord.set_offline(false);
    env.discord.wait_connected().await;
    assert_eq!(lease(&env).await.holder_identity, first.holder_identity);
    assert_eq!(env.discord.most_connected(), 1);
    env.reply_to(&env.ana, "/duck list").await;
    assert!(!env.standby().0.log().contains("this bot holds the Lease"));
    env.assert_clean().await;
}

async fn deleted_lease() {
    let env = two_bots().await;
    let delete = DeleteParams::default();
    env.cluster
        .leases()
        .delete("duckbot", &delete)
        .await
        .unwrap();
    env.discord.wait_disconnected().await;
    env.wait_for_log("there is no Lease duckbot in namespace")
        .await;
    env.cluster.apply("lease.yaml").await;
    env.discord.wait_connected().await;
    env.reply_to(&env.ana, "/duck list").await;
    assert_eq!(env.discord.most_connected(), 1);
    env.assert_clean().await;
}

/// The HTTP API of a bot that stands by.
async fn api_of_a_standby() {
    let mut env = TestEnv::without_bot(&[]).await;
    env.use_lease();
    let mut api_env = ApiEnv::start_with_env(env).await;
    api_env.start_standby().await;
    let id = api_env.ready_session().await;
    let path = format!("/sessions/{id}");
    assert_eq!(api_env.delete(&path, &api_env.ana).await.0, 204);
    api_env.env.assert_nothing_left().await;
    assert!(
        !api_env
            .env
            .standby()
            .0
            .log()
            .contains("this bot holds the Lease")
    );
    api_env.assert_clean().await;
}
