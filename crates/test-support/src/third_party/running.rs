//! A running server.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{reserved_port::ReservedPort, tools};

/// Running server. It ends when its standard input closes, so also when this process ends.
pub struct Running {
    _script: Child,
    _ports: Vec<ReservedPort>,
}

impl Running {
    /// Starts a server in `folder`, and waits until `url` answers.
    pub fn start(url: &str, folder: TempDir, ports: Vec<ReservedPort>, command: &Command) -> Self {
        let mut script = Command::new(tools::script("servers/run"));
        script.arg(url).arg(folder.keep());
        script.arg(command.get_program()).args(command.get_args());
        let set = command.get_envs();
        script.envs(set.filter_map(|(name, value)| Some((name, value?))));
        let mut script = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(script.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "`servers/run` did not start {command:?}");
        Self {
            _script: script,
            _ports: ports,
        }
    }
}

impl From<Child> for Running {
    fn from(script: Child) -> Self {
        Self {
            _script: script,
            _ports: Vec::new(),
        }
    }
}
