//! Keeps the session's work: its database is a file, which is saved to the team's storage and restored
//! from it.
//!
//! - `restore`: restores a save before DuckDB starts
//! - `copy`: has DuckDB copy its databases while they are used
//! - `upload`: uploads copies as the next save
//! - `saving`: the rules, and the storage
//! - `state`: what the session tells the bot
//! - `files`: the files in the session's home

mod copy;
pub(super) mod files;
mod restore;
mod saving;
pub(super) mod state;
mod upload;

use std::{collections::HashMap, mem, path::Path, time::Duration};

use chrono::Utc;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

use copy::NotCopied;
use files::{Fingerprint, WorkFiles};
use saving::Saving;
use state::State;
use upload::Job;

use super::{
    control::ControlResponse,
    environment::{SessionConfig, secret},
    script::ScriptStep,
    shell::{Answer, Exited, Shell},
    steps::record_problem,
};
use crate::{
    session::PutAside,
    work::{Manifest, Restored, SaveFailureReason, StoreError},
};

/// Maximum time to look for the last save of the session's earlier runs.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Sender of the answer to a command that waits for a save.
type Waiting = oneshot::Sender<ControlResponse>;

/// A save that is being uploaded.
struct Upload {
    task: JoinHandle<Result<Manifest, StoreError>>,
    /// The files when their copy began.
    of: Fingerprint,
    /// Commands that came before the copy began.
    waiting: Vec<Waiting>,
}

/// The work of a session, and what is known about its saves.
pub(super) struct Work {
    files: WorkFiles,
    /// `None` if nothing is saved.
    saving: Option<Saving>,
    state: State,
    upload: Option<Upload>,
    /// Commands that came after the copy of the present upload began.
    waiting: Vec<Waiting>,
}

impl Work {
    /// Restores the saved work, if there is any. `state` answers the bot's questions about it.
    pub(super) async fn begin(
        config: &SessionConfig,
        variables: &HashMap<String, String>,
        state: State,
    ) -> Self {
        let files = WorkFiles::new(&config.home);
        let saving = config
            .work
            .as_ref()
            .and_then(|work| Saving::new(work, variables));
        let restored = match &saving {
            Some(saving) => restore::restore(saving, &files, config, variables).await,
            None if files.has_database() => Restored::Kept,
            None => Restored::Nothing,
        };
        let is_kept = matches!(restored, Restored::Kept);
        if config.work.is_some() {
            state.begin(restored);
        }
        match &saving {
            Some(saving) if is_kept => note_own_save(saving, config, variables, &state),
            None => state.fail(StoreError {
                reason: SaveFailureReason::NoKey,
                error: format!("{} is missing", secret::WORK_KEY),
            }),
            Some(_) => {}
        }
        Self {
            files,
            saving,
            state,
            upload: None,
            waiting: Vec::new(),
        }
    }

    pub(super) fn files(&self) -> &WorkFiles {
        &self.files
    }

    /// Notes that a database could not be opened, and is now at `path` in the home folder.
    pub(super) fn note_put_aside(&mut self, is_notebooks: bool, path: &Path) {
        let path = path.to_string_lossy().into_owned();
        self.state.add_put_aside(PutAside { is_notebooks, path });
    }

    /// Stores in the table `memory.problems` what the owner must know about the beginning. Returns the
    /// number of problems. Call it before anybody gets in: what changes afterwards counts as changed.
    pub(super) async fn report_problems(&mut self, shell: &mut Shell) -> Result<usize, Exited> {
        let notebooks = self.files.notebooks();
        // DuckDB's UI can't start with unreadable ones.
        if notebooks.exists()
            && let Answer::Failed(error) = copy::open(shell, &notebooks).await?
            && !is_temporary(&error)
        {
            match self.files.put_aside(&notebooks) {
                Ok(path) => self.note_put_aside(true, &path),
                Err(why) => eprintln!("duckbot: the notebooks can't be put aside: {why}"),
            }
        }
        let can_restore = self.saving.is_some();
        let problems = self.state.problems(can_restore);
        for (what, error, statement) in &problems {
            let step = ScriptStep::new(*what, statement.iter().cloned().collect());
            record_problem(shell, &step, error).await?;
        }
        self.state.watch(&self.files);
        Ok(problems.len())
    }

