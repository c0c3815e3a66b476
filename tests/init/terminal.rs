//! Commands at a terminal, which a person reads and types at.

use std::{collections::HashMap, path::Path, process::Stdio};

use test_support::WAIT_TIMEOUT;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Command at a terminal, with a person who reads and types.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    seen: String,
    /// Part of `seen` that was waited for.
    passed: usize,
}

impl Terminal {
    /// Starts a command line in a folder, with these environment variables only.
    pub fn start(line: &str, folder: &Path, variables: &HashMap<String, String>) -> Self {
        // A shell in the background lets its children ignore Ctrl-C.
        let mut child = Command::new("env")
            .args([
                "--default-signal=INT",
                "script",
                "--quiet",
                "--return",
                "--command",
                line,
                "/dev/null",
            ])
            .current_dir(folder)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            keyboard: child.stdin.take().unwrap(),
            screen: child.stdout.take().unwrap(),
            child,
            seen: String::new(),
            passed: 0,
        }
    }

    /// Reads until one of these texts appears. Returns its index.
    pub async fn wait_for_any(&mut self, texts: &[&str]) -> usize {
        loop {
            let rest = &self.seen[self.passed..];
            let found = texts.iter().enumerate().filter_map(|(index, text)| {
                let at = rest.find(text)?;
                Some((at + text.len(), index))
            });
            if let Some((end, index)) = found.min() {
                self.passed += end;
                return index;
            }
            assert!(self.read().await, "{texts:?} not in\n{}", self.seen);
        }
    }

    /// Waits for a prompt and types an answer.
    pub async fn answer(&mut self, prompt: &str, answer: &str) {
        self.wait_for_any(&[prompt]).await;
        self.press(&format!("{answer}\n")).await;
    }

    pub async fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).await.unwrap();
    }

    /// Waits for the end. Returns the exit code and all that was on the screen.
    pub async fn end(mut self) -> (i32, String) {
        while self.read().await {}
        let status = timeout(WAIT_TIMEOUT, self.child.wait()).await;
        let code = status.expect("the command ended in time").unwrap().code();
        (code.unwrap(), self.seen)
    }

    /// Reads more. Returns false at the end.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = timeout(WAIT_TIMEOUT, self.screen.read(&mut buffer)).await;
        let length = read.unwrap_or_else(|_| panic!("silence after\n{}", self.seen));
        let length = length.unwrap_or_default();
        let text = String::from_utf8_lossy(&buffer[..length]);
        self.seen.push_str(&text.replace('\r', ""));
        length > 0
    }
}
