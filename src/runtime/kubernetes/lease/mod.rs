//! Leadership by a Lease in the bot's own namespace. It is created with the bot's other objects, so the bot
//! needs no permission to create one.

mod candidate;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use k8s_openapi::{
    api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use kube::{Api, api::PostParams};
use tokio::{
    sync::Mutex,
    time::{sleep, sleep_until, timeout},
};
use tracing::{info, warn};
use uuid::Uuid;

use super::request::{ApiAction, ApiServer};
use crate::{
    diagnostics::Diagnostic,
    error::Error,
    leadership::{Alone, Leadership, Term},
    settings::Settings,
};
use candidate::{Answer, Call, Candidate, Holder, TERM_DURATION, holder, released};

/// Resource of a Lease.
pub(super) const LEASES: &str = "leases";

/// Time limit of one call for the Lease. Shorter than the interval between renewals.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_millis(1500);

/// Time without traffic after which a connection is replaced. Longer than the interval between renewals, so
/// that a working connection stays. A lost one is replaced early enough for another renewal.
pub(super) const SILENCE: Duration = Duration::from_millis(2500);

/// Maximum time of [`Leadership::release`].
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the leadership that the settings name: by the Lease `kubernetes.lease`, or of a bot that is alone.
pub fn leadership(leases: &ApiServer, settings: &Settings) -> Arc<dyn Leadership> {
    match &settings.kubernetes.lease {
        Some(name) => Arc::new(LeaseLeadership::new(leases.clone(), name)),
        None => Arc::new(Alone),
    }
}

/// Leadership of the bot that holds the Lease.
struct LeaseLeadership(Arc<Election>);

struct Election {
    /// Has a client of its own, so that no other call of the bot delays a renewal.
    server: ApiServer,
    leases: Api<Lease>,
    name: String,
    state: Mutex<State>,
}

struct State {
    candidate: Candidate,
    /// Sentence that was logged last, so that a state is logged once.
    logged: String,
}

impl LeaseLeadership {
    /// `server` must have [`CALL_TIMEOUT`] as its time limit.
    fn new(server: ApiServer, name: &str) -> Self {
        let leases = Api::default_namespaced(server.client());
        Self(Arc::new(Election {
            server,
            leases,
            name: name.to_owned(),
            state: Mutex::new(State {
                candidate: Candidate::new(new_identity()),
                logged: String::new(),
            }),
        }))
    }
}

/// Creates the identity of this process: the Pod's name and a random part.
fn new_identity() -> String {
    let pod = std::env::var("HOSTNAME").ok().filter(|it| !it.is_empty());
    let random = &Uuid::new_v4().simple().to_string()[..8];
    format!("{}_{random}", pod.as_deref().unwrap_or("duckbot"))
}

#[async_trait]
impl Leadership for LeaseLeadership {
    async fn acquire(&self) -> Term {
        loop {
            let (wait, until) = self.0.make_call().await;
            if let Some(until) = until {
                let term = Term::new(Some(until));
                tokio::spawn(hold(self.0.clone(), term.clone(), until, wait));
                return term;
            }
            sleep(wait).await;
        }
    }

    async fn release(&self, term: Term) {
        term.end();
        let outcome = match timeout(RELEASE_TIMEOUT, self.0.release()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::TimedOut {
                action: self.0.action("update").to_string(),
                after: RELEASE_TIMEOUT,
            }),
        };
        if let Err(error) = outcome {
            warn!("the Lease was not released, so no bot leads until it lapses: {error}");
        }
    }
}

/// Renews the Lease until the term ends. Ends the term if the Lease was not renewed in time, or has another
/// holder.
async fn hold(election: Arc<Election>, term: Term, mut until: Instant, mut wait: Duration) {
    loop {
        let renewed = async {
            sleep(wait).await;
            election.make_call().await
        };
        tokio::select! {
            biased;
            () = term.ended() => return,
            () = sleep_until(until.into()) => {
                warn!("the Lease was not renewed for {TERM_DURATION:?}; this bot stops acting");
                break;
            }
            (next, extended) = renewed => {
                let Some(extended) = extended else {
                    warn!("the Lease has another holder; this bot stops acting");
                    break;
                };
                term.extend(extended);
                (wait, until) = (next, extended);
            }
        }
    }
    term.end();
}

