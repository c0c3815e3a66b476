//! Work that stays: notebooks and tables outlive a session.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
use duckbot::{
    catalog::values::S3Endpoint,
    door::ticket::SigningKey,
    duckdb::control::{ControlCommand, ControlResponse},
    work::{Restored, S3Access, SaveFailureReason, WorkKey, WorkLocation, WorkReport, WorkStore},
};
use tempfile::TempDir;
use test_support::{S3, Session, lake, signal};

/// Time for the last save, and for a Pod to end.
pub(super) const GRACE: Duration = Duration::from_secs(30);
pub(super) const SECRET: &str = "a-secret-for-saved-work-CANARY";
/// Statements that make one object of each kind.
const WORK: &str = "\
    CREATE TABLE kept AS SELECT 42 AS answer; \
    CREATE VIEW ducks AS SELECT count(*) AS n FROM lake.zoo.ducks; \
    CREATE MACRO twice(a) AS 2 * a; \
    CREATE SCHEMA farm; \
    CREATE TYPE mood AS ENUM ('calm', 'loud'); \
    CREATE SEQUENCE tags START 5; \
    CREATE TABLE farm.ponds (id INTEGER PRIMARY KEY, name TEXT, twice INTEGER GENERATED ALWAYS AS (2 * id)); \
    CREATE TABLE farm.geese (tag INTEGER DEFAULT nextval('tags'), pond INTEGER REFERENCES farm.ponds (id), mood mood); \
    INSERT INTO farm.ponds (id, name) VALUES (1, 'north'), (2, 'south'); \
    INSERT INTO farm.geese (pond, mood) VALUES (2, 'loud');";
/// Tables as DuckDB's UI makes them, with two notebooks.
const NOTEBOOKS: &str = "\
    CREATE TABLE _duckdb_ui.notebooks (id UUID PRIMARY KEY, name TEXT, created TIMESTAMP); \
    CREATE TABLE _duckdb_ui.notebook_versions (notebook_id UUID, version INTEGER, title TEXT, json JSON); \
    INSERT INTO _duckdb_ui.notebooks SELECT uuid(), 'notebook ' || range, now()::TIMESTAMP FROM range(2);";

/// Table as the console makes it, with a notebook, and results that it keeps.
const CONSOLE: &str = "\
    CREATE SCHEMA work.duckbot; \
    CREATE TABLE work.duckbot.notebooks (id VARCHAR PRIMARY KEY, title VARCHAR, cells VARCHAR, version BIGINT, changed TIMESTAMPTZ); \
    INSERT INTO work.duckbot.notebooks VALUES ('n1', 'Ponds', '[]', 1, now()); \
    CREATE SCHEMA memory.duckbot; \
    CREATE TABLE memory.duckbot.r1 AS SELECT 'result-CANARY' AS name;";

/// Person with saved work, in the lake's bucket or in a folder.
pub(super) struct Person {
    key_id: String,
    owner: String,
    location: String,
    control: SigningKey,
    work_key: String,
}

impl Person {
    pub(super) fn new(owner: u64) -> Self {
        let key_id = format!("AKIAWORK{owner}");
        lake().s3.add_key(&key_id, SECRET);
        Self {
            key_id,
            owner: owner.to_string(),
            location: "s3://lake/work".to_owned(),
            control: SigningKey::read("k1", &SigningKey::generate()).unwrap(),
            work_key: WorkKey::derive(&[7; WorkKey::BYTES], owner.into())
                .to_hex()
                .to_string(),
        }
    }

    pub(super) async fn start(&self, id: &str) -> Session {
        self.start_with(id, &[]).await
    }

    /// Starts a session with this ID, with other values for some variables.
    pub(super) async fn start_with(&self, id: &str, differing: &[(&str, &str)]) -> Session {
        let mut session = self.spawn_with(id, differing);
        session.wait_until_prepared().await;
        session
    }

