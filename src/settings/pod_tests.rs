//! Additions to Pods, and requests of sizes.

use std::path::Path;

use super::{tests::minimal, *};

fn read_text(text: &str) -> Result<Settings, InvalidSettings> {
    Settings::read(Some((Path::new("duckbot.toml"), text)), minimal())
}

#[test]
fn what_is_added_to_pods_is_written_as_kubernetes_does() {
    let text = r#"
        [pod]
        labels = { team = "data", "example.com/cost.center" = "" }
        environment = { POND = "deep", HTTPS_PROXY = "http://proxy:3128", _x = "" }
        image_pull_secrets = ["registry"]
        tolerations = [{ key = "team", operator = "Exists" }]
        host_users = false
        volume_mounts = [{ name = "data", mountPath = "/mnt/data/", readOnly = true }]
        [pod.affinity.podAntiAffinity]
        preferredDuringSchedulingIgnoredDuringExecution = [{ weight = 1, podAffinityTerm = { topologyKey = "zone" } }]
        [[pod.volumes]]
        name = "data"
        persistentVolumeClaim = { claimName = "reference" }
        [[pod.volumes]]
        name = "token"
        projected = { sources = [{ serviceAccountToken = { path = "t", audience = "vault" } }] }
        [[pod.init_containers]]
        name = "first"
        image = "first:1"
        volumeMounts = [{ name = "work", mountPath = "/w" }, { name = "data", mountPath = "/d" }]
    "#;
    let pod = read_text(text).expect("valid").pod;
    assert_eq!(pod.labels["team"], "data");
    assert_eq!(pod.tolerations[0].operator.as_deref(), Some("Exists"));
    assert_eq!(pod.init_containers[0].name, "first");
    assert!(pod.user_namespace && pod.block_scale_down && pod.affinity.is_some());
    assert_eq!((pod.volumes.len(), pod.volume_mounts.len()), (2, 1));
    assert_eq!(read_text("").expect("valid").pod.affinity, None);
}

#[test]
fn what_the_cluster_or_a_session_could_not_take_is_refused() {
    let text = r#"
        [pod]
        image_pull_policy = "Sometimes"
        labels = { "a b" = "", team = "-", "x/y/z" = "" }
        annotations = ["note"]
        node_selector = { disk = "ssd!" }
        environment = { SESSION_ID = "0", S3_SECRET_ACCESS_KEY = "", HOME = "/", "1st" = "", "a b" = "" }
        tolerations = [{ kye = "team" }]
        affinity = { nodes = "all" }
        runtime_class = "g Visor"
        host_users = "maybe"
        volumes = [
          { name = "work", emptyDir = {} },
          { name = "duckbot-ca", emptyDir = {} },
          { name = "host", hostPath = { path = "/" } },
          { name = "none" },
          { name = "both", emptyDir = {}, secret = { secretName = "s" } },
          { name = "Upper", emptyDir = {} },
          { name = "twice", emptyDir = {} },
          { name = "twice", emptyDir = {} },
          { name = "token", projected = { sources = [{ serviceAccountToken = { path = "t" } }] } },
        ]
    "#;
    insta::assert_snapshot!(read_text(text).expect_err("invalid"));
}

#[test]
fn no_mount_or_container_takes_the_place_of_duckbots_own() {
    let text = r#"
        [pod]
        volumes = [{ name = "data", emptyDir = {} }]
        volume_mounts = [
          { name = "work", mountPath = "/mnt/work" },
          { name = "data", mountPath = "/" },
          { name = "data", mountPath = "/home" },
          { name = "data", mountPath = "/home/duck/.duckdb" },
          { name = "data", mountPath = "/tmp/" },
          { name = "data", mountPath = "/usr/bin" },
          { name = "data", mountPath = "/etc/duckbot-ca" },
          { name = "data", mountPath = "/mnt/../tmp" },
          { name = "data", mountPath = "mnt" },
          { name = "data", mountPath = "/mnt//x" },
          { name = "data", mountPath = "/tmpfiles" },
          { name = "data", mountPath = "/tmpfiles/" },
        ]
        init_containers = [
          { name = "duckdb", image = "i" },
          { name = "root", securityContext = { runAsUser = 0 } },
          { name = "mighty", securityContext = { privileged = true } },
          { name = "climber", securityContext = { allowPrivilegeEscalation = true } },
          { name = "free", securityContext = { seccompProfile = { type = "Unconfined" } } },
          { name = "armor", securityContext = { appArmorProfile = { type = "Unconfined" } } },
          { name = "label", securityContext = { seLinuxOptions = { type = "spc_t" } } },
          { name = "role", securityContext = { seLinuxOptions = { role = "system_r" } } },
          { name = "host", securityContext = { windowsOptions = { hostProcess = true } } },
          { name = "init", volumeMounts = [{ name = "init-sql", mountPath = "/i" }] },
          { name = "able", securityContext = { capabilities = { add = ["SYS_ADMIN"] } } },
          { name = "open", ports = [{ containerPort = 80, hostPort = 80 }] },
          { name = "one", image = "i", volumeMounts = [{ name = "lost", mountPath = "/l" }] },
        ]
    "#;
    insta::assert_snapshot!(read_text(text).expect_err("invalid"));
}

#[test]
fn a_size_requests_its_limits_or_less() {
    let text = r#"
        [sizes.small.requests]
        cpu = "250m"
        memory = "1Gi"
        [sql]
        runner_requests = { disk = "512Mi" }
    "#;
    let settings = read_text(text).expect("valid");
    let requests = settings.size("small").expect("a default").requests;
    assert_eq!(requests.cpu.to_string(), "250m");
    assert_eq!(requests.memory.to_string(), "1Gi");
    assert_eq!(requests.disk.to_string(), "10Gi");
    let runner = settings.sql.expect("on").runner_size;
    assert_eq!(runner.requests.disk.to_string(), "512Mi");
    assert_eq!(runner.requests.memory, runner.memory);

    let text = r#"
        [sizes.small]
        requests = { cpu = "1500m", memory = "8Gi", disk = "0Mi" }
        [sizes.large]
        disk = "1Mi"
        requests = "2Gi"
        [sql]
        runner_requests = { memory = "2Gi" }
    "#;
    insta::assert_snapshot!(read_text(text).expect_err("invalid"));
}
