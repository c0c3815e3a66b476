//! A machine walks through each use case, call by call, and lets each call go wrong in each way:
//! turned down, unanswered, cut off, answered with nonsense, or the bot killed right there.
//! Then the bot is started again; nothing is half, nothing is double, nothing is lost, and the
//! person was told.
//!
//! Usually each call meets the kills, and one other harm in turn. All of them:
//! `DUCKBOT_TEST_WALK=all cargo test --test tests walk::`, which also writes down what it
//! walked, for docs/reliability.md.

mod harm;
mod stories;

use std::{collections::BTreeMap, sync::Arc};

use duckbot::sandbox::discord::Gate;
use futures_util::{StreamExt, stream};
use harm::{Case, Harm, Recorder, Trap};
use serde_json::json;
use stories::Story;

use crate::support::Team;

/// Watches all calls with `gate`, or no more.
fn watch(team: &Team, gate: Option<Arc<dyn Gate>>) {
    team.api.set_gate(gate.clone());
    match gate {
        Some(gate) => team.discord.set_gate(gate),
        None => team.discord.clear_gate(),
    }
}

/// Every call of a story, by running it once.
async fn places(story: Story) -> Vec<harm::Place> {
    let mut lab = story.opens().await;
    let quick = lab.team.kubelet.is_quick();
    story.prepare(&mut lab).await;
    let recorder = Arc::new(Recorder::of(story));
    watch(&lab.team, Some(recorder.clone()));
    let told = story.tell(&mut lab, None).await;
    story.goes_on(&lab).await;
    let places = recorder.places();
    watch(&lab.team, None);
    story.check(&lab, None, told).await;
    lab.team.finishes_what_is_there().await;
    quick.abort();
    places
}

/// Runs a story and lets that go wrong; afterwards all is well. False if the story went
/// another way (fewer edits of its progress) and never came there.
async fn survives(story: Story, case: Case) -> bool {
    let mut lab = story.opens().await;
    let quick = lab.team.kubelet.is_quick();
    story.prepare(&mut lab).await;
    let trap = Trap::new(story, case.clone());
    watch(&lab.team, Some(trap.clone()));
    let told = tokio::select! {
        told = story.tell(&mut lab, Some(&case)) => told,
        () = trap.sprung.notified() => None,
    };
    lab.team.kills_the_bot().await;
    trap.dead.notify_waiters();
    watch(&lab.team, None);
    story.meanwhile(&lab).await;
    lab.starts().await;
    story.check(&lab, Some(&case), told).await;
    // It works as before: whatever is there can be stopped, and one can start.
    lab.team.finishes_what_is_there().await;
    quick.abort();
    trap.was_sprung()
}

async fn walk(story: Story) {
    let places = places(story).await;
    assert!(places.len() >= 3, "{places:?}");
    let all = std::env::var("DUCKBOT_TEST_WALK").is_ok_and(|it| it == "all");
    let (kills, others): (Vec<_>, Vec<_>) = Harm::ALL.into_iter().partition(|it| it.is_a_kill());
    let mut cases = Vec::new();
    for (number, place) in places.iter().enumerate() {
        // In CI each call meets another harm, and each story begins with another one.
        let one = others[(number + story as usize) % others.len()];
        let chosen = others.iter().filter(|harm| all || **harm == one);
        cases.extend(kills.iter().chain(chosen).map(|harm| Case {
            place: place.clone(),
            harm: *harm,
        }));
    }
    let runs = cases.iter().map(|case| async move {
        eprintln!("{story:?}: {:?} at {}", case.harm, case.place);
        survives(story, case.clone()).await
    });
    let reached: Vec<_> = stream::iter(runs).buffered(2).collect().await;
    let mut calls: BTreeMap<String, bool> = BTreeMap::new();
    for (case, reached) in cases.iter().zip(&reached) {
        let call = format!("{} {}", case.place.method, case.place.route);
        *calls.entry(call).or_default() |= reached;
    }
    let never = calls
        .iter()
        .filter(|(call, reached)| !**reached && !story.may_do_without(call));
    let never: Vec<_> = never.collect();
    assert!(never.is_empty(), "no run came to {never:?}");
    if all {
        writes_down(story, places.len(), &cases, &reached);
    }
}

/// What was walked, for docs/reliability.md.
fn writes_down(story: Story, calls: usize, cases: &[Case], reached: &[bool]) {
    let mut harms: BTreeMap<String, usize> = BTreeMap::new();
    for (case, _) in cases.iter().zip(reached).filter(|(_, reached)| **reached) {
        *harms.entry(format!("{:?}", case.harm)).or_default() += 1;
    }
    let walked = json!({
        "date": chrono::Utc::now().date_naive(), "calls": calls, "cases": cases.len(), "harms": harms,
    });
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/walk/walked");
    std::fs::create_dir_all(folder).unwrap();
    let path = format!("{folder}/{}.json", format!("{story:?}").to_lowercase());
    let text = serde_json::to_string_pretty(&walked).unwrap();
    std::fs::write(path, text + "\n").unwrap();
}

#[tokio::test]
async fn keys_handed_in_are_kept_whole_or_not_at_all() {
    walk(Story::Setup).await;
}

#[tokio::test]
async fn a_start_makes_one_whole_session_or_none() {
    walk(Story::Start).await;
}

#[tokio::test]
async fn a_stop_leaves_nothing_half() {
    walk(Story::Stop).await;
}

#[tokio::test]
async fn a_session_is_extended_once_or_not_at_all() {
    walk(Story::Extend).await;
}

#[tokio::test]
async fn keys_that_are_said_to_be_forgotten_are() {
    walk(Story::Forget).await;
}

#[tokio::test]
async fn in_a_move_the_session_comes_back() {
    walk(Story::Move).await;
}

#[tokio::test]
async fn in_a_restart_the_wish_is_not_forgotten() {
    walk(Story::Restart).await;
}

#[tokio::test]
async fn what_is_reaped_goes_and_its_owner_knows() {
    walk(Story::Reap).await;
}

#[tokio::test]
async fn a_report_is_posted_once() {
    walk(Story::Report).await;
}

#[tokio::test]
async fn a_request_makes_one_session_however_often_it_is_sent() {
    walk(Story::Create).await;
}

#[tokio::test]
async fn a_deleted_session_is_gone_with_its_keys() {
    walk(Story::Delete).await;
}