    /// Starts a session without waiting for it.
    pub(super) fn spawn_with(&self, id: &str, differing: &[(&str, &str)]) -> Session {
        let public = self.control.public();
        let variables = [
            ("SESSION_ID", id),
            ("CONTROL_KEY", &*public),
            ("WORK_LOCATION", &*self.location),
            ("WORK_OWNER", &*self.owner),
            ("WORK_WORKSPACE", "main"),
            ("WORK_RESTORE_TIMEOUT", "180"),
            ("WORK_EVERY", "3600"),
            ("WORK_DEADLINE", "30"),
            ("WORK_MAX_MIB", "1000"),
            ("WORK_KEY", &*self.work_key),
        ];
        let variables = [&variables, differing].concat();
        Session::start_with(&self.key_id, SECRET, &variables)
    }

    async fn command(&self, session: &Session, id: &str, command: ControlCommand) -> WorkReport {
        let signed = self.control.sign(command, id, Utc::now());
        let answer = session.send_command(&signed).await;
        match serde_json::from_str(&answer) {
            Ok(ControlResponse::Work(report)) => *report,
            _ => panic!("{answer}"),
        }
    }

    pub(super) async fn save(&self, session: &Session, id: &str) -> WorkReport {
        self.command(session, id, ControlCommand::SaveWork { seconds: 30 })
            .await
    }

    pub(super) async fn describe(&self, session: &Session, id: &str) -> WorkReport {
        self.command(session, id, ControlCommand::DescribeWork)
            .await
    }

    /// Folder of the bucket with this person's saves.
    fn saves(&self) -> PathBuf {
        lake().bucket.join("work").join(&self.owner).join("main")
    }

    /// Numbers of the saves in the bucket, the oldest first.
    pub(super) fn numbers(&self) -> Vec<u32> {
        // The server keeps the folders of deleted objects.
        let has_files = |entry: &fs::DirEntry| fs::read_dir(entry.path()).unwrap().count() > 0;
        let entries = fs::read_dir(self.saves()).map(|all| all.flatten().collect());
        let entries: Vec<_> = entries.unwrap_or_default();
        let entries = entries.iter().filter(|entry| has_files(entry));
        let name = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        let mut numbers: Vec<_> = entries.filter_map(name).collect();
        numbers.sort_unstable();
        numbers
    }
}

pub(super) async fn end(mut session: Session) {
    let ended = session.terminate(GRACE).await;
    // Shown if the test fails.
    eprintln!("{}", session.log());
    assert_eq!(ended.expect("the session ended in time").code(), Some(0));
}

pub(super) async fn one(session: &Session, sql: &str) -> serde_json::Value {
    let rows = session.rows(sql).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))[0]["x"].clone()
}

async fn open_notebooks(session: &Session) {
    let path = session.home().join(".duckdb/extension_data/ui/ui.db");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let attach = format!("ATTACH '{}' AS _duckdb_ui", path.display());
    session.run_sql(&attach).await.unwrap();
}

#[tokio::test]
async fn everything_is_there_again_in_the_next_session() {
    let ana = Person::new(71);
    let session = ana.start("aaaaa1").await;
    session.run_sql(WORK).await.unwrap();
    open_notebooks(&session).await;
    session.run_sql(NOTEBOOKS).await.unwrap();
    session.run_sql(CONSOLE).await.unwrap();
    session.turn_errors_into_json().await;
    session
        .run_sql("CREATE TABLE memory.main.result_of_the_ui AS SELECT 1")
        .await
        .unwrap();
    session
        .run_sql("CREATE SECRET mine (TYPE s3, KEY_ID 'AKIA', SECRET 'planted-CANARY')")
        .await
        .unwrap();
    end(session).await;

    let session = ana.start("aaaaa2").await;
    assert_eq!(one(&session, "SELECT answer AS x FROM kept").await, 42);
    assert_eq!(one(&session, "SELECT n AS x FROM ducks").await, 2);
    assert_eq!(one(&session, "SELECT twice(21) AS x").await, 42);
    let goose = "SELECT [g.tag::TEXT, name, twice::TEXT, mood::TEXT]::TEXT AS x \
        FROM farm.geese g JOIN farm.ponds p ON pond = id";
    assert_eq!(one(&session, goose).await, "[5, south, 4, loud]");
    assert_eq!(one(&session, "SELECT nextval('tags') AS x").await, 6);
    open_notebooks(&session).await;
    assert_eq!(
        one(&session, "SELECT count(*) AS x FROM _duckdb_ui.notebooks").await,
        2
    );
    let title = "SELECT title AS x FROM work.duckbot.notebooks";
    assert_eq!(one(&session, title).await, "Ponds");
    let others = "SELECT count(*) AS x FROM duckdb_tables() \
        WHERE table_name = 'result_of_the_ui' OR database_name = 'memory'";
    assert_eq!(one(&session, others).await, 0);
    assert!(!session.log().contains("failed"), "{}", session.log());
    let report = ana.describe(&session, "aaaaa2").await;
    let Restored::Save(save) = report.restored else {
        panic!("{report:?}");
    };
    assert_eq!((save.number, save.tables, save.notebooks), (1, 3, 3));

    // Nothing secret is in the saved files.
    for file in ["work.duckdb", "ui.duckdb", "manifest.json"] {
        let bytes = fs::read(ana.saves().join("1").join(file)).unwrap();
        let bytes = String::from_utf8_lossy(&bytes);
        for secret in ["CANARY", &*ana.key_id, &*ana.work_key] {
            assert!(!bytes.contains(secret), "{file} has {secret}");
        }
    }
}

