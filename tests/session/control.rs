//! The bot's commands to a running session, and tokens that expire.

use std::{collections::HashMap, pin::pin, time::Duration};

use chrono::Utc;
use duckbot::{door::ticket::SigningKey, duckdb::control::ControlCommand};
use serde_json::json;
use test_support::{Session, TokenCatalog, lake, wait_until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

const COUNT: &str = "SELECT count(*) AS ducks FROM lake.zoo.ducks";
const KEY_ID: &str = "AKIACONTROLLED";
const SECRET: &str = "a-secret-for-controlled-sessions";
/// Counts ducks for some seconds on two cores.
const LONG_COUNT: &str = "SELECT count(*) AS ducks FROM lake.zoo.ducks, range(3000000) a, \
    range(300) b WHERE a.range * b.range % 7 = 9";

/// Session whose owner's catalog token can be replaced.
struct Controlled {
    session: Session,
    catalog: TokenCatalog,
    key: SigningKey,
}

impl Controlled {
    /// Starts a session with the token `first`, which the catalog accepts.
    async fn start(key_id: &str) -> Self {
        Self::start_with(key_id, &[]).await
    }

    /// Same as [`Self::start`], with access only to these folders, if there are any.
    async fn start_within(key_id: &str, folders: &str) -> Self {
        Self::start_with(key_id, &[("DUCKDB_FOLDERS", folders)]).await
    }

    /// Same as [`Self::start`], with other values for some variables.
    async fn start_with(key_id: &str, differing: &[(&str, &str)]) -> Self {
        lake().s3.add_key(key_id, SECRET);
        let catalog = TokenCatalog::start(Duration::from_secs(60)).await;
        catalog.accept_only("first-token");
        let key = new_key();
        let (url, public) = (catalog.url(), key.public());
        let variables = [
            ("CATALOG_ENDPOINT", &*url),
            ("CATALOG_TOKEN", "first-token"),
            ("CONTROL_KEY", &*public),
        ];
        let mut session = Session::start_with(key_id, SECRET, &[&variables, differing].concat());
        session.wait_until_prepared().await;
        Self {
            session,
            catalog,
            key,
        }
    }

    fn sign(&self, command: ControlCommand) -> String {
        self.key.sign(command, "977a26", Utc::now())
    }

    /// Processor time that DuckDB has used, in hundredths of a second.
    fn processor_ticks(&self) -> u64 {
        let stat = format!("/proc/{}/stat", self.session.duckdb());
        let stat = std::fs::read_to_string(stat).unwrap();
        // The fields after the name in parentheses; the 12th is the time in user mode.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(11).unwrap().parse().unwrap()
    }

    /// Sends the token `second-token`, which the catalog accepts when it is tried, but not when the
    /// catalog is attached again.
    async fn detach(&self, key_id: &str) {
        self.catalog.accept_only("second-token");
        self.catalog.limit_requests(Some(1));
        let signed = self.sign(renewal(key_id, SECRET, "second-token"));
        let answer = self.session.send_command(&signed).await;
        assert!(answer.starts_with(r#"{"detached":"#), "{answer}");
        self.catalog.limit_requests(None);
    }

    async fn assert_answers(&self) {
        let rows = self.session.rows(COUNT).await;
        assert_eq!(rows, Ok(json!([{"ducks": 2}])), "{}", self.session.log());
    }
}

fn new_key() -> SigningKey {
    SigningKey::read("k1", &SigningKey::generate()).unwrap()
}

fn renewal(key_id: &str, secret: &str, token: &str) -> ControlCommand {
    let variables = [
        ("S3_ACCESS_KEY_ID", key_id),
        ("S3_SECRET_ACCESS_KEY", secret),
        ("CATALOG_TOKEN", token),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ControlCommand::RenewCredentials {
        variables: HashMap::from(variables),
    }
}

#[tokio::test]
async fn a_new_token_is_used_and_a_running_query_goes_on() {
    let it = Controlled::start("AKIACONTROLLED1").await;
    it.assert_answers().await;
    let before = it.processor_ticks();
    let mut long = pin!(it.session.rows(LONG_COUNT));
    let renewed = async {
        // Beginning a query takes some milliseconds.
        let used = async || it.processor_ticks() - before;
        wait_until(used, |ticks| *ticks > 50).await;
        it.catalog.accept_only("second-token");
        let signed = it.sign(renewal("AKIACONTROLLED1", SECRET, "second-token"));
        it.session.send_command(&signed).await
    };
    tokio::select! {
        biased;
        rows = &mut long => panic!("the query ended before the renewal: {rows:?}"),
        answer = renewed => assert_eq!(answer, r#""done""#, "{}", it.session.log()),
    }
    assert_eq!(long.await, Ok(json!([{"ducks": 0}])));
    it.assert_answers().await;
    assert_eq!(it.catalog.used_tokens(), ["first-token", "second-token"]);
    assert!(!it.session.log().contains("second-token"));
}

#[tokio::test]
async fn new_s3_credentials_are_used() {
    let it = Controlled::start("AKIACONTROLLED2").await;
    let s3 = &lake().s3;
    s3.add_key("AKIARENEWED", "a-renewed-secret");
    s3.forget("AKIACONTROLLED2");
    let no_cache = "SET GLOBAL enable_external_file_cache = false";
    assert_eq!(it.session.run_sql(no_cache).await, Ok(()));
    let error = it.session.rows(COUNT).await.unwrap_err();
    assert!(error.contains("HTTP"), "{error}");
    let signed = it.sign(renewal("AKIARENEWED", "a-renewed-secret", "first-token"));
    assert_eq!(it.session.send_command(&signed).await, r#""done""#);
    it.assert_answers().await;
    assert!(!it.session.log().contains("a-renewed-secret"));
}

#[tokio::test]
async fn a_session_whose_settings_are_locked_takes_new_credentials() {
    let it = Controlled::start_within("AKIACONTROLLED4", "s3://lake/").await;
    let error = it.session.run_sql("SET threads = 1").await.unwrap_err();
    assert!(error.contains("has been locked"), "{error}");
    lake().s3.add_key("AKIARENEWED4", "a-renewed-secret");
    lake().s3.forget("AKIACONTROLLED4");
    it.catalog.accept_only("second-token");
    let signed = it.sign(renewal("AKIARENEWED4", "a-renewed-secret", "second-token"));
    let answer = it.session.send_command(&signed).await;
    assert_eq!(answer, r#""done""#, "{}", it.session.log());
    it.assert_answers().await;
}

#[tokio::test]
async fn a_token_that_the_catalog_refuses_changes_nothing() {
    let it = Controlled::start("AKIACONTROLLED3").await;
    let signed = it.sign(renewal("AKIAUNKNOWN", "an-unknown-secret", "a-wrong-token"));
    let answer = it.session.send_command(&signed).await;
    assert!(
        answer.contains("Trying the new token of the catalog lake"),
        "{answer}"
    );
    assert!(!answer.contains("a-wrong-token"), "{answer}");
    it.assert_answers().await;
}

#[tokio::test]
async fn a_catalog_that_can_not_be_attached_again_is_told_and_the_next_renewal_attaches_it() {
    let it = Controlled::start("AKIACONTROLLED5").await;
    it.detach("AKIACONTROLLED5").await;
    let problems = it.session.problems().await.to_string();
    assert!(
        problems.contains("Attaching the catalog lake again"),
        "{problems}"
    );
    let signed = it.sign(renewal("AKIACONTROLLED5", SECRET, "second-token"));
    let answer = it.session.send_command(&signed).await;
    assert_eq!(answer, r#""done""#, "{}", it.session.log());
    it.assert_answers().await;
    assert!(!it.session.log().contains("second-token"));
}

#[tokio::test]
async fn the_previous_token_attaches_a_detached_catalog() {
    let it = Controlled::start("AKIACONTROLLED6").await;
    it.detach("AKIACONTROLLED6").await;
    it.catalog.accept_only("first-token");
    let signed = it.sign(renewal("AKIACONTROLLED6", SECRET, "first-token"));
    let answer = it.session.send_command(&signed).await;
    assert_eq!(answer, r#""done""#, "{}", it.session.log());
    it.assert_answers().await;
}

#[tokio::test]
async fn a_catalog_that_can_not_be_detached_keeps_its_credentials() {
    let it = Controlled::start("AKIACONTROLLED7").await;
    // The entry point can't leave the catalog without this database.
    let sql = "USE lake.zoo; DETACH memory";
    assert_eq!(it.session.run_sql(sql).await, Ok(()));
    it.catalog.accept_only("second-token");
    let signed = it.sign(renewal("AKIARENEWED7", "a-renewed-secret", "second-token"));
    let answer = it.session.send_command(&signed).await;
    assert!(answer.contains("Detaching the catalog lake"), "{answer}");
    let s3 = "SELECT secret_string FROM duckdb_secrets() WHERE name = 's3'";
    let s3 = it.session.rows(s3).await.unwrap().to_string();
    assert!(s3.contains("key_id=AKIACONTROLLED7;"), "{s3}");
    it.catalog.accept_only("first-token");
    let attach = format!(
        "ATTACH '' AS again (TYPE iceberg, ENDPOINT '{}', SECRET catalog, \
         ACCESS_DELEGATION_MODE 'none')",
        it.catalog.url()
    );
    assert_eq!(it.session.run_sql(&attach).await, Ok(()));
}

#[tokio::test]
async fn only_what_the_bot_signed_is_carried_out_and_only_once() {
    let it = Controlled::start(KEY_ID).await;
    let command = || renewal(KEY_ID, SECRET, "first-token");
    let signed = it.sign(command());
    assert_eq!(it.session.send_command(&signed).await, r#""done""#);
    for (signed, why) in [
        (signed, "already used"),
        (new_key().sign(command(), "977a26", Utc::now()), "not sign"),
        (
            it.key.sign(command(), "1b2c3d", Utc::now()),
            "another session",
        ),
        (it.key.ticket("977a26", Utc::now()), "not sign"),
        ("DROP TABLE lake.zoo.ducks".into(), "not sign"),
    ] {
        let answer = it.session.send_command(&signed).await;
        assert!(answer.contains(why), "{answer}");
    }
    it.assert_answers().await;
}

#[tokio::test]
async fn a_session_without_a_key_takes_no_commands() {
    lake().s3.add_key(KEY_ID, SECRET);
    let mut session = Session::start(KEY_ID, SECRET);
    session.wait_until_prepared().await;
    let signed = new_key().sign(renewal(KEY_ID, SECRET, "x"), "977a26", Utc::now());
    assert_eq!(session.send_command(&signed).await, r#""not_supported""#);
}

#[tokio::test]
async fn a_key_that_can_not_be_read_is_named_in_the_log() {
    let wrong = [("CONTROL_KEY", "k1:not-a-key")];
    let mut session = Session::start_with(KEY_ID, SECRET, &wrong);
    session
        .wait_for_log("CONTROL_KEY is not a key, so the bot's commands are refused")
        .await;
}

#[tokio::test]
async fn a_team_client_with_short_tokens_answers_after_they_expired() {
    lake().s3.add_key(KEY_ID, SECRET);
    let catalog = TokenCatalog::start(Duration::from_secs(4)).await;
    let (url, server) = (catalog.url(), format!("{}/v1/oauth/tokens", catalog.url()));
    let client = [
        ("CATALOG_ENDPOINT", &*url),
        ("CATALOG_OAUTH2_CLIENT_ID", "duck-team"),
        ("CATALOG_OAUTH2_CLIENT_SECRET", "the-clients-secret"),
        ("CATALOG_OAUTH2_SERVER_URI", &server),
    ];
    let mut session = Session::start_with(KEY_ID, SECRET, &client);
    session.wait_until_prepared().await;
    for _ in 0..3 {
        let rows = session.rows(COUNT).await;
        assert_eq!(rows, Ok(json!([{"ducks": 2}])), "{}", session.log());
        wait_until(async || catalog.is_expired(), |expired| *expired).await;
    }
    let rows = session.rows(COUNT).await;
    assert_eq!(rows, Ok(json!([{"ducks": 2}])), "{}", session.log());
    assert!(catalog.used_tokens().len() > 3);
}

#[tokio::test]
async fn the_socket_of_a_confined_session_gives_its_credentials_to_nobody() {
    let it = Controlled::start_with("AKIACONTROLLED5", &[("DUCKDB_CONFINED", "true")]).await;
    lake().s3.add_key("AKIARENEWED5", "a-renewed-secret");
    it.catalog.accept_only("second-token");
    let signed = it.sign(renewal("AKIARENEWED5", "a-renewed-secret", "second-token"));
    assert_eq!(it.session.send_command(&signed).await, r#""done""#);
    // Landlock does not keep the processes of other sessions from connecting.
    let socket = it.session.home().join(".duckdb/control.sock");
    let mut socket = UnixStream::connect(socket).await.unwrap();
    socket.write_all(b"credentials\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "{}");
}
