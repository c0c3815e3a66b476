//! What can go wrong with one call, and the trap that lets it go wrong.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use duckbot::sandbox::discord::{BoxFuture, Call, Gate, Verdict};
use serde_json::json;
use tokio::sync::Notify;

use super::stories::Story;

/// Longer than anybody waits for an answer.
const FOR_EVER: Duration = Duration::from_secs(120);

/// One call of a story: the n-th with this method and route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub method: String,
    pub route: String,
    pub nth: usize,
}

impl Place {
    /// Whether it is to Discord; else it is to Kubernetes.
    fn is_discords(&self) -> bool {
        self.route.starts_with('/')
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} #{}", self.method, self.route, self.nth)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// The bot is killed right before the call arrives, or right after the server acted.
    Killed(Moment),
    /// The server turns it down with this status.
    Answers(u16),
    /// Nothing comes back, and nothing was done.
    Silence,
    /// The connection ends before the server acted, or after.
    Reset(Moment),
    /// The server acted, and what comes back is no JSON.
    Nonsense,
}

impl Harm {
    pub const ALL: [Self; 11] = [
        Self::Killed(Moment::Before),
        Self::Killed(Moment::After),
        Self::Answers(403),
        Self::Answers(409),
        Self::Answers(429),
        Self::Answers(500),
        Self::Answers(503),
        Self::Silence,
        Self::Reset(Moment::Before),
        Self::Reset(Moment::After),
        Self::Nonsense,
    ];

    pub fn is_a_kill(self) -> bool {
        matches!(self, Self::Killed(_))
    }

    fn moment(self) -> Moment {
        match self {
            Self::Killed(moment) | Self::Reset(moment) => moment,
            Self::Answers(_) | Self::Silence => Moment::Before,
            Self::Nonsense => Moment::After,
        }
    }
}

/// One harm at one place.
#[derive(Debug, Clone)]
pub struct Case {
    pub place: Place,
    pub harm: Harm,
}

impl Case {
    /// Whether the server turns such a call down for good.
    pub fn refuses(&self, method: &str, route: &str) -> bool {
        self.is_final() && self.place.method == method && self.place.route == route
    }

    /// Whether the cluster turns down an object of a session for good.
    pub fn refuses_a_part(&self) -> bool {
        let Place { method, route, .. } = &self.place;
        let parts = ["pods", "services", "ingressroutes"];
        self.harm == Harm::Answers(403) && method == "POST" && parts.contains(&&**route)
    }

    fn is_final(&self) -> bool {
        match self.place.is_discords() {
            true => matches!(self.harm, Harm::Answers(403 | 409)),
            false => self.harm == Harm::Answers(403),
        }
    }
}

/// Records the calls of a story, in the order in which they arrive.
pub struct Recorder {
    story: Story,
    places: Mutex<Vec<Place>>,
}

impl Recorder {
    pub fn of(story: Story) -> Self {
        Self {
            story,
            places: Mutex::default(),
        }
    }

    pub fn places(&self) -> Vec<Place> {
        self.places.lock().unwrap().clone()
    }
}

impl Gate for Recorder {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        if self.story.counts(call) {
            let mut places = self.places.lock().unwrap();
            let same = |it: &&Place| it.method == call.method && it.route == call.route;
            let nth = places.iter().filter(same).count() + 1;
            places.push(Place {
                method: call.method.clone(),
                route: call.route.clone(),
                nth,
            });
        }
        Box::pin(async { Verdict::Go })
    }

    fn after<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Go })
    }
}

/// Does harm at its place, once. A call at which the bot is killed is held until it is dead.
pub struct Trap {
    story: Story,
    case: Case,
    seen: AtomicUsize,
    pub sprung: Notify,
    pub dead: Notify,
}

impl Trap {
    pub fn new(story: Story, case: Case) -> Arc<Self> {
        Arc::new(Self {
            story,
            case,
            seen: AtomicUsize::new(0),
            sprung: Notify::new(),
            dead: Notify::new(),
        })
    }

    /// Whether the story came to the place.
    pub fn was_sprung(&self) -> bool {
        self.seen.load(Ordering::SeqCst) >= self.case.place.nth
    }

    async fn spring(&self, call: &Call) -> Verdict {
        match self.case.harm {
            Harm::Killed(_) => {
                self.sprung.notify_one();
                self.dead.notified().await;
                Verdict::Drop
            }
            Harm::Answers(status) => Verdict::Answer(status, refusal(status, call)),
            Harm::Silence => {
                tokio::time::sleep(FOR_EVER).await;
                Verdict::Drop
            }
            Harm::Reset(_) => Verdict::Drop,
            Harm::Nonsense => Verdict::Answer(200, "<html>Bad Gateway</html>".into()),
        }
    }

    fn is_here(&self, call: &Call) -> bool {
        let Place { method, route, .. } = &self.case.place;
        self.story.counts(call) && call.method == *method && call.route == *route
    }

    /// The verdict at a moment of the call that is the n-th of its kind.
    async fn judge(&self, call: &Call, nth: usize, moment: Moment) -> Verdict {
        let Case { place, harm } = &self.case;
        match self.is_here(call) && nth == place.nth && moment == harm.moment() {
            true => self.spring(call).await,
            false => Verdict::Go,
        }
    }
}

impl Gate for Trap {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let counted = usize::from(self.is_here(call));
            let nth = self.seen.fetch_add(counted, Ordering::SeqCst) + 1;
            self.judge(call, nth, Moment::Before).await
        })
    }

    fn after<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let nth = self.seen.load(Ordering::SeqCst);
            self.judge(call, nth, Moment::After).await
        })
    }
}

/// As Discord words it, or Kubernetes.
fn refusal(status: u16, call: &Call) -> String {
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
