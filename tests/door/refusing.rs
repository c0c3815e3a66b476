//! Requests that the door blocks, whoever sends them.

use test_support::{Door, DuckDb, HOST, ORIGIN, RawServer, wait_until};

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

#[tokio::test]
async fn another_page_makes_nothing_happen_in_duckdb() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let cookie = door.admit().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asks = |host: &str, origin: Option<&str>| {
        let request = client
            .post(format!("http://{}/ddb/run", door.address))
            .header("host", host)
            .header("cookie", &cookie)
            .body("CREATE TABLE stolen AS SELECT 1");
        match origin {
            Some(origin) => request.header("origin", origin).send(),
            None => request.send(),
        }
    };
    for (host, origin, status) in [
        (HOST, None, 403),
        (HOST, Some("https://evil.example"), 403),
        (HOST, Some("https://duckui-1b2c3d.duck.example.com"), 403),
        (HOST, Some("http://localhost:4213"), 403),
        ("localhost:4213", Some("http://localhost:4213"), 421),
        ("duckui-1b2c3d.duck.example.com", Some(ORIGIN), 421),
    ] {
        let answer = asks(host, origin).await.unwrap();
        assert_eq!(answer.status(), status, "{host} from {origin:?}");
    }
    let ui = door.ui(&cookie);
    let tables = ui.rows("SELECT count(*) AS n FROM duckdb_tables()").await;
    assert_eq!(tables, Ok(serde_json::json!([{ "n": 0 }])));
}

#[tokio::test]
async fn a_query_under_another_spelling_of_its_path_does_not_reach_duckdb() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let cookie = door.admit().await;
    let sql = "CREATE OR REPLACE TABLE hidden AS SELECT 1";
    let ui = door.ui(&cookie);
    // DuckDB alone runs the query under each of them.
    let alone = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/ddb%2Frun", "/ddb/ru%6e", "/DDB/run"] {
        let url = format!("http://localhost:{port}{path}");
        let asked = alone.post(url).body(sql);
        let asked = asked.header("origin", format!("http://localhost:{port}"));
        assert_eq!(asked.send().await.unwrap().status(), 200, "{path}");
        ui.run_sql("DROP TABLE hidden").await.unwrap();

        let asked = door.post(path, sql).header("cookie", &cookie);
        assert_eq!(asked.send().await.unwrap().status(), 400, "{path}");
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        let line = format!("{method} /ddb/run HTTP/1.1");
        let head = format!("host: {HOST}\r\norigin: {ORIGIN}\r\ncookie: {cookie}");
        let request = format!("{line}\r\n{head}\r\nconnection: close\r\n\r\n");
        let answer = door.send_raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{method}: {answer}");
    }
    let tables = ui.rows("SELECT count(*) AS n FROM duckdb_tables()").await;
    assert_eq!(tables, Ok(serde_json::json!([{ "n": 0 }])));
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_does_not_reach_duckdb() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let cookie = door.admit().await;
    let head = |line: &str, more: &str| {
        format!(
            "{line} HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}\r\ncookie: {cookie}\r\nconnection: close\r\n{more}\r\n"
        )
    };
    let post = "POST /ddb/run";
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    for (request, status) in [
        (
            head(post, "content-length: 4\r\ncontent-length: 40\r\n") + smuggled,
            "400",
        ),
        (
            head(post, "transfer-encoding: identity, chunked, x\r\n") + smuggled,
            "400",
        ),
        (head(post, "content-length: 4x\r\n") + smuggled, "400"),
        (
            head(post, "host: localhost:4213\r\ncontent-length: 0\r\n"),
            "400",
        ),
        (head("GET http://localhost:4213/info", ""), "400"),
        (head("GET /x\u{0}y", ""), "400"),
        (head("CONNECT localhost:4213", ""), "4"),
        (head("TRACE /", ""), "4"),
        (head("GET /", "x: a\r\n b\r\n"), "4"),
        ("GET /\r\n\r\n".to_owned(), "400"),
        (
            head("GET /", &format!("x: {}\r\n", "y".repeat(300_000))),
            "431",
        ),
        (head(&format!("GET /{}", "y".repeat(300_000)), ""), "4"),
        (head(post, "content-length: 999999999999\r\n"), "413"),
    ] {
        let answer = door.send_raw(&request).await;
        let shown = &request[..request.len().min(300)];
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{shown}\n→ {answer}"
        );
    }
    assert_eq!(duckdb.received(), "");
}

#[tokio::test]
async fn a_request_with_two_lengths_is_one_request_for_duckdb() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let cookie = door.admit().await;
    // A parser that counts bytes would see a second request at the end of this one.
    let request = format!(
        "POST /ddb/run HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}\r\ncookie: {cookie}\r\n\
         connection: close\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: {HOST}\r\n\r\n"
    );
    door.send_raw(&request).await;
    let received = duckdb.received();
    assert_eq!(received.matches("HTTP/1.1").count(), 1, "{received}");
    assert!(
        !received.contains("smuggled") && !received.contains("content-length: 4"),
        "{received}"
    );
}

