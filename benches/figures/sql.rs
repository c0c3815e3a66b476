//! A small query on the lake from the chat, with the local runtime. It is compared with DuckDB's
//! command line (started, attached, and given the same query), and with DuckDB's own query time.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use test_support::{LocalEnv, assert_says, lake, tools};
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    stats::{stats, time_stats},
    table::{Aim, Row},
};

const ROUNDS: usize = 31;
const QUERY: &str = "SELECT sum(grams) AS grams FROM lake.zoo.ducks";
const KEY: [&str; 2] = ["AKIAFIGURES", "a-secret-for-figures"];

/// Runs one query. Returns the total time, and DuckDB's own part of it in ms.
async fn time_one(home: &LocalEnv) -> (Duration, f64) {
    let begin = Instant::now();
    let line = format!("/duck sql query:{QUERY}");
    let asked = home.ana.run_command("#data", &line).await.unwrap();
    let told = asked.until(|it| it.content.contains("1 row in ")).await;
    let took = begin.elapsed();
    assert_says(&told, "1430");
    let own = told.content.split("1 row in ").nth(1).unwrap();
    (took, own.split(' ').next().unwrap().parse().unwrap())
}

/// Runs the query in DuckDB's command line. Returns the time from its start to its end.
async fn bare() -> Duration {
    let sql = format!(
        "SET extension_directory = '{}';
         LOAD httpfs; LOAD avro; LOAD iceberg;
         CREATE SECRET s (TYPE s3, KEY_ID '{}', SECRET '{}', REGION 'us-east-1',
             URL_STYLE 'path', ENDPOINT '{}', USE_SSL false);
         ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{}', AUTHORIZATION_TYPE 'none',
             ACCESS_DELEGATION_MODE 'none');
         {QUERY};",
        tools::duckdb().join("extensions").display(),
        KEY[0],
        KEY[1],
        lake().s3.url().trim_start_matches("http://"),
        lake().catalog,
    );
    let begin = Instant::now();
    let mut running = Command::new(tools::duckdb().join("duckdb"))
        .args(["-batch", "-bail", "-csv", "-init", "/dev/null"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = running.stdin.take().unwrap();
    input.write_all(sql.as_bytes()).await.unwrap();
    drop(input);
    let ended = running.wait_with_output().await.unwrap();
    let took = begin.elapsed();
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(said.contains("1430"), "{said}");
    took
}

pub async fn rows() -> Vec<Row> {
    let mut home = LocalEnv::start().await;
    home.skip_end_check();
    for (name, value) in [
        ("DUCKBOT_LOG__FILTER", "info"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", &*lake().catalog),
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &*lake().s3.url()),
    ] {
        home.variables.insert(name.into(), value.into());
    }
    home.restart_bot().await;
    lake().s3.add_key(KEY[0], KEY[1]);
    home.enter_key_pair(&home.ana.clone(), KEY[0], KEY[1]).await;
    let asked = home.ana.run_command("#data", "/duck start").await.unwrap();
    asked.until(|it| it.content.contains("is ready")).await;
    let (mut with, mut without, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(bare().await);
        let (took, part) = time_one(&home).await;
        with.push(took);
        own.push(part);
    }
    let (with, without) = (time_stats(&with), time_stats(&without));
    let own = stats(own).median;
    vec![Row {
        what: "`/duck sql`, a small query on an Iceberg table, to its result",
        aim: "measured only",
        floor: format!("{:.0} ms", without.median),
        ours: format!(
            "{:.0} ms, of which {own:.0} ms for the query itself",
            with.median
        ),
        p95: format!("{:.0} ms", with.p95),
        figure: with.median / without.median,
        is_ratio: true,
        limits: Aim::None,
    }]
}
