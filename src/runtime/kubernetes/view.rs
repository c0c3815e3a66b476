//! The view: the watched objects, with only the fields that are read. Pure.

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
use crate::session::{
    self, CredentialSource, Observed, Orphan, OwnerId, PodEvent, PodState, Record, SessionId,
    StartupStep,
};

/// Copy of all watched objects.
#[derive(Default)]
pub(super) struct View {
    pub records: WatchStore<Records>,
    pub pods: WatchStore<Pods>,
    pub events: WatchStore<PodEvents>,
    pub services: WatchStore<PartIndex<Service>>,
    pub routes: WatchStore<PartIndex<DynamicObject>>,
    /// Pods in which DuckDB answers: by UID, the number of restarts before this run of DuckDB.
    answering: HashMap<String, u32>,
}

impl View {
    /// Returns the kinds of objects of which the watch has not completed its first list.
    pub(super) fn missing_lists(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("records", self.records.lists),
            ("Pods", self.pods.lists),
            ("Events", self.events.lists),
            ("Services", self.services.lists),
            ("routes", self.routes.lists),
        ];
        all.into_iter()
            .filter_map(|(kind, lists)| (lists == 0).then_some(kind))
    }

    /// Returns all sessions, oldest first.
    pub(super) fn sessions(&self) -> Vec<Observed> {
        self.sessions_where(|_| true)
    }

    /// Returns the sessions of one owner, oldest first.
    pub(super) fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
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

    /// Returns the session with this ID.
    pub(super) fn session(&self, id: &SessionId) -> Option<Observed> {
        self.record(self.records.current.names.get(id)?)
    }

    /// Returns the session whose record's ConfigMap has this name.
    pub(super) fn record(&self, name: &str) -> Option<Observed> {
        self.observed(self.records.current.by_name.get(name)?)
    }

    /// Returns true if the record `name` has at least the revision `at`, another UID, or is gone.
    pub(super) fn is_at_least(&self, name: &str, uid: &str, at: u64) -> bool {
        let stored = self.records.current.by_name.get(name);
        stored.is_none_or(|stored| &*stored.uid != uid || stored.at >= at)
    }

    /// Returns the revision at which the record `name` was created; 0 if the watch did not show that.
    pub(super) fn first_revision(&self, name: &str) -> Option<u64> {
        let stored = self.records.current.by_name.get(name)?;
        Some(stored.first)
    }

    /// Returns the records that were created before this revision, except for the record `name`, oldest
    /// first.
    pub(super) fn records_before(&self, name: &str, revision: u64) -> Vec<Arc<Record>> {
        let stored = self.records.current.by_name.iter();
        let earlier = stored.filter(|(other, it)| *other != name && it.first < revision);
        let earlier = earlier.filter_map(|(_, it)| Some((it.first, it.record.clone()?)));
        let mut earlier: Vec<_> = earlier.collect();
        earlier.sort_unstable_by(|(a, old), (b, new)| {
            (a, old.created, &old.id).cmp(&(b, new.created, &new.id))
        });
        earlier.into_iter().map(|(_, record)| record).collect()
    }

    fn observed(&self, stored: &StoredRecord) -> Option<Observed> {
        let mut record = stored.record.clone()?;
        let name = record.id.object_name();
        let pod = self.pods.current.0.get(&name);
        if record.credentials == CredentialSource::Awaited && pod.is_some() {
            // No Pod is created before they are stored.
            record = Arc::new(record.with_own_credentials());
        }
        Some(Observed {
            uid: stored.uid.clone(),
            revision: stored.revision.clone(),
            pod: pod.map(|pod| self.observed_pod(pod, &record)),
            service: self.services.current.by_name.contains_key(&name),
            route: self.routes.current.by_name.contains_key(&name),
            record,
        })
    }

    /// Returns the state of a Pod. The kubelet only knows that its door runs, so the Pod of a session is
    /// ready only if its DuckDB answers too.
    fn observed_pod(&self, pod: &CachedPod, record: &Record) -> session::Pod {
        let mut seen = pod.status.with_events(self.pod_events(&pod.uid));
        let answers = record.is_runner() || self.answering.get(&pod.uid) == Some(&seen.restarts);
        if seen.state == PodState::Ready && !answers {
            seen.state = session::Pod::at(StartupStep::Starting).state;
        }
        seen
    }

    /// Returns the runs of DuckDB whose door can be asked, each with its door's address and its
    /// session's record. Leaves out those that are known, by the Pod's UID and the number of restarts before.
    pub(super) fn new_runs(
        &self,
        is_known: impl Fn(&str, u32) -> bool,
    ) -> impl Iterator<Item = (DuckDbRun, IpAddr, &Arc<Record>)> {
        self.pods.current.0.iter().filter_map(move |(name, pod)| {
            let address = pod.address.filter(|_| pod.status.is_running())?;
            if is_known(&pod.uid, pod.status.pod.restarts) {
                return None;
            }
            let record = self.records.current.names.get(pod.part.session.as_ref()?)?;
            let stored = self.records.current.by_name.get(record)?;
            let record = stored.record.as_ref().filter(|it| !it.is_runner())?;
            let run = DuckDbRun {
                pod: name.clone(),
                uid: pod.uid.clone(),
                restarts: pod.status.pod.restarts,
            };
            Some((run, address, record))
        })
    }

    /// Returns true if the containers of this run still run.
    pub(super) fn is_current(&self, run: &DuckDbRun) -> bool {
        let pod = self.pods.current.0.get(&run.pod);
        pod.is_some_and(|pod| {
            let is_same = pod.uid == run.uid && pod.status.pod.restarts == run.restarts;
            is_same && pod.status.is_running()
        })
    }

    /// Stores whether DuckDB answers in this run. A run that is over does not answer. Returns true if
    /// the visible state changed.
    pub(super) fn set_answering(&mut self, run: &DuckDbRun, answers: bool) -> bool {
        let is_known = self.answering.get(&run.uid) == Some(&run.restarts);
        let answers = answers && self.is_current(run);
        if answers && !is_known {
            self.answering.insert(run.uid.clone(), run.restarts);
        } else if is_known && !answers {
            self.answering.remove(&run.uid);
        }
        answers != is_known
    }

    /// Number of records that can't be read.
    pub(super) fn unreadable(&self) -> usize {
        let stored = self.records.current.by_name.values();
        stored.filter(|it| it.record.is_none()).count()
    }

    /// Returns name, UID and revision of each record that can't be read.
    pub(super) fn unreadable_records(&self) -> impl Iterator<Item = (String, Arc<str>, u64)> {
        let stored = self.records.current.by_name.iter();
        let unreadable = stored.filter(|(_, it)| it.record.is_none());
        unreadable.map(|(name, it)| (name.clone(), it.uid.clone(), it.at))
    }

    /// Returns the Pod with this name.
    pub(super) fn pod(&self, name: &str) -> Option<Arc<CachedPod>> {
        self.pods.current.0.get(name).cloned()
    }

    /// Returns those Events of the Pod with this UID that can say more than its status, in no particular
    /// order.
    pub(super) fn pod_events(&self, uid: &str) -> impl Iterator<Item = &PodEvent> {
        let events = self.events.current.0.get(uid);
        events.into_iter().flat_map(HashMap::values)
    }

    /// Returns the sessions that have parts but no record.
    pub(super) fn orphans(&self) -> Vec<Orphan> {
        // Include unreadable records: their parts are not orphans.
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
            // Count from the start of the deletion, so that it has time to finish.
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

/// Store of the objects of one kind.
pub(super) trait ObjectIndex: Default {
    /// Object as the API server returns it.
    type Object;

    /// Stores a new or changed object. Returns true if the visible state changed.
    fn put(&mut self, object: Self::Object) -> bool;

    /// Removes an object. Returns true if the visible state changed.
    fn remove(&mut self, object: &Self::Object) -> bool;

    /// Takes over what a list does not tell from the objects that it replaces.
    fn complete_from(&mut self, _replaced: &Self) {}
}

/// Objects of one kind, with those of an incomplete list beside them. The old objects are shown
/// until the list is complete.
#[derive(Default)]
pub(super) struct WatchStore<K> {
    current: K,
    incoming: K,
    /// Number of complete lists so far.
    lists: u64,
}

impl<K: ObjectIndex> WatchStore<K> {
    /// Returns the number of complete lists so far.
    pub(super) fn lists(&self) -> u64 {
        self.lists
    }

    /// Applies an event of the watch. Returns true if the visible state changed.
    pub(super) fn take(&mut self, event: watcher::Event<K::Object>) -> bool {
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
                self.incoming.complete_from(&self.current);
                self.current = std::mem::take(&mut self.incoming);
                self.lists += 1;
                true
            }
        }
    }
}

