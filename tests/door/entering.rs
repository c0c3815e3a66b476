//! Entering a session: only the bot's link lets a browser in.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use test_support::{Door, DuckDb, HOST, ORIGIN, RawServer};

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

#[tokio::test]
async fn whoever_shows_the_ticket_is_in() {
    let (_duckdb, port) = DuckDb::start_ui().await;
    let door = Door::start(port).await;
    let answer = door
        .present_ticket(&door.ticket("977a26", Utc::now()))
        .await;
    assert_eq!(answer.status(), 204);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let (cookie, attributes) = cookie.split_once(';').unwrap();
    assert!(
        cookie.starts_with("__Host-duckbot=") && cookie.len() > 50,
        "{cookie}"
    );
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Secure");

    let inside = door
        .get("/info")
        .header("cookie", cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(inside.status(), 200);
    assert!(inside.headers().contains_key("x-duckdb-version"));

    // After a restart, the door does not accept the cookie.
    let next = door.restart(port).await;
    let outside = next
        .get("/info")
        .header("cookie", cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(outside.status(), 401);
}

#[tokio::test]
async fn of_many_who_show_one_ticket_at_once_one_is_in() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let ticket = door.ticket("977a26", Utc::now());
    let shown = (0..12).map(|_| door.present_ticket(&ticket));
    let answers = join_all(shown).await;
    let let_in = answers.iter().filter(|answer| answer.status() == 204);
    assert_eq!(let_in.count(), 1);
    let with_cookie = answers
        .iter()
        .filter(|it| it.headers().contains_key("set-cookie"));
    assert_eq!(with_cookie.count(), 1);
}

#[tokio::test]
async fn nobody_else_sees_more_than_whose_session_it_is() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    for path in [
        "/",
        "/info",
        "/localToken",
        "/localEvents",
        "/ddb/run",
        "/x?y=z",
    ] {
        for cookie in ["", "__Host-duckbot=", "__Host-duckbot=guess"] {
            let answer = door
                .get(path)
                .header("cookie", cookie)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 401, "{path} with {cookie:?}");
            let said = answer.text().await.unwrap();
            assert!(
                said.starts_with("Only Ana can open this session. In Discord, press Open"),
                "{said}"
            );
        }
    }
    let page = door
        .get("/")
        .header("accept", "text/html,*/*")
        .send()
        .await
        .unwrap();
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("<h1><bdi>Ana</bdi>'s DuckDB</h1>")
    );
    assert_eq!(duckdb.received(), "");
}

#[tokio::test]
async fn a_link_that_is_looked_at_still_works() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let ticket = door.ticket("977a26", Utc::now());
    // A preview, a scanner and a prefetching browser don't send the part after the `#`.
    for _ in 0..3 {
        let looked = door
            .get("/.duckbot/enter")
            .header("purpose", "prefetch")
            .send()
            .await
            .unwrap();
        assert_eq!(looked.status(), 200);
        assert!(!looked.headers().contains_key("set-cookie"));
    }
    assert_eq!(door.present_ticket(&ticket).await.status(), 204);
}

#[tokio::test]
async fn a_ticket_that_is_not_good_says_why() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let other = Door::start(duckdb.port).await;
    let ago = |seconds| Utc::now() - TimeDelta::seconds(seconds);
    let used = door.ticket("977a26", Utc::now());
    door.present_ticket(&used).await;
    for (ticket, why) in [
        (used, "was already used"),
        (door.ticket("977a26", ago(61)), "has expired"),
        (door.ticket("977a26", ago(-90)), "has expired"),
        (door.ticket("977a26", ago(40)), "was restarted"),
        (
            door.ticket("1b2c3d", Utc::now()),
            "is not valid for this session",
        ),
        (
            other.ticket("977a26", Utc::now()),
            "is not valid for this session",
        ),
        ("k1.AAAA.AAAA".into(), "is not valid for this session"),
        ("x".repeat(5000), "is not valid for this session"),
        (String::new(), "is not valid for this session"),
    ] {
        let answer = door.present_ticket(&ticket).await;
        assert_eq!(answer.status(), 403, "{ticket}");
        assert!(!answer.headers().contains_key("set-cookie"));
        let said = answer.text().await.unwrap();
        assert!(
            said.contains(why) && said.contains("Press Open in Discord"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_ticket_from_before_a_restart_is_refused_after_it() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let ticket = door.ticket("977a26", Utc::now());
    assert_eq!(door.present_ticket(&ticket).await.status(), 204);
    let next = door.restart(duckdb.port).await;
    let answer = next.present_ticket(&ticket).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("was restarted"));
}

#[tokio::test]
async fn another_page_can_not_show_a_ticket() {
    let duckdb = RawServer::start("127.0.0.1", FINE).await;
    let door = Door::start(duckdb.port).await;
    let ticket = door.ticket("977a26", Utc::now());
    let show = |origin: Option<&str>| {
        let url = format!("http://{}/.duckbot/enter", door.address);
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(url);
        let request = request.header("host", HOST).body(ticket.clone());
        match origin {
            Some(origin) => request.header("origin", origin).send(),
            None => request.send(),
        }
    };
    for origin in [None, Some("null"), Some("https://evil.example")] {
        assert_eq!(show(origin).await.unwrap().status(), 403, "{origin:?}");
    }
    assert_eq!(
        show(Some(ORIGIN)).await.unwrap().status(),
        204,
        "the ticket must still be valid"
    );
}
