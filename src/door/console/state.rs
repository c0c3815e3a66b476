//! The state of the console.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore};

use super::{
    client::Client, exchange::Exchange, history::History, page::Asset, results::Results,
    running::Running,
};
use crate::door::{flow::Flow, ticket::random_token};

/// Number of calls with a large body at a time. The door has 64 MiB.
const MAX_LARGE_CALLS: usize = 2;

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
    pub(super) large_calls: Semaphore,
    /// Folder that the door and DuckDB share. Without it, there are no downloads and uploads.
    pub(super) exchange: Option<Exchange>,
    pub(super) editor: Option<Asset>,
    /// ID of this door's process.
    pub(super) started: String,
}

impl Console {
    /// Creates the console. `editor` is the content of the bundled editor, if there is one, and `files` the folder
    /// that DuckDB shares.
    pub(in crate::door) fn new(
        session: &str,
        owner: &str,
        flow: Arc<Flow>,
        editor: Option<Bytes>,
        files: Option<PathBuf>,
    ) -> Self {
        Self {
            session: session.to_owned(),
            owner: owner.to_owned(),
            client: Client::new(flow),
            results: Results::new(),
            history: History::default(),
            running: Running::default(),
            prepared: OnceCell::new(),
            large_calls: Semaphore::new(MAX_LARGE_CALLS),
            exchange: files.map(Exchange::new),
            editor: editor.map(|content| Asset::new("editor.js", content)),
            started: random_token(),
        }
    }
}
