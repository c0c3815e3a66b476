//! Pages of DuckDB's UI, which DuckDB fetches from elsewhere.

use test_support::{ConsoleTab, Door, HOSTS, PAGE, Session, UiAssets, lake, wait_until};

#[tokio::test]
async fn nothing_private_reaches_the_makers_of_the_pages() {
    lake().s3.add_key("AKIAPAGES", "a-secret-for-pages");
    let pages = UiAssets::start().await;
    let authority = pages.certificates.file("ca.pem");
    let more = [
        ("DUCKDB_HTTP_PROXY", pages.proxy.as_str()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ];
    let mut session = Session::start_with("AKIAPAGES", "a-secret-for-pages", &more);
    session.wait_until_prepared().await;
    let door = Door::start(session.port()).await;
    let asked = door
        .get("/")
        .header("cookie", format!("canary=quack; {}", door.admit().await))
        .header("authorization", "Bearer canary-token");
    let page = asked.send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(!page.headers().contains_key("set-cookie"));
    assert_eq!(page.text().await.unwrap(), PAGE);
    let received = pages.received().to_lowercase();
    assert!(
        received.starts_with("connect ui.duckdb.org:443 http/1.1"),
        "{received}"
    );
    assert!(received.contains("get / http/1.1"), "{received}");
    for private in ["canary", "cookie", "__host-duckbot", "duckui-977a26"] {
        assert!(!received.contains(private), "{private} in {received}");
    }

    let logs = door.log() + &session.log();
    for private in ["canary", "__Host-duckbot"] {
        assert!(!logs.contains(private), "{private} in {logs}");
    }

    // Without a door, DuckDB passes everything on.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let straight = client.get(format!("http://localhost:{}/", session.port()));
    straight
        .header("cookie", "canary=quack")
        .send()
        .await
        .unwrap();
    assert!(
        pages.received().contains("canary=quack"),
        "{}",
        pages.received()
    );
}

#[tokio::test]
async fn nor_without_a_proxy_by_the_name_of_the_real_ones() {
    let Some(pages) = UiAssets::start_direct().await else {
        eprintln!("skipped: only root can listen on port 443");
        return;
    };
    lake().s3.add_key("AKIASTRAIGHT", "a-secret-for-pages");
    let authority = pages.certificates.file("ca.pem");
    let folder = tempfile::TempDir::new().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, UiAssets::hosts()).unwrap();
    let more = [
        (HOSTS, hosts.to_str().unwrap()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ];
    let mut session = Session::start_with("AKIASTRAIGHT", "a-secret-for-pages", &more);
    session.wait_until_prepared().await;
    let door = Door::start(session.port()).await;
    let cookie = format!("canary=quack; {}", door.admit().await);
    let page = door.get("/").header("cookie", cookie).send().await.unwrap();
    assert_eq!(page.text().await.unwrap(), PAGE);
    let received = pages.received().to_lowercase();
    assert!(received.starts_with("get / http/1.1"), "{received}");
    for private in ["canary", "cookie", "__host-duckbot", "duckui-977a26"] {
        assert!(!received.contains(private), "{private} in {received}");
    }
}

#[tokio::test]
async fn a_network_that_answers_nothing_is_explained_until_it_answers() {
    lake().s3.add_key("AKIASILENT", "a-secret-for-pages");
    // The kernel accepts connections, and nobody reads from them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let certificates = UiAssets::certificates();
    let proxy = silent.local_addr().unwrap().to_string();
    let authority = certificates.file("ca.pem");
    let more = [
        ("DUCKDB_HTTP_PROXY", proxy.as_str()),
        ("SSL_CERT_FILE", authority.to_str().unwrap()),
    ];
    let mut session = Session::start_with("AKIASILENT", "a-secret-for-pages", &more);
    session.wait_until_prepared().await;
    let door = Door::start(session.port()).await;
    let cookie = door.admit().await;
    let page = async || {
        let asked = door.get("/").header("cookie", &cookie);
        let page = asked.header("accept", "text/html").send().await.unwrap();
        let again = page.headers().contains_key("refresh");
        (page.status().as_u16(), again, page.text().await.unwrap())
    };
    // Each attempt holds a thread of DuckDB for longer than the page waits for it.
    for _ in 0..3 {
        let (status, again, text) = page().await;
        assert_eq!((status, again), (502, true), "{text}");
        assert!(text.contains("This page tries again by itself."), "{text}");
    }
    let rows = door.ui(&cookie).rows("SELECT 42").await.unwrap();
    assert!(rows.to_string().contains("42"), "{rows}");
    let _pages = UiAssets::start_on(silent, certificates);
    let (_, again, text) = wait_until(page, |(status, ..)| *status == 200).await;
    assert_eq!((again, text.as_str()), (false, PAGE));

    // A door that may show both shows DuckDB's pages, and links to them from the console.
    let door = Door::start_with(session.port(), &[("DOOR_UI", "auto")]).await;
    let tab = ConsoleTab::open(&door, "a").await;
    assert_eq!(tab.get("/").await.text().await.unwrap(), PAGE);
    let info = tab.call("info", serde_json::json!({})).await;
    assert_eq!(info["duckdb_ui"], true);
}
