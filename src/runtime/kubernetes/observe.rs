//! The view of the cluster, kept in memory by five watches.
//!
//! Progress, `/duck list` and the reconciler all read it, so none of them asks
//! the API server.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Container, Event, Pod, PodSpec, Service},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store::Writer},
        utils::Backoff,
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use super::{
    apply::chain,
    build::{DOOR_KEY, DUCKBOT, DUCKDB, MANAGED_BY, SESSION, read_record, route_resource},
    status,
};
use crate::{
    lock::lock,
    measure,
    session::{self, Observed, Orphan, OwnerId, Record, Said, SessionId},
    settings::Settings,
};

/// How long a watch must go on after its list until it counts as one that works.
const PROVEN_AFTER: Duration = Duration::from_secs(2);

/// How many objects a list asks for at a time: before they are slimmed, they are large.
const PAGE: u32 = 100;

/// The view. Dropping it ends the watches.
pub struct Cache {
    namespace: String,
    records: Store<ConfigMap>,
    pods: Store<Pod>,
    /// What was said about Pods, also about those that are not ours.
    events: Store<Event>,
    services: Store<PartialObjectMeta<Service>>,
    routes: Store<PartialObjectMeta<DynamicObject>>,
    route_resource: ApiResource,
    documents: Mutex<Documents>,
    changes: Arc<watch::Sender<u64>>,
    broken: Broken,
    _watches: JoinSet<()>,
}

/// The watches that don't work at the moment, and since when.
type Broken = Arc<Mutex<HashMap<String, DateTime<Utc>>>>;

impl Cache {
    /// Starts the watches; returns when each has seen everything once.
    ///
    /// # Errors
    /// Only if a watch ends by itself, which none does.
    pub async fn start(client: &Client, settings: &Settings) -> anyhow::Result<Self> {
        let namespace = settings.kubernetes.namespace.clone();
        let resource = route_resource(settings.routing.kind);
        let mut keeper = Keeper {
            watches: JoinSet::new(),
            changes: Arc::new(watch::Sender::new(0)),
            broken: Broken::default(),
        };
        // The server ends a watch before it has been silent for too long: not all kinds
        // have bookmarks, so where nothing happens nothing might come. (kube takes
        // less than 295 s.)
        let seconds = (settings.kubernetes.watch_silence / 2)
            .as_secs()
            .clamp(1, 290);
        let any = watcher::Config::default()
            .timeout(seconds as u32)
            .page_size(PAGE);
        let ours = any.clone().labels(&format!("{MANAGED_BY}={DUCKBOT}"));
        let about_pods = any.fields("involvedObject.kind=Pod");
        let routes = Api::namespaced_with(client.clone(), &namespace, &resource);
        let cache = Self {
            records: keeper.keep(
                namespaced(client, &namespace),
                &ours,
                Writer::default(),
                slim,
                all,
            ),
            pods: keeper.keep(
                namespaced(client, &namespace),
                &ours,
                Writer::default(),
                slim_pod,
                all,
            ),
            events: keeper.keep(
                namespaced(client, &namespace),
                &about_pods,
                Writer::default(),
                slim,
                status::is_telling,
            ),
            services: keeper.keep(
                namespaced(client, &namespace),
                &ours,
                Writer::default(),
                slim,
                all,
            ),
            routes: keeper.keep(routes, &ours, Writer::new(resource.clone()), slim, all),
            route_resource: resource,
            documents: Mutex::default(),
            namespace,
            changes: keeper.changes,
            broken: keeper.broken,
            _watches: keeper.watches,
        };
        let lost = "a watch ended before it had seen everything";
        cache.records.wait_until_ready().await.context(lost)?;
        cache.pods.wait_until_ready().await.context(lost)?;
        cache.events.wait_until_ready().await.context(lost)?;
        cache.services.wait_until_ready().await.context(lost)?;
        cache.routes.wait_until_ready().await.context(lost)?;
        Ok(cache)
    }

    /// Is marked as changed when it may say something new.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Since when this view may be old: a watch is broken.
    pub fn stale_since(&self) -> Option<DateTime<Utc>> {
        lock(&self.broken).values().min().copied()
    }

    /// The Pod of that name.
    pub fn pod(&self, name: &str) -> Option<Arc<Pod>> {
        self.pods.get(&self.key(name))
    }

    /// What was said about that Pod, oldest first.
    pub fn said(&self, pod: &Pod) -> Vec<Said> {
        let events = self.events.state();
        let about = events
            .iter()
            .filter(|event| event.involved_object.uid == pod.metadata.uid);
        let mut said: Vec<_> = about.filter_map(|event| status::said(event)).collect();
        said.sort_by_key(|said| said.at);
        said
    }

    /// All sessions, oldest first.
    pub fn sessions(&self) -> Vec<Observed> {
        let stored = self.records.state();
        self.documents().retain(&stored);
        self.oldest_first(&stored)
    }

