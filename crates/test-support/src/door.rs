//! The door of one session, as a process, and its clients and servers.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Response};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Child,
    sync::Notify,
    task::JoinHandle,
};

use crate::{bot::command, ui_client::UiClient, wait::WAIT_TIMEOUT};

/// Host of the session's URL.
pub const HOST: &str = "duckui-977a26.duck.example.com";
pub const ORIGIN: &str = "https://duckui-977a26.duck.example.com";
/// Path at which a browser presents its ticket.
const ENTER_PATH: &str = "/.duckbot/enter";

/// Activity that a door reports at its admin port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Activity {
    pub queries: u32,
    pub queued: u32,
    pub last_query: Option<DateTime<Utc>>,
    pub tabs: u32,
    pub requests: RequestCounts,
}

/// Numbers of requests, by outcome.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RequestCounts {
    pub done: u64,
    pub refused: u64,
    pub failed: u64,
}

/// Key that signs tickets, as the bot has one. Written without the bot's code, so that both must
/// agree with the format in `door::ticket`.
struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    const ID: &str = "k1";

    fn generate() -> Self {
        let stored = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8_maybe_unchecked(stored.as_ref()).unwrap())
    }

    /// Public key in the form that the door reads.
    fn public(&self) -> String {
        let key = URL_SAFE_NO_PAD.encode(self.0.public_key());
        format!("{}:{key}", Self::ID)
    }

    fn ticket(&self, session: &str, issued: DateTime<Utc>) -> String {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let payload = json!({ "session": session, "issued": issued, "nonce": nonce });
        let signed = format!(
            "{}.{}",
            Self::ID,
            URL_SAFE_NO_PAD.encode(payload.to_string())
        );
        let signature = self.0.sign(format!("duckbot ticket 1.{signed}").as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Running door. The process is killed on drop.
pub struct Door {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    duckdb: u16,
    key: Arc<SigningKey>,
    client: Client,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Door {
    /// Starts a door in front of the DuckDB UI at port `duckdb`.
    pub async fn start(duckdb: u16) -> Self {
        Self::start_with(duckdb, &[]).await
    }

    /// Starts a door with further variables.
    pub async fn start_with(duckdb: u16, variables: &[(&str, &str)]) -> Self {
        Self::start_with_key(Arc::new(SigningKey::generate()), duckdb, variables).await
    }

    /// Starts another door for the same session, with the same key.
    pub async fn restart(&self, duckdb: u16) -> Self {
        self.restart_with(duckdb, &[]).await
    }

    /// Starts another door for the same session with further variables.
    pub async fn restart_with(&self, duckdb: u16, variables: &[(&str, &str)]) -> Self {
        Self::start_with_key(self.key.clone(), duckdb, variables).await
    }

    async fn start_with_key(key: Arc<SigningKey>, duckdb: u16, more: &[(&str, &str)]) -> Self {
        let variables = [
            ("SESSION_ID", "977a26".to_owned()),
            ("DOOR_ORIGIN", ORIGIN.to_owned()),
            ("DOOR_KEY", key.public()),
            ("DOOR_OWNER", "Ana".to_owned()),
        ];
        let more = more.iter().map(|(name, it)| (*name, (*it).to_owned()));
        let variables = variables.into_iter().chain(more);
        let variables: HashMap<_, _> = variables.map(|(name, it)| (name.to_owned(), it)).collect();
        let port = duckdb.to_string();
        let here = "127.0.0.1:0";
        let arguments = ["door", "--listen", here, "--admin", here, "--duckdb", &port];
        let mut child = command(&arguments, &variables).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = async || {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the door logs its address");
            // The line may be JSON.
            let address = line.rsplit(" on ").next().unwrap().split('"').next();
            address.unwrap().parse().expect(&line)
        };
        let (listens, admin) = (address().await, address().await);
        let log = Arc::<Mutex<String>>::default();
        let written = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                *written.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self {
            address: listens,
            admin,
            duckdb,
            key,
            client: Client::builder().no_proxy().build().unwrap(),
            child,
            log,
        }
    }

    /// Port of the DuckDB UI behind the door.
    pub fn duckdb(&self) -> u16 {
        self.duckdb
    }

    /// Log so far, without the lines about the addresses.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Creates a ticket as the bot would, issued at this time.
    pub fn ticket(&self, session: &str, issued: DateTime<Utc>) -> String {
        self.key.ticket(session, issued)
    }

    /// GET request for a page of the session.
    pub fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).header("host", HOST)
    }

    /// POST request from the session's own page.
    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.post(url).header("host", HOST);
        request.header("origin", ORIGIN).body(body)
    }

    /// Presents a ticket as a browser would.
    pub async fn present_ticket(&self, ticket: &str) -> Response {
        self.post(ENTER_PATH, ticket.to_owned())
            .send()
            .await
            .unwrap()
    }

    /// Exchanges a valid ticket, and returns the cookie.
    pub async fn admit(&self) -> String {
        let answer = self
            .present_ticket(&self.ticket("977a26", Utc::now()))
            .await;
        assert_eq!(answer.status(), 204);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// Client of DuckDB's UI that sends this cookie.
    pub fn ui(&self, cookie: &str) -> UiClient {
        let headers = [("host", HOST), ("origin", ORIGIN), ("cookie", cookie)];
        let headers = headers.map(|(name, value)| (name, value.to_owned()));
        UiClient::through(format!("http://{}", self.address), headers.into())
    }

    /// Activity that the door reports to the bot.
    pub async fn activity(&self) -> Activity {
        let url = format!("http://{}/activity", self.admin);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Waits until the reported activity satisfies `wanted`.
    pub async fn wait_for_activity(&self, wanted: impl Fn(&Activity) -> bool) {
        let told = async { while !wanted(&self.activity().await) {} };
        let told = tokio::time::timeout(WAIT_TIMEOUT, told).await;
        assert!(told.is_ok(), "{:?}", self.activity().await);
    }

    /// Resident memory in KiB.
    pub fn memory(&self) -> u64 {
        let id = self.child.id().expect("the process is running");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Status code of the health endpoint, which the kubelet reads.
    pub async fn health(&self) -> u16 {
        self.admin_status("/healthz").await
    }

    /// Status code of the readiness endpoint, which the bot reads.
    pub async fn readiness(&self) -> u16 {
        self.admin_status("/ready").await
    }

    async fn admin_status(&self, path: &str) -> u16 {
        let url = format!("http://{}{path}", self.admin);
        self.client.get(url).send().await.unwrap().status().as_u16()
    }

    /// Sends exactly these bytes. Returns the response up to the end of the connection.
    pub async fn send_raw(&self, bytes: &str) -> String {
        Self::send_raw_to(self.address, bytes).await
    }

    /// Same as [`Self::send_raw`], at the admin port.
    pub async fn send_raw_to_admin(&self, bytes: &str) -> String {
        Self::send_raw_to(self.admin, bytes).await
    }

    async fn send_raw_to(address: SocketAddr, bytes: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(WAIT_TIMEOUT, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the door did not close the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Server in place of DuckDB that records the received bytes.
pub struct RawServer {
    pub port: u16,
    received: Arc<Mutex<String>>,
    hung_up: Arc<Notify>,
    task: JoinHandle<()>,
}

impl RawServer {
    /// Listens on `address`. Sends `answer` on each connection once the request head has arrived.
    pub async fn start(address: &str, answer: &'static str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(String::new()));
        let hung_up = Arc::new(Notify::new());
        let (all, gone) = (received.clone(), hung_up.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (all, gone) = (all.clone(), gone.clone());
                tokio::spawn(async move {
                    serve(stream, answer, all).await;
                    gone.notify_one();
                });
            }
        });
        Self {
            port,
            received,
            hung_up,
            task,
        }
    }

    /// Waits until a client closes its connection.
    pub async fn wait_for_hangup(&self) {
        let left = tokio::time::timeout(WAIT_TIMEOUT, self.hung_up.notified()).await;
        assert!(left.is_ok(), "the connection stayed open");
    }

    /// Returns the bytes received so far.
    pub fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: &'static str, received: Arc<Mutex<String>>) {
    let mut is_answered = false;
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        received.lock().unwrap().push_str(&text);
        // Echo after a protocol switch.
        if is_answered && answer.starts_with("HTTP/1.1 101") {
            stream.write_all(&buffer[..count]).await.unwrap();
        }
        if !is_answered && received.lock().unwrap().contains("\r\n\r\n") {
            stream.write_all(answer.as_bytes()).await.unwrap();
            is_answered = true;
        }
    }
}
