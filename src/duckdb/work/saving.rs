//! Rules for saving a session's work, and the storage.

use std::{collections::HashMap, path::Path, process::Stdio, sync::Arc, time::Duration};

use tokio::{process::Command, sync::OnceCell, time::timeout};
use uuid::Uuid;

use crate::{
    duckdb::environment::{SessionConfig, WorkConfig, secret},
    outbound::Outbound,
    session::{OwnerId, Restore, SessionId, Workspace},
    work::{
        DuckDbVersion, S3Access, SaveFailureReason, StoreError, WorkKey, WorkLocation, WorkStore,
    },
};

/// Maximum time for DuckDB to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Rules for saving the work.
#[derive(Clone)]
pub(super) struct Saving {
    location: WorkLocation,
    pub owner: OwnerId,
    pub workspace: Workspace,
    pub session: SessionId,
    /// Random name of the entry point's run.
    pub run: String,
    pub restore: Restore,
    pub restore_timeout: Duration,
    pub max_bytes: u64,
    pub key: WorkKey,
    version: Arc<OnceCell<DuckDbVersion>>,
}

impl Saving {
    /// Returns `None` if the session has no key.
    pub(super) fn new(work: &WorkConfig, variables: &HashMap<String, String>) -> Option<Self> {
        Some(Self {
            location: work.location.clone(),
            owner: work.owner,
            workspace: work.workspace.clone(),
            session: work.session.clone(),
            run: Uuid::new_v4().simple().to_string(),
            restore: work.restore,
            restore_timeout: work.restore_timeout,
            max_bytes: work.max_bytes,
            key: WorkKey::parse(variables.get(secret::WORK_KEY)?)?,
            version: Arc::default(),
        })
    }

    /// Opens the storage with the session's present credentials.
    pub(super) fn open(
        &self,
        config: &SessionConfig,
        variables: &HashMap<String, String>,
    ) -> Result<WorkStore, StoreError> {
        let value = |name: &str| variables.get(name).map(String::as_str);
        let access = S3Access {
            endpoint: config.s3.endpoint.as_ref(),
            region: &config.s3.region,
            path_style: config.s3.path_style,
            key_id: value(secret::KEY_ID).unwrap_or_default(),
            secret_key: value(secret::KEY).unwrap_or_default(),
            session_token: value(secret::SESSION_TOKEN).filter(|token| !token.is_empty()),
        };
        let client = Outbound::from_variables(variables).client();
        WorkStore::open(&self.location, &access, client)
    }

    /// Returns DuckDB's version, which is asked for once.
    pub(super) async fn duckdb_version(&self, program: &Path) -> Result<DuckDbVersion, StoreError> {
        let version = self.version.get_or_try_init(|| ask_version(program));
        version.await.copied()
    }
}

/// Asks DuckDB for its version.
async fn ask_version(program: &Path) -> Result<DuckDbVersion, StoreError> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().stdin(Stdio::null());
    let output = timeout(VERSION_TIMEOUT, command.output()).await;
    let output = output.ok().and_then(Result::ok);
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.and_then(|text| DuckDbVersion::parse(&text))
        .ok_or_else(|| StoreError {
            reason: SaveFailureReason::Other,
            error: "DuckDB did not print its version".to_owned(),
        })
}
