//! The view of the cluster, kept in memory by four watches.
//!
//! Progress, `/duck list` and the reconciler all read it, so none of them asks
//! the API server.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store::Writer},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinSet};
use tracing::{info, warn};

use super::{
    apply::chain,
    build::{DUCKBOT, DUCKDB, MANAGED_BY, SESSION, read_record, route_resource},
};
use crate::{
    session::{Observed, PodState, Record, SessionId},
    settings::Settings,
};

/// The view. Dropping it ends the watches.
pub struct Cache {
    namespace: String,
    records: Store<ConfigMap>,
    pods: Store<Pod>,
    services: Store<PartialObjectMeta<Service>>,
    routes: Store<PartialObjectMeta<DynamicObject>>,
    route_resource: ApiResource,
    documents: Mutex<Documents>,
    changes: Arc<watch::Sender<u64>>,
    _watches: JoinSet<()>,
}

impl Cache {
    /// Starts the watches; returns when each has seen everything once.
    ///
    /// # Errors
    /// Only if a watch ends by itself, which none does.
    pub async fn start(client: &Client, settings: &Settings) -> anyhow::Result<Self> {
        let namespace = settings.kubernetes.namespace.clone();
        let resource = route_resource(settings.routing.kind);
        let changes = Arc::new(watch::Sender::new(0));
        let mut watches = JoinSet::new();
        let routes = Api::namespaced_with(client.clone(), &namespace, &resource);
        let cache = Self {
            records: keep(
                &mut watches,
                &changes,
                namespaced(client, &namespace),
                Writer::default(),
            ),
            pods: keep(
                &mut watches,
                &changes,
                namespaced(client, &namespace),
                Writer::default(),
            ),
            services: keep(
                &mut watches,
                &changes,
                namespaced(client, &namespace),
                Writer::default(),
            ),
            routes: keep(
                &mut watches,
                &changes,
                routes,
                Writer::new(resource.clone()),
            ),
            route_resource: resource,
            documents: Mutex::default(),
            namespace,
            changes,
            _watches: watches,
        };
        let lost = "a watch ended before it had seen everything";
        cache.records.wait_until_ready().await.context(lost)?;
        cache.pods.wait_until_ready().await.context(lost)?;
        cache.services.wait_until_ready().await.context(lost)?;
        cache.routes.wait_until_ready().await.context(lost)?;
        Ok(cache)
    }

    /// Is marked as changed after every event.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// All sessions, oldest first.
    pub fn sessions(&self) -> Vec<Observed> {
        let stored = self.records.state();
        self.documents()
            .retain(stored.iter().filter_map(|map| map.uid()).collect());
        let mut sessions: Vec<_> = stored.iter().filter_map(|map| self.observed(map)).collect();
        sessions.sort_by(|a, b| {
            let key = |seen: &Observed| (seen.record.created, seen.record.id.clone());
            key(a).cmp(&key(b))
        });
        sessions
    }

    /// The session with this id.
    pub fn session(&self, id: &SessionId) -> Option<Observed> {
        let id = id.to_string();
        let labelled = |map: &ConfigMap| map.labels().get(SESSION) == Some(&id);
        self.observed(&*self.records.find(labelled)?)
    }

    /// The record that is stored under `name`.
    pub fn record(&self, name: &str) -> Option<Observed> {
        let key = ObjectRef::new(name).within(&self.namespace);
        self.observed(&*self.records.get(&key)?)
    }

    /// Waits until the view fulfils `condition`.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changes = self.changes();
        while !condition(self) && changes.changed().await.is_ok() {}
    }

    fn observed(&self, stored: &ConfigMap) -> Option<Observed> {
        let (uid, revision) = (stored.uid()?, stored.resource_version()?);
        let record = self.documents().read(&uid, &revision, stored)?;
        let name = record.id.object_name();
        let resource = self.route_resource.clone();
        let route = ObjectRef::new_with(&name, resource).within(&self.namespace);
        Some(Observed {
            uid,
            revision,
            pod: self.pods.get(&self.key(&name)).as_deref().map(pod_state),
            service: self.services.get(&self.key(&name)).is_some(),
            route: self.routes.get(&route).is_some(),
            record,
        })
    }

    fn key<K: Resource<DynamicType = ()>>(&self, name: &str) -> ObjectRef<K> {
        ObjectRef::new(name).within(&self.namespace)
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        // What is inside is a memo: a panic while it was held spoils nothing.
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records as they were read last, so that each revision is parsed, and
/// complained about, once.
#[derive(Default)]
struct Documents {
    by_uid: HashMap<String, (String, Option<Record>)>,
}

impl Documents {
    fn read(&mut self, uid: &str, revision: &str, stored: &ConfigMap) -> Option<Record> {
        if let Some((known, record)) = self.by_uid.get(uid)
            && known == revision
        {
            return record.clone();
        }
        let record = read_record(stored);
        if let Err(why) = &record {
            let name = stored.name_any();
            warn!(
                record = name,
                why, "record {name} can't be read; its session is left alone"
            );
        }
        let record = record.ok();
        self.by_uid
            .insert(uid.to_owned(), (revision.to_owned(), record.clone()));
        record
    }

    fn retain(&mut self, present: HashSet<String>) {
        self.by_uid.retain(|uid, _| present.contains(uid));
    }
}

fn namespaced<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), namespace)
}

