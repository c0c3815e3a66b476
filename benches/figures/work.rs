//! Saving and restoring the work of a session, against DuckDB's own copy of the database and its upload or
//! download, in turns.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::Utc;
use duckbot::{
    door::ticket::SigningKey,
    duckdb::control::{ControlCommand, ControlResponse},
    work::{Restored, WorkKey},
};
use tempfile::TempDir;
use test_support::{S3, Session, tools};
use tokio::process::Command;

use super::table::Row;

/// Aim of the figures about saved work.
pub const AIM: (&str, &[f64]) = ("at most 1.2", &[1.2]);
pub const KEY: [&str; 2] = ["AKIAFIGURES", "a-secret-for-figures"];
const OWNER: u64 = 7;
/// Sizes of the work in MB, with the number of rounds.
const SIZES: [(u64, usize); 3] = [(0, 7), (10, 7), (1000, 3)];

/// A storage, and DuckDB's command line that copies a database to it and from it.
pub struct Floor {
    pub s3: S3,
    folder: TempDir,
}

impl Floor {
    /// Starts a storage, and makes a database of this size.
    pub async fn start(megabytes: u64) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("lake")).unwrap();
        let s3 = S3::start_in(folder.path()).await;
        s3.add_key(KEY[0], KEY[1]);
        let floor = Self { s3, folder };
        floor.run(&fill(megabytes)).await;
        floor
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy.duckdb")
    }

    /// Copies and uploads the database. Returns the time.
    pub async fn save(&self) -> Duration {
        let _ = fs::remove_file(self.copy());
        let file = self.copy().display().to_string();
        self.run(&format!(
            "ATTACH '{file}' AS copy; COPY FROM DATABASE floor TO copy; DETACH copy;
             COPY (SELECT content FROM read_blob('{file}')) TO 's3://lake/floor' (FORMAT blob)"
        ))
        .await
    }

    /// Downloads and opens the copy. Returns the time.
    pub async fn restore(&self) -> Duration {
        let _ = fs::remove_file(self.copy());
        let file = self.copy().display().to_string();
        self.run(&format!(
            "COPY (SELECT content FROM read_blob('s3://lake/floor')) TO '{file}' (FORMAT blob);
             ATTACH '{file}' AS copy; SELECT count(*) FROM copy.work"
        ))
        .await
    }

    /// Runs statements in DuckDB's command line, with the storage's secret. Returns the time.
    async fn run(&self, sql: &str) -> Duration {
        let sql = format!(
            "SET extension_directory = '{}'; LOAD httpfs;
             CREATE SECRET s (TYPE s3, KEY_ID '{}', SECRET '{}', REGION 'us-east-1',
                 URL_STYLE 'path', ENDPOINT '{}', USE_SSL false); {sql}",
            tools::duckdb().join("extensions").display(),
            KEY[0],
            KEY[1],
            self.s3.url().trim_start_matches("http://"),
        );
        let begin = Instant::now();
        let mut command = Command::new(tools::duckdb().join("duckdb"));
        command.args(["-batch", "-bail", "-init", "/dev/null"]);
        command.arg(self.folder.path().join("floor.duckdb"));
        command.args(["-c", &sql]).env_clear();
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        begin.elapsed()
    }
}

/// Returns the statement that makes a table of this size. Random numbers take 8 bytes each, also compressed.
pub fn fill(megabytes: u64) -> String {
    let rows = megabytes * 125_000;
    format!("CREATE OR REPLACE TABLE work AS SELECT random() AS x FROM range({rows})")
}

struct Bench {
    floor: Floor,
    control: SigningKey,
    megabytes: u64,
}

impl Bench {
    async fn start_session(&self, id: &str) -> Session {
        let (url, public) = (self.floor.s3.url(), self.control.public());
        let key = WorkKey::derive(&[7; WorkKey::BYTES], OWNER.into()).to_hex();
        let variables = [
            ("SESSION_ID", id),
            ("S3_ENDPOINT", &*url),
            ("DUCKDB_MEMORY", "2048"),
            ("DUCKDB_DISK", "8000"),
            ("CONTROL_KEY", &*public),
            ("WORK_LOCATION", "s3://lake/work"),
            ("WORK_OWNER", "7"),
            ("WORK_WORKSPACE", "main"),
            ("WORK_RESTORE_TIMEOUT", "600"),
            ("WORK_EVERY", "36000"),
            ("WORK_DEADLINE", "600"),
            ("WORK_MAX_MIB", "5000"),
            ("WORK_KEY", &*key),
        ];
        Session::start_with(KEY[0], KEY[1], &variables)
    }

    async fn save(&self, session: &Session, id: &str) -> Duration {
        let begin = Instant::now();
        let command = ControlCommand::SaveWork { seconds: 600 };
        let signed = self.control.sign(command, id, Utc::now());
        let answer = session.send_command(&signed).await;
        let took = begin.elapsed();
        match serde_json::from_str(&answer) {
            Ok(ControlResponse::Work(report)) if report.failure.is_none() => took,
            _ => panic!("{answer}"),
        }
    }
}

pub async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, (megabytes, rounds)) in SIZES.into_iter().enumerate() {
        let bench = Bench {
            floor: Floor::start(megabytes).await,
            control: SigningKey::read("k1", &SigningKey::generate()).unwrap(),
            megabytes,
        };
        rows.extend(bench.measure(number, rounds).await);
    }
    rows
}

impl Bench {
    async fn measure(&self, number: usize, rounds: usize) -> [Row; 2] {
        let fill = fill(self.megabytes);
        let mut session = self.start_session("aaaaa0").await;
        session.wait_until_prepared().await;
        let (mut saves, mut restores) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for round in 0..rounds {
            session.run_sql(&fill).await.unwrap();
            saves[0].push(self.save(&session, "aaaaa0").await);
            saves[1].push(self.floor.save().await);

            let id = format!("bbbb{number}{round}");
            let begin = Instant::now();
            let mut next = self.start_session(&id).await;
            next.wait_for_ui().await;
            restores[0].push(begin.elapsed());
            next.wait_until_prepared().await;
            let signed = self
                .control
                .sign(ControlCommand::DescribeWork, &id, Utc::now());
            let answer = next.send_command(&signed).await;
            let Ok(ControlResponse::Work(report)) = serde_json::from_str(&answer) else {
                panic!("{answer}");
            };
            assert!(matches!(report.restored, Restored::Save(_)), "{answer}");
            restores[1].push(self.floor.restore().await);
        }
        const NAMES: [[&str; 2]; SIZES.len()] = [
            ["save an empty database", "start with an empty save"],
            ["save 10 MB of work", "start with 10 MB of saved work"],
            ["save 1 GB of work", "start with 1 GB of saved work"],
        ];
        let [save, restore] = NAMES[number];
        [
            Row::of_times(save, AIM, &saves),
            Row::of_times(restore, AIM, &restores),
        ]
    }
}