impl WatchStore<Records> {
    /// Returns true if the watch has shown this revision, and so all changes before it.
    pub(super) fn is_at(&self, revision: u64) -> bool {
        self.current.newest >= revision
    }

    /// Stores the API server's answer to a write, so that the view shows it before the watch does.
    /// `lists` is the value of [`WatchStore::lists`] before the write. Does nothing if the watch
    /// may already have shown this revision or its deletion. Returns true if the visible state
    /// changed.
    pub(super) fn apply_write(&mut self, map: ConfigMap, lists: u64) -> bool {
        let is_ahead = revision(&map.metadata) > self.current.newest;
        is_ahead && lists == self.lists && self.current.upsert(map)
    }

    /// Shows a session's own credentials as stored, before its stored record says so. Its next write does, which
    /// saves one. Returns the record as it is shown now.
    pub(super) fn note_own_credentials(&mut self, id: &SessionId) -> Option<Record> {
        let Records { by_name, names, .. } = &mut self.current;
        let record = by_name.get_mut(names.get(id)?)?.record.as_mut()?;
        *record = Arc::new(record.with_own_credentials());
        Some(Record::clone(record))
    }
}

/// Records by the name of their ConfigMap.
#[derive(Default)]
pub(super) struct Records {
    by_name: HashMap<String, StoredRecord>,
    names: HashMap<SessionId, String>,
    /// Newest revision that the watch has shown, including deleted records.
    newest: u64,
}

