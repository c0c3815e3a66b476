//! The ledger, as a file.

use std::sync::Mutex;

use async_trait::async_trait;

use super::files::Folder;
use crate::{fault::Fault, lock::lock, runtime::LedgerStore, session::Ledger};

/// Its file.
const LEDGER: &str = "ledger";

/// The ledger in a folder that is this bot's alone.
pub struct Ledgers {
    folder: Folder,
    /// How often it was written.
    writes: Mutex<u64>,
}

impl Ledgers {
    /// The one in that folder.
    pub fn new(folder: Folder) -> Self {
        Self {
            folder,
            writes: Mutex::default(),
        }
    }
}

#[async_trait]
impl LedgerStore for Ledgers {
    async fn read(&self) -> Result<Option<(Ledger, String)>, Fault> {
        let writes = lock(&self.writes);
        let Some(text) = self.folder.read(LEDGER)? else {
            return Ok(None);
        };
        match Ledger::read(&String::from_utf8_lossy(&text)) {
            Ok(ledger) => Ok(Some((ledger, writes.to_string()))),
            Err(why) => Err(Fault::Disk {
                action: format!("reading {}", self.folder.path(LEDGER).display()),
                why: format!("{why}; removing it loses the totals of one report, and no session"),
            }),
        }
    }

    async fn write(&self, ledger: &Ledger, over: Option<&str>) -> Result<(), Fault> {
        let mut writes = lock(&self.writes);
        if over.is_some_and(|over| over != writes.to_string()) {
            let action = "writing the ledger".to_owned();
            return Err(Fault::Conflict { action });
        }
        self.folder.write(LEDGER, ledger.write().as_bytes())?;
        *writes += 1;
        Ok(())
    }
}
