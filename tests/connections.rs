//! Connections whose clients send no request, on each port: they keep nobody else out.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, RequestBuilder};
use test_support::{ApiEnv, Door, DuckDb, LocalEnv, TestEnv, UiClient, link_of, wait_until};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::local::{ready_session, reply_to};

/// More than any port serves at a time.
const MANY: usize = 300;
/// Time after which a client gives up. The kubelet has the bot restarted after a minute.
const PATIENCE: Duration = Duration::from_secs(30);

/// Open connections to a port. Every second one has sent the beginning of a request.
struct Flood(Vec<TcpStream>);

impl Flood {
    async fn open(address: SocketAddr) -> Self {
        let mut all = Vec::new();
        for number in 0..MANY {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if number % 2 == 0 {
                let head = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ";
                stream.write_all(head).await.unwrap();
            }
            all.push(stream);
        }
        Self(all)
    }

    /// Waits until the server has closed all connections, although their clients go on to send one
    /// byte after the other.
    async fn wait_until_closed(mut self) {
        let open = async || {
            let mut open = Vec::new();
            for mut stream in std::mem::take(&mut self.0) {
                let sent = stream.write_all(b"x").await;
                let received = stream.try_read(&mut [0; 64]);
                let is_open =
                    matches!(&received, Err(why) if why.kind() == std::io::ErrorKind::WouldBlock);
                if sent.is_ok() && is_open {
                    open.push(stream);
                }
            }
            self.0 = open;
            self.0.len()
        };
        wait_until(open, |open| *open == 0).await;
    }
}

fn client() -> Client {
    let client = Client::builder().no_proxy().timeout(PATIENCE);
    // Each request needs a connection of its own.
    client.pool_max_idle_per_host(0).build().unwrap()
}

async fn status(asked: RequestBuilder) -> u16 {
    let answer = asked.send().await.expect("an answer in time");
    answer.status().as_u16()
}

/// Address in the URL that the bot's log says after `says`.
fn address_in(log: &str, says: &str) -> SocketAddr {
    let url = log.split(says).last().unwrap().split_whitespace().next();
    url.unwrap().trim_start_matches("http://").parse().unwrap()
}

#[tokio::test]
async fn silent_connections_keep_neither_probes_nor_programs_out() {
    let env = TestEnv::without_bot(&[("DUCKBOT_ADMIN__LISTEN", "127.0.0.1:0")]).await;
    let mut api_env = ApiEnv::start_with_env(env).await;
    const SAYS: &str = "health and metrics are at ";
    api_env.env.bot().wait_for_log(SAYS).await;
    let admin = address_in(&api_env.env.log(), SAYS);
    let api = address_in(&api_env.env.log(), "the API is at ");
    let client = client();
    let health = || client.get(format!("http://{admin}/healthz"));
    let list = || {
        let asked = client.get(format!("http://{api}/sessions"));
        asked.bearer_auth(&api_env.ana)
    };

    let at_api = Flood::open(api).await;
    assert_eq!(status(health()).await, 200);
    assert_eq!(status(list()).await, 200);
    let at_admin = Flood::open(admin).await;
    assert_eq!(status(health()).await, 200);
    assert_eq!(status(list()).await, 200);

    at_api.wait_until_closed().await;
    at_admin.wait_until_closed().await;
    assert_eq!(status(health()).await, 200);
    assert_eq!(status(list()).await, 200);
    api_env.assert_clean().await;
}

#[tokio::test]
async fn a_connection_that_is_in_use_is_kept_when_many_come() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let cookie = door.admit().await;
    let ui = door.ui(&cookie);
    let mut tab = ui.open_tab().await;
    let flood = Flood::open(door.address).await;
    let at_admin = Flood::open(door.admin).await;
    assert_eq!(door.health().await, 200);
    ui.run_sql("ATTACH ':memory:' AS pond").await.unwrap();
    let mut told = String::new();
    while !told.contains("event: CatalogChangeEvent") {
        let message = tab.chunk().await.unwrap().expect("the stream is open");
        told += &String::from_utf8_lossy(&message);
    }
    flood.wait_until_closed().await;
    at_admin.wait_until_closed().await;
}

#[tokio::test]
async fn on_one_machine_all_sessions_stay_open_to_their_owners() {
    let home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    ready_session(&home.ana).await;
    let link = link_of(&reply_to(&home.ana, "/duck open").await, "Open DuckDB");
    let port = link.split(':').nth(2).unwrap().split('/').next().unwrap();
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let flood = Flood::open(address).await;
    let asked = client()
        .get(format!("http://{address}/"))
        .header("host", "x");
    assert_eq!(status(asked).await, 421);
    let ui = UiClient::enter(&link, &format!("http://{address}")).await;
    ui.run_sql("SELECT 42").await.unwrap();
    flood.wait_until_closed().await;
    home.assert_clean().await;
}