#[tokio::test]
async fn only_changes_are_saved_and_only_old_saves_are_deleted() {
    let ana = Person::new(72);
    let session = ana.start("bbbbb1").await;
    let report = ana.save(&session, "bbbbb1").await;
    assert_eq!(
        (report.saved, report.failure),
        (None, None),
        "nothing has changed"
    );
    for number in 1..=5 {
        session
            .run_sql("CREATE OR REPLACE TABLE kept AS SELECT 42")
            .await
            .unwrap();
        assert!(ana.describe(&session, "bbbbb1").await.is_changed);
        let report = ana.save(&session, "bbbbb1").await;
        assert!(!report.is_changed);
        assert_eq!(report.saved.unwrap().number, number);
    }
    assert_eq!(ana.numbers(), [2, 3, 4, 5]);
    end(session).await;
    assert_eq!(ana.numbers(), [2, 3, 4, 5], "nothing has changed since");

    // A session that begins without the saved work never replaces it.
    let session = ana
        .start_with("bbbbb2", &[("WORK_RESTORE", "nothing")])
        .await;
    for _ in 0..4 {
        session
            .run_sql("CREATE OR REPLACE TABLE other AS SELECT 1")
            .await
            .unwrap();
        ana.save(&session, "bbbbb2").await;
    }
    assert_eq!(ana.numbers(), [5, 6, 7, 8, 9]);
    end(session).await;
    let session = ana.start_with("bbbbb3", &[("WORK_RESTORE", "5")]).await;
    assert_eq!(one(&session, "SELECT count(*) AS x FROM kept").await, 1);
}

#[tokio::test]
async fn work_is_saved_again_and_again_whatever_else_runs() {
    let ana = Person::new(73);
    let mut session = ana.start_with("ccccc1", &[("WORK_EVERY", "1")]).await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS answer")
        .await
        .unwrap();
    session.wait_for_log("save 1 is complete: 1 tables").await;
    let endless = "SELECT count(*) FROM range(10_000_000_000_000)";
    let busy = session.on("busy");
    let busy = tokio::spawn(async move { busy.run_sql(endless).await });
    session
        .run_sql("BEGIN; INSERT INTO kept VALUES (43)")
        .await
        .unwrap();
    session
        .on("another")
        .run_sql("CREATE TABLE committed AS SELECT 1")
        .await
        .unwrap();
    session.wait_for_log("save 2 is complete: 2 tables").await;
    if busy.is_finished() {
        panic!("the query ended: {:?}", busy.await);
    }
    let duckdb = session.duckdb();
    signal("KILL", session.id()).await;
    signal("KILL", duckdb).await;
    // The same session on another node continues with its own work.
    let session = ana
        .start_with("ccccc1", &[("WORK_RESTORE", "nothing")])
        .await;
    assert_eq!(
        one(&session, "SELECT list(answer)::TEXT AS x FROM kept").await,
        "[42]"
    );
    assert_eq!(
        one(&session, "SELECT count(*) AS x FROM committed").await,
        1
    );
}

