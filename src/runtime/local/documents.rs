//! Documents as files: `ledger`, `pause`.

use async_trait::async_trait;

use super::files::Folder;
use crate::{
    error::Error,
    runtime::{Document, DocumentBackend, DocumentStore, LedgerStore},
    session::Ledger,
};

/// Opens the document in a folder that this bot has locked.
pub(super) fn document<D: Document>(folder: Folder) -> DocumentStore<D> {
    let name = D::NAME;
    DocumentStore::new(DocumentFile { folder, name })
}

/// Opens the ledger in a folder that this bot has locked.
pub(super) fn ledger(folder: Folder) -> LedgerStore {
    let name = Ledger::NAME;
    LedgerStore::new(DocumentFile { folder, name })
}

/// A document in a file. There is no other writer, so it needs no revision.
struct DocumentFile {
    folder: Folder,
    name: &'static str,
}

#[async_trait]
impl DocumentBackend for DocumentFile {
    async fn read(&self) -> Result<Option<(String, String)>, Error> {
        let found = self.folder.read(self.name)?;
        Ok(found.map(|text| (String::from_utf8_lossy(&text).into_owned(), String::new())))
    }

    async fn write(&self, text: &str, _: Option<&str>) -> Result<Option<String>, Error> {
        self.folder.write(self.name, text.as_bytes())?;
        // A person may edit the file.
        Ok(None)
    }

    fn unreadable(&self, why: String) -> Error {
        let action = format!("reading {}", self.folder.path(self.name).display());
        Error::Disk { action, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{PauseDocument, StartPause};

    #[tokio::test]
    async fn each_document_outlives_the_bot_in_a_file_of_its_own() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = || Folder::open(place.path().to_owned()).expect("the folder is there");
        let pause = StartPause {
            until: "2026-11-23T18:00:00Z".parse().expect("a time"),
            by: 9.into(),
            reason: None,
        };
        let written = PauseDocument::new(Some(pause.clone()));
        let store = document::<PauseDocument>(folder());
        assert_eq!(store.read().await, Ok(None));
        let mut replaced = Some(written.clone());
        let changed = |stored: Option<&PauseDocument>| {
            replaced = stored.cloned();
            written.clone()
        };
        assert_eq!(store.replace(changed).await, Ok(written.clone()));
        assert_eq!(replaced, None);
        let next = document::<PauseDocument>(folder());
        assert_eq!(next.read().await, Ok(Some(written)));
        assert_eq!(ledger(folder()).read().await, Ok(None));
    }

    #[tokio::test]
    async fn a_pause_that_cannot_be_read_pauses_nothing_and_a_ledger_is_not_overwritten() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = || Folder::open(place.path().to_owned()).expect("the folder is there");
        for name in ["pause", "ledger"] {
            folder().write(name, b"quack").expect("the file is written");
        }
        let pause = document::<PauseDocument>(folder()).read().await;
        assert_eq!(pause, Ok(Some(PauseDocument::new(None))));
        let read = ledger(folder()).read().await;
        assert!(
            matches!(&read, Err(Error::Disk { why, .. }) if why.contains("to continue, delete it")),
            "{read:?}"
        );
    }
}
