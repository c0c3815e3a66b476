//! What the watches have shown: of each object only what somebody reads. Pure.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    marker::PhantomData,
    net::IpAddr,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Event, Pod, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Resource, ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
    runtime::watcher,
};
use tracing::warn;

use super::{
    build::{DOOR_KEY, SESSION, read_record},
    status,
};
use crate::session::{Observed, Orphan, OwnerId, PodEvent, Record, SessionId};

/// Everything that is watched.
#[derive(Default)]
pub struct View {
    /// The records of sessions.
    pub records: WatchStore<Records>,
    /// Their Pods.
    pub pods: WatchStore<Pods>,
    /// What was said about Pods.
    pub events: WatchStore<PodEvents>,
    /// Their Services.
    pub services: WatchStore<PartIndex<Service>>,
    /// Their routes.
    pub routes: WatchStore<PartIndex<DynamicObject>>,
}

impl View {
    /// Whether everything was seen once.
    pub fn is_complete(&self) -> bool {
        self.records.is_complete()
            && self.pods.is_complete()
            && self.events.is_complete()
            && self.services.is_complete()
            && self.routes.is_complete()
    }

    /// All sessions, oldest first.
    pub fn sessions(&self) -> Vec<Observed> {
        self.sessions_where(|_| true)
    }

    /// The same of one owner.
    pub fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        self.sessions_where(|record| record.owner == owner)
    }

    fn sessions_where(&self, wanted: impl Fn(&Record) -> bool) -> Vec<Observed> {
        let stored = self.records.current.by_name.values();
        let wanted = stored.filter(|it| it.record.as_deref().is_some_and(&wanted));
        let mut sessions: Vec<_> = wanted.filter_map(|it| self.observed(it)).collect();
        sessions.sort_unstable_by(|a, b| {
            let (a, b) = (&a.record, &b.record);
            (a.created, &a.id).cmp(&(b.created, &b.id))
        });
        sessions
    }

    /// The session with this id.
    pub fn session(&self, id: &SessionId) -> Option<Observed> {
        self.record(self.records.current.names.get(id)?)
    }

    /// The session whose record is stored under `name`.
    pub fn record(&self, name: &str) -> Option<Observed> {
        self.observed(self.records.current.by_name.get(name)?)
    }

    /// Whether the record under `name` is of that revision, or newer, or another one.
    pub fn is_at_least(&self, name: &str, uid: &str, at: u64) -> bool {
        let stored = self.records.current.by_name.get(name);
        stored.is_none_or(|stored| &*stored.uid != uid || stored.at >= at)
    }

    fn observed(&self, stored: &StoredRecord) -> Option<Observed> {
        let record = stored.record.clone()?;
        let name = record.id.object_name();
        let pod = self.pods.current.0.get(&name);
        Some(Observed {
            uid: stored.uid.clone(),
            revision: stored.revision.clone(),
            pod: pod.map(|pod| pod.status.with_events(self.pod_events(&pod.uid))),
            service: self.services.current.by_name.contains_key(&name),
            route: self.routes.current.by_name.contains_key(&name),
            record,
        })
    }

    /// How many records can't be read.
    pub fn unreadable(&self) -> usize {
        let stored = self.records.current.by_name.values();
        stored.filter(|it| it.record.is_none()).count()
    }

    /// The Pod of that name.
    pub fn pod(&self, name: &str) -> Option<Arc<CachedPod>> {
        self.pods.current.0.get(name).cloned()
    }

    /// What was said about the Pod with that unique id, in no order.
    pub fn pod_events(&self, uid: &str) -> impl Iterator<Item = &PodEvent> {
        let events = self.events.current.0.get(uid);
        events.into_iter().flat_map(HashMap::values)
    }

    /// Parts whose record is gone.
    pub fn orphans(&self) -> Vec<Orphan> {
        // Also those that can't be read: what belongs to them is no orphan.
        let records = self.records.current.by_name.values();
        let known: HashSet<_> = records.filter_map(|it| it.session.as_ref()).collect();
        let mut orphans = BTreeMap::<&SessionId, DateTime<Utc>>::new();
        let pods = self.pods.current.0.values().map(|pod| &pod.part);
        let services = self.services.current.by_name.values();
        let routes = self.routes.current.by_name.values();
        for part in pods.chain(services).chain(routes) {
            let Some(id) = part.session.as_ref().filter(|id| !known.contains(id)) else {
                continue;
            };
            // What is being deleted has its time for that.
            let since = part
                .created_at
                .max(part.deleted_at.unwrap_or(part.created_at));
            let latest = orphans.entry(id).or_insert(since);
            *latest = since.max(*latest);
        }
        let orphan = |(id, since): (&SessionId, _)| Orphan {
            id: id.clone(),
            since,
        };
        orphans.into_iter().map(orphan).collect()
    }
}

