//! Origin of DuckDB: `deploy/duckdb/get` gets it for the session image, the sandbox and the
//! tests.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;
use test_support::tools;

const GET: &str = "deploy/duckdb/get";

fn read(path: &str) -> String {
    fs::read_to_string(tools::root().join(path)).unwrap()
}

/// Version that the script names.
fn version() -> String {
    let script = read(GET);
    let mut lines = script.lines();
    lines
        .find_map(|line| line.strip_prefix("version="))
        .unwrap()
        .to_owned()
}

/// Versions in a text that follow `before`.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let rest = text.split(before).skip(1);
    let version = rest.map(|rest| {
        let is_other = |it: char| !it.is_ascii_digit() && it != '.';
        let end = rest.find(is_other).unwrap_or(rest.len());
        rest[..end].trim_end_matches('.')
    });
    version.filter(|it| it.split('.').count() == 3).collect()
}

#[test]
fn all_places_name_the_same_version() {
    let version = version();
    let program = Command::new(tools::duckdb().join("duckdb"))
        .arg("--version")
        .output();
    let said = String::from_utf8(program.unwrap().stdout).unwrap();
    assert!(said.starts_with(&format!("v{version} ")), "{said}");
    // The Python of the tests, and the one that people are told to install.
    let python = read("crates/test-support/python-duckdb/requirements.txt");
    assert_eq!(python.trim(), format!("duckdb=={version}"));
    assert_eq!(named(&read("docs/clients.md"), "duckdb=="), [&*version]);
    // The image and the sandbox take the version from the script.
    let image = read("deploy/images/Dockerfile");
    assert!(image.contains("COPY deploy/duckdb/get "), "{image}");
    let sandbox = read("src/app/sandbox/duckdb.rs");
    assert!(
        sandbox.contains(&format!("include_str!(\"../../../{GET}\")")),
        "{sandbox}"
    );
    // Both images have the version of the bot.
    let example = read("config/example.toml");
    for image in ["/duckui:", "/duckbot:"] {
        assert_eq!(named(&example, image), [env!("CARGO_PKG_VERSION")]);
    }
    for page in ["development", "operations"] {
        let text = read(&format!("docs/{page}.md"));
        let all = named(&text, "DuckDB ");
        let is_it = |it: &&str| *it == version;
        assert!(!all.is_empty() && all.iter().all(is_it), "{page}: {all:?}");
    }
}

/// Hosts with DuckDB's release and extensions, as folders.
struct Hosts {
    folder: TempDir,
}

impl Hosts {
    /// Offers the files of the cache. The file whose name begins with `broken` has one changed byte.
    fn offer(broken: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let from = tools::duckdb();
        let script = read(GET);
        let platform = match std::env::consts::ARCH {
            "aarch64" => "linux_arm64",
            _ => "linux_amd64",
        };
        assert!(script.contains(platform));
        let root = folder.path().join(format!("v{}", version()));
        let extensions = root.join(platform);
        fs::create_dir_all(&extensions).unwrap();
        let cli = format!("duckdb_cli-{}.gz", platform.replace('_', "-"));
        compress(
            &from.join("duckdb"),
            &root.join(cli),
            broken == Some("duckdb"),
        );
        let installed = from
            .join("extensions")
            .join(root.file_name().unwrap())
            .join(platform);
        for file in fs::read_dir(installed).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let is_broken = broken.is_some_and(|it| name.starts_with(it));
            compress(
                &file.path(),
                &extensions.join(format!("{name}.gz")),
                is_broken,
            );
        }
        Self { folder }
    }

    /// Runs the script with an empty cache. pip sees only the wheels in `wheels`.
    fn get(&self, cache: &Path, wheels: &Path) -> Output {
        let url = format!("file://{}", self.folder.path().display());
        Command::new(tools::root().join(GET))
            .env("DUCKBOT_TEST_CACHE", cache)
            .env("DUCKBOT_TEST_DUCKDB_MIRROR", &url)
            .env("DUCKBOT_TEST_DUCKDB_EXTENSIONS_MIRROR", &url)
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", wheels)
            .output()
            .unwrap()
    }
}

