//! Environment of most tests: a team, its bot and its cluster.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use discord_loopback::{Discord, DiscordConfig, Interaction, MessageView, ModalView, Person};
use futures_util::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::{
    api::{DeleteParams, LogParams, Patch, PatchParams, PostParams},
    runtime::wait::await_condition,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    bot::{Bot, program},
    browser::link_of,
    catalog::Catalog,
    cluster::Namespaces,
    contract::Contract,
    credentials::{CREDENTIALS, PERMANENT_CREDENTIALS},
    end_check::EndCheck,
    fake_clock,
    kubelet::Kubelet,
    node::Node,
    proxy::Proxy,
    s3::S3,
    standby::Standby,
    ui_client::UiClient,
    wait::{ACK_TIMEOUT, WAIT_TIMEOUT},
};

/// Version of the records that [`TestEnv::create_record`] writes. The harness does not know the
/// bot's code, so a test compares it.
pub const RECORD_VERSION: u32 = 8;

/// Settings for real sessions on a node, small enough that many fit at a time.
const ON_A_NODE: [(&str, &str); 10] = [
    ("DUCKBOT_SESSIONS__IMAGE", "duckbot.test/duckui:works"),
    ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot.test/duckbot:test"),
    ("DUCKBOT_SIZES__SMALL__CPU", "50m"),
    ("DUCKBOT_SIZES__SMALL__MEMORY", "256Mi"),
    ("DUCKBOT_SIZES__SMALL__REQUESTS__DISK", "1Gi"),
    ("DUCKBOT_SIZES__LARGE__CPU", "100m"),
    ("DUCKBOT_SIZES__LARGE__MEMORY", "512Mi"),
    ("DUCKBOT_SIZES__LARGE__REQUESTS__DISK", "1Gi"),
    ("DUCKBOT_SQL__RUNNER_CPU", "50m"),
    ("DUCKBOT_SQL__RUNNER_REQUESTS__DISK", "1Gi"),
];

/// Name of the workspace of a session without a named one.
fn unnamed_workspace(number: u8) -> String {
    match number {
        0 => "main".to_owned(),
        _ => format!("main-{}", u16::from(number) + 1),
    }
}

/// Guild with the channels `#data` (the bot may be used) and `#random` (it may not). Members: Ana
/// and Ben (analysts), Ada (admin) and Gil (no role). Max is not a member.
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
    /// True if sessions run on a node. Without a node, the test writes the status of their Pods.
    has_node: bool,
    bot: Option<Bot>,
    /// See [`Self::start_standby`].
    standby: Option<Standby>,
    /// Logs of bots that have ended.
    logs: String,
    pub variables: HashMap<String, String>,
    /// Path of the bot's program.
    pub program: PathBuf,
    token: String,
    folder: TempDir,
    contract: Option<Arc<Contract>>,
    end_check: EndCheck,
}

