//! The team's tables: a real Iceberg catalog, and an S3 server that checks signatures.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{s3::S3, tools};

pub(crate) const BUCKET: &str = "lake";
/// Path below which the storage serves the same buckets.
const S3_PATH: &str = "storage/v1/s3";
/// Credentials of the catalog itself. The table was created with them, too.
pub(crate) const CATALOG_CREDENTIALS: [&str; 2] = ["AKIATHECATALOG", "the-catalogs-own-secret"];

/// Returns the lake of this test run.
pub fn lake() -> &'static Lake {
    static LAKE: LazyLock<Lake> = LazyLock::new(own_lake);
    &LAKE
}

/// Starts a lake for one test, which may change its tables.
pub fn own_lake() -> Lake {
    thread::spawn(Lake::fill).join().expect("the lake starts")
}

/// Lake with one table, `zoo.ducks`: mallard, 1100 g, and teal, 330 g.
pub struct Lake {
    /// S3 storage, shared by all tests, so each test adds its own keys.
    pub s3: S3,
    /// URL of the catalog.
    pub catalog: String,
    /// Folder with the objects of the bucket.
    pub bucket: PathBuf,
    /// Ends when its standard input closes, so also when this process ends.
    _catalog: Child,
}

impl Lake {
    /// Starts the servers and creates the table. The servers have their own threads, because they
    /// outlive the threads of tests.
    fn fill() -> Self {
        let runtime = Box::leak(Box::new(Runtime::new().unwrap()));
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        // For the storage, this is a bucket `storage` whose keys begin with `v1/s3/lake/`. So it checks
        // signatures of the whole path.
        let below = folder.path().join(S3_PATH);
        std::fs::create_dir_all(below.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(folder.path(), below).unwrap();
        let s3 = runtime.block_on(S3::start_in(folder.path()));
        let [key_id, secret] = CATALOG_CREDENTIALS;
        s3.add_key(key_id, secret);

        let folder = folder.keep();
        let bucket = folder.join(BUCKET);
        let (running, catalog) = start_catalog(&s3.url(), [key_id, secret], &folder);
        let properties = json!({
            "uri": catalog,
            "s3.endpoint": s3.url(),
            "s3.access-key-id": key_id,
            "s3.secret-access-key": secret,
            "s3.region": "us-east-1",
        });
        fill(&properties, &[&["zoo", "ducks"]]);
        Self {
            s3,
            catalog,
            bucket,
            _catalog: running,
        }
    }

    /// URL of the storage with a path, as of services that serve S3 beside other things.
    pub fn s3_url_with_path(&self) -> String {
        format!("{}/{S3_PATH}", self.s3.url())
    }
}

/// Starts Iceberg's own catalog, with tables in the bucket. Returns its URL. It removes `folder` when
/// it ends.
pub(crate) fn start_catalog(
    s3: &str,
    [key_id, secret]: [&str; 2],
    folder: &Path,
) -> (Child, String) {
    let mut running = Command::new(tools::script("iceberg/run"))
        .arg(tools::iceberg().join("catalog.jar"))
        .args([s3, key_id, secret, BUCKET])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    let mut said = BufReader::new(running.stdout.take().unwrap());
    said.read_line(&mut port).unwrap();
    assert!(
        !port.is_empty(),
        "`iceberg/run` ended without printing a port"
    );
    let catalog = format!("http://127.0.0.1:{}", port.trim());
    (running, catalog)
}

/// Creates tables with pyiceberg, each with two rows. `properties` are those of the catalog, and
/// `tables` has the levels of their names.
pub(crate) fn fill(properties: &Value, tables: &[&[&str]]) {
    let filled = Command::new(tools::iceberg().join("python/bin/python"))
        .arg(tools::script("iceberg/fill.py"))
        .args([properties.to_string(), json!(tables).to_string()])
        .status()
        .unwrap();
    assert!(filled.success(), "`iceberg/fill.py` failed");
}
