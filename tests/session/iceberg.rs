//! Changes of Iceberg tables: what works over a REST catalog, and what DuckDB refuses
//! (docs/operations.md lists both).

use serde_json::json;
use test_support::{Session, own_lake};

/// Runs statements, which must succeed.
async fn run(session: &Session, statements: &[&str]) {
    for statement in statements {
        assert_eq!(session.run_sql(statement).await, Ok(()), "{statement}");
    }
}

#[tokio::test]
async fn tables_are_merged_altered_and_created_in_version_3() {
    let lake = own_lake();
    lake.s3.add_key("AKIACHANGES", "a-secret-that-changes");
    let (catalog, s3) = (lake.catalog.as_str(), lake.s3.url());
    let own = [("CATALOG_ENDPOINT", catalog), ("S3_ENDPOINT", &s3)];
    let mut session = Session::start_with("AKIACHANGES", "a-secret-that-changes", &own);
    session.wait_until_prepared().await;

    // The table was written by pyiceberg.
    run(
        &session,
        &[
            "MERGE INTO lake.zoo.ducks t \
             USING (VALUES ('teal', 350), ('pintail', 850)) s(name, grams) ON t.name = s.name \
             WHEN MATCHED THEN UPDATE SET grams = s.grams \
             WHEN NOT MATCHED THEN INSERT VALUES (s.name, s.grams)",
            "ALTER TABLE lake.zoo.ducks ADD COLUMN wings INTEGER",
            "ALTER TABLE lake.zoo.ducks ALTER COLUMN wings TYPE BIGINT",
            "ALTER TABLE lake.zoo.ducks RENAME COLUMN wings TO wing_count",
            "UPDATE lake.zoo.ducks SET wing_count = 2 WHERE name = 'teal'",
            "DELETE FROM lake.zoo.ducks WHERE name = 'mallard'",
        ],
    )
    .await;
    let rows = session.rows("FROM lake.zoo.ducks ORDER BY name").await;
    let left = json!([
        {"name": "pintail", "grams": 850, "wing_count": null},
        {"name": "teal", "grams": 350, "wing_count": 2},
    ]);
    assert_eq!(rows, Ok(left));
    run(
        &session,
        &[
            "ALTER TABLE lake.zoo.ducks DROP COLUMN wing_count",
            "ALTER TABLE lake.zoo.ducks RENAME TO birds",
            "CREATE TABLE lake.zoo.v3 (id INTEGER, name VARCHAR) WITH ('format-version' = '3')",
            "INSERT INTO lake.zoo.v3 VALUES (1, 'a'), (2, 'b')",
            "MERGE INTO lake.zoo.v3 t USING (SELECT 1 AS id) s ON t.id = s.id \
             WHEN MATCHED THEN DELETE",
            "ALTER TABLE lake.zoo.v3 ADD COLUMN more INTEGER DEFAULT 5",
        ],
    )
    .await;
    let rows = session.rows("FROM lake.zoo.v3").await;
    assert_eq!(rows, Ok(json!([{"id": 2, "name": "b", "more": 5}])));
    let deletes = "SELECT DISTINCT file_format FROM iceberg_metadata(lake.zoo.v3) \
                   WHERE content = 'POSITION_DELETES'";
    let formats = session.rows(deletes).await.unwrap();
    assert_eq!(formats, json!([{"file_format": "puffin"}]), "version 3");

    for (statement, why) in [
        (
            "ALTER TABLE lake.zoo.birds ADD COLUMN more INTEGER DEFAULT 5",
            "non-null DEFAULT values are not supported for <V3 tables",
        ),
        (
            "ALTER TABLE lake.zoo.birds ALTER COLUMN name SET NOT NULL",
            "Cannot change nullable column to non-nullable",
        ),
        (
            "CREATE VIEW lake.zoo.few AS SELECT 1",
            "Not implemented Error: Create View",
        ),
    ] {
        let error = session.run_sql(statement).await.unwrap_err();
        assert!(error.contains(why), "{statement}: {error}");
    }
}

#[tokio::test]
async fn namespaces_in_namespaces_of_icebergs_own_catalog_are_listed() {
    let lake = own_lake();
    lake.s3.add_key("AKIANESTED", "a-secret-in-a-namespace");
    let (catalog, s3) = (lake.catalog.as_str(), lake.s3.url());
    let own = [("CATALOG_ENDPOINT", catalog), ("S3_ENDPOINT", &s3)];
    let mut first = Session::start_with("AKIANESTED", "a-secret-in-a-namespace", &own);
    first.wait_until_prepared().await;
    run(
        &first,
        &[
            "CREATE SCHEMA lake.outer_level",
            "CREATE SCHEMA lake.\"outer_level.inner\"",
            "CREATE TABLE lake.\"outer_level.inner\".geese AS SELECT 'greylag' AS name, 1 AS n",
        ],
    )
    .await;
    let mut second = Session::start_with("AKIANESTED", "a-secret-in-a-namespace", &own);
    second.wait_until_prepared().await;
    let tables = "SELECT schema_name, table_name FROM duckdb_tables() \
                  WHERE database_name = 'lake' ORDER BY ALL";
    let all = json!([
        {"schema_name": "outer_level.inner", "table_name": "geese"},
        {"schema_name": "zoo", "table_name": "ducks"},
    ]);
    assert_eq!(second.rows(tables).await, Ok(all), "{}", second.log());
    let geese = second.rows("FROM lake.\"outer_level.inner\".geese").await;
    assert_eq!(geese, Ok(json!([{"name": "greylag", "n": 1}])));
}
