//! The layers of docs/architecture.md: imports run inwards and in no circle, and sentences for
//! people are written in one place.

mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use imports::Crate;

/// Top-level modules, and the modules that each may import.
const MAY_IMPORT: [(&str, &[&str]); 30] = [
    ("work", &["catalog", "s3_error", "session"]),
    ("session", &[]),
    ("catalog", &["outbound"]),
    ("outbound", &["unicode"]),
    ("error", &[]),
    ("diagnostics", &[]),
    ("concurrency", &[]),
    ("redact", &[]),
    ("unicode", &[]),
    ("s3_error", &[]),
    ("metrics", &["session"]),
    ("leadership", &[]),
    ("health", &["metrics"]),
    ("listener", &[]),
    ("history", &["error", "session"]),
    ("schedule", &["error", "session"]),
    (
        "api",
        &[
            "credentials",
            "error",
            "health",
            "listener",
            "metrics",
            "outbound",
            "service",
            "session",
            "settings",
        ],
    ),
    (
        "settings",
        &["catalog", "outbound", "schedule", "session", "work"],
    ),
    ("telemetry", &["settings", "unicode"]),
    (
        "credentials",
        &[
            "catalog", "error", "outbound", "redact", "s3_error", "session", "settings",
        ],
    ),
    // The console quotes names and values in SQL as DuckDB's own scripts do.
    ("door", &["duckdb", "listener", "session", "unicode"]),
    (
        "runtime",
        &[
            "concurrency",
            "credentials",
            "door",
            "duckdb",
            "error",
            "diagnostics",
            "history",
            "leadership",
            "metrics",
            "outbound",
            "schedule",
            "session",
            "settings",
            "work",
        ],
    ),
    (
        "service",
        &[
            "credentials",
            "door",
            "duckdb",
            "error",
            "history",
            "metrics",
            "outbound",
            "runtime",
            "schedule",
            "session",
            "settings",
            "telemetry",
            "unicode",
            "work",
        ],
    ),
    (
        "discord",
        &[
            "credentials",
            "door",
            "duckdb",
            "error",
            "diagnostics",
            "health",
            "history",
            "leadership",
            "metrics",
            "outbound",
            "schedule",
            "service",
            "session",
            "settings",
            "telemetry",
            "unicode",
        ],
    ),
    (
        "duckdb",
        &[
            "catalog", "door", "outbound", "redact", "s3_error", "session", "work",
        ],
    ),
    (
        "reconciler",
        &[
            "concurrency",
            "credentials",
            "error",
            "leadership",
            "metrics",
            "runtime",
            "service",
            "session",
            "settings",
        ],
    ),
    ("scheduler", &["error", "leadership", "schedule", "service"]),
    (
        "reaper",
        &[
            "error",
            "leadership",
            "metrics",
            "service",
            "session",
            "settings",
        ],
    ),
    (
        "app",
        &[
            "api",
            "catalog",
            "credentials",
            "discord",
            "diagnostics",
            "door",
            "error",
            "health",
            "history",
            "leadership",
            "metrics",
            "outbound",
            "reaper",
            "reconciler",
            "runtime",
            "schedule",
            "scheduler",
            "service",
            "session",
            "settings",
            "telemetry",
        ],
    ),
    ("lib", &[]),
];

/// Crates that only the listed modules may use.
const ONLY_IN: [(&str, &[&str]); 6] = [
    ("chart", &["discord", "door"]),
    ("kube", &["runtime"]),
    ("k8s_openapi", &["runtime", "settings"]),
    ("serenity", &["discord"]),
    ("discord_loopback", &["app"]),
    ("demo_lake", &["app"]),
];

/// Parts of a text that only Discord shows as something else: a command to type, a mention, a time,
/// and bold text.
const CHAT_MARKUP: [&str; 5] = ["`/duck ", "<@", "<#", "<t:", "**"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the folder `src` of the bot and of each other crate of the workspace.
fn sources() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path());
    let all = [root().to_owned()].into_iter().chain(crates);
    all.map(|folder| folder.join("src")).collect()
}

/// Returns the top-level module of a file.
fn layer(file: &str) -> &str {
    file.split('/').next().unwrap()
}

