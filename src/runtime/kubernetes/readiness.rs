//! Asks the doors whether DuckDB answers.
//!
//! The kubelet only knows that a door runs: the Pod has no readiness probe, which would delay a start
//! by up to a second. The bot asks as soon as the containers run, in short pauses until DuckDB
//! answers. Then it asks seldom, to notice a DuckDB that hangs.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::StatusCode;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::{request::error_chain, view::DuckDbRun, watch::Cache};
use crate::{
    door,
    session::{SessionId, Stage},
};

/// Shortest and longest pause between two questions before DuckDB answers. In between, it is a tenth
/// of the time waited so far, so that the pauses delay a start by less than a tenth.
const START_PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// Pause between two questions while DuckDB answers.
const CHECK_INTERVAL: Duration = Duration::from_secs(20);
/// Pause between two questions while DuckDB does not answer, although it answered before.
const RECHECK_PAUSE: Duration = Duration::from_secs(1);
/// Time without an answer after which DuckDB counts as not answering. A query that keeps every core
/// busy must not make its session unready.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// Time after which a door that can't be reached is no longer waited for. Then the bot relies on the
/// kubelet alone, which knows that the door runs. A usual DuckDB answers after one second.
const MAX_UNREACHABLE: Duration = Duration::from_secs(5);
/// Maximum number of doors that are asked at the same time.
const MAX_CONCURRENT_CALLS: usize = 64;

/// Keeps asking the doors. Dropping it ends that.
pub(super) struct Readiness {
    _stop: DropGuard,
}

impl Readiness {
    /// Starts asking the doors of all sessions in the view with this client.
    pub(super) fn start(cache: Arc<Cache>, doors: reqwest::Client) -> Self {
        let stop = CancellationToken::new();
        let asker = Arc::new(Asker {
            cache,
            doors,
            permits: Semaphore::new(MAX_CONCURRENT_CALLS),
        });
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(asker.follow_all()).await });
        Self {
            _stop: stop.drop_guard(),
        }
    }
}

struct Asker {
    cache: Arc<Cache>,
    doors: reqwest::Client,
    permits: Semaphore,
}

/// A door's answer to the question whether DuckDB answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Ready,
    NotReady,
    /// No door answered.
    Unreachable,
}

impl Asker {
    /// Follows each run of DuckDB in the view, with a task per run.
    async fn follow_all(self: Arc<Self>) {
        let mut changes = self.cache.changes();
        // By the Pod's UID.
        let mut followed: HashMap<String, (DuckDbRun, DropGuard)> = HashMap::new();
        loop {
            changes.mark_unchanged();
            let begin = Instant::now();
            self.cache.change(|view| {
                let over: Vec<_> = followed
                    .extract_if(|_, (run, _)| !view.is_current(run))
                    .collect();
                for (_, (run, _)) in over {
                    view.set_answering(&run, false);
                }
                let is_followed = |uid: &str, restarts| {
                    let run = followed.get(uid).map(|(run, _)| run);
                    run.is_some_and(|run| run.restarts == restarts)
                };
                let new = view.new_runs(is_followed);
                let new: Vec<_> = new
                    .map(|(run, address, record)| (run, address, record.clone()))
                    .collect();
                let mut is_change = false;
                for (run, address, record) in new {
                    // The bot was restarted, and this run has answered before.
                    let has_answered =
                        record.stage == Stage::Running && record.restarts_told >= run.restarts;
                    // One notice for all: after a restart of the bot, each would have everybody look at all sessions.
                    is_change |= view.set_answering(&run, has_answered);
                    let session = record.id.clone();
                    let stop = self
                        .clone()
                        .follow(run.clone(), address, session, has_answered);
                    followed.insert(run.uid.clone(), (run, stop));
                }
                is_change
            });
            // As in the reconciler: handle the changes that came meanwhile together.
            sleep(begin.elapsed()).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Starts a task that follows one run of DuckDB. Dropping the guard ends it.
    fn follow(
        self: Arc<Self>,
        run: DuckDbRun,
        address: IpAddr,
        session: SessionId,
        has_answered: bool,
    ) -> DropGuard {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let asking = self.keep_asking(&run, address, &session, has_answered);
            stopped.run_until_cancelled(asking).await
        });
        stop.drop_guard()
    }

    async fn keep_asking(
        &self,
        run: &DuckDbRun,
        address: IpAddr,
        session: &SessionId,
        has_answered: bool,
    ) {
        let url = format!(
            "http://{}{}",
            SocketAddr::new(address, door::ADMIN_PORT),
            door::READY_PATH
        );
        let begin = Instant::now();
        let mut answered = has_answered.then_some(begin);
        let mut is_reachable = has_answered;
        let mut unreachable_since = None;
        loop {
            // Boxed, because the task of a session mostly sleeps and should take little memory.
            let answer = Box::pin(self.ask(&url)).await;
            match answer {
                Answer::Ready => answered = Some(Instant::now()),
                Answer::NotReady => {
                    answered = answered.filter(|at| at.elapsed() < CHECK_INTERVAL + MAX_SILENCE);
                }
                // The kubelet notices a door that ended.
                Answer::Unreachable => {}
            }
            is_reachable |= answer != Answer::Unreachable;
            let since = *unreachable_since.get_or_insert_with(Instant::now);
            let is_given_up = !is_reachable && since.elapsed() >= MAX_UNREACHABLE;
            let answers = answered.is_some() || is_given_up;
            if self.cache.set_answering(run, answers) && is_given_up {
                warn!(
                    %session,
                    "session {session}: the bot can't reach its door at {url}, so it counts as \
                     ready although its DuckDB may still be starting"
                );
            }
            sleep(match (answered, answer) {
                (Some(_), Answer::NotReady) => RECHECK_PAUSE,
                (Some(_), _) => CHECK_INTERVAL,
                (None, _) => {
                    let longest = if is_given_up {
                        CHECK_INTERVAL
                    } else {
                        START_PAUSES[1]
                    };
                    (begin.elapsed() / 10).clamp(START_PAUSES[0], longest)
                }
            })
            .await;
        }
    }

    async fn ask(&self, url: &str) -> Answer {
        let _permit = self.permits.acquire().await;
        match ask(&self.doors, url).await {
            Ok(true) => Answer::Ready,
            Ok(false) => Answer::NotReady,
            Err(_) => Answer::Unreachable,
        }
    }
}

/// Asks the door at this URL whether DuckDB answers.
///
/// # Errors
/// Returns the reason if no door answers.
pub(super) async fn ask(doors: &reqwest::Client, url: &str) -> Result<bool, String> {
    let answer = doors.get(url).send().await;
    match answer.map(|answer| answer.status()) {
        Ok(StatusCode::OK) => Ok(true),
        Ok(StatusCode::SERVICE_UNAVAILABLE) => Ok(false),
        Ok(status) => Err(format!("HTTP {}", status.as_u16())),
        Err(error) => Err(error_chain(&error)),
    }
}
