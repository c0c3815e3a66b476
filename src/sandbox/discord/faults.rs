//! Knobs that make the loopback misbehave as the real thing does: faults, and a gate before and
//! after each call. Plain state and a trait, no I/O.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::api_error::ApiError;
use super::chat::FaultButton;
use super::snowflake::Snowflake;

/// A future behind a pointer, the same type as that of the `futures` crate.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One REST call that the bot made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestCall {
    /// Such as `POST`.
    pub method: String,
    /// The template, such as `/channels/{channel}/messages`; the path itself if there is none.
    pub route: String,
    /// The path without `/api/v10`.
    pub path: String,
}

/// What an [`Interceptor`] decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interception {
    /// Carry on.
    Continue,
    /// Close the connection without an answer.
    Drop,
    /// Answer with this status and body instead; JSON or not.
    Respond(u16, String),
}

/// Is asked before a call takes effect and again before it is answered.
///
/// A test can end the bot right here, between the two.
pub trait Interceptor: Send + Sync {
    /// The call has arrived and did nothing yet. Whoever ends the bot here returns
    /// [`Interception::Drop`], or the call still takes effect.
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception>;
    /// The call took effect; the bot does not know so far.
    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception>;
}

/// Something that goes wrong with the next matching calls.
#[derive(Debug, Clone, PartialEq)]
pub struct RestFault {
    method: String,
    route: String,
    times: usize,
    effect: FaultEffect,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FaultEffect {
    Respond(ApiError),
    CutBefore,
    CutAfter,
    Delay(Duration),
}

impl RestFault {
    /// Refuses the call, which then has no effect.
    #[must_use]
    pub fn respond(method: &str, route: &str, status: u16, code: u32, message: &str) -> Self {
        let body = json!({ "message": message, "code": code });
        Self::new(
            method,
            route,
            FaultEffect::Respond(ApiError { status, body }),
        )
    }

    /// Refuses the call with 429.
    #[must_use]
    pub fn rate_limited(method: &str, route: &str, retry_after: Duration) -> Self {
        let body = json!({
            "message": "You are being rate limited.",
            "code": 0,
            "retry_after": retry_after.as_secs_f64(),
            "global": false,
        });
        Self::new(
            method,
            route,
            FaultEffect::Respond(ApiError { status: 429, body }),
        )
    }

    /// Closes the connection before the call takes effect.
    #[must_use]
    pub fn cut_before(method: &str, route: &str) -> Self {
        Self::new(method, route, FaultEffect::CutBefore)
    }

    /// Lets the call take effect, then closes the connection instead of answering.
    #[must_use]
    pub fn cut_after(method: &str, route: &str) -> Self {
        Self::new(method, route, FaultEffect::CutAfter)
    }

    /// Lets the call wait before it takes effect.
    #[must_use]
    pub fn delay(method: &str, route: &str, by: Duration) -> Self {
        Self::new(method, route, FaultEffect::Delay(by))
    }

    /// How many calls it hits; one unless told.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// `*` matches every method, or every route.
    fn new(method: &str, route: &str, effect: FaultEffect) -> Self {
        Self {
            method: method.to_owned(),
            route: route.to_owned(),
            times: 1,
            effect,
        }
    }

    /// Whether it does the same to the same calls, however often.
    fn is_same_as(&self, other: &Self) -> bool {
        (&self.method, &self.route, &self.effect) == (&other.method, &other.route, &other.effect)
    }

    fn matches(&self, call: &RestCall) -> bool {
        let fits = |wanted: &str, actual: &str| wanted == "*" || wanted == actual;
        fits(&self.method, &call.method) && fits(&self.route, &call.route)
    }
}

/// All knobs of one loopback.
#[derive(Default)]
pub struct Controls {
    faults: VecDeque<RestFault>,
    /// The next RESUME gets INVALID_SESSION.
    pub refuse_resume: bool,
    /// How many of the next interactions are delivered twice.
    pub deliver_twice: usize,
    /// The guild that interactions are said to come from, if it is another one.
    pub other_guild: Option<Snowflake>,
    /// How often a gateway connection must be heard from, if not as on Discord.
    pub heartbeat_interval: Option<Duration>,
    /// How many heartbeats were answered.
    pub heartbeats_answered: usize,
    /// Nothing answers any more, neither REST nor the gateway.
    pub offline: bool,
    /// New gateway connections are closed at once.
    pub gateway_closed: bool,
    pub interceptor: Option<Arc<dyn Interceptor>>,
    /// More trouble that the page can make.
    pub fault_buttons: Vec<FaultButton>,
}

impl Controls {
    pub fn add_fault(&mut self, fault: RestFault) {
        self.faults.push_back(fault);
    }

    pub fn remove_fault(&mut self, fault: &RestFault) {
        self.faults.retain(|it| !it.is_same_as(fault));
    }

    pub fn has_fault(&self, fault: &RestFault) -> bool {
        self.faults.iter().any(|it| it.is_same_as(fault))
    }

    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The effect of the oldest fault that matches, which is used up once by this.
    pub(super) fn take_effect(&mut self, call: &RestCall) -> Option<FaultEffect> {
        let at = self.faults.iter().position(|fault| fault.matches(call))?;
        let fault = &mut self.faults[at];
        let effect = fault.effect.clone();
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.faults.remove(at);
        }
        Some(effect)
    }
}

impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controls")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_often_as_told_and_only_what_matches() {
        let call = |method: &str| RestCall {
            method: method.to_owned(),
            route: "/gateway".to_owned(),
            path: "/gateway".to_owned(),
        };
        let mut controls = Controls::default();
        controls.add_fault(RestFault::cut_before("GET", "*").times(2));
        assert_eq!(controls.take_effect(&call("POST")), None);
        assert_eq!(
            controls.take_effect(&call("GET")),
            Some(FaultEffect::CutBefore)
        );
        assert_eq!(
            controls.take_effect(&call("GET")),
            Some(FaultEffect::CutBefore)
        );
        assert_eq!(controls.take_effect(&call("GET")), None);
    }
}
