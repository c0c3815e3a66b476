//! The walk of docs/operations.md: every console block of the page, in its order, on a real node. Near its end, also
//! those of docs/runbooks.md.

mod page;
mod runbooks;

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use discord_loopback::{Discord, DiscordConfig, Person};
use kube::Client;
use tempfile::TempDir;
use test_support::{
    ACK_TIMEOUT, Catalog, Certificates, Cluster, Dns, Node, PERMANENT_CREDENTIALS, ReservedPort,
    S3, TlsFront, Traefik, WAIT_TIMEOUT, assert_says, leaked_credentials, session_id_in, tools,
};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{
    chart::SIX_VALUES,
    deploy::{NAMES, assert_nothing_left, copy, edit, kubectl, wait_for_leader},
    init::Terminal,
};
use page::{Block, Way};

/// Command of the page that gives the certificate of the private CA to duckbot.
const CREATE_CA: &str =
    "kubectl create configmap private-ca --namespace duckbot --from-file=ca.crt";
/// Domain of the sessions and of the registry.
const DOMAIN: &str = "duck.example.com";

/// Engineer with a clone of the project, and the services that the installation uses: DNS, an ingress
/// controller, a registry, a catalog and a storage. The certificates come from a private CA.
struct Walk {
    /// The clone. The node lacks some parts of a cluster, such as kube-proxy, so it has a few edits.
    folder: TempDir,
    variables: HashMap<String, String>,
    discord: Discord,
    ana: Person,
    /// Has no session.
    ben: Person,
    catalog: ReservedPort,
    storage: ReservedPort,
    registry: TlsFront,
    _catalog: Catalog,
    _s3: S3,
    _dns: Dns,
    traefik: Traefik,
}

impl Walk {
    async fn start(node: &Node) -> Self {
        let cluster = Cluster::shared();
        let config = DiscordConfig::default()
            .channel("data")
            .person("ana", &[])
            .person("ben", &[])
            .listen((cluster.host(), 0).into())
            .first_response_timeout(ACK_TIMEOUT)
            .wait_timeout(Duration::from_secs(120));
        let discord = Discord::start(config).await.unwrap();
        let (catalog, s3) = (Catalog::start().await, S3::start().await);
        catalog.accept_everyone();
        s3.add_key(PERMANENT_CREDENTIALS[0].1, PERMANENT_CREDENTIALS[1].1);
        let [mut reached_catalog, mut reached_s3] =
            [(); 2].map(|()| ReservedPort::reserve_on(cluster.host()));
        reached_catalog.forward_to(&catalog.url());
        reached_s3.forward_to(&s3.url());

        let folder = TempDir::new().unwrap();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_duckbot"), programs.join("duckbot")).unwrap();
        symlink(cluster.programs().join("kubectl"), programs.join("kubectl")).unwrap();
        symlink(tools::helm().join("helm"), programs.join("helm")).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let variables = HashMap::from([
            (
                "PATH".to_owned(),
                format!("{}:/usr/bin:/bin", programs.display()),
            ),
            ("HOME".to_owned(), text(folder.path())),
            ("KUBECONFIG".to_owned(), text(cluster.kubeconfig())),
        ]);
        let certificates = Certificates::of(&format!("*.{DOMAIN}"));
        for (file, name) in [
            ("leaf.pem", "tls.crt"),
            ("leaf.key", "tls.key"),
            ("ca.pem", "ca.crt"),
        ] {
            fs::copy(certificates.file(file), folder.path().join(name)).unwrap();
        }
        let images = &Node::registry().url;
        let walk = Self {
            ana: discord.person("ana"),
            ben: discord.person("ben"),
            folder,
            variables,
            discord,
            catalog: reached_catalog,
            storage: reached_s3,
            registry: TlsFront::start_on(cluster.host(), images, &certificates).await,
            _catalog: catalog,
            _s3: s3,
            _dns: Dns::start(cluster.host(), DOMAIN).await,
            traefik: Traefik::start_on(cluster.host(), "duckbot-sessions", certificates),
        };
        walk.clone_project(node).await;
        walk
    }

