//! Simulates several bots with one Lease: their clocks, their network, and pauses of their processes.

use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// Time limit of a call.
const CALL_TIMEOUT: u64 = 1500;

/// A call on its way. Times are in milliseconds since the start.
struct Flight {
    begun: u64,
    /// Time at which the server acts. `None`: it has acted.
    acts_at: Option<u64>,
    answered_at: u64,
    call: Call,
    answer: Answer,
}

struct Bot {
    candidate: Candidate,
    /// Difference of its clocks from the others'.
    skew: Duration,
    due: u64,
    flight: Option<Flight>,
    is_paused: bool,
    is_cut_off: bool,
    /// Time of a call until the server acts, and again until the answer arrives.
    latency: u64,
}

struct Simulation {
    start: Instant,
    now: u64,
    lease: Option<Lease>,
    version: u64,
    bots: Vec<Bot>,
    /// Calls that the server carries out after the bot has given up.
    late: Vec<Flight>,
    /// Bots that led, in order.
    leaders: Vec<usize>,
}

fn bot(name: &str, skew: u64) -> Bot {
    Bot {
        candidate: Candidate::new(name.to_owned()),
        skew: Duration::from_secs(skew),
        due: 0,
        flight: None,
        is_paused: false,
        is_cut_off: false,
        latency: 0,
    }
}

impl Simulation {
    /// Starts bots with a Lease that no bot has held.
    fn new(bots: Vec<Bot>) -> Self {
        let mut this = Self {
            start: Instant::now(),
            now: 0,
            lease: None,
            version: 0,
            bots,
            late: Vec::new(),
            leaders: Vec::new(),
        };
        this.create_lease();
        this
    }

    /// Two bots, of which the first leads. The other's clock is an hour ahead.
    fn with_leader() -> Self {
        let mut this = Self::new(vec![bot("a", 0), bot("b", 3600)]);
        this.run_for(200);
        assert_eq!(this.leader(), Some(0));
        this
    }

    fn create_lease(&mut self) {
        self.store(Lease::default());
    }

    fn store(&mut self, mut lease: Lease) {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease);
    }

    fn carry_out(&mut self, call: &Call) -> Answer {
        let version = self.lease.as_ref().and_then(ResourceExt::resource_version);
        match call {
            Call::Read => Answer::Found(self.lease.clone()),
            Call::Write(lease) if lease.resource_version() == version && version.is_some() => {
                self.store(Lease::clone(lease));
                Answer::Written(self.lease.clone().expect("stored"))
            }
            Call::Write(_) => Answer::Conflict,
        }
    }

    fn instant(&self, of: usize, at: u64) -> Instant {
        self.start + self.bots[of].skew + Duration::from_millis(at)
    }

    /// Lets 50 ms pass for one bot.
    fn step(&mut self, index: usize) {
        let now = self.now;
        if let Some(mut flight) = self.bots[index].flight.take() {
            self.act(&mut flight);
            let has_timed_out = now >= flight.begun + CALL_TIMEOUT;
            if self.bots[index].is_paused || (now < flight.answered_at && !has_timed_out) {
                self.bots[index].flight = Some(flight);
                return;
            }
            let (begun, answered) = (self.instant(index, flight.begun), self.instant(index, now));
            let answer = if now < flight.answered_at {
                Answer::Failed
            } else {
                flight.answer.clone()
            };
            let wait = self.bots[index].candidate.handle(answer, begun, answered);
            self.bots[index].due = now + wait.as_millis() as u64;
            self.late.push(flight);
        }
        let at = self.instant(index, now);
        let bot = &mut self.bots[index];
        if bot.is_paused || now < bot.due {
            return;
        }
        let wall = Timestamp::UNIX_EPOCH + (at - self.start);
        let call = bot.candidate.next_call(&MicroTime(wall));
        let is_cut_off = bot.is_cut_off;
        let acts_at = (!is_cut_off).then_some(now + bot.latency);
        let answered_at = if is_cut_off {
            u64::MAX
        } else {
            now + 2 * bot.latency
        };
        let mut flight = Flight {
            begun: now,
            acts_at,
            answered_at,
            call,
            answer: Answer::Failed,
        };
        self.act(&mut flight);
        self.bots[index].flight = Some(flight);
    }

    /// Lets the server act when its time has come.
    fn act(&mut self, flight: &mut Flight) {
        if flight.acts_at.is_some_and(|at| self.now >= at) {
            flight.acts_at = None;
            flight.answer = self.carry_out(&flight.call);
        }
    }

    fn run_for(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            for index in 0..self.bots.len() {
                self.step(index);
            }
            let mut late = std::mem::take(&mut self.late);
            late.iter_mut().for_each(|flight| self.act(flight));
            late.retain(|flight| flight.acts_at.is_some());
            self.late = late;
            if let Some(leader) = self.leader()
                && self.leaders.last() != Some(&leader)
            {
                self.leaders.push(leader);
            }
            self.now += 50;
        }
    }

    /// Returns the bot that may act now. Fails if there are two.
    fn leader(&self) -> Option<usize> {
        let leads = |index: &usize| {
            let until = self.bots[*index].candidate.until();
            until.is_some_and(|until| self.instant(*index, self.now) < until)
        };
        let all: Vec<_> = (0..self.bots.len()).filter(leads).collect();
        assert!(all.len() <= 1, "{all:?} lead at {} ms", self.now);
        all.first().copied()
    }

    /// Runs until a bot leads, and returns it and how long that took.
    fn time_to_lead(&mut self) -> (usize, u64) {
        let begin = self.now;
        while self.now < begin + 60_000 {
            self.run_for(50);
            if let Some(leader) = self.leader() {
                return (leader, self.now - begin);
            }
        }
        panic!("nobody leads");
    }

    fn spec(&self) -> LeaseSpec {
        let lease = self.lease.clone().expect("a Lease");
        lease.spec.unwrap_or_default()
    }
}