#[test]
fn imports_run_inwards() {
    let uses = Crate::read(&root().join("src")).uses();
    for (user, owner, item) in &uses {
        let (user_layer, owner_layer) = (layer(user), layer(owner));
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == user_layer);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("{user_layer} is a new module: add it to MAY_IMPORT"));
        assert!(
            user_layer == owner_layer || allowed.contains(&owner_layer),
            "{user} must not use {item} of {owner}"
        );
    }
    for (user_layer, allowed) in MAY_IMPORT {
        for owner_layer in allowed {
            let is_used = |(user, owner, _): &(String, String, String)| {
                layer(user) == user_layer && layer(owner) == *owner_layer
            };
            let is_used = uses.iter().any(is_used);
            assert!(
                is_used,
                "remove from MAY_IMPORT: {user_layer} imports no {owner_layer}"
            );
        }
    }
}

#[test]
fn files_do_not_use_each_other_in_a_circle() {
    for src in sources() {
        let uses = Crate::read(&src).uses();
        let mut owners = BTreeMap::<_, BTreeSet<_>>::new();
        for (user, owner, _) in &uses {
            owners.entry(user).or_default().insert(owner);
        }
        let lines = uses
            .iter()
            .filter(|(user, owner, _)| reaches(&owners, owner, user));
        let lines: Vec<_> = lines
            .map(|(user, owner, item)| format!("{user} uses {item} of {owner}"))
            .collect();
        let src = src.display();
        assert!(lines.is_empty(), "a circle in {src}:\n{}", lines.join("\n"));
    }
}

/// Returns true if `from` uses `to`, directly or through other files.
fn reaches(owners: &BTreeMap<&String, BTreeSet<&String>>, from: &String, to: &String) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file) {
            open.extend(owners.get(file).into_iter().flatten().copied());
        }
    }
    false
}

#[test]
fn crates_are_used_in_their_layer() {
    for (file, used) in Crate::read(&root().join("src")).crates() {
        let limit = ONLY_IN.iter().find(|(name, _)| *name == used);
        assert!(
            limit.is_none_or(|(_, layers)| layers.contains(&layer(&file))),
            "{file} must not use {used}"
        );
    }
}

#[test]
fn no_other_crate_knows_the_bot() {
    for src in sources().iter().skip(1) {
        for (file, used) in Crate::read(src).crates() {
            assert_ne!(used, "duckbot", "{} of {}", file, src.display());
        }
    }
}

#[test]
fn sentences_for_the_chat_are_written_in_discord() {
    let all = Crate::read(&root().join("src"));
    for (file, text) in all.texts().filter(|(file, _)| layer(file) != "discord") {
        let markup = CHAT_MARKUP.iter().find(|markup| text.contains(**markup));
        assert_eq!(markup, None, "{file} writes a text for Discord: {text:?}");
    }
}

/// Writes files into a folder `src`, and reads them.
fn example(files: &[(&str, &str)]) -> Crate {
    let folder = tempfile::TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Crate::read(folder.path())
}

#[test]
fn every_way_to_name_an_item_is_seen() {
    let ways = [
        "use crate::b::Item;",
        "use crate::{b::{self, Item}};",
        "use super::b; fn f() { b::item() }",
        "use super::*; fn f() -> b::Item {}",
        "fn f() -> Option<crate::b::Item> {}",
        "fn f() { <crate::b::Item as Into<u8>>::into() }",
        "fn f() { println!(\"{}\", crate::b::item()) }",
        "fn f() { use super::b::Item; }",
        "mod inner { use crate::b::Item; }",
        "use crate::Item;",
    ];
    for way in ways {
        let all = example(&[
            ("lib.rs", "mod a; mod b; use b::*;"),
            ("a.rs", way),
            ("b.rs", "pub struct Item; pub fn item() {}"),
        ]);
        let uses = all.uses();
        let seen = uses
            .iter()
            .any(|(user, owner, _)| user == "a" && owner == "b");
        assert!(seen, "not seen: {way}\n{uses:?}");
    }
}

#[test]
fn crates_are_seen_in_every_place() {
    for way in [
        "use kube::Api;",
        "fn f() -> kube::Api {}",
        "fn f() { <kube::Api as Into<u8>>::into() }",
        "fn f(it: ::kube::Api) {}",
        "fn f() { dbg!(kube::Api::all()) }",
        "#[derive(kube::Resource)] struct A;",
    ] {
        let crates = example(&[("lib.rs", way)]).crates();
        assert!(
            crates.contains(&("lib".into(), "kube".into())),
            "not seen: {way}"
        );
    }
}

#[test]
fn tests_and_passing_on_are_no_use() {
    let all = example(&[
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod b; pub use b::Item; #[cfg(test)] mod tests;",
        ),
        (
            "a/b.rs",
            "pub struct Item; #[cfg(test)] mod tests { use crate::a::Other; }",
        ),
        ("a/tests.rs", "use super::Item;"),
    ]);
    assert!(all.uses().is_empty(), "{:?}", all.uses());
}
