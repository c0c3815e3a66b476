//! Credentials are stored in the Secret and appear nowhere else.

use discord_loopback::{MessageView, RestCall};
use duckbot::{
    door::ticket::{SigningKey, TicketVerifier},
    work::WorkKey,
};
use k8s_openapi::{
    ByteString,
    api::core::v1::{Event, Secret},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use test_support::{
    ApiFault, CREDENTIALS, PERMANENT_CREDENTIALS, TestEnv, assert_says, leaked_credentials, link_of,
};

#[tokio::test]
async fn after_a_whole_session_the_credentials_are_in_the_secret_alone() {
    let mut env = TestEnv::start().await;
    // Credentials are rejected by the storage, rejected by the form, accepted, checked again and
    // replaced.
    let invitation = env.request_invitation(&env.ana).await;
    let mixed = [CREDENTIALS[0], PERMANENT_CREDENTIALS[1]];
    env.fill_form(&env.ana, &invitation, &mixed).await;
    let swapped = [
        ("Access key ID", CREDENTIALS[1].1),
        ("Secret access key", CREDENTIALS[0].1),
    ];
    env.fill_form(&env.ana, &invitation, &swapped).await;
    env.fill_form(&env.ana, &invitation, &PERMANENT_CREDENTIALS)
        .await;
    let id = env.ready_session(&env.ana).await;
    let kept = env.reply_to(&env.ana, "/duck setup").await;
    let checked = env
        .ana
        .press(&kept, "Check again")
        .await
        .unwrap()
        .reply()
        .await;
    let stored = env.fill_form(&env.ana, &checked, &CREDENTIALS).await;
    assert_says(
        &stored,
        "`4D7Q`) and your catalog token were checked and saved.",
    );
    let examined = env.ana.run_command("#data", "/duck doctor").await;
    let is_done = |it: &MessageView| it.button("Check again").is_some();
    assert_says(
        &examined.unwrap().until(is_done).await,
        "✅ Storage: answers",
    );
    let pid = env.bot().pid();

    let all = Default::default();
    let events: Api<Event> = Api::namespaced(env.cluster.admin.clone(), &env.cluster.sessions);
    let everything = [
        (
            "the records",
            format!("{:?}", env.cluster.records().list(&all).await.unwrap()),
        ),
        (
            "the Pods",
            format!("{:?}", env.cluster.pods().list(&all).await.unwrap()),
        ),
        (
            "the Services",
            format!("{:?}", env.cluster.services().list(&all).await.unwrap()),
        ),
        (
            "the routes",
            format!("{:?}", env.cluster.routes().list(&all).await.unwrap()),
        ),
        (
            "the events",
            format!("{:?}", events.list(&all).await.unwrap()),
        ),
        ("the log", env.log()),
        ("Discord", env.discord.traffic()),
        ("the chat", env.discord.transcript()),
        ("the process list", proc_file(pid, "cmdline")),
        ("the environment", proc_file(pid, "environ")),
    ];
    for (place, text) in everything {
        assert!(!text.is_empty(), "{place}: empty, so nothing was checked");
        assert_eq!(leaked_credentials(&text), [""; 0], "{place}");
        assert!(
            !text.contains(&env.discord.token()),
            "{place}: contains the bot's token"
        );
    }
    // Managed fields contain names of keys but no values.
    let secret = env
        .cluster
        .secrets()
        .get(&format!("duckbot-s3-{}", env.ana.id()))
        .await
        .unwrap();
    let metadata = serde_json::to_string(&secret.metadata).unwrap();
    assert!(metadata.contains("s3-secret-access-key"));
    assert!(!metadata.to_lowercase().contains("canary"));
    assert!(env.log().contains(&id), "the log must not be empty");
    // The bot reads only metadata to see if credentials exist. The values are transferred twice,
    // because Ana has them checked again, and has her session examined.
    let is_read = |call: &&RestCall| {
        let is_door_key = call.path.ends_with("/duckbot-door-keys");
        call.method == "GET" && call.route == "secrets/{name}" && !is_door_key
    };
    let reads = env.api.calls().iter().filter(is_read).count();
    let accepted = env.api.accept_headers("GET secrets/{name}");
    let metadata = accepted
        .iter()
        .filter(|it| it.contains("as=PartialObjectMetadata"));
    assert_eq!(reads - metadata.count(), 2);
    env.assert_clean().await;
}

#[tokio::test]
async fn what_opens_doors_or_authenticates_work_is_in_its_secret_alone() {
    let work = ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot/");
    let mut env = TestEnv::start_with(&[work]).await;
    let home: Api<Secret> = Api::namespaced(env.cluster.admin.clone(), &env.cluster.bot);
    let stored = async || home.get("duckbot-door-keys").await.unwrap().data.unwrap();
    let keys = stored().await;
    env.ready_session(&env.ana).await;
    env.kill_bot().await;
    env.start_bot().await;
    assert_eq!(stored().await, keys, "a restart must not create a new key");

    // The credentials were stored without a key, as by an earlier version.
    let stored = home.get("duckbot-work-key").await.unwrap();
    let master = stored.data.as_ref().unwrap();
    let master: [u8; 32] = master["key"].0.as_slice().try_into().unwrap();
    // Nobody can replace the key, not even with the bot's permissions.
    let bot = env.cluster.bot_client().await;
    let its_own: Api<Secret> = Api::namespaced(bot, &env.cluster.bot);
    let other = Secret {
        data: None,
        ..stored
    };
    let params = PostParams::default();
    let replaced = its_own.replace("duckbot-work-key", &params, &other).await;
    let refused = replaced.unwrap_err().to_string();
    assert!(refused.contains("field is immutable"), "{refused}");
    let work_key = WorkKey::derive(&master, env.ana.id().into()).to_hex();
    let credentials = format!("duckbot-s3-{}", env.ana.id());
    let credentials = env.cluster.secrets().get(&credentials).await.unwrap();
    assert_eq!(credentials.data.unwrap()["work-key"].0, work_key.as_bytes());

    let reply = env.reply_to(&env.ana, "/duck open").await;
    assert!(reply.ephemeral);
    let link = link_of(&reply, "Open DuckDB");
    let (_, ticket) = link.split_once('#').unwrap();
    let key = keys.values().next().unwrap();
    let base64 = serde_json::to_value(key).unwrap();
    let traces = [
        ticket.to_owned(),
        base64.as_str().unwrap().to_owned(),
        format!("{:?}", key.0),
        format!("{master:?}"),
        serde_json::to_string(&ByteString(master.to_vec()))
            .unwrap()
            .replace('"', ""),
        serde_json::to_string(&ByteString(work_key.as_bytes().to_vec()))
            .unwrap()
            .replace('"', ""),
        work_key.to_string(),
    ];
    let all = Default::default();
    let pods = env.cluster.pods().list(&all).await.unwrap();
    let records = env.cluster.records().list(&all).await.unwrap();
    let pid = env.bot().pid();
    for (place, text) in [
        (
            "the Pods",
            format!("{pods:?}{}", serde_json::to_string(&pods).unwrap()),
        ),
        ("the records", format!("{records:?}")),
        ("the log", env.log()),
        ("the process list", proc_file(pid, "cmdline")),
        ("the environment", proc_file(pid, "environ")),
    ] {
        assert!(!text.is_empty(), "{place}: empty, so nothing was checked");
        for trace in &traces {
            assert!(!text.contains(trace), "{place} contain {trace}");
        }
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn a_new_key_comes_when_the_old_one_is_a_month_old_and_old_doors_still_open() {
    let mut env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;
    env.kill_bot().await;
    // Pretend that the current key and session are old.
    let old = ("2026-01-31-0a1b2c3d", SigningKey::generate());
    let home: Api<Secret> = Api::namespaced(env.cluster.admin.clone(), &env.cluster.bot);
    let mut secret = home.get("duckbot-door-keys").await.unwrap();
    secret.data = Some([(old.0.to_owned(), ByteString(old.1.clone()))].into());
    home.replace("duckbot-door-keys", &PostParams::default(), &secret)
        .await
        .unwrap();
    let annotation = json!({ "metadata": { "annotations": { "duckbot.dev/door-key": old.0 } } });
    let (params, patch) = (PatchParams::default(), Patch::Merge(&annotation));
    env.cluster
        .pods()
        .patch(&format!("duckui-{id}"), &params, &patch)
        .await
        .unwrap();
    env.start_bot().await;

    let keys = home.get("duckbot-door-keys").await.unwrap().data.unwrap();
    assert_eq!(keys.len(), 2, "expected the old key and a new one");
    let started = chrono::Utc::now() - chrono::TimeDelta::minutes(1);
    let link = link_of(&env.reply_to(&env.ana, "/duck open").await, "Open DuckDB");
    let (_, ticket) = link.split_once('#').unwrap();
    let key = SigningKey::read(old.0, &old.1).unwrap();
    let mut door = TicketVerifier::new(&id, &key.public(), started).unwrap();
    assert_eq!(door.redeem(ticket, chrono::Utc::now()), Ok(()));
    env.assert_clean().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_crash_of_the_bot_leaves_no_core() {
    let mut env = TestEnv::start().await;
    let limits = proc_file(env.bot().pid(), "limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(),
        ["1", "1"]
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn a_secret_that_the_cluster_refuses_is_quoted_nowhere() {
    let env = TestEnv::start().await;
    env.api.set_faults(|call| {
        let is_secret = call.method == "PATCH" && call.route == "secrets/{name}";
        let quoting = format!(
            "Secret is invalid: data: {:?}",
            CREDENTIALS.map(|(_, value)| value)
        );
        is_secret.then_some(ApiFault::Answer(422, quoting))
    });
    let reply = env.enter_credentials(&env.ana).await;
    assert!(
        reply
            .content
            .starts_with("The cluster's rules don't allow this."),
        "{}",
        reply.content
    );
    env.assert_clean().await;
}

#[cfg(target_os = "linux")]
fn proc_file(pid: u32, name: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(not(target_os = "linux"))]
fn proc_file(_: u32, _: &str) -> String {
    "not to be seen on this system".to_owned()
}
