//! What needs the whole machine, or breaks it: many sessions at once, many one after the other,
//! a cluster that fails. A program of its own, and one test at a time.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code, unused_imports)]
#[path = "../support/mod.rs"]
mod support;

mod bypass_proxy;
mod kwok;
mod outages;
mod people;
mod soak;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use chrono::{TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, PropagationPolicy},
};
use kwok::Kwok;
use serde_json::{Value, json};
use support::TestEnv;
use tokio::{
    net::TcpListener,
    sync::{MutexGuard, watch},
};

/// Held by whichever test runs.
async fn lock_machine() -> MutexGuard<'static, ()> {
    static MACHINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    MACHINE.lock().await
}

const SESSIONS: usize = 500;
/// Much longer than it takes.
const WAIT_TIMEOUT: Duration = Duration::from_secs(300);

/// What becomes of a session; one after the other, so there are as many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Older than any may get, and in use.
    TooOld,
    /// Older than any may get, and its door is silent.
    TooOldAndSilent,
    /// Past its lifetime, and its owner was told in time.
    LifetimeOver,
    /// Past its lifetime but for an extension.
    Extended,
    /// Not used for long, and its owner was told in time.
    Idle,
    /// The same, but its owner wants to keep it.
    IdleAndKept,
    /// Not used for long as far as was known; now a query runs.
    Busy,
    /// The same, but each time that it is looked at once more, a query runs.
    InUseJustThen,
    /// Its door is silent.
    Silent,
    /// In use just now.
    Fresh,
    /// Its record is gone, and what belongs to it is not.
    Orphan,
}

const FATES: [Fate; 11] = [
    Fate::TooOld,
    Fate::TooOldAndSilent,
    Fate::LifetimeOver,
    Fate::Extended,
    Fate::Idle,
    Fate::IdleAndKept,
    Fate::Busy,
    Fate::InUseJustThen,
    Fate::Silent,
    Fate::Fresh,
    Fate::Orphan,
];

impl Fate {
    fn of(number: usize) -> Self {
        FATES[number % FATES.len()]
    }

    fn survives(self) -> bool {
        matches!(
            self,
            Self::Extended
                | Self::IdleAndKept
                | Self::Busy
                | Self::InUseJustThen
                | Self::Silent
                | Self::Fresh
        )
    }

    /// Writes what it is into a record of a session that was just started.
    fn mark(self, record: &mut Value) {
        let ago = |hours| json!(Utc::now() - TimeDelta::hours(hours));
        let warned = |rule| {
            let at = Utc::now() - TimeDelta::minutes(1);
            json!({ "rule": rule, "since": at - TimeDelta::hours(5), "at": at })
        };
        match self {
            Self::TooOld | Self::TooOldAndSilent => record["created"] = ago(100),
            Self::LifetimeOver => {
                record["created"] = ago(13);
                record["warned"] = warned("lifetime");
            }
            Self::Extended => {
                record["created"] = ago(13);
                record["extended_seconds"] = json!(4 * 3600);
            }
            Self::Idle | Self::Busy | Self::InUseJustThen => {
                record["ready"] = ago(5);
                record["warned"] = warned("idle");
            }
            Self::IdleAndKept => {
                record["ready"] = ago(5);
                record["kept_until"] = ago(-2);
            }
            Self::Silent | Self::Fresh | Self::Orphan => {}
        }
    }

    /// What its door says, asked once more in the same sweep or not; none: nothing.
    fn activity(self, once_more: bool) -> Option<Value> {
        let idle = |minutes| {
            let since = Utc::now() - TimeDelta::minutes(minutes);
            json!({ "queries": 0, "last_query": since, "tabs": 1, "since": since })
        };
        match self {
            Self::TooOldAndSilent | Self::Silent => None,
            Self::InUseJustThen if !once_more => Some(idle(300)),
            Self::Idle | Self::IdleAndKept => Some(idle(300)),
            Self::Busy | Self::InUseJustThen => {
                Some(json!({ "queries": 1, "last_query": null, "tabs": 0, "since": null }))
            }
            _ => Some(idle(1)),
        }
    }
}

fn id(number: usize) -> String {
    format!("{:06x}", 0xa0_0000 + number)
}

/// Each belongs to somebody else.
fn owner(number: usize) -> u64 {
    1_000_000 + number as u64
}

fn record_name(number: usize) -> String {
    format!("duckui-{}-0", owner(number))
}

/// Does something for each session, some at a time.
async fn for_all<F: Future<Output = ()>>(each: impl Fn(usize) -> F) {
    stream::iter(0..SESSIONS)
        .for_each_concurrent(16, each)
        .await;
}

/// Waits until that is so.
async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        // Each look is a list of everything.
        let mut looks = tokio::time::interval(Duration::from_secs(1));
        while !is_so().await {
            looks.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(WAIT_TIMEOUT, so).await.is_ok(),
        "never: {what}"
    );
}

/// The doors.
#[derive(Default)]
struct Doors {
    /// Each, and in which sweep it was asked last.
    fates: Mutex<HashMap<IpAddr, (Fate, Option<usize>)>>,
    /// The bot's log, when it is up.
    log: OnceLock<watch::Receiver<String>>,
}