/// Keeps a store up to date in the background, and says when it changed.
fn keep<K>(
    watches: &mut JoinSet<()>,
    changes: &Arc<watch::Sender<u64>>,
    api: Api<K>,
    writer: Writer<K>,
) -> Store<K>
where
    K: Resource<DynamicType: Clone + Eq + std::hash::Hash + Send + Sync + Unpin>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let store = writer.as_reader();
    let changes = changes.clone();
    let what = api.resource_url().to_owned();
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={DUCKBOT}"));
    let events = watcher(api, ours).default_backoff().reflect(writer);
    watches.spawn(async move {
        let mut events = std::pin::pin!(events);
        let mut broken = false;
        while let Some(event) = events.next().await {
            match event {
                Err(error) if !broken => {
                    broken = true;
                    let error = chain(&error);
                    warn!(
                        watch = what,
                        error, "a watch of the cluster broke; trying again"
                    );
                }
                // Init comes before the server is asked, so it proves nothing.
                Err(_) | Ok(watcher::Event::Init) => {}
                Ok(_) if broken => {
                    broken = false;
                    info!(watch = what, "the watch of the cluster works again");
                }
                Ok(_) => {}
            }
            changes.send_modify(|count| *count += 1);
        }
    });
    store
}

/// What a Pod says, in our words.
fn pod_state(pod: &Pod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Going;
    }
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.iter().flatten();
    let holds: Vec<_> = conditions
        .filter(|condition| condition.status == "True")
        .map(|condition| condition.type_.as_str())
        .collect();
    // With the door still running, the phase stays Running when DuckDB has ended.
    let containers = status.container_statuses.iter().flatten();
    let mut ended = containers.filter_map(|it| Some((it, it.state.as_ref()?.terminated.as_ref()?)));
    if let Some((container, end)) = ended.next() {
        let reason = end.reason.as_deref().unwrap_or("no reason given");
        let name = if container.name == DUCKDB {
            "DuckDB"
        } else {
            "its door"
        };
        return PodState::Failed(format!(
            "{name} ended ({reason}, exit code {})",
            end.exit_code
        ));
    }
    match status.phase.as_deref() {
        Some("Failed") => {
            let why = status.message.or(status.reason);
            PodState::Failed(why.unwrap_or_else(|| "it ended by itself".into()))
        }
        Some("Succeeded") => PodState::Failed("it ended by itself".into()),
        _ if holds.contains(&"Ready") => PodState::Ready,
        _ if holds.contains(&"PodScheduled") => PodState::Starting,
        _ => PodState::Queued,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: serde_json::Value) -> PodState {
        let pod = serde_json::json!({ "metadata": {}, "status": status });
        pod_state(&serde_json::from_value(pod).expect("a Pod"))
    }

    fn condition(kind: &str) -> serde_json::Value {
        serde_json::json!([{ "type": kind, "status": "True" }])
    }

    #[test]
    fn a_pod_is_queued_then_starting_then_ready() {
        use serde_json::json;
        assert_eq!(state(json!({})), PodState::Queued);
        let scheduled = json!({ "phase": "Pending", "conditions": condition("PodScheduled") });
        assert_eq!(state(scheduled), PodState::Starting);
        let ready = json!({ "phase": "Running", "conditions": condition("Ready") });
        assert_eq!(state(ready), PodState::Ready);
    }

    #[test]
    fn a_pod_that_ended_says_why() {
        use serde_json::json;
        let evicted = json!({ "phase": "Failed", "message": "The node was low on memory." });
        assert_eq!(
            state(evicted),
            PodState::Failed("The node was low on memory.".into())
        );
        let done = json!({ "phase": "Succeeded" });
        assert_eq!(state(done), PodState::Failed("it ended by itself".into()));
    }

    #[test]
    fn duckdb_that_ended_behind_an_open_door_has_ended() {
        use serde_json::json;
        let status = |name: &str, state| {
            json!({ "name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "",
                "state": state })
        };
        let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        let containers = [
            status("duckdb", killed),
            status("door", json!({ "running": {} })),
        ];
        let pod = json!({ "phase": "Running", "containerStatuses": containers });
        let why = "DuckDB ended (OOMKilled, exit code 137)";
        assert_eq!(state(pod), PodState::Failed(why.into()));
    }
}
