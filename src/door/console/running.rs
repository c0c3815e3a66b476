//! The tabs that run a statement. DuckDB runs one statement at a time on a connection, and a second one would
//! spoil the first.

use std::{collections::HashMap, sync::Arc};

use hyper::header::HeaderValue;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;

/// Maximum length of the name of a tab or a cell.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// Tabs that run a statement.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<String, CancellationToken>>>);

/// Guard that marks a tab as running a statement.
pub(super) struct RunningTab {
    running: Running,
    tab: String,
    pub cancelled: CancellationToken,
}

impl Running {
    /// Marks a tab as running. `None` if it is so already.
    pub(super) fn begin(&self, tab: &str) -> Option<RunningTab> {
        let mut running = self.0.lock();
        if running.contains_key(tab) {
            return None;
        }
        let cancelled = CancellationToken::new();
        running.insert(tab.to_owned(), cancelled.clone());
        Some(RunningTab {
            running: self.clone(),
            tab: tab.to_owned(),
            cancelled,
        })
    }

    /// Cancels the statement of a tab. Returns false if the tab runs none.
    pub(super) fn cancel(&self, tab: &str) -> bool {
        let running = self.0.lock();
        let cancelled = running.get(tab);
        cancelled.is_some_and(|it| {
            it.cancel();
            true
        })
    }
}

impl Drop for RunningTab {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.tab);
    }
}

/// Name of the connection on which a tab's statements run.
pub(super) fn connection(tab: &str) -> Result<HeaderValue, Problem> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_name = (1..=MAX_NAME_BYTES).contains(&tab.len()) && tab.bytes().all(is_part);
    let name = is_name.then(|| HeaderValue::try_from(format!("duckbot-{tab}")));
    match name {
        Some(Ok(name)) => Ok(name),
        _ => Err(Problem::invalid("the tab has no valid name")),
    }
}