    /// The same of one owner; the others are not even copied.
    pub fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        let mut stored = self.records.state();
        let mut documents = self.documents();
        stored.retain(|map| documents.read(map).is_some_and(|it| it.owner == owner));
        drop(documents);
        self.oldest_first(&stored)
    }

    fn oldest_first(&self, stored: &[Arc<ConfigMap>]) -> Vec<Observed> {
        let mut sessions: Vec<_> = stored.iter().filter_map(|map| self.observed(map)).collect();
        sessions.sort_by(|a, b| {
            let (a, b) = (&a.record, &b.record);
            (a.created, &a.id).cmp(&(b.created, &b.id))
        });
        sessions
    }

    /// How many records can't be read.
    pub fn unreadable(&self) -> usize {
        let stored = self.records.state();
        let is_read = |map: &Arc<ConfigMap>| self.observed(map).is_some();
        stored.iter().filter(|map| !is_read(map)).count()
    }

    /// The session with this id.
    pub fn session(&self, id: &SessionId) -> Option<Observed> {
        // Whoever waits for a session looks at each change.
        let name = self.documents().names.get(id).cloned();
        let known = name.and_then(|name| self.record(&name));
        if let Some(seen) = known.filter(|seen| seen.record.id == *id) {
            return Some(seen);
        }
        let id = id.to_string();
        let labelled = |map: &ConfigMap| map.labels().get(SESSION) == Some(&id);
        self.observed(&*self.records.find(labelled)?)
    }

    /// Parts whose record is gone.
    pub fn orphans(&self) -> Vec<Orphan> {
        let id = |labels: &BTreeMap<String, String>| labels.get(SESSION)?.parse().ok();
        // Also those that can't be read: what belongs to them is no orphan.
        let records = self.records.state();
        let known: HashSet<SessionId> = records.iter().filter_map(|it| id(it.labels())).collect();
        let mut orphans = BTreeMap::<SessionId, DateTime<Utc>>::new();
        let mut look = |labels: &BTreeMap<String, String>, meta: &ObjectMeta| {
            let (Some(id), Some(made)) = (id(labels), created(meta)) else {
                return;
            };
            if !known.contains(&id) {
                // What is being deleted has its time for that.
                let goes = meta.deletion_timestamp.as_ref().and_then(time);
                let made = made.max(goes.unwrap_or(made));
                let since = orphans.entry(id).or_insert(made);
                *since = made.max(*since);
            }
        };
        for pod in self.pods.state() {
            look(pod.labels(), pod.meta());
        }
        for service in self.services.state() {
            look(service.labels(), service.meta());
        }
        for route in self.routes.state() {
            look(route.labels(), route.meta());
        }
        let orphan = |(id, since)| Orphan { id, since };
        orphans.into_iter().map(orphan).collect()
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
        let record = self.documents().read(stored)?.clone();
        let name = record.id.object_name();
        let resource = self.route_resource.clone();
        let route = ObjectRef::new_with(&name, resource).within(&self.namespace);
        Some(Observed {
            uid,
            revision,
            pod: self.pod(&name).map(|pod| self.read(&pod)),
            service: self.services.get(&self.key(&name)).is_some(),
            route: self.routes.get(&route).is_some(),
            record,
        })
    }

    fn read(&self, pod: &Pod) -> session::Pod {
        // Most Pods are ready, and for those nobody looks.
        let told = std::iter::once_with(|| self.events.state()).flatten();
        let about = told.filter(|event| {
            status::is_telling(event) && event.involved_object.uid == pod.metadata.uid
        });
        status::read(pod, about)
    }

    fn key<K: Resource<DynamicType = ()>>(&self, name: &str) -> ObjectRef<K> {
        ObjectRef::new(name).within(&self.namespace)
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        lock(&self.documents)
    }
}

/// Records as they were read last, so that each revision is parsed, and
/// complained about, once.
#[derive(Default)]
struct Documents {
    by_uid: HashMap<String, (String, Option<Record>)>,
    /// Under which name the record of a session was stored when it was read.
    names: HashMap<SessionId, String>,
}

impl Documents {
    fn read(&mut self, stored: &ConfigMap) -> Option<&Record> {
        let meta = stored.meta();
        let (uid, revision) = (meta.uid.as_ref()?, meta.resource_version.as_ref()?);
        let known = self.by_uid.get(uid);
        if known.is_none_or(|(known, _)| known != revision) {
            let record = parsed(stored);
            if let Some(record) = &record {
                self.names.insert(record.id.clone(), stored.name_any());
            }
            self.by_uid.insert(uid.clone(), (revision.clone(), record));
        }
        self.by_uid.get(uid)?.1.as_ref()
    }