/// Compresses a file, after changing a byte in its middle if `is_broken`.
fn compress(from: &Path, to: &Path, is_broken: bool) {
    let mut bytes = fs::read(from).unwrap();
    if is_broken {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }
    let plain = to.with_extension("");
    fs::write(&plain, bytes).unwrap();
    let packed = Command::new("gzip")
        .args(["-1", "--force"])
        .arg(&plain)
        .status();
    assert!(packed.unwrap().success());
    assert!(to.exists());
}

/// Output on standard error of a run that failed and left nothing in the cache.
fn refusal(got: &Output, cache: &Path) -> String {
    let said = String::from_utf8_lossy(&got.stderr).into_owned();
    assert_eq!(got.status.code(), Some(1), "{said}");
    assert_eq!(fs::read_dir(cache).unwrap().count(), 0, "{said}");
    said
}

#[test]
fn the_release_and_the_extension_host_suffice() {
    let (cache, wheels) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let got = Hosts::offer(None).get(cache.path(), wheels.path());
    let said = String::from_utf8_lossy(&got.stderr);
    assert!(got.status.success(), "{said}");
    let folder = String::from_utf8(got.stdout).unwrap();
    let found = Command::new(Path::new(folder.trim()).join("duckdb"))
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    assert!(found.unwrap().status.success());
}

#[test]
fn a_changed_file_in_the_cache_is_downloaded_again() {
    let (cache, wheels) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let hosts = Hosts::offer(None);
    let folder = || {
        let got = hosts.get(cache.path(), wheels.path());
        let said = String::from_utf8_lossy(&got.stderr).into_owned();
        assert!(got.status.success(), "{said}");
        (String::from_utf8(got.stdout).unwrap(), said)
    };
    let (first, _) = folder();
    let program = Path::new(first.trim()).join("duckdb");
    let original = fs::read(&program).unwrap();
    fs::write(&program, "not DuckDB").unwrap();

    let (second, said) = folder();
    assert!(
        said.contains("/duckdb is missing or was changed. Downloading again."),
        "{said}"
    );
    assert_eq!(second, first);
    assert_eq!(fs::read(&program).unwrap(), original);
    let (_, said) = folder();
    assert_eq!(said, "");
}

#[test]
fn a_changed_byte_of_a_download_fails_the_build() {
    for (file, url) in [
        ("duckdb", "duckdb_cli-linux-"),
        ("iceberg", "/iceberg.duckdb_extension.gz"),
    ] {
        let (cache, wheels) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let got = Hosts::offer(Some(file)).get(cache.path(), wheels.path());
        let said = refusal(&got, cache.path());
        let is_named = |line: &str| line.contains("Wrong checksum of ") && line.contains(url);
        assert!(said.lines().any(is_named), "{said}");
        let sum_up = format!(
            "DuckDB: {file} {} could not be downloaded and verified",
            version()
        );
        assert!(said.contains(&sum_up), "{said}");
    }
}

#[test]
fn a_wheel_that_is_not_the_known_one_fails_the_build() {
    let (cache, wheels) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let nothing = Hosts {
        folder: TempDir::new().unwrap(),
    };
    let wheel = format!("duckdb_cli-{}-py3-none-any.whl", version());
    let pack = "import sys, zipfile; name, file = sys.argv[1:]; \
                zipfile.ZipFile(name, 'w').write(file, 'duckdb_cli/duckdb')";
    let packed = Command::new("python3")
        .args(["-c", pack])
        .arg(wheels.path().join(wheel))
        .arg(tools::duckdb().join("duckdb"))
        .status();
    assert!(packed.unwrap().success());
    let said = refusal(&nothing.get(cache.path(), wheels.path()), cache.path());
    assert!(said.contains("DO NOT MATCH THE HASHES"), "{said}");
    assert!(said.contains("Nothing is installed."), "{said}");
}

#[test]
fn an_extension_without_a_checksum_is_not_downloaded() {
    let cache = TempDir::new().unwrap();
    let got = Command::new(tools::root().join(GET))
        .arg("nonsense")
        .env("DUCKBOT_TEST_CACHE", cache.path())
        .output();
    let said = refusal(&got.unwrap(), cache.path());
    assert!(
        said.contains("No checksum of nonsense for linux_"),
        "{said}"
    );
    assert!(said.contains(" ui httpfs avro iceberg "), "{said}");
}
