//! A clock for a bot that differs from the real one, by libfaketime. Timers stay real.

use std::{collections::HashMap, fs, path::Path};

use chrono::TimeDelta;
use tempfile::TempDir;

use crate::tools;

/// Gives a bot that is not started yet a clock that [`set`] moves. `folder` holds its file.
pub(crate) fn enable(folder: &Path, variables: &mut HashMap<String, String>) {
    let library = tools::get("faketime").join("libfaketime.so.1");
    set(folder, TimeDelta::zero());
    let clock = folder.join("clock");
    for (name, value) in [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
    ] {
        variables.insert(name.into(), value.into());
    }
}

/// Sets the clock of the bots of this folder to this much after the real time.
pub(crate) fn set(folder: &Path, ahead: TimeDelta) {
    // The bot never reads half a file.
    let new = folder.join("clock.new");
    fs::write(&new, format!("{:+}", ahead.num_seconds())).unwrap();
    fs::rename(new, folder.join("clock")).unwrap();
}

/// A clock of its own, for a program that a test starts by itself.
pub struct FakeClock(TempDir);

impl FakeClock {
    /// Creates a clock that shows the real time.
    pub fn create() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Variables that give a program this clock.
    pub fn variables(&self) -> HashMap<String, String> {
        let mut variables = HashMap::new();
        enable(self.0.path(), &mut variables);
        variables
    }

    /// Sets the clock to this much after the real time.
    pub fn set(&self, ahead: TimeDelta) {
        set(self.0.path(), ahead);
    }
}
