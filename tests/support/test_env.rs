//! A team, its bot and its cluster: what most tests begin with.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use duckbot::sandbox::discord::{
    Discord, DiscordConfig, Interaction, MessageView, ModalView, Person,
};
use duckbot::session::RECORD_VERSION;
use futures_util::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
};
use kube::{
    api::{DeleteParams, LogParams, Patch, PatchParams, PostParams},
    runtime::wait::await_condition,
};
use serde_json::json;
use tempfile::TempDir;

use super::{
    ACK_TIMEOUT, Bot, Catalog, Kubelet, Namespaces, Node, Proxy, S3, UiClient, bot::program,
    contract::Contract, link_of,
};

/// Keys without a session token.
pub const PERMANENT_CREDENTIALS: [(&str, &str); 2] = [
    ("Access key ID", "AKIANEWKEYID0000WXYZ"),
    ("Secret access key", "canary/AnotherSecretKey+47"),
];

/// What people in tests hand in. Each value is looked for where it must not be.
pub const CREDENTIALS: [(&str, &str); 4] = [
    ("Access key ID", "AKIACANARYKEYID4D7Q"),
    (
        "Secret access key",
        "canary/SecretAccessKey+93/0123456789abcd",
    ),
    ("Session token", "canarySessionToken=="),
    ("Catalog token", "canary.catalog.token"),
];

/// Sessions that are real, and small enough for many at a time.
const ON_A_NODE: [(&str, &str); 6] = [
    ("DUCKBOT_SESSIONS__IMAGE", "duckbot.test/duckui:works"),
    ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot.test/duckbot:test"),
    ("DUCKBOT_SIZES__SMALL__CPU", "50m"),
    ("DUCKBOT_SIZES__SMALL__MEMORY", "256Mi"),
    ("DUCKBOT_SIZES__LARGE__CPU", "100m"),
    ("DUCKBOT_SIZES__LARGE__MEMORY", "512Mi"),
];

/// A guild with `#data` (where the bot may be used) and `#random` (where not);
/// the analysts Ana and Ben, Ada the admin, Gil without a role, Max from elsewhere.
pub struct TestEnv {
    pub discord: Discord,
    pub cluster: Namespaces,
    pub api: Proxy,
    pub s3: S3,
    pub catalog: Catalog,
    pub kubelet: Kubelet,
    pub ana: Person,
    pub ben: Person,
    pub ada: Person,
    pub gil: Person,
    /// Whether sessions run on a node; without one a test writes their status.
    has_node: bool,
    bot: Option<Bot>,
    /// Logs of bots that have ended.
    logs: String,
    pub variables: HashMap<String, String>,
    /// Which bot it has.
    pub program: PathBuf,
    token: String,
    folder: TempDir,
    contract: Option<Arc<Contract>>,
}

