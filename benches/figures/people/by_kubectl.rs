//! Copies of a session's Pod, Service and route that kubectl creates and deletes.

use std::path::PathBuf;

use chrono::Utc;
use duckbot::door::ticket::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{Cluster, TestEnv};
use tokio::process::Command;

/// Label by which a Service finds its Pod.
const SESSION: &str = "duckbot.dev/session";

/// The objects of a session. Nothing belongs to the bot in them: neither the label by which it finds its objects, nor
/// the record as their owner.
pub struct Manifests {
    session: String,
    objects: String,
    /// Signs the tickets for the doors.
    key: SigningKey,
    folder: TempDir,
}

impl Manifests {
    /// Reads the objects of a running session.
    pub async fn of(env: &TestEnv, session: &str) -> Self {
        let (cluster, name) = (&env.cluster, format!("duckui-{session}"));
        let pod = cluster.pods().get(&name).await.unwrap();
        let service = cluster.services().get(&name).await.unwrap();
        let route = cluster.routes().get(&name).await.unwrap();
        let mut objects = [json!(pod), json!(service), json!(route)];
        for object in &mut objects {
            object["metadata"] = json!({
                "name": name, "namespace": cluster.sessions, "labels": { SESSION: session },
            });
            let object = object.as_object_mut().unwrap();
            object.remove("status");
            let spec = object["spec"].as_object_mut().unwrap();
            for chosen in ["nodeName", "clusterIP", "clusterIPs"] {
                spec.remove(chosen);
            }
        }
        let key = SigningKey::read("floor", &SigningKey::generate()).unwrap();
        let objects = json!(objects).to_string();
        Self {
            objects: objects.replace(&door_key(&json!(pod)), &key.public()),
            session: session.to_owned(),
            key,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Writes the objects of sessions with these IDs into a file. Returns its path.
    pub fn write(&self, sessions: &[String]) -> PathBuf {
        let copy = |id: &String| -> Vec<Value> {
            let text = self.objects.replace(&self.session, id);
            serde_json::from_str(&text).unwrap()
        };
        let items: Vec<_> = sessions.iter().flat_map(copy).collect();
        write(&self.folder, &items)
    }

    /// Link that lets a browser into the door of a session with this ID.
    pub fn link(&self, session: &str) -> String {
        let ticket = self.key.ticket(session, Utc::now());
        format!("https://duckui-{session}.duck.example.com/.duckbot/enter#{ticket}")
    }
}

/// Writes objects into a file that kubectl can read. Returns its path.
pub fn write(folder: &TempDir, items: &[Value]) -> PathBuf {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let path = folder.path().join("objects.json");
    std::fs::write(&path, list.to_string()).unwrap();
    path
}

/// The public key in the environment of the Pod's door.
fn door_key(pod: &Value) -> String {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    let mut variables = containers.flat_map(|it| it["env"].as_array().unwrap());
    let key = variables.find(|it| it["name"] == "DOOR_KEY").unwrap();
    key["value"].as_str().unwrap().to_owned()
}

/// Runs `kubectl <verb> --filename <file>` as an admin, until it ends.
pub async fn kubectl(verb: &str, file: &PathBuf) {
    let cluster = Cluster::shared();
    let mut command = Command::new(cluster.programs().join("kubectl"));
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    let output = command.args([verb, "--filename"]).arg(file).output().await;
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
}
