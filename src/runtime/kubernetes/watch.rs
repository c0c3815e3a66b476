//! Five watches that keep the view of the cluster current.
//!
//! Progress, `/duck list` and the reconciler read the view, so they need no call to the API server.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Resource,
    runtime::{utils::Backoff, watcher},
};
use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::{info, warn};

use super::{
    build::{DUCKBOT, MANAGED_BY, route_resource},
    request::error_chain,
    view::{DuckDbRun, ObjectIndex, View, WatchStore},
};
use crate::{
    metrics,
    session::{Record, SessionId},
    settings::Settings,
};

/// Time after its list until a watch counts as working again.
const STABLE_AFTER: Duration = Duration::from_secs(2);

/// Number of objects in one page of a list, where the API server can't stream lists. Five such pages at a
/// time take 8 MB more than streams. With 100 objects it is 19 MB, and with 500 at least 60 MB.
const LIST_PAGE_SIZE: u32 = 50;

/// Selects the Events that the view needs. The ignored reasons are most of a healthy session's Events,
/// and say nothing that its Pod's status does not say. (Selectors can't list the wanted ones.)
const EVENTS: &str = "involvedObject.kind=Pod,reason!=Scheduled,reason!=Created,reason!=Started,\
                      reason!=Killing";

/// Selects the Events that the bot did not send itself.
pub(super) const NOT_OURS: &str = "reportingComponent!=duckbot";

/// Time after which a start says in the log what it waits for. Doubled each time.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// The view and the watches that keep it current. Dropping it ends the watches.
pub(super) struct Cache {
    view: Arc<Mutex<View>>,
    changes: Arc<watch::Sender<u64>>,
    broken: BrokenWatches,
    _watches: JoinSet<()>,
}

/// Watches that are broken now, by resource path. Each has the time since which its part of the
/// view may be out of date.
type BrokenWatches = Arc<Mutex<HashMap<String, DateTime<Utc>>>>;

impl Cache {
    /// Starts the watches and waits until each has listed its objects once, however long the API server
    /// takes.
    pub(super) async fn start(client: &Client, settings: &Settings) -> Self {
        let namespace = &settings.kubernetes.namespace;
        let mut spawner = WatchSpawner {
            view: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
            broken: BrokenWatches::default(),
            watches: JoinSet::new(),
        };
        // Let the server end each watch before it counts as silent for too long. Not all resources
        // have bookmarks, so a working watch may be silent. (kube allows less than 295 s.)
        let seconds = (settings.kubernetes.watch_silence / 2)
            .as_secs()
            .clamp(1, 290);
        let any = watcher::Config::default()
            .timeout(seconds as u32)
            .page_size(LIST_PAGE_SIZE);
        let ours = any.clone().labels(&format!("{MANAGED_BY}={DUCKBOT}"));
        let about_pods = any.fields(&format!("{EVENTS},{NOT_OURS}"));
        let resource = route_resource(settings.routing.kind);
        let routes = Api::namespaced_with(client.clone(), namespace, &resource);
        spawner.spawn(namespaced(client, namespace), &ours, |view| {
            &mut view.records
        });
        spawner.spawn(namespaced(client, namespace), &ours, |view| &mut view.pods);
        spawner.spawn(namespaced(client, namespace), &about_pods, |view| {
            &mut view.events
        });
        spawner.spawn(namespaced(client, namespace), &ours, |view| {
            &mut view.services
        });
        spawner.spawn(routes, &ours, |view| &mut view.routes);
        let cache = Self {
            view: spawner.view,
            changes: spawner.changes,
            broken: spawner.broken,
            _watches: spawner.watches,
        };
        cache.wait_for_lists().await;
        cache
    }

    async fn wait_for_lists(&self) {
        let begin = Instant::now();
        let mut patience = START_PATIENCE;
        let listed = self.wait_until(|view| view.missing_lists().next().is_none());
        let mut listed = std::pin::pin!(listed);
        while timeout(patience, &mut listed).await.is_err() {
            let missing = self.view().missing_lists().collect::<Vec<_>>().join(", ");
            let seconds = begin.elapsed().as_secs();
            warn!("the start has waited {seconds} s for the API server to list: {missing}");
            patience *= 2;
        }
    }

