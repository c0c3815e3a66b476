//! Runs all saved inputs of the fuzz targets: the corpora, and inputs that once failed. `fuzz/run`
//! searches for new ones (docs/development.md).

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use targets::{TARGETS, Target};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// Files in a folder, without hidden ones, sorted. Empty if the folder does not exist.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten();
    let paths = found.map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths.filter(|path| !name(path).starts_with('.')).collect();
    all.sort();
    all
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Files for which the target panics.
fn failing(target: Target, files: &[PathBuf]) -> Vec<&PathBuf> {
    let fails = |file: &&PathBuf| {
        let data = fs::read(file).unwrap();
        catch_unwind(AssertUnwindSafe(|| target(&data))).is_err()
    };
    files.iter().filter(fails).collect()
}

#[test]
fn everything_found_so_far_holds() {
    let mut wrong = Vec::new();
    for (name, target) in TARGETS {
        let corpus = inside(&folder("corpus").join(name));
        assert!(!corpus.is_empty(), "{name} has no corpus");
        let regressions = inside(&folder("regressions").join(name));
        for file in [&corpus, &regressions].map(|files| failing(target, files)) {
            wrong.extend(file.into_iter().cloned());
        }
    }
    assert!(wrong.is_empty(), "these fail: {wrong:#?}");
}

#[test]
fn every_folder_and_every_program_has_its_target() {
    let known: BTreeSet<_> = TARGETS.map(|(name, _)| name.to_owned()).into();
    for kind in ["corpus", "regressions"] {
        for path in inside(&folder(kind)) {
            assert!(
                known.contains(&name(&path)),
                "{} has no target",
                path.display()
            );
        }
    }
    let programs = inside(&folder("fuzz_targets"));
    let programs = programs.iter().map(|it| name(it).replace(".rs", ""));
    assert_eq!(programs.collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_interactions_in_the_corpus_are_some() {
    let corpus = folder("corpus").join("interactions");
    for name in ["autocomplete", "button", "command-start", "modal", "ping"] {
        let text = fs::read(corpus.join(name)).unwrap();
        let read = serde_json::from_slice::<serenity::all::Interaction>(&text);
        assert!(read.is_ok(), "{name}: {read:?}");
    }
}
