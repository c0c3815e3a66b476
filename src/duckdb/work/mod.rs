//! Keeps the session's work: its database is a file, which is saved to the team's storage and restored
//! from it.
//!
//! - `restore`: restores a save before DuckDB starts
//! - `copy`: has DuckDB copy its databases while they are used
//! - `saving`: where and how it is saved
//! - `files`: the files in the session's home

mod copy;
pub(super) mod files;
mod restore;
mod saving;

use std::{collections::HashMap, mem, path::PathBuf};

use chrono::{DateTime, Utc};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

use copy::{Copies, NotCopied};
use files::{Fingerprint, WorkFiles};

use saving::{Saving, duckdb_version};

use super::{
    control::ControlResponse,
    environment::{SessionConfig, secret},
    script::ScriptStep,
    shell::{Exited, Shell},
    steps::record_problem,
};
use crate::work::{
    FileName, Manifest, NewManifest, Place, Restored, SaveFailureReason, StoreError, WorkReport,
    WorkStore,
};

/// A save that is being uploaded.
struct Upload {
    task: JoinHandle<Result<Manifest, StoreError>>,
    /// The files when their copy began.
    of: Fingerprint,
}

/// The work of a session, and what is known about its saves.
pub(super) struct Work {
    files: WorkFiles,
    /// `None` if nothing is saved.
    saving: Option<Saving>,
    report: WorkReport,
    /// The files when they were last saved or restored.
    saved: Option<Fingerprint>,
    upload: Option<Upload>,
    /// Senders of the answers to commands that wait for the end of a save.
    waiting: Vec<oneshot::Sender<ControlResponse>>,
}

impl Work {
    /// Restores the saved work, if there is any.
    pub(super) async fn begin(config: &SessionConfig, variables: &HashMap<String, String>) -> Self {
        let files = WorkFiles::new(&config.home);
        let saving = config.work.as_ref().and_then(|work| {
            let saving = Saving::new(work, variables);
            if saving.is_none() {
                eprintln!(
                    "duckbot: {} is missing, so work is not saved",
                    secret::WORK_KEY
                );
            }
            saving
        });
        let restored = match &saving {
            Some(saving) => restore::restore(saving, &files, config, variables).await,
            None if files.database().exists() => Restored::Kept,
            None => Restored::Nothing,
        };
        Self {
            files,
            saving,
            report: WorkReport {
                restored,
                put_aside: None,
                saved: None,
                failure: None,
                is_changed: false,
            },
            saved: None,
            upload: None,
            waiting: Vec::new(),
        }
    }

    pub(super) fn files(&self) -> &WorkFiles {
        &self.files
    }

    /// Stores in the table `memory.problems` what the owner must know about the beginning. Returns the number
    /// of problems. Checks the notebooks, too, because DuckDB's UI can't start with unreadable ones.
    pub(super) async fn report_problems(&mut self, shell: &mut Shell) -> Result<usize, Exited> {
        let notebooks = self.files.notebooks();
        if notebooks.exists() && !copy::can_open(shell, &notebooks).await? {
            match files::put_aside(&notebooks) {
                Ok(name) => self.note_put_aside(name),
                Err(why) => eprintln!("duckbot: the notebooks can't be put aside: {why}"),
            }
        }
        let mut problems = Vec::new();
        if let Some(name) = &self.report.put_aside {
            let step = ScriptStep::new(
                "Opening your work",
                vec![format!("ATTACH '{name}' AS unreadable;")],
            );
            problems.push((step, format!("DuckDB can't open it. The file is now {name}, and the session began without it. /duck restore starts a session with saved work.")));
        }
        if let Restored::Failed { failure, .. } = &self.report.restored {
            let step = ScriptStep::new("Restoring your saved work", Vec::new());
            problems.push((step, format!("{}. The save stays where it is: /duck restore tries again, also with an older one.", failure.error)));
        }
        for (step, error) in &problems {
            record_problem(shell, step, error).await?;
        }
        Ok(problems.len())
    }

    /// Notes that a database could not be opened.
    pub(super) fn note_put_aside(&mut self, name: String) {
        self.report.put_aside = Some(name);
    }

