//! The door in front of a session.

use std::{collections::HashMap, time::Duration};

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{DuckDb, command};

#[tokio::test]
async fn ready_when_duckdb_answers_and_shut_for_everyone() {
    let mut door = command(&["door", "--listen", "127.0.0.1:0"], &HashMap::new())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(door.stderr.take().unwrap()).lines();
    let line = said.next_line().await.unwrap().unwrap();
    let address = line
        .strip_prefix("the door listens on ")
        .expect("it says where");
    let url = format!("http://{address}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |path: &str| client.get(format!("{url}{path}")).send();

    let early = ask("/.duckbot/ready").await.unwrap();
    assert_eq!(early.status(), 503);
    assert_eq!(early.text().await.unwrap(), "DuckDB does not answer yet\n");

    let mut duckdb = DuckDb::start().await;
    duckdb.runs("CALL start_ui_server();").await;
    // As a kubelet does: ask until it is ready.
    let ready = async { while ask("/.duckbot/ready").await.unwrap().status() != 200 {} };
    tokio::time::timeout(Duration::from_secs(30), ready)
        .await
        .expect("it gets ready");

    for path in [
        "/",
        "/info",
        "/ddb/run",
        "/localToken",
        "/.duckbot/",
        "/.duckbot/ready/x",
    ] {
        let answer = ask(path).await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        assert!(
            answer
                .text()
                .await
                .unwrap()
                .contains("door can't be opened")
        );
    }
}
