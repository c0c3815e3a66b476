//! Releases of the chart on the cluster: side by side, upgraded, rolled back and uninstalled.

use std::collections::BTreeSet;

use discord_loopback::{Discord, DiscordConfig, Person};
use serde_json::json;
use tempfile::TempDir;
use test_support::{
    ACK_TIMEOUT, Cluster, Node, ReservedPort, assert_says, lake, session_id_in, signal, wait_until,
};

use super::{helm, run_helm};
use crate::{
    deploy::{bots, kubectl, run, wait_for_leader},
    local::replace_credentials,
    sql::{DUCKS, answer},
};

/// An installation: a release in a namespace with the same name, and a Discord server.
struct Release {
    /// Name of the release and of its namespace.
    name: String,
    /// Namespace of its sessions.
    sessions: String,
    discord: Discord,
    ana: Person,
    key_id: String,
    /// Name of the Secret with the bot's token.
    token_secret: String,
    folder: TempDir,
}

impl Release {
    /// Installs a release whose sessions read the lake, and waits until its bot is connected. With `had_bot`, a bot
    /// has already created its Secret in the namespace, as versions before the chart had it did, and the Secret with the
    /// bot's token has another name.
    async fn install(node: &Node, catalog: &str, s3: &str, had_bot: bool) -> Self {
        let cluster = Cluster::shared();
        let config = DiscordConfig::default()
            .channel("data")
            .person("ana", &[])
            .listen((cluster.host(), 0).into())
            .first_response_timeout(ACK_TIMEOUT)
            .wait_timeout(std::time::Duration::from_secs(120));
        let discord = Discord::start(config).await.unwrap();
        let ana = discord.person("ana");
        let suffix = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let name = format!("team-{suffix}");
        let this = Self {
            sessions: format!("{name}-duckbot-sessions"),
            key_id: format!("AKIA{}", suffix.to_uppercase()),
            folder: TempDir::new().unwrap(),
            token_secret: if had_bot {
                "vault-token".to_owned()
            } else {
                format!("{name}-duckbot-discord")
            },
            name,
            discord,
            ana,
        };
        let port = cluster.config().await.cluster_url.port_u16().unwrap();
        let values = json!({
            "image": { "registry": "duckbot.test", "tag": "previous" },
            "settings": {
                "discord": {
                    "guild": this.discord.guild_id().to_string(),
                    "api_proxy": this.discord.url(),
                },
                "routing": { "domain": format!("{}.example.com", this.name) },
                "pod": { "node_selector": { "duckbot.dev/node": node.name } },
                "sizes": { "small": { "cpu": "50m", "memory": "512Mi", "requests": { "disk": "1Gi" } } },
                "catalogs": { "lake": {
                    "endpoint": catalog, "s3_endpoint": s3, "s3_path_style": true,
                } },
            },
            "prepull": { "enabled": true, "pauseImage": "duckbot.test/pause:1" },
            "secrets": { "discord": if had_bot {
                json!({ "name": this.token_secret, "key": "bot" })
            } else {
                json!({})
            } },
            // Nodes of the tests have no kube-proxy.
            "extraEnv": [
                { "name": "KUBERNETES_SERVICE_HOST", "value": cluster.host().to_string() },
                { "name": "KUBERNETES_SERVICE_PORT", "value": port.to_string() },
            ],
        });
        std::fs::write(this.values(), values.to_string()).unwrap();

        let name = &this.name;
        kubectl(&format!("create namespace {name}")).await;
        let on_node = format!("duckbot.dev/node={}", node.name);
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        kubectl(&format!("label namespace {name} {on_node} {restricted}")).await;
        if had_bot {
            let secret = "secret generic duckbot-door-keys";
            kubectl(&format!(
                "create {secret} --namespace {name} --from-literal=another=entry"
            ))
            .await;
        }
        let notes = this.helm("install", &[]).await;
        let (secret, key) = (&this.token_secret, if had_bot { "bot" } else { "token" });
        for step in [
            format!(
                "create secret generic {secret} --namespace {name} --from-file={key}=/dev/stdin"
            ),
            format!(
                "create secret tls duckui-wildcard-tls --namespace {name}-duckbot-sessions --cert=tls.crt"
            ),
            format!("exec deployment/{name}-duckbot --namespace {name} -- duckbot check --session"),
        ] {
            assert!(notes.contains(&step), "{step:?} in\n{notes}");
        }
        let sessions = &this.sessions;
        kubectl(&format!("label namespace {sessions} {on_node}")).await;
        let token = this.discord.token();
        kubectl(&format!(
            "create secret generic {secret} --namespace {name} --from-literal={key}={token}"
        ))
        .await;
        lake().s3.add_key(&this.key_id, "the-first-secret");
        kubectl(&format!(
            "create secret generic duckbot-s3-{} --namespace {sessions} \
             --type=duckbot.dev/s3-credentials --from-literal=s3-access-key-id={} --from-literal=s3-secret-access-key=the-first-secret",
            this.ana.id(),
            this.key_id
        ))
        .await;
        this.wait_until_rolled_out().await;
        this
    }