/// The objects of one kind.
pub trait ObjectIndex: Default {
    /// As the API server shows them.
    type Object;

    /// Keeps a new one, or a change of one; returns whether that is news to anybody.
    fn put(&mut self, object: Self::Object) -> bool;

    /// Forgets one; returns the same.
    fn remove(&mut self, object: &Self::Object) -> bool;
}

/// The objects of one kind, and those of a list that is still coming: until it is whole, what
/// was shown before is.
#[derive(Default)]
pub struct WatchStore<K> {
    current: K,
    incoming: K,
    /// How many lists were whole.
    lists: u64,
}

impl<K: ObjectIndex> WatchStore<K> {
    /// How many lists were seen from beginning to end.
    pub fn lists(&self) -> u64 {
        self.lists
    }

    fn is_complete(&self) -> bool {
        self.lists > 0
    }

    /// Takes what a watch says; returns whether that is news to anybody.
    pub fn take(&mut self, event: watcher::Event<K::Object>) -> bool {
        match event {
            watcher::Event::Apply(object) => self.current.put(object),
            watcher::Event::Delete(object) => self.current.remove(&object),
            watcher::Event::Init => {
                self.incoming = K::default();
                false
            }
            watcher::Event::InitApply(object) => {
                self.incoming.put(object);
                false
            }
            watcher::Event::InitDone => {
                self.current = std::mem::take(&mut self.incoming);
                self.lists += 1;
                true
            }
        }
    }
}

impl WatchStore<Records> {
    /// Takes what the API server answered to a write of ours, so that nobody waits until the
    /// watch brings it; `lists` is what [`WatchStore::lists`] was before the write. What the watch
    /// may have shown already, or shown to be gone, is left to it. Returns whether it is news.
    pub fn apply_write(&mut self, map: ConfigMap, lists: u64) -> bool {
        let is_ahead = revision(&map.metadata) > self.current.newest;
        is_ahead && lists == self.lists && self.current.upsert(map)
    }
}

/// Records by the names of their ConfigMaps.
#[derive(Default)]
pub struct Records {
    by_name: HashMap<String, StoredRecord>,
    names: HashMap<SessionId, String>,
    /// The newest revision that the watch has shown, also of those that are gone.
    newest: u64,
}

impl Records {
    /// Keeps a record, unless what is known of it is newer.
    fn upsert(&mut self, map: ConfigMap) -> bool {
        let name = map.name_any();
        let known = self.by_name.get(&name);
        if known.is_some_and(|known| known.at > revision(&map.metadata)) {
            return false;
        }
        self.forget(&name);
        let record = read_record(&map).inspect_err(|why| {
            warn!(
                record = name,
                why, "record {name} can't be read; its session is left alone"
            );
        });
        let record = record.ok().map(Arc::new);
        if let Some(record) = &record {
            self.names.insert(record.id.clone(), name.clone());
        }
        let stored = StoredRecord {
            session: session(&map.metadata),
            at: revision(&map.metadata),
            uid: map.metadata.uid.unwrap_or_default().into(),
            revision: map.metadata.resource_version.unwrap_or_default().into(),
            record,
        };
        self.by_name.insert(name, stored);
        true
    }

    fn forget(&mut self, name: &str) {
        let gone = self.by_name.remove(name).and_then(|it| it.record);
        if let Some(record) = gone
            && self.names.get(&record.id).is_some_and(|it| it == name)
        {
            self.names.remove(&record.id);
        }
    }
}

