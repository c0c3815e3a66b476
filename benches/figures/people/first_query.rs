//! `/duck sql` in a session on the node. The floor is DuckDB's command line in the same container, reached by the
//! Kubernetes API as the bot reaches its own.

use std::time::{Duration, Instant};

use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Team, print_parts};
use crate::{
    sql::{CommandLine, time_query},
    table::Row,
};

/// Number of warm queries after each cold one.
const WARM: usize = 3;
/// Folder of the extensions in the tests' image.
const EXTENSIONS: &str = "/usr/lib/duckdb";

type Process = CommandLine<Box<dyn AsyncWrite + Unpin>, Box<dyn AsyncRead + Unpin>>;

/// Times of the bot and of the floor.
#[derive(Default)]
pub struct Queries {
    cold: [Vec<Duration>; 2],
    warm: [Vec<Duration>; 2],
    /// DuckDB's own part of the bot's times: of cold and of warm queries.
    own: Vec<[Duration; 2]>,
}

impl Queries {
    /// Runs the first queries of Ana's session.
    pub async fn measure(&mut self, team: &Team, session: &str) {
        let ana = &team.env.ana;
        let (took, cold_own) = time_query(ana).await;
        self.cold[0].push(took);
        let begin = Instant::now();
        let (_process, mut command_line) = start_command_line(team, session).await;
        command_line.run().await;
        self.cold[1].push(begin.elapsed());
        for _ in 0..WARM {
            let (took, own) = time_query(ana).await;
            self.warm[0].push(took);
            self.own
                .push([cold_own, own].map(|it| Duration::from_secs_f64(it / 1000.0)));
            let begin = Instant::now();
            command_line.run().await;
            self.warm[1].push(begin.elapsed());
        }
    }

    pub fn rows(self) -> [Row; 2] {
        print_parts(
            "DuckDB's own part of /duck sql",
            ["first", "next"],
            &self.own,
        );
        [
            Row::of_times(
                "people: the first `/duck sql` of a session, on an Iceberg table",
                ("at most 1.2", &[1.2]),
                &self.cold,
            ),
            Row::of_times(
                "people: the next `/duck sql`",
                ("at most 1.5", &[1.5]),
                &self.warm,
            ),
        ]
    }
}

/// Starts DuckDB's command line in the session's container, and attaches the catalog.
async fn start_command_line(team: &Team, session: &str) -> (AttachedProcess, Process) {
    let params = AttachParams::default().container("duckdb");
    let params = params.stdin(true).stderr(false);
    let (pods, name) = (team.env.cluster.pods(), format!("duckui-{session}"));
    let command = ["duckdb", "-batch", "-csv", "-init", "/dev/null"];
    let mut process = pods.exec(&name, command, &params).await.unwrap();
    let input: Box<dyn AsyncWrite + Unpin> = Box::new(process.stdin().unwrap());
    let output: Box<dyn AsyncRead + Unpin> = Box::new(process.stdout().unwrap());
    let urls = [&team.s3, &team.catalog].map(|it| it.url());
    let command_line = CommandLine::attach(input, output, EXTENSIONS, urls);
    (process, command_line.await)
}