    /// Copies `deploy`. Adds what the test's node and Discord need.
    async fn clone_project(&self, node: &Node) {
        let deploy = self.folder.path().join("deploy");
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"),
            &deploy,
        );
        let config = Cluster::shared().config().await;
        let port = config.cluster_url.port_u16().unwrap().to_string();
        let host = Cluster::shared().host().to_string();
        let url = self.discord.url();
        let mut reach = "env:".to_owned();
        for (name, value) in [
            ("KUBERNETES_SERVICE_HOST", host.as_str()),
            ("KUBERNETES_SERVICE_PORT", &port),
            ("DUCKBOT_DISCORD__API_PROXY", &url),
            ("DUCKBOT_SIZES__SMALL__CPU", "50m"),
            ("DUCKBOT_SIZES__SMALL__MEMORY", "256Mi"),
            ("DUCKBOT_SIZES__SMALL__REQUESTS__DISK", "1Gi"),
        ] {
            reach += &format!("\n            - {{ name: {name}, value: \"{value}\" }}");
        }
        let label = format!(
            "labels:\n    duckbot.dev/node: {}\n    pod-security",
            node.name
        );
        let label = ("labels:\n    pod-security", label.as_str());
        edit(&deploy.join("base/namespaces.yaml"), &[label]);
        edit(&deploy.join("chart/templates/namespace.yaml"), &[label]);
        for bot in ["base/duckbot.yaml", "chart/templates/duckbot.yaml"] {
            edit(&deploy.join(bot), &[("env:", &reach)]);
        }
    }

    /// Runs the blocks of a way, and does between them what the page tells in words.
    async fn follow(&self, way: Way, node: &Node) {
        let begin = Instant::now();
        let mut session: Option<String> = None;
        let blocks = Block::all();
        let mut blocks = blocks
            .iter()
            .filter(|block| !block.is_marked && block.is_of(way))
            .peekable();
        let mut count = 0;
        while let Some(block) = blocks.next() {
            self.prepare(block, session.as_deref()).await;
            for command in &block.commands {
                self.run(command).await;
                // An engineer takes one of the two ways, and needs the log only if something fails.
                let is_other = command.starts_with("duckbot init")
                    && command.contains("--overlay") != (way == Way::Kustomize);
                count += usize::from(!is_other && !command.starts_with("kubectl logs"));
                if command == "kubectl create namespace duckbot" {
                    // The Pods of a namespace with this label run on the node.
                    let label = format!("label namespace duckbot duckbot.dev/node={}", node.name);
                    kubectl(&label).await;
                    self.run(CREATE_CA).await;
                }
                if command.starts_with("kubectl delete configmap") {
                    let gone = "wait --for=delete pod -l app.kubernetes.io/name=duckui";
                    kubectl(&format!("{gone} -n duckbot-sessions --timeout=120s")).await;
                    session = None;
                }
            }
            let is_last = blocks
                .peek()
                .is_none_or(|next| next.section != block.section);
            if block.section.ends_with("Check") && is_last {
                session = Some(self.first_session().await);
                let time = begin.elapsed();
                eprintln!("from an empty cluster to a session: {count} commands, {time:.1?}");
                assert_eq!(count, page::stated_commands());
                if way == Way::Kustomize {
                    self.ask_the_cluster(session.as_deref().unwrap()).await;
                }
            }
        }
        let left = kubectl("get namespace duckbot duckbot-sessions --ignore-not-found").await;
        assert_eq!(
            left, "",
            "the page ends with the removal of the installation"
        );
    }

    /// Does what the page says in words before a block.
    async fn prepare(&self, block: &Block, session: Option<&str>) {
        match block.section.as_str() {
            "Enable the HTTP API" if !self.folder.path().join("tokens").exists() => {
                let overlay = self
                    .folder
                    .path()
                    .join("deploy/overlays/mine/kustomization.yaml");
                edit(
                    &overlay,
                    &[("# - ../../components/api", "- ../../components/api")],
                );
                kubectl("create namespace ci").await;
            }
            "Monitoring" => {
                kubectl("rollout status deployment/duckbot -n duckbot --timeout=120s").await;
            }
            // A key has leaked.
            "Rotation" => {
                let id = match session {
                    Some(id) => id.to_owned(),
                    None => self.next_session().await,
                };
                let keys = "secret duckbot-door-keys -n duckbot";
                kubectl(&format!("patch {keys} --patch={{\"data\":null}}")).await;
                kubectl("rollout restart deployment/duckbot -n duckbot").await;
                kubectl("rollout status deployment/duckbot -n duckbot --timeout=120s").await;
                wait_for_leader("duckbot", "duckbot", None).await;
                self.discord.wait_connected().await;
                let open = format!("/duck open session:{id}");
                let opened = self.ana.run_command("#data", &open).await.unwrap();
                assert_says(&opened.reply().await, "I can't create links to session");
            }
            "Uninstall with Kustomize" => {
                self.follow_runbooks().await;
                let logs = "kubectl logs --selector app.kubernetes.io/name=duckbot --tail=-1";
                let log = self.run(&format!("{logs} --namespace duckbot")).await;
                assert!(
                    log.contains("health and metrics are at http://[::]:9090"),
                    "{log}"
                );
                assert!(!log.contains(&self.discord.token()), "{log}");
                assert!(leaked_credentials(&log).is_empty(), "{log}");
                let tokens = fs::read_to_string(self.folder.path().join("tokens")).unwrap();
                assert_eq!(tokens.lines().count(), 2, "{tokens}");
                let stored =
                    "get secret duckbot-api-tokens -n duckbot -o go-template={{.data.tokens}}";
                // Base64 is a third longer.
                assert!(
                    kubectl(stored).await.len() > tokens.len(),
                    "both tokens are stored"
                );
                kubectl("delete namespace ci").await;
            }
            _ => {}
        }
    }

    /// Runs a command of the page as it is, except for its placeholders. Returns its output.
    async fn run(&self, command: &str) -> String {
        let ana = self.ana.id().to_string();
        let command = command
            .replace("<Discord ID>", &ana)
            // Reference of an error.
            .replace("grep 1a2b3c4d", "grep 'serving guild'");
        assert!(
            !command.contains(['<', '…']),
            "a placeholder is left: {command}"
        );
        if command.starts_with("duckbot init") {
            self.describe(&command).await;
            return String::new();
        }
        let (succeeded, text) = self.execute(&command).await;
        assert!(!text.contains("Warning:"), "{command}\n{text}");
        assert!(succeeded, "{command}\n{text}");
        if command.contains("duckbot check") {
            assert_checked(&text);
        }
        if command.contains("--session") {
            assert!(text.contains("ok    session: https://duckui-"), "{text}");
        }
        text
    }

    /// Runs a script in the clone. Returns true if it succeeded, and its output.
    async fn execute(&self, script: &str) -> (bool, String) {
        let begin = Instant::now();
        let mut child = Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", script])
            .current_dir(&self.folder)
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        if script.contains("/dev/stdin") {
            let token = self.discord.token() + "\n";
            keyboard.write_all(token.as_bytes()).await.unwrap();
        }
        drop(keyboard);
        let output = timeout(WAIT_TIMEOUT, child.wait_with_output()).await;
        let output = output.expect(script).unwrap();
        let text = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        let text = text.concat();
        eprintln!("{:.1?} {script}", begin.elapsed());
        (output.status.success(), text)
    }

    /// Answers the questions of `duckbot init`.
    async fn describe(&self, command: &str) {
        let mut terminal = Terminal::start(command, self.folder.path(), &self.variables);
        let guild = self.discord.guild_id().to_string();
        let registry = format!("registry.{DOMAIN}:{}", self.registry.port);
        for (prompt, answer) in [
            ("server ID", guild.as_str()),
            ("Domain of the sessions", DOMAIN),
            ("Keep this answer?", "y"),
            ("Iceberg REST catalog", &self.catalog.url()),
            ("Warehouse", ""),
            ("unless it is AWS", &self.storage.url()),
            ("Region of the S3 storage", ""),
            ("Ingress controller", ""),
            ("Namespace of the ingress controller", ""),
            ("Private networks", ""),
            ("Registry and path", &registry),
            ("Tag of both images", "test"),
        ] {
            terminal.answer(prompt, answer).await;
        }
        let (code, screen) = terminal.end().await;
        assert_eq!(code, 0, "{screen}");
        assert!(
            screen.contains("ok    catalog: ") && screen.contains("ok    storage: "),
            "{screen}"
        );
        self.trust_ca(command.contains("--overlay"));
    }

    /// Turns on the private CA in the file that `duckbot init` wrote. Another run of it keeps the change.
    fn trust_ca(&self, is_overlay: bool) {
        assert!(include_str!("../../docs/operations.md").contains(CREATE_CA));
        let (file, off, on) = if is_overlay {
            (
                "deploy/overlays/mine/kustomization.yaml",
                "  # - ../../components/private-ca",
                "  - ../../components/private-ca",
            )
        } else {
            (
                "duckbot-values.yaml",
                "networkPolicy:",
                "tls:\n  caConfigMap: private-ca\nnetworkPolicy:",
            )
        };
        let file = self.folder.path().join(file);
        if !fs::read_to_string(&file).unwrap().contains(on) {
            edit(&file, &[(off, on)]);
        }
    }

    /// Starts a first session in the chat. Returns its ID.
    async fn first_session(&self) -> String {
        self.discord.wait_connected().await;
        let asked = self.ana.run_command("#data", "/duck start").await.unwrap();
        let form = asked.modal().await;
        let sent = self
            .ana
            .submit(&form, &PERMANENT_CREDENTIALS)
            .await
            .unwrap();
        sent.until(|it| it.content.contains("is ready")).await;
        session_id_in(&self.ana.read("#data").await.content)
    }

    /// Starts a session of a person whose credentials are stored. Returns its ID.
    async fn next_session(&self) -> String {
        self.discord.wait_connected().await;
        let asked = self.ana.run_command("#data", "/duck start").await.unwrap();
        asked.until(|it| it.content.contains("is ready")).await;
        session_id_in(&self.ana.read("#data").await.content)
    }

    /// Runs the commands of the page's tables that look into the cluster.
    async fn ask_the_cluster(&self, id: &str) {
        // The bot reaches the door at the Pod's address.
        let listed = self.ana.run_command("#data", "/duck list").await.unwrap();
        let listed = listed.reply().await;
        assert_says(&listed, &format!("`{id}` of "));
        assert_says(&listed, ", last active <t:");
        let pod = format!("describe pod -n duckbot-sessions duckui-{id}");
        assert!(kubectl(&pod).await.contains("Started"));
        let events = kubectl("get events -n duckbot-sessions").await;
        assert!(events.contains(&format!("pod/duckui-{id}")), "{events}");

        // No session's Pod keeps its node from being drained.
        const DRAIN: &str = "--ignore-daemonsets --delete-emptydir-data";
        assert!(include_str!("../../docs/operations.md").contains(DRAIN));
        let node = kubectl(&format!(
            "get pod duckui-{id} -n duckbot-sessions -o jsonpath={{.spec.nodeName}}"
        ))
        .await;
        let ours = "--pod-selector=app.kubernetes.io/name=duckui --dry-run=server";
        let drained = kubectl(&format!("drain {node} {DRAIN} {ours}")).await;
        assert!(
            drained.contains(&format!("evicting pod duckbot-sessions/duckui-{id} ")),
            "{drained}"
        );

        let check = "kubectl exec deployment/duckbot -n duckbot -- duckbot check --session --as";
        let checked = self.run(&format!("{check} <Discord ID>")).await;
        assert!(
            checked.contains("; the catalog lake is attached"),
            "{checked}"
        );
        let parts =
            "get pods,configmaps -n duckbot-sessions -l app.kubernetes.io/name=duckui -o name";
        let left = kubectl(parts).await;
        assert_eq!(left.lines().count(), 2, "of Ana's session only: {left}");
    }
}

