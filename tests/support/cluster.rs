//! The control plane that all tests share, and a pair of namespaces for each.

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

use super::{WAIT_TIMEOUT, tools::script, wait_until};

/// etcd, kube-apiserver, kube-controller-manager and kube-scheduler, started
/// once. [`Node`](super::Node)s are added to it.
pub struct Cluster {
    programs: PathBuf,
    kubeconfig: PathBuf,
    host: IpAddr,
    nodes: Result<(), String>,
    /// They end when its standard input closes: when this process ends, however that happens.
    _running: Child,
}

impl Cluster {
    /// The cluster of this test run; the first caller starts it.
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let got = Command::new(script("cluster/get"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(got.status.success(), "there is no cluster to test with");
        let programs = PathBuf::from(String::from_utf8(got.stdout).unwrap().trim());
        let mut running = Command::new(script("cluster/run"))
            .arg(&programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let mut says = |start: &str| {
            let line = lines.next().expect("the cluster starts").unwrap();
            let said = line.strip_prefix(start);
            said.unwrap_or_else(|| panic!("{line:?}")).trim().to_owned()
        };
        let host = says("host ").parse().unwrap();
        let nodes = match &says("nodes ")[..] {
            "yes" => Ok(()),
            no => Err(no.trim_start_matches("no: ").to_owned()),
        };
        Self {
            kubeconfig: says("ready ").into(),
            programs,
            host,
            nodes,
            _running: running,
        }
    }

    /// Where the programs are that it runs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Its own folder.
    pub fn folder(&self) -> &Path {
        self.kubeconfig.parent().unwrap()
    }

    /// This machine's address, as its nodes and their Pods reach it.
    pub fn host(&self) -> IpAddr {
        self.host
    }

    /// Whether it can have nodes, or why not.
    pub fn nodes(&self) -> Result<(), &str> {
        match &self.nodes {
            Ok(()) => Ok(()),
            Err(reason) => Err(reason),
        }
    }

    /// How an admin connects.
    pub async fn config(&self) -> Config {
        // rustls wants a provider in tests, too; whoever comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .unwrap()
    }

    /// The kubeconfig of an admin.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What the API server noted of `exec`, in all that it can note.
    pub fn audit_log(&self) -> String {
        std::fs::read_to_string(self.kubeconfig.with_file_name("audit.log")).unwrap_or_default()
    }

    /// The certificate of whoever signed the API server's.
    pub fn authority(&self) -> PathBuf {
        self.kubeconfig.with_file_name("ca.crt")
    }
}

/// The two namespaces of one installation, made from `deploy/`.
pub struct Namespaces {
    /// An admin of the cluster.
    pub admin: Client,
    /// Where the bot lives.
    pub bot: String,
    /// Where sessions live.
    pub sessions: String,
}

impl Namespaces {
    /// Installs `deploy/` under names of its own.
    pub async fn install() -> Self {
        Self::install_for(None).await
    }

    /// The same, with sessions on that node. Without one their Pods stay where
    /// they are, and a test writes what becomes of them.
    pub async fn install_for(node: Option<&str>) -> Self {
        let admin = Client::try_from(Cluster::shared().config().await).unwrap();
        let suffix = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let this = Self {
            admin,
            bot: format!("duckbot-{suffix}"),
            sessions: format!("duckbot-sessions-{suffix}"),
        };
        for file in ["namespaces.yaml", "rbac.yaml"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("deploy/base")
                .join(file);
            let text = std::fs::read_to_string(path).unwrap();
            for document in text.split("\n---\n") {
                this.create(document).await;
            }
        }
        if let Some(node) = node {
            this.use_node(node).await;
        }
        // The controllers make it a moment later (after an outage, a longer one), and no Pod is
        // taken before.
        let accounts: Api<ServiceAccount> = Api::namespaced(this.admin.clone(), &this.sessions);
        let is_there = |account: Option<&ServiceAccount>| account.is_some();
        let made = await_condition(accounts, "default", is_there);
        let made = tokio::time::timeout(Duration::from_secs(60), made).await;
        made.expect("the namespace gets its service account")
            .unwrap();
        this
    }

    /// From now on Pods of sessions go to that node.
    pub async fn use_node(&self, node: &str) {
        let namespaces: Api<Namespace> = Api::all(self.admin.clone());
        let patch = json!({ "metadata": { "labels": { "duckbot.dev/node": node } } });
        let params = PatchParams::default();
        namespaces
            .patch(&self.sessions, &params, &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Takes away the Pods of sessions that go on: a node has room for so many only.
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
        // A test may have ended the cluster.
        let _ = deleted;
    }

    /// Creates what a manifest says, in our namespaces; as strict as `kubectl`.
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
            "ServiceAccount" => format!("/api/v1/namespaces/{bot}/serviceaccounts"),
            "Role" => format!("{rbac}/roles"),
            "RoleBinding" => format!("{rbac}/rolebindings"),
            other => panic!("the harness does not know {other}"),
        };
        let request = http_request(&format!("{path}?fieldValidation=Strict"), text);
        self.admin
            .request::<serde_json::Value>(request)
            .await
            .unwrap();
    }

    /// A token of the bot's service account, as a Pod would get.
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

    /// A client that may what the bot may.
    pub async fn bot_client(&self) -> Client {
        let mut config = Cluster::shared().config().await;
        config.auth_info.token = Some(self.token().await.into());
        Client::try_from(config).unwrap()
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

    /// Waits until the bot may not: the API server heeds a role a moment after it took it.
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
        let kind = GroupVersionKind::gvk("traefik.io", "v1alpha1", "IngressRoute");
        let resource = ApiResource::from_gvk(&kind);
        Api::namespaced_with(self.admin.clone(), &self.sessions, &resource)
    }

    pub fn ingresses(&self) -> Api<k8s_openapi::api::networking::v1::Ingress> {
        Api::namespaced(self.admin.clone(), &self.sessions)
    }

    /// All that sessions are made of, as `pods/duckui-977a26`, sorted.
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
        for it in self.ingresses().list(&ours).await.unwrap() {
            add("ingresses", it.name_any());
        }
        found.sort();
        found
    }

