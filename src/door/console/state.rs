//! The state of the console.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::{
    client::Client, exchange::Exchange, history::History, page::Asset, results::Results,
    running::Running,
};
use crate::door::{
    flow::{Flow, MAX_QUERIES},
    page_check::PageCheck,
};

/// Memory for the bodies of calls together, in KiB. The door has 64 MiB.
const BODY_KIB: usize = 8 << 10;

/// Maximum number of statements of all tabs that run together. DuckDB has room for one more, so that pages of
/// results, notebooks and tables don't wait for them.
const MAX_RUNNING: usize = MAX_QUERIES - 1;

/// The console of one session.
pub(in crate::door) struct Console {
    pub(super) session: String,
    pub(super) owner: String,
    pub(super) client: Client,
    pub(super) results: Results,
    pub(super) history: History,
    pub(super) running: Running,
    /// Set once the results of an earlier door are dropped.
    pub(super) prepared: OnceCell<()>,
    /// Room for the statements of tabs, downloads and uploads: all that may be long.
    pub(super) room: Semaphore,
    /// Held while DuckDB is made ready: two at a time would fail.
    pub(super) making_ready: Mutex<()>,
    /// KiB for the bodies of calls.
    pub(super) bodies: Arc<Semaphore>,
    /// Held while a notebook is saved.
    pub(super) saving: Mutex<()>,
    /// Held while DuckDB completes a text.
    pub(super) completing: Arc<Mutex<()>>,
    /// Folder that the door and DuckDB share. Without it, there are no downloads and uploads.
    pub(super) exchange: Option<Exchange>,
    /// Check of DuckDB's UI, if that is offered too.
    pub(in crate::door) pages: Option<PageCheck>,
    pub(super) editor: Option<Asset>,
}

/// Parts of a console.
pub(in crate::door) struct ConsoleSettings {
    pub session: String,
    pub owner: String,
    pub flow: Arc<Flow>,
    /// `None` if DuckDB's UI is not offered.
    pub pages: Option<PageCheck>,
    /// Content of the bundled editor.
    pub editor: Option<Bytes>,
    /// Folder that DuckDB shares.
    pub files: Option<PathBuf>,
}

impl Console {
    pub(in crate::door) fn new(settings: ConsoleSettings) -> Self {
        Self {
            session: settings.session,
            owner: settings.owner,
            client: Client::new(settings.flow),
            results: Results::new(),
            history: History::default(),
            running: Running::default(),
            prepared: OnceCell::new(),
            room: Semaphore::new(MAX_RUNNING),
            making_ready: Mutex::default(),
            bodies: Arc::new(Semaphore::new(BODY_KIB)),
            saving: Mutex::default(),
            completing: Arc::default(),
            exchange: settings.files.map(Exchange::new),
            pages: settings.pages,
            editor: settings
                .editor
                .map(|content| Asset::new("editor.js", content)),
        }
    }
}
