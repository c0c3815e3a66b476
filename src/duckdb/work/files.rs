//! The files of a session's work in its home folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::Utc;

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
        let stem = database.file_stem().unwrap_or_default().to_string_lossy();
        let time = Utc::now().format("%Y%m%d-%H%M%S");
        let aside = database.with_file_name(format!("{stem}-unreadable-{time}.duckdb"));
        unless_missing(fs::rename(wal(database), wal(&aside)))?;
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

/// Returns the path of a database's write-ahead log.
pub(super) fn wal(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".wal");
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
    fn a_database_is_put_aside_with_its_log() {
        let home = tempfile::tempdir().expect("a folder");
        let database = home.path().join("work.duckdb");
        fs::write(&database, "broken").expect("a file");
        fs::write(wal(&database), "log").expect("a file");
        let name = WorkFiles::new(home.path()).put_aside(&database);
        let name = name.expect("a rename");
        assert!(name.to_string_lossy().starts_with("work-unreadable-"));
        let aside = home.path().join(name);
        assert_eq!(fs::read_to_string(&aside).expect("a file"), "broken");
        assert_eq!(fs::read_to_string(wal(&aside)).expect("a file"), "log");
        assert!(!database.exists());
    }
}