impl Records {
    /// Stores a record, unless the stored one is newer.
    fn upsert(&mut self, map: ConfigMap) -> bool {
        let name = map.name_any();
        let at = revision(&map.metadata);
        let mut first = at;
        if let Some(known) = self.by_name.get_mut(&name) {
            if Some(&*known.uid) == map.metadata.uid.as_deref() {
                // The watch may show the creation after the answer to a later write.
                known.first = known.first.min(at);
                first = known.first;
            }
            if known.at > at {
                return false;
            }
            if known.at == at {
                // The same version, of which the view may know more.
                return true;
            }
        }
        self.forget(&name);
        let record = read_record(&map).inspect_err(|why| {
            warn!(
                record = name,
                why, "record {name} can't be read, so its session is left alone"
            );
        });
        let record = record.ok().map(Arc::new);
        if let Some(record) = &record {
            self.names.insert(record.id.clone(), name.clone());
        }
        let stored = StoredRecord {
            session: session(&map.metadata),
            at,
            first,
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

/// Parses the revision of an object; 0 if it has none. Revisions increase: Kubernetes documents
/// this since 1.35, and every older server with etcd does the same.
pub(super) fn revision(of: &ObjectMeta) -> u64 {
    let text = of.resource_version.as_deref();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

struct StoredRecord {
    uid: Arc<str>,
    revision: Arc<str>,
    at: u64,
    /// Revision at which the record was created; 0 if the watch did not show that.
    first: u64,
    /// Session ID from the label, which an unreadable record has too.
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
        // The name may already belong to a newer record.
        let is_another = |known: &StoredRecord| {
            known.at > revision(&map.metadata) && Some(&*known.uid) != map.metadata.uid.as_deref()
        };
        if self.by_name.get(&name).is_some_and(is_another) {
            return false;
        }
        self.forget(&name);
        true
    }

    fn complete_from(&mut self, replaced: &Self) {
        for (name, stored) in &mut self.by_name {
            let known = replaced.by_name.get(name);
            let known = known.filter(|known| known.uid == stored.uid);
            stored.first = known.map_or(0, |known| known.first);
            if let Some(known) = known.filter(|known| known.at == stored.at) {
                stored.record.clone_from(&known.record);
            }
        }
    }
}

/// Pods by name.
#[derive(Default)]
pub(super) struct Pods(HashMap<String, Arc<CachedPod>>);

/// Fields of a Pod that are read.
#[derive(PartialEq)]
pub(super) struct CachedPod {
    pub uid: String,
    pub node: Option<String>,
    pub address: Option<IpAddr>,
    /// ID of the signing key whose tickets the door accepts.
    pub door_key: Option<String>,
    status: status::ParsedStatus,
    part: PartMeta,
}

/// Run of DuckDB, from a start of its container to the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DuckDbRun {
    /// Name of the Pod.
    pub pod: String,
    /// UID of the Pod.
    pub uid: String,
    /// Number of restarts before it.
    pub restarts: u32,
}

impl CachedPod {
    /// Returns true if the Pod is being deleted.
    pub(super) fn is_terminating(&self) -> bool {
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

/// Events about Pods that can say more than the Pod's status, by the Pod's UID and the Event's name.
#[derive(Default)]
pub(super) struct PodEvents(HashMap<String, HashMap<String, PodEvent>>);

impl ObjectIndex for PodEvents {
    type Object = Event;

    fn put(&mut self, event: Event) -> bool {
        let Some(pod_event) = status::pod_event(&event) else {
            return false;
        };
        if !status::is_relevant(&pod_event.reason) {
            return false;
        }
        let name = event.name_any();
        let about = event.involved_object.uid.unwrap_or_default();
        self.0.entry(about).or_default().insert(name, pod_event);
        true
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
        gone.is_some()
    }
}

/// Services or routes by name. Only their existence matters.
pub(super) struct PartIndex<K> {
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

/// Metadata that every part of a session has.
#[derive(PartialEq)]
struct PartMeta {
    session: Option<SessionId>,
    created_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
}

impl PartMeta {
    /// Reads the metadata. Returns None if there is no creation time, so the object did not come
    /// from the API server.
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
    use crate::session::starting;

    fn object<T: DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).expect("a valid object")
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

    /// A Pod on a node that prepares it.
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
    fn a_session_consists_of_its_record_and_the_parts_with_its_name() {
        let mut view = View::default();
        let id = starting().id;
        view.services.take(Apply(service()));
        assert!(view.session(&id).is_none());
        view.records.take(Apply(record()));
        let seen = view.session(&id).expect("the session exists");
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
    fn old_objects_are_shown_until_a_new_list_is_complete() {
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
        let missing = |view: &View| view.missing_lists().collect::<Vec<_>>();
        assert_eq!(missing(&view), ["Pods", "Events", "routes"]);
        for done in [
            view.pods.take(InitDone),
            view.events.take(InitDone),
            view.routes.take(InitDone),
        ] {
            assert!(done);
        }
        assert_eq!(missing(&view), [""; 0]);
    }

    #[test]
    fn stored_credentials_are_shown_before_the_record_says_so() {
        let awaiting = Record {
            credentials: CredentialSource::Awaited,
            ..starting()
        };
        let map = || map(&serde_json::to_string(&awaiting).expect("a record"));
        let id = &awaiting.id;
        let mut view = View::default();
        let shown = |view: &View| view.session(id).expect("it is there").record.credentials;
        assert_eq!(view.records.note_own_credentials(id), None);
        view.records.take(Apply(at(map(), "u", 7)));
        assert_eq!(shown(&view), CredentialSource::Awaited);
        let noted = view.records.note_own_credentials(id);
        assert_eq!(noted, Some(awaiting.with_own_credentials()));
        assert_eq!(shown(&view), CredentialSource::Session);

        // The watch shows the creation after the answer to it, and again in a new list.
        assert!(view.records.take(Apply(at(map(), "u", 7))));
        assert_eq!(shown(&view), CredentialSource::Session);
        for event in [Init, InitApply(at(map(), "u", 7)), InitDone] {
            view.records.take(event);
        }
        assert_eq!(shown(&view), CredentialSource::Session);

        // Another version says what is so now.
        view.records.take(Apply(at(map(), "u", 8)));
        assert_eq!(shown(&view), CredentialSource::Awaited);
        view.pods.take(Apply(placed()));
        let seen = shown(&view);
        assert_eq!(seen, CredentialSource::Session, "a Pod has them");
    }

    #[test]
    fn only_visible_changes_are_reported() {
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
    fn the_events_of_a_pod_are_read_with_it() {
        let mut view = View::default();
        view.records.take(Apply(record()));
        view.pods.take(Apply(placed()));
        let state = |view: &View| view.sessions()[0].pod.as_ref().map(|it| it.state.clone());
        let uid = format!("uid-{}", starting().id.object_name());
        view.events.take(Apply(event("Pulling", "another")));
        let placed = PodState::Pending {
            step: StartupStep::Placed,
            incident: None,
        };
        assert_eq!(state(&view), Some(placed));
        view.events.take(Apply(event("Pulling", &uid)));
        let pulling = StartupStep::Pulling("2026-11-23T12:00:09Z".parse().expect("a time"));
        let pulling = PodState::Pending {
            step: pulling,
            incident: None,
        };
        assert_eq!(state(&view), Some(pulling));
        assert_eq!(view.pod_events(&uid).count(), 1);
    }

    /// A Pod whose containers run and whose door listens, after this number of restarts of DuckDB.
    fn listening(restarts: u32) -> Pod {
        let container = json!({ "name": "duckdb", "ready": true, "restartCount": restarts,
            "image": "", "imageID": "", "state": { "running": {} } });
        pod(
            json!({ "conditions": [{ "type": "PodScheduled", "status": "True" },
            { "type": "Ready", "status": "True" }], "podIP": "10.0.0.7",
            "containerStatuses": [container] }),
        )
    }

    #[test]
    fn a_session_is_ready_while_its_door_listens_and_its_duckdb_answers() {
        let mut view = View::default();
        view.records.take(Apply(record()));
        let state = |view: &View| view.sessions()[0].pod.as_ref().map(|it| it.state.clone());
        let starting = || Some(session::Pod::at(StartupStep::Starting).state);
        let run = |view: &View| view.new_runs(|_, _| false).next().map(|(run, ..)| run);
        view.pods.take(Apply(placed()));
        assert_eq!(run(&view), None, "no container runs yet");
        view.pods.take(Apply(listening(0)));
        assert_eq!(state(&view), starting());
        let first = run(&view).expect("it runs");
        assert!(view.set_answering(&first, true) && !view.set_answering(&first, true));
        assert_eq!(state(&view), Some(PodState::Ready));
        assert!(view.set_answering(&first, false));
        assert_eq!(state(&view), starting());

        // An answer counts for one run only, and a late one does not count for the next.
        view.set_answering(&first, true);
        view.pods.take(Apply(listening(1)));
        view.set_answering(&first, true);
        assert_eq!(state(&view), starting());
        let second = run(&view).expect("it runs again");
        assert!(view.set_answering(&second, true));
        assert_eq!(state(&view), Some(PodState::Ready));
    }

    #[test]
    fn an_answer_shows_at_once_and_the_watch_does_not_undo_it() {
        let mut view = View::default();
        let shows = |view: &View| view.record("a").map(|it| it.revision.to_string());
        view.records.take(InitDone);
        assert!(view.records.apply_write(at(record(), "u", 5), 1));
        assert!(view.records.apply_write(at(record(), "u", 7), 1));
        assert!(!view.records.take(Apply(at(record(), "u", 5))));
        assert_eq!(shows(&view).as_deref(), Some("7"));
        assert!(view.is_at_least("a", "u", 7) && !view.is_at_least("a", "u", 8));
        // A deletion always counts, and a late answer does not restore the record.
        assert!(view.records.take(Delete(at(record(), "u", 6))));
        assert!(view.records.take(Delete(at(record(), "u", 9))));
        assert!(!view.records.apply_write(at(record(), "u", 8), 1));
        // The deletion of a record does not remove the next record with its name.
        assert!(view.records.apply_write(at(record(), "v", 12), 1));
        assert!(!view.records.take(Delete(at(record(), "u", 11))));
        assert_eq!(shows(&view).as_deref(), Some("12"));
    }

    #[test]
    fn records_are_known_in_the_order_in_which_they_were_created() {
        let named = |name: &str, id: &str, revision| {
            let record = Record {
                id: id.parse().expect("an ID"),
                ..starting()
            };
            let mut map = map(&serde_json::to_string(&record).expect("a record"));
            map.metadata.name = Some(name.into());
            at(map, name, revision)
        };
        let before = |view: &View, name: &str, revision| {
            let records = view.records_before(name, revision);
            let ids = records.iter().map(|record| record.id.to_string());
            ids.collect::<Vec<_>>()
        };
        let mut view = View::default();
        view.records.take(Init);
        view.records.take(InitApply(named("a", "aaaaaa", 9)));
        view.records.take(InitDone);
        // The answer comes before the watch shows another bot's record, which was made earlier.
        assert!(view.records.apply_write(named("c", "cccccc", 12), 1));
        view.records.take(Apply(named("b", "bbbbbb", 11)));
        view.records.take(Apply(named("d", "dddddd", 13)));
        assert_eq!(before(&view, "c", 12), ["aaaaaa", "bbbbbb"]);
        assert_eq!(before(&view, "b", 11), ["aaaaaa"]);
        // A later change makes no record newer, and neither does a list.
        view.records.take(Apply(named("b", "bbbbbb", 14)));
        view.records.take(Init);
        for (name, id, revision) in [
            ("c", "cccccc", 12),
            ("b", "bbbbbb", 14),
            ("e", "eeeeee", 15),
        ] {
            view.records.take(InitApply(named(name, id, revision)));
        }
        view.records.take(InitDone);
        assert_eq!(view.first_revision("b"), Some(11));
        // Of a record that only a list has shown, nobody knows when it was made.
        assert_eq!(before(&view, "c", 12), ["eeeeee", "bbbbbb"]);
    }

    #[test]
    fn an_answer_from_before_a_list_is_ignored() {
        let mut view = View::default();
        view.records.take(InitDone);
        let lists = view.records.lists();
        view.records.take(Init);
        view.records.take(InitDone);
        assert!(!view.records.apply_write(at(record(), "u", 5), lists));
        assert!(view.record("a").is_none() && view.is_at_least("a", "u", 5));
    }

    #[test]
    fn parts_of_an_unreadable_record_are_no_orphans() {
        let mut view = View::default();
        view.services.take(Apply(service()));
        view.records.take(Apply(record()));
        view.records.take(Apply(at(map("{}"), "uid-a", 2)));
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
