//! The control plane, shared by all tests, and two namespaces per test.

use std::{
    io::{BufRead, BufReader},
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    authorization::v1::SubjectAccessReview,
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount},
    rbac::v1::Role,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{
        ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
    },
    config::{KubeConfigOptions, Kubeconfig},
    runtime::wait::{Condition, await_condition},
};
use serde_json::json;

use crate::{
    tools::{root, script},
    wait::{WAIT_TIMEOUT, wait_until},
};

/// etcd, kube-apiserver, kube-controller-manager and kube-scheduler, started once per test run.
/// [`Node`](crate::Node)s join it.
pub struct Cluster {
    programs: PathBuf,
    kubeconfig: PathBuf,
    host: IpAddr,
    ipv6: Option<IpAddr>,
    nodes: Result<(), String>,
    /// Ends when its standard input closes, so also when this process ends for whatever reason.
    _running: Child,
}

impl Cluster {
    /// Returns the cluster of this test run. The first call starts it.
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let got = Command::new(script("cluster/get"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(
            got.status.success(),
            "`cluster/get` failed: no test cluster"
        );
        let programs = PathBuf::from(String::from_utf8(got.stdout).unwrap().trim());
        let mut running = Command::new(script("cluster/run"))
            .arg(&programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let mut says = |start: &str| {
            let line = lines.next().expect("`cluster/run` did not end").unwrap();
            let said = line.strip_prefix(start);
            said.unwrap_or_else(|| panic!("{line:?}")).trim().to_owned()
        };
        let host = says("host ").parse().unwrap();
        let ipv6 = says("ipv6 ").parse().ok();
        let nodes = match &says("nodes ")[..] {
            "yes" => Ok(()),
            no => Err(no.trim_start_matches("no: ").to_owned()),
        };
        Self {
            kubeconfig: says("ready ").into(),
            programs,
            host,
            ipv6,
            nodes,
            _running: running,
        }
    }

    /// Folder with the control plane's programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Working folder of the cluster.
    pub fn folder(&self) -> &Path {
        self.kubeconfig.parent().unwrap()
    }

    /// Address of this machine, as seen from nodes and their Pods.
    pub fn host(&self) -> IpAddr {
        self.host
    }

    /// Same as [`Self::host`], for Pods with IPv6. `None`: this machine has no IPv6.
    pub fn ipv6(&self) -> Option<IpAddr> {
        self.ipv6
    }

    /// Returns `Ok` if the cluster can have nodes, otherwise the reason why not.
    pub fn nodes(&self) -> Result<(), &str> {
        match &self.nodes {
            Ok(()) => Ok(()),
            Err(reason) => Err(reason),
        }
    }

    /// Client configuration of a cluster admin.
    pub async fn config(&self) -> Config {
        // rustls needs a crypto provider in tests, too. The first call installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .unwrap()
    }

    /// Path of the kubeconfig of a cluster admin.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Audit log of `exec` requests, with request and response bodies.
    pub fn audit_log(&self) -> String {
        std::fs::read_to_string(self.kubeconfig.with_file_name("audit.log")).unwrap_or_default()
    }

    /// Path of the CA certificate that signed the API server's certificate.
    pub fn authority(&self) -> PathBuf {
        self.kubeconfig.with_file_name("ca.crt")
    }
}

/// The two namespaces of one installation, created from `deploy/`.
pub struct Namespaces {
    /// Client of a cluster admin.
    pub admin: Client,
    /// Namespace of the bot.
    pub bot: String,
    /// Namespace of the sessions.
    pub sessions: String,
}

impl Namespaces {
    /// Installs `deploy/` into two new namespaces with unique names.
    pub async fn install() -> Self {
        Self::install_for(None).await
    }

    /// Same as [`Self::install`], with sessions on `node`. Without a node, Pods stay unscheduled,
    /// and the test writes their status.
    pub async fn install_for(node: Option<&str>) -> Self {
        let admin = Client::try_from(Cluster::shared().config().await).unwrap();
        let suffix = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let this = Self {
            admin,
            bot: format!("duckbot-{suffix}"),
            sessions: format!("duckbot-sessions-{suffix}"),
        };
        for file in ["namespaces.yaml", "rbac.yaml", "secrets.yaml", "lease.yaml"] {
            this.apply(file).await;
        }
        if let Some(node) = node {
            this.use_node(node).await;
        }
        // The controller creates the service account after a moment, or longer after an outage. No
        // Pod is accepted before.
        let accounts: Api<ServiceAccount> = Api::namespaced(this.admin.clone(), &this.sessions);
        let is_there = |account: Option<&ServiceAccount>| account.is_some();
        let made = await_condition(accounts, "default", is_there);
        let made = tokio::time::timeout(Duration::from_secs(60), made).await;
        made.expect("the namespace got its service account in time")
            .unwrap();
        this
    }

    /// Lets new Pods of sessions run on `node`.
    pub async fn use_node(&self, node: &str) {
        let namespaces: Api<Namespace> = Api::all(self.admin.clone());
        let patch = json!({ "metadata": { "labels": { "duckbot.dev/node": node } } });
        let params = PatchParams::default();
        namespaces
            .patch(&self.sessions, &params, &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Deletes the remaining Pods of sessions, because a node has room for a limited number.
    pub fn delete_pods(&self) {
        let cluster = Cluster::shared();
        let deleted = Command::new(cluster.programs().join("kubectl"))
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig())
            .args(["delete", "pods", "--all", "--wait=false", "--namespace"])
            .arg(&self.sessions)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // The test may have ended the cluster.
        let _ = deleted;
    }

    /// Creates the objects of a file in `deploy/base`.
    pub async fn apply(&self, file: &str) {
        let path = root().join("deploy/base").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        for document in text.split("\n---\n") {
            self.create(document).await;
        }
    }

    /// Creates the object of a manifest in these namespaces, with strict field validation like
    /// `kubectl`.
    async fn create(&self, manifest: &str) {
        let (bot, sessions) = (&self.bot, &self.sessions);
        let mut text = format!("{manifest}\n")
            .replace(
                "namespace: duckbot-sessions\n",
                &format!("namespace: {sessions}\n"),
            )
            .replace("namespace: duckbot\n", &format!("namespace: {bot}\n"));
        let is_at_home = manifest.contains("  name: duckbot\n  namespace: duckbot\n");
        let namespace = if is_at_home { bot } else { sessions };
        let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
        let path = match manifest
            .lines()
            .find_map(|line| line.strip_prefix("kind: "))
            .unwrap()
        {
            "Namespace" => {
                text = text
                    .replace("name: duckbot-sessions\n", &format!("name: {sessions}\n"))
                    .replace("name: duckbot\n", &format!("name: {bot}\n"));
                "/api/v1/namespaces".to_owned()
            }
            "Secret" => format!("/api/v1/namespaces/{bot}/secrets"),
            "ServiceAccount" => format!("/api/v1/namespaces/{bot}/serviceaccounts"),
            "Role" => format!("{rbac}/roles"),
            "RoleBinding" => format!("{rbac}/rolebindings"),
            "Lease" => format!("/apis/coordination.k8s.io/v1/namespaces/{bot}/leases"),
            other => panic!("the harness does not support kind {other}"),
        };
        let request = http_request(&format!("{path}?fieldValidation=Strict"), text);
        self.admin
            .request::<serde_json::Value>(request)
            .await
            .unwrap();
    }

    /// Creates a token of the bot's service account, as its Pod would get.
    pub async fn token(&self) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.clone(), &self.bot);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let params = PostParams::default();
        let answer = accounts
            .create_token_request("duckbot", &params, &request)
            .await
            .unwrap();
        answer.status.unwrap().token
    }

    /// Client with the bot's permissions.
    pub async fn bot_client(&self) -> Client {
        let mut config = Cluster::shared().config().await;
        config.auth_info.token = Some(self.token().await.into());
        Client::try_from(config).unwrap()
    }

    /// Leases in the bot's namespace. The bot's is `duckbot`.
    pub fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.admin.clone(), &self.bot)
    }

    pub fn records(&self) -> Api<ConfigMap> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    pub fn roles(&self) -> Api<Role> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    /// Waits until the bot lacks this permission. The API server applies a changed role after a
    /// moment.
    pub async fn wait_until_forbidden(&self, verb: &str, resource: &str) {
        let reviews: Api<SubjectAccessReview> = Api::all(self.admin.clone());
        let review = json!({ "metadata": {}, "spec": {
            "user": format!("system:serviceaccount:{}:duckbot", self.bot),
            "resourceAttributes": {
                "namespace": self.sessions, "verb": verb, "resource": resource,
            },
        }});
        let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
        let answer = async || {
            let answer = reviews.create(&PostParams::default(), &review).await;
            answer.unwrap().status.unwrap().allowed
        };
        wait_until(answer, |may| !may).await;
    }

    pub fn routes(&self) -> Api<DynamicObject> {
        self.custom("traefik.io", "v1alpha1", "IngressRoute")
    }

    pub fn http_routes(&self) -> Api<DynamicObject> {
        self.custom("gateway.networking.k8s.io", "v1", "HTTPRoute")
    }

    fn custom(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk(&kind);
        Api::namespaced_with(self.admin.clone(), &self.sessions, &resource)
    }

    pub fn ingresses(&self) -> Api<k8s_openapi::api::networking::v1::Ingress> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    /// Returns the names of all sessions' objects, such as `pods/duckui-977a26`, sorted.
    pub async fn objects(&self) -> Vec<String> {
        let ours = ListParams::default().labels("app.kubernetes.io/name=duckui");
        let mut found = Vec::new();
        let mut add = |kind: &str, name: String| found.push(format!("{kind}/{name}"));
        for it in self.records().list(&ours).await.unwrap() {
            add("configmaps", it.name_any());
        }
        for it in self.pods().list(&ours).await.unwrap() {
            add("pods", it.name_any());
        }
        for it in self.services().list(&ours).await.unwrap() {
            add("services", it.name_any());
        }
        for it in self.routes().list(&ours).await.unwrap() {
            add("ingressroutes", it.name_any());
        }
        for it in self.http_routes().list(&ours).await.unwrap() {
            add("httproutes", it.name_any());
        }
        for it in self.ingresses().list(&ours).await.unwrap() {
            add("ingresses", it.name_any());
        }
        found.sort();
        found
    }

    /// Documents of all records.
    pub async fn documents(&self) -> Vec<serde_json::Value> {
        let ours = ListParams::default().labels("app.kubernetes.io/name=duckui");
        let stored = self.records().list(&ours).await.unwrap();
        let document = |map: &ConfigMap| map.data.as_ref().unwrap()["record.json"].clone();
        let parsed = stored
            .items
            .iter()
            .map(|map| serde_json::from_str(&document(map)).unwrap());
        parsed.collect()
    }

    /// Edits the document of a record.
    pub async fn edit_record(&self, record: &str, change: impl FnOnce(&mut serde_json::Value)) {
        let mut stored = self.records().get(record).await.unwrap();
        let data = stored.data.as_mut().unwrap();
        let text = data.get_mut("record.json").unwrap();
        let mut document = serde_json::from_str(text).unwrap();
        change(&mut document);
        *text = document.to_string();
        let params = PostParams::default();
        self.records()
            .replace(record, &params, &stored)
            .await
            .unwrap();
    }

    /// Document of the ledger; null if there is none.
    pub async fn ledger(&self) -> serde_json::Value {
        self.document("ledger").await
    }

    /// Book of schedules; null if there is none.
    pub async fn book(&self) -> serde_json::Value {
        self.document("schedules").await
    }

    async fn document(&self, name: &str) -> serde_json::Value {
        let map = self
            .records()
            .get_opt(&format!("duckbot-{name}"))
            .await
            .unwrap();
        map.map_or(serde_json::Value::Null, |map| {
            serde_json::from_str(&map.data.unwrap()[&format!("{name}.json")]).unwrap()
        })
    }

    /// Pause of starts that is stored; null if there is none.
    pub async fn pause(&self) -> serde_json::Value {
        self.document("pause").await["pause"].clone()
    }

    /// Edits the ledger's document. Creates the ledger if it does not exist.
    pub async fn edit_ledger(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let nothing = json!({
            "version": 1, "since": chrono::Utc::now(), "pending": null, "outcomes": [], "users": {},
            "others": { "seconds": 0, "sessions": 0 }, "starts_ms": [], "counted": [], "known": {},
        });
        self.edit_document("ledger", nothing, change).await;
    }

    /// Edits the book of schedules. Creates the book if it does not exist.
    pub async fn edit_book(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let nothing = json!({ "version": 1, "paused": null, "schedules": {} });
        self.edit_document("schedules", nothing, change).await;
    }

    async fn edit_document(
        &self,
        name: &str,
        nothing: serde_json::Value,
        change: impl FnOnce(&mut serde_json::Value),
    ) {
        let (maps, params) = (self.records(), PostParams::default());
        let object = format!("duckbot-{name}");
        let found = maps.get_opt(&object).await.unwrap();
        let is_new = found.is_none();
        let mut map = found.unwrap_or_default();
        map.metadata.name = Some(object.clone());
        let data = map.data.get_or_insert_default();
        let text = data
            .entry(format!("{name}.json"))
            .or_insert_with(|| nothing.to_string());
        let mut document = serde_json::from_str(text).unwrap();
        change(&mut document);
        *text = document.to_string();
        if is_new {
            maps.create(&params, &map).await.unwrap()
        } else {
            maps.replace(&object, &params, &map).await.unwrap()
        };
    }

    /// Waits until a record is gone.
    pub async fn wait_until_gone(&self, record: &str) {
        let is_gone = |map: Option<&ConfigMap>| map.is_none();
        self.wait_for_record(record, is_gone, "to be removed").await;
    }

    /// Waits until a record has an ending, and returns it.
    pub async fn wait_for_ending(&self, record: &str) -> serde_json::Value {
        let document = |map: Option<&ConfigMap>| -> Option<serde_json::Value> {
            serde_json::from_str(map?.data.as_ref()?.get("record.json")?).ok()
        };
        let said = std::sync::Mutex::new(None);
        let ends = |map: Option<&ConfigMap>| {
            let ending = document(map).and_then(|it| it.get("ending").cloned());
            *said.lock().unwrap() = ending.clone();
            ending.is_some()
        };
        self.wait_for_record(record, ends, "to end").await;
        let ending = said.lock().unwrap().take();
        ending.expect("the record has an ending")
    }

    /// Waits until a record has this stage.
    pub async fn wait_for_stage(&self, record: &str, stage: &str) {
        let wanted = format!("\"stage\":\"{stage}\"");
        let is_there = |map: Option<&ConfigMap>| {
            let data = map.and_then(|map| map.data.as_ref());
            data.is_some_and(|data| data["record.json"].contains(&wanted))
        };
        self.wait_for_record(record, is_there, &format!("to be {stage}"))
            .await;
    }

    async fn wait_for_record(
        &self,
        record: &str,
        condition: impl Condition<ConfigMap>,
        what: &str,
    ) {
        let done = await_condition(self.records(), record, condition);
        let done = tokio::time::timeout(WAIT_TIMEOUT, done).await;
        done.unwrap_or_else(|_| panic!("timed out waiting for {record} {what}"))
            .unwrap();
    }

    /// Stores credentials as the setup flow would, for tests of something else.
    pub async fn store_credentials(&self, person: u64) {
        self.store_key_pair(person, "AKIAHARNESS", "harness").await;
    }

    /// Same as [`Self::store_credentials`], with this key pair.
    pub async fn store_key_pair(&self, person: u64, id: &str, key: &str) {
        let secret = serde_json::from_value(json!({
            "metadata": { "name": format!("duckbot-s3-{person}") },
            "stringData": { "s3-access-key-id": id, "s3-secret-access-key": key },
        }));
        self.secrets()
            .create(&PostParams::default(), &secret.unwrap())
            .await
            .unwrap();
    }
}

fn http_request(path: &str, yaml: String) -> axum::http::Request<Vec<u8>> {
    axum::http::Request::post(path)
        .header("content-type", "application/yaml")
        .body(yaml.into_bytes())
        .unwrap()
}
