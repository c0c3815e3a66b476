//! Controls that make the loopback fail as Discord may: injected faults, and an interceptor before
//! and after each call. No I/O.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::api_error::ApiError;
use crate::snowflake::Snowflake;

/// Boxed future, the same type as in the `futures` crate.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A REST call of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestCall {
    /// HTTP method, such as `POST`.
    pub method: String,
    /// Template such as `/channels/{channel}/messages`; the path itself if the route is unknown.
    pub route: String,
    /// Path without `/api/v10`.
    pub path: String,
}

/// Decision of an [`Interceptor`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interception {
    /// Continue with the call.
    Continue,
    /// Close the connection without a response.
    Drop,
    /// Respond with this status and body, which need not be JSON.
    Respond(u16, String),
}

/// Hook that runs before a call takes effect, and again before its response is sent.
///
/// A test can stop the bot between the two.
pub trait Interceptor: Send + Sync {
    /// Runs after the call arrived and before it takes effect. A test that stops the bot here must
    /// return [`Interception::Drop`], otherwise the call still takes effect.
    fn before<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception>;
    /// Runs after the call took effect and before the bot gets the response.
    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception>;
}

/// Fault that is injected into the next matching calls.
///
/// `method` is an HTTP method, such as `POST`. `route` is a template, such as
/// `/channels/{channel}/messages`, or the path of an unknown route ([`RestCall::route`]). `*`
/// matches every method or route.
#[derive(Debug, Clone, PartialEq)]
pub struct RestFault {
    method: String,
    route: String,
    times: usize,
    effect: FaultEffect,
}

/// Effect of a fault on a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FaultEffect {
    Respond(ApiError),
    CutBefore,
    CutAfter,
    Delay(Duration),
}

impl RestFault {
    /// Responds with an error; the call has no effect.
    #[must_use]
    pub fn respond(method: &str, route: &str, status: u16, code: u32, message: &str) -> Self {
        let body = json!({ "message": message, "code": code });
        Self::new(
            method,
            route,
            FaultEffect::Respond(ApiError { status, body }),
        )
    }

    /// Responds with 429; the call has no effect.
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

    /// Lets the call take effect, then closes the connection without a response.
    #[must_use]
    pub fn cut_after(method: &str, route: &str) -> Self {
        Self::new(method, route, FaultEffect::CutAfter)
    }

    /// Delays the call before it takes effect.
    #[must_use]
    pub fn delay(method: &str, route: &str, by: Duration) -> Self {
        Self::new(method, route, FaultEffect::Delay(by))
    }

    /// Sets the number of calls that the fault applies to. The default is 1.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn new(method: &str, route: &str, effect: FaultEffect) -> Self {
        Self {
            method: method.to_owned(),
            route: route.to_owned(),
            times: 1,
            effect,
        }
    }

    /// Returns true if both faults have the same effect on the same calls; `times` may differ.
    fn is_same_as(&self, other: &Self) -> bool {
        (&self.method, &self.route, &self.effect) == (&other.method, &other.route, &other.effect)
    }

    fn matches(&self, call: &RestCall) -> bool {
        let fits = |wanted: &str, actual: &str| wanted == "*" || wanted == actual;
        fits(&self.method, &call.method) && fits(&self.route, &call.route)
    }
}

/// Button on the page that injects a fault outside of Discord.
#[derive(Clone)]
pub struct FaultButton {
    /// ID in requests.
    pub id: &'static str,
    /// Name of the fault on the page.
    pub label: &'static str,
    /// Description of the fault, in one sentence.
    pub help: &'static str,
    /// Injects the fault for the person with this ID.
    pub on_press: Arc<dyn Fn(u64) + Send + Sync>,
}

/// Controls of one loopback.
#[derive(Default)]
pub(crate) struct Controls {
    faults: VecDeque<RestFault>,
    /// True if the next RESUME gets INVALID_SESSION.
    pub refuse_resume: bool,
    /// Number of next interactions that are delivered twice.
    pub deliver_twice: usize,
    /// Guild that interactions claim to come from, if not the configured one.
    pub other_guild: Option<Snowflake>,
    /// Heartbeat interval of new gateway connections, if not Discord's.
    pub heartbeat_interval: Option<Duration>,
    /// Number of heartbeats answered since the start.
    pub heartbeats_answered: usize,
    /// True while neither REST nor the gateway answers.
    pub offline: bool,
    /// True while new gateway connections are closed immediately.
    pub gateway_closed: bool,
    pub interceptor: Option<Arc<dyn Interceptor>>,
    /// Additional buttons in the page's panel of faults.
    pub fault_buttons: Vec<FaultButton>,
}

impl Controls {
    pub(crate) fn add_fault(&mut self, fault: RestFault) {
        self.faults.push_back(fault);
    }

    pub(crate) fn remove_fault(&mut self, fault: &RestFault) {
        self.faults.retain(|it| !it.is_same_as(fault));
    }

    pub(crate) fn has_fault(&self, fault: &RestFault) -> bool {
        self.faults.iter().any(|it| it.is_same_as(fault))
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Returns the effect of the oldest matching fault, and counts this use of the fault.
    pub(crate) fn take_effect(&mut self, call: &RestCall) -> Option<FaultEffect> {
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
    fn a_fault_applies_to_matching_calls_and_only_so_many_times() {
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
