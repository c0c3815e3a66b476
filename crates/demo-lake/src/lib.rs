//! A demo lake: S3 and an Iceberg catalog on this machine, with demo tables about ducks.
//! Everything is stored in one folder:
//!
//! | file | content |
//! | --- | --- |
//! | `s3/lake/` | the bucket: Parquet files and Iceberg metadata |
//! | `catalog.json` | the namespaces and tables |
//! | `filled` | the SQL that created the demo tables; written when all of them are complete |
//!
//! Does I/O: listens on sockets, writes files, and runs `duckdb`.

#![warn(unreachable_pub)]

mod catalog;
mod storage;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use anyhow::{Context, bail};
use axum::Router;
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    process::Command,
    sync::watch::{self, Receiver, Sender},
};

use self::catalog::{Store, replace_file};

/// Name of the bucket with the tables.
pub const BUCKET: &str = "lake";

/// Namespace of the demo tables.
const NAMESPACE: &str = "pond";
const DEMO_SQL: &str = include_str!("demo.sql");

/// Environment variables with DuckDB's credentials, so that no SQL statement contains them.
const KEY_ID: &str = "DUCKBOT_LAKE_KEY_ID";
const SECRET: &str = "DUCKBOT_LAKE_SECRET";

/// A running lake: S3 and an Iceberg catalog. When dropped, it stops after the requests that it is
/// serving.
pub struct Lake {
    folder: PathBuf,
    /// Access key ID and secret of the first credentials; they create the demo tables.
    credentials: Option<(String, String)>,
    storage: SocketAddr,
    catalog: SocketAddr,
    store: Arc<Store>,
    /// Keeps the servers running until it is dropped.
    _running: Sender<()>,
}

impl Lake {
    /// Serves the lake in `folder` on free ports, and creates the folder if it does not exist.
    /// `credentials` are the pairs of access key ID and secret that the storage accepts.
    ///
    /// # Errors
    /// If the folder can't be used, or if no port can be opened.
    pub async fn serve(folder: &Path, credentials: &[(&str, &str)]) -> anyhow::Result<Self> {
        let buckets = folder.join("s3");
        let bucket = buckets.join(BUCKET);
        fs::create_dir_all(&bucket)
            .with_context(|| format!("Can't create the folder {}", bucket.display()))?;
        let store = Store::open(folder.join("catalog.json"), bucket, BUCKET)?;
        let store = Arc::new(store);
        let (running, end) = watch::channel(());
        Ok(Self {
            folder: folder.to_owned(),
            credentials: credentials
                .first()
                .map(|&(id, secret)| (id.into(), secret.into())),
            storage: listen(storage::routes(&buckets, credentials)?, end.clone()).await?,
            catalog: listen(catalog::routes(Arc::clone(&store)), end).await?,
            store,
            _running: running,
        })
    }

    /// URL of the S3 endpoint. It accepts any region, and path-style requests only.
    #[must_use]
    pub fn s3_url(&self) -> String {
        format!("http://{}", self.storage)
    }

    /// URL of the Iceberg catalog. It has one warehouse and no authentication.
    #[must_use]
    pub fn catalog_url(&self) -> String {
        format!("http://{}", self.catalog)
    }

    /// Returns true if the demo tables are complete and were created by this version's SQL.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        fs::read(self.marker()).is_ok_and(|made| made == DEMO_SQL.as_bytes())
    }

    /// Creates the demo tables with DuckDB's command line `program`. `extensions` is the folder of
    /// its extensions, or `None` for DuckDB's default folder. First removes everything in their
    /// namespace, such as the remains of a killed run.
    ///
    /// # Errors
    /// If DuckDB can't be run or fails; the error contains its message.
    pub async fn fill(&self, program: &Path, extensions: Option<&Path>) -> anyhow::Result<()> {
        let marker = self.marker();
        match fs::remove_file(&marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("Can't remove {}", marker.display());
                return Err(error).context(message);
            }
            _ => self.store.clear(NAMESPACE)?,
        }
        let sql = format!("{}\n{DEMO_SQL}", self.prelude(extensions));
        self.run(program, &sql).await?;
        replace_file(&marker, DEMO_SQL.as_bytes())
    }

    /// SQL that attaches the catalog as `lake`.
    fn prelude(&self, extensions: Option<&Path>) -> String {
        let extensions = extensions.map(|folder| {
            let folder = literal(&folder.to_string_lossy());
            format!("SET extension_directory = {folder};\n")
        });
        // Load avro before iceberg, which would otherwise try to download it.
        format!(
            "{}SET autoinstall_known_extensions = false;\n\
             LOAD httpfs; LOAD avro; LOAD iceberg;\n\
             CREATE SECRET lake (TYPE s3, KEY_ID getenv('{KEY_ID}'), SECRET getenv('{SECRET}'), \
             REGION 'us-east-1', URL_STYLE 'path', ENDPOINT '{}', USE_SSL false);\n\
             ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{}', AUTHORIZATION_TYPE 'none', \
             ACCESS_DELEGATION_MODE 'none');\n",
            extensions.unwrap_or_default(),
            self.storage,
            self.catalog_url(),
        )
    }

    async fn run(&self, program: &Path, sql: &str) -> anyhow::Result<()> {
        let (id, secret) = self
            .credentials
            .as_ref()
            .context("The lake has no credentials")?;
        let mut duckdb = Command::new(program)
            .args(["-batch", "-bail", "-init", "/dev/null"])
            .env(KEY_ID, id)
            .env(SECRET, secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("Can't run {}", program.display()))?;
        let mut input = duckdb.stdin.take().context("DuckDB has no input")?;
        let write = async move {
            // A write fails if DuckDB exits early; its standard error has the reason.
            let _ = input.write_all(sql.as_bytes()).await;
        };
        let ((), ended) = tokio::join!(write, duckdb.wait_with_output());
        let ended = ended.context("Can't wait for DuckDB to end")?;
        if !ended.status.success() {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            bail!("DuckDB can't create the demo tables: {}", stderr.trim());
        }
        Ok(())
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("filled")
    }
}

/// Serves `routes` on a free port until the sender of `end` is dropped. Returns the address.
async fn listen(routes: Router, mut end: Receiver<()>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.context("Can't listen on loopback")?;
    let address = listener.local_addr()?;
    let ended = async move {
        // Nothing is ever sent, so this ends when the sender is dropped.
        let _ = end.changed().await;
    };
    let server = axum::serve(listener, routes).with_graceful_shutdown(ended);
    // axum's server ends only by the graceful shutdown.
    tokio::spawn(async { server.await });
    Ok(address)
}

/// Quotes `text` as an SQL string literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
