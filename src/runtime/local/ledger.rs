//! The ledger as a file.

use async_trait::async_trait;

use super::files::Folder;
use crate::{
    error::Error,
    runtime::{LEDGER_LOSS_HINT, LedgerBackend},
    session::Ledger,
};

/// File name of the ledger.
const LEDGER: &str = "ledger";

/// The ledger in a folder that this bot has locked. There is no other writer, so it needs no
/// revision.
pub(super) struct LedgerFile(pub Folder);

#[async_trait]
impl LedgerBackend for LedgerFile {
    async fn read(&self) -> Result<Option<(Ledger, String)>, Error> {
        let Some(text) = self.0.read(LEDGER)? else {
            return Ok(None);
        };
        match Ledger::read(&String::from_utf8_lossy(&text)) {
            Ok(ledger) => Ok(Some((ledger, String::new()))),
            Err(why) => Err(Error::Disk {
                action: format!("reading {}", self.0.path(LEDGER).display()),
                why: format!("{why}; {LEDGER_LOSS_HINT}"),
            }),
        }
    }

    async fn write(&self, ledger: &Ledger, _: Option<&str>) -> Result<(), Error> {
        self.0.write(LEDGER, ledger.write().as_bytes())
    }
}