#[test]
fn the_first_of_two_bots_leads_and_stays_the_leader() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(60_000);
    assert_eq!(simulation.leaders, [0]);
    let spec = simulation.spec();
    assert_eq!(spec.holder_identity.as_deref(), Some("a"));
    assert_eq!(spec.lease_duration_seconds, Some(8));
    assert_eq!(spec.lease_transitions, Some(0));
    let (acquired, renewed) = (
        spec.acquire_time.expect("acquired"),
        spec.renew_time.expect("renewed"),
    );
    assert!(renewed.0 > acquired.0);
}

#[test]
fn a_killed_leader_is_followed_within_eleven_seconds() {
    for phase in (0..2000).step_by(250) {
        let mut simulation = Simulation::with_leader();
        simulation.run_for(20_000 + phase);
        simulation.bots[0].is_paused = true;
        simulation.bots[0].candidate.end();
        let (leader, took) = simulation.time_to_lead();
        assert_eq!(leader, 1);
        assert!((6_000..=11_000).contains(&took), "{took} ms");
        assert_eq!(simulation.spec().lease_transitions, Some(1));
    }
}

#[test]
fn a_released_lease_is_taken_at_the_next_look() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(20_000);
    let now = simulation.instant(0, simulation.now);
    let released = simulation.bots[0].candidate.release(now);
    let released = released.expect("it leads");
    assert_eq!(holder(&released), Holder::Released);
    let written = simulation.carry_out(&Call::Write(Box::new(released)));
    assert!(matches!(written, Answer::Written(_)), "{written:?}");
    simulation.bots[0].is_paused = true;
    let (leader, took) = simulation.time_to_lead();
    assert_eq!(leader, 1);
    assert!(took <= 1_100, "{took} ms");
    assert_eq!(simulation.spec().lease_transitions, Some(1));
    assert_eq!(simulation.bots[0].candidate.release(now), None);
}

#[test]
fn a_leader_without_the_api_server_stops_three_seconds_before_another_leads() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(20_000);
    simulation.bots[0].is_cut_off = true;
    while simulation.leader().is_some() {
        simulation.run_for(50);
    }
    let (leader, took) = simulation.time_to_lead();
    assert_eq!(leader, 1);
    assert!(took >= 3_000, "{took} ms");
    // It comes back, and does not lead again.
    simulation.bots[0].is_cut_off = false;
    simulation.run_for(60_000);
    assert_eq!(simulation.leaders, [0, 1]);
}

#[test]
fn two_seconds_without_the_api_server_change_nothing() {
    for phase in (0..2000).step_by(150) {
        let mut simulation = Simulation::with_leader();
        simulation.run_for(20_000 + phase);
        simulation.bots[0].is_cut_off = true;
        simulation.run_for(2_000);
        simulation.bots[0].is_cut_off = false;
        simulation.run_for(20_000);
        assert_eq!(simulation.leaders, [0], "{phase}");
    }
}

#[test]
fn an_outage_of_the_api_server_leaves_one_leader() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(20_000);
    for bot in &mut simulation.bots {
        bot.is_cut_off = true;
    }
    simulation.run_for(60_000);
    assert_eq!(simulation.leader(), None);
    for bot in &mut simulation.bots {
        bot.is_cut_off = false;
    }
    let (_, took) = simulation.time_to_lead();
    assert!(took <= 2_000, "{took} ms");
}

#[test]
fn a_leader_that_was_stopped_does_not_go_on() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(20_000);
    simulation.bots[0].is_paused = true;
    simulation.run_for(30_000);
    assert_eq!(simulation.leaders, [0, 1]);
    simulation.bots[0].is_paused = false;
    simulation.run_for(30_000);
    assert_eq!(simulation.leaders, [0, 1]);
}