    /// Counts as changed from now on what people write. Call it once the session is prepared. Returns the
    /// times of the periodic saves.
    pub(super) fn watch(&mut self, config: &SessionConfig) -> Ticks {
        // What an earlier run in the same home had saved is not known.
        if !matches!(self.report.restored, Restored::Kept) {
            self.saved = Some(self.files.fingerprint());
        }
        let work = config.work.as_ref().filter(|_| self.saving.is_some());
        Ticks(work.map(|work| {
            let mut ticks = interval_at(Instant::now() + work.every, work.every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    fn is_changed(&self) -> bool {
        self.saved != Some(self.files.fingerprint())
    }

    /// Describes the state of the work.
    pub(super) fn describe(&self) -> ControlResponse {
        if self.saving.is_none() {
            return ControlResponse::NotSupported;
        }
        ControlResponse::Work(Box::new(WorkReport {
            is_changed: self.is_changed(),
            ..self.report.clone()
        }))
    }

    /// Saves the work because the bot asked for it. The answer is sent when that is done.
    pub(super) async fn save_for(
        &mut self,
        answer: oneshot::Sender<ControlResponse>,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<(), Exited> {
        if self.saving.is_none() {
            // The client may be gone.
            let _ = answer.send(ControlResponse::NotSupported);
            return Ok(());
        }
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
        let Some(saving) = &self.saving else {
            return Ok(());
        };
        if self.upload.is_some() {
            return Ok(());
        }
        if !self.is_changed() {
            self.report.failure = None;
            self.answer_all();
            return Ok(());
        }
        let (of, at) = (self.files.fingerprint(), Utc::now());
        match copy::copy(shell, &self.files, config, variables).await {
            Ok(copies) => {
                let job = Job {
                    saving: saving.clone(),
                    at,
                    copies,
                    store: saving.open(config, variables),
                    program: config.program.clone(),
                };
                self.upload = Some(Upload {
                    task: tokio::spawn(job.run()),
                    of,
                });
            }
            Err(NotCopied::Exited(exited)) => return Err(exited),
            Err(NotCopied::Failed(error)) => self.fail(error),
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

    /// Takes the outcome of an upload. If a command waits and something has changed since, saves again.
    pub(super) async fn conclude(
        &mut self,
        outcome: Result<Manifest, StoreError>,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<(), Exited> {
        let upload = self.upload.take();
        let _ = self.files.remove_copies();
        match outcome {
            Ok(manifest) => {
                self.saved = upload.map(|upload| upload.of);
                let summary = manifest.summary();
                eprintln!(
                    "duckbot: save {} is complete: {} tables, {} notebooks, {} bytes",
                    summary.number, summary.tables, summary.notebooks, summary.bytes
                );
                self.report.saved = Some(summary);
                self.report.failure = None;
                if self.waiting.is_empty() {
                    return Ok(());
                }
                self.save(shell, config, variables).await
            }
            Err(error) => {
                self.fail(error);
                Ok(())
            }
        }
    }

    /// Saves what has changed before the session ends, as far as the deadline allows.
    pub(super) async fn finish(
        &mut self,
        shell: &mut Shell,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) {
        let Some(deadline) = self.saving.as_ref().map(|saving| saving.deadline) else {
            return;
        };
        let saving = async {
            loop {
                if self.upload.is_none() {
                    self.save(shell, config, variables).await?;
                }
                if self.upload.is_none() {
                    return Ok::<_, Exited>(());
                }
                let outcome = self.uploaded().await;
                let is_failed = outcome.is_err();
                self.conclude(outcome, shell, config, variables).await?;
                if is_failed || !self.is_changed() {
                    return Ok(());
                }
            }
        };
        if timeout(deadline, saving).await.is_err() {
            eprintln!(
                "duckbot: the work was not saved within {} s",
                deadline.as_secs()
            );
        }
    }

    fn fail(&mut self, error: StoreError) {
        eprintln!("duckbot: the work could not be saved: {}", error.error);
        let _ = self.files.remove_copies();
        self.report.failure = Some(error.now());
        self.answer_all();
    }

    fn answer_all(&mut self) {
        let answer = self.describe();
        for waiting in mem::take(&mut self.waiting) {
            // The client may be gone.
            let _ = waiting.send(answer.clone());
        }
    }
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

/// The upload of copies as the next save.
struct Job {
    saving: Saving,
    at: DateTime<Utc>,
    copies: Copies,
    store: Result<WorkStore, StoreError>,
    program: PathBuf,
}

impl Job {
    async fn run(self) -> Result<Manifest, StoreError> {
        let Self {
            saving,
            at,
            copies,
            store,
            program,
        } = self;
        let Saving {
            owner,
            workspace,
            key,
            ..
        } = &saving;
        let store = store?;
        let numbers = store.numbers(*owner, workspace).await?;
        let number = numbers.first().map_or(1, |newest| newest + 1);
        let place = Place {
            owner: *owner,
            workspace,
            number,
        };
        let mut manifest = Manifest::new(NewManifest {
            owner: *owner,
            workspace: workspace.clone(),
            number,
            session: saving.session.clone(),
            at,
            duckdb: duckdb_version(&program).await?,
        });
        manifest.tables = copies.tables;
        manifest.notebooks = copies.notebook_count;
        let size = std::fs::metadata(&copies.database).map_err(StoreError::from_disk)?;
        if size.len() > saving.max_bytes {
            // The notebooks are saved all the same, beside the database of the last save.
            let before = store.manifests(*owner, workspace, key).await?;
            let before = before.first();
            let file = before.and_then(|save| save.file(FileName::Database));
            manifest.files.extend(file.cloned());
            manifest.tables = before.map_or(0, |save| save.tables);
            manifest.is_partial = true;
        } else {
            let file = store
                .upload(place, FileName::Database, &copies.database)
                .await?;
            manifest.files.push(file);
        }
        if let Some(notebooks) = &copies.notebooks {
            let file = store.upload(place, FileName::Notebooks, notebooks).await?;
            manifest.files.push(file);
        }
        store.complete(&manifest, key).await?;
        // Old saves may stay: some teams' keys may not delete.
        if let Err(error) = store.prune(&manifest, key).await {
            eprintln!("duckbot: old saves can't be deleted: {error}");
        }
        Ok(manifest)
    }
}
