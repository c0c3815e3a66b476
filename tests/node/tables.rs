//! Sessions on the node that read the team's tables.

use discord_loopback::Person;
use kube::api::EvictParams;
use serde_json::json;
use test_support::{
    Certificates, Cluster, ForwardProxy, Node, ReservedPort, TestEnv, TlsFront, UiClient,
    assert_says, lake,
};

use super::{IMAGE, pod, restart_count};

pub const DUCKS: &str = "FROM lake.zoo.ducks ORDER BY name";

/// Environment whose catalog and storage are the lake, at addresses that Pods can reach.
pub struct LakeEnv {
    pub env: TestEnv,
    _catalog: ReservedPort,
    _s3: ReservedPort,
}

impl LakeEnv {
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Same as [`Self::start`], with the images of `deploy/images` and the tests' program.
    pub async fn start_with_shipped_images() -> Option<Self> {
        Self::start_with_images(Node::serve_shipped_images, "shipped", "shipped").await
    }

    /// Same as [`Self::start`], with the images of `deploy/images` as they are released.
    pub async fn start_with_whole_images() -> Option<Self> {
        let arch = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        Self::start_with_images(Node::serve_whole_images, "whole", arch).await
    }

    async fn start_with_images(serve: fn(), folder: &str, tag: &str) -> Option<Self> {
        Node::shared()?;
        tokio::task::spawn_blocking(serve).await.unwrap();
        let image = |name: &str| format!("duckbot.test/{folder}/{name}:{tag}");
        Self::start_with(&[
            // Nothing in the images may need their own user.
            ("DUCKBOT_POD__RUN_AS_USER", "1000680000"),
            (IMAGE, &image("duckui")),
            ("DUCKBOT_SESSIONS__DOOR_IMAGE", &image("duckbot")),
        ])
        .await
    }

    pub async fn start_with(more: &[(&str, &str)]) -> Option<Self> {
        Node::shared()?;
        let host = Cluster::shared().host();
        let (mut catalog, mut s3) = (
            ReservedPort::reserve_on(host),
            ReservedPort::reserve_on(host),
        );
        catalog.forward_to(&lake().catalog);
        s3.forward_to(&lake().s3.url());
        let settings = [
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", catalog.url()),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", s3.url()),
            // DuckDB, its extensions and the door need memory, too.
            ("DUCKBOT_SIZES__SMALL__MEMORY", "512Mi".to_owned()),
        ];
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(more.iter().copied())
            .collect();
        Some(Self {
            env: TestEnv::start_on_node(&settings).await?,
            _catalog: catalog,
            _s3: s3,
        })
    }

    /// Opens the UI of a session once its credentials and its catalog were tried.
    pub async fn ui(&self, person: &Person, session: &str) -> UiClient {
        self.env.wait_until_prepared(session).await;
        self.env.open_ui(person, session).await
    }
}

