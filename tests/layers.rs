//! Imports between modules run inwards (docs/architecture.md).

use std::{fs, path::Path};

/// Top-level modules, and the modules that each may import.
const MAY_IMPORT: [(&str, &[&str]); 18] = [
    ("session", &[]),
    ("error", &[]),
    ("diagnostics", &[]),
    ("redact", &[]),
    ("metrics", &["session"]),
    (
        "api",
        &[
            "credentials",
            "error",
            "metrics",
            "service",
            "session",
            "settings",
        ],
    ),
    ("settings", &["session"]),
    ("telemetry", &["settings"]),
    ("credentials", &["error", "redact", "session", "settings"]),
    ("door", &[]),
    (
        "runtime",
        &[
            "credentials",
            "door",
            "duckdb",
            "error",
            "diagnostics",
            "metrics",
            "runtime",
            "session",
            "settings",
        ],
    ),
    (
        "service",
        &[
            "credentials",
            "door",
            "error",
            "metrics",
            "runtime",
            "session",
            "settings",
            "telemetry",
        ],
    ),
    (
        "discord",
        &[
            "credentials",
            "discord",
            "door",
            "error",
            "diagnostics",
            "metrics",
            "runtime",
            "service",
            "session",
            "settings",
            "telemetry",
        ],
    ),
    ("duckdb", &["redact"]),
    (
        "reconciler",
        &[
            "credentials",
            "error",
            "metrics",
            "runtime",
            "service",
            "session",
        ],
    ),
    (
        "reaper",
        &["error", "metrics", "service", "session", "settings"],
    ),
    (
        "app",
        &[
            "api",
            "credentials",
            "discord",
            "diagnostics",
            "metrics",
            "reaper",
            "reconciler",
            "runtime",
            "service",
            "session",
            "settings",
            "telemetry",
        ],
    ),
    ("lib", &[]),
];

/// Crates that only the listed modules may use.
const ONLY_IN: [(&str, &[&str]); 3] = [
    ("kube", &["runtime"]),
    ("k8s_openapi", &["runtime", "settings"]),
    ("serenity", &["discord"]),
];

/// Collects the code of each source file, with its top-level module.
fn sources(folder: &Path, room: Option<&str>, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let room = room.unwrap_or(&name);
        if path.is_dir() {
            sources(&path, Some(room), found);
        } else if path.extension().is_some_and(|it| it == "rs") && name != "main" {
            // Comments are left out: documentation may link anywhere.
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            found.push((room.to_owned(), code.collect::<Vec<_>>().join("\n")));
        }
    }
}

/// Returns the modules that a file names after `crate::`, also in braces.
fn imported(source: &str) -> Vec<String> {
    let word = |text: &str| {
        let end = text
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        text[..end].to_owned()
    };
    let mut found = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut is_start = true;
                for (place, c) in list.char_indices() {
                    if depth == 0 && is_start && c.is_alphabetic() {
                        found.push(word(&list[place..]));
                        is_start = false;
                    }
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' => is_start = true,
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn imports_run_inwards() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        None,
        &mut files,
    );
    assert!(files.len() > 30, "too few sources were found");
    for (room, source) in &files {
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| name == room)
            .unwrap_or_else(|| panic!("{room} is a new module: add it to MAY_IMPORT"));
        // Imports within a module are not restricted.
        for import in imported(source).iter().filter(|import| *import != room) {
            assert!(
                allowed.contains(&import.as_str()),
                "{room} must not import {import}"
            );
        }
        for (name, rooms) in ONLY_IN {
            let named =
                source.contains(&format!("use {name}::")) || source.contains(&format!(" {name}::"));
            assert!(
                !named || rooms.contains(&room.as_str()),
                "{room} must not use {name}"
            );
        }
    }
}

#[test]
fn imports_in_braces_are_seen() {
    let source = "use crate::{\n    error::{Error, new},\n    session::Id,\n};\nuse crate::door;";
    assert_eq!(imported(source), ["error", "session", "door"]);
}
