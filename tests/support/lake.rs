//! A team's tables: a real Iceberg catalog and an S3 server that checks signatures.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{S3, tools};

const BUCKET: &str = "lake";
/// The catalog's own keys, which also made the table.
const CATALOG_CREDENTIALS: [&str; 2] = ["AKIATHECATALOG", "the-catalogs-own-secret"];

/// One for all tests of a run.
pub fn lake() -> &'static Lake {
    static LAKE: LazyLock<Lake> =
        LazyLock::new(|| thread::spawn(Lake::fill).join().expect("there is a lake"));
    &LAKE
}

/// Has one table, `zoo.ducks`: mallard, 1100 g, and teal, 330 g.
pub struct Lake {
    /// The storage; its keys are shared, so each test brings its own.
    pub s3: S3,
    /// The catalog's URL.
    pub catalog: String,
    /// It ends with its input, and that with this process.
    _catalog: Child,
}

impl Lake {
    /// Serves on threads of its own: tests come and go with theirs.
    fn fill() -> Self {
        let runtime = Box::leak(Box::new(Runtime::new().unwrap()));
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let s3 = runtime.block_on(S3::start_in(folder.path()));
        let [key_id, secret] = CATALOG_CREDENTIALS;
        s3.add_key(key_id, secret);

        let tools = tools::iceberg();
        let mut running = Command::new(tools::script("iceberg/run"))
            .arg(tools.join("catalog.jar"))
            .args([&s3.url(), key_id, secret, BUCKET])
            .arg(folder.keep())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut said = BufReader::new(running.stdout.take().unwrap());
        said.read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "the catalog does not start");
        let catalog = format!("http://127.0.0.1:{}", port.trim());

        let filled = Command::new(tools.join("python/bin/python"))
            .arg(tools::script("iceberg/fill.py"))
            .args([&catalog, &s3.url(), key_id, secret])
            .status()
            .unwrap();
        assert!(filled.success(), "the table can't be made");
        Self {
            s3,
            catalog,
            _catalog: running,
        }
    }
}