/// Revisions grow, and since Kubernetes 1.35 comparing them is documented; on
/// older versions every etcd-backed server did the same.
pub fn revision(of: &ObjectMeta) -> u64 {
    let text = of.resource_version.as_deref();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

struct StoredRecord {
    uid: Arc<str>,
    revision: Arc<str>,
    at: u64,
    /// Whose record it says it is: also of one that can't be read.
    session: Option<SessionId>,
    record: Option<Arc<Record>>,
}

impl ObjectIndex for Records {
    type Object = ConfigMap;

    fn put(&mut self, map: ConfigMap) -> bool {
        self.newest = self.newest.max(revision(&map.metadata));
        self.upsert(map)
    }

    fn remove(&mut self, map: &ConfigMap) -> bool {
        self.newest = self.newest.max(revision(&map.metadata));
        let name = map.name_any();
        // What has that name by now may have been written since.
        let is_another = |known: &StoredRecord| {
            known.at > revision(&map.metadata) && Some(&*known.uid) != map.metadata.uid.as_deref()
        };
        if self.by_name.get(&name).is_some_and(is_another) {
            return false;
        }
        self.forget(&name);
        true
    }
}

/// Pods by their names.
#[derive(Default)]
pub struct Pods(HashMap<String, Arc<CachedPod>>);

/// A Pod.
#[derive(PartialEq)]
pub struct CachedPod {
    /// Its unique id.
    pub uid: String,
    /// The machine that it is on.
    pub node: Option<String>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Which key its door takes tickets of.
    pub door_key: Option<String>,
    status: status::ParsedStatus,
    part: PartMeta,
}

impl CachedPod {
    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.part.deleted_at.is_some()
    }
}

impl ObjectIndex for Pods {
    type Object = Pod;

    fn put(&mut self, mut pod: Pod) -> bool {
        let Some(part) = PartMeta::of(&pod.metadata) else {
            return false;
        };
        let name = pod.name_any();
        let address = pod.status.as_ref().and_then(|it| it.pod_ip.as_ref());
        let seen = Arc::new(CachedPod {
            part,
            address: address.and_then(|it| it.parse().ok()),
            status: status::parse(&pod),
            door_key: pod.annotations_mut().remove(DOOR_KEY),
            uid: pod.metadata.uid.unwrap_or_default(),
            node: pod.spec.and_then(|spec| spec.node_name),
        });
        let is_news = self.0.get(&name) != Some(&seen);
        self.0.insert(name, seen);
        is_news
    }

    fn remove(&mut self, pod: &Pod) -> bool {
        self.0.remove(&pod.name_any()).is_some()
    }
}

/// What was said about Pods: by their unique ids, and the names of the Events.
#[derive(Default)]
pub struct PodEvents(HashMap<String, HashMap<String, PodEvent>>);

impl ObjectIndex for PodEvents {
    type Object = Event;

    fn put(&mut self, event: Event) -> bool {
        let Some(pod_event) = status::pod_event(&event) else {
            return false;
        };
        let is_relevant = status::is_relevant(&pod_event.reason);
        let name = event.name_any();
        let about = event.involved_object.uid.unwrap_or_default();
        self.0.entry(about).or_default().insert(name, pod_event);
        is_relevant
    }

    fn remove(&mut self, event: &Event) -> bool {
        let about = event.involved_object.uid.as_deref().unwrap_or_default();
        let Some(all) = self.0.get_mut(about) else {
            return false;
        };
        let gone = all.remove(&event.name_any());
        if all.is_empty() {
            self.0.remove(about);
        }
        gone.is_some_and(|it| status::is_relevant(&it.reason))
    }
}

/// Services or routes by their names: that they are there is all that anybody asks.
pub struct PartIndex<K> {
    by_name: HashMap<String, PartMeta>,
    kind: PhantomData<fn(K)>,
}

impl<K> Default for PartIndex<K> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            kind: PhantomData,
        }
    }
}