    /// Locks the view as it is now. Don't await anything while holding the lock.
    pub(super) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock()
    }

    /// Puts the answer to one of the bot's writes into the view; see [`WatchStore::apply_write`].
    pub(super) fn apply_write(&self, record: ConfigMap, lists: u64) {
        if self.view().records.apply_write(record, lists) {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Shows a session's own credentials as stored; see [`WatchStore::note_own_credentials`].
    pub(super) fn note_own_credentials(&self, id: &SessionId) -> Option<Record> {
        let record = self.view().records.note_own_credentials(id);
        self.changes.send_modify(|count| *count += 1);
        record
    }

    /// Stores whether DuckDB answers; see [`View::set_answering`].
    pub(super) fn set_answering(&self, run: &DuckDbRun, answers: bool) -> bool {
        self.change(|view| view.set_answering(run, answers))
    }

    /// Changes the view. Returns true if `change` does, and so the visible state changed.
    pub(super) fn change(&self, change: impl FnOnce(&mut View) -> bool) -> bool {
        let is_change = change(&mut self.view());
        if is_change {
            self.changes.send_modify(|count| *count += 1);
        }
        is_change
    }

    /// Subscribes to changes. The receiver is marked as changed when the view may show something
    /// new.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Time since which the view may be out of date, because a watch is broken.
    pub(super) fn stale_since(&self) -> Option<DateTime<Utc>> {
        self.broken.lock().values().min().copied()
    }

    /// Waits until the view meets `condition`.
    pub(super) async fn wait_until(&self, condition: impl Fn(&View) -> bool) {
        let mut changes = self.changes();
        while !condition(&self.view()) && changes.changed().await.is_ok() {}
    }
}

fn namespaced<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), namespace)
}

/// Starts the watches as background tasks.
struct WatchSpawner {
    view: Arc<Mutex<View>>,
    changes: Arc<watch::Sender<u64>>,
    broken: BrokenWatches,
    watches: JoinSet<()>,
}

impl WatchSpawner {
    /// Spawns a watch that keeps one part of the view current and reports visible changes.
    fn spawn<K>(
        &mut self,
        api: Api<K::Object>,
        which: &watcher::Config,
        part: fn(&mut View) -> &mut WatchStore<K>,
    ) where
        K: ObjectIndex<
                Object: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
            > + 'static,
    {
        let view = self.view.clone();
        let (changes, broken) = (self.changes.clone(), self.broken.clone());
        let which = which.clone();
        self.watches.spawn(async move {
            let what = api.resource_url();
            let mut pauses = watcher::DefaultBackoff::default();
            let mut is_streamed = true;
            'list: loop {
                // Always start with a list: after an error it is unknown what was missed, and the
                // list is short.
                let config = if is_streamed {
                    which.clone().streaming_lists()
                } else {
                    which.clone()
                };
                let mut events = std::pin::pin!(watcher(api.clone(), config));
                let mut is_listing = false;
                let mut stable_at = None;
                loop {
                    let event = tokio::select! {
                        event = events.next() => event,
                        // A successful list does not prove that the watch after it works.
                        () = sleep_until(stable_at.unwrap_or_else(Instant::now)), if stable_at.is_some() => {
                            pauses.reset();
                            if broken.lock().remove(what).is_some() {
                                info!(what, "a watch of the cluster works again");
                                changes.send_modify(|count| *count += 1);
                            }
                            stable_at = None;
                            continue;
                        }
                    };
                    let event = match event {
                        Some(Ok(event)) => event,
                        Some(Err(error)) if is_streamed && is_unknown_option(&error) => {
                            info!(what, "the API server does not stream lists; listing in pages");
                            is_streamed = false;
                            continue 'list;
                        }
                        Some(Err(error)) => {
                            let error = error_chain(&error);
                            metrics::count_watch_restart(what.rsplit('/').next().unwrap_or(what));
                            if let Entry::Vacant(entry) = broken.lock().entry(what.to_owned()) {
                                entry.insert(Utc::now());
                                warn!(what, error, "a watch of the cluster failed; restarting it");
                            }
                            break;
                        }
                        None => break,
                    };
                    match event {
                        // The stream ended within the list.
                        watcher::Event::Init if is_listing && is_streamed => {
                            info!(what, "the API server ended a streamed list; listing in pages");
                            is_streamed = false;
                            continue 'list;
                        }
                        watcher::Event::Init => is_listing = true,
                        watcher::Event::InitDone => {
                            is_listing = false;
                            stable_at = Some(Instant::now() + STABLE_AFTER);
                            // The list is complete, so the view is current as of now.
                            if let Some(since) = broken.lock().get_mut(what) {
                                *since = Utc::now();
                            }
                        }
                        _ => {}
                    }
                    let is_news = part(&mut view.lock()).take(event);
                    if is_news {
                        changes.send_modify(|count| *count += 1);
                    }
                }
                changes.send_modify(|count| *count += 1);
                tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            }
        });
    }
}

/// Returns true if the API server does not know the option of streamed lists. Kubernetes 1.33 has it turned
/// off by default.
fn is_unknown_option(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422)
}