#[tokio::test]
async fn a_duckdb_that_is_killed_loses_nothing_that_was_committed() {
    let home = TempDir::new().unwrap();
    let home = [("HOME", home.path().to_str().unwrap())];
    let session = Session::start_with("AKIAKILLED", SECRET, &home);
    lake().s3.add_key("AKIAKILLED", SECRET);
    session.wait_for_ui().await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    signal("KILL", session.duckdb()).await;
    drop(session);
    let session = Session::start_with("AKIAKILLED", SECRET, &home);
    session.wait_for_ui().await;
    assert_eq!(one(&session, "FROM kept").await, 42);
}

#[tokio::test]
async fn a_session_that_is_told_to_end_while_it_is_prepared_saves_what_a_killed_one_left() {
    let ana = Person::new(87);
    let home = TempDir::new().unwrap();
    // Its catalog does not answer.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let catalog = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("HOME", home.path().to_str().unwrap()),
        ("CATALOG_ENDPOINT", &catalog),
    ];
    let session = ana.start_with("abce01", &variables[..1]).await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    let duckdb = session.duckdb();
    signal("KILL", session.id()).await;
    signal("KILL", duckdb).await;
    let mut session = ana.spawn_with("abce01", &variables);
    session.wait_for_log("Starting DuckDB's UI: done").await;
    assert!(!session.log().contains("the session is prepared"));
    end(session).await;
    assert_eq!(ana.numbers(), [1]);
    let session = ana.start("abce02").await;
    assert_eq!(one(&session, "FROM kept").await, 42);
}

#[tokio::test]
async fn two_workspaces_of_one_person_are_saved_at_the_same_time() {
    let ana = Person::new(88);
    let sales = [("WORK_WORKSPACE", "sales")];
    let (main, second) = tokio::join!(ana.start("abce03"), ana.start_with("abce04", &sales));
    for (session, x) in [(&main, 1), (&second, 2)] {
        let create =
            format!("CREATE TABLE kept AS SELECT {x} AS x, random() AS r FROM range(1_500_000)");
        session.run_sql(&create).await.unwrap();
    }
    for number in 1..=2 {
        let (first, other) = tokio::join!(ana.save(&main, "abce03"), ana.save(&second, "abce04"));
        for report in [first, other] {
            assert_eq!(report.saved.map(|save| save.number), Some(number));
        }
        for session in [&main, &second] {
            session
                .run_sql("CREATE TABLE IF NOT EXISTS more AS SELECT 1")
                .await
                .unwrap();
        }
    }
    tokio::join!(end(main), end(second));
    let (main, second) = tokio::join!(ana.start("abce05"), ana.start_with("abce06", &sales));
    for (session, x) in [(&main, 1), (&second, 2)] {
        assert_eq!(one(session, "SELECT DISTINCT x FROM kept").await, x);
    }
}

#[tokio::test]
async fn two_bots_that_tell_a_session_to_save_get_the_same_answer() {
    let ana = Person::new(89);
    let session = ana.start("abce07").await;
    session
        .run_sql("CREATE TABLE kept AS SELECT random() AS x FROM range(1_500_000)")
        .await
        .unwrap();
    let saves = [(); 3].map(|()| ana.save(&session, "abce07"));
    for report in futures_util::future::join_all(saves).await {
        assert_eq!(report.failure, None);
        assert!(report.saved.is_some_and(|save| save.tables == 1));
    }
    // Those that came during the first save found nothing that has changed.
    assert_eq!(ana.numbers(), [1]);
}

#[tokio::test]
async fn a_database_that_another_process_has_open_is_waited_for() {
    let home = TempDir::new().unwrap();
    let variables = [("HOME", home.path().to_str().unwrap())];
    lake().s3.add_key("AKIALOCKED", SECRET);
    let mut before = Session::start_with("AKIALOCKED", SECRET, &variables);
    before.wait_until_prepared().await;
    before
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    let mut session = Session::start_with("AKIALOCKED", SECRET, &variables);
    session.wait_for_log("Could not set lock on file").await;
    end(before).await;
    session.wait_until_prepared().await;
    assert_eq!(one(&session, "FROM kept").await, 42);
    assert!(session.rows("FROM memory.problems").await.is_err());
}

