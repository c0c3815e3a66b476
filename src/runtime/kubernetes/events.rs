//! Sends Events about sessions to the API server, so that `kubectl describe` says what duckbot did and why.
//!
//! An Event is sent in the background, once. It never delays or fails a step: Events wait in a bounded queue while the bot
//! makes other calls, and further ones are dropped.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use k8s_openapi::{
    api::events::v1::Event, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use kube::{Api, api::PostParams};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tracing::{info, warn};

use super::{
    build::{self, DUCKBOT, Subject},
    facts::{self, Fact},
    request::{ApiAction, ApiServer},
    watch::Cache,
};
use crate::error::Error;

/// Maximum number of Events that wait: those of 500 sessions that start at once. An Event takes about 1 KB.
const MAX_QUEUED: usize = 1500;

/// Maximum time for which an Event lets the bot's other calls go first.
const PATIENCE: Duration = Duration::from_millis(100);

/// Maximum length of an Event's `reportingInstance`, in bytes.
const MAX_INSTANCE: usize = 128;

/// Sends Events. Dropping it ends the sending, and drops the Events that wait.
pub(super) struct EventSender {
    outbox: Outbox,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Outbox {
    queue: mpsc::Sender<Event>,
    /// Number of Events that were dropped since the last one that was sent.
    dropped: Arc<AtomicUsize>,
    namespace: Arc<str>,
    instance: Arc<str>,
}

impl EventSender {
    /// Starts the background tasks. `server` should not repeat calls, and share no limit with those of steps, which
    /// `steps` makes.
    pub(super) fn start(
        server: ApiServer,
        steps: ApiServer,
        namespace: &str,
        cache: Arc<Cache>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(MAX_QUEUED);
        let pod = std::env::var("HOSTNAME").ok().filter(|it| !it.is_empty());
        let instance = pod.unwrap_or_else(|| DUCKBOT.to_owned());
        let outbox = Outbox {
            queue,
            dropped: Arc::default(),
            namespace: namespace.into(),
            instance: instance[..instance.floor_char_boundary(MAX_INSTANCE)].into(),
        };
        let mut tasks = JoinSet::new();
        let dropped = outbox.dropped.clone();
        let namespace = outbox.namespace.clone();
        tasks.spawn(send_all(server, steps, namespace, waiting, dropped));
        tasks.spawn(report_unreadable(cache, outbox.clone()));
        Self {
            outbox,
            _tasks: tasks,
        }
    }

    /// Tells facts that a write of a record at this revision brought, about the record and about its Pod if there
    /// is one.
    pub(super) fn tell(&self, facts: &[Fact], revision: u64, about: &[Subject]) {
        for fact in facts {
            for subject in about {
                self.outbox.push(fact, revision, subject);
            }
        }
    }
}

impl Outbox {
    fn push(&self, fact: &Fact, revision: u64, about: &Subject) {
        let now = MicroTime(Timestamp::now());
        let Self {
            namespace,
            instance,
            ..
        } = self;
        let event = build::event(namespace, about, fact, revision, instance, now);
        if self.queue.try_send(event).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// Sends the Events that wait, one after the other, when no step makes a call. Logs the first of several failures,
/// and the end of them.
async fn send_all(
    server: ApiServer,
    steps: ApiServer,
    namespace: Arc<str>,
    mut waiting: mpsc::Receiver<Event>,
    dropped: Arc<AtomicUsize>,
) {
    let events: Api<Event> = Api::namespaced(server.client(), &namespace);
    let action = ApiAction::new("create", "events", &namespace);
    let params = PostParams::default();
    let mut lost = 0;
    while let Some(event) = waiting.recv().await {
        // Somebody may wait for a step, but nobody waits for an Event.
        let _ = timeout(PATIENCE, steps.until_idle()).await;
        let created = events.create(&params, &event);
        match server.call(action, created).await {
            // It exists if another bot has told the same, or the response to an earlier call was lost.
            Ok(_) | Err(Error::Exists { .. }) => {
                lost += dropped.swap(0, Relaxed);
                if lost > 0 {
                    info!("Events about sessions are sent again; {lost} were dropped");
                    lost = 0;
                }
            }
            Err(error) => {
                if lost == 0 {
                    warn!(%error, "an Event about a session was dropped, which has no other effect: {error}");
                }
                lost += 1;
            }
        }
    }
}

/// Tells each record that this version can't read, once per revision.
async fn report_unreadable(cache: Arc<Cache>, outbox: Outbox) {
    let mut changes = cache.changes();
    let mut told = HashSet::new();
    loop {
        let unreadable: HashSet<_> = cache.view().unreadable_records().collect();
        for (name, uid, revision) in unreadable.difference(&told) {
            let record = record_subject(name, uid);
            outbox.push(&facts::of_unreadable(), *revision, &record);
        }
        told = unreadable;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Returns the record with this name as the subject of an Event.
pub(super) fn record_subject(name: &str, uid: &str) -> Subject {
    Subject {
        kind: "ConfigMap",
        name: name.to_owned(),
        uid: uid.to_owned(),
    }
}

/// Returns the Pod with this name as the subject of an Event.
pub(super) fn pod_subject(name: &str, uid: &str) -> Subject {
    Subject {
        kind: "Pod",
        name: name.to_owned(),
        uid: uid.to_owned(),
    }
}
