//! Files that only the bot's user can read. Each is replaced atomically.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::error::Error;

/// Folder of such files.
pub struct Folder(PathBuf);

impl Folder {
    /// Opens the folder at `path`, and creates it if needed.
    ///
    /// # Errors
    /// If the folder can't be created.
    pub fn open(path: PathBuf) -> anyhow::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("the folder {} can't be created", path.display()))?;
        Ok(Self(path))
    }

    /// Path of the file with this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, replacing an existing one.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        let written = (|| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        })();
        if written.is_err() {
            // Remove the incomplete file.
            let _ = fs::remove_file(&new);
        }
        written.map_err(|why| disk_error("writing", &path, &why))
    }

    /// Reads a file. Returns None if it does not exist.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(self.path(name)) {
            Ok(content) => Ok(Some(content)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(disk_error("reading", &self.path(name), &why)),
        }
    }

    /// Removes a file, if it exists.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::remove_file(self.path(name)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                Err(disk_error("removing", &self.path(name), &why))
            }
            _ => Ok(()),
        }
    }

    /// Removes incomplete files of a bot that was killed while writing. The files that they would
    /// have replaced are intact.
    ///
    /// # Errors
    /// If such a file can't be removed, or the folder can't be read.
    pub fn tidy(&self) -> anyhow::Result<()> {
        for name in self.names()? {
            if name.ends_with(".new") {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Returns the names of all files.
    pub fn names(&self) -> anyhow::Result<Vec<String>> {
        let listed = fs::read_dir(&self.0).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let listed =
            listed.with_context(|| format!("the folder {} can't be read", self.0.display()))?;
        let names = listed.into_iter().map(|entry| entry.file_name());
        Ok(names.filter_map(|name| name.into_string().ok()).collect())
    }
}

/// Locks the folder for this bot, until the returned file is dropped.
///
/// # Errors
/// If another bot has locked it, or the lock file can't be written.
pub fn lock_folder(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path);
    let file =
        file.with_context(|| format!("the lock file {} can't be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another duckbot uses the folder {}. Stop it, or choose another folder",
            folder.display()
        ),
        Err(TryLockError::Error(why)) => {
            Err(why).with_context(|| format!("the lock file {} can't be locked", path.display()))
        }
    }
}

/// Translates an I/O error. `doing` is a verb such as `reading`.
pub(super) fn disk_error(doing: &str, path: &Path, why: &io::Error) -> Error {
    Error::Disk {
        action: format!("{doing} {}", path.display()),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_atomically_and_readable_by_its_owner_only() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(place.path().join("a/b")).expect("the folder is created");
        assert_eq!(folder.read("one"), Ok(None));
        folder.write("one", b"1").expect("the file is written");
        folder.write("one", b"2").expect("the file is replaced");
        assert_eq!(folder.read("one"), Ok(Some(b"2".to_vec())));
        assert_eq!(folder.names().expect("the folder is read"), ["one"]);
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("the path exists")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(&folder.path("one")), 0o600);
        assert_eq!(mode(&place.path().join("a/b")), 0o700);
        assert_eq!(
            (folder.remove("one"), folder.remove("one")),
            (Ok(()), Ok(()))
        );
    }

    #[test]
    fn one_bot_at_a_time_uses_a_folder() {
        let place = tempfile::tempdir().expect("a folder");
        let mine = lock_folder(place.path()).expect("the folder is free");
        let why = lock_folder(place.path())
            .expect_err("the folder is locked")
            .to_string();
        assert!(why.starts_with("another duckbot uses the folder "), "{why}");
        drop(mine);
        lock_folder(place.path()).expect("the folder is free again");
    }
}
