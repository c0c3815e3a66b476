//! Many queries, tabs and pages at once: DuckDB has few threads, and always one for an interrupt.

use futures_util::{FutureExt, future::join_all};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use test_support::{Activity, Door, DuckDb, HOST, ORIGIN, UiClient, wait_until};

/// Query that runs until it is interrupted.
const ENDLESS: &str = "SELECT count(*) FROM range(1_000_000_000) a, range(1_000_000_000) b";

/// Endless query on a connection of its own.
pub struct Query {
    connection: UiClient,
    answer: JoinHandle<Result<(), String>>,
}

impl Query {
    /// Sends the query on a connection with this number.
    pub fn send(ui: &UiClient, connection: usize) -> Self {
        let name = format!("connection_{connection}");
        let asks = ui.on(&name);
        Self {
            connection: ui.on(&name),
            answer: tokio::spawn(async move { asks.run_sql(ENDLESS).await }),
        }
    }

    /// Interrupts the query, which is waiting in the door or running in DuckDB.
    pub async fn interrupt(&mut self) {
        let interrupted = async || {
            self.connection.interrupt().await;
            self.answer.is_finished()
        };
        wait_until(interrupted, |is_finished| *is_finished).await;
        let answer = (&mut self.answer).await.unwrap();
        assert_eq!(answer, Err("INTERRUPT Error: Interrupted!".to_owned()));
    }
}

/// Door of a session, and a browser that has entered it.
struct Session {
    door: Door,
    ui: UiClient,
    cookie: String,
    duckdb: DuckDb,
}

impl Session {
    async fn start() -> Self {
        let (duckdb, port) = DuckDb::start_ui().await;
        Self::behind(Door::start(port).await, duckdb).await
    }

    async fn behind(door: Door, duckdb: DuckDb) -> Self {
        let cookie = door.admit().await;
        Self {
            ui: door.ui(&cookie),
            cookie,
            door,
            duckdb,
        }
    }

    /// Sends endless queries, one after the other.
    async fn send_queries(&self, connections: std::ops::Range<usize>) -> Vec<Query> {
        let mut queries = Vec::new();
        for (connection, number) in connections.zip(1..) {
            queries.push(Query::send(&self.ui, connection));
            self.door
                .wait_for_activity(|it| it.queries + it.queued == number)
                .await;
        }
        queries
    }

    async fn wait_for(&self, queries: u32, queued: u32) {
        let is_so = |it: &Activity| (it.queries, it.queued) == (queries, queued);
        self.door.wait_for_activity(is_so).await;
    }

    /// Asserts that DuckDB answers requests besides queries.
    async fn assert_responsive(&self) {
        assert_eq!(self.door.readiness().await, 200);
        let info = self.door.get("/info").header("cookie", &self.cookie);
        let info = info.send().await.unwrap();
        assert!(info.headers().contains_key("x-duckdb-version"));
        assert_eq!(self.ui.tokenize("SELECT 42").await, 200);
    }
}

#[tokio::test]
async fn twelve_long_queries_and_eight_tabs_leave_room_for_an_interrupt() {
    let session = Session::start().await;
    let _tabs = join_all((0..8).map(|_| session.ui.open_tab())).await;
    let mut queries = session.send_queries(0..12).await;
    let now = session.door.activity().await;
    assert_eq!((now.queries, now.queued, now.tabs), (4, 8, 8));
    session.assert_responsive().await;

    // A waiting query, and then a running one, which makes room for the next.
    queries.remove(6).interrupt().await;
    session.wait_for(4, 7).await;
    queries.remove(2).interrupt().await;
    session.wait_for(4, 6).await;
    session.assert_responsive().await;

    for query in &mut queries {
        query.interrupt().await;
    }
    session.wait_for(0, 0).await;
    assert_eq!(session.door.activity().await.tabs, 8);
}

#[tokio::test]
async fn queries_that_wait_all_get_their_turn() {
    let session = Session::start().await;
    let mut long = session.send_queries(0..4).await;
    let short: Vec<_> = (4..12)
        .map(|number| {
            let connection = session.ui.on(&format!("connection_{number}"));
            let sql = format!("SELECT {number} AS number");
            tokio::spawn(async move { connection.rows(&sql).await })
        })
        .collect();
    session.wait_for(4, 8).await;
    long[0].interrupt().await;
    for (answer, number) in join_all(short).await.into_iter().zip(4..) {
        assert_eq!(answer.unwrap(), Ok(json!([{ "number": number }])));
    }
    session.wait_for(3, 0).await;
}