impl<K> ObjectIndex for PartIndex<K>
where
    PartialObjectMeta<K>: Resource,
{
    type Object = PartialObjectMeta<K>;

    fn put(&mut self, object: Self::Object) -> bool {
        let Some(part) = PartMeta::of(object.meta()) else {
            return false;
        };
        let name = object.name_any();
        let is_news = self.by_name.get(&name) != Some(&part);
        self.by_name.insert(name, part);
        is_news
    }

    fn remove(&mut self, object: &Self::Object) -> bool {
        self.by_name.remove(&object.name_any()).is_some()
    }
}

/// What every part of a session says of itself.
#[derive(PartialEq)]
struct PartMeta {
    session: Option<SessionId>,
    created_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
}

impl PartMeta {
    /// None: the API server did not write it.
    fn of(meta: &ObjectMeta) -> Option<Self> {
        Some(Self {
            session: session(meta),
            created_at: status::time(meta.creation_timestamp.as_ref()?)?,
            deleted_at: meta.deletion_timestamp.as_ref().and_then(status::time),
        })
    }
}

fn session(meta: &ObjectMeta) -> Option<SessionId> {
    meta.labels.as_ref()?.get(SESSION)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

    use super::*;
    use crate::session::{PodState, StartupStep, starting};

    fn object<T: DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).expect("such an object")
    }

    fn metadata(name: &str) -> Value {
        json!({ "name": name, "uid": format!("uid-{name}"), "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T12:00:00Z",
            "labels": { SESSION: starting().id.to_string() } })
    }

    fn at(mut map: ConfigMap, uid: &str, revision: u64) -> ConfigMap {
        map.metadata.uid = Some(uid.into());
        map.metadata.resource_version = Some(revision.to_string());
        map
    }

    fn map(document: &str) -> ConfigMap {
        object(json!({ "metadata": metadata("a"), "data": { "record.json": document } }))
    }

    fn record() -> ConfigMap {
        map(&serde_json::to_string(&starting()).expect("a record"))
    }

    fn pod(status: Value) -> Pod {
        object(json!({ "metadata": metadata(&starting().id.object_name()), "status": status }))
    }

    /// On a node, which prepares it.
    fn placed() -> Pod {
        let waiting = json!({ "waiting": { "reason": "ContainerCreating" } });
        let container = json!({ "name": "duckdb", "ready": false, "restartCount": 0, "image": "",
            "imageID": "", "state": waiting });
        pod(
            json!({ "conditions": [{ "type": "PodScheduled", "status": "True" }],
            "containerStatuses": [container] }),
        )
    }

    fn event(reason: &str, pod: &str) -> Event {
        object(
            json!({ "metadata": { "name": reason }, "reason": reason, "message": "",
            "involvedObject": { "uid": pod }, "lastTimestamp": "2026-11-23T12:00:09Z" }),
        )
    }

    fn service() -> PartialObjectMeta<Service> {
        object(json!({ "metadata": metadata(&starting().id.object_name()) }))
    }

    #[test]
    fn a_session_is_its_record_and_the_parts_with_its_name() {
        let mut view = View::default();
        let id = starting().id;
        view.services.take(Apply(service()));
        assert!(view.session(&id).is_none());
        view.records.take(Apply(record()));
        let seen = view.session(&id).expect("it is there");
        assert_eq!((&*seen.uid, &*seen.revision), ("uid-a", "1"));
        assert_eq!(*seen.record, starting());
        assert!(seen.service && !seen.route && seen.pod.is_none());
        assert_eq!(view.sessions(), std::slice::from_ref(&seen));
        assert_eq!(view.sessions_of(starting().owner), [seen]);
        assert_eq!(view.sessions_of(9.into()), []);
        view.records.take(Delete(record()));
        assert!(view.session(&id).is_none() && view.sessions().is_empty());
    }

    #[test]
    fn what_was_seen_is_shown_until_a_new_list_is_whole() {
        let mut view = View::default();
        view.services.take(Apply(service()));
        view.records.take(Apply(record()));
        for begins in 0..2 {
            assert!(!view.records.take(Init));
            assert_eq!(view.sessions().len(), 1, "{begins}");
            assert!(!view.services.take(Init));
            view.services.take(InitApply(service()));
        }
        assert!(view.records.take(InitDone) && view.sessions().is_empty());
        assert!(view.services.take(InitDone) && view.orphans().len() == 1);
        assert!(!view.is_complete());
        for done in [
            view.pods.take(InitDone),
            view.events.take(InitDone),
            view.routes.take(InitDone),
        ] {
            assert!(done);
        }
        assert!(view.is_complete());
    }

    #[test]
    fn only_what_somebody_can_see_is_news() {
        let mut view = View::default();
        assert!(view.pods.take(Apply(placed())));
        assert!(!view.pods.take(Apply(placed())));
        assert!(view.pods.take(Apply(pod(json!({})))));
        assert!(view.pods.take(Delete(placed())) && !view.pods.take(Delete(placed())));
        assert!(!view.events.take(Apply(event("Scheduled", "u"))));
        assert!(view.events.take(Apply(event("Pulling", "u"))));
        assert!(!view.events.take(Delete(event("Scheduled", "u"))));
        assert!(view.events.take(Delete(event("Pulling", "u"))));
        assert!(!view.events.take(Delete(event("Pulling", "u"))));
    }

    #[test]
    fn what_was_said_of_a_pod_is_read_with_it() {
        let mut view = View::default();
        view.records.take(Apply(record()));
        view.pods.take(Apply(placed()));
        let state = |view: &View| view.sessions()[0].pod.as_ref().map(|it| it.state.clone());
        let uid = format!("uid-{}", starting().id.object_name());
        view.events.take(Apply(event("Pulling", "another")));
        let placed = PodState::Coming {
            step: StartupStep::Placed,
            incident: None,
        };
        assert_eq!(state(&view), Some(placed));
        view.events.take(Apply(event("Pulling", &uid)));
        let pulling = StartupStep::Pulling("2026-11-23T12:00:09Z".parse().expect("a time"));
        let pulling = PodState::Coming {
            step: pulling,
            incident: None,
        };
        assert_eq!(state(&view), Some(pulling));
        assert_eq!(view.pod_events(&uid).count(), 1);
    }

    #[test]
    fn an_answer_shows_at_once_and_the_watch_does_not_take_it_back() {
        let mut view = View::default();
        let shows = |view: &View| view.record("a").map(|it| it.revision.to_string());
        view.records.take(InitDone);
        assert!(view.records.apply_write(at(record(), "u", 5), 1));
        assert!(view.records.apply_write(at(record(), "u", 7), 1));
        assert!(!view.records.take(Apply(at(record(), "u", 5))));
        assert_eq!(shows(&view).as_deref(), Some("7"));
        assert!(view.is_at_least("a", "u", 7) && !view.is_at_least("a", "u", 8));
        // It goes, whatever is known of it; and an answer that comes late brings nothing back.
        assert!(view.records.take(Delete(at(record(), "u", 6))));
        assert!(view.records.take(Delete(at(record(), "u", 9))));
        assert!(!view.records.apply_write(at(record(), "u", 8), 1));
        // The end of one is not the end of the next with its name.
        assert!(view.records.apply_write(at(record(), "v", 12), 1));
        assert!(!view.records.take(Delete(at(record(), "u", 11))));
        assert_eq!(shows(&view).as_deref(), Some("12"));
    }

    #[test]
    fn an_answer_from_before_a_list_is_left_to_the_watch() {
        let mut view = View::default();
        view.records.take(InitDone);
        let lists = view.records.lists();
        view.records.take(Init);
        view.records.take(InitDone);
        assert!(!view.records.apply_write(at(record(), "u", 5), lists));
        assert!(view.record("a").is_none() && view.is_at_least("a", "u", 5));
    }

    #[test]
    fn what_belongs_to_a_record_that_can_not_be_read_is_no_orphan() {
        let mut view = View::default();
        view.services.take(Apply(service()));
        view.records.take(Apply(record()));
        view.records.take(Apply(map("{}")));
        assert!(view.sessions().is_empty() && view.session(&starting().id).is_none());
        assert_eq!((view.unreadable(), view.orphans()), (1, vec![]));
        view.records.take(Delete(map("{}")));
        let since = "2026-11-23T12:00:00Z".parse().expect("a time");
        let orphan = Orphan {
            id: starting().id,
            since,
        };
        assert_eq!(view.orphans(), [orphan]);
    }
}
