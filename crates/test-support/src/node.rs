//! Real nodes: a kubelet with containerd, each in its own namespaces on this machine
//! (`cluster/node`).

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use crate::{bot::program, cluster::Cluster, registry::Registry, tools::script};

/// Running node. Ends on drop, and when this process ends.
pub struct Node {
    pub name: String,
    orders: ChildStdin,
    _running: Child,
}

impl Node {
    /// Returns the node that most tests share, or `None` if this machine cannot run nodes.
    pub fn shared() -> Option<&'static Self> {
        static NODE: OnceLock<Option<Node>> = OnceLock::new();
        NODE.get_or_init(|| Self::start("shared", &[])).as_ref()
    }

    /// Starts a node for one test, which may damage it.
    pub fn dedicated() -> Option<Self> {
        let suffix = &uuid::Uuid::new_v4().simple().to_string()[..8];
        Self::start(&format!("own-{suffix}"), &[])
    }

    /// Starts a node whose Pods have IPv6 addresses only.
    pub fn with_ipv6_only() -> Option<Self> {
        Self::start("ipv6", &["ipv6"])
    }

    fn start(name: &str, options: &[&str]) -> Option<Self> {
        let cluster = Cluster::shared();
        let has_network = options.is_empty() || cluster.ipv6().is_some();
        let no_network = Err("this machine has no IPv6");
        let possible = cluster.nodes();
        if let Err(reason) = possible.and(if has_network { Ok(()) } else { no_network }) {
            // CI must not skip tests.
            assert!(
                std::env::var_os("CI").is_none(),
                "CI needs nodes, but none can run here: {reason}"
            );
            // Not `eprintln!`, whose output is shown only if the test fails.
            let line = format!("skipped, because no node can run here: {reason}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let mut running = Command::new(script("cluster/node"))
            .args([cluster.folder(), Path::new(name)])
            .arg(&Self::registry().url)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(
            line.starts_with("ready "),
            "`cluster/node` printed {line:?} instead of `ready`"
        );
        Some(Self {
            name: name.to_owned(),
            orders: running.stdin.take().unwrap(),
            _running: running,
        })
    }

    /// Registry that the nodes pull from.
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
            assert!(made.status.success(), "`cluster/images` failed");
            let layout = String::from_utf8(made.stdout).unwrap();
            Registry::start(cluster.host(), layout.trim().into())
        })
    }

    /// Makes the registry serve the images of `deploy/images` with the tests' program as `shipped/…:shipped`.
    pub fn serve_shipped_images() {
        Self::registry().ship(|| build_images(&program()));
    }

    /// Makes the registry serve the images of `deploy/images` as they are released, as `whole/…:<architecture>`.
    pub fn serve_whole_images() {
        Self::registry().ship_whole(Self::build_whole_images);
    }

    /// Builds the images of `deploy/images` as they are released. Returns the folder of their image layout.
    pub fn build_whole_images() -> PathBuf {
        build_images(Path::new("--whole"))
    }

    /// Freezes the kubelet. It reports nothing more, while its containers keep running.
    pub fn freeze(&mut self) {
        writeln!(self.orders, "freeze").unwrap();
    }
}

fn build_images(what: &Path) -> PathBuf {
    let made = Command::new(script("images/build"))
        .arg(what)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(made.status.success(), "`images/build` failed");
    String::from_utf8(made.stdout).unwrap().trim().into()
}
