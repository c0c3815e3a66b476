//! Credentials for the storage that the catalog hands out (`vended_credentials`).

use std::time::Duration;

use serde_json::json;
use test_support::{Session, TokenCatalog, VENDED_CREDENTIALS, wait_until};

const COUNT: &str = "SELECT count(*) AS ducks FROM lake.zoo.ducks";

/// Starts a session of a person with a catalog token and no S3 keys.
async fn start(catalog: &TokenCatalog) -> Session {
    let url = catalog.url();
    let variables = [
        ("CATALOG_ENDPOINT", &*url),
        ("CATALOG_TOKEN", "anas-token"),
        ("CATALOG_VENDED_CREDENTIALS", "true"),
    ];
    let mut session = Session::start_with("", "", &variables);
    session.wait_until_prepared().await;
    session
}

async fn catalog(lifetime: Duration) -> TokenCatalog {
    let catalog = TokenCatalog::start(Duration::from_secs(60)).await;
    catalog.accept_only("anas-token");
    catalog.vend_credentials(lifetime);
    catalog
}

async fn assert_counts(session: &Session) {
    let rows = session.rows(COUNT).await;
    assert_eq!(rows, Ok(json!([{"ducks": 2}])), "{}", session.log());
}

#[tokio::test]
async fn a_token_is_enough_and_the_catalogs_credentials_stay_in_duckdb() {
    let catalog = catalog(Duration::from_secs(900)).await;
    let session = start(&catalog).await;
    assert_counts(&session).await;
    let problems = session.rows("FROM memory.main.problems").await;
    assert!(problems.is_err_and(|why| why.contains("does not exist")));
    for secret in VENDED_CREDENTIALS {
        assert!(!session.log().contains(secret), "{}", session.log());
    }
}

#[tokio::test]
async fn expired_credentials_are_replaced() {
    let catalog = catalog(Duration::from_secs(2)).await;
    let session = start(&catalog).await;
    for _ in 0..3 {
        let before = catalog.vended_count();
        assert_counts(&session).await;
        assert!(catalog.vended_count() > before);
        wait_until(async || catalog.are_vended_expired(), |is| *is).await;
    }
    assert_counts(&session).await;
}

#[tokio::test]
async fn a_transaction_goes_on_when_its_credentials_expire() {
    let catalog = catalog(Duration::from_secs(2)).await;
    let session = start(&catalog).await;
    session.run_sql("BEGIN").await.unwrap();
    assert_counts(&session).await;
    wait_until(async || catalog.are_vended_expired(), |is| *is).await;
    assert_counts(&session).await;
    session.run_sql("COMMIT").await.unwrap();
}

#[tokio::test]
async fn a_table_whose_credentials_are_missing_is_a_problem_of_the_catalog() {
    let catalog = TokenCatalog::start(Duration::from_secs(60)).await;
    catalog.accept_only("anas-token");
    let session = start(&catalog).await;
    let rows = session.rows("SELECT what FROM memory.main.problems").await;
    let what = "Reading a table of lake with the credentials that the catalog hands out";
    assert_eq!(rows, Ok(json!([{ "what": what }])));
}