impl Doors {
    /// How many sweeps are over.
    fn sweeps(&self) -> usize {
        let log = self.log.get();
        log.map_or(0, |log| log.borrow().matches(" swept").count())
    }
}

/// Stands in for the doors of all Pods: which one is asked, the address tells.
async fn serve(doors: Arc<Doors>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8081))
        .await
        .unwrap();
    let app = Router::new()
        .route("/activity", get(activity))
        .with_state(doors);
    let app = app.into_make_service_with_connect_info::<Local>();
    tokio::spawn(async move { axum::serve(listener, app).await });
}

/// The address that somebody connected to.
#[derive(Clone)]
struct Local(IpAddr);

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, TcpListener>>
    for Local
{
    fn connect_info(stream: axum::serve::IncomingStream<'_, TcpListener>) -> Self {
        Self(stream.io().local_addr().unwrap().ip())
    }
}

async fn activity(
    axum::extract::ConnectInfo(Local(address)): axum::extract::ConnectInfo<Local>,
    State(doors): State<Arc<Doors>>,
) -> axum::response::Response {
    let sweep = doors.sweeps();
    let mut fates = doors.fates.lock().unwrap();
    let said = fates.get_mut(&address).and_then(|(fate, asked)| {
        let once_more = asked.replace(sweep) == Some(sweep);
        fate.activity(once_more)
    });
    match said {
        Some(activity) => Json(activity).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[tokio::test]
async fn of_many_sessions_the_right_ones_go_with_all_that_they_own() {
    let _alone = lock_machine().await;
    let _kwok = Kwok::start().await;
    let mut env = TestEnv::without_bot_on(
        Kwok::NODE,
        &[
            ("DUCKBOT_REAPER__EVERY", "1h"),
            ("DUCKBOT_REAPER__ORPHANS", "1s"),
            ("DUCKBOT_REAPER__LARGEST_SHARE", "100"),
            ("DUCKBOT_SESSIONS__START_TIMEOUT", "1h"),
            ("DUCKBOT_LOG__FILTER", "info,duckbot::reaper=debug"),
        ],
    )
    .await;
    for_all(async |number| {
        let created = Utc::now().to_rfc3339();
        env.create_record(&id(number), owner(number), 0, &created)
            .await;
    })
    .await;
    env.start_bot().await;
    wait_for("all run", async || {
        let documents = env.cluster.documents().await;
        documents
            .iter()
            .filter(|it| it["stage"] == "running")
            .count()
            == SESSIONS
    })
    .await;
    env.kill_bot().await;

    // Time passes, and things happen.
    for_all(async |number| {
        let name = record_name(number);
        match Fate::of(number) {
            Fate::Orphan => {
                let orphan = DeleteParams {
                    propagation_policy: Some(PropagationPolicy::Orphan),
                    ..DeleteParams::default()
                };
                env.cluster.records().delete(&name, &orphan).await.unwrap();
            }
            fate => env.cluster.edit_record(&name, |it| fate.mark(it)).await,
        }
    })
    .await;
    let pods = env
        .cluster
        .pods()
        .list(&ListParams::default())
        .await
        .unwrap();
    let by_name: BTreeMap<_, _> = (0..SESSIONS)
        .map(|number| (format!("duckui-{}", id(number)), Fate::of(number)))
        .collect();
    let address = |pod: &k8s_openapi::api::core::v1::Pod| {
        let address = pod.status.as_ref()?.pod_ip.as_ref()?;
        Some((address.parse().ok()?, (by_name[&pod.name_any()], None)))
    };
    let fates: HashMap<_, _> = pods.iter().filter_map(address).collect();
    assert_eq!(fates.len(), SESSIONS, "each has an address of its own");
    let doors = Arc::new(Doors {
        fates: Mutex::new(fates),
        ..Doors::default()
    });
    serve(doors.clone()).await;

    for (name, value) in [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        // So much time has whoever was warned when the bot was away.
        ("DUCKBOT_REAPER__WARN_BEFORE", "2s"),
    ] {
        env.variables.insert(name.into(), value.into());
    }
    env.start_bot().await;
    doors.log.get_or_init(|| env.bot().subscribe_log());
    let before = env.api.calls().len();
    let mut expected: Vec<_> = (0..SESSIONS)
        .filter(|number| Fate::of(*number).survives())
        .flat_map(|number| {
            let name = format!("duckui-{}", id(number));
            [
                format!("configmaps/{}", record_name(number)),
                format!("ingressroutes/{name}"),
                format!("pods/{name}"),
                format!("services/{name}"),
            ]
        })
        .collect();
    expected.sort();
    let gone = async || env.cluster.objects().await.len() <= expected.len();
    wait_for("those that must go are gone", gone).await;
    let swept = env.bot().log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 2).await;
    assert_eq!(env.cluster.objects().await, expected);

    assert!(
        env.log().contains("is spared: that changed just now"),
        "a query that begins right before a stop keeps its session"
    );

    // When the bot is up, its watches have listed everything.
    let calls = env.api.calls().split_off(before);
    let lists = calls
        .iter()
        .filter(|call| call.method == "GET" && !call.route.contains('/'));
    let listed: Vec<_> = lists.map(|call| call.route.as_str()).collect();
    assert_eq!(listed, [""; 0]);
    env.mark_all_read().await;
}