    /// Path of the file with the values.
    fn values(&self) -> String {
        self.folder.path().join("values.json").display().to_string()
    }

    /// Runs `helm install` or `helm upgrade` for this release, with the values of its file and `more`.
    async fn helm(&self, command: &str, more: &[&str]) -> String {
        let (name, values) = (self.name.as_str(), self.values());
        let chart = [
            command,
            name,
            "deploy/chart",
            "--namespace",
            name,
            "--values",
            &values,
        ];
        run_helm(&[&chart, more].concat()).await
    }

    /// Waits until all Pods are those of the last change, and one of them leads.
    async fn wait_until_rolled_out(&self) {
        let name = &self.name;
        for object in ["deployment/{}-duckbot", "daemonset/{}-duckbot-images"] {
            let object = object.replace("{}", name);
            let status = "rollout status --timeout=120s";
            kubectl(&format!("{status} {object} --namespace {name}")).await;
        }
        wait_for_leader(name, &format!("{name}-duckbot"), None).await;
        self.discord.wait_connected().await;
    }

    /// Kills the process that leads, on its node, and waits until the other Pod leads.
    async fn kill_leader(&self) {
        let (name, lease) = (&self.name, format!("{}-duckbot", self.name));
        let leader = wait_for_leader(name, &lease, None).await;
        let (pod, _) = leader.rsplit_once('_').unwrap();
        signal("KILL", process_of(pod)).await;
        let next = wait_for_leader(name, &lease, Some(&leader)).await;
        assert!(!next.starts_with(pod), "{next} leads after {leader}");
        self.discord.wait_connected().await;
    }

    /// Images of the bots that run.
    async fn images(&self) -> BTreeSet<String> {
        let bots = bots(&self.name).await.into_iter();
        let images = bots.map(|pod| pod.spec.unwrap().containers.remove(0).image.unwrap());
        images.collect()
    }

    /// Starts Ana's session. Returns its ID once it is ready.
    async fn start_session(&self) -> String {
        let asked = self.ana.run_command("#data", "/duck start").await.unwrap();
        let id = session_id_in(&asked.reply().await.content);
        asked.until(|it| it.content.contains("is ready")).await;
        assert_says(&self.ana.read("#data").await, &id);
        id
    }

    /// Data of the Secret with the signing keys.
    async fn signing_keys(&self) -> String {
        let secret = format!("get secret duckbot-door-keys --namespace {}", self.name);
        kubectl(&format!("{secret} -o jsonpath={{.data}}")).await
    }

    async fn list(&self) -> String {
        let asked = self.ana.run_command("#data", "/duck list").await.unwrap();
        asked.reply().await.content
    }

    /// Names of the sessions' Pods.
    async fn pods(&self) -> String {
        let sessions = &self.sessions;
        kubectl(&format!("get pods --namespace {sessions} -o name")).await
    }

    async fn remove(self) {
        let (name, sessions) = (&self.name, &self.sessions);
        kubectl(&format!("delete namespace {name} {sessions} --wait=false")).await;
    }
}

