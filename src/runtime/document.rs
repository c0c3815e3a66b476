//! Documents that are stored beside the records: the pause of starts, the book of schedules, and the ledger. Reads and atomic
//! updates, on top of a [`DocumentBackend`].

use async_trait::async_trait;
use tokio::sync::Mutex;
use tracing::warn;

use super::MAX_WRITE_ATTEMPTS;
use crate::{
    error::Error,
    schedule::Book,
    session::{Ledger, PauseDocument},
};

/// Access to the pause of starts.
pub type PauseStore = DocumentStore<PauseDocument>;
/// Access to the book of schedules.
pub type BookStore = DocumentStore<Book>;

/// A document of which there is one for all bots.
pub trait Document: Clone + PartialEq + Send {
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

    /// Overwrites the revision `over`, or creates the document if `over` is None. Returns the new revision, if it
    /// protects the next write from overwriting that of another writer.
    ///
    /// # Errors
    /// Returns [`Error::Conflict`] or [`Error::Exists`] if another writer came first, and [`Error::Unknown`] if the
    /// document was deleted.
    async fn write(&self, text: &str, over: Option<&str>) -> Result<Option<String>, Error>;

    /// Returns the error for a document that can't be read.
    fn unreadable(&self, why: String) -> Error;
}

/// Access to a document. Updates in this process run one at a time: without the lock, many sessions
/// that end at once would keep causing each other conflicts.
pub struct DocumentStore<D> {
    backend: Box<dyn DocumentBackend>,
    /// Document and revision that this process wrote last. An update begins with them instead of a read, so that
    /// the others wait for one call and not for two. The write names the revision, so it fails if they are old.
    last: Mutex<Option<(D, String)>>,
}

impl<D: Document> DocumentStore<D> {
    pub fn new(backend: impl DocumentBackend + 'static) -> Self {
        Self {
            backend: Box::new(backend),
            last: Mutex::default(),
        }
    }

    /// Returns the document, or None if there is none yet.
    ///
    /// # Errors
    /// If the document can't be read.
    pub async fn read(&self) -> Result<Option<D>, Error> {
        let found = self.parse(self.backend.read().await?)?;
        Ok(found.map(|(document, _)| document))
    }

    fn parse(&self, found: Option<(String, String)>) -> Result<Option<(D, String)>, Error> {
        let Some((text, revision)) = found else {
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
        let replaced = self.replace_if(|document| Some(change(document))).await?;
        Ok(replaced.expect("every document is changed"))
    }

    /// Same as [`DocumentStore::replace`], but does nothing and returns None if `change` does. It may be given a
    /// document of which another bot has written a newer version.
    ///
    /// # Errors
    /// Same as [`DocumentStore::replace`].
    pub async fn replace_if(
        &self,
        mut change: impl FnMut(Option<&D>) -> Option<D>,
    ) -> Result<Option<D>, Error> {
        let mut last = self.last.lock().await;
        let mut attempts = 1..=MAX_WRITE_ATTEMPTS;
        loop {
            // Taken, so that a failure or a dropped future leaves nothing old behind.
            let known = last.take();
            let is_known = known.is_some();
            let found = match known {
                None => self.parse(self.backend.read().await?)?,
                known => known,
            };
            let (document, revision) = found.unzip();
            let Some(changed) = change(document.as_ref()) else {
                *last = document.zip(revision).filter(|_| is_known);
                return Ok(None);
            };
            if Some(&changed) == document.as_ref() {
                if is_known {
                    // Only a write shows that it is the newest one.
                    continue;
                }
                return Ok(Some(changed));
            }
            if !is_known {
                attempts.next();
            }
            match self
                .backend
                .write(&changed.write(), revision.as_deref())
                .await
            {
                Ok(revision) => {
                    *last = revision.map(|revision| (changed.clone(), revision));
                    return Ok(Some(changed));
                }
                Err(Error::Conflict { .. } | Error::Exists { .. })
                    if is_known || !attempts.is_empty() => {}
                Err(Error::Unknown { .. }) if is_known => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type LedgerStore = DocumentStore<Ledger>;

    /// A stored document with revisions, which two bots use. Counts the reads.
    #[derive(Default)]
    struct Stored {
        reads: usize,
        writes: usize,
        document: Option<(String, String)>,
    }

    struct Backend(Arc<parking_lot::Mutex<Stored>>);

    #[async_trait]
    impl DocumentBackend for Backend {
        async fn read(&self) -> Result<Option<(String, String)>, Error> {
            let mut stored = self.0.lock();
            stored.reads += 1;
            Ok(stored.document.clone())
        }

        async fn write(&self, text: &str, over: Option<&str>) -> Result<Option<String>, Error> {
            let mut stored = self.0.lock();
            let action = "writing".to_owned();
            match (&stored.document, over) {
                (Some((_, revision)), Some(over)) if revision != over => {
                    return Err(Error::Conflict { action });
                }
                (Some(_), None) => return Err(Error::Exists { action }),
                (None, Some(_)) => {
                    let why = "not found".to_owned();
                    return Err(Error::Unknown { action, why });
                }
                _ => {}
            }
            stored.writes += 1;
            let revision = stored.writes.to_string();
            stored.document = Some((text.to_owned(), revision.clone()));
            Ok(Some(revision))
        }

        fn unreadable(&self, why: String) -> Error {
            let action = "reading".to_owned();
            Error::Unavailable { action, why }
        }
    }

    fn two_bots() -> (Arc<parking_lot::Mutex<Stored>>, [LedgerStore; 2]) {
        let stored = Arc::<parking_lot::Mutex<Stored>>::default();
        let bots = [(); 2].map(|()| LedgerStore::new(Backend(stored.clone())));
        (stored, bots)
    }

    async fn add(bot: &LedgerStore, owner: u64) {
        let empty = Ledger::new("2026-11-27T12:00:00Z".parse().expect("a time"));
        let added = |ledger: Option<&Ledger>| ledger.unwrap_or(&empty).with_owners([owner.into()]);
        bot.replace(added).await.expect("it is written");
    }

    async fn owners(bot: &LedgerStore) -> Vec<String> {
        let ledger = bot.read().await.expect("it is read");
        let ledger = ledger.expect("there is one");
        let mut owners: Vec<_> = ledger.owners().map(|it| it.to_string()).collect();
        owners.sort();
        owners
    }

    #[tokio::test]
    async fn a_bot_that_writes_alone_reads_once() {
        let (stored, [bot, _]) = two_bots();
        for owner in 1..=3 {
            add(&bot, owner).await;
        }
        assert_eq!(stored.lock().reads, 1);
        assert_eq!(owners(&bot).await, ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn nothing_is_lost_that_another_bot_wrote() {
        let (_, [bot, other]) = two_bots();
        add(&bot, 1).await;
        add(&other, 2).await;
        add(&bot, 3).await;
        add(&other, 4).await;
        assert_eq!(owners(&bot).await, ["1", "2", "3", "4"]);
    }

    #[tokio::test]
    async fn a_deleted_document_is_made_again_without_what_it_had() {
        let (stored, [bot, _]) = two_bots();
        add(&bot, 1).await;
        stored.lock().document = None;
        add(&bot, 2).await;
        assert_eq!(owners(&bot).await, ["2"]);
    }

    #[tokio::test]
    async fn an_old_text_never_means_that_nothing_is_to_do() {
        let (stored, [bot, _]) = two_bots();
        add(&bot, 1).await;
        stored.lock().document = None;
        add(&bot, 1).await;
        assert_eq!(owners(&bot).await, ["1"]);
    }
}
