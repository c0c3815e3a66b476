//! Landlock, which keeps a session of the local runtime from this machine's files even if DuckDB
//! does not, and from other sessions' ports. Linux has it from 5.13 on, for ports from 6.7 on.
//! Elsewhere, only DuckDB's own settings restrict sessions.

use std::collections::HashMap;

/// Variable of sessions that must be confined: `true`.
pub const CONFINED: &str = "DUCKDB_CONFINED";

/// Returns true if [`confine`] has an effect on this machine.
pub fn is_supported() -> bool {
    platform::is_supported()
}

/// Returns true if the session with these variables must be confined.
pub fn is_demanded(variables: &HashMap<String, String>) -> bool {
    variables.get(CONFINED).is_some_and(|value| value == "true")
}

/// Confines this thread, and the threads and processes that it starts, if `variables` demand it and
/// the system can. They can then read and write the session's home and folders, and read what any
/// program needs. `variables` are those of the session.
///
/// # Errors
/// If the system can confine, but fails to.
pub fn confine(variables: &HashMap<String, String>) -> anyhow::Result<()> {
    if is_demanded(variables) {
        platform::confine(variables)
    } else {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        collections::HashMap,
        env, fs,
        path::{Path, PathBuf},
    };

    use anyhow::Context;
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
    };

    use crate::duckdb::environment::INIT_FOLDER;

    /// Version with all rights on files that are handled. Older kernels handle fewer.
    const FILES: ABI = ABI::V5;

    /// Files and folders that programs, name resolution and TLS need. Without `/proc/self/cgroup`,
    /// DuckDB 1.5.5 crashes, and only all of `/proc` can be named here. The kernel hides the
    /// environment and memory of processes outside of the session, except from root.
    const READABLE: [&str; 28] = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/nix/store",
        "/etc/ld.so.cache",
        "/etc/ld.so.preload",
        "/etc/ssl",
        "/etc/pki",
        "/etc/ca-certificates",
        "/etc/crypto-policies",
        "/var/lib/ca-certificates",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/nsswitch.conf",
        "/etc/resolv.conf",
        "/etc/services",
        "/etc/localtime",
        // `resolv.conf` is a link to a file that is replaced when the network changes.
        "/run/systemd/resolve",
        "/run/NetworkManager",
        "/run/resolvconf",
        "/sys/fs/cgroup",
        "/sys/devices/system/cpu",
        "/dev/random",
        "/dev/urandom",
        "/proc",
    ];

    pub(super) fn is_supported() -> bool {
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1));
        ruleset.and_then(Ruleset::create).is_ok()
    }

    pub(super) fn confine(variables: &HashMap<String, String>) -> anyhow::Result<()> {
        let value = |name: &str| variables.get(name).map(String::as_str);
        let program = value("DUCKDB_PROGRAM").unwrap_or("duckdb");
        let init = format!("{INIT_FOLDER}/init.sql");
        let further = [
            Some(find_program(program)),
            value("DUCKDB_EXTENSIONS").map(PathBuf::from),
            value("SSL_CERT_FILE").map(PathBuf::from),
            value("SSL_CERT_DIR").map(PathBuf::from),
            Some(value("DUCKDB_INIT").unwrap_or(&init).into()),
        ];
        let extensions = value("DUCKDB_EXTENSIONS").map(Path::new);
        let readable = READABLE
            .iter()
            .map(PathBuf::from)
            .chain(further.into_iter().flatten())
            .chain(extensions.map(files_below).into_iter().flatten());
        let work = work_folder(variables).context("can't create the folder of the saved work")?;
        let folders = value("DUCKDB_FOLDERS").into_iter();
        let folders = folders.flat_map(|all| all.split(','));
        let writable = folders
            .filter(|folder| !folder.contains("://"))
            .chain(value("HOME"))
            .chain(work.as_deref())
            .chain(["/dev/null"]);
        restrict(readable, writable, ports(variables))
            .context("can't confine the session with Landlock")
    }

    /// Creates the folder of the owner's saved work, if it is saved in a folder. A rule can only name
    /// one that exists.
    fn work_folder(variables: &HashMap<String, String>) -> std::io::Result<Option<String>> {
        let value = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let Some((location, owner)) = value("WORK_LOCATION").zip(value("WORK_OWNER")) else {
            return Ok(None);
        };
        if !location.starts_with('/') {
            return Ok(None);
        }
        let folder = format!("{location}/{owner}");
        fs::create_dir_all(&folder)?;
        Ok(Some(folder))
    }

    /// Variables with URLs that a session must reach. Each may have several, separated by commas.
    const URLS: [&str; 7] = [
        "CATALOG_ENDPOINT",
        "CATALOG_OAUTH2_SERVER_URI",
        "S3_ENDPOINT",
        "DUCKDB_HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "DUCKDB_FOLDERS",
    ];

    /// Ports that a session may connect to: those of the Web, of DNS, and of the settings. SQL can send
    /// any text to a port, and other sessions' DuckDBs answer everybody on this machine.
    fn ports(variables: &HashMap<String, String>) -> Vec<u16> {
        let urls = URLS.iter().filter_map(|name| variables.get(*name));
        let port = |url: &str| {
            let (_, rest) = url.split_once("://").unwrap_or(("", url));
            let authority = rest.split('/').next()?;
            authority.rsplit_once(':')?.1.parse().ok()
        };
        let own = urls.flat_map(|all| all.split(',')).filter_map(port);
        own.chain([53, 80, 443]).collect()
    }

    /// Allows access to these paths and ports only. Paths that don't exist are left out.
    fn restrict<'a>(
        readable: impl Iterator<Item = PathBuf>,
        writable: impl Iterator<Item = &'a str>,
        ports: Vec<u16>,
    ) -> Result<(), RulesetError> {
        let ports = ports.into_iter();
        let ports =
            ports.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp)));
        Ruleset::default()
            .handle_access(AccessFs::from_all(FILES))?
            // Linux 6.7 or later.
            .handle_access(AccessNet::ConnectTcp)?
            // No signal to other processes, and no connection to their abstract sockets.
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .add_rules(path_beneath_rules(readable, AccessFs::from_read(FILES)))?
            .add_rules(path_beneath_rules(writable, AccessFs::from_all(FILES)))?
            .add_rules(ports)?
            .restrict_self()
            .map(drop)
    }

    /// Lists the files below a folder. Each needs a rule of its own, because it may be a link.
    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let below = |path: PathBuf| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        };
        paths.flat_map(below).collect()
    }

    /// Finds a program as the system does: a name without a slash is looked up on the PATH.
    fn find_program(program: &str) -> PathBuf {
        if program.contains('/') {
            return program.into();
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let candidates = env::split_paths(&path).map(|folder| folder.join(program));
        candidates
            .into_iter()
            .find(|file| Path::is_file(file))
            .unwrap_or_else(|| program.into())
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::collections::HashMap;

    pub(super) fn is_supported() -> bool {
        false
    }

    pub(super) fn confine(_: &HashMap<String, String>) -> anyhow::Result<()> {
        Ok(())
    }
}