#[tokio::test]
async fn each_reads_the_teams_tables_and_keeps_work_with_their_own_credentials() {
    let work = ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot/");
    let Some(lake_env) = LakeEnv::start_with(&[work]).await else {
        return;
    };
    let env = &lake_env.env;
    lake().s3.add_key("AKIAANAINAPOD", "anas-own-secret");
    env.cluster
        .store_key_pair(env.ana.id(), "AKIAANAINAPOD", "anas-own-secret")
        .await;
    env.cluster
        .store_key_pair(env.ben.id(), "AKIAUNKNOWN", "bens-wrong-secret")
        .await;

    let id = env.ready_session(&env.ana).await;
    let anas = lake_env.ui(&env.ana, &id).await;
    let ducks = json!([{"name": "mallard", "grams": 1100}, {"name": "teal", "grams": 330}]);
    assert_eq!(anas.rows(DUCKS).await, Ok(ducks));
    for stream in ["/proc/self/fd/0", "/proc/self/fd/2", "/dev/stdin"] {
        let write = format!("COPY (SELECT '.shell id') TO '{stream}' (FORMAT csv, HEADER false)");
        let written = anas.run_sql(&write).await;
        assert!(written.is_err(), "SQL can write to {stream}");
    }

    let bens = lake_env
        .ui(&env.ben, &env.ready_session(&env.ben).await)
        .await;
    let error = bens.rows(DUCKS).await.unwrap_err();
    assert!(error.contains("HTTP 403"), "{error}");
    let problems = bens.problems().await.to_string();
    assert!(
        problems.contains("Reading a table of lake with your S3 credentials"),
        "{problems}"
    );
    assert!(!problems.contains("bens-wrong-secret"));

    let grace = pod(env, &id)
        .await
        .spec
        .unwrap()
        .termination_grace_period_seconds;
    assert_eq!(grace, Some(70));
    anas.run_sql("CREATE TABLE geese AS SELECT 3 AS n")
        .await
        .unwrap();
    env.stop_session(&env.ana).await;
    let messages = env.discord.history("#data");
    let says = |text: &str| messages.iter().any(|it| it.content.contains(text));
    assert!(says(
        "**Your saved work could not be restored:** the storage refused your S3 credentials"
    ));
    assert!(says("Your work is saved (1 table, "), "{messages:?}");
    let id = env.ready_session(&env.ana).await;
    let anas = lake_env.ui(&env.ana, &id).await;
    assert_eq!(anas.rows("FROM geese").await, Ok(json!([{"n": 3}])));

    // A drain gives the Pod time to save, and the bot says nothing to it.
    anas.run_sql("INSERT INTO geese VALUES (4)").await.unwrap();
    let (name, params) = (format!("duckui-{id}"), EvictParams::default());
    env.cluster.pods().evict(&name, &params).await.unwrap();
    let back = env.ana.read("#data").await;
    assert_says(&back, "Your DuckDB is ready again.");
    assert!(back.content.contains(" is here: 1 table."), "{back:?}");
    let anas = lake_env.ui(&env.ana, &id).await;
    let geese = json!([{"n": 3}, {"n": 4}]);
    assert_eq!(anas.rows("FROM geese ORDER BY n").await, Ok(geese));
    lake_env.env.assert_clean().await;
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_fails_and_the_pod_goes_on() {
    let Some(lake_env) = LakeEnv::start().await else {
        return;
    };
    let id = lake_env.env.ready_session(&lake_env.env.ana).await;
    let ui = lake_env.ui(&lake_env.env.ana, &id).await;
    let hungry = "SELECT len(list(repeat('x', 1000) || range)) AS n FROM range(3_000_000)";
    let error = ui.rows(hungry).await.unwrap_err();
    assert!(error.contains("Out of Memory Error"), "{error}");
    assert_eq!(ui.rows("SELECT 1 AS one").await, Ok(json!([{"one": 1}])));
    assert_eq!(restart_count(&lake_env.env, &id).await, 0);
    lake_env.env.assert_clean().await;
}

#[tokio::test]
async fn a_lake_with_a_private_ca_is_read_through_a_forced_proxy() {
    if Node::shared().is_none() {
        return;
    }
    // Only the proxy knows this name.
    let certificates = Certificates::of("lake.test");
    let fronts = [
        TlsFront::start(&lake().catalog, &certificates).await,
        TlsFront::start(&lake().s3.url(), &certificates).await,
    ];
    let proxy = ForwardProxy::start_on(Cluster::shared().host()).await;
    let proxy_url = format!("http://{}", proxy.address);
    let [catalog, s3] = fronts
        .each_ref()
        .map(|front| format!("https://lake.test:{}", front.port));
    let lake_env = LakeEnv::start_with(&[
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &catalog),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &s3),
        (
            "DUCKBOT_TLS__CA_FILE",
            certificates.file("ca.pem").to_str().unwrap(),
        ),
        ("HTTPS_PROXY", &proxy_url),
    ])
    .await;
    let lake_env = lake_env.unwrap();
    let env = &lake_env.env;
    lake()
        .s3
        .add_key("AKIAANABEHINDAPROXY", "anas-secret-behind-a-proxy");
    env.cluster
        .store_key_pair(
            env.ana.id(),
            "AKIAANABEHINDAPROXY",
            "anas-secret-behind-a-proxy",
        )
        .await;
    let id = env.ready_session(&env.ana).await;
    let ui = lake_env.ui(&env.ana, &id).await;
    let ducks = json!([{"name": "mallard", "grams": 1100}, {"name": "teal", "grams": 330}]);
    assert_eq!(ui.rows(DUCKS).await, Ok(ducks));
    let line = format!("/duck sql query:{DUCKS}");
    let asked = env.ana.run_command("#data", &line).await.unwrap();
    asked.until(|it| it.content.contains("2 rows in ")).await;

    let requests = proxy.take_requests();
    for url in [catalog, s3] {
        let target = format!("CONNECT {} ", url.strip_prefix("https://").unwrap());
        let reached = requests.iter().any(|head| head.starts_with(&target));
        assert!(reached, "{target} in {requests:?}");
    }
    lake_env.env.assert_clean().await;
}
