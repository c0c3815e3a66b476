//! A small query on the lake from the chat, with the local runtime: the first one, for which DuckDB is
//! started and attached, and the following ones. Both are compared with DuckDB's command line doing the
//! same, in turns.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use discord_loopback::Person;
use test_support::{LocalEnv, assert_says, lake, tools};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{
    stats::{stats, time_stats},
    table::{Aim, Row},
};

const ROUNDS: usize = 31;
const QUERY: &str = "SELECT sum(grams) AS grams FROM lake.zoo.ducks";
pub const KEY: [&str; 2] = ["AKIAFIGURES", "a-secret-for-figures"];

/// Lets a person run one query. Returns the total time, and DuckDB's own part of it in ms.
pub async fn time_query(person: &Person) -> (Duration, f64) {
    let begin = Instant::now();
    let line = format!("/duck sql query:{QUERY}");
    let asked = person.run_command("#data", &line).await.unwrap();
    let told = asked.until(|it| it.content.contains("1 row in ")).await;
    let took = begin.elapsed();
    assert_says(&told, "1430");
    let own = told.content.split("1 row in ").nth(1).unwrap();
    (took, own.split(' ').next().unwrap().parse().unwrap())
}

/// DuckDB's command line with the catalog attached.
pub struct CommandLine<Input, Output> {
    input: Input,
    output: Lines<BufReader<Output>>,
}

impl<Input: AsyncWrite + Unpin, Output: AsyncRead + Unpin> CommandLine<Input, Output> {
    /// Attaches the catalog in a DuckDB that was just started. `extensions` is the folder of its extensions. The URLs are
    /// those of the storage and of the catalog.
    pub async fn attach(
        mut input: Input,
        output: Output,
        extensions: &str,
        [s3, catalog]: [String; 2],
    ) -> Self {
        let sql = format!(
            "SET extension_directory = '{extensions}';
             LOAD httpfs; LOAD avro; LOAD iceberg;
             CREATE SECRET s (TYPE s3, KEY_ID '{}', SECRET '{}', REGION 'us-east-1',
                 URL_STYLE 'path', ENDPOINT '{}', USE_SSL false);
             ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{catalog}', AUTHORIZATION_TYPE 'none',
                 ACCESS_DELEGATION_MODE 'none');\n",
            KEY[0],
            KEY[1],
            s3.trim_start_matches("http://"),
        );
        input.write_all(sql.as_bytes()).await.unwrap();
        let output = BufReader::new(output).lines();
        Self { input, output }
    }

    pub async fn run(&mut self) {
        let line = format!("{QUERY};\n");
        self.input.write_all(line.as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
        while let Some(line) = self.output.next_line().await.unwrap() {
            if line == "1430" {
                return;
            }
        }
        panic!("DuckDB's command line has ended");
    }
}

/// Starts DuckDB's command line on this machine. It ends when its process is dropped.
async fn start_command_line() -> (Child, CommandLine<ChildStdin, ChildStdout>) {
    let mut child = Command::new(tools::duckdb().join("duckdb"))
        .args(["-batch", "-csv", "-init", "/dev/null"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let extensions = tools::duckdb().join("extensions").display().to_string();
    let urls = [lake().s3.url(), lake().catalog.clone()];
    let command_line = CommandLine::attach(input, output, &extensions, urls);
    (child, command_line.await)
}

async fn start_bot(home: &mut LocalEnv, linger: &str) {
    home.variables
        .insert("DUCKBOT_SQL__LINGER".into(), linger.into());
    home.restart_bot().await;
    let line = "/duck sql query:SELECT 42 AS n";
    loop {
        let asked = home.ana.run_command("#data", line).await.unwrap();
        let told = asked.until(|it| !it.thinking).await;
        if told.content.contains("1 row in ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
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

    start_bot(&mut home, "0s").await;
    let (mut with, mut without, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let (child, mut command_line) = start_command_line().await;
        command_line.run().await;
        without.push(begin.elapsed());
        drop(child);
        let (took, part) = time_query(&home.ana).await;
        with.push(took);
        own.push(part);
    }
    let first = row(
        "`/duck sql`, the first small query on an Iceberg table, to its result",
        [&with, &without],
        own,
        ("measured only", Aim::None),
    );

    start_bot(&mut home, "5m").await;
    let (_child, mut command_line) = start_command_line().await;
    command_line.run().await;
    time_query(&home.ana).await;
    let (mut with, mut without, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        command_line.run().await;
        without.push(begin.elapsed());
        let (took, part) = time_query(&home.ana).await;
        with.push(took);
        own.push(part);
    }
    let next = row(
        "`/duck sql`, the next one, to its result",
        [&with, &without],
        own,
        ("at most 1.5", Aim::Under(&[1.5])),
    );
    vec![first, next]
}

fn row(
    what: &'static str,
    [with, without]: [&[Duration]; 2],
    own: Vec<f64>,
    (aim, limits): (&'static str, Aim),
) -> Row {
    let (with, without) = (time_stats(with), time_stats(without));
    let own = stats(own).median;
    Row {
        what,
        aim,
        floor: format!("{:.1} ms", without.median),
        ours: format!(
            "{:.1} ms, of which {own:.0} ms for the query itself",
            with.median
        ),
        p95: format!("{:.1} ms", with.p95),
        figure: with.median / without.median,
        is_ratio: true,
        limits,
    }
}
