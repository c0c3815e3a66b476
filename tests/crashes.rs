//! The bot is killed before and after each call that it makes for `start`, `stop`,
//! starting again and a move. After a restart nothing is half, nothing is double, and the person
//! was told.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use duckbot::sandbox::discord::{BoxFuture, Call, Gate, Verdict};
use futures_util::{StreamExt, stream};
use kube::api::EvictParams;
use tokio::sync::Notify;

use crate::support::Team;

/// One call of a story: the n-th with this method and route.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    method: String,
    route: String,
    nth: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// Whether a call belongs to the story: not the watches and what keeps a connection.
fn counts(call: &Call) -> bool {
    call.method != "WATCH" && !call.route.starts_with("/gateway")
}

/// Records the calls of a story, in the order in which they arrive.
#[derive(Default)]
struct Recorder {
    places: Mutex<Vec<Place>>,
}

impl Gate for Recorder {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        if counts(call) {
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

/// Holds the call at one place, until the bot that made it is dead.
struct Trap {
    place: Place,
    moment: Moment,
    seen: AtomicUsize,
    sprung: Notify,
    dead: Notify,
}

impl Trap {
    fn new(place: Place, moment: Moment) -> Arc<Self> {
        Arc::new(Self {
            place,
            moment,
            seen: AtomicUsize::new(0),
            sprung: Notify::new(),
            dead: Notify::new(),
        })
    }

    async fn spring(&self) -> Verdict {
        self.sprung.notify_one();
        self.dead.notified().await;
        Verdict::Drop
    }

    fn is_here(&self, call: &Call) -> bool {
        call.method == self.place.method && call.route == self.place.route
    }
}

impl Gate for Trap {
    fn before<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let counted = counts(call) && self.is_here(call);
            let nth = self.seen.fetch_add(usize::from(counted), Ordering::SeqCst) + 1;
            match counted && nth == self.place.nth && self.moment == Moment::Before {
                true => self.spring().await,
                false => Verdict::Go,
            }
        })
    }

    fn after<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let nth = self.seen.load(Ordering::SeqCst);
            let counted = counts(call) && self.is_here(call);
            match counted && nth == self.place.nth && self.moment == Moment::After {
                true => self.spring().await,
                false => Verdict::Go,
            }
        })
    }
}

/// Watches all calls with `gate`, or no more.
fn watch(team: &Team, gate: Option<Arc<dyn Gate>>) {
    team.api.set_gate(gate.clone());
    match gate {
        Some(gate) => team.discord.set_gate(gate),
        None => team.discord.clear_gate(),
    }
}

#[derive(Debug, Clone, Copy)]
enum Story {
    Start,
    Stop,
    Restart,
    Move,
}

impl Story {
    /// Whether the story has that call only if the bot looks early enough.
    fn may_do_without(self, call: &str) -> bool {
        // Where there is no node, an evicted Pod is gone at once, and mostly before the bot
        // would delete it.
        matches!(self, Self::Move) && call == "DELETE pods/{name}"
    }

    /// What comes before the story.
    async fn prepare(self, team: &Team) -> Option<String> {
        team.cluster.keys_of(team.ana.id()).await;
        match self {
            Self::Start => None,
            Self::Stop | Self::Move => Some(team.serves(&team.ana).await),
            Self::Restart => {
                let id = team.serves(&team.ana).await;
                team.keys_are_newer(&team.ana).await;
                Some(id)
            }
        }
    }

    /// What Ana does. If the bot dies under it, this never ends.
    async fn tell(self, team: &Team) {
        match self {
            Self::Start => {
                let asked = team.ana.types("#data", "/duck start").await.unwrap();
                asked
                    .until(|reply| reply.content.contains("is ready"))
                    .await;
            }
            Self::Stop => {
                let question = team.reply_to(&team.ana, "/duck stop").await;
                team.confirms_stop(&team.ana, &question).await;
            }
            Self::Restart => {
                let list = team.reply_to(&team.ana, "/duck list").await;
                let pressed = team
                    .ana
                    .presses_custom(list.id, "duckbot:restart")
                    .await
                    .unwrap();
                pressed
                    .until(|reply| reply.content.starts_with("Stopped"))
                    .await;
                team.ana.reads("#data").await;
            }
            Self::Move => {
                let [document] = &team.cluster.documents().await[..] else {
                    panic!("one record")
                };
                let name = format!("duckui-{}", document["id"].as_str().unwrap());
                let evict = EvictParams::default();
                team.cluster.pods().evict(&name, &evict).await.unwrap();
                team.ana.reads("#data").await;
            }
        }
    }

