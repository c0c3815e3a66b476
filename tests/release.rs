//! Scripts of `.github/workflows/release.yml` (`deploy/release`).

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;
use test_support::tools;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Repository with the scripts, and the files that they read.
struct Repository(TempDir);

impl Repository {
    /// Has the real files.
    fn copy() -> Self {
        let this = Self(TempDir::new().unwrap());
        for script in fs::read_dir(tools::root().join("deploy/release")).unwrap() {
            this.take(&format!(
                "deploy/release/{}",
                script.unwrap().file_name().to_str().unwrap()
            ));
        }
        for file in [
            "Cargo.toml",
            "CHANGELOG.md",
            "LICENSE",
            "deploy/chart/Chart.yaml",
        ] {
            this.take(file);
        }
        this
    }

    fn take(&self, file: &str) {
        let to = self.path(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(tools::root().join(file), to).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Removes the entries of `[Unreleased]`, as somebody does who makes a release.
    fn release_all(&self) {
        let path = self.path("CHANGELOG.md");
        let text = fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once("## [Unreleased]\n").unwrap();
        let (_, released) = rest.split_once("\n## [").unwrap();
        let text = format!("{head}## [Unreleased]\n\n## [{released}");
        fs::write(path, text).unwrap();
    }

    /// Replaces a text that the file has.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} does not contain {from:?}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Result<String, String> {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(self.path("deploy/release").join(script))
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        if status.success() {
            Ok(text(stdout))
        } else {
            Err(text(stderr))
        }
    }
}

#[test]
fn the_tag_the_program_the_chart_and_the_changelog_have_one_version() {
    let real = Repository::copy();
    let tag = format!("v{VERSION}");
    real.release_all();
    assert_eq!(real.run("version", &[&tag]), Ok(VERSION.to_owned()));

    for wrong in ["v9.9.9", VERSION, "v1", ""] {
        assert!(real.run("version", &[wrong]).is_err(), "{wrong}");
    }
    for (file, from) in [
        ("Cargo.toml", format!("version = \"{VERSION}\"\nedition")),
        ("deploy/chart/Chart.yaml", format!("\nversion: {VERSION}")),
        (
            "deploy/chart/Chart.yaml",
            format!("\nappVersion: \"{VERSION}\""),
        ),
    ] {
        let other = Repository::copy();
        other.release_all();
        other.edit(file, &from, &from.replace(VERSION, "9.9.9"));
        let error = other.run("version", &[&tag]).unwrap_err();
        assert!(error.contains(file), "{error}");
        assert!(error.contains("9.9.9"), "{error}");
    }

    let left = "## [Unreleased]\n\n### Added\n\n- ducks\n";
    real.edit("CHANGELOG.md", "## [Unreleased]\n", left);
    let error = real.run("version", &[&tag]).unwrap_err();
    assert!(error.contains("entries in [Unreleased]"), "{error}");
}

#[test]
fn the_chart_of_a_release_names_its_images_and_runbooks() {
    let real = Repository::copy();
    let folder = real.0.path().to_str().unwrap();
    let path = std::env::join_paths([tools::get("helm"), "/usr/bin".into(), "/bin".into()]);
    let packed = Command::new(tools::root().join("deploy/release/chart"))
        .args([
            "9.9.9",
            "ghcr.io/ducks",
            "https://git.example.com/ducks/duckbot",
            folder,
        ])
        .env("PATH", path.unwrap())
        .output()
        .unwrap();
    let chart = String::from_utf8(packed.stdout).unwrap();
    let read = |file: &str| {
        let read = Command::new("tar")
            .args(["-xzOf", chart.trim(), file])
            .output();
        String::from_utf8(read.unwrap().stdout).unwrap()
    };
    let values = read("duckbot/values.yaml");
    assert!(
        values.contains("\n  registry: \"ghcr.io/ducks\"\n"),
        "{values}"
    );
    let rules = read("duckbot/monitoring/rules.yaml");
    let page = "https://git.example.com/ducks/duckbot/blob/v9.9.9/docs/runbooks.md";
    let alerts = rules.matches("- alert: ").count();
    assert!(alerts > 0);
    assert_eq!(
        rules.matches(&format!("runbook_url: {page}#")).count(),
        alerts
    );
    let about = read("duckbot/Chart.yaml");
    assert!(
        about.contains("version: 9.9.9") && about.contains("appVersion: 9.9.9"),
        "{about}"
    );
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let repository = Repository::copy();
    fs::write(
        repository.path("CHANGELOG.md"),
        "# Changelog\n\n## [Unreleased]\n\n- next\n\n## [1.1.0]\n\n- no date\n\n\
         ## [1.0.0] - 2026-01-02\n\n### Added\n\n- ducks\n\n## [0.9.0] - 2026-01-01\n\n",
    )
    .unwrap();
    let notes = |version| repository.run("notes", &[version]);
    assert_eq!(notes("1.0.0"), Ok("### Added\n\n- ducks".to_owned()));
    for (version, why) in [
        ("1.1.0", "needs a date"),
        ("0.9.0", "is empty"),
        ("1.0", "has no section"),
    ] {
        let error = notes(version).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn an_archive_holds_the_program_and_the_license_and_is_reproducible() {
    let repository = Repository::copy();
    fs::write(repository.path("program"), "#!/bin/sh\n").unwrap();
    let pack = |folder: &str| {
        let (program, folder) = (repository.path("program"), repository.path(folder));
        let arguments = [
            program.to_str().unwrap(),
            "1.0.0",
            "linux-arm64",
            folder.to_str().unwrap(),
        ];
        repository.run("archive", &arguments).unwrap()
    };
    let (first, second) = (pack("a"), pack("b"));
    assert!(first.ends_with("/a/duckbot-1.0.0-linux-arm64.tar.gz"));
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    let listed = Command::new("tar")
        .args(["-tzvf", &first])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<_> = listed
        .lines()
        .map(|line| (&line[..10], line.split_whitespace().last().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            ("drwxr-xr-x", "duckbot-1.0.0-linux-arm64/"),
            ("-rw-r--r--", "duckbot-1.0.0-linux-arm64/LICENSE"),
            ("-rwxr-xr-x", "duckbot-1.0.0-linux-arm64/duckbot"),
        ],
        "{listed}"
    );
}
