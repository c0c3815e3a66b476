//! Tests of the start of `duckbot sandbox`, and of what it says if it fails.

use std::{collections::HashMap, os::unix::fs::symlink};

use tempfile::TempDir;
use test_support::{Sandbox, command, tools};
use tokio::process::Command;

use crate::editor::programs_without;

/// Address at which nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Runs a sandbox that can't start. Returns what it says.
async fn failed_start(mut command: Command) -> String {
    let failed = command.output().await.unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    said
}

/// Starts a sandbox without DuckDB and without a network. Returns what it says.
async fn start_without_duckdb(change: impl FnOnce(&mut Command)) -> String {
    let (folder, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = Sandbox::command(&folder, &[]);
    for (name, value) in [
        ("DUCKBOT_TEST_DUCKDB_MIRROR", NOWHERE),
        ("DUCKBOT_TEST_DUCKDB_EXTENSIONS_MIRROR", NOWHERE),
        ("PIP_INDEX_URL", NOWHERE),
        ("PIP_RETRIES", "0"),
    ] {
        command.env(name, value);
    }
    command.env("DUCKBOT_TEST_CACHE", cache.path());
    change(&mut command);
    failed_start(command).await
}

/// Asserts that the output has these parts, in this order, and then what to do.
fn assert_explained(said: &str, parts: &[&str]) {
    let advice = "duckbot: DuckDB could not be downloaded; the lines above say why. Correct that \
                  and start the sandbox again, or install DuckDB 1.5 with its extensions ui, httpfs, \
                  avro and iceberg, and pass its path with --duckdb\n";
    let mut rest = said;
    for part in parts.iter().chain([&advice]) {
        let found = rest.split_once(part);
        (_, rest) = found.unwrap_or_else(|| panic!("{part:?} is not, or not here, in\n{said}"));
    }
    assert_eq!(rest, "", "{said}");
}

#[tokio::test]
async fn each_step_of_the_first_start_is_shown_and_it_goes_on_without_npm() {
    let (folder, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    // DuckDB is there already, and the editor is not.
    let duckdb = tools::duckdb();
    symlink(duckdb, cache.path().join(duckdb.file_name().unwrap())).unwrap();
    let programs = programs_without(|name| ["npm", "duckdb"].contains(&name));
    let mut command = Sandbox::command(&folder, &[]);
    command
        .env("DUCKBOT_TEST_CACHE", cache.path())
        .env("PATH", programs.path());
    let sandbox = Sandbox::start(command).await;
    let steps = "Looking for DuckDB…\n\
        The console's editor: npm is not installed. Install Node.js 20 or later with npm, to get the \
        packages.\n\
        Without it, SQL cells of the console are plain text fields. All else works.\n\
        Creating the demo tables (first run only, takes a few seconds)…\n\
        Starting the bot…\n";
    assert_eq!(sandbox.bot.log(), steps);
}

#[tokio::test]
async fn without_a_network_the_download_says_whom_it_could_not_reach() {
    let said = start_without_duckdb(|_| {}).await;
    let parts = [
        "Looking for DuckDB…\n",
        "DuckDB: downloading 1.5.",
        "DuckDB: downloading duckdb (1 of 6)…\n",
        "DuckDB: can't download from http://127.0.0.1:9 (curl: (7) Failed to connect",
        "trying PyPI.\n",
        // pip's own words.
        "ERROR: ",
        "DuckDB: duckdb 1.5.",
    ];
    assert_explained(&said, &parts);
}

#[tokio::test]
async fn without_python_the_download_says_what_to_install() {
    let programs = programs_without(|name| name.starts_with("python") || name == "duckdb");
    let said = start_without_duckdb(|command| {
        command.env("PATH", programs.path());
    });
    let says =
        "DuckDB: python3 is not installed. Install Python 3 with pip, to download from PyPI.\n";
    assert_explained(&said.await, &[says]);
}

#[tokio::test]
async fn a_program_that_is_no_duckdb_and_a_missing_temporary_folder_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let mut command = Sandbox::command(&folder, &["--duckdb", "/nowhere/duckdb"]);
    let why = "Looking for DuckDB…\nduckbot: /nowhere/duckdb can't be used: it can't be run: No such \
               file or directory (os error 2). Pass the path of DuckDB 1.5, or omit --duckdb to \
               download it\n";
    assert_eq!(failed_start(command).await, why);
    command = Sandbox::command(&folder, &["--duckdb", "/nowhere/duckdb"]);
    command.env("TMPDIR", "/dev/null");
    let said = failed_start(command).await;
    let why = "duckbot: DuckDB can't be tried: the folder /dev/null/duckbot-check-";
    assert!(
        said.contains(why) && said.contains("set TMPDIR to one"),
        "{said}"
    );
}

#[tokio::test]
async fn a_home_that_cannot_be_written_is_named_with_the_way_out() {
    let said = start_without_duckdb(|command| {
        command
            .env_remove("DUCKBOT_TEST_CACHE")
            .env("HOME", "/dev/null");
    });
    let parts = [
        "mkdir: cannot create directory",
        "DuckDB: can't write to /dev/null/.cache/duckbot. Set XDG_CACHE_HOME to a folder that you \
         can write to.\n",
    ];
    assert_explained(&said.await, &parts);
    // Without --folder, the first one that can't be created is the sandbox's own.
    let variables = ["PATH"].map(|it| (it.to_owned(), std::env::var(it).unwrap()));
    let mut variables: HashMap<_, _> = variables.into();
    variables.insert("HOME".into(), "/dev/null".into());
    let said = failed_start(command(&["sandbox"], &variables)).await;
    let why = "duckbot: can't create the folder /dev/null/.cache/duckbot/sandbox: Not a directory \
               (os error 20). Set XDG_CACHE_HOME to a folder that you can write to\n";
    assert_eq!(said, why);
    variables.remove("HOME");
    let said = failed_start(command(&["sandbox"], &variables)).await;
    let why = "duckbot: HOME is not set; set it, or XDG_CACHE_HOME, to a folder for downloads\n";
    assert_eq!(said, why);
}

#[tokio::test]
async fn a_second_one_in_the_same_folder_is_told_so() {
    let folder = TempDir::new().unwrap();
    let _first = Sandbox::start_in(&folder).await;
    let said = failed_start(Sandbox::command(&folder, &[])).await;
    assert!(
        said.starts_with("duckbot: another duckbot uses the folder "),
        "{said}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (argument, whose) in [("--port", "the page"), ("--sessions-port", "the sessions")] {
        let said = failed_start(Sandbox::command(&folder, &[argument, &port])).await;
        let why = format!(
            "duckbot: can't listen on port {port}, for {whose}; choose another with {argument}: "
        );
        assert!(said.starts_with(&why), "{said}");
        assert!(!folder.path().join("lake").exists(), "it was noticed late");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let said = failed_start(Sandbox::command_in("/dev/null/sandbox", &[])).await;
    let why = "duckbot: can't create the folder /dev/null/sandbox: Not a directory (os error 20). \
               Choose another folder with --folder\n";
    assert_eq!(said, why);
}

#[tokio::test]
async fn a_duckdb_without_its_extensions_is_named_with_what_to_do() {
    let (folder, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let duckdb = tools::duckdb().join("duckdb");
    let mut command = Sandbox::command(&folder, &["--duckdb", duckdb.to_str().unwrap()]);
    command.env("HOME", home.path());
    let said = failed_start(command).await;
    for part in [
        "can't be used as DuckDB: it can't load its extensions: IO Error: Extension \"",
        "/ui.duckdb_extension\" not found",
        "or omit --duckdb to download DuckDB",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}