impl TestEnv {
    /// Starts an environment with the default settings, and waits until the bot is connected.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Same as [`Self::start`], with these settings added.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut env = Self::without_bot(settings).await;
        env.start_bot().await;
        env
    }

    /// Starts an environment whose sessions run on the shared node. Returns `None` if this machine
    /// cannot run nodes.
    pub async fn start_on_node(settings: &[(&str, &str)]) -> Option<Self> {
        Some(Self::start_on(Node::shared()?, settings).await)
    }

    /// Starts an environment whose sessions run on `node`.
    pub async fn start_on(node: &Node, settings: &[(&str, &str)]) -> Self {
        let mut all = ON_A_NODE.to_vec();
        all.extend(settings);
        let mut env = Self::without_bot_on(&node.name, &all).await;
        env.start_bot().await;
        env
    }

    /// Prepares an environment for the node with this name, without starting the bot.
    pub async fn without_bot_on(node: &str, settings: &[(&str, &str)]) -> Self {
        Self::create(Some(node), Ipv4Addr::LOCALHOST.into(), settings).await
    }

    /// Prepares an environment for the node with this name, whose Pods reach Discord at `address`. It starts
    /// no bot.
    pub async fn without_bot_for_pods(
        node: &str,
        address: IpAddr,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut all = ON_A_NODE.to_vec();
        all.extend(settings);
        Self::create(Some(node), address, &all).await
    }

    /// Prepares an environment without starting the bot.
    pub async fn without_bot(settings: &[(&str, &str)]) -> Self {
        Self::create(None, Ipv4Addr::LOCALHOST.into(), settings).await
    }

    async fn create(node: Option<&str>, listen: IpAddr, settings: &[(&str, &str)]) -> Self {
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
            .listen(SocketAddr::new(listen, 0))
            .first_response_timeout(ACK_TIMEOUT)
            // Real nodes and their failures need more time.
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
            standby: None,
            logs: String::new(),
            variables: HashMap::new(),
            program: program(),
            token,
            folder,
            contract,
            end_check: EndCheck::default(),
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
            // The bot checks memberships once, at an unpredictable moment after the start.
            ("DUCKBOT_REAPER__LEFT_GUILD", "off".into()),
            // Log everything, so that the checks for secrets in the log see everything.
            ("DUCKBOT_LOG__FILTER", "trace".into()),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Writes a kubeconfig for the service account of `deploy/`, through the proxy. Returns its
    /// path.
    fn kubeconfig(&self) -> String {
        self.kubeconfig_for(&format!("{{server: \"{}\"}}", self.api.url))
    }

    /// Writes the bot's kubeconfig with this `cluster` entry. Returns its path, which is always the
    /// same.
    pub fn kubeconfig_for(&self, cluster: &str) -> String {
        self.kubeconfig_in("kubeconfig", cluster)
    }

    /// Same as [`Self::kubeconfig_for`], in the file with this name.
    fn kubeconfig_in(&self, file: &str, cluster: &str) -> String {
        let (token, home) = (&self.token, &self.cluster.bot);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             contexts: [{{name: test, context: {{cluster: test, user: bot, namespace: {home}}}}}]\n\
             clusters: [{{name: test, cluster: {cluster}}}]\n\
             users: [{{name: bot, user: {{token: {token}}}}}]\n"
        );
        self.file(file, &text)
    }

    /// Writes a file for the bot, and returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Gives the bot, which is not started yet, a clock that [`Self::set_clock`] moves. Timers stay
    /// real.
    pub fn fake_clock(&mut self) {
        fake_clock::enable(self.folder.path(), &mut self.variables);
    }

    /// Sets the bot's clock to this much after the real time. See [`Self::fake_clock`].
    pub fn set_clock(&self, ahead: TimeDelta) {
        fake_clock::set(self.folder.path(), ahead);
    }

    /// Starts the bot and waits until it is connected.
    pub async fn start_bot(&mut self) {
        self.spawn_bot();
        let bot = self.bot.as_mut().expect("the bot was just started");
        let gave_up = tokio::select! {
            () = self.discord.wait_connected() => None,
            status = bot.wait(Duration::from_secs(60)) => status,
        };
        assert!(
            gave_up.is_none(),
            "the bot exited at start-up:\n{}",
            self.log()
        );
    }

    /// Restarts the bot with a settings file.
    pub async fn restart_bot_with_config(&mut self, settings: &str) {
        self.kill_bot().await;
        let path = self.file("settings.toml", settings);
        self.variables.insert("DUCKBOT_CONFIG".into(), path);
        self.start_bot().await;
    }

    /// Starts the bot without waiting until it is connected.
    pub fn spawn_bot(&mut self) {
        assert!(self.bot.is_none(), "the bot is already running");
        self.bot = Some(Bot::start_program(&self.program, &self.variables));
    }

    /// Process of the running bot.
    pub fn bot(&mut self) -> &mut Bot {
        self.bot.as_mut().expect("the bot is running")
    }

    /// Kills the bot, as in a crash, and waits until it is disconnected.
    pub async fn kill_bot(&mut self) {
        let mut bot = self.bot.take().expect("the bot is running");
        self.logs.push_str(&bot.end().await);
        self.discord.wait_disconnected().await;
    }

    /// Ends the bot with SIGTERM, as a cluster would. Returns its exit code.
    pub async fn terminate_bot(&mut self) -> Option<i32> {
        let mut bot = self.bot.take().expect("the bot is running");
        let status = bot.terminate(WAIT_TIMEOUT).await;
        self.logs.push_str(&bot.log());
        status.expect("the bot ended in time").code()
    }

    /// Lets the bots elect one of them by the Lease of `deploy/`. No bot may be started yet.
    pub fn use_lease(&mut self) {
        let name = "DUCKBOT_KUBERNETES__LEASE".into();
        self.variables.insert(name, "duckbot".into());
    }

    /// Starts a second bot with the same settings, and waits until it stands by.
    pub async fn start_standby(&mut self) {
        assert!(self.standby.is_none(), "a bot already stands by");
        let api = Proxy::start().await;
        let cluster = format!("{{server: \"{}\"}}", api.url);
        let kubeconfig = self.kubeconfig_in("kubeconfig-of-standby", &cluster);
        let mut variables = self.variables.clone();
        variables.insert("KUBECONFIG".into(), kubeconfig);
        self.standby = Some(Standby::start(&self.program, &variables, api).await);
    }

    /// Process of the bot that stands by, and its proxy to the API server.
    pub fn standby(&mut self) -> (&mut Bot, &Proxy) {
        let standby = self.standby.as_mut().expect("a bot stands by");
        (&mut standby.bot, &standby.api)
    }

    /// Exchanges the bot and the one that stands by. The other one must be connected soon.
    pub async fn swap_bots(&mut self) {
        let Standby { bot, api } = self.standby.take().expect("a bot stands by");
        let api = std::mem::replace(&mut self.api, api);
        if let Some(bot) = self.bot.replace(bot) {
            self.standby = Some(Standby { bot, api });
        }
        self.wait_for_log("this bot holds the Lease").await;
        self.discord.wait_connected().await;
    }

    /// Log of all bots of this environment so far.
    pub fn log(&self) -> String {
        let standby = self.standby.as_ref().map(|it| &it.bot);
        let running = self.bot.iter().chain(standby).map(Bot::log);
        running.fold(self.logs.clone(), |all, log| all + &log)
    }

    /// Waits until the running bot has logged `text`.
    pub async fn wait_for_log(&self, text: &str) {
        let bot = self.bot.as_ref().expect("the bot is running");
        let mut log = bot.subscribe_log();
        log.wait_for(|log| log.contains(text)).await.unwrap();
    }

    /// Runs `/duck start` with `options`. Returns the interaction and the ID of the session that
    /// starts.
    pub async fn start_session(&self, person: &Person, options: &str) -> (Interaction, String) {
        let line = format!("/duck start {options}");
        let asked = person.run_command("#data", line.trim()).await.unwrap();
        let reply = asked.reply().await;
        let id = session_id_in(&reply.content);
        (asked, id)
    }

    /// Writes the record of a starting session, as the bot would. The reconciler creates the rest.
    /// `number` is that of an unnamed workspace, from 0.
    pub async fn create_record(&self, id: &str, owner: u64, number: u8, created: &str) {
        let channel = self.discord.channel("data").to_string();
        self.create_record_in(Some(&channel), id, owner, number, created)
            .await;
    }

    /// Same as [`Self::create_record`], with this announcement channel or none.
    pub async fn create_record_in(
        &self,
        channel: Option<&str>,
        id: &str,
        owner: u64,
        number: u8,
        created: &str,
    ) {
        let map = self.record_in(channel, id, owner, number, created);
        let params = PostParams::default();
        self.cluster.records().create(&params, &map).await.unwrap();
    }

    /// Record that [`Self::create_record_in`] creates.
    pub fn record_in(
        &self,
        channel: Option<&str>,
        id: &str,
        owner: u64,
        number: u8,
        created: &str,
    ) -> ConfigMap {
        let workspace = unnamed_workspace(number);
        let owner = owner.to_string();
        let document = json!({
            "version": RECORD_VERSION, "kind": "session", "id": id, "request": id, "owner": owner, "workspace": workspace,
            "display_name": "somebody", "size": "small", "catalog": "lake",
            "channel": channel, "created": created, "credentials": "owner", "credentials_expire": null,
            "credentials_warned": false, "restarts_told": 0, "extended_seconds": 0, "stage": "starting",
        });
        let map = json!({
            "metadata": {
                "name": format!("duckui-{owner}-{workspace}"),
                "labels": {
                    "app.kubernetes.io/name": "duckui", "app.kubernetes.io/managed-by": "duckbot",
                    "duckbot.dev/session": id, "duckbot.dev/owner": owner,
                },
            },
            "data": { "record.json": document.to_string() },
        });
        serde_json::from_value(map).unwrap()
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
        ready.expect("the Pod became ready in time").unwrap();
    }

    /// Deletes the Pod of a session as an admin would, and waits until it is gone.
    pub async fn delete_pod(&self, session: &str) {
        let (pods, name) = (self.cluster.pods(), format!("duckui-{session}"));
        pods.delete(&name, &DeleteParams::default()).await.unwrap();
        let gone = await_condition(pods, &name, |pod: Option<&Pod>| pod.is_none());
        gone.await.unwrap();
    }

    /// Gives `person` credentials if they have none, and a session that is ready. Returns its ID.
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

    /// Waits until a session on the node has tried the credentials, the catalog and the admin's
    /// SQL.
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
            let line = lines
                .try_next()
                .await
                .unwrap()
                .expect("the log stream is still open");
            is_prepared = line.contains("the session is prepared");
        }
    }

    /// Opens the session of `person` on the node as a browser would. Returns a client of DuckDB's
    /// UI.
    pub async fn open_ui(&self, person: &Person, session: &str) -> UiClient {
        let line = format!("/duck open session:{session}");
        let reply = self.reply_to(person, &line).await;
        let link = link_of(&reply, "Open DuckDB");
        let name = format!("duckui-{session}");
        let pod = self.cluster.pods().get(&name).await.unwrap();
        let address = pod.status.unwrap().pod_ip.unwrap().parse().unwrap();
        let door = format!("http://{}", SocketAddr::new(address, 8080));
        UiClient::enter(&link, &door).await
    }

    /// Stops Ana's sessions, if any, and marks all messages as read.
    pub async fn clean_up(&self) {
        self.stop_session(&self.ana).await;
        self.assert_nothing_left().await;
        self.mark_all_read().await;
    }

    /// Stops the bot, and asserts the conditions that must hold at the end of every test: the test
    /// has read each message, all calls to Discord conform to its API description, and no secret is
    /// in a log or a message.
    pub async fn assert_clean(mut self) {
        let standby = self.standby.take().map(|it| it.bot);
        for mut bot in self.bot.take().into_iter().chain(standby) {
            self.logs.push_str(&bot.end().await);
        }
        let (log, token) = (self.log(), self.token.clone());
        self.end_check.assert_clean(&self.discord, &log, &[&token]);
        let violations = self.contract.as_ref().map(|contract| contract.violations());
        assert_eq!(
            violations.unwrap_or_default(),
            Vec::<String>::new(),
            "violations of Discord's API description"
        );
        let unread = self.discord.unread();
        assert!(
            unread.is_empty(),
            "messages that the test did not read: {unread:#?}"
        );
    }

    /// Lets a benchmark end without [`Self::assert_clean`].
    pub fn skip_end_check(&mut self) {
        self.end_check.skip();
    }

    /// Stops the session of `person`, if there is one.
    pub async fn stop_session(&self, person: &Person) {
        let question = self.reply_to(person, "/duck stop").await;
        if question.button("Stop it").is_some() {
            self.confirm_stop(person, &question).await;
        }
    }

    /// Marks all messages so far as read.
    pub async fn mark_all_read(&self) {
        for message in self.discord.unread() {
            self.discord.wait_edited(message.id, |_| true).await;
        }
    }

    /// Returns the Secret with the stored credentials of `person`, if any.
    pub async fn stored_credentials(&self, person: &Person) -> Option<Secret> {
        let name = format!("duckbot-s3-{}", person.id());
        self.cluster.secrets().get_opt(&name).await.unwrap()
    }

    /// Marks the credentials of `person` as stored now, so newer than all their sessions.
    pub async fn renew_credentials(&self, person: &Person) {
        self.annotate_credentials(person, "stored-at", chrono::Utc::now())
            .await;
    }

    /// Sets a time annotation on the Secret with the credentials of `person`.
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

    /// Waits until the record of `person` for `main` is gone, and checks that no object of any
    /// session is left.
    pub async fn wait_until_nothing_left(&self, person: &Person) {
        self.cluster
            .wait_until_gone(&self.record_name(person, 0))
            .await;
        self.assert_nothing_left().await;
    }

    /// Reads Ana's next message in `#data`, and checks that it says that somebody deleted her
    /// session.
    pub async fn expect_deletion_notice(&self) {
        let told = self.ana.read("#data").await;
        assert_says(&told, "it was deleted on the cluster");
    }

    /// Checks that no object of any session exists.
    pub async fn assert_nothing_left(&self) {
        assert_eq!(self.cluster.objects().await, [""; 0]);
    }

    /// Name of the record of `person` for the unnamed workspace with this number, from 0.
    pub fn record_name(&self, person: &Person, number: u8) -> String {
        format!("duckui-{}-{}", person.id(), unnamed_workspace(number))
    }

    /// Objects of one ready session in an unnamed workspace, sorted.
    pub fn session_objects(&self, person: &Person, number: u8, id: &str) -> Vec<String> {
        self.workspace_objects(person, &unnamed_workspace(number), id)
    }

    /// Objects of one ready session, sorted.
    pub fn workspace_objects(&self, person: &Person, workspace: &str, id: &str) -> Vec<String> {
        vec![
            format!("configmaps/duckui-{}-{workspace}", person.id()),
            format!("ingressroutes/duckui-{id}"),
            format!("pods/duckui-{id}"),
            format!("services/duckui-{id}"),
        ]
    }

    /// Runs a command in `#data`, and returns the first reply.
    pub async fn reply_to(&self, person: &Person, line: &str) -> MessageView {
        person
            .run_command("#data", line)
            .await
            .unwrap()
            .reply()
            .await
    }

    /// Runs `/duck setup`, and returns the direct message with the button.
    pub async fn request_invitation(&self, person: &Person) -> MessageView {
        self.reply_to(person, "/duck setup").await;
        person.read_dm().await
    }

    /// Presses a button that opens a form, and returns the form.
    pub async fn open_form(
        &self,
        person: &Person,
        message: &MessageView,
        label: &str,
    ) -> ModalView {
        person.press(message, label).await.unwrap().modal().await
    }

    /// Deletes the credentials of `person` with `/duck forget`.
    pub async fn forget_credentials(&self, person: &Person) {
        let question = self.reply_to(person, "/duck forget").await;
        let pressed = person.press(&question, "Delete").await.unwrap();
        pressed
            .until(|it| it.content.contains("were deleted"))
            .await;
    }

    /// Confirms a stop and waits until the session is stopped. Returns the last reply.
    pub async fn confirm_stop(&self, person: &Person, question: &MessageView) -> MessageView {
        let pressed = person.press(question, "Stop it").await.unwrap();
        pressed
            .until(|reply| reply.content.contains("is stopped"))
            .await
    }

    /// Opens the form with the first button of `message`, and submits `values`. Returns the reply.
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
            .expect("the message has a button")
            .label
            .clone();
        let form = self.open_form(person, message, &label).await;
        person.submit(&form, values).await.unwrap().reply().await
    }

    /// Enters [`CREDENTIALS`] through `/duck setup`. Returns the first reply to the submitted form.
    pub async fn enter_credentials(&self, person: &Person) -> MessageView {
        let invitation = self.request_invitation(person).await;
        self.fill_form(person, &invitation, &CREDENTIALS).await
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the chat\n{}", self.discord.transcript());
            let log = self.log();
            let ours = |line: &&str| line.contains("duckbot") || !line.starts_with("20");
            let lines: Vec<_> = log.lines().filter(ours).collect();
            let tail = lines.len().saturating_sub(60);
            eprintln!("--- the bot\n{}", lines[tail..].join("\n"));
        }
        if self.has_node {
            // Stop the bot first; it would start the sessions again.
            drop(self.bot.take());
            self.cluster.delete_pods();
        }
    }
}

/// Starts S3 that accepts the test credentials, and a catalog that accepts everyone.
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

/// Checks that a message contains `words`.
#[track_caller]
pub fn assert_says(message: &MessageView, words: &str) {
    assert!(message.content.contains(words), "{}", message.content);
}

/// Returns the session ID that a text contains in backticks.
pub fn session_id_in(text: &str) -> String {
    let is_id = |word: &&str| word.len() == 6 && word.chars().all(|c| c.is_ascii_hexdigit());
    let found = text.split('`').find(is_id);
    found
        .unwrap_or_else(|| panic!("no session ID in {text:?}"))
        .to_owned()
}
