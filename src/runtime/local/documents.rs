//! Documents as files: `ledger`, `pause`.

use async_trait::async_trait;

use super::files::Folder;
use crate::{
    error::Error,
    runtime::{Document, DocumentBackend, DocumentStore},
};

/// Opens the document in a folder that this bot has locked.
pub(super) fn document<D: Document>(folder: Folder) -> DocumentStore<D> {
    let name = D::NAME;
    DocumentStore::new(DocumentFile { folder, name })
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

    async fn write(&self, text: &str, _: Option<&str>) -> Result<(), Error> {
        self.folder.write(self.name, text.as_bytes())
    }

    fn unreadable(&self, why: String) -> Error {
        let action = format!("reading {}", self.folder.path(self.name).display());
        Error::Disk { action, why }
    }
}
