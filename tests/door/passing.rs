//! Requests that pass: everything that DuckDB's UI needs, and nothing private.

use std::sync::LazyLock;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use test_support::{Activity, Door, DuckDb, HOST, ORIGIN, RawServer, wait_until};

#[tokio::test]
async fn ready_is_when_duckdb_answers() {
    let (mut duckdb, port) = DuckDb::start_at_port().await;
    let door = Door::start(port).await;
    assert_eq!((door.health().await, door.readiness().await), (200, 503));
    let cookie = door.admit().await;
    let page = door
        .get("/")
        .header("cookie", &cookie)
        .header("accept", "text/html");
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 503);
    assert_eq!(page.headers()["refresh"], "1");
    let page = page.text().await.unwrap();
    assert!(page.contains("Your DuckDB is starting"), "{page}");

    duckdb.run("CALL start_ui_server();").await;
    let ready = async { while door.readiness().await != 200 {} };
    let limit = std::time::Duration::from_secs(30);
    tokio::time::timeout(limit, ready)
        .await
        .expect("the door became ready in time");
}

#[tokio::test]
async fn a_duckdb_that_ended_is_not_starting() {
    let (duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    wait_until(async || door.readiness().await, |it| *it == 200).await;
    drop(duckdb);
    wait_until(async || door.readiness().await, |it| *it == 503).await;
    let page = door.get("/").header("cookie", door.admit().await);
    let page = page.send().await.unwrap();
    assert_eq!((page.status().as_u16(), door.health().await), (503, 200));
    assert_eq!(page.headers()["refresh"], "3");
    let page = page.text().await.unwrap();
    assert!(page.contains("or too busy at the moment"), "{page}");
}

#[tokio::test]
async fn a_query_comes_through_and_counts() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let before = door.activity().await;
    assert_eq!(
        (before.queries, before.last_query, before.tabs),
        (0, None, 0)
    );
    let ui = door.ui(&door.admit().await);
    assert_eq!(
        ui.rows("SELECT 42 AS answer").await,
        Ok(json!([{ "answer": 42 }]))
    );
    door.wait_for_activity(|it| it.queries == 0 && it.last_query.is_some())
        .await;
}

#[tokio::test]
async fn a_query_counts_until_it_ends_although_its_tab_was_closed() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let cookie = door.admit().await;
    let endless = "SELECT count(*) FROM range(1_000_000_000) a, range(1_000_000_000) b";
    let connection = "x-duckdb-ui-connection-name";
    let asked = door.post("/ddb/run", endless).header("cookie", &cookie);
    let asked = tokio::spawn(asked.header(connection, "mine").send());
    door.wait_for_activity(|it| it.queries == 1).await;
    asked.abort();
    let interrupt = || {
        let request = door.post("/ddb/interrupt", "").header("cookie", &cookie);
        request.header(connection, "mine").send()
    };
    assert_eq!(door.activity().await.queries, 1);
    let interrupted = async || {
        // An interrupt has no effect before DuckDB has the query.
        interrupt().await.unwrap();
        door.activity().await
    };
    let is_over = |it: &Activity| it.queries == 0 && it.last_query.is_some();
    wait_until(interrupted, is_over).await;
}

#[tokio::test]
async fn an_open_tab_is_told_what_happens_and_is_counted_as_a_tab() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let cookie = door.admit().await;
    let events = door.get("/localEvents").header("cookie", &cookie).send();
    let mut events = events.await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    door.wait_for_activity(|it| it.tabs == 1).await;
    let ui = door.ui(&cookie);
    ui.run_sql("ATTACH ':memory:' AS pond").await.unwrap();
    let event = events
        .chunk()
        .await
        .unwrap()
        .expect("the stream is still open");
    assert!(!event.is_empty());
    assert_eq!(
        door.activity().await.queries,
        0,
        "an open tab must not count as a query"
    );
    drop(events);
    door.wait_for_activity(|it| it.tabs == 0).await;
}

#[tokio::test]
async fn a_large_answer_streams_and_is_not_collected() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let ui = door.ui(&door.admit().await);
    ui.run_sql("SELECT 1").await.unwrap();
    let before = door.memory();
    let large = ui.answer_length("SELECT repeat('x', 1000) AS x FROM range(100_000)");
    let mut large = std::pin::pin!(large);
    let mut most = before;
    let length = loop {
        tokio::select! {
            length = &mut large => break length,
            () = tokio::task::yield_now() => most = most.max(door.memory()),
        }
    };
    assert!(length > 100_000_000, "{length}");
    assert!(
        most < before + 10_000,
        "{before} KiB before, {most} KiB meanwhile"
    );
}

#[tokio::test]
async fn the_token_is_handed_to_nobody() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let to_a_stranger = client.get(format!("http://localhost:{port}/localToken"));
    let to_a_stranger = to_a_stranger.send().await.unwrap();
    let through = door.get("/localToken").header("cookie", door.admit().await);
    let through = through.header("referer", format!("http://localhost:{port}/"));
    let through = through.send().await.unwrap();
    assert_eq!(through.status(), to_a_stranger.status());
    assert!(!through.status().is_success());
}

