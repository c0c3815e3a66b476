//! Tests of `deploy/`, applied with kubectl as docs/operations.md says.

use std::{collections::HashMap, fs, path::Path, process::Output};

use discord_loopback::{Discord, DiscordConfig};
use duckbot::settings::Settings;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Namespace, Pod, Secret, Service},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
    runtime::wait::{await_condition, conditions::is_deleted},
};
use tempfile::TempDir;
use test_support::{
    ACK_TIMEOUT, CREDENTIALS, Cluster, Node, assert_says, leaked_credentials, session_id_in,
};
use tokio::{process::Command, sync::Mutex};

/// Runs kubectl as an admin, in the project's folder. Returns its output, and fails on errors and
/// warnings.
pub async fn kubectl(line: &str) -> String {
    let output = run(line).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {line}\n{said}");
    assert!(!said.contains("Warning"), "kubectl {line}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs kubectl as an admin, in the project's folder. Returns the result, even if it failed.
pub async fn run(line: &str) -> Output {
    let cluster = Cluster::shared();
    Command::new(cluster.programs().join("kubectl"))
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .args(line.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap()
}

fn in_home<K>(admin: &Client) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(admin.clone(), "duckbot")
}

/// Lock for the fixed names of the namespaces: one installation can exist at a time.
static NAMES: Mutex<()> = Mutex::const_new(());

/// Waits until both namespaces are gone.
async fn assert_nothing_left(admin: &Client) {
    for name in ["duckbot", "duckbot-sessions"] {
        let namespaces: Api<Namespace> = Api::all(admin.clone());
        let Some(namespace) = namespaces.get_opt(name).await.unwrap() else {
            continue;
        };
        let uid = namespace.metadata.uid.unwrap();
        let gone = await_condition(namespaces, name, is_deleted(&uid));
        let gone = tokio::time::timeout(std::time::Duration::from_secs(120), gone).await;
        gone.expect("the namespace was removed in time").unwrap();
    }
}

#[tokio::test]
async fn an_installation_is_one_command_and_so_is_its_end() {
    let _names = NAMES.lock().await;
    let admin = Client::try_from(Cluster::shared().config().await).unwrap();
    for overlay in ["traefik", "ingress"] {
        let folder = format!("deploy/overlays/{overlay}");
        let applied = kubectl(&format!(
            "apply --server-side --validate=strict -k {folder}"
        ))
        .await;
        assert!(
            applied.contains("deployment.apps/duckbot serverside-applied"),
            "{applied}"
        );

        // The door uses the same image as the bot.
        let deployments: Api<Deployment> = in_home(&admin);
        let template = deployments
            .get("duckbot")
            .await
            .unwrap()
            .spec
            .unwrap()
            .template;
        let spec = template.spec.unwrap();
        let bot = &spec.containers[0];
        let door = bot
            .env
            .as_ref()
            .unwrap()
            .iter()
            .find(|it| it.name.ends_with("DOOR_IMAGE"));
        assert_eq!(door.unwrap().value, bot.image);
        assert_eq!(
            bot.image.as_deref(),
            Some("registry.example.com/duckbot:0.1.0")
        );

        // The bot's Pod satisfies the Pod security level of its own namespace.
        let pod = Pod {
            metadata: ObjectMeta {
                name: Some("duckbot-check".into()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
            status: None,
        };
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        in_home::<Pod>(&admin).create(&dry_run, &pod).await.unwrap();

        // The settings in the ConfigMap are valid.
        let maps = in_home::<ConfigMap>(&admin);
        let maps = maps.list(&ListParams::default()).await.unwrap();
        let mut texts = maps
            .into_iter()
            .filter_map(|it| it.data?.remove("duckbot.toml"));
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("duckbot.toml");
        fs::write(&path, texts.next().unwrap()).unwrap();
        assert_eq!(texts.next(), None);
        kubectl("delete configmap --all --namespace duckbot").await;
        let variables = [
            ("DUCKBOT_DISCORD_TOKEN", "token"),
            ("DUCKBOT_ADMIN__LISTEN", "0.0.0.0:9090"),
            ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot"),
            ("DUCKBOT_SESSIONS__IMAGE", "duckui"),
        ];
        let variables = variables.map(|(name, it)| (name.to_owned(), it.to_owned()));
        let settings = Settings::load(Some(&path), HashMap::from(variables));
        assert_eq!(settings.unwrap().sessions.default_catalog, "lake");
    }

    // Network policies allow only the listed connections to and from sessions.
    let policies: Api<NetworkPolicy> = Api::namespaced(admin.clone(), "duckbot-sessions");
    let all = policies.list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = all
        .iter()
        .filter_map(|it| it.metadata.name.as_deref())
        .collect();
    assert_eq!(
        names,
        [
            "bot-to-doors",
            "ingress-to-doors",
            "names",
            "nothing-but",
            "sessions-to-public-https"
        ]
    );

    // Enable the private lake and the API, as the comments in the file say.
    let folder = TempDir::new().unwrap();
    let deploy = folder.path().join("deploy");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"),
        &deploy,
    );
    let overlay = deploy.join("overlays/traefik");
    let text = fs::read_to_string(overlay.join("kustomization.yaml")).unwrap();
    fs::write(overlay.join("kustomization.yaml"), uncommented(&text)).unwrap();
    let overlay = overlay.to_str().unwrap();
    kubectl(&format!(
        "apply --server-side --validate=strict -k {overlay}"
    ))
    .await;
    let lake = policies.get("sessions-to-the-lake").await.unwrap();
    let egress = lake.spec.unwrap().egress.unwrap();
    assert_eq!(egress[0].ports.as_ref().unwrap().len(), 2);
    let services: Api<Service> = in_home(&admin);
    assert!(services.get_opt("duckbot").await.unwrap().is_some());
    // Only namespaces with a label reach the bot's ports.
    let own: Api<NetworkPolicy> = in_home(&admin);
    for (name, port) in [("duckbot", 9090), ("duckbot-api", 8080)] {
        let rules = own.get(name).await.unwrap().spec.unwrap().ingress.unwrap();
        let [rule] = rules.as_slice() else {
            panic!("{rules:?}");
        };
        assert_eq!(
            rule.ports.as_ref().unwrap()[0].port,
            Some(IntOrString::Int(port))
        );
        let from = rule.from.as_ref().unwrap();
        assert!(from[0].namespace_selector.is_some(), "{from:?}");
    }
    let bots: Api<Deployment> = in_home(&admin);
    let spec = bots
        .get("duckbot")
        .await
        .unwrap()
        .spec
        .unwrap()
        .template
        .spec
        .unwrap();
    let mounts = spec.containers[0].volume_mounts.as_ref().unwrap();
    assert!(mounts.iter().any(|it| it.name == "api"));

    // An example that needs no other software.
    kubectl(
        "apply --server-side --validate=strict --dry-run=server -f deploy/examples/limits.yaml",
    )
    .await;

    // Create the token as the manual says.
    let token = "create secret generic duckbot-discord --namespace duckbot --from-literal=token=x";
    kubectl(token).await;
    assert!(
        in_home::<Secret>(&admin)
            .get_opt("duckbot-discord")
            .await
            .unwrap()
            .is_some()
    );

    kubectl("delete --wait=false -k deploy/overlays/traefik").await;
    assert_nothing_left(&admin).await;
}

/// Enables everything that an overlay has in comments.
pub fn uncommented(overlay: &str) -> String {
    let lines = overlay.lines().map(|line| {
        let is_meant = line.starts_with("  # - ../../components/")
            || line.starts_with("  # - target: ")
            || line.starts_with("  #   ");
        if is_meant {
            line.replacen("# ", "", 1)
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Copies a folder recursively.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Replaces texts in a file, as a person with an editor would.
fn edit(file: &Path, changes: &[(&str, &str)]) {
    let mut text = fs::read_to_string(file).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{} has no {old:?}", file.display());
        text = text.replace(old, new);
    }
    fs::write(file, text).unwrap();
}

#[tokio::test]
async fn the_bot_runs_on_the_cluster_with_the_permissions_that_it_is_given() {
    let Some(node) = Node::shared() else {
        return;
    };
    let _names = NAMES.lock().await;
    let cluster = Cluster::shared();
    let admin = Client::try_from(cluster.config().await).unwrap();
    let config = DiscordConfig::default()
        .channel("data")
        .person("ana", &[])
        .listen((cluster.host(), 0).into())
        .first_response_timeout(ACK_TIMEOUT)
        .wait_timeout(std::time::Duration::from_secs(120));
    let discord = Discord::start(config).await.unwrap();

    // Edits of an installer, and replacements for parts that the test nodes lack, such as
    // kube-proxy.
    let folder = TempDir::new().unwrap();
    let deploy = folder.path().join("deploy");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy"),
        &deploy,
    );
    let overlay = deploy.join("overlays/traefik");
    edit(
        &overlay.join("kustomization.yaml"),
        &[
            (
                "registry.example.com/duckbot\n    newTag: 0.1.0",
                "duckbot.test/duckbot\n    newTag: test",
            ),
            (
                "registry.example.com/duckui\n    newTag: 0.1.0",
                "duckbot.test/duckui\n    newTag: works",
            ),
        ],
    );
    let guild = discord.guild_id().to_string();
    let proxy = format!("api_proxy = \"{}\"\n        admin_roles", discord.url());
    edit(
        &overlay.join("kustomization.yaml"),
        &[
            ("1029384756102938475", &guild),
            ("admin_roles", &proxy),
            (
                "[catalogs.lake]",
                "[sizes.small]\n        cpu = \"50m\"\n        memory = \"256Mi\"\n\n        [catalogs.lake]",
            ),
        ],
    );
    let label = format!(
        "labels:\n    duckbot.dev/node: {}\n    pod-security",
        node.name
    );
    edit(
        &deploy.join("base/namespaces.yaml"),
        &[("labels:\n    pod-security", &label)],
    );
    let config = cluster.config().await;
    let port = config.cluster_url.port_u16().unwrap();
    let host = cluster.host();
    let reach = format!(
        "env:\n            - {{ name: KUBERNETES_SERVICE_HOST, value: \"{host}\" }}\n            \
         - {{ name: KUBERNETES_SERVICE_PORT, value: \"{port}\" }}"
    );
    edit(&deploy.join("base/duckbot.yaml"), &[("env:", &reach)]);

    let overlay = overlay.to_str().unwrap();
    kubectl(&format!(
        "apply --server-side --validate=strict -k {overlay}"
    ))
    .await;
    let token = discord.token();
    kubectl(&format!(
        "create secret generic duckbot-discord --namespace duckbot --from-literal=token={token}"
    ))
    .await;
    discord.wait_connected().await;
    kubectl("rollout status deployment/duckbot --namespace duckbot --timeout=120s").await;

    // Run the check as the manual says. The example's lake does not exist.
    let check = "exec deployment/duckbot --namespace duckbot -- duckbot check";
    let found = String::from_utf8(run(check).await.stdout).unwrap();
    for line in [
        "ok    token: ",
        "ok    commands: registered",
        "ok    permissions in duckbot-sessions: all required permissions are granted",
        "ok    permissions in duckbot: all required permissions are granted",
        "WRONG catalog of lake: https://iceberg.example.com/catalog does not answer",
        "WRONG certificate: Secret duckui-wildcard-tls (routing.tls_secret) not found in duckbot-sessions; create it",
    ] {
        assert!(found.contains(line), "{line:?} in\n{found}");
    }

    let ana = discord.person("ana");
    kubectl(&format!(
        "create secret generic duckbot-s3-{} --namespace duckbot-sessions \
         --from-literal=s3-access-key-id={} --from-literal=s3-secret-access-key={}",
        ana.id(),
        CREDENTIALS[0].1,
        CREDENTIALS[1].1
    ))
    .await;
    let asked = ana.run_command("#data", "/duck start").await.unwrap();
    asked.until(|it| it.content.contains("is ready")).await;
    let id = session_id_in(&ana.read("#data").await.content);
    // The bot reaches the door at the Pod's address.
    let listed = ana
        .run_command("#data", "/duck list")
        .await
        .unwrap()
        .reply()
        .await;
    assert_says(&listed, &format!("`{id}` of "));
    assert_says(&listed, ", last active <t:");

    // The manual's diagnostic commands give the right output.
    let pod = format!("describe pod -n duckbot-sessions duckui-{id}");
    assert!(kubectl(&pod).await.contains("Started"));
    let events = kubectl("get events -n duckbot-sessions").await;
    assert!(events.contains(&format!("pod/duckui-{id}")), "{events}");
    kubectl("create quota full -n duckbot-sessions --hard=pods=1").await;
    // A quota applies only after the cluster has computed its usage.
    let counted = "wait --for=jsonpath={.status.hard.pods}=1 quota/full -n duckbot-sessions";
    kubectl(&format!("{counted} --timeout=120s")).await;
    let quota = kubectl("describe quota -n duckbot-sessions").await;
    assert!(quota.contains("pods"), "{quota}");
    let another = ana.run_command("#data", "/duck start").await.unwrap();
    let another = another.reply().await;
    let pressed = ana.press(&another, "Start another").await.unwrap();
    let told = pressed
        .until(|it| it.content.contains("share of the cluster"))
        .await;
    assert_says(&told, "could not be created");
    assert_says(
        &ana.read("#data").await,
        "The team's share of the cluster is used up",
    );
    kubectl("delete quota full -n duckbot-sessions").await;

    // A door key has leaked: replace it as the manual says.
    kubectl("delete secret duckbot-door-keys -n duckbot").await;
    kubectl("rollout restart deployment/duckbot -n duckbot").await;
    kubectl("rollout status deployment/duckbot -n duckbot --timeout=120s").await;
    discord.wait_connected().await;
    let open = format!("/duck open session:{id}");
    let opened = ana.run_command("#data", &open).await.unwrap().reply().await;
    assert_says(&opened, "because its signing key is gone.");
    kubectl("delete configmap -n duckbot-sessions -l app.kubernetes.io/name=duckui").await;
    let gone = format!("wait --for=delete pod/duckui-{id} -n duckbot-sessions --timeout=120s");
    kubectl(&gone).await;

    let log = kubectl("logs deployment/duckbot --namespace duckbot").await;
    assert!(
        log.contains("health and metrics are at http://0.0.0.0:9090"),
        "{log}"
    );
    assert!(!log.contains(&token) && leaked_credentials(&log).is_empty());
    kubectl(&format!("delete --wait=false -k {overlay}")).await;
    assert_nothing_left(&admin).await;
}
