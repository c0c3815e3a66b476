//! Restores saved work before DuckDB starts.

use std::{collections::HashMap, fs, path::PathBuf};

use super::{files::WorkFiles, saving::Saving};
use crate::{
    duckdb::environment::SessionConfig,
    session::Restore,
    work::{FileName, Manifest, Restored, SaveFailureReason, SaveSummary, StoreError},
};

/// Puts the files of a save into the session's home, unless it has files already. If that fails, the
/// home is as before.
pub(super) async fn restore(
    saving: &Saving,
    files: &WorkFiles,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
) -> Restored {
    if files.has_database() {
        return Restored::Kept;
    }
    let mut number = None;
    let restoring = restore_files(saving, files, config, variables, &mut number);
    let outcome = tokio::time::timeout(saving.restore_timeout, restoring).await;
    let outcome = outcome.unwrap_or_else(|_| {
        let seconds = saving.restore_timeout.as_secs();
        Err(StoreError {
            reason: SaveFailureReason::TimedOut,
            error: format!("it was not complete after {seconds} s"),
        })
    });
    let _ = files.remove_copies();
    match outcome {
        Ok(None) => Restored::Nothing,
        Ok(Some(summary)) => {
            eprintln!("duckbot: save {} is restored", summary.number);
            Restored::Save(summary)
        }
        Err(error) => {
            let failure = error.now();
            eprintln!(
                "duckbot: the saved work can't be restored: {}",
                failure.error
            );
            Restored::Failed { number, failure }
        }
    }
}

/// Returns the newest save of the session's earlier runs.
pub(super) async fn find_own(
    saving: &Saving,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
) -> Result<Option<SaveSummary>, StoreError> {
    let store = saving.open(config, variables)?;
    let saves = store.manifests(saving.owner, &saving.workspace, &saving.key);
    let saves = saves.await?;
    let own = saves.iter().find(|save| save.session == saving.session);
    Ok(own.map(Manifest::summary))
}

async fn restore_files(
    saving: &Saving,
    files: &WorkFiles,
    config: &SessionConfig,
    variables: &HashMap<String, String>,
    number: &mut Option<u32>,
) -> Result<Option<SaveSummary>, StoreError> {
    let store = saving.open(config, variables)?;
    let saves = store
        .manifests(saving.owner, &saving.workspace, &saving.key)
        .await?;
    let Some(save) = choose(&saves, saving)? else {
        return Ok(None);
    };
    *number = Some(save.number);
    let own = saving.duckdb_version(&config.program).await?;
    if save.duckdb > own {
        return Err(StoreError {
            reason: SaveFailureReason::NewerDuckDb,
            error: format!("it was made by DuckDB {}, and this is {own}", save.duckdb),
        });
    }
    let needed: u64 = save.files.iter().map(|file| file.bytes).sum();
    if files.used() + needed > u64::from(config.disk.get()) << 20 {
        return Err(StoreError {
            reason: SaveFailureReason::NoRoom,
            error: format!("it has {needed} bytes, which the disk has no room for"),
        });
    }
    let folder = files.make_copies_folder().map_err(StoreError::from_disk)?;
    let mut restored: Vec<(PathBuf, PathBuf)> = Vec::new();
    for file in &save.files {
        let copy = folder.join(file.name.as_str());
        store.download(save, file, &copy).await?;
        restored.push(match file.name {
            FileName::Database => (copy, files.database()),
            FileName::Notebooks => (copy, files.notebooks()),
        });
    }
    // The database comes last: a session that has it has all.
    restored.sort_by_key(|(_, to)| *to == files.database());
    for (from, to) in restored {
        let moved = to.parent().map_or(Ok(()), fs::create_dir_all);
        moved
            .and_then(|()| fs::rename(from, to))
            .map_err(StoreError::from_disk)?;
    }
    Ok(Some(save.summary()))
}

/// Chooses the save to restore. A session that is started again continues with its own newest save.
fn choose<'a>(saves: &'a [Manifest], saving: &Saving) -> Result<Option<&'a Manifest>, StoreError> {
    if let Some(own) = saves.iter().find(|save| save.session == saving.session) {
        return Ok(Some(own));
    }
    match saving.restore {
        Restore::Nothing => Ok(None),
        Restore::Latest => Ok(saves.first()),
        Restore::Save(number) => {
            let found = saves.iter().find(|save| save.number == number);
            let missing = || StoreError {
                reason: SaveFailureReason::NotFound,
                error: format!("there is no save {number} of this workspace"),
            };
            found.map(Some).ok_or_else(missing)
        }
    }
}