/// Finds the bot of a Pod among the processes of this machine, which runs the node's containers.
fn process_of(pod: &str) -> u32 {
    let holds = |path: std::path::PathBuf, value: &str| {
        let text = std::fs::read(path).unwrap_or_default();
        text.split(|byte| *byte == 0)
            .any(|it| it == value.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap();
    let mut processes = processes.map(|it| it.unwrap());
    let is_meant = |it: &std::fs::DirEntry| {
        let folder = it.path();
        holds(folder.join("environ"), &format!("HOSTNAME={pod}"))
            && holds(folder.join("cmdline"), "serve")
    };
    let found = processes.find(is_meant).unwrap();
    found.file_name().to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn releases_live_side_by_side_and_sessions_outlive_upgrades() {
    let Some(node) = Node::shared() else {
        return;
    };
    let host = Cluster::shared().host();
    let (mut catalog, mut s3) = (
        ReservedPort::reserve_on(host),
        ReservedPort::reserve_on(host),
    );
    catalog.forward_to(&lake().catalog);
    s3.forward_to(&lake().s3.url());
    let (catalog, s3) = (catalog.url(), s3.url());
    let (one, two) = tokio::join!(
        Release::install(node, &catalog, &s3, false),
        Release::install(node, &catalog, &s3, true)
    );

    // Each bot has its own sessions.
    let (id, other) = tokio::join!(one.start_session(), two.start_session());
    let (ours, theirs) = tokio::join!(one.list(), two.list());
    assert!(ours.contains(&id) && !ours.contains(&other), "{ours}");
    assert!(theirs.contains(&other) && !theirs.contains(&id), "{theirs}");
    assert_eq!(one.pods().await, format!("pod/duckui-{id}\n"));
    assert_eq!(two.pods().await, format!("pod/duckui-{other}\n"));
    let keys = one.signing_keys().await;
    assert!(two.signing_keys().await.contains("\"another\""));

    // The leader is killed. The other Pod goes on with the session.
    one.kill_leader().await;
    assert_says(&answer(&one.ana, DUCKS).await, "mallard");
    assert_eq!(one.pods().await, format!("pod/duckui-{id}\n"));

    // The new version looks first, beside the running one, as the manual says.
    let name = one.name.as_str();
    let pod = bots(name).await.remove(0).metadata.name.unwrap();
    kubectl(&format!(
        "debug pod/{pod} --namespace {name} --profile=restricted --copy-to=duckbot-check --container=duckbot \
         --set-image=duckbot=duckbot.test/duckbot:test -- /usr/bin/duckbot check"
    ))
    .await;
    let log = format!("logs duckbot-check --namespace {name}");
    let log = async || String::from_utf8(run(&log).await.stdout).unwrap();
    wait_until(log, |log| {
        log.contains("ok    records: 1 session or query runner, of version 8")
    })
    .await;
    kubectl(&format!(
        "delete pod duckbot-check --namespace {name} --now"
    ))
    .await;

    // The new version serves the session, which keeps its images. It still answers queries, takes new
    // credentials, reports its use and ends.
    let new = [
        "--set",
        "image.tag=test",
        "--set",
        "settings.sessions.image=duckbot.test/duckui:works",
    ];
    one.helm("upgrade", &new).await;
    one.wait_until_rolled_out().await;
    assert_eq!(
        one.images().await,
        ["duckbot.test/duckbot:test".into()].into()
    );
    assert_says(&answer(&one.ana, DUCKS).await, "mallard");
    let new_key = format!("{}NEW", one.key_id);
    lake().s3.add_key(&new_key, "the-second-secret");
    let told = replace_credentials(&one.ana, &new_key, "the-second-secret").await;
    assert_says(&told, &format!("Session `{id}` now uses them."));
    lake().s3.forget(&one.key_id);
    assert_says(&answer(&one.ana, DUCKS).await, "mallard");
    let listed = one.list().await;
    assert!(listed.contains("last active <t:"), "{listed}");

    // A change of a setting turns out to be wrong. Its Pod never becomes ready, so the others go on.
    let wrong = [&new[..], &["--set", "settings.discord.guild=1"]].concat();
    one.helm("upgrade", &wrong).await;
    let restarts = async || {
        let bots = bots(name).await.into_iter();
        let statuses = bots.filter_map(|pod| pod.status?.container_statuses);
        statuses.flatten().map(|it| it.restart_count).max()
    };
    wait_until(restarts, |most| *most > Some(0)).await;
    assert_says(&answer(&one.ana, DUCKS).await, "mallard");

    // The previous version serves the session again.
    run_helm(&["rollback", name, "1", "--namespace", name]).await;
    one.wait_until_rolled_out().await;
    assert_eq!(
        one.images().await,
        ["duckbot.test/duckbot:previous".into()].into()
    );
    assert_says(&answer(&one.ana, DUCKS).await, "mallard");
    let images = "jsonpath={.spec.containers[*].image}";
    let images = format!(
        "get pod duckui-{id} --namespace {} -o {images}",
        one.sessions
    );
    assert_eq!(
        kubectl(&images).await,
        "duckbot.test/duckui:previous duckbot.test/duckbot:previous"
    );
    let stop = format!("/duck stop session:{id}");
    let question = one.ana.run_command("#data", &stop).await.unwrap();
    let question = question.reply().await;
    let stopped = one.ana.press(&question, "Stop it").await.unwrap();
    stopped.until(|it| it.content.contains("is stopped")).await;

    // What is uninstalled leaves people's credentials, which the next installation finds again.
    run_helm(&["uninstall", name, "--namespace", name]).await;
    let left = kubectl(&format!("get all --namespace {name} -o name")).await;
    assert!(!left.contains("deployment"), "{left}");
    let secret = format!(
        "get secret duckbot-s3-{} --namespace {}",
        one.ana.id(),
        one.sessions
    );
    kubectl(&secret).await;
    one.helm("install", &[]).await;
    assert_eq!(one.signing_keys().await, keys);
    let theirs = two.list().await;
    assert!(theirs.contains(&other), "{theirs}");

    // A third release can take neither a namespace with credentials, nor one with the keys of another release.
    let taken = format!("settings.kubernetes.namespace={}", two.sessions);
    let values = one.values();
    let with_keys = format!(
        "the Secret duckbot-door-keys of the namespace {name} belongs to the release {name};"
    );
    for (namespace, says) in [("default", two.sessions.as_str()), (name, &with_keys)] {
        let thief = ["install", "thief", "deploy/chart", "--namespace", namespace];
        let with = ["--values", &values, "--set", &taken];
        let refused = helm(&[&thief[..], &with].concat()).await;
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && why.contains(says), "{why}");
    }
    one.remove().await;
    two.remove().await;
}
