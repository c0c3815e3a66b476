//! Tests of the demo lake with DuckDB as its client.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use demo_lake::{BUCKET, Lake};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{WAIT_TIMEOUT, tools};

const CREDENTIALS: [(&str, &str); 1] = [("AKIATHEDUCKS", "quack")];

/// Number of sightings of ducks with ducklings.
const DUCKLINGS: &str = "SELECT count(*) FROM lake.pond.sightings WHERE note = 'with ducklings';";

/// Places with the most birds in 2025.
const BUSIEST: &str = "SELECT p.name, p.country, sum(s.birds) AS birds \
    FROM lake.pond.sightings s JOIN lake.pond.places p ON p.id = s.place_id \
    WHERE year(s.seen_at) = 2025 GROUP BY ALL ORDER BY birds DESC LIMIT 3;";

/// Number of sightings of each endangered species.
const RAREST: &str = "SELECT d.name, d.status, count(*) AS sightings \
    FROM lake.pond.sightings s JOIN lake.pond.species d ON d.id = s.species_id \
    WHERE d.status LIKE '%ndangered' GROUP BY ALL ORDER BY sightings DESC;";

/// Row counts and a checksum of all tables.
const EVERYTHING: &str = "SELECT \
    (SELECT count(*) FROM lake.pond.species), (SELECT count(*) FROM lake.pond.places), \
    (SELECT count(*) FROM lake.pond.sightings), (SELECT sum(birds) FROM lake.pond.sightings), \
    (SELECT md5_number_lower(string_agg(concat_ws(',', seen_at, species_id, place_id, birds, \
        observer, note), ';' ORDER BY id)) FROM lake.pond.sightings);";

async fn serve(folder: &Path) -> Lake {
    Lake::serve(folder, &CREDENTIALS).await.unwrap()
}

async fn fill(lake: &Lake) -> anyhow::Result<()> {
    let tools = tools::duckdb();
    let extensions = tools.join("extensions");
    lake.fill(&tools.join("duckdb"), Some(&extensions)).await
}

/// Runs SQL in DuckDB. Returns its output or its error.
async fn ask(lake: &Lake, secret: &str, sql: &str) -> Result<String, String> {
    let sql = format!(
        "SET extension_directory = '{}'; LOAD httpfs; LOAD avro; LOAD iceberg;
         SET http_retries = 0;
         CREATE SECRET s (TYPE s3, KEY_ID '{}', SECRET '{secret}',
             REGION 'us-east-1', URL_STYLE 'path', ENDPOINT '{}', USE_SSL false);
         ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{}', AUTHORIZATION_TYPE 'none',
             ACCESS_DELEGATION_MODE 'none');
         {sql}",
        tools::duckdb().join("extensions").display(),
        CREDENTIALS[0].0,
        lake.s3_url().trim_start_matches("http://"),
        lake.catalog_url(),
    );
    let output = tokio::process::Command::new(tools::duckdb().join("duckdb"))
        .args(["-batch", "-bail", "-csv", "-noheader", "-init", "/dev/null"])
        .args(["-c", &sql])
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() {
        // The first line is the result of CREATE SECRET.
        Ok(text(output.stdout).replacen("true", "", 1).trim().into())
    } else {
        Err(text(output.stderr))
    }
}

async fn answer(lake: &Lake, sql: &str) -> String {
    ask(lake, CREDENTIALS[0].1, sql).await.unwrap()
}

async fn post(lake: &Lake, path: &str, body: &Value) -> Response {
    let url = format!("{}/v1/{path}", lake.catalog_url());
    Client::new().post(url).json(body).send().await.unwrap()
}

async fn get(lake: &Lake, path: &str) -> Response {
    reqwest::get(format!("{}/v1/{path}", lake.catalog_url()))
        .await
        .unwrap()
}

/// Returns the status and Iceberg's name of the error.
async fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], status);
    (status, body["error"]["type"].as_str().unwrap().to_owned())
}

/// Creates a namespace `x` with tables of these names.
async fn with_tables(lake: &Lake, names: &[&str]) {
    let made = post(lake, "namespaces", &json!({ "namespace": ["x"] })).await;
    assert_eq!(made.status(), StatusCode::OK);
    for name in names {
        let fields = json!([{ "id": 1, "name": "i", "type": "int", "required": false }]);
        let table = json!({ "name": name, "schema": { "type": "struct", "fields": fields } });
        let made = post(lake, "namespaces/x/tables", &table).await;
        assert_eq!(made.status(), StatusCode::OK);
    }
}

