//! The sandbox's lake: S3 and an Iceberg catalog on this machine, with tables of ducks that
//! anyone may try things on. Everything is kept in one folder:
//!
//! | | |
//! | --- | --- |
//! | `s3/lake/` | the bucket: Parquet files, and the metadata that any reader of Iceberg finds |
//! | `catalog.json` | which tables there are |
//! | `filled` | the SQL that made the demo's tables, once all are made |
//!
//! Does I/O: it listens on sockets, writes files, and runs `duckdb`.

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

/// The bucket with the tables.
pub const BUCKET: &str = "lake";

/// The namespace of the demo's tables.
const NAMESPACE: &str = "pond";
const DEMO_SQL: &str = include_str!("demo.sql");

/// Under these names DuckDB finds the keys in its environment: they are in no statement.
const KEY_ID: &str = "DUCKBOT_LAKE_KEY_ID";
const SECRET: &str = "DUCKBOT_LAKE_SECRET";

/// A lake on this machine: S3 and an Iceberg catalog, with tables to try things on. It ends when
/// dropped, after what it is just answering.
pub struct Lake {
    folder: PathBuf,
    /// Id and secret of the first: the demo's tables are made with it.
    credentials: Option<(String, String)>,
    storage: SocketAddr,
    catalog: SocketAddr,
    store: Arc<Store>,
    /// The servers end with it.
    _running: Sender<()>,
}

impl Lake {
    /// Serves what is kept in `folder`, which is made if it is not there, on ports that are free.
    /// `credentials`: key id and secret of who may use the storage.
    ///
    /// # Errors
    /// If the folder can't be used, or it can't listen.
    pub async fn serve(folder: &Path, credentials: &[(&str, &str)]) -> anyhow::Result<Self> {
        let buckets = folder.join("s3");
        let bucket = buckets.join(BUCKET);
        fs::create_dir_all(&bucket)
            .with_context(|| format!("Can't make the folder {}", bucket.display()))?;
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

    /// The storage's endpoint. Region: any; buckets by path.
    #[must_use]
    pub fn s3_url(&self) -> String {
        format!("http://{}", self.storage)
    }

    /// The catalog's endpoint. It has one warehouse, and asks nobody who they are.
    #[must_use]
    pub fn catalog_url(&self) -> String {
        format!("http://{}", self.catalog)
    }

    /// Whether the demo's tables were made completely, and as this version makes them.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        fs::read(self.marker()).is_ok_and(|made| made == DEMO_SQL.as_bytes())
    }

    /// Makes the demo's tables, with DuckDB's command line `program`; `extensions`: the folder of
    /// its extensions, if it isn't DuckDB's own. What there was in their namespace, such as the
    /// half of a run that was killed, is removed first.
    ///
    /// # Errors
    /// If DuckDB can't be run, or fails; in its words.
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

    /// Attaches the catalog as `lake`.
    fn prelude(&self, extensions: Option<&Path>) -> String {
        let extensions = extensions.map(|folder| {
            let folder = literal(&folder.to_string_lossy());
            format!("SET extension_directory = {folder};\n")
        });
        // avro first: iceberg would try to download it.
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
            .context("The lake knows no keys")?;
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
            // If it ended before it read all, it says why.
            let _ = input.write_all(sql.as_bytes()).await;
        };
        let ((), ended) = tokio::join!(write, duckdb.wait_with_output());
        let ended = ended.context("DuckDB can't be waited for")?;
        if !ended.status.success() {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            bail!("DuckDB can't make the demo's tables: {}", stderr.trim());
        }
        Ok(())
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("filled")
    }
}

/// Serves until `end` has no sender any more; gives the address.
async fn listen(routes: Router, mut end: Receiver<()>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.context("Can't listen on loopback")?;
    let address = listener.local_addr()?;
    let ended = async move {
        // Nothing is ever sent: it is the sender's end.
        let _ = end.changed().await;
    };
    let server = axum::serve(listener, routes).with_graceful_shutdown(ended);
    // Axum's server ends with that only.
    tokio::spawn(async { server.await });
    Ok(address)
}

/// A string in SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
