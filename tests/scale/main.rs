//! Tests that need the whole machine or break the cluster: many sessions at once, many in sequence,
//! and outages. They are a separate program, and run one at a time.
#![allow(clippy::unwrap_used)]

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
use serde_json::{Value, json};
use test_support::{Kwok, TestEnv, listen_as_door};
use tokio::{
    net::TcpListener,
    sync::{MutexGuard, watch},
};

/// Locks the machine, so that one test runs at a time.
async fn lock_machine() -> MutexGuard<'static, ()> {
    static MACHINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    MACHINE.lock().await
}

const SESSIONS: usize = 500;
/// Maximum time to wait for anything. Generous.
const WAIT_TIMEOUT: Duration = Duration::from_secs(300);

/// Expected fate of a session. Sessions take them in turn, so each has the same share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Over the maximum age, and in use.
    TooOld,
    /// Over the maximum age, and its door does not answer.
    TooOldAndSilent,
    /// Past its lifetime, and its owner was warned in time.
    LifetimeOver,
    /// Past its lifetime, but extended.
    Extended,
    /// Idle for long, and its owner was warned in time.
    Idle,
    /// Idle for long, but its owner keeps it.
    IdleAndKept,
    /// Idle for long according to its record, but now a query runs.
    Busy,
    /// Idle for long, but a query runs whenever its door is asked again in the same sweep.
    InUseJustThen,
    /// The door does not answer.
    Silent,
    /// Started a short time ago, and in use.
    Fresh,
    /// The record is gone, but the other objects are not.
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

    /// Changes the record of a session that was just started to match the fate.
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

    /// Activity that the session's door reports, or `None` if it does not answer. `once_more` is
    /// true if the door is asked again in the same sweep.
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

/// Owner of a session; each session has a different one.
fn owner(number: usize) -> u64 {
    1_000_000 + number as u64
}

fn record_name(number: usize) -> String {
    format!("duckui-{}-main", owner(number))
}

/// Calls `each` for all sessions, up to 16 at a time.
async fn for_all<F: Future<Output = ()>>(each: impl Fn(usize) -> F) {
    stream::iter(0..SESSIONS)
        .for_each_concurrent(16, each)
        .await;
}

/// Waits until the condition `what` is met.
async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        // Each look lists all objects.
        let mut looks = tokio::time::interval(Duration::from_secs(1));
        while !is_so().await {
            looks.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(WAIT_TIMEOUT, so).await.is_ok(),
        "timed out waiting until {what}"
    );
}

/// Doors of all sessions.
#[derive(Default)]
struct Doors {
    /// Fate by address, and the sweep in which the door was last asked.
    fates: Mutex<HashMap<IpAddr, (Fate, Option<usize>)>>,
    /// Log of the bot, once it is started.
    log: OnceLock<watch::Receiver<String>>,
}

impl Doors {
    /// Number of completed sweeps.
    fn sweeps(&self) -> usize {
        let log = self.log.get();
        log.map_or(0, |log| log.borrow().matches(" swept").count())
    }
}

/// Serves the doors of all Pods. The address selects the door.
async fn serve(doors: Arc<Doors>) {
    let listener = listen_as_door(Ipv4Addr::UNSPECIFIED).unwrap();
    let app = Router::new()
        .route("/activity", get(activity))
        .with_state(doors);
    let app = app.into_make_service_with_connect_info::<Local>();
    tokio::spawn(async move { axum::serve(listener, app).await });
}

/// Local address of a connection.
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
    wait_for("all sessions are running", async || {
        let documents = env.cluster.documents().await;
        documents
            .iter()
            .filter(|it| it["stage"] == "running")
            .count()
            == SESSIONS
    })
    .await;
    env.kill_bot().await;

    // Change the records as if time had passed.
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
    assert_eq!(fates.len(), SESSIONS, "each Pod must have its own address");
    let doors = Arc::new(Doors {
        fates: Mutex::new(fates),
        ..Doors::default()
    });
    serve(doors.clone()).await;

    for (name, value) in [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        // Time that owners get who were warned while the bot was down.
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
    wait_for("all due sessions are gone", gone).await;
    let swept = env.bot().log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 2).await;
    assert_eq!(env.cluster.objects().await, expected);

    assert!(
        env.log().contains("is not stopped: it is no longer due"),
        "a query that starts right before a stop must keep its session"
    );

    // The watches have listed everything before the bot is up, so it makes no more lists.
    let calls = env.api.calls().split_off(before);
    let lists = calls
        .iter()
        .filter(|call| ["GET", "LIST"].contains(&&*call.method) && !call.route.contains('/'));
    let listed: Vec<_> = lists.map(|call| call.route.as_str()).collect();
    assert_eq!(listed, [""; 0]);
    env.mark_all_read().await;
    env.assert_clean().await;
}
