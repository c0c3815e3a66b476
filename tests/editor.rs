//! The editor of the console, which `deploy/editor/get` makes for the images, the sandbox and the tests.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use test_support::tools;

use crate::deploy::copy;

/// Makes a folder with the system's programs, without those that `is_missing` names.
pub fn programs_without(is_missing: impl Fn(&str) -> bool) -> TempDir {
    let programs = TempDir::new().unwrap();
    for entry in fs::read_dir("/usr/bin").unwrap() {
        let (path, name) = entry.map(|it| (it.path(), it.file_name())).unwrap();
        if !name.to_str().is_some_and(&is_missing) {
            symlink(path, programs.path().join(name)).unwrap();
        }
    }
    programs
}

/// Runs the script of `folder` with an empty cache.
fn get(folder: &Path, cache: &TempDir, change: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(folder.join("get"));
    command.env("DUCKBOT_TEST_CACHE", cache.path());
    change(&mut command);
    command.output().unwrap()
}

/// Asserts that the script failed with this text in its message, and left nothing in the cache.
fn assert_refused(got: &Output, cache: &TempDir, says: &str) {
    let said = String::from_utf8_lossy(&got.stderr);
    assert_eq!(got.status.code(), Some(1), "{said}");
    assert!(said.contains(says), "{said}");
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn the_editor_names_each_package_in_it_with_its_license() {
    let editor = fs::read_to_string(tools::editor()).unwrap();
    let licenses = fs::read_to_string(tools::editor().with_file_name("LICENSES")).unwrap();
    assert!(editor.ends_with(&format!("/*\n{licenses}*/\n")));
    for package in [
        "@codemirror/view",
        "@codemirror/lang-sql",
        "@lezer/highlight",
    ] {
        assert!(licenses.contains(&format!("\n{package} ")), "{licenses}");
    }
    // esbuild only makes the bundle.
    assert!(!licenses.contains("esbuild"), "{licenses}");
    // Nothing is loaded from elsewhere.
    assert!(!editor.contains("import(") && !editor.contains("from\"http"));
}

/// Names between braces of statements that begin with a keyword and end with a source.
fn names<'a>(script: &'a str, keyword: &str, source: &str) -> BTreeSet<&'a str> {
    let begin = format!("{keyword} {{");
    let statements = script.split(&begin).skip(1);
    let named = statements.filter_map(|rest| {
        let (names, rest) = rest.split_once('}')?;
        rest.starts_with(&format!(" from {source}"))
            .then_some(names)
    });
    let names = named.flat_map(|names| names.split(',').map(str::trim));
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_editor_exports_all_that_the_page_imports() {
    let read = |path: &str| fs::read_to_string(tools::root().join(path)).unwrap();
    let page = read("src/door/console/web/editor-codemirror.js");
    let imported = names(&page, "import", "'/.duckbot/console/editor.js'");
    let editor = read("deploy/editor/editor.js");
    let exported = names(&editor, "export", "\"@");
    assert!(imported.contains("EditorView"), "{imported:?}");
    let missing: Vec<_> = imported.difference(&exported).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn without_npm_or_its_registry_the_script_says_so_in_a_sentence() {
    let folder = tools::root().join("deploy/editor");
    let (cache, programs) = (
        TempDir::new().unwrap(),
        programs_without(|name| name == "npm"),
    );
    let got = get(&folder, &cache, |command| {
        command.env("PATH", programs.path());
    });
    let says = "The console's editor: npm is not installed. Install Node.js 20 or later with npm, to \
                get the packages.\n";
    assert_refused(&got, &cache, says);
    let got = get(&folder, &cache, |command| {
        command
            .env("npm_config_registry", "http://127.0.0.1:9")
            .env("npm_config_fetch_retries", "0");
    });
    let says = "The console's editor: npm could not get the packages: FetchError: request to \
                http://127.0.0.1:9/";
    assert_refused(&got, &cache, says);
}

#[test]
fn a_package_with_another_checksum_is_not_used() {
    let (folder, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    copy(&tools::root().join("deploy/editor"), folder.path());
    let lock = folder.path().join("package-lock.json");
    let text = fs::read_to_string(&lock).unwrap();
    let (before, sum) = text.split_once("\"sha512-").unwrap();
    let changed = if sum.starts_with('A') { "B" } else { "A" };
    fs::write(&lock, format!("{before}\"sha512-{changed}{}", &sum[1..])).unwrap();
    let got = get(folder.path(), &cache, |_| {});
    assert_refused(
        &got,
        &cache,
        "Integrity checksum failed when using sha512: wanted",
    );
}

#[test]
fn the_lock_has_a_checksum_of_each_package_and_no_address() {
    let lock = fs::read_to_string(tools::root().join("deploy/editor/package-lock.json")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    assert!(packages.len() > 10);
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        let sum = package["integrity"].as_str().unwrap_or_default();
        assert!(sum.starts_with("sha512-"), "{path}: {package}");
        // Each machine has its own registry or mirror.
        assert_eq!(package["resolved"], serde_json::Value::Null, "{path}");
    }
}