#[tokio::test]
async fn databases_that_cannot_be_opened_are_put_aside_and_named() {
    let home = TempDir::new().unwrap();
    let ui = home.path().join(".duckdb/extension_data/ui");
    fs::create_dir_all(&ui).unwrap();
    fs::write(home.path().join("work.duckdb"), "no database").unwrap();
    fs::write(ui.join("ui.db"), "no database").unwrap();
    lake().s3.add_key("AKIAASIDE", SECRET);
    let variables = [("HOME", home.path().to_str().unwrap())];
    let mut session = Session::start_with("AKIAASIDE", SECRET, &variables);
    session.wait_until_prepared().await;
    session
        .run_sql("CREATE TABLE fresh AS SELECT 1")
        .await
        .unwrap();
    let problems = session.problems().await;
    let problems = problems.as_array().unwrap();
    let what: Vec<_> = problems
        .iter()
        .map(|it| it["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["Opening your tables", "Opening your notebooks"]);
    for problem in problems {
        // The statement that tries again names the file as DuckDB finds it.
        let path = problem["try_again"]
            .as_str()
            .unwrap()
            .split('\'')
            .nth(1)
            .unwrap();
        let file = fs::read_to_string(home.path().join(path)).unwrap();
        assert_eq!(file, "no database", "{problem}");
    }
}

#[tokio::test]
async fn a_save_that_is_incomplete_forged_or_damaged_is_not_restored() {
    let ana = Person::new(74);
    let session = ana.start("ddddd1").await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    ana.save(&session, "ddddd1").await;
    end(session).await;
    let copy = |from: &str, to: &str| {
        fs::create_dir_all(ana.saves().join(to)).unwrap();
        for file in fs::read_dir(ana.saves().join(from)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), ana.saves().join(to).join(file.file_name())).unwrap();
        }
    };
    // One whose upload was cut off, one that somebody moved here, and one of another person.
    copy("1", "2");
    fs::remove_file(ana.saves().join("2/manifest.json")).unwrap();
    copy("1", "3");
    copy("1", "4");
    let mallory = Person::new(75);
    let session = mallory.start("eeeee1").await;
    session
        .run_sql("CREATE VIEW kept AS SELECT 666 AS x")
        .await
        .unwrap();
    mallory.save(&session, "eeeee1").await;
    end(session).await;
    for file in ["work.duckdb", "manifest.json"] {
        fs::copy(
            mallory.saves().join("1").join(file),
            ana.saves().join("4").join(file),
        )
        .unwrap();
    }
    let session = ana.start("ddddd2").await;
    assert_eq!(one(&session, "FROM kept").await, 42);
    session
        .run_sql("INSERT INTO kept VALUES (43)")
        .await
        .unwrap();
    assert_eq!(ana.save(&session, "ddddd2").await.saved.unwrap().number, 5);
    end(session).await;
    assert_eq!(ana.numbers(), [1, 5], "what is no save is deleted");

    // A changed byte in the file.
    let file = ana.saves().join("5/work.duckdb");
    let mut bytes = fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let session = ana.start("ddddd3").await;
    let Restored::Failed { number, failure } = ana.describe(&session, "ddddd3").await.restored
    else {
        panic!("{}", session.log());
    };
    assert_eq!(
        (number, failure.reason),
        (Some(5), SaveFailureReason::NotGenuine)
    );
    let problem = "SELECT error AS x FROM memory.problems";
    assert!(
        one(&session, problem)
            .await
            .as_str()
            .unwrap()
            .contains("/duck restore")
    );
    let tables = "SELECT count(*) AS x FROM duckdb_tables() WHERE database_name = 'work'";
    assert_eq!(one(&session, tables).await, 0);
    for _ in 0..5 {
        session
            .run_sql("CREATE OR REPLACE TABLE other AS SELECT 1")
            .await
            .unwrap();
        ana.save(&session, "ddddd3").await;
    }
    end(session).await;
    assert_eq!(ana.numbers(), [5, 7, 8, 9, 10], "the save stays");
}