#[tokio::test]
async fn a_query_is_interrupted_in_the_queue_with_one_request() {
    let session = Session::start().await;
    let _long = session.send_queries(0..4).await;
    let waits = Query::send(&session.ui, 4);
    session.wait_for(4, 1).await;
    assert_eq!(waits.connection.interrupt().await, 200);
    let answer = waits.answer.await.unwrap();
    assert_eq!(answer, Err("INTERRUPT Error: Interrupted!".to_owned()));
    session.wait_for(4, 0).await;
}

#[tokio::test]
async fn a_browser_that_goes_away_leaves_the_queue() {
    let session = Session::start().await;
    let mut long = session.send_queries(0..4).await;
    let waits = session.ui.on("connection_4");
    let waits =
        tokio::spawn(async move { waits.run_sql("CREATE TABLE left_behind AS SELECT 1").await });
    session.wait_for(4, 1).await;
    waits.abort();
    session.wait_for(4, 0).await;
    long[0].interrupt().await;
    let tables = session.ui.rows("SELECT count(*) AS n FROM duckdb_tables()");
    assert_eq!(tables.await, Ok(json!([{ "n": 0 }])));
}

#[tokio::test]
async fn a_browser_that_goes_away_leaves_the_queue_however_long_its_query_is() {
    let session = Session::start().await;
    let _long = session.send_queries(0..4).await;
    let waits = session.ui.on("connection_4");
    let long = format!("SELECT '{}'", "x".repeat(8 << 20));
    let waits = tokio::spawn(async move { waits.run_sql(&long).await });
    session.wait_for(4, 1).await;
    waits.abort();
    session.wait_for(4, 0).await;
}

#[tokio::test]
async fn requests_that_stop_in_the_middle_leave_duckdb_to_others() {
    let session = Session::start().await;
    let half = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}\r\ncookie: {}\r\n\
             content-length: 40\r\n\r\nSELECT",
            session.cookie
        )
    };
    let mut stuck = Vec::new();
    for number in 0..24 {
        let path = ["/ddb/tokenize", "/ddb/interrupt", "/elsewhere"][number % 3];
        let mut stream = TcpStream::connect(session.door.address).await.unwrap();
        stream.write_all(half(path).as_bytes()).await.unwrap();
        stuck.push(stream);
    }
    let mut queries = session.send_queries(0..4).await;
    assert_eq!(session.door.readiness().await, 200);
    for query in &mut queries {
        query.interrupt().await;
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_make_room() {
    let session = Session::start().await;
    let large = "SELECT repeat('x', 1000) AS x FROM range(100_000)";
    let answers = (0..4).map(|number| {
        let connection = session.ui.on(&format!("connection_{number}"));
        async move { connection.raw_answer(large).await }
    });
    let _unread = join_all(answers).await;
    let answer = session.ui.rows("SELECT 42 AS answer").await;
    assert_eq!(answer, Ok(json!([{ "answer": 42 }])));
}

#[tokio::test]
async fn a_full_queue_is_reported_in_duckdbs_own_format() {
    let session = Session::start().await;
    let _long = session.send_queries(0..68).await;
    let answer = session.ui.raw_answer("SELECT 1").await;
    assert_eq!(answer.status(), 503);
    let body = answer.bytes().await.unwrap();
    assert!(body.starts_with(b"d\x00\x00e\x00"), "{body:?}");
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("64 queries are waiting already"), "{text}");
    session.assert_responsive().await;
}

#[tokio::test]
async fn each_of_many_tabs_is_told_what_happens() {
    let session = Session::start().await;
    let mut tabs = join_all((0..8).map(|_| session.ui.open_tab())).await;
    session
        .ui
        .run_sql("ATTACH ':memory:' AS pond")
        .await
        .unwrap();
    for tab in &mut tabs {
        let mut told = String::new();
        while !told.contains("event: CatalogChangeEvent") {
            let message = tab.chunk().await.unwrap().expect("the stream is open");
            told += &String::from_utf8_lossy(&message);
        }
    }
}

#[tokio::test]
async fn tabs_come_and_go() {
    let session = Session::start().await;
    let (one, two) = (session.ui.open_tab().await, session.ui.open_tab().await);
    session.door.wait_for_activity(|it| it.tabs == 2).await;
    drop(one);
    session.door.wait_for_activity(|it| it.tabs == 1).await;
    drop(two);
    session.door.wait_for_activity(|it| it.tabs == 0).await;
    let mut tab = session.ui.open_tab().await;
    let message = tab.chunk().await.unwrap();
    assert!(!message.expect("the stream is open").is_empty());
}