impl TestEnv {
    /// With the bot up and connected.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other settings.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut env = Self::without_bot(settings).await;
        env.start_bot().await;
        env
    }

    /// The same with sessions that run on the shared node; `None` where there
    /// can be none.
    pub async fn start_on_node(settings: &[(&str, &str)]) -> Option<Self> {
        Some(Self::start_on(Node::shared()?, settings).await)
    }

    /// The same with sessions that run on that node.
    pub async fn start_on(node: &Node, settings: &[(&str, &str)]) -> Self {
        let mut all = ON_A_NODE.to_vec();
        all.extend(settings);
        let mut env = Self::without_bot_on(&node.name, &all).await;
        env.start_bot().await;
        env
    }

    /// The same with sessions on the node of that name, before the bot is started.
    pub async fn without_bot_on(node: &str, settings: &[(&str, &str)]) -> Self {
        Self::create(Some(node), settings).await
    }

    /// The same before the bot is started.
    pub async fn without_bot(settings: &[(&str, &str)]) -> Self {
        Self::create(None, settings).await
    }

    async fn create(node: Option<&str>, settings: &[(&str, &str)]) -> Self {
        let config = DiscordConfig::default()
            .channel("data")
            .channel("random")
            .channel("ops")
            .role("analyst")
            .role("admin")
            .person("ana", &["analyst"])
            .person("ben", &["analyst"])
            .person("ada", &["admin"])
            .person("gil", &[])
            .stranger("max")
            .first_response_timeout(ACK_TIMEOUT)
            // What a cluster does to a node takes its time, and so does what goes wrong.
            .wait_timeout(Duration::from_secs(if node.is_some() { 120 } else { 60 }));
        let discord = Discord::start(config).await.unwrap();
        let contract = Contract::from_env();
        if let Some(contract) = &contract {
            discord.set_observer(contract.observer());
        }
        let cluster = Namespaces::install_for(node).await;
        let api = Proxy::start().await;
        let (s3, catalog) = storage().await;
        let folder = TempDir::new().unwrap();
        let token = cluster.token().await;
        let mut env = Self {
            kubelet: Kubelet::new(cluster.pods()),
            ana: discord.person("ana"),
            ben: discord.person("ben"),
            ada: discord.person("ada"),
            gil: discord.person("gil"),
            discord,
            cluster,
            api,
            s3,
            catalog,
            has_node: node.is_some(),
            bot: None,
            logs: String::new(),
            variables: HashMap::new(),
            program: program(),
            token,
            folder,
            contract,
        };
        env.variables = env.default_settings();
        env.variables
            .extend(settings.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        env
    }

    fn default_settings(&self) -> HashMap<String, String> {
        let discord = &self.discord;
        let pairs = [
            ("KUBECONFIG", self.kubeconfig()),
            (
                "DUCKBOT_DISCORD__TOKEN_FILE",
                self.file("token", &discord.token()),
            ),
            ("DUCKBOT_DISCORD__API_PROXY", discord.url()),
            ("DUCKBOT_DISCORD__GUILD", discord.guild_id().to_string()),
            (
                "DUCKBOT_DISCORD__ALLOWED_CHANNELS",
                discord.channel("data").to_string(),
            ),
            (
                "DUCKBOT_DISCORD__ALLOWED_ROLES",
                discord.role("analyst").to_string(),
            ),
            (
                "DUCKBOT_DISCORD__ADMIN_ROLES",
                discord.role("admin").to_string(),
            ),
            (
                "DUCKBOT_KUBERNETES__NAMESPACE",
                self.cluster.sessions.clone(),
            ),
            ("DUCKBOT_ROUTING__DOMAIN", "duck.example.com".into()),
            ("DUCKBOT_SESSIONS__IMAGE", "duckui:1".into()),
            ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1".into()),
            ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake".into()),
            ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", self.catalog.url()),
            ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", self.s3.url()),
            ("DUCKBOT_CATALOGS__LAKE__S3_PATH_STYLE", "true".into()),
            ("DUCKBOT_CATALOGS__LAKE__S3_BUCKET", "lake".into()),
            (
                "DUCKBOT_CATALOGS__POND__ENDPOINT",
                "http://pond:8181".into(),
            ),
            // It is looked at once, at some moment in the beginning.
            ("DUCKBOT_REAPER__LEFT_GUILD", "off".into()),
            // Whoever looks for a secret in the log should find it.
            ("DUCKBOT_LOG__FILTER", "trace".into()),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Leads through the proxy, as the service account of `deploy/`.
    fn kubeconfig(&self) -> String {
        self.kubeconfig_for(&format!("{{server: \"{}\"}}", self.api.url))
    }

    /// The bot's, for a cluster that is reached like that; its path is always the same.
    pub fn kubeconfig_for(&self, cluster: &str) -> String {
        let (token, home) = (&self.token, &self.cluster.bot);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             contexts: [{{name: test, context: {{cluster: test, user: bot, namespace: {home}}}}}]\n\
             clusters: [{{name: test, cluster: {cluster}}}]\n\
             users: [{{name: bot, user: {{token: {token}}}}}]\n"
        );
        self.file("kubeconfig", &text)
    }

    /// A file for the bot; its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts the bot and waits until it is connected.
    pub async fn start_bot(&mut self) {
        self.spawn_bot();
        let bot = self.bot.as_mut().expect("it was launched");
        let gave_up = tokio::select! {
            () = self.discord.wait_connected() => None,
            status = bot.wait(Duration::from_secs(60)) => status,
        };
        assert!(gave_up.is_none(), "the bot gives up:\n{}", self.log());
    }

    /// Starts the bot anew, with a file of settings.
    pub async fn restart_bot_with_config(&mut self, settings: &str) {
        self.kill_bot().await;
        let path = self.file("settings.toml", settings);
        self.variables.insert("DUCKBOT_CONFIG".into(), path);
        self.start_bot().await;
    }

    /// Starts the bot.
    pub fn spawn_bot(&mut self) {
        assert!(self.bot.is_none(), "one bot is enough");
        self.bot = Some(Bot::start_program(&self.program, &self.variables));
    }

    /// The bot's process.
    pub fn bot(&mut self) -> &mut Bot {
        self.bot.as_mut().expect("the bot runs")
    }

    /// Ends the bot as a crash does.
    pub async fn kill_bot(&mut self) {
        let mut bot = self.bot.take().expect("the bot runs");
        bot.kill().await;
        self.logs.push_str(&bot.log());
        self.discord.wait_disconnected().await;
    }

    /// What all bots of this team have logged.
    pub fn log(&self) -> String {
        let current = self.bot.as_ref().map(Bot::log).unwrap_or_default();
        format!("{}{current}", self.logs)
    }

    /// Waits until the bot has logged that.
    pub async fn wait_for_log(&self, text: &str) {
        let bot = self.bot.as_ref().expect("the bot runs");
        let mut log = bot.subscribe_log();
        log.wait_for(|log| log.contains(text)).await.unwrap();
    }

    /// Somebody types `/duck start …` and sees that it begins; the session's id.
    pub async fn start_session(&self, person: &Person, options: &str) -> (Interaction, String) {
        let line = format!("/duck start {options}");
        let asked = person.run_command("#data", line.trim()).await.unwrap();
        let reply = asked.reply().await;
        let id = session_id_in(&reply.content);
        (asked, id)
    }

    /// Writes the record of a session that was asked for then, as a bot would; the reconciler
    /// makes the rest.
    pub async fn create_record(&self, id: &str, owner: u64, slot: u8, created: &str) {
        let channel = self.discord.channel("data").to_string();
        self.create_record_in(Some(&channel), id, owner, slot, created)
            .await;
    }

    /// The same; told of in that channel, or nowhere.
    pub async fn create_record_in(
        &self,
        channel: Option<&str>,
        id: &str,
        owner: u64,
        slot: u8,
        created: &str,
    ) {
        let owner = owner.to_string();
        let document = json!({
            "version": RECORD_VERSION, "id": id, "request": id, "owner": owner, "slot": slot,
            "display_name": "somebody", "size": "small", "catalog": "lake",
            "channel": channel, "created": created, "credentials": "owner", "credentials_expire": null,
            "credentials_warned": false, "restarts_told": 0, "extended_seconds": 0, "stage": "starting",
        });
        let map = json!({
            "metadata": {
                "name": format!("duckui-{owner}-{slot}"),
                "labels": {
                    "app.kubernetes.io/name": "duckui", "app.kubernetes.io/managed-by": "duckbot",
                    "duckbot.dev/session": id, "duckbot.dev/owner": owner,
                },
            },
            "data": { "record.json": document.to_string() },
        });
        let map = serde_json::from_value(map).unwrap();
        let params = PostParams::default();
        self.cluster.records().create(&params, &map).await.unwrap();
    }

    /// Waits until the Pod of a session is ready.
    pub async fn wait_until_ready(&self, session: &str) {
        let is_ready = |pod: Option<&Pod>| {
            let status = pod.and_then(|pod| pod.status.as_ref());
            let mut conditions = status
                .into_iter()
                .flat_map(|it| it.conditions.iter().flatten());
            conditions.any(|it| it.type_ == "Ready" && it.status == "True")
        };
        let name = format!("duckui-{session}");
        let ready = await_condition(self.cluster.pods(), &name, is_ready);
        let ready = tokio::time::timeout(Duration::from_secs(60), ready).await;
        ready.expect("the Pod gets ready").unwrap();
    }

    /// An admin deletes the Pod of a session, and it is gone.
    pub async fn delete_pod(&self, session: &str) {
        let (pods, name) = (self.cluster.pods(), format!("duckui-{session}"));
        pods.delete(&name, &DeleteParams::default()).await.unwrap();
        let gone = await_condition(pods, &name, |pod: Option<&Pod>| pod.is_none());
        gone.await.unwrap();
    }

    /// Gives somebody keys and a session that is ready; its id.
    pub async fn ready_session(&self, person: &Person) -> String {
        if self.stored_credentials(person).await.is_none() {
            self.cluster.store_credentials(person.id()).await;
        }
        let (asked, id) = self.start_session(person, "").await;
        if !self.has_node {
            self.kubelet.mark_ready(&id).await;
        }
        asked
            .until(|reply| reply.content.contains("is ready"))
            .await;
        let announced = person.read("#data").await;
        assert!(announced.content.contains(&id), "{}", announced.content);
        id
    }

    /// Waits until the keys, the catalog and an admin's SQL were tried in a session on the node.
    pub async fn wait_until_prepared(&self, session: &str) {
        let (pods, name) = (self.cluster.pods(), format!("duckui-{session}"));
        let follow = LogParams {
            container: Some("duckdb".into()),
            follow: true,
            ..LogParams::default()
        };
        let mut lines = pods.log_stream(&name, &follow).await.unwrap().lines();
        let mut is_prepared = false;
        while !is_prepared {
            let line = lines.try_next().await.unwrap().expect("it goes on");
            is_prepared = line.contains("the session is prepared");
        }
    }

    /// Somebody opens their session on the node, as a browser does; DuckDB's UI.
    pub async fn open_ui(&self, person: &Person, session: &str) -> UiClient {
        let line = format!("/duck open session:{session}");
        let reply = self.reply_to(person, &line).await;
        let link = link_of(&reply, "Open DuckDB");
        let name = format!("duckui-{session}");
        let pod = self.cluster.pods().get(&name).await.unwrap();
        let door = format!("http://{}:8080", pod.status.unwrap().pod_ip.unwrap());
        UiClient::enter(&link, &door).await
    }

    /// Ana stops what she has, if anything, and what was said meanwhile counts as read.
    pub async fn clean_up(&self) {
        self.stop_session(&self.ana).await;
        self.assert_nothing_left().await;
        self.mark_all_read().await;
    }

    /// Somebody stops what they have, if anything.
    pub async fn stop_session(&self, person: &Person) {
        let question = self.reply_to(person, "/duck stop").await;
        if question.button("Stop it").is_some() {
            self.confirm_stop(person, &question).await;
        }
    }

    /// What was said so far counts as read.
    pub async fn mark_all_read(&self) {
        for message in self.discord.unread() {
            self.discord.wait_edited(message.id, |_| true).await;
        }
    }

    /// Somebody's Secret, if there is one.
    pub async fn stored_credentials(&self, person: &Person) -> Option<Secret> {
        let name = format!("duckbot-s3-{}", person.id());
        self.cluster.secrets().get_opt(&name).await.unwrap()
    }

    /// Makes somebody's keys newer than all their sessions.
    pub async fn renew_credentials(&self, person: &Person) {
        self.annotate_credentials(person, "stored-at", chrono::Utc::now())
            .await;
    }

    /// Changes a time that is kept beside somebody's keys.
    pub async fn annotate_credentials(&self, person: &Person, name: &str, at: DateTime<Utc>) {
        let annotation = format!("duckbot.dev/{name}");
        let patch = json!({ "metadata": { "annotations": { annotation: at.to_rfc3339() } } });
        let name = format!("duckbot-s3-{}", person.id());
        let patch = Patch::Merge(&patch);
        self.cluster
            .secrets()
            .patch(&name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Waits until somebody's first session is gone, and nothing of any is left.
    pub async fn wait_until_nothing_left(&self, person: &Person) {
        self.cluster
            .wait_until_gone(&self.record_name(person, 0))
            .await;
        self.assert_nothing_left().await;
    }

    /// Ana reads that somebody deleted her session on the cluster.
    pub async fn expect_deletion_notice(&self) {
        let told = self.ana.read("#data").await;
        assert_says(&told, "somebody deleted it");
    }

    /// There is no object of any session.
    pub async fn assert_nothing_left(&self) {
        assert_eq!(self.cluster.objects().await, [""; 0]);
    }

    /// The name of somebody's record in a place.
    pub fn record_name(&self, person: &Person, slot: u8) -> String {
        format!("duckui-{}-{slot}", person.id())
    }

    /// The objects of one ready session, sorted.
    pub fn session_objects(&self, person: &Person, slot: u8, id: &str) -> Vec<String> {
        vec![
            format!("configmaps/{}", self.record_name(person, slot)),
            format!("ingressroutes/duckui-{id}"),
            format!("pods/duckui-{id}"),
            format!("services/duckui-{id}"),
        ]
    }

    /// Somebody types a command in `#data`; the first answer to it.
    pub async fn reply_to(&self, person: &Person, line: &str) -> MessageView {
        person
            .run_command("#data", line)
            .await
            .unwrap()
            .reply()
            .await
    }

    /// Asks for the form in private; the direct message with its button.
    pub async fn request_invitation(&self, person: &Person) -> MessageView {
        self.reply_to(person, "/duck setup").await;
        person.read_dm().await
    }

    /// Presses a button that opens the form.
    pub async fn open_form(
        &self,
        person: &Person,
        message: &MessageView,
        label: &str,
    ) -> ModalView {
        person.press(message, label).await.unwrap().modal().await
    }

    /// Has somebody's keys forgotten, as a person does.
    pub async fn forget_credentials(&self, person: &Person) {
        let question = self.reply_to(person, "/duck forget").await;
        let pressed = person.press(&question, "Forget it").await.unwrap();
        pressed.until(|it| it.content.contains("orgotten")).await;
    }

    /// Says yes to the question before a stop, and sees it done; the last reply.
    pub async fn confirm_stop(&self, person: &Person, question: &MessageView) -> MessageView {
        let pressed = person.press(question, "Stop it").await.unwrap();
        pressed
            .until(|reply| reply.content.contains("is stopped"))
            .await
    }

    /// Opens the form from a message and hands these values in; the reply.
    pub async fn fill_form(
        &self,
        person: &Person,
        message: &MessageView,
        values: &[(&str, &str)],
    ) -> MessageView {
        let label = message
            .components
            .iter()
            .flatten()
            .next()
            .expect("a button")
            .label
            .clone();
        let form = self.open_form(person, message, &label).await;
        person.submit(&form, values).await.unwrap().reply().await
    }

    /// Hands in [`CREDENTIALS`] as a person does; the last reply.
    pub async fn enter_credentials(&self, person: &Person) -> MessageView {
        let invitation = self.request_invitation(person).await;
        self.fill_form(person, &invitation, &CREDENTIALS).await
    }
}

impl Drop for TestEnv {
    /// What must hold in every test.
    fn drop(&mut self) {
        let log = self.log();
        if self.has_node {
            // Or it would start them again.
            drop(self.bot.take());
            self.cluster.delete_pods();
        }
        if std::thread::panicking() {
            eprintln!("--- the chat\n{}", self.discord.transcript());
            let ours = |line: &&str| line.contains("duckbot") || !line.starts_with("20");
            let lines: Vec<_> = log.lines().filter(ours).collect();
            let tail = lines.len().saturating_sub(60);
            eprintln!("--- the bot\n{}", lines[tail..].join("\n"));
            return;
        }
        let violations = self.contract.as_ref().map(|contract| contract.violations());
        assert_eq!(
            violations.unwrap_or_default(),
            Vec::<String>::new(),
            "Discord's description"
        );
        assert_eq!(
            self.discord.unknown_routes(),
            [],
            "routes that the loopback does not serve"
        );
        let unread = self.discord.unread();
        assert!(
            unread.is_empty(),
            "nobody read {unread:#?}\n{}",
            self.discord.transcript()
        );
        assert!(!log.contains("panicked"), "{log}");
        for secret in [self.discord.token(), self.token.clone()] {
            assert!(!log.contains(&secret), "a token is in the log");
        }
        let everything = self.discord.traffic();
        assert!(
            leaked_credentials(&log).is_empty(),
            "in the log: {:?}",
            leaked_credentials(&log)
        );
        assert!(
            leaked_credentials(&everything).is_empty(),
            "to Discord: {:?}",
            leaked_credentials(&everything)
        );
    }
}

/// The names of the tests' keys that a text holds, in whatever form they leak.
pub fn leaked_credentials(text: &str) -> Vec<String> {
    let all = CREDENTIALS.into_iter().chain(PERMANENT_CREDENTIALS);
    let leaked = all.filter(|(_, value)| encodings(value).iter().any(|it| text.contains(it)));
    leaked.map(|(name, _)| name.to_owned()).collect()
}

/// A value as it is, in base64 (a Secret's JSON), as bytes (a Debug print), in a URL.
fn encodings(value: &str) -> [String; 4] {
    let bytes = ByteString(value.as_bytes().to_vec());
    let base64 = serde_json::to_value(&bytes)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    let listed = format!("{:?}", bytes.0);
    let url = reqwest::Url::parse_with_params("http://x/", [("v", value)]).unwrap();
    let encoded = url.query().unwrap()[2..].to_owned();
    [value.to_owned(), base64, listed, encoded]
}

/// A storage that knows the keys of the tests, and a catalog that takes their token.
async fn storage() -> (S3, Catalog) {
    let s3 = S3::start().await;
    s3.add_bucket("lake");
    let in_a_day = chrono::Utc::now() + chrono::TimeDelta::days(1);
    s3.add_temporary_key(
        CREDENTIALS[0].1,
        CREDENTIALS[1].1,
        CREDENTIALS[2].1,
        in_a_day,
    );
    s3.add_key(PERMANENT_CREDENTIALS[0].1, PERMANENT_CREDENTIALS[1].1);
    let catalog = Catalog::start().await;
    catalog.accept_everyone();
    (s3, catalog)
}

/// Those words are in the message.
#[track_caller]
pub fn assert_says(message: &MessageView, words: &str) {
    assert!(message.content.contains(words), "{}", message.content);
}

/// The session that a text speaks of.
pub fn session_id_in(text: &str) -> String {
    let is_id = |word: &&str| word.len() == 6 && word.chars().all(|c| c.is_ascii_hexdigit());
    let found = text.split('`').find(is_id);
    found
        .unwrap_or_else(|| panic!("no session in {text:?}"))
        .to_owned()
}
