//! Sentences about a save of a person's work.

use super::format::{count_of, grouped, plain};
use crate::session::{SaveFailure, SaveFailureReason, SaveSummary};

const NEWER_DUCKDB: &str = "the save was made by a newer version of DuckDB.";
const NOT_GENUINE: &str = "the save is damaged, or is not yours.";
const NOT_FOUND: &str = "there is no such save.";

/// Says what is wrong with a save that can never be restored here: the rest of a sentence.
pub(super) fn wrong_save(reason: SaveFailureReason) -> Option<&'static str> {
    match reason {
        SaveFailureReason::NewerDuckDb => Some(NEWER_DUCKDB),
        SaveFailureReason::NotGenuine => Some(NOT_GENUINE),
        SaveFailureReason::NotFound => Some(NOT_FOUND),
        _ => None,
    }
}

/// Confirms a save, in one sentence.
pub(crate) fn saved(save: &SaveSummary) -> String {
    if save.is_partial {
        let tables = match save.tables {
            0 => "No tables are saved",
            _ => "Your tables are saved as they were before",
        };
        format!(
            "**Only your notebooks are saved** ({}). {tables}, because the database is now larger than \
             `work.max_size` allows. Write large tables to the catalog, or to files in S3.",
            count_of(save.notebooks as usize, "notebook")
        )
    } else {
        let what = format!("({}, {})", contents(save), size(save.bytes));
        format!("Your work is saved {what}.")
    }
}

/// Says why work could not be restored, and what to do: the rest of a sentence, and perhaps further ones.
pub(crate) fn not_restored(failure: &SaveFailure) -> String {
    match failure.reason {
        SaveFailureReason::NoRoom => {
            "the session's disk has no room for it. Start a larger size.".to_owned()
        }
        SaveFailureReason::TimedOut => {
            "it took too long. If this happens again, tell an admin.".to_owned()
        }
        _ => not_saved(failure),
    }
}

/// Says why work could not be saved, and what to do: the rest of a sentence, and perhaps further ones.
pub(crate) fn not_saved(failure: &SaveFailure) -> String {
    let error = plain(&failure.error);
    match failure.reason {
        SaveFailureReason::KeysRefused => {
            "the storage refused your S3 credentials, or they have expired. \
             Enter new ones with `/duck setup`."
                .to_owned()
        }
        SaveFailureReason::NotAllowed => format!(
            "your S3 credentials don't give access to the folder for saved work. Ask an admin for it. \
             (Message from the storage: {error})"
        ),
        SaveFailureReason::Unavailable => {
            format!("the storage did not answer as expected. Try again later. ({error})")
        }
        SaveFailureReason::NoRoom => {
            "the session's disk has no room for the copy. Remove some of your \
             tables, or start a larger size."
                .to_owned()
        }
        SaveFailureReason::TimedOut => {
            "it took longer than `work.deadline` allows. Tell an admin.".to_owned()
        }
        SaveFailureReason::NotCopied => format!(
            "DuckDB could not copy your database: {error}. Try again with `/duck save`. If this happens \
             again, tell an admin."
        ),
        SaveFailureReason::NewerDuckDb => {
            format!("{NEWER_DUCKDB} Restore an older save with `/duck restore`, or tell an admin.")
        }
        SaveFailureReason::NotGenuine => {
            format!("{NOT_GENUINE} Restore an older save with `/duck restore`.")
        }
        SaveFailureReason::NotFound => {
            format!("{NOT_FOUND} See those that exist with `/duck restore`.")
        }
        SaveFailureReason::NoKey => "this session can't save its work. Start a new one.".to_owned(),
        SaveFailureReason::Other => format!("{error}. If this happens again, tell an admin."),
    }
}

/// Counts what is in a save.
pub(super) fn contents(save: &SaveSummary) -> String {
    let counts = [(save.notebooks, "notebook"), (save.tables, "table")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, thing)| count_of(count as usize, thing))
        .collect();
    if counts.is_empty() {
        "no notebooks or tables".to_owned()
    } else {
        counts.join(", ")
    }
}

/// Formats a size in kB, MB or GB.
pub(super) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000_000 => (1_000, "kB"),
        1_000_000..10_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let count = usize::try_from(bytes.div_ceil(unit)).unwrap_or(usize::MAX);
    format!("{} {name}", grouped(count))
}
