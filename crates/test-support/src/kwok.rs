//! kwok (Kubernetes without kubelet): a node that runs nothing and reports each Pod as ready at
//! once. Used for large numbers of sessions.

use std::process::{Child, Command, Stdio};

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, api::PostParams};
use serde_json::json;

use crate::{cluster::Cluster, tools::script};

/// Running kwok. Ends on drop, and when this process ends.
pub struct Kwok {
    running: Child,
}

impl Kwok {
    /// Name of the node.
    pub const NODE: &str = "kwok";
    /// Prefix of its Pods' addresses. They belong to this machine, so a test can serve their doors.
    pub const PODS: &str = "127.99.";

    /// Creates the node and starts kwok.
    pub async fn start() -> Self {
        let cluster = Cluster::shared();
        let admin = Client::try_from(cluster.config().await).unwrap();
        let node: Node = serde_json::from_value(json!({
            "metadata": {
                "name": Self::NODE,
                "annotations": { "kwok.x-k8s.io/node": "fake" },
                "labels": { "duckbot.dev/node": Self::NODE },
            },
            "status": {
                "allocatable": { "cpu": "100000", "memory": "100000Gi", "pods": "100000", "ephemeral-storage": "100000Gi" },
                "capacity": { "cpu": "100000", "memory": "100000Gi", "pods": "100000", "ephemeral-storage": "100000Gi" },
            },
        }))
        .unwrap();
        let nodes = Api::all(admin);
        match nodes.create(&PostParams::default(), &node).await {
            // A previous test created the node. The new kwok manages it again.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            made => drop(made.unwrap()),
        }
        let program = cluster.programs().join("kwok");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        let running = command
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig())
            .arg("--config")
            .arg(script("cluster/kwok.yaml"))
            // Renewed every two seconds: the node counts as failed after 20 s without.
            .arg("--node-lease-duration-seconds=8")
            .arg("--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake")
            .arg(format!("--cidr={}0.1/16", Self::PODS))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { running }
    }
}

impl Drop for Kwok {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}
