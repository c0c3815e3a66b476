//! A small disk that a test can fill up.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

/// A tmpfs in a mount namespace of its own. Both end with the test, also if it is killed.
pub struct SmallDisk {
    /// Process that keeps the namespace.
    holder: Child,
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts a disk of this size, such as `8m`. Returns `None` if this machine does not allow that.
    pub async fn mount(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && echo mounted && exec cat";
        let mut holder = Command::new("/usr/bin/unshare")
            .args(["--mount", "--propagation", "private", "/bin/sh", "-c"])
            .args([script, "sh", size])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = [0; 7];
        let output = holder.stdout.as_mut().unwrap();
        if output.read_exact(&mut said).await.is_err() {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI needs mounts, but none are allowed here"
            );
            // Not `eprintln!`, whose output is shown only if the test fails.
            let line = b"skipped, because no mounts are allowed here\n";
            std::io::stderr().write_all(line).unwrap();
            return None;
        }
        Some(Self { holder, folder })
    }

    /// Process ID of a process in its namespace.
    pub fn namespace(&self) -> String {
        self.holder.id().unwrap().to_string()
    }

    /// Path in its namespace.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Path of a file outside of its namespace.
    pub fn file(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/root{}", self.namespace(), self.path().display());
        Path::new(&root).join(name)
    }

    /// Fills the disk, except for this number of KiB.
    pub fn fill(&self, free: u64) {
        let filler = self.file("filler");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&filler)
            .unwrap();
        loop {
            match file.write(&[0; 4096]) {
                Ok(_) => {}
                Err(why) if why.kind() == ErrorKind::StorageFull => break,
                Err(why) => panic!("{why}"),
            }
        }
        let size = fs::metadata(&filler).unwrap().len();
        File::options()
            .write(true)
            .open(&filler)
            .unwrap()
            .set_len(size.saturating_sub(free << 10))
            .unwrap();
    }

    /// Makes room again.
    pub fn clear(&self) {
        fs::remove_file(self.file("filler")).unwrap();
    }
}
