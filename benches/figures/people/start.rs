//! Sessions from `/duck start` to the first answer, and from `/duck stop` until nothing is left. The floor is the same
//! Pod, Service and route, created and deleted by kubectl.

use std::time::{Duration, Instant};

use discord_loopback::{MessageView, Person};
use futures_util::future::join_all;
use test_support::{link_of, session_id_in};

use super::{
    LINK, PEOPLE, Team,
    by_kubectl::{Manifests, kubectl},
    first_query::Queries,
    print_parts,
    visit::first_answer,
};
use crate::table::Row;

const ROUNDS: u32 = 9;

/// Bot and floor, each with the parts of its times.
#[derive(Default)]
struct Times {
    starts: Vec<[Duration; 4]>,
    floor_starts: Vec<[Duration; 4]>,
    stops: Vec<Duration>,
    floor_stops: Vec<Duration>,
}

pub async fn rows(team: &Team) -> Vec<Row> {
    let (env, epoch) = (&team.env, Instant::now());
    let phase = |round: u32| Phase {
        epoch,
        offset: Duration::from_secs(1) * round / ROUNDS,
    };
    let mut queries = Queries::default();
    let mut times = Times::default();
    // The first session pulls the images.
    let (_, session) = time_start(team, Instant::now()).await;
    let manifests = Manifests::of(env, &session).await;
    time_stop(team, phase(0)).await;
    // The first call of kubectl asks which kinds the cluster has.
    time_floor(team, &manifests, &ids(0, 1), phase(0)).await;
    for round in 0..ROUNDS {
        let phase = phase(round);
        phase.wait().await;
        let (start, session) = time_start(team, Instant::now()).await;
        times.starts.push(start);
        env.wait_until_prepared(&session).await;
        queries.measure(team, &session).await;
        times.stops.push(time_stop(team, phase).await);

        let ids = ids(1 + round as usize, 1);
        let (start, stop) = time_floor(team, &manifests, &ids, phase).await;
        times.floor_starts.push(start);
        times.floor_stops.push(stop);
    }
    let names = ["announced", "link", "let in", "answer"];
    print_parts("start", names, &times.starts);
    let names = ["applied", "ready", "let in", "answer"];
    print_parts("start, floor", names, &times.floor_starts);
    let starts = [times.starts, times.floor_starts].map(last_parts);
    let mut rows = vec![Row::of_times(
        "people: from `/duck start` to the first answer at the session's URL",
        ("at most 1.1", &[1.1]),
        &starts,
    )];
    let phases = [0, 3, 6].map(phase);
    rows.push(ten_at_once(team, &manifests, phases).await);
    rows.push(Row::of_times(
        "people: from the confirmed `/duck stop` until nothing is left",
        ("at most 1.2", &[1.2]),
        &[times.stops, times.floor_stops],
    ));
    rows.extend(queries.rows());
    rows
}

fn last_parts(times: Vec<[Duration; 4]>) -> Vec<Duration> {
    times.iter().map(|parts| parts[3]).collect()
}

/// IDs of sessions of the floor that no other call returns.
fn ids(first: usize, count: usize) -> Vec<String> {
    (first..first + count)
        .map(|it| format!("f{it:05}"))
        .collect()
}

/// A moment of each second. The kubelet looks at its containers once a second, so bot and floor must begin at the same
/// moments.
#[derive(Clone, Copy)]
struct Phase {
    epoch: Instant,
    offset: Duration,
}

impl Phase {
    /// Waits until the moment.
    async fn wait(self) {
        let now = self.epoch.elapsed();
        let mut next = Duration::from_secs(now.as_secs()) + self.offset;
        if next < now {
            next += Duration::from_secs(1);
        }
        tokio::time::sleep(next - now).await;
    }
}

/// Starts Ana's session, and runs the first query. Returns the times since `begin`, and the session's ID.
async fn time_start(team: &Team, begin: Instant) -> ([Duration; 4], String) {
    let ana = &team.env.ana;
    ana.run_command("#data", "/duck start").await.unwrap();
    let announced = ana.read("#data").await;
    open_announced(team, ana, &announced, begin).await
}

