//! Additions of an installer to the Pod of every session.

use kube::{
    Api,
    api::{DynamicObject, PostParams},
};
use serde_json::json;
use test_support::TestEnv;

use super::{create_object, pod, resource};

#[tokio::test]
async fn what_an_installer_adds_is_there_when_a_session_runs() {
    let Some(mut env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let priority = env.cluster.sessions.clone();
    let class = json!({ "metadata": { "name": priority }, "value": 7 });
    let classes: Api<DynamicObject> = Api::all_with(
        env.cluster.admin.clone(),
        &resource("scheduling.k8s.io/v1", "PriorityClass"),
    );
    let class = serde_json::from_value(class).unwrap();
    classes
        .create(&PostParams::default(), &class)
        .await
        .unwrap();
    let class = json!({ "metadata": { "name": priority }, "handler": "runc" });
    let classes: Api<DynamicObject> = Api::all_with(
        env.cluster.admin.clone(),
        &resource("node.k8s.io/v1", "RuntimeClass"),
    );
    let class = serde_json::from_value(class).unwrap();
    classes
        .create(&PostParams::default(), &class)
        .await
        .unwrap();
    let account =
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "analyst" } });
    create_object(&env, account).await;
    let sql = "CREATE TABLE ponds AS SELECT getenv('POND') AS name;";
    create_object(
        &env,
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "team-sql" },
        "data": { "init.sql": sql, "note": "quack" } }),
    )
    .await;
    env.restart_bot_with_config(&format!(
        r#"
        [pod]
        image_pull_policy = "Always"
        priority_class = "{priority}"
        runtime_class = "{priority}"
        service_account = "analyst"
        init_sql = "team-sql"
        labels = {{ "team.example.com/cost" = "ducks" }}
        annotations = {{ "team.example.com/note" = "quack" }}
        environment = {{ POND = "deep" }}
        node_selector = {{ "kubernetes.io/os" = "linux" }}
        tolerations = [{{ key = "ducks-only", operator = "Exists" }}]
        volumes = [{{ name = "team", configMap = {{ name = "team-sql" }} }}]
        volume_mounts = [{{ name = "team", mountPath = "/mnt/team" }}]
        [[pod.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution]]
        weight = 1
        podAffinityTerm = {{ topologyKey = "kubernetes.io/hostname" }}
        [[pod.init_containers]]
        name = "first"
        image = "duckbot.test/pause:1"
        command = ["/bin/true"]
        volumeMounts = [{{ name = "team", mountPath = "/mnt/team" }}]
        securityContext = {{ runAsUser = 2000 }}
        [sizes.small.requests]
        memory = "128Mi"
        "#
    ))
    .await;

    let id = env.ready_session(&env.ana).await;
    env.wait_until_prepared(&id).await;
    let ui = env.open_ui(&env.ana, &id).await;
    let ponds = ui.rows("FROM ponds").await;
    assert_eq!(ponds, Ok(json!([{ "name": "deep" }])));

    let note = ui
        .rows("SELECT content FROM read_text('/mnt/team/note')")
        .await;
    assert_eq!(note, Ok(json!([{ "content": "quack" }])));

    let pod = pod(&env, &id).await;
    let pod = serde_json::to_value(&pod).unwrap();
    let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
    assert_eq!(metadata["labels"]["team.example.com/cost"], "ducks");
    assert_eq!(metadata["annotations"]["team.example.com/note"], "quack");
    assert_eq!(spec["priority"], 7);
    assert_eq!(spec["nodeSelector"]["kubernetes.io/os"], "linux");
    assert_eq!(spec["tolerations"][0]["key"], "ducks-only");
    let away =
        &spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    let place = json!({ "topologyKey": "kubernetes.io/hostname" });
    assert_eq!(*away, json!([{ "weight": 1, "podAffinityTerm": place }]));
    assert_eq!(spec["runtimeClassName"], priority.as_str());
    assert_eq!(spec["serviceAccountName"], "analyst");
    assert_eq!(
        spec["volumes"].as_array().map(Vec::len),
        Some(4),
        "the account's token must not be mounted: {spec:#}"
    );
    assert_eq!(spec["containers"][0]["imagePullPolicy"], "Always");
    let resources = &spec["containers"][0]["resources"];
    assert_eq!(resources["requests"]["memory"], "128Mi");
    assert_eq!(resources["limits"]["memory"], "256Mi");
    assert_eq!(pod["status"]["qosClass"], "Burstable");
    let first = &pod["status"]["initContainerStatuses"][0]["state"]["terminated"];
    assert_eq!(first["exitCode"], 0);
    env.assert_clean().await;
}