#[tokio::test]
async fn a_tab_too_many_ends_no_other() {
    let session = Session::start().await;
    let mut tabs = join_all((0..64).map(|_| session.ui.open_tab())).await;
    let tab = session.door.get("/localEvents");
    let tab = tab.header("cookie", &session.cookie).send().await.unwrap();
    assert_eq!(tab.status(), 503);
    session.door.wait_for_activity(|it| it.tabs == 64).await;
    tabs.remove(0);
    session.door.wait_for_activity(|it| it.tabs == 63).await;
    tabs.push(session.ui.open_tab().await);
    session.ui.run_sql("SELECT 42").await.unwrap();
}

#[tokio::test]
async fn one_session_does_not_use_all_connections_of_a_port() {
    let session = Session::start().await;
    let _tabs = join_all((0..64).map(|_| session.ui.open_tab())).await;
    let _queries = session.send_queries(0..64).await;
    let info = || session.door.get("/info").header("cookie", &session.cookie);
    assert_eq!(info().send().await.unwrap().status(), 503);
    // People without a cookie are answered.
    let page = session.door.get("/").send().await.unwrap();
    assert_eq!(page.status(), 401);
}

#[tokio::test]
async fn as_many_short_requests_as_a_session_may_have_are_all_answered() {
    let session = Session::start().await;
    let ask = |_| session.door.get("/info").header("cookie", &session.cookie);
    for answer in join_all((0..128).map(|number| ask(number).send())).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn short_requests_come_to_duckdb_a_few_at_a_time() {
    // DuckDB's port queues five connections that it has not accepted, and Linux drops the others.
    let duckdb = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = Door::start(duckdb.local_addr().unwrap().port()).await;
    let cookie = door.admit().await;
    let ask = |_| door.get("/info").header("cookie", &cookie).send();
    let answer_all = async {
        for _ in 0..6 {
            let mut open = Vec::new();
            for _ in 0..4 {
                open.push(duckdb.accept().await.unwrap().0);
            }
            let fifth = duckdb.accept().now_or_never();
            assert!(fifth.is_none(), "a fifth request came before an answer");
            for mut request in open {
                // A socket that is closed before all was read would cut the answer off.
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(request.read_u8().await.unwrap());
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                request.write_all(answer).await.unwrap();
            }
        }
    };
    let (answers, ()) = tokio::join!(join_all((0..24).map(ask)), answer_all);
    assert!(answers.into_iter().all(|it| it.unwrap().status() == 200));
}

#[tokio::test]
async fn an_interrupt_has_no_large_body() {
    let session = Session::start().await;
    let interrupt = session.door.post("/ddb/interrupt", "x".repeat(5 << 10));
    let answer = interrupt.header("cookie", &session.cookie).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(answer.text().await.unwrap().contains("at most 4 KiB"));
}

#[tokio::test]
async fn tabs_end_with_duckdb() {
    let session = Session::start().await;
    let tabs = [session.ui.open_tab().await, session.ui.open_tab().await];
    drop(session.duckdb);
    for mut tab in tabs {
        // DuckDB may have sent something before.
        while let Ok(Some(_)) = tab.chunk().await {}
    }
    session.door.wait_for_activity(|it| it.tabs == 0).await;
}

#[tokio::test]
async fn pages_that_do_not_arrive_leave_room_for_queries() {
    // The system accepts connections to it, and nothing ever answers.
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let (mut duckdb, port) = DuckDb::start_at_port().await;
    let start = format!("SET GLOBAL http_proxy = '{address}'; CALL start_ui_server();");
    duckdb.run(&start).await;
    let door = Door::start(port).await;
    wait_until(async || door.readiness().await, |it| *it == 200).await;
    let session = Session::behind(door, duckdb).await;
    let pages: Vec<_> = (0..12)
        .map(|number| {
            let page = session.door.get(&format!("/assets/{number}.js"));
            tokio::spawn(page.header("cookie", &session.cookie).send())
        })
        .collect();
    let _fetching = (proxy.accept().await, proxy.accept().await);
    let _tab = session.ui.open_tab().await;
    for mut query in session.send_queries(0..4).await {
        session.assert_responsive().await;
        query.interrupt().await;
    }
    for page in pages {
        assert!(!page.is_finished(), "DuckDB waits for the pages' server");
        page.abort();
    }
}