/// Presses **Open** below an announcement, opens the link, and runs the first query.
async fn open_announced(
    team: &Team,
    owner: &Person,
    announced: &MessageView,
    begin: Instant,
) -> ([Duration; 4], String) {
    let told = begin.elapsed();
    let session = session_id_in(&announced.content);
    let pressed = owner.press(announced, "Open").await.unwrap();
    let link = link_of(&pressed.reply().await, LINK);
    let linked = begin.elapsed();
    let [entered, answered] = first_answer(&team.traefik, &session, || link).await;
    ([told, linked, entered - begin, answered - begin], session)
}

/// Stops Ana's session. Returns the time from the confirmation until its record is gone, which is deleted last.
async fn time_stop(team: &Team, phase: Phase) -> Duration {
    let env = &team.env;
    let question = env.reply_to(&env.ana, "/duck stop").await;
    let record = env.record_name(&env.ana, 0);
    phase.wait().await;
    let begin = Instant::now();
    let gone = async {
        env.cluster.wait_until_gone(&record).await;
        begin.elapsed()
    };
    let (_, gone) = tokio::join!(env.confirm_stop(&env.ana, &question), gone);
    env.assert_nothing_left().await;
    env.mark_all_read().await;
    gone
}

/// Creates sessions by kubectl, runs a first query in each, and deletes them by kubectl. Returns the times of both, until
/// the last session.
async fn time_floor(
    team: &Team,
    manifests: &Manifests,
    ids: &[String],
    phase: Phase,
) -> ([Duration; 4], Duration) {
    let file = manifests.write(ids);
    phase.wait().await;
    let begin = Instant::now();
    let applied = async {
        kubectl("apply", &file).await;
        begin.elapsed()
    };
    let answers = join_all(ids.iter().map(async |id| {
        // Before, Traefik forwards nothing, and attempts would only take time from the rest.
        team.env.wait_until_ready(id).await;
        let ready = begin.elapsed();
        let link = || manifests.link(id);
        let [entered, answered] = first_answer(&team.traefik, id, link).await;
        [ready, entered - begin, answered - begin]
    }));
    let (applied, answers) = tokio::join!(applied, answers);
    let last = answers.into_iter().max_by_key(|it| it[2]).unwrap();
    // Until then, DuckDB takes longer to end.
    join_all(ids.iter().map(|id| team.env.wait_until_prepared(id))).await;
    phase.wait().await;
    let begin = Instant::now();
    kubectl("delete", &file).await;
    ([applied, last[0], last[1], last[2]], begin.elapsed())
}

/// Lets ten people start a session at once. The time is that until the last of them has an answer.
async fn ten_at_once(team: &Team, manifests: &Manifests, phases: [Phase; 3]) -> Row {
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for (round, phase) in phases.into_iter().enumerate() {
        phase.wait().await;
        ours.push(time_ten(team).await);
        let ids = ids(1000 + 100 * round, PEOPLE);
        floor.push(time_floor(team, manifests, &ids, phase).await.0);
    }
    print_parts(
        "ten, last",
        ["announced", "link", "let in", "answer"],
        &ours,
    );
    print_parts(
        "ten, last, floor",
        ["applied", "ready", "let in", "answer"],
        &floor,
    );
    Row::of_times(
        "people: ten at once, from `/duck start` to the last one's first answer",
        ("at most 1.2", &[1.2]),
        &[ours, floor].map(last_parts),
    )
}

/// Returns the times of the last one. Then stops all sessions.
async fn time_ten(team: &Team) -> [Duration; 4] {
    let (env, people) = (&team.env, &team.people);
    let begin = Instant::now();
    for person in people {
        person.run_command("#data", "/duck start").await.unwrap();
    }
    let visits = join_all(people.iter().map(async |_| {
        // The next announcement, whoever's it is.
        let announced = env.ana.read("#data").await;
        let is_owner = |it: &&Person| announced.content.contains(&it.mention());
        let owner = people.iter().find(is_owner).unwrap();
        open_announced(team, owner, &announced, begin).await.0
    }));
    let last = visits.await.into_iter().max_by_key(|it| it[3]).unwrap();
    join_all(people.iter().map(|person| env.stop_session(person))).await;
    env.assert_nothing_left().await;
    env.mark_all_read().await;
    last
}