#[tokio::test]
async fn a_request_without_an_end_is_cut_where_it_is_too_long() {
    // The server answers after the whole request, which never arrives.
    let duckdb = RawServer::start("127.0.0.1", "").await;
    let door = Door::start(duckdb.port).await;
    let cookie = door.admit().await;
    let piece = vec![b'x'; 1 << 20];
    let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
    let body = reqwest::Body::wrap_stream(endless);
    let sent = door
        .post("/ddb/run", body)
        .header("cookie", cookie)
        .send()
        .await;
    // The client may or may not read the response before the connection breaks.
    if let Ok(answer) = sent {
        assert_eq!(answer.status(), 413);
    }
    let received = duckdb.received().len();
    assert!(received < 70 << 20, "{received}");
}

#[tokio::test]
async fn a_request_that_stops_in_the_middle_is_not_waited_for() {
    let duckdb = RawServer::start("127.0.0.1", "").await;
    let door = Door::start(duckdb.port).await;
    let cookie = door.admit().await;
    let half = format!(
        "POST /ddb/run HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}\r\ncookie: {cookie}\r\n\
         connection: close\r\ncontent-length: 40\r\n\r\nSELECT"
    );
    let answer = door.send_raw(&half).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("The request stopped before it was complete."));
}

#[tokio::test]
async fn refusals_and_failures_are_logged_without_a_word_of_the_request() {
    const SECRET: &str = "canary-5417";
    let (duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start_with(port, &[("DOOR_LOG_FORMAT", "json")]).await;
    let cookie = door.admit().await;
    let ask = async |path: &str, cookie: &str| {
        let asked = door.post(&format!("{path}?{SECRET}"), SECRET);
        let asked = asked.header("cookie", format!("{cookie}; x={SECRET}"));
        asked.header(SECRET, SECRET).send().await.unwrap().status()
    };
    assert_eq!(ask("/ddb/tokenize", &cookie).await, 200);
    assert_eq!(ask("/ddb/run", "").await, 401);
    assert_eq!(ask(&format!("/.duckbot/{SECRET}"), &cookie).await, 404);
    assert_eq!(door.present_ticket(SECRET).await.status(), 403);
    let other = format!("{SECRET} / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    assert!(door.send_raw(&other).await.starts_with("HTTP/1.1 400"));
    drop(duckdb);
    let is_down = |status: &u16| *status == 503;
    wait_until(
        async || ask("/ddb/tokenize", &cookie).await.as_u16(),
        is_down,
    )
    .await;

    let counts = door.activity().await.requests;
    assert_eq!((counts.refused, counts.failed), (4, 1), "{counts:?}");
    assert!(counts.done >= 2, "{counts:?}");
    wait_until(async || door.log().lines().count(), |count| *count == 5).await;
    let log = door.log();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let [method, kind, status, reason] = ["method", "kind", "status", "reason"]
            .map(|field| line["fields"][field].to_string().replace('"', ""));
        let level = line["level"].as_str().unwrap();
        format!("{level} {method} {kind} {status} {reason}")
    };
    let lines: Vec<_> = log.lines().map(line).collect();
    assert_eq!(
        lines,
        [
            "INFO POST query 401 the browser has no valid cookie of this session",
            "INFO POST call 404 There is no such page",
            "INFO POST link 403 the link is forged or damaged",
            "INFO another method page 400 Sessions don't support this path or method",
            "WARN POST call 503 DuckDB does not respond",
        ]
    );
    assert!(!log.contains(SECRET), "{log}");

    // A flood has a few lines, and is counted all the same.
    for _ in 0..20 {
        ask("/ddb/run", "").await;
    }
    door.present_ticket(SECRET).await;
    assert_eq!(door.activity().await.requests.refused, 25);
    let lines = |reason: &str| {
        let log = door.log();
        log.lines().filter(|line| line.contains(reason)).count()
    };
    wait_until(async || lines("the link is forged"), |count| *count == 2).await;
    assert_eq!(lines("no valid cookie"), 5, "{}", door.log());
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_not_waited_for() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    // The admin port behaves the same, after a longer time.
    let answer = door.send_raw_to_admin("GET /ready HTTP/1.1\r\nhost").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn without_knowing_what_it_guards_no_door_opens() {
    let door = |variables: &[(&str, &str)]| {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let mut door = test_support::command(&["door"], &variables.collect());
        async move { door.output().await.unwrap() }
    };
    let most = [
        ("SESSION_ID", "977a26"),
        ("DOOR_ORIGIN", ORIGIN),
        ("DOOR_OWNER", "Ana"),
    ];
    for (change, why) in [
        (
            ("DOOR_KEY", "no key"),
            "DOOR_KEY must be a key ID and a public key",
        ),
        (
            ("DOOR_ORIGIN", "duck"),
            "DOOR_ORIGIN must be a scheme and a host",
        ),
        (
            ("DOOR_LOG_FORMAT", "xml"),
            "DOOR_LOG_FORMAT must be text or json",
        ),
        (("OTHER", ""), "DOOR_KEY is not set"),
    ] {
        let mut variables = most.to_vec();
        variables.retain(|(name, _)| *name != change.0);
        variables.push(change);
        let output = door(&variables).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}