#[tokio::test]
async fn a_failed_save_says_why_and_the_next_one_succeeds() {
    let ana = Person::new(76);
    let session = ana.start("fffff1").await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    lake().s3.deny(&ana.key_id, "s3:PutObject", "lake");
    let failure = ana.save(&session, "fffff1").await.failure.unwrap();
    assert_eq!(failure.reason, SaveFailureReason::NotAllowed, "{failure:?}");
    lake().s3.forget(&ana.key_id);
    let report = ana.save(&session, "fffff1").await;
    assert_eq!(
        report.failure.unwrap().reason,
        SaveFailureReason::KeysRefused
    );
    assert!(report.is_changed);
    assert_eq!(ana.numbers(), [0; 0]);
}

#[tokio::test]
async fn a_save_that_is_cut_off_at_any_request_leaves_the_last_one() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("lake")).unwrap();
    let s3 = S3::start_in(folder.path()).await;
    let ana = Person::new(82);
    s3.add_key(&ana.key_id, SECRET);
    let (url, main) = (s3.url(), "main".parse().unwrap());
    let session = ana.start_with("abcdd1", &[("S3_ENDPOINT", &url)]).await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    assert_eq!(ana.save(&session, "abcdd1").await.saved.unwrap().number, 1);
    // It is uploaded in three parts.
    session
        .run_sql("CREATE TABLE large AS SELECT random() AS x FROM range(2_500_000)")
        .await
        .unwrap();
    let endpoint = S3Endpoint::parse(&url).unwrap();
    let access = S3Access {
        endpoint: Some(&endpoint),
        region: "us-east-1",
        path_style: true,
        key_id: &ana.key_id,
        secret_key: SECRET,
        session_token: None,
    };
    let location = WorkLocation::parse(&ana.location).unwrap();
    let client = reqwest::Client::builder().no_proxy();
    let store = WorkStore::open(&location, &access, client).unwrap();
    let key = WorkKey::parse(&ana.work_key).unwrap();
    let newest = async || {
        let saves = store.saves(82.into(), &main, &key).await.unwrap();
        saves[0].clone()
    };
    let mut requests = 0;
    let saved = loop {
        s3.fail_after(requests, 503);
        let report = ana.save(&session, "abcdd1").await;
        s3.recover();
        match report.failure {
            None => break report.saved.unwrap(),
            Some(failure) => {
                assert_eq!(
                    failure.reason,
                    SaveFailureReason::Unavailable,
                    "{failure:?}"
                );
                assert_eq!((report.is_changed, newest().await.number), (true, 1));
            }
        }
        requests += 1;
    };
    // A list, the start and the end of an upload with three parts, and the manifest.
    assert!(requests >= 7, "{requests}");
    assert_eq!((newest().await, saved.tables), (saved.clone(), 2));
    end(session).await;
    let session = ana.start_with("abcdd2", &[("S3_ENDPOINT", &url)]).await;
    let count = "SELECT count(*) AS x FROM large";
    assert_eq!(one(&session, count).await, 2_500_000);
}

#[tokio::test]
async fn a_storage_that_does_not_answer_delays_the_end_only_for_a_while() {
    let folder = TempDir::new().unwrap();
    let s3 = S3::start_in(folder.path()).await;
    let ana = Person::new(83);
    let variables = [("S3_ENDPOINT", &*s3.url()), ("WORK_DEADLINE", "2")];
    let mut session = ana.start_with("abcde3", &variables).await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    s3.hang();
    let ended = session.terminate(GRACE).await;
    assert_eq!(ended.expect("the session ended in time").code(), Some(0));
    session.wait_for_log("the work was not saved in time").await;
}

