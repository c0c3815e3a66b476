//! Access to the team's tables with the person's own credentials.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use test_support::{Session, lake};

const DUCKS: &str = "FROM lake.zoo.ducks ORDER BY name";

/// Checks that nothing failed and the table is unchanged.
async fn assert_reads_ducks(session: &mut Session) {
    session.wait_until_prepared().await;
    let ducks = json!([{"name": "mallard", "grams": 1100}, {"name": "teal", "grams": 330}]);
    assert_eq!(session.rows(DUCKS).await, Ok(ducks), "{}", session.log());
    let error = session.rows("FROM memory.problems").await.unwrap_err();
    assert!(error.contains("problems does not exist"), "{error}");
}

#[tokio::test]
async fn a_table_answers_with_the_owners_credentials() {
    lake().s3.add_key("AKIAOWNER", "the-owners-secret");
    let mut session = Session::start("AKIAOWNER", "the-owners-secret");
    assert_reads_ducks(&mut session).await;
    let wrote = "CREATE TABLE lake.zoo.geese AS SELECT 'greylag' AS name";
    assert_eq!(session.run_sql(wrote).await, Ok(()));
    let geese = session.rows("FROM lake.zoo.geese").await;
    assert_eq!(geese, Ok(json!([{"name": "greylag"}])));
    assert_eq!(session.run_sql("DROP TABLE lake.zoo.geese").await, Ok(()));
}

#[tokio::test]
async fn temporary_credentials_come_with_their_token() {
    let expires = Utc::now() + TimeDelta::hours(1);
    let s3 = &lake().s3;
    s3.add_temporary_key(
        "ASIATEMPORARY",
        "a-short-secret",
        "a-session-token",
        expires,
    );
    let token = [("S3_SESSION_TOKEN", "a-session-token")];
    let mut session = Session::start_with("ASIATEMPORARY", "a-short-secret", &token);
    assert_reads_ducks(&mut session).await;
}

#[tokio::test]
async fn a_catalog_may_want_a_token() {
    lake().s3.add_key("AKIATOKEN", "a-secret-beside-a-token");
    let token = [("CATALOG_TOKEN", "a-token-for-the-catalog")];
    let mut session = Session::start_with("AKIATOKEN", "a-secret-beside-a-token", &token);
    assert_reads_ducks(&mut session).await;
}

#[tokio::test]
async fn a_catalog_may_know_the_team_by_oauth2() {
    lake().s3.add_key("AKIAOAUTH", "a-secret-beside-a-client");
    let server = format!("{}/v1/oauth/tokens", lake().catalog);
    for server in ["", &server] {
        let client = [
            ("CATALOG_OAUTH2_CLIENT_ID", "duck-team"),
            ("CATALOG_OAUTH2_CLIENT_SECRET", "the-clients-secret"),
            ("CATALOG_OAUTH2_SCOPE", "catalog"),
            ("CATALOG_OAUTH2_SERVER_URI", server),
        ];
        let mut session = Session::start_with("AKIAOAUTH", "a-secret-beside-a-client", &client);
        assert_reads_ducks(&mut session).await;
    }
}

#[tokio::test]
async fn another_persons_credentials_read_nothing() {
    let s3 = &lake().s3;
    s3.add_key("AKIASTRANGER", "a-strangers-secret");
    s3.deny("AKIASTRANGER", "s3:GetObject", "lake");
    let mut session = Session::start("AKIASTRANGER", "a-strangers-secret");
    session.wait_until_prepared().await;
    let error = session.rows(DUCKS).await.unwrap_err();
    assert!(error.contains("HTTP 403"), "{error}");
    let problems = session.problems().await;
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    assert_eq!(
        problems[0]["what"],
        "Reading a table of lake with your S3 credentials"
    );
}

#[tokio::test]
async fn an_admin_may_keep_people_to_some_folders() {
    lake().s3.add_key("AKIAFENCED", "a-secret-behind-a-fence");
    let fence = [("DUCKDB_FOLDERS", "s3://lake/")];
    let mut session = Session::start_with("AKIAFENCED", "a-secret-behind-a-fence", &fence);
    assert_reads_ducks(&mut session).await;
    for outside in [
        "FROM read_csv('https://example.com/a.csv')",
        "FROM read_text('/etc/passwd')",
        "FROM read_csv('s3://pond/a.csv')",
    ] {
        let error = session.rows(outside).await.unwrap_err();
        assert!(error.contains("Permission Error"), "{error}");
    }
    let error = session.run_sql("SET enable_external_access = true").await;
    assert!(error.is_err(), "people must not be able to lift the limits");
    for allowed in [
        "USE lake.zoo",
        "SET VARIABLE heavy = 1000",
        "CREATE SECRET other (TYPE s3, KEY_ID 'a', SECRET 'b', SCOPE 's3://pond')",
        "LOAD httpfs",
        "CREATE TABLE memory.main.heavy AS FROM ducks WHERE grams > getvariable('heavy')",
        "ATTACH ':memory:' AS scratch",
    ] {
        assert_eq!(session.run_sql(allowed).await, Ok(()), "{allowed}");
    }
    assert_eq!(session.tokenize("SELECT 1").await, 200);
}
