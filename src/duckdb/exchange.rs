//! The folder that DuckDB shares with the door, for files that people download and upload.

use std::{fs, io, path::Path};

/// Name of the folder in the session's home.
pub const EXCHANGE: &str = "exchange";

/// Creates the folder, and removes what an earlier run left in it. The folder itself stays, because a Pod has
/// it mounted into the door's container.
pub(super) fn clear(home: &Path) -> io::Result<()> {
    let folder = home.join(EXCHANGE);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_start_empties_the_folder_and_keeps_it() {
        let home = tempfile::tempdir().expect("a folder");
        let (folder, kept) = (home.path().join(EXCHANGE), home.path().join("kept"));
        clear(home.path()).expect("created");
        let inode = || fs::metadata(&folder).expect("the folder").ino();
        let first = inode();
        fs::create_dir(&kept).expect("a folder");
        fs::write(kept.join("file"), "kept").expect("a file");
        fs::write(folder.join("ducks.csv"), "old").expect("a file");
        fs::create_dir_all(folder.join("parts/1")).expect("a folder");
        symlink(&kept, folder.join("link")).expect("a link");

        clear(home.path()).expect("emptied");
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
        assert_eq!(inode(), first);
        assert_eq!(fs::read(kept.join("file")).expect("the file"), b"kept");
    }
}
