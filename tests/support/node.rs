//! Real nodes: a kubelet with containerd, in namespaces of their own on this
//! machine (`cluster/node`).

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use super::{Cluster, Registry, bot::program, tools::script};

/// A node; it ends when dropped, and when this process ends.
pub struct Node {
    pub name: String,
    orders: ChildStdin,
    _running: Child,
}

impl Node {
    /// The node that most tests share, or none where there can be none.
    pub fn shared() -> Option<&'static Self> {
        static NODE: OnceLock<Option<Node>> = OnceLock::new();
        NODE.get_or_init(|| Self::start("shared")).as_ref()
    }

    /// A node of a test's own, to be mistreated.
    pub fn dedicated() -> Option<Self> {
        let suffix = &uuid::Uuid::new_v4().simple().to_string()[..8];
        Self::start(&format!("own-{suffix}"))
    }

    fn start(name: &str) -> Option<Self> {
        let cluster = Cluster::shared();
        if let Err(reason) = cluster.nodes() {
            // On a machine that is to check everything, nothing is left out.
            assert!(std::env::var_os("CI").is_none(), "no node: {reason}");
            // Not eprintln: what that says is shown of failing tests only.
            let line = format!("skipped, because no node can run here: {reason}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let mut running = Command::new(script("cluster/node"))
            .args([cluster.folder(), Path::new(name)])
            .arg(&Self::registry().url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("ready "), "the node starts");
        Some(Self {
            name: name.to_owned(),
            orders: running.stdin.take().unwrap(),
            _running: running,
        })
    }

    /// Where the nodes get their images.
    pub fn registry() -> &'static Registry {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(|| {
            let cluster = Cluster::shared();
            let made = Command::new(script("cluster/images"))
                .arg(cluster.programs())
                .arg(program())
                .stderr(Stdio::inherit())
                .output()
                .unwrap();
            assert!(made.status.success(), "there are no images");
            let layout = String::from_utf8(made.stdout).unwrap();
            Registry::start(cluster.host(), layout.trim().into())
        })
    }

    /// Has the registry serve what is shipped: the images of `deploy/images`.
    pub fn serve_shipped_images() {
        Self::registry().ship(|| {
            let made = Command::new(script("images/build"))
                .arg(program())
                .stderr(Stdio::inherit())
                .output()
                .unwrap();
            assert!(made.status.success(), "the images can't be built");
            String::from_utf8(made.stdout).unwrap().trim().into()
        });
    }

    /// Its kubelet says nothing any more, while its containers go on.
    pub fn freeze(&mut self) {
        writeln!(self.orders, "freeze").unwrap();
    }
}
