//! The files of a session's work in its home folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::Utc;

/// Endings of the logs that DuckDB keeps beside a database.
const LOGS: [&str; 3] = [".wal", ".wal.checkpoint", ".wal.recovery"];

/// The files of the work in a session's home.
pub(in crate::duckdb) struct WorkFiles {
    home: PathBuf,
}

/// Sizes and times of the files. DuckDB writes each commit into a file, so equal ones mean that nothing
/// has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::duckdb) struct Fingerprint([Option<(u64, SystemTime)>; 4]);

impl WorkFiles {
    pub(in crate::duckdb) fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
        }
    }

    /// Path of DuckDB's main database.
    pub(in crate::duckdb) fn database(&self) -> PathBuf {
        self.home.join("work.duckdb")
    }

    /// Returns true if DuckDB's main database has a content. DuckDB leaves an empty file if the disk is full
    /// when it creates one.
    pub(in crate::duckdb) fn has_database(&self) -> bool {
        fs::metadata(self.database()).is_ok_and(|about| about.len() > 0)
    }

    /// Path of the database with the notebooks of DuckDB's UI.
    pub(in crate::duckdb) fn notebooks(&self) -> PathBuf {
        self.home.join(".duckdb/extension_data/ui/ui.db")
    }

    /// Folder for the copies of a save.
    pub(super) fn copies(&self) -> PathBuf {
        self.home.join(".duckdb/save")
    }

    /// Renames a database that can't be opened. Returns its new path in the home folder.
    pub(in crate::duckdb) fn put_aside(&self, database: &Path) -> io::Result<PathBuf> {
        let aside = free_name(database);
        for ending in LOGS {
            unless_missing(fs::rename(log(database, ending), log(&aside, ending)))?;
        }
        fs::rename(database, &aside)?;
        let in_home = aside.strip_prefix(&self.home).map(Path::to_owned);
        Ok(in_home.unwrap_or(aside))
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let (database, notebooks) = (self.database(), self.notebooks());
        let files = [wal(&database), database, wal(&notebooks), notebooks];
        Fingerprint(files.map(|file| {
            let about = fs::metadata(file).ok()?;
            Some((about.len(), about.modified().ok()?))
        }))
    }

    /// Returns the size of the work, in bytes.
    pub(super) fn size(&self) -> u64 {
        let sizes = self.fingerprint().0.into_iter().flatten();
        sizes.map(|(size, _)| size).sum()
    }

    /// Returns the size of everything in the home folder, in bytes.
    pub(super) fn used(&self) -> u64 {
        size_below(&self.home)
    }

    /// Creates an empty folder for copies.
    pub(super) fn make_copies_folder(&self) -> io::Result<PathBuf> {
        let folder = self.copies();
        self.remove_copies()?;
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    pub(super) fn remove_copies(&self) -> io::Result<()> {
        unless_missing(fs::remove_dir_all(self.copies()))
    }
}

/// Ignores that a file was not there.
pub(in crate::duckdb) fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Returns a name for a database that can't be opened, which no file has.
fn free_name(database: &Path) -> PathBuf {
    let stem = database.file_stem().unwrap_or_default().to_string_lossy();
    let time = Utc::now().format("%Y%m%d-%H%M%S");
    let mut path = database.with_file_name(format!("{stem}-unreadable-{time}.duckdb"));
    let mut number = 1;
    while path.exists() {
        number += 1;
        path.set_file_name(format!("{stem}-unreadable-{time}-{number}.duckdb"));
    }
    path
}

/// Removes a database with its logs.
pub(in crate::duckdb) fn remove(database: &Path) -> io::Result<()> {
    for ending in LOGS {
        unless_missing(fs::remove_file(log(database, ending)))?;
    }
    unless_missing(fs::remove_file(database))
}

/// Returns the path of a database's write-ahead log.
fn wal(database: &Path) -> PathBuf {
    log(database, LOGS[0])
}

fn log(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Returns the size of all files below a folder. What disappears meanwhile does not count.
fn size_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => size_below(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |about| about.len()),
        _ => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_any_file_is_seen() {
        let home = tempfile::tempdir().expect("a folder");
        let files = WorkFiles::new(home.path());
        fs::create_dir_all(files.notebooks().parent().expect("a folder")).expect("a folder");
        let mut seen = vec![files.fingerprint()];
        for path in [files.database(), wal(&files.database()), files.notebooks()] {
            fs::write(path, "work").expect("a file");
            let now = files.fingerprint();
            assert!(!seen.contains(&now));
            seen.push(now);
        }
        assert_eq!(files.size(), 12);
        assert_eq!(files.fingerprint(), *seen.last().expect("one"));
    }

    #[test]
    fn databases_are_put_aside_with_their_logs_and_none_replaces_another() {
        let home = tempfile::tempdir().expect("a folder");
        let database = home.path().join("work.duckdb");
        let files = WorkFiles::new(home.path());
        let asides = ["first", "second", "third"].map(|content| {
            fs::write(&database, content).expect("a file");
            for ending in LOGS {
                fs::write(log(&database, ending), content).expect("a file");
            }
            let name = files.put_aside(&database).expect("a rename");
            assert!(name.to_string_lossy().starts_with("work-unreadable-"));
            assert!(!database.exists());
            (content, home.path().join(name))
        });
        for (content, aside) in asides {
            assert_eq!(fs::read_to_string(&aside).expect("a file"), content);
            for ending in LOGS {
                let log = fs::read_to_string(log(&aside, ending));
                assert_eq!(log.expect("a file"), content);
            }
        }
    }
}
