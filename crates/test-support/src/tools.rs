//! Third-party programs that the tests download.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// The folder with DuckDB's command line (`duckdb`) and its extensions (`extensions/`).
pub fn duckdb() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| get("../../deploy/duckdb"));
    &FOLDER
}

/// The same as [`duckdb`], with further extensions.
pub fn duckdb_with(extensions: &[&str]) -> PathBuf {
    run("../../deploy/duckdb", extensions)
}

/// The editor of the console, a JavaScript module.
pub fn editor() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| get("../../deploy/editor"));
    &FILE
}

/// The folder with an Iceberg catalog (`catalog.jar`) and `python/bin/python`.
pub fn iceberg() -> PathBuf {
    get("iceberg")
}

/// The folder with `python/bin/python`, which has discord.py.
pub fn discordpy() -> PathBuf {
    get("discordpy")
}

/// The folder with `python/bin/python`, which has DuckDB.
pub fn python_duckdb() -> PathBuf {
    get("python-duckdb")
}

/// The folder with `python/bin/python`, which has schemathesis.
pub fn schemathesis() -> PathBuf {
    get("schemathesis")
}

/// The folder with `python/bin/python`, which has the packages of `benches/rivals`.
pub fn rivals() -> PathBuf {
    get("../../benches/rivals")
}

/// The folder with `traefik`.
pub fn traefik() -> PathBuf {
    get("traefik")
}

/// The folder with `helm`.
pub fn helm() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| get("helm"));
    &FOLDER
}

/// The folder with `valgrind`, and with callgrind if valgrind is not installed.
pub fn valgrind() -> PathBuf {
    get("valgrind")
}

/// The folder with `prometheus` and `promtool`.
pub fn prometheus() -> PathBuf {
    get("prometheus")
}

/// The folder with `dashboard`, which compares a dashboard with Grafana's types.
pub fn grafana() -> PathBuf {
    get("grafana")
}

/// The folder with `chromium` and `chromedriver`.
pub fn chromium() -> PathBuf {
    get("chromium")
}

/// The program `versitygw`. Building it takes minutes.
pub fn versitygw() -> PathBuf {
    get("servers/versitygw").join("versitygw")
}

/// The program of SeaweedFS. Building it takes minutes.
pub fn seaweedfs() -> PathBuf {
    get("servers/seaweedfs").join("weed")
}

/// The folder with the catalog Nessie (`nessie.jar`) and a Java that runs it (`java`).
pub fn nessie() -> PathBuf {
    get("servers/nessie")
}

/// Path of a script beside this crate's `src`.
pub fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Folder of the workspace.
pub fn root() -> &'static Path {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.ancestors().nth(2).unwrap()
}

/// Runs the `get` script of a tool. Returns the tool's folder.
pub fn get(what: &str) -> PathBuf {
    run(what, &[])
}

fn run(what: &str, arguments: &[&str]) -> PathBuf {
    let got = Command::new(script(what).join("get"))
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(got.status.success(), "`{what}/get` failed");
    String::from_utf8(got.stdout).unwrap().trim().into()
}
