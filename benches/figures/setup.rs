//! Environments for the bot and for the floor. Both connect directly to the same API server.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta},
    runtime::{WatchStreamExt, watcher},
};
use test_support::{Bot, Namespaces, TestEnv, bypass_proxy};
use tokio::{process::Command, sync::watch, task::JoinSet};

/// Maximum time to wait for objects. It is much longer than anything takes.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Creates an environment with this number of people and a bot that is not started. Settings that
/// affect times are as in production.
pub async fn env(people: usize, node: Option<&str>, settings: &[(&str, &str)]) -> TestEnv {
    let mut all = vec![
        ("DUCKBOT_LOG__FILTER", "info"),
        ("DUCKBOT_SESSIONS__START_TIMEOUT", "1h"),
        ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
    ];
    all.extend(settings);
    let mut env = match node {
        Some(node) => TestEnv::without_bot_on(node, &all).await,
        None => TestEnv::without_bot(&all).await,
    };
    env.skip_end_check();
    for number in 0..people {
        env.discord.add_person(&format!("p{number}"), &["analyst"]);
    }
    bypass_proxy(&env).await;
    env
}

/// Starts this program as a floor of the kind `what`.
pub fn floor(what: &str, env: &TestEnv) -> Bot {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    command
        .arg(std::env::current_exe().unwrap())
        .arg(format!("floor:{what}"));
    command.env_clear().envs(&env.variables).kill_on_drop(true);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    Bot::spawn(command)
}

/// Returns the URL of the API, as logged by a bot or a floor.
pub async fn address(bot: &mut Bot) -> String {
    const SAYS: &str = "the API is at ";
    bot.wait_for_log(SAYS).await;
    let log = bot.log();
    let said = log.split(SAYS).nth(1).unwrap();
    said.split_whitespace()
        .next()
        .unwrap()
        .trim_end_matches('/')
        .to_owned()
}

/// Watches that record when the Pod, Service and route of each owner exist.
pub struct Objects {
    made: watch::Receiver<HashMap<String, (usize, Instant)>>,
    _watching: JoinSet<()>,
}

impl Objects {
    /// Starts watching the sessions in a namespace.
    pub fn of(namespaces: &Namespaces) -> Self {
        let (note, made) = watch::channel(HashMap::new());
        let mut watching = JoinSet::new();
        let route = GroupVersionKind::gvk("traefik.io", "v1alpha1", "IngressRoute");
        for kind in [
            ApiResource::erase::<Pod>(&()),
            ApiResource::erase::<Service>(&()),
            ApiResource::from_gvk(&route),
        ] {
            let note = note.clone();
            let (admin, namespace) = (namespaces.admin.clone(), &namespaces.sessions);
            let api: Api<PartialObjectMeta<DynamicObject>> =
                Api::namespaced_with(admin, namespace, &kind);
            watching.spawn(async move {
                let mut names = std::collections::HashSet::new();
                let seen = watcher(api, watcher::Config::default()).touched_objects();
                let mut seen = std::pin::pin!(seen);
                // The watcher restarts a broken watch by itself.
                while let Some(seen) = seen.next().await {
                    let Ok(object) = seen else {
                        continue;
                    };
                    let Some(owner) = object.labels().get("duckbot.dev/owner") else {
                        continue;
                    };
                    if names.insert(object.name_any()) {
                        note.send_modify(|made| {
                            let entry = made.entry(owner.clone()).or_insert((0, Instant::now()));
                            *entry = (entry.0 + 1, Instant::now());
                        });
                    }
                }
            });
        }
        Self {
            made,
            _watching: watching,
        }
    }

    /// Waits until all objects of the owner's session exist. Returns the time of the last one.
    pub async fn wait_until_made(&self, owner: u64) -> Instant {
        let owner = owner.to_string();
        let whole = |made: &HashMap<String, (usize, Instant)>| {
            made.get(&owner).is_some_and(|(parts, _)| *parts == 3)
        };
        let mut made = self.made.clone();
        let made = tokio::time::timeout(WAIT_TIMEOUT, made.wait_for(whole)).await;
        made.expect("the objects are created in time").unwrap()[&owner].1
    }

    /// Waits until this number of sessions has all objects, but at most 15 s. The floor repeats no
    /// call, and a busy API server rejects some.
    pub async fn wait_until_settled(&self, sessions: usize) {
        let _ = tokio::time::timeout(Duration::from_secs(15), self.wait_for_count(sessions)).await;
    }

    /// Waits until this number of sessions has all objects.
    pub async fn wait_for_count(&self, sessions: usize) {
        let enough = |made: &HashMap<String, (usize, Instant)>| {
            made.values().filter(|(parts, _)| *parts == 3).count() >= sessions
        };
        let mut made = self.made.clone();
        let made = tokio::time::timeout(WAIT_TIMEOUT, made.wait_for(enough)).await;
        made.expect("the objects are created in time").unwrap();
    }
}

/// Resident memory of a process in MB, optionally without file-backed pages (mostly the program
/// itself).
pub fn resident(bot: &Bot, without_files: bool) -> f64 {
    resident_of(bot.pid(), without_files)
}

/// Same as [`resident`], of the process with this ID.
pub fn resident_of(pid: u32, without_files: bool) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let name = if without_files { "RssAnon:" } else { "VmRSS:" };
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap();
    kib * 1024.0 / 1e6
}

/// CPU time of the bot's threads so far.
pub fn cpu_time(bot: &Bot) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{}/task", bot.pid())).unwrap();
    let nanoseconds = threads.map(|thread| {
        // A thread may have ended.
        let text = std::fs::read_to_string(thread.unwrap().path().join("schedstat"));
        let text = text.unwrap_or_default();
        let first = text.split_whitespace().next();
        first.map_or(0, |it| it.parse().unwrap())
    });
    Duration::from_nanos(nanoseconds.sum())
}
