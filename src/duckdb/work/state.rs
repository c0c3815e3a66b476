//! The state of a session's work, which the bot may ask for at any time.

use std::sync::Arc;

use parking_lot::Mutex;

use super::files::{Fingerprint, WorkFiles};
use crate::{
    duckdb::control::ControlResponse,
    session::PutAside,
    work::{Restored, SaveFailureReason, SaveSummary, StoreError, WorkReport},
};

/// State that the entry point changes, and that the control socket reads.
#[derive(Clone, Default)]
pub(in crate::duckdb) struct State(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// `None` if nothing is saved, or the session has not begun.
    report: Option<WorkReport>,
    put_aside: Vec<PutAside>,
    /// The files when they were last saved or restored.
    saved: Option<Fingerprint>,
}

/// A problem for the table `memory.problems`: its step, its error, and a statement that helps.
type Problem = (&'static str, String, Option<String>);

impl State {
    /// Describes the state of the work. Answers "not supported" if nothing is saved.
    pub(in crate::duckdb) fn describe(&self, files: &WorkFiles) -> ControlResponse {
        let inner = self.0.lock();
        match &inner.report {
            None => ControlResponse::NotSupported,
            Some(report) => ControlResponse::Work(Box::new(WorkReport {
                put_aside: inner.put_aside.clone(),
                is_changed: inner.saved != Some(files.fingerprint()),
                ..report.clone()
            })),
        }
    }

    /// Notes how the session began.
    pub(super) fn begin(&self, restored: Restored) {
        self.0.lock().report = Some(WorkReport {
            restored,
            put_aside: Vec::new(),
            saved: None,
            failure: None,
            is_changed: false,
        });
    }

    /// Notes the last save of the session's earlier runs, unless this run has saved.
    pub(super) fn note_earlier(&self, save: SaveSummary) {
        if let Some(report) = &mut self.0.lock().report {
            report.saved.get_or_insert(save);
        }
    }

    pub(super) fn add_put_aside(&self, put_aside: PutAside) {
        eprintln!(
            "duckbot: a database can't be opened. It is {} now",
            put_aside.path
        );
        self.0.lock().put_aside.push(put_aside);
    }

    /// Counts as changed from now on what people write.
    pub(super) fn watch(&self, files: &WorkFiles) {
        let mut inner = self.0.lock();
        let is_kept = matches!(
            &inner.report,
            Some(WorkReport {
                restored: Restored::Kept,
                ..
            })
        );
        // What an earlier run in the same home had saved is not known. An empty database in place of an
        // unreadable one is not worth a save.
        if !is_kept || !inner.put_aside.is_empty() {
            inner.saved = Some(files.fingerprint());
        }
    }

    /// Returns true if the files may have work that is not saved. `now` is their state.
    pub(super) fn may_be_unsaved(&self, now: &Fingerprint) -> bool {
        let inner = self.0.lock();
        match (&inner.saved, &inner.report) {
            (Some(saved), _) => saved != now,
            (None, Some(report)) => report.restored == Restored::Kept,
            (None, None) => false,
        }
    }

    pub(super) fn is_saved(&self, now: &Fingerprint) -> bool {
        self.0.lock().saved == Some(*now)
    }

    pub(super) fn complete(&self, summary: SaveSummary, of: Fingerprint) {
        let mut inner = self.0.lock();
        inner.saved = Some(of);
        if let Some(report) = &mut inner.report {
            report.saved = Some(summary);
            report.failure = None;
        }
    }

    pub(super) fn fail(&self, error: StoreError) {
        if let Some(report) = &mut self.0.lock().report {
            report.failure = Some(error.now());
        }
    }

    pub(super) fn clear_failure(&self) {
        if let Some(report) = &mut self.0.lock().report {
            report.failure = None;
        }
    }

    /// Number of the save with which the session began.
    pub(super) fn begun_with(&self) -> Option<u32> {
        match &self.0.lock().report.as_ref()?.restored {
            Restored::Save(save) => Some(save.number),
            Restored::Nothing | Restored::Kept | Restored::Failed { .. } => None,
        }
    }

    /// Returns what the owner must know about the beginning. `can_restore` is true if there may be saves.
    pub(super) fn problems(&self, can_restore: bool) -> Vec<Problem> {
        let inner = self.0.lock();
        let advice = if can_restore {
            " To go back to saved work, stop this session, then run /duck restore."
        } else {
            ""
        };
        let mut problems: Vec<Problem> = inner
            .put_aside
            .iter()
            .map(|PutAside { is_notebooks, path }| {
                let (what, began) = if *is_notebooks {
                    ("Opening your notebooks", "The UI begins without notebooks")
                } else {
                    ("Opening your tables", "The session begins with none")
                };
                let error =
                    format!("DuckDB can't open the file, which is {path} now. {began}.{advice}");
                let statement = format!("ATTACH '{path}' AS unreadable;");
                (what, error, Some(statement))
            })
            .collect();
        if let Some(WorkReport {
            restored: Restored::Failed { failure, .. },
            ..
        }) = &inner.report
        {
            let kept = match failure.reason {
                // Nobody can restore these later.
                SaveFailureReason::NewerDuckDb
                | SaveFailureReason::NotGenuine
                | SaveFailureReason::NotFound => "",
                _ => " The save is still there.",
            };
            let error = format!("{}.{kept}{advice}", failure.error);
            problems.push(("Restoring your saved work", error, None));
        }
        problems
    }
}
