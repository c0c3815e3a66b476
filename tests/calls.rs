//! Guard on the number of calls to the API server. A command that makes more calls than the table has, fewer, or others,
//! fails a test. Calls don't vary from machine to machine, as times do.

use test_support::{ApiEnv, Proxy, wait_until};

/// Calls of each command, without the permanent watches. docs/performance.md says what each one is for.
const CALLS: [(&str, &[&str]); 8] = [
    (
        "/duck start",
        &[
            "GET configmaps/{name}",
            "GET secrets/{name}",
            "GET secrets/{name}",
            "PATCH secrets/{name}",
            "POST configmaps",
            "POST events",
            "POST events",
            "POST events",
            "POST ingressroutes",
            "POST pods",
            "POST services",
            "PUT configmaps/{name}",
        ],
    ),
    ("three sweeps", &[]),
    ("/duck list", &[]),
    (
        "/duck stop",
        &[
            "DELETE configmaps/{name}",
            "DELETE ingressroutes/{name}",
            "DELETE pods/{name}",
            "DELETE services/{name}",
            "POST events",
            "POST events",
            "PUT configmaps/{name}",
            "PUT configmaps/{name}",
            "PUT configmaps/{name}",
        ],
    ),
    // A session with credentials of its own, and without a channel: nothing is announced.
    (
        "POST /sessions",
        &[
            "GET configmaps/{name}",
            "PATCH secrets/{name}",
            "POST configmaps",
            "POST events",
            "POST events",
            "POST events",
            "POST ingressroutes",
            "POST pods",
            "POST services",
            "PUT configmaps/{name}",
        ],
    ),
    (
        "DELETE /sessions/{id}",
        &[
            "DELETE configmaps/{name}",
            "DELETE ingressroutes/{name}",
            "DELETE pods/{name}",
            "DELETE secrets/{name}",
            "DELETE services/{name}",
            "POST events",
            "POST events",
            "PUT configmaps/{name}",
            "PUT configmaps/{name}",
        ],
    ),
    // A person's first query. The GET of the Pod opens the connection for queries (pods/exec).
    (
        "the first /duck sql",
        &[
            "GET configmaps/{name}",
            "GET pods/{name}",
            "PATCH secrets/{name}",
            "POST configmaps",
            "POST secrets",
        ],
    ),
    ("the next /duck sql", &["PATCH secrets/{name}"]),
];

/// Number of calls so far. The next command is compared from here on.
pub fn count(api: &Proxy) -> usize {
    api.calls().len()
}

/// Waits until a command has made as many calls as the table has, and compares them. `before` is the number of calls
/// before the command; it becomes the number after it.
pub async fn compare(api: &Proxy, command: &str, before: &mut usize) {
    let (_, expected) = CALLS.iter().find(|(name, _)| *name == command).unwrap();
    // Nobody waits for some calls, such as those for Events.
    let calls = async || api.calls_since(*before);
    let calls = wait_until(calls, |calls| calls.len() >= expected.len()).await;
    assert_eq!(
        calls, *expected,
        "{command} makes other calls than before. If that is intended, change this table and docs/performance.md"
    );
    *before = count(api);
}

#[tokio::test]
async fn a_command_makes_no_more_calls_than_before() {
    // Enable the rule about departed owners, too, which is on by default.
    let settings = [
        ("DUCKBOT_REAPER__LEFT_GUILD", "1d"),
        ("DUCKBOT_REAPER__EVERY", "1s"),
    ];
    let mut api_env = ApiEnv::start(&settings).await;
    let env = &mut api_env.env;
    let ana = env.ana.clone();
    env.cluster.store_credentials(ana.id()).await;
    // The calls of the first sweep, such as for the ledger, don't belong to a command.
    env.bot().wait_for_log_times(" swept", 2).await;
    let mut before = count(&env.api);

    env.ready_session(&ana).await;
    compare(&env.api, "/duck start", &mut before).await;
    let swept = env.bot().log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 3).await;
    compare(&env.api, "three sweeps", &mut before).await;
    env.reply_to(&ana, "/duck list").await;
    compare(&env.api, "/duck list", &mut before).await;
    let question = env.reply_to(&ana, "/duck stop").await;
    env.confirm_stop(&ana, &question).await;
    env.wait_until_nothing_left(&ana).await;
    compare(&env.api, "/duck stop", &mut before).await;
    env.mark_all_read().await;

    env.kubelet.ready_all_pods();
    let id = api_env.ready_session().await;
    compare(&api_env.env.api, "POST /sessions", &mut before).await;
    api_env
        .delete(&format!("/sessions/{id}"), &api_env.ana)
        .await;
    compare(&api_env.env.api, "DELETE /sessions/{id}", &mut before).await;
    api_env.assert_clean().await;
}