/// Commit of the first snapshot of a table.
fn first_snapshot(table: &str, id: i64) -> Value {
    json!({
        "identifier": { "namespace": ["x"], "name": table },
        "requirements": [
            { "type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": null },
        ],
        "updates": [
            { "action": "add-snapshot", "snapshot": {
                "snapshot-id": id, "sequence-number": 1, "timestamp-ms": 1,
                "manifest-list": "s3://lake/x/none.avro", "summary": { "operation": "append" },
            } },
            { "action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
              "snapshot-id": id },
        ],
    })
}

async fn current(lake: &Lake, table: &str) -> Value {
    let table = get(lake, &format!("namespaces/x/tables/{table}")).await;
    let table: Value = table.json().await.unwrap();
    table["metadata"]["current-snapshot-id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_filled_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    assert!(!lake.is_filled());
    fill(&lake).await.unwrap();
    assert!(lake.is_filled());
    let everything = answer(&lake, EVERYTHING).await;
    assert_eq!(everything, "16,40,1000000,11920190,3152877942492938153");

    drop(lake);
    let lake = serve(folder.path()).await;
    assert!(lake.is_filled());
    assert_eq!(answer(&lake, EVERYTHING).await, everything);
    assert_eq!(answer(&lake, DUCKLINGS).await, "8055");
    // DuckDB quotes some values.
    let plain = |rows: String| rows.replace('"', "");
    let busiest = "Neusiedler See,Austria,324057\nTjörnin,Iceland,225682\n\
        Vondelpark,Netherlands,207003";
    assert_eq!(plain(answer(&lake, BUSIEST).await), busiest);
    let rarest = "White-headed duck,Endangered,4681\nBaer's pochard,Critically Endangered,969";
    assert_eq!(plain(answer(&lake, RAREST).await), rarest);

    let error = ask(&lake, "wrong", DUCKLINGS).await.unwrap_err();
    assert!(error.contains("403"), "{error}");
    let catalog = get(&lake, "namespaces/pond/tables/species").await;
    let catalog: Value = catalog.json().await.unwrap();
    let location = catalog["metadata-location"].as_str().unwrap();
    let object = location.replace("s3:/", &lake.s3_url());
    let unsigned = reqwest::get(object).await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_created_again() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    let half = async {
        while get(&lake, "namespaces/pond/tables/places").await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        filled = fill(&lake) => panic!("filled before the test interrupted it: {filled:?}"),
        () = half => {}
    }
    assert!(!lake.is_filled());
    let pond = folder.path().join("s3").join(BUCKET).join("pond");
    let trace = pond.join("trace");
    std::fs::write(&trace, "of the killed run").unwrap();

    fill(&lake).await.unwrap();
    assert!(lake.is_filled());
    assert!(!trace.exists());
    assert_eq!(answer(&lake, DUCKLINGS).await, "8055");
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_writes_and_drops_tables() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    // Names of maximum length.
    let schema = "mine".repeat(10);
    let name = "my ducks".repeat(5);
    assert_eq!((schema.len(), name.len()), (40, 40));
    let table = format!("lake.{schema}.\"{name}\"");
    let sql = format!(
        "CREATE SCHEMA lake.{schema};
         CREATE TABLE {table} (name TEXT, grams INT);
         INSERT INTO {table} VALUES ('mallard', 1100), ('teal', 330);
         UPDATE {table} SET grams = 340 WHERE name = 'teal';
         DELETE FROM {table} WHERE name = 'mallard';
         FROM {table};"
    );
    let said = answer(&lake, &sql).await;
    assert_eq!(said.lines().last(), Some("teal,340"), "{said}");

    drop(lake);
    let lake = serve(folder.path()).await;
    let list = "SELECT schema || '.' || name FROM (SHOW ALL TABLES);";
    assert_eq!(answer(&lake, list).await, format!("{schema}.{name}"));
    let drop = format!("DROP TABLE {table}; DROP SCHEMA lake.{schema}; FROM (SHOW ALL TABLES);");
    assert_eq!(answer(&lake, &drop).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_purges_a_table_removes_its_files() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    with_tables(&lake, &["kept", "purged"]).await;
    for (name, purge) in [("kept", false), ("purged", true)] {
        let catalog = lake.catalog_url();
        let url = format!("{catalog}/v1/namespaces/x/tables/{name}?purgeRequested={purge}");
        let dropped = Client::new().delete(url).send().await.unwrap();
        assert_eq!(dropped.status(), StatusCode::NO_CONTENT);
        let files = folder.path().join("s3").join(BUCKET).join("x").join(name);
        assert_eq!(files.exists(), !purge, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_commits_on_the_same_state_one_fails() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    with_tables(&lake, &["a", "b"]).await;

    let first = post(&lake, "namespaces/x/tables/a", &first_snapshot("a", 1)).await;
    assert_eq!(first.status(), StatusCode::OK);
    let second = post(&lake, "namespaces/x/tables/a", &first_snapshot("a", 2)).await;
    let conflict = (409, "CommitFailedException".to_owned());
    assert_eq!(refused(second).await, conflict);
    assert_eq!(current(&lake, "a").await, 1);

    let both = json!({ "table-changes": [first_snapshot("b", 3), first_snapshot("a", 4)] });
    let both = post(&lake, "transactions/commit", &both).await;
    assert_eq!(refused(both).await, conflict);
    assert_eq!(
        current(&lake, "b").await,
        Value::Null,
        "a failed commit must change no table"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_commits_at_once_one_succeeds() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    with_tables(&lake, &["a"]).await;
    let url = format!("{}/v1/namespaces/x/tables/a", lake.catalog_url());
    let commits = (1..=20).map(|id| {
        let request = Client::new().post(&url).json(&first_snapshot("a", id));
        tokio::spawn(async move { request.send().await.unwrap().status() })
    });
    let commits: Vec<_> = commits.collect();
    let mut succeeded = 0;
    for commit in commits {
        succeeded += i32::from(commit.await.unwrap() == StatusCode::OK);
    }
    assert_eq!(succeeded, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_the_words_of_iceberg() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    with_tables(&lake, &["a"]).await;
    let schema = json!({ "type": "struct", "fields": [] });
    let at = |place: &str| json!({ "name": "b", "schema": schema, "location": place });
    let table = |name: &str| json!({ "name": name, "schema": schema });
    for (path, body, status, kind) in [
        ("views", json!({}), 404, "NoSuchRouteException"),
        ("config", json!({}), 404, "NoSuchRouteException"),
        ("namespaces", json!(4), 400, "BadRequestException"),
        (
            "namespaces",
            json!({ "namespace": [] }),
            400,
            "BadRequestException",
        ),
        (
            "namespaces",
            json!({ "namespace": ["a", "b"] }),
            400,
            "BadRequestException",
        ),
        (
            "namespaces",
            json!({ "namespace": [".."] }),
            400,
            "BadRequestException",
        ),
        (
            "namespaces",
            json!({ "namespace": ["x"] }),
            409,
            "AlreadyExistsException",
        ),
        (
            "namespaces/y/tables",
            table("b"),
            404,
            "NoSuchNamespaceException",
        ),
        (
            "namespaces/x/tables",
            table("a"),
            409,
            "AlreadyExistsException",
        ),
        (
            "namespaces/x/tables",
            table("../a"),
            400,
            "BadRequestException",
        ),
        (
            "namespaces/x/tables",
            table(&"b".repeat(41)),
            400,
            "BadRequestException",
        ),
        ("namespaces/x/tables", table(""), 400, "BadRequestException"),
        (
            "namespaces/x/tables",
            at("s3://lake/../../b"),
            400,
            "BadRequestException",
        ),
        (
            "namespaces/x/tables",
            at("s3://other/b"),
            400,
            "BadRequestException",
        ),
        (
            "namespaces/x/tables",
            at("/etc"),
            400,
            "BadRequestException",
        ),
        (
            "namespaces/x/tables/b",
            first_snapshot("b", 1),
            404,
            "NoSuchTableException",
        ),
        (
            "transactions/commit",
            json!({ "table-changes": [{}] }),
            400,
            "BadRequestException",
        ),
    ] {
        let refused = refused(post(&lake, path, &body).await).await;
        assert_eq!(refused, (status, kind.to_owned()), "{path} {body}");
    }
    let missing = refused(get(&lake, "namespaces/x/tables/b").await).await;
    assert_eq!(missing, (404, "NoSuchTableException".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_in_a_sentence() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Lake::serve(&file, &CREDENTIALS).await.err().unwrap();
    let said = format!("{error:#}");
    assert!(said.starts_with("Can't create the folder "), "{said}");

    let lake = serve(&folder.path().join("lake")).await;
    let error = lake.fill(Path::new("/no/duckdb"), None).await.unwrap_err();
    let said = format!("{error:#}");
    assert_eq!(
        said,
        "Can't run /no/duckdb: No such file or directory (os error 2)"
    );
    let nowhere = folder.path().join("none");
    let duckdb = tools::duckdb().join("duckdb");
    let error = lake.fill(&duckdb, Some(&nowhere)).await.unwrap_err();
    let said = format!("{error:#}");
    assert!(
        said.starts_with("DuckDB can't create the demo tables: "),
        "{said}"
    );
    assert!(!lake.is_filled());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_dropped() {
    let folder = TempDir::new().unwrap();
    let lake = serve(folder.path()).await;
    // Use one client, whose connections stay open.
    let client = Client::new();
    for url in [lake.s3_url(), lake.catalog_url()] {
        client.get(url).send().await.unwrap();
    }
    let urls = [lake.s3_url(), lake.catalog_url()];
    drop(lake);
    let ended = async {
        for url in urls {
            while client.get(&url).send().await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, ended).await.unwrap();
}
