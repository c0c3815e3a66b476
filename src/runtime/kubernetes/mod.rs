//! Sessions on Kubernetes. The record of a session is a ConfigMap. It owns a Pod, a Service and a
//! route.

mod authorities;
pub mod build;
mod connect;
mod documents;
mod door_clients;
mod events;
mod exec;
mod facts;
mod gateway;
mod history;
mod image;
mod lease;
mod memory;
mod own_secret;
mod owner_entries;
mod permissions;
mod readiness;
mod records;
mod referenced;
mod replies;
mod request;
mod schedule_texts;
mod secrets;
mod signing_keys;
mod status;
mod view;
mod watch;
mod work_master;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret, Service};
use kube::{
    Api, ResourceExt,
    api::{
        AttachParams, AttachedProcess, DeleteParams, DynamicObject, ListParams, LogParams,
        PartialObjectMeta, Patch, PatchParams, PostParams, Preconditions,
    },
};
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, warn};
use uuid::Uuid;

pub use connect::{Clients, connect, diagnose};
pub use documents::{document, ledger};
use events::{EventSender, pod_subject, record_subject};
pub use history::HistorySecrets;
pub use lease::leadership;
pub use permissions::{PermissionRule, REQUIRED};
use readiness::Readiness;
pub use replies::ReplySecrets;
pub use request::ApiServer;
use request::{ApiAction, error_chain, until_answered};
pub use schedule_texts::ScheduleSecrets;
pub use secrets::Secrets;
pub use signing_keys::DOOR_KEYS;
use signing_keys::SigningKeys;
use view::{CachedPod, View, revision};
use watch::{Cache, NOT_OURS};
use work_master::WorkMaster;

use super::{
    AnswerRoom, AskError, Claim, ClientsCommand, ClientsResponse, ControlCommand, ControlResponse,
    QueryRequest, QueryResponse, Runtime, control_rpc, query_pool::QueryPool,
    query_rpc::QueryProcess,
};
use crate::{
    door::{self, activity::Activity, ticket::SigningKey},
    error::Error,
    session::{self, Details, Observed, Orphan, OwnerId, Parts, PodState, Record, SessionId},
    settings::{RouteKind, Settings},
    work::WorkKey,
};

/// Maximum time until the view shows a change.
const VIEW_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time after its grace period until a deleted Pod is gone; then it is deleted by force. A
/// working node needs some of it to report the end.
const DELETE_TIMEOUT: Duration = Duration::from_secs(35);
/// Time limit of a request to a door.
const DOOR_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum size in bytes of a door's activity response. A usual one has about 120.
const MAX_ACTIVITY_BYTES: usize = 4096;
/// Command in DuckDB's container that answers queries.
const QUERY_COMMAND: [&str; 3] = ["duckbot", "duckdb", "--ask"];
/// Command in DuckDB's container that sends a command to the session.
const CONTROL_COMMAND: [&str; 3] = ["duckbot", "duckdb", "--control"];
/// Number of lines to read from the end of DuckDB's log.
const MAX_LOG_LINES: i64 = 100;

/// Runtime for the sessions in one namespace of a cluster.
pub struct Kubernetes {
    settings: Arc<Settings>,
    server: ApiServer,
    cache: Arc<Cache>,
    /// Sends Events, with a limit of its own, so that they take no place of a step's call.
    event_sender: EventSender,
    _readiness: Readiness,
    signing_keys: SigningKeys,
    work_master: WorkMaster,
    queries: QueryPool,
    doors: reqwest::Client,
    records: Api<ConfigMap>,
    pods: Api<Pod>,
    services: Api<Service>,
    routes: Api<DynamicObject>,
    metrics: Api<DynamicObject>,
    events: Api<Event>,
    /// Used only to delete Secrets of sessions, and to add the key of saved work.
    secrets: Api<PartialObjectMeta<Secret>>,
    route_plural: String,
}