    /// What must be true after the restart.
    async fn check(self, team: &Team, session: Option<String>) {
        let record = team.record(&team.ana, 0);
        let found = team.cluster.documents().await;
        assert!(found.len() <= 1, "two records: {found:?}");
        match (self, found.first()) {
            // Killed before anything was claimed: nothing is there at all.
            (Self::Start, None) => team.nothing_is_left().await,
            (Self::Start, Some(found)) => {
                let id = found["id"].as_str().unwrap().to_owned();
                team.cluster.at_stage(&record, "running").await;
                assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
                let [told] = &team.discord.history("#data")[..] else {
                    panic!("told {} times", team.discord.history("#data").len())
                };
                assert!(told.content.contains(&format!("https://duckui-{id}.")));
            }
            // Killed before it was marked, the session goes on untouched.
            (Self::Restart | Self::Move, None) => {
                panic!("the record is gone, and the wish with it")
            }
            (Self::Move, Some(found)) => {
                let id = session.expect("it was ready before");
                assert_eq!(found["id"], id);
                if team.discord.history("#data").len() < 2 {
                    team.ana.reads("#data").await;
                }
                team.cluster.at_stage(&record, "running").await;
                assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
                let [first, told] = &team.discord.history("#data")[..] else {
                    panic!("told {} times", team.discord.history("#data").len())
                };
                assert!(told.content.contains("Your DuckDB is ready again."));
                assert!(first.content.contains("starts again") && first.components.is_empty());
            }
            (Self::Stop | Self::Restart, Some(found))
                if found["stage"] == "running" && found["id"] == session.as_deref().unwrap() =>
            {
                let id = session.expect("it was ready before");
                assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
            }
            (Self::Restart, Some(_)) => {
                team.cluster.at_stage(&record, "running").await;
                let found = team.cluster.documents().await;
                let id = found[0]["id"].as_str().unwrap().to_owned();
                assert_ne!(Some(&id), session.as_ref());
                assert_eq!(team.cluster.objects().await, team.whole(&team.ana, 0, &id));
                let [old, new] = &team.discord.history("#data")[..] else {
                    panic!("told {} times", team.discord.history("#data").len())
                };
                assert!(old.content.contains("started again with new keys"));
                assert!(new.content.contains(&format!("https://duckui-{id}.")));
            }
            (Self::Stop, _) => {
                team.cluster.gone(&record).await;
                team.nothing_is_left().await;
                let [told] = &team.discord.history("#data")[..] else {
                    panic!("told {} times", team.discord.history("#data").len())
                };
                assert!(told.content.contains("has ended: its owner stopped it"));
            }
        }
    }
}

/// Every call of a story, by running it once.
async fn places(story: Story) -> Vec<Place> {
    let team = Team::gathers().await;
    let quick = team.kubelet.is_quick();
    story.prepare(&team).await;
    let recorder = Arc::new(Recorder::default());
    watch(&team, Some(recorder.clone()));
    story.tell(&team).await;
    if !matches!(story, Story::Stop) {
        team.cluster
            .at_stage(&team.record(&team.ana, 0), "running")
            .await;
        team.reads_everything().await;
    }
    quick.abort();
    recorder.places.lock().unwrap().clone()
}

/// Runs a story, kills the bot there, restarts it and checks. False if the
/// story went another way (fewer edits of its progress) and never came there.
async fn survives(story: Story, place: Place, moment: Moment) -> bool {
    let mut team = Team::gathers().await;
    let quick = team.kubelet.is_quick();
    let session = story.prepare(&team).await;
    let trap = Trap::new(place, moment);
    watch(&team, Some(trap.clone()));
    let was_sprung = tokio::select! {
        () = story.tell(&team) => false,
        () = trap.sprung.notified() => true,
    };
    team.kills_the_bot().await;
    trap.dead.notify_waiters();
    watch(&team, None);
    team.starts_the_bot().await;
    story.check(&team, session).await;
    // It works as before: whatever is there can be stopped, and one can start.
    team.finishes_what_is_there().await;
    quick.abort();
    was_sprung
}

async fn walk(story: Story) {
    let places = places(story).await;
    assert!(places.len() >= 7, "{places:?}");
    let moments = [Moment::Before, Moment::After];
    let cases = places
        .iter()
        .flat_map(|place| moments.map(|moment| (place.clone(), moment)));
    let runs = cases.map(|(place, moment)| async move {
        eprintln!(
            "{story:?}: killed {moment:?} {} {} #{}",
            place.method, place.route, place.nth
        );
        (
            format!("{} {}", place.method, place.route),
            survives(story, place, moment).await,
        )
    });
    let outcomes: Vec<_> = stream::iter(runs).buffer_unordered(2).collect().await;
    let mut reached: HashMap<String, bool> = HashMap::new();
    for (call, was_sprung) in outcomes {
        *reached.entry(call).or_default() |= was_sprung;
    }
    let never = reached.iter().filter(|(_, reached)| !**reached);
    let never: Vec<_> = never
        .filter(|(call, _)| !story.may_do_without(call))
        .collect();
    assert!(never.is_empty(), "no run came to {never:?}");
}

#[tokio::test]
async fn killed_anywhere_in_start_nothing_is_half_or_double() {
    walk(Story::Start).await;
}

#[tokio::test]
async fn killed_anywhere_in_stop_nothing_is_half_or_forgotten() {
    walk(Story::Stop).await;
}

#[tokio::test]
async fn killed_anywhere_in_a_move_the_session_comes_back() {
    walk(Story::Move).await;
}

#[tokio::test]
async fn killed_anywhere_in_restart_the_wish_is_not_forgotten() {
    walk(Story::Restart).await;
}