    /// The records, as the documents that they hold.
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

    /// Changes what the record of that name says.
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

    /// What the ledger says.
    pub async fn ledger(&self) -> serde_json::Value {
        let map = self.records().get("duckbot-ledger").await.unwrap();
        serde_json::from_str(&map.data.unwrap()["ledger.json"]).unwrap()
    }

    /// Changes what the ledger says.
    pub async fn edit_ledger(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let maps = self.records();
        let params = PostParams::default();
        let found = maps.get_opt("duckbot-ledger").await.unwrap();
        let is_new = found.is_none();
        let mut map = found.unwrap_or_default();
        map.metadata.name = Some("duckbot-ledger".into());
        let data = map.data.get_or_insert_default();
        let text = data.entry("ledger.json".into()).or_insert_with(|| {
            let nothing = json!({
                "version": 1, "since": chrono::Utc::now(), "pending": null, "outcomes": [], "users": {},
                "others": { "seconds": 0, "sessions": 0 }, "starts_ms": [], "counted": [], "known": {},
            });
            nothing.to_string()
        });
        let mut ledger = serde_json::from_str(text).unwrap();
        change(&mut ledger);
        *text = ledger.to_string();
        match is_new {
            true => maps.create(&params, &map).await.unwrap(),
            false => maps.replace("duckbot-ledger", &params, &map).await.unwrap(),
        };
    }

    /// Waits until the record of that name is gone.
    pub async fn wait_until_gone(&self, record: &str) {
        let is_gone = |map: Option<&ConfigMap>| map.is_none();
        self.wait_for_record(record, is_gone, "to go").await;
    }

    /// Waits until a record says that its session ends; how.
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
        ending.expect("it was seen")
    }

    /// Waits until the record of that name is at that stage.
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
        done.unwrap_or_else(|_| panic!("waited in vain for {record} {what}"))
            .unwrap();
    }

    /// A Secret as the setup flow would leave it, for tests of something else.
    pub async fn store_credentials(&self, person: u64) {
        self.store_key_pair(person, "AKIAHARNESS", "harness").await;
    }

    /// The same with these keys.
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