    /// Returns the times of the periodic saves.
    pub(super) fn ticks(&self, config: &SessionConfig) -> Ticks {
        let work = config.work.as_ref().filter(|_| self.saving.is_some());
        Ticks(work.map(|work| {
            let mut ticks = interval_at(Instant::now() + work.every, work.every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    /// Saves the work because the bot asked for it. The answer is sent when that is done.
    pub(super) async fn save_for(
        &mut self,
        answer: Waiting,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<(), Exited> {
        self.waiting.push(answer);
        self.save(shell, config, variables).await
    }

    /// Starts a save if something has changed, unless one is being uploaded.
    pub(super) async fn save(
        &mut self,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<(), Exited> {
        if self.upload.is_some() {
            return Ok(());
        }
        let waiting = mem::take(&mut self.waiting);
        let Some(saving) = &self.saving else {
            self.answer(waiting);
            return Ok(());
        };
        let (of, at) = (self.files.fingerprint(), Utc::now());
        if self.state.is_saved(&of) {
            self.state.clear_failure();
            self.answer(waiting);
            return Ok(());
        }
        match copy::copy(shell, &self.files, config, variables).await {
            Ok(copies) => {
                let job = Job {
                    saving: saving.clone(),
                    at,
                    copies,
                    store: saving.open(config, variables),
                    program: config.program.clone(),
                    begun_with: self.state.begun_with(),
                };
                self.upload = Some(Upload {
                    task: tokio::spawn(job.run()),
                    of,
                    waiting,
                });
            }
            Err(NotCopied::Exited(exited)) => {
                // Another DuckDB may still save it.
                self.waiting = waiting;
                return Err(exited);
            }
            Err(NotCopied::Failed(error)) => {
                self.fail(error);
                self.answer(waiting);
            }
        }
        Ok(())
    }

    /// Waits until the present upload ends.
    pub(super) async fn uploaded(&mut self) -> Result<Manifest, StoreError> {
        let Some(upload) = &mut self.upload else {
            return std::future::pending().await;
        };
        let outcome = (&mut upload.task).await;
        outcome.unwrap_or_else(|why| {
            Err(StoreError {
                reason: SaveFailureReason::Other,
                error: why.to_string(),
            })
        })
    }

    /// Takes the outcome of an upload. Saves again if a command came in the meantime.
    pub(super) async fn conclude(
        &mut self,
        outcome: Result<Manifest, StoreError>,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<(), Exited> {
        let Some(upload) = self.upload.take() else {
            return Ok(());
        };
        let _ = self.files.remove_copies();
        match outcome {
            Ok(manifest) => {
                let summary = manifest.summary();
                eprintln!(
                    "duckbot: save {} is complete: {} tables, {} notebooks, {} bytes",
                    summary.number, summary.tables, summary.notebooks, summary.bytes
                );
                self.state.complete(summary, upload.of);
            }
            Err(error) => self.fail(error),
        }
        self.answer(upload.waiting);
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.save(shell, config, variables).await
    }

    /// Returns true if there may be work that is not saved, although the session is not prepared yet.
    pub(super) fn may_be_unsaved(&self) -> bool {
        self.saving.is_some() && self.state.may_be_unsaved(&self.files.fingerprint())
    }

    /// Returns true if commands wait for a save that has not begun.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Saves what has changed before the session ends.
    pub(super) async fn finish(
        &mut self,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<(), Exited> {
        // The present upload may be of an earlier state.
        for _ in 0..2 {
            if self.upload.is_none() {
                self.save(shell, config, variables).await?;
            }
            if self.upload.is_some() {
                let outcome = self.uploaded().await;
                self.conclude(outcome, shell, config, variables).await?;
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        eprintln!("duckbot: the work could not be saved: {}", error.error);
        let _ = self.files.remove_copies();
        self.state.fail(error);
    }

    fn answer(&self, waiting: Vec<Waiting>) {
        for waiting in waiting {
            // The client may be gone.
            let _ = waiting.send(self.state.describe(&self.files));
        }
    }
}

/// Returns true if DuckDB's error is about something that the file is not to blame for, and that may pass.
pub(super) fn is_temporary(error: &str) -> bool {
    const LACKS: [&str; 6] = [
        "Could not set lock on file",
        "No space left on device",
        "Disk quota exceeded",
        "Too many open files",
        "Cannot allocate memory",
        "Out of Memory Error",
    ];
    LACKS.iter().any(|lack| error.contains(lack))
}

/// Looks for the last save of the session's earlier runs, while DuckDB starts.
fn note_own_save(
    saving: &Saving,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
    state: &State,
) {
    let (saving, config) = (saving.clone(), config.clone());
    let (variables, state) = (variables.clone(), state.clone());
    tokio::spawn(async move {
        let looking = restore::find_own(&saving, &config, &variables);
        if let Ok(Ok(Some(own))) = timeout(LOOK_TIMEOUT, looking).await {
            state.note_earlier(own);
        }
    });
}

/// The times of periodic saves, if there are any.
pub(super) struct Ticks(Option<Interval>);

impl Ticks {
    /// Waits until the next save is due.
    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }
}
