//! Documents that are stored beside the records: the ledger, the pause of starts, and the book of schedules. Reads and atomic
//! updates, on top of a [`DocumentBackend`].

use std::marker::PhantomData;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tracing::warn;

use super::MAX_WRITE_ATTEMPTS;
use crate::{
    error::Error,
    schedule::Book,
    session::{Ledger, PauseDocument},
};

/// Access to the ledger.
pub type LedgerStore = DocumentStore<Ledger>;
/// Access to the pause of starts.
pub type PauseStore = DocumentStore<PauseDocument>;
/// Access to the book of schedules.
pub type BookStore = DocumentStore<Book>;

/// A document of which there is one for all bots.
pub trait Document: PartialEq + Sized {
    /// Name, which is also a part of the names of its file and its ConfigMap.
    const NAME: &'static str;

    /// Parses the stored text.
    ///
    /// # Errors
    /// Returns the reason if the text is not a document that this version reads, and what to do.
    fn read(text: &str) -> Result<Self, String>;

    fn write(&self) -> String;
}

impl Document for Ledger {
    const NAME: &'static str = "ledger";

    fn read(text: &str) -> Result<Self, String> {
        let ledger = Self::read(text);
        ledger.map_err(|why| {
            format!(
                "{why}; to continue, delete it: that loses the totals of one report and the list of \
                 people whose membership is checked, but no session"
            )
        })
    }

    fn write(&self) -> String {
        self.write()
    }
}

impl Document for PauseDocument {
    const NAME: &'static str = "pause";

    /// A document that can't be read pauses nothing: it must not keep everybody from starting.
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::read(text).unwrap_or_else(|why| {
            warn!("the pause of starts can't be read, and is ignored ({why}); set it again with /duck pause");
            Self::new(None)
        }))
    }

    fn write(&self) -> String {
        self.write()
    }
}

impl Document for Book {
    const NAME: &'static str = "schedules";

    fn read(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|why| {
            format!("{why}; to continue, delete it: that deletes all schedules, but no session")
        })
    }

    fn write(&self) -> String {
        self.write()
    }
}

/// Storage of one document.
#[async_trait]
pub trait DocumentBackend: Send + Sync {
    /// Returns the text and its revision, or None if there is no document yet.
    async fn read(&self) -> Result<Option<(String, String)>, Error>;

    /// Overwrites the revision `over`, or creates the document if `over` is None.
    ///
    /// # Errors
    /// Returns [`Error::Conflict`] or [`Error::Exists`] if another writer came first.
    async fn write(&self, text: &str, over: Option<&str>) -> Result<(), Error>;

    /// Returns the error for a document that can't be read.
    fn unreadable(&self, why: String) -> Error;
}

/// Access to a document. Updates in this process run one at a time: without the lock, many sessions
/// that end at once would keep causing each other conflicts.
pub struct DocumentStore<D> {
    backend: Box<dyn DocumentBackend>,
    lock: Mutex<()>,
    document: PhantomData<fn() -> D>,
}

impl<D: Document> DocumentStore<D> {
    pub fn new(backend: impl DocumentBackend + 'static) -> Self {
        Self {
            backend: Box::new(backend),
            lock: Mutex::default(),
            document: PhantomData,
        }
    }

    /// Returns the document, or None if there is none yet.
    ///
    /// # Errors
    /// If the document can't be read.
    pub async fn read(&self) -> Result<Option<D>, Error> {
        let found = self.find().await?;
        Ok(found.map(|(document, _)| document))
    }

    async fn find(&self) -> Result<Option<(D, String)>, Error> {
        let Some((text, revision)) = self.backend.read().await? else {
            return Ok(None);
        };
        let document = D::read(&text).map_err(|why| self.backend.unreadable(why))?;
        Ok(Some((document, revision)))
    }

    /// Applies `change` to the newest document, if there is one, and writes the result. Repeats this if
    /// another bot wrote first. Returns the stored document.
    ///
    /// # Errors
    /// If the document can't be read or written, or if other writers came first in every attempt.
    pub async fn replace(&self, mut change: impl FnMut(Option<&D>) -> D) -> Result<D, Error> {
        let _guard = self.lock.lock().await;
        let mut attempts = 1..=MAX_WRITE_ATTEMPTS;
        loop {
            let (document, revision) = self.find().await?.unzip();
            let changed = change(document.as_ref());
            if Some(&changed) == document.as_ref() {
                return Ok(changed);
            }
            attempts.next();
            let text = changed.write();
            match self.backend.write(&text, revision.as_deref()).await {
                Ok(()) => return Ok(changed),
                Err(Error::Conflict { .. } | Error::Exists { .. }) if !attempts.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl LedgerStore {
    /// Applies `change` to the newest ledger, or to an empty one, and writes the result. See
    /// [`DocumentStore::replace`].
    ///
    /// # Errors
    /// Same as [`DocumentStore::replace`].
    pub async fn update(
        &self,
        now: DateTime<Utc>,
        change: impl Fn(&Ledger) -> Ledger,
    ) -> Result<Ledger, Error> {
        let changed = |ledger: Option<&Ledger>| change(ledger.unwrap_or(&Ledger::new(now)));
        self.replace(changed).await
    }
}
