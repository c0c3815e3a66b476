//! The door of one session, as a process, and who comes to it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use duckbot::door::{ENTER_PATH, activity::Activity, ticket::SigningKey};
use reqwest::{Client, RequestBuilder, Response};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Child,
    sync::Notify,
    task::JoinHandle,
};

use super::{UiClient, WAIT_TIMEOUT, command};

/// How its session is seen from outside.
pub const HOST: &str = "duckui-977a26.duck.example.com";
pub const ORIGIN: &str = "https://duckui-977a26.duck.example.com";

/// A door; it is killed when dropped.
pub struct Door {
    pub address: SocketAddr,
    admin: SocketAddr,
    key: Arc<SigningKey>,
    client: Client,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Door {
    /// Guards the DuckDB at that port.
    pub async fn start(duckdb: u16) -> Self {
        let key = SigningKey::read("k1", &SigningKey::generate()).unwrap();
        Self::start_with_key(Arc::new(key), duckdb).await
    }

    /// The same session's door, started again.
    pub async fn restart(&self, duckdb: u16) -> Self {
        Self::start_with_key(self.key.clone(), duckdb).await
    }

    async fn start_with_key(key: Arc<SigningKey>, duckdb: u16) -> Self {
        let variables = [
            ("SESSION_ID", "977a26".to_owned()),
            ("DOOR_ORIGIN", ORIGIN.to_owned()),
            ("DOOR_KEY", key.public()),
            ("DOOR_OWNER", "Ana".to_owned()),
        ];
        let variables: HashMap<_, _> = variables.map(|(name, it)| (name.to_owned(), it)).into();
        let port = duckdb.to_string();
        let here = "127.0.0.1:0";
        let arguments = ["door", "--listen", here, "--admin", here, "--duckdb", &port];
        let mut child = command(&arguments, &variables).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = async || {
            let line = lines.next_line().await.unwrap().expect("it says where");
            line.rsplit(' ').next().unwrap().parse().expect(&line)
        };
        let (listens, admin) = (address().await, address().await);
        let log = Arc::<Mutex<String>>::default();
        let written = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                *written.lock().unwrap() += &line;
            }
        });
        Self {
            address: listens,
            admin,
            key,
            client: Client::builder().no_proxy().build().unwrap(),
            child,
            log,
        }
    }

    /// What it has logged, but for where it listens.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A ticket from the bot, issued then.
    pub fn ticket(&self, session: &str, issued: DateTime<Utc>) -> String {
        self.key.ticket(session, issued)
    }

    /// Somebody reads a page of the session.
    pub fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).header("host", HOST)
    }

    /// The session's own page sends something.
    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.post(url).header("host", HOST);
        request.header("origin", ORIGIN).body(body)
    }

    /// A browser shows a ticket.
    pub async fn present_ticket(&self, ticket: &str) -> Response {
        self.post(ENTER_PATH, ticket.to_owned())
            .send()
            .await
            .unwrap()
    }

    /// Lets a browser in; its cookie.
    pub async fn admit(&self) -> String {
        let answer = self
            .present_ticket(&self.ticket("977a26", Utc::now()))
            .await;
        assert_eq!(answer.status(), 204);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// DuckDB's UI, as the browser with that cookie uses it.
    pub fn ui(&self, cookie: &str) -> UiClient {
        let headers = [("host", HOST), ("origin", ORIGIN), ("cookie", cookie)];
        let headers = headers.map(|(name, value)| (name, value.to_owned()));
        UiClient::through(format!("http://{}", self.address), headers.into())
    }

    /// What it tells the cluster.
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

    /// Waits until it tells that.
    pub async fn wait_for_activity(&self, wanted: impl Fn(&Activity) -> bool) {
        let told = async { while !wanted(&self.activity().await) {} };
        let told = tokio::time::timeout(WAIT_TIMEOUT, told).await;
        assert!(told.is_ok(), "{:?}", self.activity().await);
    }

    /// Its resident memory, in KiB.
    pub fn memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    /// What a kubelet is told.
    pub async fn readiness(&self) -> u16 {
        let url = format!("http://{}/ready", self.admin);
        self.client.get(url).send().await.unwrap().status().as_u16()
    }

    /// Sends these very bytes; all that comes back until it hangs up.
    pub async fn send_raw(&self, bytes: &str) -> String {
        Self::send_raw_to(self.address, bytes).await
    }

    /// The same at the port for the cluster.
    pub async fn send_raw_to_admin(&self, bytes: &str) -> String {
        Self::send_raw_to(self.admin, bytes).await
    }

    async fn send_raw_to(address: SocketAddr, bytes: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(WAIT_TIMEOUT, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "it does not hang up");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Somebody in DuckDB's place, who remembers what they hear.
pub struct RawServer {
    pub port: u16,
    received: Arc<Mutex<String>>,
    hung_up: Arc<Notify>,
    task: JoinHandle<()>,
}

impl RawServer {
    /// Listens at that address, and answers each connection with these bytes as soon
    /// as the head of a request is there.
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

    /// Waits until somebody who came hangs up.
    pub async fn wait_for_hangup(&self) {
        let left = tokio::time::timeout(WAIT_TIMEOUT, self.hung_up.notified()).await;
        assert!(left.is_ok(), "the connection is kept");
    }

    /// Everything so far.
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
        // After a switch of protocols: an echo.
        if is_answered && answer.starts_with("HTTP/1.1 101") {
            stream.write_all(&buffer[..count]).await.unwrap();
        }
        if !is_answered && received.lock().unwrap().contains("\r\n\r\n") {
            stream.write_all(answer.as_bytes()).await.unwrap();
            is_answered = true;
        }
    }
}
