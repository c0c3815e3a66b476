//! Decides which call a bot makes for its Lease, and since when and until when it leads. Pure.
//!
//! A bot that stands by measures by its own clock how long the Lease has not changed. It ignores the times
//! that are written there, because clocks differ. Each write carries the version that was read, so of two
//! bots that write at once, one gets a conflict.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::ResourceExt;

/// Time after which a Lease that does not change has lapsed.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(8);
/// Time that a bot leads after the start of its last successful renewal. The rest of [`LEASE_DURATION`] is
/// for ending its work and for closing the gateway.
pub(super) const TERM_DURATION: Duration = Duration::from_secs(5);
/// Interval between renewals.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_secs(2);
/// Pause after a renewal that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Interval between two looks at the Lease of another bot.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A call to the API server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Call {
    Read,
    /// Replaces the Lease, if it still has the version in here.
    Write(Box<Lease>),
}

/// Result of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// Lease as read. `None`: it does not exist.
    Found(Option<Lease>),
    /// Lease as written.
    Written(Lease),
    /// The Lease has changed since it was read, or does not exist any more.
    Conflict,
    /// The call failed. It may have been carried out.
    Failed,
}

/// A bot's view of its Lease.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    /// Lease that the next call may replace. `None`: it must be read first.
    writable: Option<Lease>,
    /// End of the term, unless a renewal succeeds before. `None`: this bot does not lead.
    until: Option<Instant>,
    sighting: Option<Sighting>,
}

/// Version of the Lease that was seen last.
#[derive(Debug)]
struct Sighting {
    /// `None`: it does not exist.
    version: Option<String>,
    since: Instant,
    /// True if this process has seen no other version before.
    is_first: bool,
}

/// Holder of a Lease.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// No bot has held this Lease.
    None,
    /// The last holder ended its work and gave the Lease back.
    Released,
    Bot(&'a str),
    /// The holder was removed by somebody else, and may still act.
    Removed,
}

/// Returns the holder of a Lease.
pub(super) fn holder(lease: &Lease) -> Holder<'_> {
    let Some(spec) = &lease.spec else {
        return Holder::None;
    };
    match &spec.holder_identity {
        Some(holder) if !holder.is_empty() => Holder::Bot(holder),
        _ if spec.renew_time.is_some() => Holder::Removed,
        _ if spec.lease_transitions.is_some() => Holder::Released,
        _ => Holder::None,
    }
}

impl Candidate {
    /// `identity` differs for each process: an earlier one of the same Pod is another bot.
    pub(super) fn new(identity: String) -> Self {
        Self {
            identity,
            writable: None,
            until: None,
            sighting: None,
        }
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// End of this bot's term. `None` if it does not lead.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Returns the next call. `at` is written into the Lease, for people.
    pub(super) fn next_call(&self, at: &MicroTime) -> Call {
        match &self.writable {
            None => Call::Read,
            Some(lease) => Call::Write(Box::new(self.claim(lease, at))),
        }
    }

    /// Returns `lease` with this bot as its holder.
    fn claim(&self, lease: &Lease, at: &MicroTime) -> Lease {
        let old = lease.spec.clone().unwrap_or_default();
        let is_renewal = holder(lease) == Holder::Bot(&self.identity);
        let transitions = old.lease_transitions.map(|it| it + i32::from(!is_renewal));
        Lease {
            metadata: lease.metadata.clone(),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
                acquire_time: old
                    .acquire_time
                    .filter(|_| is_renewal)
                    .or_else(|| Some(at.clone())),
                renew_time: Some(at.clone()),
                lease_transitions: Some(transitions.unwrap_or(0)),
                ..old
            }),
        }
    }

    /// Takes the answer to a call that began at `begun` and was answered at `now`. Returns the time to wait
    /// before the next call.
    pub(super) fn handle(&mut self, answer: Answer, begun: Instant, now: Instant) -> Duration {
        let has_lapsed = self.end_if_lapsed(now);
        match answer {
            Answer::Found(found) => self.handle_found(found, now),
            Answer::Written(lease) => {
                self.see(Some(&lease), now);
                let until = begun + TERM_DURATION;
                if now < until && !has_lapsed {
                    self.until = Some(until);
                    self.writable = Some(lease);
                    (begun + RENEW_INTERVAL).saturating_duration_since(now)
                } else {
                    // This process was stopped meanwhile.
                    self.end();
                    Duration::ZERO
                }
            }
            Answer::Conflict => {
                self.writable = None;
                Duration::ZERO
            }
            Answer::Failed if self.until.is_some() => RETRY_INTERVAL,
            Answer::Failed => {
                self.writable = None;
                LOOK_INTERVAL
            }
        }
    }

    fn handle_found(&mut self, found: Option<Lease>, now: Instant) -> Duration {
        self.see(found.as_ref(), now);
        let is_free = found.as_ref().is_some_and(|lease| self.is_free(lease, now));
        if is_free {
            self.writable = found;
            return Duration::ZERO;
        }
        if self.until.is_some() && found.is_none() {
            return RETRY_INTERVAL;
        }
        self.end();
        LOOK_INTERVAL
    }

    /// Returns true if this bot may write itself into a Lease that it has just read.
    fn is_free(&self, lease: &Lease, now: Instant) -> bool {
        let sighting = self.sighting.as_ref();
        let has_lapsed = sighting.is_some_and(|it| now >= it.since + LEASE_DURATION);
        match holder(lease) {
            Holder::Bot(holder) => holder == self.identity || has_lapsed,
            Holder::Released => true,
            // Another one was deleted before, or emptied. Its holder may still act.
            Holder::None => {
                self.until.is_some() || has_lapsed || sighting.is_some_and(|it| it.is_first)
            }
            Holder::Removed => self.until.is_some() || has_lapsed,
        }
    }

    /// Notes the version of the Lease.
    fn see(&mut self, lease: Option<&Lease>, now: Instant) {
        let version = lease.and_then(ResourceExt::resource_version);
        if self
            .sighting
            .as_ref()
            .is_none_or(|it| it.version != version)
        {
            self.sighting = Some(Sighting {
                version,
                since: now,
                is_first: self.sighting.is_none(),
            });
        }
    }

    /// Ends the term if it has lapsed, and returns true then. An answer that comes later does not prolong it.
    pub(super) fn end_if_lapsed(&mut self, now: Instant) -> bool {
        let has_lapsed = self.until.is_some_and(|until| now >= until);
        if has_lapsed {
            self.end();
        }
        has_lapsed
    }

    fn end(&mut self) {
        self.until = None;
        self.writable = None;
    }

    /// Ends the term. Returns the Lease to write, so that another bot need not wait. `None`: this bot does not
    /// lead.
    pub(super) fn release(&mut self, now: Instant) -> Option<Lease> {
        self.end_if_lapsed(now);
        let held = self.writable.take().filter(|_| self.until.is_some());
        self.end();
        held.map(released)
    }
}

/// Returns a Lease that its holder gives back.
pub(super) fn released(mut lease: Lease) -> Lease {
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = None;
        spec.lease_duration_seconds = None;
        spec.acquire_time = None;
        spec.renew_time = None;
    }
    lease
}

#[cfg(test)]
#[path = "candidate_tests.rs"]
mod tests;
