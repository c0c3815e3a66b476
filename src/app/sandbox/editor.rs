//! Makes the editor of the console, unless it is in the cache. Runs programs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

/// Script that makes the editor, and the files that it reads beside it.
const SCRIPT: &str = "get";
const SOURCES: [(&str, &str); 5] = [
    (SCRIPT, include_str!("../../../deploy/editor/get")),
    (
        "package.json",
        include_str!("../../../deploy/editor/package.json"),
    ),
    (
        "package-lock.json",
        include_str!("../../../deploy/editor/package-lock.json"),
    ),
    (
        "editor.js",
        include_str!("../../../deploy/editor/editor.js"),
    ),
    (
        "bundle.js",
        include_str!("../../../deploy/editor/bundle.js"),
    ),
];

/// Returns the path of the editor. Without npm, or if it does not reach its registry, says so and returns
/// `None`: the console works without the editor. Uses `folder` for the script.
pub(super) async fn find(folder: &Path) -> Option<PathBuf> {
    let made = make(folder).await;
    let found = made.unwrap_or_else(|why| {
        eprintln!("The console's editor: the script that makes it can't be run: {why}.");
        None
    });
    if found.is_none() {
        eprintln!("Without it, SQL cells of the console are plain text fields. All else works.");
    }
    found
}

async fn make(folder: &Path) -> io::Result<Option<PathBuf>> {
    fs::create_dir_all(folder)?;
    for (name, text) in SOURCES {
        fs::write(folder.join(name), text)?;
    }
    let made = Command::new("bash")
        .arg(folder.join(SCRIPT))
        // Nobody waits for minutes at each start on a machine without a network.
        .env("npm_config_fetch_retries", "0")
        .env("npm_config_fetch_timeout", "10000")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Its messages are for the person. `output` would capture them.
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?
        .wait_with_output()
        .await?;
    let path = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    Ok(made.status.success().then(|| path.into()))
}
