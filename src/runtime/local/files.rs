//! Files that only the bot's user reads, each written whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::error::Error;

/// A folder with such files.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made if it is not there.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn open(path: PathBuf) -> anyhow::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("the folder {} can't be made", path.display()))?;
        Ok(Self(path))
    }

    /// Where a file of that name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, in place of one that is there.
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
            // Half of a file is of use to nobody.
            let _ = fs::remove_file(&new);
        }
        written.map_err(|why| disk_error("writing", &path, &why))
    }

    /// Reads a file, if it is there.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match fs::read(self.path(name)) {
            Ok(content) => Ok(Some(content)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(disk_error("reading", &self.path(name), &why)),
        }
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        match fs::remove_file(self.path(name)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                Err(disk_error("removing", &self.path(name), &why))
            }
            _ => Ok(()),
        }
    }

    /// Removes what a bot was writing when it was killed; what it would have replaced is there.
    ///
    /// # Errors
    /// If it can't be removed.
    pub fn tidy(&self) -> anyhow::Result<()> {
        for name in self.names()? {
            if name.ends_with(".new") {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// The names of all files.
    pub fn names(&self) -> anyhow::Result<Vec<String>> {
        let listed = fs::read_dir(&self.0).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let listed = listed.with_context(|| format!("{} can't be read", self.0.display()))?;
        let names = listed.into_iter().map(|entry| entry.file_name());
        Ok(names.filter_map(|name| name.into_string().ok()).collect())
    }
}

/// Makes the folder this bot's alone, as long as the file that is returned is open.
///
/// # Errors
/// If another one has it.
pub fn lock_folder(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path);
    let file = file.with_context(|| format!("{} can't be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another duckbot works in {}: stop that one, or name another folder",
            folder.display()
        ),
        Err(TryLockError::Error(why)) => {
            Err(why).with_context(|| format!("{} can't be locked", path.display()))
        }
    }
}

/// What a failure with a file means.
pub fn disk_error(doing: &str, path: &Path, why: &io::Error) -> Error {
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
    fn a_file_is_there_whole_and_for_its_owner_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(place.path().join("a/b")).expect("it is made");
        assert_eq!(folder.read("one"), Ok(None));
        folder.write("one", b"1").expect("it is written");
        folder.write("one", b"2").expect("it is written again");
        assert_eq!(folder.read("one"), Ok(Some(b"2".to_vec())));
        assert_eq!(folder.names().expect("it is read"), ["one"]);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path("one")), 0o600);
        assert_eq!(mode(&place.path().join("a/b")), 0o700);
        assert_eq!(
            (folder.remove("one"), folder.remove("one")),
            (Ok(()), Ok(()))
        );
    }

    #[test]
    fn a_folder_has_one_bot() {
        let place = tempfile::tempdir().expect("a folder");
        let mine = lock_folder(place.path()).expect("nobody has it");
        let why = lock_folder(place.path())
            .expect_err("it is taken")
            .to_string();
        assert!(why.starts_with("another duckbot works in "), "{why}");
        drop(mine);
        lock_folder(place.path()).expect("it is free again");
    }
}