#[tokio::test]
async fn duckdb_is_found_at_either_address() {
    for address in ["127.0.0.1", "::1"] {
        let fine = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
        let duckdb = RawServer::start(address, fine).await;
        let door = Door::start(duckdb.port).await;
        wait_until(async || door.readiness().await, |it| *it == 200).await;
    }
}

#[tokio::test]
async fn nothing_private_passes_in_either_direction() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nset-cookie: __Host-duckbot=theirs\r\n\
        access-control-allow-origin: *\r\nconnection: x-hop\r\nx-hop: 1\r\nclear-site-data: \"*\"\r\netag: theirs\r\n\r\nfine";
    let duckdb = RawServer::start("127.0.0.1", ANSWER).await;
    let door = Door::start(duckdb.port).await;
    let cookie = door.admit().await;
    let answer = door
        .get("/page?x=1")
        .header("cookie", format!("canary=quack; {cookie}"))
        .header("authorization", "Bearer canary-token")
        .header("referer", format!("{ORIGIN}/canary-page"))
        .header("x-forwarded-for", "198.51.100.7")
        .header("cf-access-jwt-assertion", "canary.jwt")
        .header("accept-language", "de");
    let answer = answer.send().await.unwrap();
    let received = duckdb.received().to_lowercase();
    assert!(
        received.starts_with("get /page?x=1 http/1.1\r\n"),
        "{received}"
    );
    assert!(received.contains(&format!("\r\nhost: localhost:{}\r\n", duckdb.port)));
    assert!(received.contains("\r\naccept-language: de\r\n"));
    for private in [
        "cookie",
        "canary",
        "quack",
        "198.51.100.7",
        "duckui-977a26",
        "bearer",
    ] {
        assert!(!received.contains(private), "{private} in {received}");
    }
    let headers = answer.headers();
    assert_eq!(headers["etag"], "theirs");
    for name in [
        "set-cookie",
        "access-control-allow-origin",
        "clear-site-data",
        "x-hop",
    ] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers["x-frame-options"], "DENY");
    assert!(
        !headers.contains_key("content-security-policy"),
        "the door must not restrict DuckDB's own pages"
    );
}

#[tokio::test]
async fn pages_that_duckdb_can_not_fetch_are_explained() {
    const ANSWER: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\n\
        content-length: 54\r\n\r\nCould not fetch: '/' from 'https://ui.duckdb.org': ...\n";
    let duckdb = RawServer::start("127.0.0.1", ANSWER).await;
    let door = Door::start(duckdb.port).await;
    let page = door.get("/").header("cookie", door.admit().await);
    let page = page.header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 502);
    assert_eq!(page.headers()["refresh"], "10", "it does not try again");
    let page = page.text().await.unwrap();
    for part in [
        "it can't fetch the pages of its UI from",
        "<code>/duck sql</code>",
        "<code>/duck tables</code>",
        "<code>/duck describe</code>",
        "duckdb.http_proxy",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn another_failure_of_duckdb_is_its_own() {
    const ANSWER: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 6\r\n\r\nquack!";
    let duckdb = RawServer::start("127.0.0.1", ANSWER).await;
    let door = Door::start(duckdb.port).await;
    let answer = door
        .get("/")
        .header("cookie", door.admit().await)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "quack!");
}

#[tokio::test]
async fn a_long_failure_of_duckdb_is_its_own_too() {
    const LONG: usize = 100_000;
    static ANSWER: LazyLock<String> = LazyLock::new(|| {
        let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-length";
        format!("{head}: {LONG}\r\n\r\n{}", "q".repeat(LONG))
    });
    let duckdb = RawServer::start("127.0.0.1", &ANSWER).await;
    let door = Door::start(duckdb.port).await;
    let asked = door.get("/").header("cookie", door.admit().await);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap().len(), LONG);
}

#[tokio::test]
async fn no_thread_of_duckdb_is_held_by_a_browser_that_does_nothing() {
    // DuckDB has few threads, and each connection occupies one.
    let fine = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
    let duckdb = RawServer::start("127.0.0.1", fine).await;
    let door = Door::start(duckdb.port).await;
    let asked = door.get("/info").header("cookie", door.admit().await);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "fine");
    duckdb.wait_for_hangup().await;
}

#[tokio::test]
async fn a_web_socket_passes() {
    const SWITCHES: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-accept: yes\r\n\r\n";
    let duckdb = RawServer::start("127.0.0.1", SWITCHES).await;
    let door = Door::start(duckdb.port).await;
    let cookie = door.admit().await;
    let mut socket = TcpStream::connect(door.address).await.unwrap();
    let request = format!(
        "GET /socket HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}\r\ncookie: {cookie}\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: key\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap().into());
    }
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.to_lowercase().contains("sec-websocket-accept: yes"));
    assert!(duckdb.received().contains("sec-websocket-key: key"));
    socket.write_all(b"quack").await.unwrap();
    let mut echo = [0; 5];
    socket.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"quack");
}
