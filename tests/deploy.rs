//! deploy/, applied as docs/operations.md says, by kubectl itself.

use std::{collections::HashMap, path::Path};

use duckbot::settings::Settings;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod, Secret},
    networking::v1::NetworkPolicy,
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
    runtime::wait::{await_condition, conditions::is_deleted},
};
use tokio::process::Command;

use crate::support::Cluster;

/// Runs kubectl as an admin, in the project's folder; what it prints.
async fn kubectl(line: &str) -> String {
    let cluster = Cluster::shared();
    let output = Command::new(cluster.programs().join("kubectl"))
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .args(line.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {line}\n{said}");
    assert!(!said.contains("Warning"), "kubectl {line}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn in_home<K>(admin: &Client) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(admin.clone(), "duckbot")
}

#[tokio::test]
async fn an_installation_is_one_command_and_so_is_its_end() {
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

        // The door's image follows the bot's.
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

        // Its Pod fulfils what its own namespace asks for.
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

        // The file beside it is whole.
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(folder)
            .join("duckbot.toml");
        let variables = [
            ("DUCKBOT_DISCORD_TOKEN", "token"),
            ("DUCKBOT_ADMIN__LISTEN", "0.0.0.0:9090"),
            ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot"),
        ];
        let variables = variables.map(|(name, it)| (name.to_owned(), it.to_owned()));
        let settings = Settings::load(Some(&path), HashMap::from(variables));
        assert_eq!(settings.unwrap().sessions.default_catalog, "lake");
    }

    // Nothing but what is named reaches a session, or is reached by one.
    let policies: Api<NetworkPolicy> = Api::namespaced(admin.clone(), "duckbot-sessions");
    let policies = policies.list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = policies
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

    // The examples that need no other software.
    for file in ["limits", "prepull"] {
        kubectl(&format!(
            "apply --server-side --validate=strict --dry-run=server -f deploy/examples/{file}.yaml"
        ))
        .await;
    }

    // The token, as the manual says.
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
    for name in ["duckbot", "duckbot-sessions"] {
        let namespaces: Api<Namespace> = Api::all(admin.clone());
        let Some(namespace) = namespaces.get_opt(name).await.unwrap() else {
            continue;
        };
        let uid = namespace.metadata.uid.unwrap();
        let gone = await_condition(namespaces, name, is_deleted(&uid));
        let gone = tokio::time::timeout(std::time::Duration::from_secs(120), gone).await;
        gone.expect("the namespaces go").unwrap();
    }
}
