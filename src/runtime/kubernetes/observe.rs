//! The view of the cluster, kept in memory by four watches.
//!
//! Progress, `/duck list` and the reconciler all read it, so none of them asks
//! the API server.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
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
    build::{DUCKBOT, MANAGED_BY, read_record, route_resource},
};
use crate::{
    session::{Observed, PodState},
    settings::Settings,
};

/// How long a change may take to show up in the view before whoever made it
/// goes on without.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

/// The view. Dropping it ends the watches.
pub struct Cache {
    namespace: String,
    records: Store<ConfigMap>,
    pods: Store<Pod>,
    services: Store<PartialObjectMeta<Service>>,
    routes: Store<PartialObjectMeta<DynamicObject>>,
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
            routes: keep(&mut watches, &changes, routes, Writer::new(resource)),
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
        let mut sessions: Vec<_> = stored.iter().filter_map(|map| self.observed(map)).collect();
        sessions.sort_by(|a, b| {
            let key = |seen: &Observed| (seen.record.created, seen.record.id.clone());
            key(a).cmp(&key(b))
        });
        sessions
    }

    /// The record that is stored under `name`.
    pub fn record(&self, name: &str) -> Option<Observed> {
        let key = ObjectRef::new(name).within(&self.namespace);
        self.observed(&*self.records.get(&key)?)
    }

    /// Waits until the view fulfils `condition`, but not for ever: a watch that
    /// hangs must not stop what has been done already.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) -> bool {
        self.until_within(VISIBLE_WITHIN, condition).await
    }

    /// The same with a time limit of one's own.
    pub async fn until_within(&self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.changes();
        let fulfilled = async { while !condition(self) && changes.changed().await.is_ok() {} };
        tokio::time::timeout(limit, fulfilled).await.is_ok()
    }

    fn observed(&self, stored: &ConfigMap) -> Option<Observed> {
        let record = read_record(stored).ok()?;
        let name = record.id.object_name();
        let pod = self.pods.get(&self.key(&name, ()));
        Some(Observed {
            uid: stored.uid()?,
            revision: stored.resource_version()?,
            pod: pod.as_deref().map(pod_state),
            service: self.services.get(&self.key(&name, ())).is_some(),
            route: self.routes.find(|route| route.name_any() == name).is_some(),
            record,
        })
    }

    fn key<K: Resource<DynamicType = ()>>(&self, name: &str, (): ()) -> ObjectRef<K> {
        ObjectRef::new(name).within(&self.namespace)
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
            if let Err(error) = &event
                && !broken
            {
                warn!(
                    watch = what,
                    error = chain(error),
                    "a watch of the cluster broke; trying again"
                );
            } else if event.is_ok() && broken {
                info!(watch = what, "the watch of the cluster works again");
            }
            broken = event.is_err();
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
    match status.phase.as_deref() {
        Some("Failed") => {
            let why = status.message.or(status.reason);
            PodState::Failed(why.unwrap_or_else(|| "its container ended".into()))
        }
        Some("Succeeded") => PodState::Failed("DuckDB ended by itself".into()),
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
        assert_eq!(
            state(done),
            PodState::Failed("DuckDB ended by itself".into())
        );
    }
}