#[tokio::test]
async fn a_database_over_the_limit_is_left_out_and_notebooks_are_saved() {
    let ana = Person::new(77);
    let session = ana.start_with("abcde1", &[("WORK_MAX_MIB", "2")]).await;
    session
        .run_sql("CREATE TABLE small AS SELECT 42 AS x")
        .await
        .unwrap();
    assert!(!ana.save(&session, "abcde1").await.saved.unwrap().is_partial);
    session
        .run_sql("CREATE TABLE large AS SELECT md5(range::TEXT) AS x FROM range(200_000)")
        .await
        .unwrap();
    open_notebooks(&session).await;
    session.run_sql(NOTEBOOKS).await.unwrap();
    let saved = ana.save(&session, "abcde1").await.saved.unwrap();
    assert_eq!(
        (
            saved.is_partial,
            saved.number,
            saved.notebooks,
            saved.tables
        ),
        (true, 2, 2, 1)
    );
    end(session).await;
    let session = ana.start("abcde2").await;
    assert_eq!(one(&session, "FROM small").await, 42);
    open_notebooks(&session).await;
    assert_eq!(
        one(&session, "SELECT count(*) AS x FROM _duckdb_ui.notebooks").await,
        2
    );
}

#[tokio::test]
async fn a_copy_without_room_is_not_made() {
    let ana = Person::new(78);
    let session = ana.start_with("abcdf1", &[("DUCKDB_DISK", "10")]).await;
    session
        .run_sql("CREATE TABLE large AS SELECT md5(range::TEXT) AS x FROM range(300_000)")
        .await
        .unwrap();
    let failure = ana.save(&session, "abcdf1").await.failure.unwrap();
    assert_eq!(failure.reason, SaveFailureReason::NoRoom, "{failure:?}");
    assert!(failure.error.contains("of 10 MiB are used"), "{failure:?}");
}

#[tokio::test]
async fn a_save_of_a_newer_duckdb_is_refused() {
    let ana = Person::new(79);
    let newer = newer_duckdb();
    let program = newer.path().join("duckdb");
    let newer = [("DUCKDB_PROGRAM", program.to_str().unwrap())];
    let session = ana.start_with("abcda1", &newer).await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    ana.save(&session, "abcda1").await;
    end(session).await;
    let session = ana.start("abcda2").await;
    let Restored::Failed { failure, .. } = ana.describe(&session, "abcda2").await.restored else {
        panic!("{}", session.log());
    };
    assert_eq!(failure.reason, SaveFailureReason::NewerDuckDb);
    assert!(failure.error.contains("v99.0.0"), "{failure:?}");
}

/// Creates a program that is DuckDB in everything but the version that it prints.
fn newer_duckdb() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let real = test_support::tools::duckdb().join("duckdb");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'v99.0.0 (Later) abc' && exit\nexec {} \"$@\"\n",
        real.display()
    );
    let path = folder.path().join("duckdb");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[tokio::test]
async fn a_confined_session_saves_in_a_folder_too() {
    let (folder, shared) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let ana = Person {
        location: folder.path().join("new").to_str().unwrap().to_owned(),
        ..Person::new(80)
    };
    // DuckDB's settings are locked, and Landlock allows the home, this folder and Ana's saves.
    let limits = [
        ("DUCKDB_CONFINED", "true"),
        ("DUCKDB_FOLDERS", shared.path().to_str().unwrap()),
    ];
    let session = ana.start_with("abcdb1", &limits).await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    open_notebooks(&session).await;
    session.run_sql(NOTEBOOKS).await.unwrap();
    assert!(ana.save(&session, "abcdb1").await.saved.is_some());
    end(session).await;
    let saves = Path::new(&ana.location).join("80/main");
    assert!(saves.join("1/manifest.json").exists());
    let session = ana.start_with("abcdb2", &limits).await;
    assert_eq!(one(&session, "FROM kept").await, 42);
    let peek = format!("FROM read_text('{}/1/manifest.json')", saves.display());
    assert!(session.rows(&peek).await.is_err(), "DuckDB reads a save");
    assert!(ana.describe(&session, "abcdb2").await.failure.is_none());
}

#[tokio::test]
async fn without_a_key_nothing_is_saved_and_it_is_said() {
    let ana = Person::new(81);
    let session = ana.start_with("abcdc1", &[("WORK_KEY", "")]).await;
    let report = ana.save(&session, "abcdc1").await;
    assert_eq!(report.failure.unwrap().reason, SaveFailureReason::NoKey);
}
