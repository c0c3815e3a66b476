//! Faults that can happen to one call, and the interceptor that injects them.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use discord_loopback::{BoxFuture, Interception, Interceptor, RestCall};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PostParams};
use serde_json::json;
use tokio::sync::Notify;

use super::scenarios::Scenario;

/// Delay that is longer than any client's time limit.
const NO_ANSWER_DELAY: Duration = Duration::from_secs(120);

/// Call of a scenario: the n-th with this method and route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSite {
    pub method: String,
    pub route: String,
    pub nth: usize,
}

impl CallSite {
    /// Returns true for a call to Discord, and false for a call to Kubernetes.
    fn is_discord(&self) -> bool {
        self.route.starts_with('/')
    }
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} #{}", self.method, self.route, self.nth)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// Injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bot is killed right before the call arrives, or right after the server acted.
    Killed(Moment),
    /// The server refuses the call with this status.
    Status(u16),
    /// No response arrives, and the server does not act.
    NoAnswer,
    /// The connection ends before or after the server acted.
    Disconnect(Moment),
    /// The server acted, but the response is not JSON.
    InvalidJson,
}

impl Fault {
    pub const ALL: [Self; 11] = [
        Self::Killed(Moment::Before),
        Self::Killed(Moment::After),
        Self::Status(403),
        Self::Status(409),
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        Self::NoAnswer,
        Self::Disconnect(Moment::Before),
        Self::Disconnect(Moment::After),
        Self::InvalidJson,
    ];

    pub fn is_kill(self) -> bool {
        matches!(self, Self::Killed(_))
    }

    fn moment(self) -> Moment {
        match self {
            Self::Killed(moment) | Self::Disconnect(moment) => moment,
            Self::Status(_) | Self::NoAnswer => Moment::Before,
            Self::InvalidJson => Moment::After,
        }
    }
}

/// Fault at a call site.
#[derive(Debug, Clone)]
pub struct Case {
    pub site: CallSite,
    pub fault: Fault,
}

impl Case {
    /// Returns true if the server permanently refuses calls with this method and route.
    pub fn is_rejected(&self, method: &str, route: &str) -> bool {
        self.is_final() && self.site.method == method && self.site.route == route
    }

    /// Returns true if the cluster permanently refuses an object of a session.
    pub fn rejects_object(&self) -> bool {
        let CallSite { method, route, .. } = &self.site;
        let parts = ["pods", "services", "ingressroutes"];
        self.fault == Fault::Status(403) && method == "POST" && parts.contains(&&**route)
    }

    fn is_final(&self) -> bool {
        if self.site.is_discord() {
            matches!(self.fault, Fault::Status(403 | 409))
        } else {
            self.fault == Fault::Status(403)
        }
    }
}

/// Records the calls of a scenario in the order in which they arrive.
pub struct Recorder {
    scenario: Scenario,
    sites: Mutex<Vec<CallSite>>,
}

impl Recorder {
    pub fn of(scenario: Scenario) -> Self {
        Self {
            scenario,
            sites: Mutex::default(),
        }
    }

    pub fn sites(&self) -> Vec<CallSite> {
        self.sites.lock().unwrap().clone()
    }
}

impl Interceptor for Recorder {
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        if self.scenario.includes(call) {
            let mut sites = self.sites.lock().unwrap();
            let same = |it: &&CallSite| it.method == call.method && it.route == call.route;
            let nth = sites.iter().filter(same).count() + 1;
            sites.push(CallSite {
                method: call.method.clone(),
                route: call.route.clone(),
                nth,
            });
        }
        Box::pin(async { Interception::Continue })
    }

    fn after<'a>(&'a self, _: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async { Interception::Continue })
    }
}

/// Injects the fault once, at its call site. A call at which the bot is killed is held until the
/// bot is dead.
pub struct Injector {
    scenario: Scenario,
    case: Case,
    count: AtomicUsize,
    pub triggered: Notify,
    pub dead: Notify,
}

impl Injector {
    pub fn new(scenario: Scenario, case: Case) -> Arc<Self> {
        Arc::new(Self {
            scenario,
            case,
            count: AtomicUsize::new(0),
            triggered: Notify::new(),
            dead: Notify::new(),
        })
    }

    /// Returns true if the scenario reached the call site.
    pub fn was_reached(&self) -> bool {
        self.count.load(Ordering::SeqCst) >= self.case.site.nth
    }

    async fn trigger(&self, call: &RestCall) -> Interception {
        match self.case.fault {
            Fault::Killed(_) => {
                self.triggered.notify_one();
                self.dead.notified().await;
                Interception::Drop
            }
            Fault::Status(status) => Interception::Respond(status, refusal(status, call)),
            Fault::NoAnswer => {
                tokio::time::sleep(NO_ANSWER_DELAY).await;
                Interception::Drop
            }
            Fault::Disconnect(_) => Interception::Drop,
            Fault::InvalidJson => Interception::Respond(200, "<html>Bad Gateway</html>".into()),
        }
    }

    fn matches(&self, call: &RestCall) -> bool {
        let CallSite { method, route, .. } = &self.case.site;
        self.scenario.includes(call) && call.method == *method && call.route == *route
    }

    /// Decides about the n-th call with this method and route, before or after it.
    async fn verdict(&self, call: &RestCall, nth: usize, moment: Moment) -> Interception {
        let Case { site, fault } = &self.case;
        if self.matches(call) && nth == site.nth && moment == fault.moment() {
            self.trigger(call).await
        } else {
            Interception::Continue
        }
    }
}

impl Interceptor for Injector {
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async move {
            let counted = usize::from(self.matches(call));
            let nth = self.count.fetch_add(counted, Ordering::SeqCst) + 1;
            self.verdict(call, nth, Moment::Before).await
        })
    }

    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async move {
            let nth = self.count.load(Ordering::SeqCst);
            self.verdict(call, nth, Moment::After).await
        })
    }
}

/// Creates a record right before the first one of the bot, and passes all calls on.
pub struct WithRival {
    pub inner: Arc<dyn Interceptor>,
    pub records: Api<ConfigMap>,
    pub rival: Mutex<Option<ConfigMap>>,
}

impl Interceptor for WithRival {
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async move {
            if (&*call.method, &*call.route) == ("POST", "configmaps") {
                let rival = self.rival.lock().unwrap().take();
                if let Some(rival) = rival {
                    let params = PostParams::default();
                    self.records.create(&params, &rival).await.unwrap();
                }
            }
            self.inner.before(call).await
        })
    }

    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        self.inner.after(call)
    }
}

/// Error body in the format of Discord or Kubernetes.
fn refusal(status: u16, call: &RestCall) -> String {
    let message = "the test says no";
    let body = match (call.route.starts_with('/'), status) {
        (true, 429) => {
            json!({ "message": message, "code": 0, "retry_after": 0.5, "global": false })
        }
        (true, _) => json!({ "message": message, "code": 1 }),
        (false, _) => {
            let reason = match (status, &*call.method) {
                (409, "POST") => "AlreadyExists",
                (409, _) => "Conflict",
                (403, _) => "Forbidden",
                (429, _) => "TooManyRequests",
                (503, _) => "ServiceUnavailable",
                _ => "InternalError",
            };
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": reason, "code": status,
            })
        }
    };
    body.to_string()
}