#[test]
fn a_renewal_that_is_answered_after_the_term_does_not_prolong_it() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let wall = MicroTime(Timestamp::UNIX_EPOCH);
    let mut candidate = Candidate::new("a".to_owned());
    candidate.handle(Answer::Found(Some(Lease::default())), at(0), at(0));
    let Call::Write(first) = candidate.next_call(&wall) else {
        panic!("a free Lease is taken");
    };
    candidate.handle(Answer::Written(*first.clone()), at(0), at(0));
    assert_eq!(candidate.until(), Some(at(5)));
    candidate.handle(Answer::Written(*first.clone()), at(2), at(6));
    assert_eq!(candidate.until(), None);
    assert_eq!(candidate.next_call(&wall), Call::Read);
    // A process that was stopped while it took the Lease does not lead.
    candidate.handle(Answer::Written(*first.clone()), at(7), at(12));
    assert_eq!(candidate.until(), None);
    // A term that has lapsed is not released, because another bot may lead.
    candidate.handle(Answer::Written(*first), at(13), at(13));
    assert_eq!(candidate.release(at(18)), None);
}

#[test]
fn an_earlier_process_of_the_same_pod_is_another_bot() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(20_000);
    simulation.bots = vec![bot("a-again", 0)];
    let (_, took) = simulation.time_to_lead();
    assert!(took >= 8_000, "{took} ms");
    // A process that led a moment ago, and has ended its work, leads again at once.
    simulation.bots[0].candidate.end();
    simulation.bots[0].due = 0;
    let (_, took) = simulation.time_to_lead();
    assert!(took <= 1_100, "{took} ms");
}

#[test]
fn of_two_bots_that_write_at_once_one_leads() {
    let mut simulation = Simulation::with_leader();
    simulation.bots.push(bot("c", 7));
    simulation.run_for(20_000);
    simulation.bots[0].is_paused = true;
    for follower in &mut simulation.bots[1..] {
        (follower.latency, follower.due) = (200, 0);
    }
    simulation.run_for(60_000);
    assert_eq!(simulation.leaders.len(), 2, "{:?}", simulation.leaders);
}

#[test]
fn a_lease_that_was_deleted_ends_the_term_and_a_new_one_is_not_taken_at_once() {
    let mut simulation = Simulation::with_leader();
    simulation.run_for(20_000);
    simulation.lease = None;
    simulation.run_for(7_000);
    assert_eq!(simulation.leader(), None);
    simulation.create_lease();
    let (_, took) = simulation.time_to_lead();
    assert!(took >= 8_000, "{took} ms");
}

#[test]
fn a_lease_that_somebody_else_empties_stays_with_its_holder() {
    type Edit = fn(&mut Lease);
    let edits: [Edit; 2] = [
        |lease| lease.spec = None,
        |lease| lease.spec.as_mut().expect("held").holder_identity = None,
    ];
    for edit in edits {
        let mut simulation = Simulation::with_leader();
        simulation.run_for(20_000);
        let mut lease = simulation.lease.clone().expect("a Lease");
        edit(&mut lease);
        simulation.store(lease);
        simulation.run_for(20_000);
        assert_eq!(simulation.leaders, [0]);
        assert_eq!(simulation.spec().holder_identity.as_deref(), Some("a"));
    }
}

#[derive(Debug, Clone)]
enum Event {
    Pause(bool),
    CutOff(bool),
    Latency(u64),
    Replace,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<bool>().prop_map(Event::Pause),
        any::<bool>().prop_map(Event::CutOff),
        (0..3_000_u64).prop_map(Event::Latency),
        Just(Event::Replace),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_two_bots_never_lead_at_once(
        events in prop::collection::vec((0..3_usize, 0..6_000_u64, event()), 1..30)
    ) {
        let mut simulation = Simulation::new(vec![bot("a", 0), bot("b", 3600), bot("c", 5)]);
        // Each bot has seen a holder.
        simulation.run_for(2_000);
        for (index, wait, event) in events {
            simulation.run_for(wait);
            let bot = &mut simulation.bots[index];
            match event {
                Event::Pause(is_paused) => bot.is_paused = is_paused,
                Event::CutOff(is_cut_off) => bot.is_cut_off = is_cut_off,
                Event::Latency(latency) => bot.latency = latency,
                Event::Replace => simulation.create_lease(),
            }
        }
        for bot in &mut simulation.bots {
            (bot.is_paused, bot.is_cut_off, bot.latency) = (false, false, 0);
        }
        simulation.run_for(20_000);
        prop_assert!(simulation.leader().is_some());
    }
}
