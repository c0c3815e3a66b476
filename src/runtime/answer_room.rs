//! Memory of the bot for the answers of queries. Most answers are small. A large one takes up to 50
//! MiB until it is sent, so only a few exist at a time, whoever asked for them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Maximum number of large answers. Together they stay below the bot's memory limit in `deploy/`.
const MAX_LARGE_ANSWERS: usize = 3;
/// Maximum time to wait until another large answer was sent.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Memory for the answers of all queries.
#[derive(Clone)]
pub struct AnswerMemory(Arc<Semaphore>);

impl Default for AnswerMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LARGE_ANSWERS)))
    }
}

impl AnswerMemory {
    /// Room for one answer, which must be held until the answer is sent.
    pub fn room(&self) -> AnswerRoom {
        AnswerRoom {
            memory: self.clone(),
            large: None,
        }
    }
}

/// Room for one answer. It is small at first.
pub struct AnswerRoom {
    memory: AnswerMemory,
    large: Option<OwnedSemaphorePermit>,
}

impl AnswerRoom {
    /// Maximum size of a small answer in bytes.
    pub const SMALL_BYTES: u64 = 16 << 10;

    /// Makes room for a large answer. Returns false if there is none for too long.
    pub async fn enlarge(&mut self) -> bool {
        if self.large.is_none() {
            let room = self.memory.0.clone().acquire_owned();
            self.large = timeout(WAIT_TIMEOUT, room).await.ok().and_then(Result::ok);
        }
        self.large.is_some()
    }
}
