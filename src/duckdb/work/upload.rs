//! The upload of copies as the next save.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::{copy::Copies, saving::Saving};
use crate::work::{FileName, Manifest, Place, StoreError, WorkStore};

/// The upload of copies as the next save.
pub(super) struct Job {
    pub saving: Saving,
    pub at: DateTime<Utc>,
    pub copies: Copies,
    pub store: Result<WorkStore, StoreError>,
    pub program: PathBuf,
    /// Number of the save with which the session began.
    pub begun_with: Option<u32>,
}

impl Job {
    pub(super) async fn run(self) -> Result<Manifest, StoreError> {
        let Self {
            saving,
            at,
            copies,
            store,
            program,
            begun_with,
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
        let mut manifest = Manifest {
            version: Manifest::VERSION,
            owner: *owner,
            workspace: workspace.clone(),
            number,
            session: saving.session.clone(),
            run: saving.run.clone(),
            at,
            duckdb: saving.duckdb_version(&program).await?,
            files: Vec::new(),
            tables: copies.tables,
            notebooks: copies.notebook_count,
            is_partial: false,
        };
        if let Err(error) = upload(&mut manifest, &store, &saving, &copies, begun_with).await {
            // What is left is no save. The next complete one deletes it, if this fails.
            let _ = store.delete(*owner, workspace, number).await;
            return Err(error);
        }
        // Old saves may stay: some teams' keys may not delete.
        if let Err(error) = store.prune(&manifest, key).await {
            eprintln!("duckbot: old saves can't be deleted: {error}");
        }
        Ok(manifest)
    }
}

/// Uploads the files of a save and completes it.
async fn upload(
    manifest: &mut Manifest,
    store: &WorkStore,
    saving: &Saving,
    copies: &Copies,
    begun_with: Option<u32>,
) -> Result<(), StoreError> {
    let (owner, workspace) = (manifest.owner, &saving.workspace);
    let place = Place {
        owner,
        workspace,
        number: manifest.number,
    };
    let size = std::fs::metadata(&copies.database).map_err(StoreError::from_disk)?;
    if size.len() > saving.max_bytes {
        // The notebooks are saved all the same, beside the last database that this session had.
        let saves = store.manifests(owner, workspace, &saving.key).await?;
        let is_own = |save: &&Manifest| save.run == saving.run || Some(save.number) == begun_with;
        let before = saves.iter().find(is_own);
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
    store.complete(manifest, &saving.key).await
}
