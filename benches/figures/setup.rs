//! Two of everything: a team with the bot, and one with the floor in its place. Both go straight
//! to the same API server.

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
use tokio::{process::Command, sync::watch, task::JoinSet};

use super::{
    bypass_proxy::bypass_proxy,
    support::{Bot, Namespaces, TestEnv},
};

/// Much longer than anything takes.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// A team of so many people and a bot that is not started, set as in production where it matters
/// for time.
pub async fn env(people: usize, node: Option<&str>, settings: &[(&str, &str)]) -> TestEnv {
    let mut all = vec![
        ("DUCKBOT_LOG__FILTER", "info"),
        ("DUCKBOT_SESSIONS__START_TIMEOUT", "1h"),
        ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
    ];
    all.extend(settings);
    let env = match node {
        Some(node) => TestEnv::without_bot_on(node, &all).await,
        None => TestEnv::without_bot(&all).await,
    };
    for number in 0..people {
        env.discord.add_person(&format!("p{number}"), &["analyst"]);
    }
    bypass_proxy(&env).await;
    env
}

/// This program as the floor of a team.
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

/// The address that a bot or a floor says it listens at.
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

/// Notes when Pod, Service and route of an owner were all there, as anybody sees it.
pub struct Objects {
    made: watch::Receiver<HashMap<String, (usize, Instant)>>,
    _watching: JoinSet<()>,
}

impl Objects {
    /// Looks at the sessions of that team from now on.
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
                // A watch that breaks begins anew, by itself.
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

    /// When everything of that owner's session was there; waits for it.
    pub async fn wait_until_made(&self, owner: u64) -> Instant {
        let owner = owner.to_string();
        let whole = |made: &HashMap<String, (usize, Instant)>| {
            made.get(&owner).is_some_and(|(parts, _)| *parts == 3)
        };
        let mut made = self.made.clone();
        let made = tokio::time::timeout(WAIT_TIMEOUT, made.wait_for(whole)).await;
        made.expect("the objects are made").unwrap()[&owner].1
    }

    /// Waits until so many sessions are whole, or nothing more comes of them: the floor tries
    /// nothing again, and an API server that has too much to do turns some of it away.
    pub async fn wait_until_settled(&self, sessions: usize) {
        let _ = tokio::time::timeout(Duration::from_secs(15), self.wait_for_count(sessions)).await;
    }

    /// Waits until so many sessions are whole.
    pub async fn wait_for_count(&self, sessions: usize) {
        let enough = |made: &HashMap<String, (usize, Instant)>| {
            made.values().filter(|(parts, _)| *parts == 3).count() >= sessions
        };
        let mut made = self.made.clone();
        let made = tokio::time::timeout(WAIT_TIMEOUT, made.wait_for(enough)).await;
        made.expect("the objects are made").unwrap();
    }
}

/// What a process has in memory, in MB: all of it, or without the pages of files (mostly the
/// program itself).
pub fn resident(bot: &Bot, without_files: bool) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bot.pid())).unwrap();
    let name = if without_files { "RssAnon:" } else { "VmRSS:" };
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap();
    kib * 1024.0 / 1e6
}