/// Checks that `duckbot check` looked into all that the installation uses.
fn assert_checked(text: &str) {
    for line in [
        "ok    CA CN=Test authority: trusted until ",
        "ok    token: ",
        "ok    commands: registered",
        "ok    permissions in duckbot-sessions: all required permissions are granted",
        "ok    permissions in duckbot: all required permissions are granted",
        "/duckbot:test (sessions.door_image): found in its registry",
        "/duckui:test (sessions.image): found in its registry",
        "ok    DNS: duckui-000000.duck.example.com resolves to ",
        "ok    catalog of lake: ",
        "ok    storage of lake: ",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}

/// Commands of a section.
fn commands_of(blocks: &[Block], section: &str) -> Vec<String> {
    let blocks = blocks.iter().filter(|block| block.section == section);
    blocks.flat_map(|block| block.commands.clone()).collect()
}

#[test]
fn other_pages_have_the_commands_of_the_manual() {
    let manual = Block::all();
    let mut install = commands_of(&manual, "5. Install with Helm");
    let check = commands_of(&manual, "7. Check");
    install.extend(check.into_iter().find(|it| it.ends_with("--session")));
    assert_eq!(commands_of(&Block::of_readme(), "Install"), install);

    let chart = Block::of_chart();
    let install = "helm install duckbot deploy/chart --namespace duckbot --create-namespace";
    let values = SIX_VALUES.map(|value| format!(" --set {value}"));
    assert_eq!(
        commands_of(&chart, "Install"),
        [format!("{install}{}", values.concat())]
    );
    let short = |command: &str| {
        let command = command.replace("--namespace", "-n");
        command.replace("--selector", "-l")
    };
    let all = manual.iter().flat_map(|block| &block.commands);
    let all: Vec<_> = all.map(|it| short(it)).collect();
    for command in commands_of(&chart, "Uninstall") {
        assert!(all.contains(&short(&command)), "{command}");
    }
}

#[tokio::test]
async fn every_block_of_the_manual_works_in_its_order() {
    let Some(node) = Node::shared() else {
        return;
    };
    let _names = NAMES.lock().await;
    let admin = Client::try_from(Cluster::shared().config().await).unwrap();
    assert_nothing_left(&admin).await;
    let walk = Walk::start(node).await;
    walk.follow(Way::Helm, node).await;
    walk.follow(Way::Kustomize, node).await;
}