impl Kubernetes {
    /// Starts the watches and waits until each has listed its objects once.
    ///
    /// If it `serves`, sessions get the CA certificates that the bot trusts, and it waits for an API server
    /// that is slow or does not answer.
    ///
    /// # Errors
    /// If the bot may not read or write what it needs, or the HTTP client for doors can't be built.
    pub async fn start(
        clients: &Clients,
        settings: Arc<Settings>,
        serves: bool,
    ) -> anyhow::Result<Self> {
        let server = &clients.server;
        let namespace = &settings.kubernetes.namespace;
        let resource = build::route_resource(settings.routing.kind);
        let doors = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DOOR_TIMEOUT)
            // Idle connections to all doors would take more memory than new ones take time.
            .pool_max_idle_per_host(0)
            .build()?;
        let publish = async || {
            if serves && settings.has_own_authorities() {
                authorities::publish(server, namespace, &settings.outbound.authorities).await?;
            }
            Ok(())
        };
        let (published, cache, signing_keys) = tokio::join!(
            until_answered(serves, publish),
            Cache::start(&clients.watches, &settings),
            until_answered(serves, async || SigningKeys::start(server, Utc::now())
                .await),
        );
        published.context("sessions can't get tls.ca_file")?;
        let cache = Arc::new(cache);
        let events = ApiServer::new(clients.watches.clone());
        Ok(Self {
            event_sender: EventSender::start(events, server.clone(), namespace, cache.clone()),
            server: server.clone(),
            queries: QueryPool::new(settings.linger()),
            _readiness: Readiness::start(cache.clone(), doors.clone()),
            cache,
            signing_keys: signing_keys?,
            work_master: WorkMaster::new(server),
            doors,
            records: Api::namespaced(server.client(), namespace),
            pods: Api::namespaced(server.client(), namespace),
            events: Api::namespaced(server.client(), namespace),
            services: Api::namespaced(server.client(), namespace),
            routes: Api::namespaced_with(server.client(), namespace, &resource),
            secrets: Api::namespaced(server.client(), namespace),
            metrics: Api::namespaced_with(server.client(), namespace, &memory::resource()),
            route_plural: resource.plural,
            settings,
        })
    }

    fn action<'a>(&'a self, verb: &'static str, resource: &'a str) -> ApiAction<'a> {
        ApiAction::new(verb, resource, &self.settings.kubernetes.namespace)
    }

    /// Tells in Events what the new version of a record says, about the record and its Pod.
    fn tell_change(&self, seen: &Observed, record: &Record, revision: u64) {
        let facts = facts::of_change(&seen.record, record);
        let mut about = vec![record_subject(&record.name(), &seen.uid)];
        if let Some(pod) = self.cached_pod(&record.id) {
            about.push(pod_subject(&record.id.object_name(), &pod.uid));
        }
        self.event_sender.tell(&facts, revision, &about);
    }

    /// Waits until the view meets `condition`.
    ///
    /// # Errors
    /// Returns [`Error::TimedOut`] after `limit`.
    async fn wait_for_view(
        &self,
        limit: Duration,
        condition: impl Fn(&View) -> bool,
    ) -> Result<(), Error> {
        match tokio::time::timeout(limit, self.cache.wait_until(condition)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::TimedOut {
                action: "waiting for the watches to show the change".into(),
                after: limit,
            }),
        }
    }

    /// Waits until the watch has shown all records up to this revision. Gives up after a timeout, or if
    /// the watch is broken, because a claim does not depend on it.
    async fn wait_for_older_records(&self, at: u64) {
        let is_seen = |view: &View| view.records.is_at(at) || self.cache.stale_since().is_some();
        let _ = self.wait_for_view(VIEW_TIMEOUT, is_seen).await;
    }

    /// Returns the key whose signatures the session's door accepts. None if its Pod names none, or it is gone.
    ///
    /// # Errors
    /// If the bot's keys can't be read.
    async fn signing_key(&self, seen: &Observed) -> Result<Option<Arc<SigningKey>>, Error> {
        let pod = self.cached_pod(&seen.record.id);
        match pod.as_ref().and_then(|pod| pod.door_key.as_deref()) {
            Some(id) => self.signing_keys.find(id).await,
            None => Ok(None),
        }
    }

    /// URL of `path` at the door's port for the bot. None if the Pod has no address or no door.
    fn door_url(&self, seen: &Observed, path: &str) -> Option<String> {
        if seen.record.is_runner() {
            return None;
        }
        let address = self.cached_pod(&seen.record.id)?.address?;
        let address = SocketAddr::new(address, door::ADMIN_PORT);
        Some(format!("http://{address}{path}"))
    }

    /// Reports to the session's door that the session is used, so that it does not count as idle.
    /// Does not wait for the response.
    fn note_use(&self, seen: &Observed) {
        if let Some(url) = self.door_url(seen, door::RECORD_USE_PATH) {
            let told = self.doors.post(url).send();
            tokio::spawn(async move {
                let told = told.await.and_then(reqwest::Response::error_for_status);
                if let Err(error) = told {
                    debug!(
                        error = error_chain(&error),
                        "could not report a session's use to its door"
                    );
                }
            });
        }
    }

    /// Runs a command in DuckDB's container. Returns the process with its input and output. The
    /// connection is closed when the process is dropped.
    async fn exec(
        &self,
        seen: &Observed,
        command: [&str; 3],
    ) -> Result<
        (
            AttachedProcess,
            impl AsyncWrite + Send + Sync + Unpin + use<>,
            impl AsyncRead + Send + Sync + Unpin + use<>,
        ),
        Error,
    > {
        let name = seen.record.id.object_name();
        let params = AttachParams::default()
            .container(build::DUCKDB)
            .stdin(true)
            .stdout(true)
            .stderr(false);
        let begun = self.pods.exec(&name, command, &params);
        let mut process = self
            .server
            .call(self.action("create", permissions::EXEC), begun)
            .await?;
        match (process.stdin(), process.stdout()) {
            (Some(input), Some(output)) => Ok((process, input, output)),
            _ => Err(Error::Unavailable {
                action: format!("running {} in DuckDB's container", command.join(" ")),
                why: "the connection to the container has no input and output".into(),
            }),
        }
    }

    /// Names the cause of a command that did not start: its Pod may be gone or not running.
    async fn exec_error(&self, seen: &Observed, error: Error) -> AskError {
        if matches!(error, Error::NotAllowed { .. }) {
            return error.into();
        }
        // Only the API server knows how the Pod is now.
        match self.pod(seen).await {
            Ok(Some(pod)) if pod.state == PodState::Ready => error.into(),
            Ok(_) => AskError::NotRunning,
            Err(error) => error.into(),
        }
    }

    async fn create_pod(&self, seen: &Observed) -> Result<(), Error> {
        self.store_work_key(&seen.record).await?;
        let pod = self.build_pod(&seen.record, &seen.uid).await?;
        self.create_object(&self.pods, "pods", &pod).await
    }

    async fn build_pod(&self, record: &Record, uid: &str) -> Result<Pod, Error> {
        // This happens only if the settings changed while the session was starting.
        let gone = |what: &'static str, name: &str| Error::NotInSettings {
            what,
            name: name.to_owned(),
        };
        let size = self.settings.size_of(record);
        let size = size.ok_or_else(|| gone("size", &record.size))?;
        let catalog = self.settings.catalog(&record.catalog);
        let catalog = catalog.ok_or_else(|| gone("catalog", &record.catalog))?;
        let key = self.signing_keys.newest(Utc::now()).await?.public();
        Ok(build::pod(
            &self.settings,
            record,
            uid,
            size,
            &catalog,
            &key,
        ))
    }

    /// Adds the key of the owner's saved work to the Secret that the session's Pod reads. It is done for
    /// each Pod, because the Secret may be older than the setting.
    async fn store_work_key(&self, record: &Record) -> Result<(), Error> {
        if self.settings.work_location(record).is_none() {
            return Ok(());
        }
        let key = self.work_key(record.owner).await?.to_hex();
        let name = build::credentials_secret(record);
        let patch = Patch::Merge(build::work_key_patch(&key));
        let params = PatchParams::default();
        let patched = self.secrets.patch_metadata(&name, &params, &patch);
        let action = self.action("patch", "secrets").sensitive();
        match self.server.call(action, patched).await {
            // Without the Secret, the Pod does not start, and its owner is told why.
            Ok(_) | Err(Error::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn create_service(&self, seen: &Observed) -> Result<(), Error> {
        let service = build::service(&self.settings, &seen.record, &seen.uid);
        self.create_object(&self.services, "services", &service)
            .await
    }

    async fn create_route(&self, seen: &Observed) -> Result<(), Error> {
        let route = build::route(&self.settings, &seen.record, &seen.uid);
        self.create_object(&self.routes, &self.route_plural, &route)
            .await
    }

    /// Creates an object. If it already exists, an earlier attempt created it: not an error.
    async fn create_object<K>(&self, api: &Api<K>, resource: &str, object: &K) -> Result<(), Error>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug + Serialize,
    {
        let params = PostParams::default();
        let created = api.create(&params, object);
        match self
            .server
            .call(self.action("create", resource), created)
            .await
        {
            Ok(_) | Err(Error::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes the Pod with this name and UID. The UID is needed because the next Pod of a
    /// rescheduled session has the same name.
    async fn delete_pod(&self, name: &str, uid: &str, grace: Option<u32>) -> Result<(), Error> {
        let mut params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        params.grace_period_seconds = grace;
        self.delete_object(&self.pods, "pods", name, &params).await
    }

    /// Returns the session's Pod from the view.
    fn cached_pod(&self, id: &SessionId) -> Option<Arc<CachedPod>> {
        self.cache.view().pod(&id.object_name())
    }

    async fn delete_object<K>(
        &self,
        api: &Api<K>,
        resource: &str,
        name: &str,
        params: &DeleteParams,
    ) -> Result<(), Error>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let deleted = api.delete(name, params);
        match self
            .server
            .call(self.action("delete", resource), deleted)
            .await
        {
            // Conflict: the name now belongs to a newer object, which stays.
            Ok(_) | Err(Error::Unknown { .. } | Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Runtime for Kubernetes {
    fn sessions(&self) -> Vec<Observed> {
        self.cache.view().sessions()
    }

    fn sessions_of(&self, owner: OwnerId) -> Vec<Observed> {
        self.cache.view().sessions_of(owner)
    }

    fn session(&self, id: &SessionId) -> Option<Observed> {
        self.cache.view().session(id)
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.cache.changes()
    }

    fn orphans(&self) -> Vec<Orphan> {
        self.cache.view().orphans()
    }

    fn unreadable(&self) -> usize {
        self.cache.view().unreadable()
    }

    fn stale_since(&self) -> Option<DateTime<Utc>> {
        self.cache.stale_since()
    }

    async fn details(&self, seen: &Observed) -> Details {
        let Some(pod) = self.cached_pod(&seen.record.id) else {
            return Details::default();
        };
        let name = seen.record.id.object_name();
        let measured = self.metrics.get_opt(&name);
        let fields = format!("involvedObject.uid={},{NOT_OURS}", pod.uid);
        let theirs = ListParams::default().fields(&fields);
        let listed = self.events.list(&theirs);
        // Ignore failures: many clusters have no metrics server.
        let (measured, listed) = tokio::join!(
            self.server.call(self.action("get", "pods"), measured),
            self.server.call(self.action("list", "events"), listed),
        );
        let mut events: Vec<_> = match listed {
            Ok(listed) => listed.iter().filter_map(status::pod_event).collect(),
            // The view has the most important ones.
            Err(_) => self.cache.view().pod_events(&pod.uid).cloned().collect(),
        };
        events.sort_by_key(|event| event.at);
        Details {
            node: pod.node.clone(),
            memory: measured
                .ok()
                .flatten()
                .as_ref()
                .and_then(memory::duckdb_memory),
            events,
        }
    }

    async fn pod(&self, seen: &Observed) -> Result<Option<session::Pod>, Error> {
        let name = seen.record.id.object_name();
        let found = self
            .server
            .call(self.action("get", "pods"), self.pods.get_opt(&name))
            .await?;
        Ok(found.map(|pod| status::parse(&pod).pod))
    }

    async fn recent_log(&self, seen: &Observed) -> Result<String, Error> {
        let name = seen.record.id.object_name();
        let params = LogParams {
            container: Some(build::DUCKDB.into()),
            // Set no byte limit: it would keep the first bytes, and could cut a credential in
            // two, so that it would not be redacted. A line has at most 16 KiB.
            tail_lines: Some(MAX_LOG_LINES),
            ..LogParams::default()
        };
        let log = self.pods.logs(&name, &params);
        self.server.call(self.action("get", "pods/log"), log).await
    }

    async fn work_key(&self, owner: OwnerId) -> Result<WorkKey, Error> {
        let master = self.work_master.get().await?;
        Ok(WorkKey::derive(&master, owner))
    }

    fn url(&self, id: &SessionId) -> String {
        format!("{}/", build::origin(&self.settings, id))
    }

    async fn route_refusal(&self, id: &SessionId) -> Option<String> {
        if self.settings.routing.kind != RouteKind::Gateway {
            return None;
        }
        let one = ListParams::default().fields(&format!("metadata.name={}", id.object_name()));
        let action = self.action("list", &self.route_plural);
        let listed = self.server.call(action, self.routes.list(&one)).await;
        gateway::route_refusal(listed.ok()?.items.first()?)
    }

    async fn try_pod(&self, record: &Record) -> Result<(), Error> {
        // The API server wants an owner with a UID, but does not look it up.
        let pod = self.build_pod(record, &Uuid::nil().to_string()).await?;
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let created = self.pods.create(&params, &pod);
        let action = self.action("create", "pods");
        self.server.call(action, created).await.map(drop)
    }

    async fn ticket(&self, seen: &Observed) -> Result<Option<SecretString>, Error> {
        let key = self.signing_key(seen).await?;
        let session = seen.record.id.to_string();
        Ok(key.map(|key| key.ticket(&session, Utc::now()).into()))
    }

    async fn activity(&self, seen: &Observed) -> Result<Activity, Error> {
        let action = || format!("getting the activity of session {}", seen.record.id);
        let unavailable = |why: String| Error::Session {
            action: action(),
            why,
        };
        let url = self.door_url(seen, door::ACTIVITY_PATH);
        let url = url.ok_or_else(|| unavailable("its Pod has no address".into()))?;
        let answered = async {
            let mut answer = self.doors.get(url).send().await?.error_for_status()?;
            let mut body = Vec::new();
            while body.len() <= MAX_ACTIVITY_BYTES
                && let Some(chunk) = answer.chunk().await?
            {
                body.extend_from_slice(&chunk);
            }
            reqwest::Result::Ok(body)
        };
        let body = answered
            .await
            .map_err(|error| unavailable(error_chain(&error)))?;
        // A response over the size limit is cut off, so it is invalid JSON. Don't quote it.
        serde_json::from_slice(&body)
            .map_err(|_| unavailable("its door's response is not valid".into()))
    }

    async fn is_answering(&self, seen: &Observed) -> Result<bool, Error> {
        let failed = |why: String| Error::Session {
            action: format!("asking the door of session {}", seen.record.id),
            why,
        };
        let url = self.door_url(seen, door::READY_PATH);
        let url = url.ok_or_else(|| failed("its Pod has no address".into()))?;
        readiness::ask(&self.doors, &url).await.map_err(failed)
    }

    async fn ask(
        &self,
        seen: &Observed,
        question: &QueryRequest,
        room: &mut AnswerRoom,
    ) -> Result<Option<QueryResponse>, AskError> {
        let record = &seen.record;
        let credentials = record
            .credentials_since()
            .timestamp_micros()
            .cast_unsigned();
        let question = QueryRequest {
            keep: self.queries.is_on(),
            ..question.clone()
        };
        let mut status = None;
        let mut process = match self.queries.take(&record.id, credentials).await {
            Some(process) => process,
            None => {
                // The API server logs the request's URL, so no part of the query is in the command.
                let begun = self.exec(seen, QUERY_COMMAND).await;
                let (mut process, input, output) = match begun {
                    Ok(begun) => begun,
                    Err(error) => return Err(self.exec_error(seen, error).await),
                };
                status = process.take_status();
                QueryProcess::new(input, output).with(process)
            }
        };
        self.note_use(seen);
        let answer = process.ask(&question, room).await;
        self.note_use(seen);
        match answer? {
            Some(QueryResponse::Exited) => match exec::not_started(status).await {
                Some(why) => {
                    let action = self.action("create", permissions::EXEC).to_string();
                    let error = Error::Unavailable { action, why };
                    Err(self.exec_error(seen, error).await)
                }
                None => Ok(Some(QueryResponse::Exited)),
            },
            Some(answer) => {
                self.queries.keep(&record.id, credentials, process);
                Ok(Some(answer))
            }
            None => Ok(None),
        }
    }

    async fn control(
        &self,
        seen: &Observed,
        command: ControlCommand,
    ) -> Result<ControlResponse, Error> {
        let Some(key) = self.signing_key(seen).await? else {
            return Ok(ControlResponse::NotSupported);
        };
        if matches!(command, ControlCommand::RenewCredentials { .. }) {
            // The Secret may be a new one, from which a container that is started again reads the key.
            self.store_work_key(&seen.record).await?;
        }
        let (mut process, input, output) = self.exec(seen, CONTROL_COMMAND).await?;
        let status = process.take_status();
        let limit = command.timeout();
        let signed = key.sign(command, &seen.record.id.to_string(), Utc::now());
        match control_rpc::call(&signed, limit, input, output).await? {
            Some(answer) => Ok(answer),
            None if exec::is_usage_error(status).await => Ok(ControlResponse::NotSupported),
            None => Err(control_rpc::failed("the program ended without an answer")),
        }
    }

    async fn command_clients(
        &self,
        seen: &Observed,
        command: ClientsCommand,
    ) -> Result<ClientsResponse, Error> {
        let id = &seen.record.id;
        let failed = |why: String| Error::Session {
            action: format!("sending a command to the door of session {id}"),
            why,
        };
        let key = self.signing_key(seen).await?;
        let key = key.ok_or_else(|| failed("the signing key of its door is gone".into()))?;
        let url = self.door_url(seen, door::CLIENTS_PATH);
        let url = url.ok_or_else(|| failed("its Pod has no address".into()))?;
        let signed = key.sign(command, &id.to_string(), Utc::now());
        door_clients::send(&self.doors, &url, signed)
            .await
            .map_err(failed)
    }

    async fn claim(&self, record: &Record) -> Result<Claim, Error> {
        let stored = build::record(&self.settings, record, None);
        let name = stored.name_any();
        let params = PostParams::default();
        let lists = self.cache.view().records.lists();
        let created = self.records.create(&params, &stored);
        match self
            .server
            .call(self.action("create", "configmaps"), created)
            .await
        {
            Ok(created) => {
                let at = revision(&created.metadata);
                let uid = created.metadata.uid.clone().unwrap_or_default();
                self.event_sender.tell(
                    &facts::of_claim(record),
                    at,
                    &[record_subject(&name, &uid)],
                );
                self.cache.apply_write(created, lists);
                self.wait_for_older_records(at).await;
                Ok(Claim::Made {
                    record: Arc::new(record.clone()),
                    earlier: self.cache.view().records_before(&name, at),
                })
            }
            Err(Error::Exists { .. }) => {
                let found = self.records.get(&name);
                let found = self
                    .server
                    .call(self.action("get", "configmaps"), found)
                    .await;
                let stored = match found {
                    Ok(stored) => stored,
                    // The record was just removed. Only the next claim finds the name free.
                    Err(Error::Unknown { .. }) => return Ok(Claim::Taken(name)),
                    Err(error) => return Err(error),
                };
                match build::read_record(&stored) {
                    Ok(found) if found.request == record.request => {
                        // The view may not show it yet, as after a response that was lost.
                        let at = revision(&stored.metadata);
                        self.cache.apply_write(stored, lists);
                        self.wait_for_older_records(at).await;
                        let view = self.cache.view();
                        let since = view.first_revision(&name).unwrap_or(at);
                        Ok(Claim::Made {
                            record: Arc::new(found),
                            earlier: view.records_before(&name, since),
                        })
                    }
                    Ok(found) => Ok(Claim::Taken(found.id.to_string())),
                    // A record that this bot can't read occupies its name too.
                    Err(_) => Ok(Claim::Taken(name)),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn save(&self, seen: &Observed, record: &Record) -> Result<(), Error> {
        let stored = build::record(&self.settings, record, Some(&seen.revision));
        let name = stored.name_any();
        let params = PostParams::default();
        let lists = self.cache.view().records.lists();
        let replaced = self.records.replace(&name, &params, &stored);
        let saved = self
            .server
            .call(self.action("update", "configmaps"), replaced)
            .await?;
        let newest = revision(&saved.metadata);
        self.tell_change(seen, record, newest);
        self.cache.apply_write(saved, lists);
        let is_seen = |view: &View| view.is_at_least(&name, &seen.uid, newest);
        self.wait_for_view(VIEW_TIMEOUT, is_seen).await
    }

    async fn note_own_credentials(&self, id: &SessionId) -> Result<Option<Record>, Error> {
        Ok(self.cache.note_own_credentials(id))
    }

    async fn create(&self, seen: &Observed, parts: Parts) -> Result<(), Error> {
        let Parts {
            pod,
            service,
            route,
        } = parts;
        let (pod, service, route) = tokio::join!(
            run_if(pod, self.create_pod(seen)),
            run_if(service, self.create_service(seen)),
            run_if(route, self.create_route(seen)),
        );
        // Wait for the created parts even if another part failed: if the session then ends, the
        // parts that the view shows are deleted.
        let made = Parts {
            pod: parts.pod && pod.is_ok(),
            service: parts.service && service.is_ok(),
            route: parts.route && route.is_ok(),
        };
        let name = seen.record.name();
        let is_seen = |view: &View| match view.record(&name) {
            Some(shown) if shown.uid == seen.uid => !shown.parts().missing().both(made).any(),
            _ => true,
        };
        let shown = self.wait_for_view(VIEW_TIMEOUT, is_seen).await;
        pod.and(service).and(route).and(shown)
    }

    async fn delete(&self, seen: &Observed, parts: Parts) -> Result<(), Error> {
        let name = seen.record.id.object_name();
        let params = DeleteParams::background();
        let Parts {
            pod,
            service,
            route,
        } = parts;
        if pod {
            self.queries.end(&seen.record.id);
        }
        let uid = || Some(self.cached_pod(&seen.record.id)?.uid.clone());
        let first = uid().filter(|_| pod);
        let delete_pod = async |grace| match &first {
            Some(uid) => self.delete_pod(&name, uid, grace).await,
            None => Ok(()),
        };
        let grace = build::grace_seconds(&self.settings, &seen.record);
        // Garbage collection would delete them with the record, but later.
        let has_own_keys = seen.record.is_stopping() && !seen.record.uses_owner_credentials();
        let own = build::own_secret_name(&seen.record.id);
        let (dropped, keys, service, route) = tokio::join!(
            delete_pod(Some(grace)),
            run_if(
                has_own_keys,
                self.delete_object(&self.secrets, "secrets", &own, &params)
            ),
            run_if(
                service,
                self.delete_object(&self.services, "services", &name, &params)
            ),
            run_if(
                route,
                self.delete_object(&self.routes, &self.route_plural, &name, &params)
            ),
        );
        dropped.and(keys).and(service).and(route)?;
        let record = seen.record.name();
        let are_gone = |view: &View, parts: Parts| match view.record(&record) {
            Some(shown) if shown.uid == seen.uid => !shown.parts().both(parts).any(),
            _ => true,
        };
        let others = Parts {
            pod: false,
            ..parts
        };
        let others = self.wait_for_view(DELETE_TIMEOUT, |view| are_gone(view, others));
        let others = others.await;
        // Only the Pod has time to end.
        let pod_alone = Parts {
            service: false,
            route: false,
            ..parts
        };
        let is_gone = |view: &View| are_gone(view, pod_alone);
        let limit = DELETE_TIMEOUT + Duration::from_secs(grace.into());
        let mut gone = self.wait_for_view(limit, is_gone).await;
        if gone.is_err() && first.is_some() && uid() == first {
            warn!(
                pod = name,
                "Pod {name} still exists, probably because its node is gone; deleting it by force"
            );
            delete_pod(Some(0)).await?;
            gone = self.wait_for_view(VIEW_TIMEOUT, is_gone).await;
        }
        gone.and(others)
    }

    async fn remove(&self, seen: &Observed) -> Result<(), Error> {
        let name = seen.record.name();
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(seen.uid.to_string()),
            resource_version: None,
        });
        let deleted = self.records.delete(&name, &params);
        match self
            .server
            .call(self.action("delete", "configmaps"), deleted)
            .await
        {
            // Conflict: the name now belongs to a newer record, which stays.
            Ok(_) | Err(Error::Unknown { .. } | Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        let is_gone = |view: &View| view.record(&name).is_none_or(|it| it.uid != seen.uid);
        self.wait_for_view(VIEW_TIMEOUT, is_gone).await
    }

    async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), Error> {
        let name = orphan.id.object_name();
        let params = DeleteParams::background();
        let pod = self.cached_pod(&orphan.id);
        let delete_pod = async {
            let Some(pod) = &pod else {
                return Ok(());
            };
            // The Pod has been terminating for long, so its node is gone: delete it by force.
            let grace = pod.is_terminating().then_some(0);
            self.delete_pod(&name, &pod.uid, grace).await
        };
        let own = build::own_secret_name(&orphan.id);
        let (pod, service, route, reply, keys) = tokio::join!(
            delete_pod,
            self.delete_object(&self.services, "services", &name, &params),
            self.delete_object(&self.routes, &self.route_plural, &name, &params),
            self.delete_object(&self.secrets, "secrets", &name, &params),
            self.delete_object(&self.secrets, "secrets", &own, &params),
        );
        pod.and(service).and(route).and(reply).and(keys)
    }
}

async fn run_if(wanted: bool, doing: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    if wanted { doing.await } else { Ok(()) }
}