    /// Forgets those that are gone.
    fn retain(&mut self, present: &[Arc<ConfigMap>]) {
        if self.by_uid.len() <= present.len() && self.names.len() <= present.len() {
            return;
        }
        let present: HashSet<_> = present
            .iter()
            .filter_map(|map| map.meta().uid.as_ref())
            .collect();
        self.by_uid.retain(|uid, _| present.contains(uid));
        let records = self
            .by_uid
            .values()
            .filter_map(|(_, record)| record.as_ref());
        let ids: HashSet<_> = records.map(|record| &record.id).collect();
        self.names.retain(|id, _| ids.contains(id));
    }
}

fn parsed(stored: &ConfigMap) -> Option<Record> {
    let record = read_record(stored);
    if let Err(why) = &record {
        let name = stored.name_any();
        warn!(
            record = name,
            why, "record {name} can't be read; its session is left alone"
        );
    }
    record.ok()
}

fn created(meta: &ObjectMeta) -> Option<DateTime<Utc>> {
    meta.creation_timestamp.as_ref().and_then(time)
}

fn time(at: &Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.0.as_second(), 0)
}

fn namespaced<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), namespace)
}

fn all<K>(_: &K) -> bool {
    true
}

/// Drops what nobody reads of an object in the view. What says who wrote which of its fields
/// is most of it.
fn slim<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    meta.owner_references = None;
    keep_only(&mut meta.labels, SESSION);
    keep_only(&mut meta.annotations, DOOR_KEY);
}

fn keep_only(all: &mut Option<BTreeMap<String, String>>, name: &str) {
    *all = all.take().and_then(|mut all| {
        let kept = all.remove_entry(name)?;
        Some([kept].into())
    });
}

/// The same of a Pod: where it runs and what DuckDB may use is read, and nothing of what else
/// it was asked to be.
fn slim_pod(pod: &mut Pod) {
    slim(pod);
    let Some(spec) = pod.spec.take() else {
        return;
    };
    let duckdb = spec.containers.into_iter().find(|it| it.name == DUCKDB);
    let duckdb = duckdb.map(|container| Container {
        name: container.name,
        resources: container.resources,
        ..Container::default()
    });
    pod.spec = Some(PodSpec {
        node_name: spec.node_name,
        containers: duckdb.into_iter().collect(),
        ..PodSpec::default()
    });
}

/// What keeps stores up to date in the background.
struct Keeper {
    watches: JoinSet<()>,
    changes: Arc<watch::Sender<u64>>,
    broken: Broken,
}

impl Keeper {
    /// Keeps one store up to date, and says when that is news to anybody.
    fn keep<K>(
        &mut self,
        api: Api<K>,
        which: &watcher::Config,
        mut writer: Writer<K>,
        slim: fn(&mut K),
        is_news: fn(&K) -> bool,
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
        let (changes, broken) = (self.changes.clone(), self.broken.clone());
        let which = which.clone();
        self.watches.spawn(async move {
            let what = api.resource_url();
            let mut pauses = watcher::DefaultBackoff::default();
            loop {
                // Each time from the start, with a list: after an error nobody
                // knows what was missed, and there is not much to list.
                let mut events = std::pin::pin!(watcher(api.clone(), which.clone()).modify(slim));
                let mut proven_at = None;
                loop {
                    let event = tokio::select! {
                        event = events.next() => event,
                        // A list alone proves nothing of the watch that follows.
                        () = sleep_until(proven_at.unwrap_or_else(Instant::now)), if proven_at.is_some() => {
                            pauses.reset();
                            if lock(&broken).remove(what).is_some() {
                                info!(what, "the watch of the cluster works again");
                                changes.send_modify(|count| *count += 1);
                            }
                            proven_at = None;
                            continue;
                        }
                    };
                    let event = match event {
                        Some(Ok(event)) => event,
                        Some(Err(error)) => {
                            let error = chain(&error);
                            measure::watch_broke(what.rsplit('/').next().unwrap_or(what));
                            if let Entry::Vacant(entry) = lock(&broken).entry(what.to_owned()) {
                                entry.insert(Utc::now());
                                warn!(what, error, "a watch of the cluster broke; trying again");
                            }
                            break;
                        }
                        None => break,
                    };
                    let is_told = match &event {
                        watcher::Event::Apply(object) | watcher::Event::Delete(object) => {
                            is_news(object)
                        }
                        watcher::Event::InitDone => {
                            proven_at = Some(Instant::now() + PROVEN_AFTER);
                            // What is shown was true at this moment.
                            if let Some(since) = lock(&broken).get_mut(what) {
                                *since = Utc::now();
                            }
                            true
                        }
                        watcher::Event::Init | watcher::Event::InitApply(_) => false,
                    };
                    writer.apply_watcher_event(&event);
                    if is_told {
                        changes.send_modify(|count| *count += 1);
                    }
                }
                changes.send_modify(|count| *count += 1);
                tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            }
        });
        store
    }
}
