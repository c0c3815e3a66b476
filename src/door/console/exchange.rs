//! The folder that the door and DuckDB share, for files that come and go.
//!
//! Only files whose names the door has made are used, and only regular ones: DuckDB runs a person's statements,
//! and must not lead the door to other files.

use std::{
    collections::HashMap,
    fs,
    io::{Error, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::OnceCell, task::spawn_blocking};
use uuid::Uuid;

/// Start of the names of all files of doors.
const PREFIX: &str = "door-";
/// Time in which a browser must fetch a file.
const FETCH_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) struct Exchange {
    folder: PathBuf,
    /// Files that wait to be fetched, by their name in the URL.
    ready: Arc<Mutex<HashMap<String, ReadyFile>>>,
    cleaned: OnceCell<()>,
}

/// File that a browser may fetch once.
pub(super) struct ReadyFile {
    pub file: TemporaryFile,
    pub format: FileFormat,
}

/// Formats of downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileFormat {
    Csv,
    Parquet,
    Json,
}

/// File that is deleted when it is dropped.
pub(super) struct TemporaryFile {
    pub path: PathBuf,
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Nobody else deletes it, unless it was never written.
        let _ = fs::remove_file(&self.path);
    }
}

impl Exchange {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            ready: Arc::default(),
            cleaned: OnceCell::new(),
        }
    }

    /// Returns a name for a new file. Deletes the files of an earlier door before the first one.
    pub(super) async fn new_file(&self, extension: &str) -> TemporaryFile {
        let folder = self.folder.clone();
        let clean = async || {
            // A panic leaves files behind, no more.
            let _ = spawn_blocking(move || clean(&folder)).await;
        };
        self.cleaned.get_or_init(clean).await;
        let name = format!("{PREFIX}{}.{extension}", Uuid::new_v4().simple());
        TemporaryFile {
            path: self.folder.join(name),
        }
    }

    /// Offers a file to the browser for some time. Returns its name in the URL.
    pub(super) fn offer(&self, file: ReadyFile) -> String {
        let name = Uuid::new_v4().simple().to_string();
        self.ready.lock().insert(name.clone(), file);
        let (ready, offered) = (self.ready.clone(), name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(FETCH_TIMEOUT).await;
            let late = ready.lock().remove(&offered);
            drop(late);
        });
        name
    }

    /// Takes a file that was offered.
    pub(super) fn take(&self, name: &str) -> Option<ReadyFile> {
        self.ready.lock().remove(name)
    }
}

/// Deletes the files of earlier doors.
fn clean(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files {
        if file.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// Opens a file to read it.
///
/// # Errors
/// If it is not a regular file, or can't be read.
pub(super) fn open_regular(path: &Path) -> std::io::Result<fs::File> {
    // Without following a link at its end.
    let named = fs::symlink_metadata(path)?;
    if !named.is_file() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let file = fs::File::open(path)?;
    let opened = file.metadata()?;
    // Another file may have taken its place in between.
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(Error::new(ErrorKind::InvalidInput, "the file was replaced"));
    }
    Ok(file)
}

/// Creates a file to write it.
///
/// # Errors
/// If something of this name is there, such as a link, or the folder can't be written.
pub(super) fn create_new(path: &Path) -> std::io::Result<fs::File> {
    fs::File::create_new(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_fetched_once_and_no_other_file_is_read() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let left = folder.path().join("door-of-before.csv");
        let other = folder.path().join("mine.csv");
        for path in [&left, &other] {
            fs::write(path, "x").expect("a file");
        }
        let exchange = Exchange::new(folder.path().to_owned());
        let file = exchange.new_file("csv").await;
        assert!(!left.exists() && other.exists());

        std::os::unix::fs::symlink(&other, &file.path).expect("a link");
        let why = open_regular(&file.path).expect_err("a link");
        assert_eq!(why.to_string(), "it is not a regular file");
        assert!(create_new(&file.path).is_err(), "nor is it written to");
        fs::remove_file(&file.path).expect("a link");
        fs::write(&file.path, "y").expect("a file");
        assert!(open_regular(&file.path).is_ok());

        let path = file.path.clone();
        let format = FileFormat::Csv;
        let name = exchange.offer(ReadyFile { file, format });
        assert!(exchange.take("other").is_none());
        drop(exchange.take(&name).expect("the file"));
        assert!(exchange.take(&name).is_none());
        assert!(!path.exists() && other.exists());
    }
}