impl Election {
    /// Makes the candidate's next call. Returns the time to wait before the one after it, and the end of this
    /// bot's term, if it leads.
    async fn make_call(&self) -> (Duration, Option<Instant>) {
        let mut state = self.state.lock().await;
        let begun = Instant::now();
        state.candidate.end_if_lapsed(begun);
        let had_led = state.candidate.until().is_some();
        let outcome = match state.candidate.next_call(&MicroTime(Timestamp::now())) {
            Call::Read => self.read().await.map(Answer::Found),
            Call::Write(lease) => self.write(&lease).await,
        };
        let answer = outcome.unwrap_or_else(|error| {
            state.log_trouble(format!("the Lease {} can't be used: {error}", self.name));
            Answer::Failed
        });
        match &answer {
            Answer::Found(None) => state.log_trouble(self.missing()),
            Answer::Found(Some(lease)) => state.log_holder(lease),
            _ => {}
        }
        let wait = state.candidate.handle(answer, begun, Instant::now());
        let until = state.candidate.until();
        if until.is_some() && !had_led {
            let identity = state.candidate.identity();
            let sentence = format!("this bot holds the Lease {}, as {identity}", self.name);
            state.log(sentence);
        }
        (wait, until)
    }

    /// Gives the Lease back if this bot holds it.
    async fn release(&self) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        let Some(mut lease) = state.candidate.release(Instant::now()) else {
            return Ok(());
        };
        loop {
            if self.write(&lease).await? != Answer::Conflict {
                info!("this bot has released its Lease");
                return Ok(());
            }
            // The last renewal may have been carried out although nobody waited for its answer.
            lease = match self.read().await? {
                Some(found) if holder(&found) == Holder::Bot(state.candidate.identity()) => {
                    released(found)
                }
                _ => return Ok(()),
            };
        }
    }

    async fn read(&self) -> Result<Option<Lease>, Error> {
        let found = self.leases.get_opt(&self.name);
        self.server.call(self.action("get"), found).await
    }

    async fn write(&self, lease: &Lease) -> Result<Answer, Error> {
        let params = PostParams::default();
        let replaced = self.leases.replace(&self.name, &params, lease);
        match self.server.call(self.action("update"), replaced).await {
            Ok(written) => Ok(Answer::Written(written)),
            Err(Error::Conflict { .. } | Error::Unknown { .. }) => Ok(Answer::Conflict),
            Err(error) => Err(error),
        }
    }

    fn action(&self, verb: &'static str) -> ApiAction<'_> {
        ApiAction::new(verb, LEASES, self.server.default_namespace())
    }

    fn missing(&self) -> String {
        missing(&self.name, self.server.default_namespace())
    }
}

impl State {
    fn log_holder(&mut self, lease: &Lease) {
        if let Holder::Bot(holder) = holder(lease)
            && holder != self.candidate.identity()
        {
            self.log(format!("{holder} leads; this bot stands by"));
        }
    }

    fn log(&mut self, sentence: String) {
        if self.logged != sentence {
            info!("{sentence}");
            self.logged = sentence;
        }
    }

    fn log_trouble(&mut self, sentence: String) {
        if self.logged != sentence {
            warn!("{sentence}");
            self.logged = sentence;
        }
    }
}

fn missing(name: &str, namespace: &str) -> String {
    format!(
        "there is no Lease {name} in namespace {namespace}, so no bot leads; apply deploy/, which creates it"
    )
}

/// Checks the Lease, for `duckbot check`.
pub(super) async fn diagnose(server: &ApiServer, name: &str) -> Diagnostic {
    const WHAT: &str = "leader";
    let leases: Api<Lease> = Api::default_namespaced(server.client());
    let namespace = server.default_namespace();
    let action = ApiAction::new("get", LEASES, namespace);
    match server.call(action, leases.get_opt(name)).await {
        Err(error) => Diagnostic::failed(WHAT, error.to_string()),
        Ok(None) => Diagnostic::failed(WHAT, missing(name, namespace)),
        Ok(Some(lease)) => match holder(&lease) {
            Holder::Bot(holder) => Diagnostic::ok(WHAT, holder),
            _ => Diagnostic::warning(
                WHAT,
                format!(
                    "no bot holds the Lease {name}; if this does not change within 10 s, read the bot's log"
                ),
            ),
        },
    }
}
