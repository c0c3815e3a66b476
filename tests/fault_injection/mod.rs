//! Runs each use case once for each call that it makes and each fault that can happen to the call.
//! The call is refused, unanswered, cut off or answered with invalid data, or the bot is killed.
//! Then the test restarts the bot and checks that nothing is incomplete, duplicated or lost, and
//! that the person was told.
//!
//! By default each call meets one fault, in turn: the bot is killed after every second call that changes something,
//! and the other calls meet the other faults. This runs all of them, and also writes the results for
//! docs/reliability.md:
//! `DUCKBOT_TEST_WALK=all cargo test --test tests fault_injection::`

mod faults;
mod scenarios;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use discord_loopback::Interceptor;
use faults::{CallSite, Case, Fault, Injector, Moment, Recorder, WithRival};
use futures_util::{StreamExt, stream};
use scenarios::Scenario;
use serde_json::json;
use test_support::TestEnv;

/// Intercepts all calls with `interceptor`; `None` stops intercepting.
fn set_gates(env: &TestEnv, scenario: Scenario, interceptor: Option<Arc<dyn Interceptor>>) {
    let of_the_api = interceptor.clone().map(|inner| {
        let records = env.cluster.records();
        let rival = Mutex::new(scenario.rival(env));
        Arc::new(WithRival {
            inner,
            records,
            rival,
        }) as Arc<dyn Interceptor>
    });
    env.api.set_interceptor(of_the_api);
    match interceptor {
        Some(interceptor) => env.discord.set_interceptor(interceptor),
        None => env.discord.clear_interceptor(),
    }
}

/// Runs a scenario without faults, and returns its calls.
async fn record_calls(scenario: Scenario) -> Vec<CallSite> {
    let mut api_env = scenario.start_env(false).await;
    let quick = api_env.env.kubelet.ready_all_pods();
    scenario.prepare(&mut api_env).await;
    let recorder = Arc::new(Recorder::of(scenario));
    set_gates(&api_env.env, scenario, Some(recorder.clone()));
    let last_reply = scenario.run(&mut api_env, None).await;
    scenario.settle(&api_env).await;
    let sites = recorder.sites();
    set_gates(&api_env.env, scenario, None);
    scenario.check(&api_env, None, last_reply).await;
    api_env.env.clean_up().await;
    quick.abort();
    api_env.assert_clean().await;
    sites
}

/// Runs a scenario with one fault, and checks the result. Then another bot goes on: a new one, or one that
/// stood by. Returns false if the scenario took another path, such as fewer edits of its progress, and never
/// reached the call site.
async fn run_with_fault(scenario: Scenario, case: Case, has_standby: bool) -> bool {
    let mut api_env = scenario.start_env(has_standby).await;
    let quick = api_env.env.kubelet.ready_all_pods();
    scenario.prepare(&mut api_env).await;
    let injector = Injector::new(scenario, case.clone());
    set_gates(&api_env.env, scenario, Some(injector.clone()));
    let last_reply = tokio::select! {
        last_reply = scenario.run(&mut api_env, Some(&case)) => last_reply,
        () = injector.triggered.notified() => None,
    };
    api_env.env.kill_bot().await;
    injector.dead.notify_waiters();
    set_gates(&api_env.env, scenario, None);
    scenario.while_down(&api_env).await;
    if has_standby {
        api_env.swap_bots().await;
    } else {
        api_env.start_bot().await;
    }
    scenario.check(&api_env, Some(&case), last_reply).await;
    // Everything works as before: existing sessions can be stopped, and a new one can start.
    api_env.env.clean_up().await;
    quick.abort();
    api_env.assert_clean().await;
    injector.was_reached()
}

async fn inject_faults(scenario: Scenario) {
    let sites = record_calls(scenario).await;
    assert!(sites.len() >= 2, "{sites:?}");
    let all = runs_all();
    let (kills, others): (Vec<_>, Vec<_>) = Fault::ALL.into_iter().partition(|it| it.is_kill());
    let faults = |number: usize, site: &CallSite| {
        // In CI each call meets one fault. Each scenario starts with a different one.
        let turn = number + scenario as usize;
        let other = others[turn / 2 % others.len()];
        let is_killed = turn.is_multiple_of(2) && site.method != "GET";
        match (all, is_killed) {
            (true, _) => [kills.clone(), others.clone()].concat(),
            (false, true) => vec![Fault::Killed(Moment::After)],
            (false, false) => vec![other],
        }
    };
    let mut cases = Vec::new();
    for (number, site) in sites.iter().enumerate() {
        cases.extend(faults(number, site).into_iter().map(|fault| Case {
            site: site.clone(),
            fault,
        }));
    }
    let runs = cases.iter().map(|case| async move {
        eprintln!("{scenario:?}: {:?} at {}", case.fault, case.site);
        run_with_fault(scenario, case.clone(), false).await
    });
    let reached: Vec<_> = stream::iter(runs).buffered(2).collect().await;
    let mut calls: BTreeMap<String, bool> = BTreeMap::new();
    for (case, reached) in cases.iter().zip(&reached) {
        let call = format!("{} {}", case.site.method, case.site.route);
        *calls.entry(call).or_default() |= reached;
    }
    let never = calls
        .iter()
        .filter(|(call, reached)| !**reached && !scenario.may_skip(call));
    let never: Vec<_> = never.collect();
    assert!(never.is_empty(), "no run reached {never:?}");
    if all {
        write_results(scenario, sites.len(), &cases, &reached);
    }
}

fn runs_all() -> bool {
    std::env::var("DUCKBOT_TEST_WALK").is_ok_and(|it| it == "all")
}

/// Kills the leader after each call of a scenario that changes something, while another bot stands by. With
/// all cases, also at the other calls, and before each.
async fn kill_leader(scenario: Scenario) {
    let sites = record_calls(scenario).await;
    let all = runs_all();
    let is_meant = |site: &&CallSite| all || (site.method != "GET" && site.nth == 1);
    let moments = if all {
        &[Moment::Before, Moment::After][..]
    } else {
        &[Moment::After]
    };
    let cases = sites.iter().filter(is_meant).flat_map(|site| {
        let fault = |moment: &Moment| Fault::Killed(*moment);
        let site = site.clone();
        moments.iter().map(fault).map(move |fault| Case {
            site: site.clone(),
            fault,
        })
    });
    let runs = cases.map(|case| async move {
        eprintln!(
            "{scenario:?} with a standby: {:?} at {}",
            case.fault, case.site
        );
        run_with_fault(scenario, case, true).await
    });
    // They mostly wait until a Lease lapses.
    let reached: Vec<_> = stream::iter(runs).buffered(6).collect().await;
    assert!(reached.contains(&true), "no run reached its call");
}

/// Writes the results for docs/reliability.md.
fn write_results(scenario: Scenario, calls: usize, cases: &[Case], reached: &[bool]) {
    let mut faults: BTreeMap<String, usize> = BTreeMap::new();
    for (case, _) in cases.iter().zip(reached).filter(|(_, reached)| **reached) {
        *faults.entry(format!("{:?}", case.fault)).or_default() += 1;
    }
    let results = json!({
        "date": chrono::Utc::now().date_naive(), "calls": calls, "cases": cases.len(), "faults": faults,
    });
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fault_injection/results");
    std::fs::create_dir_all(folder).unwrap();
    let path = format!("{folder}/{}.json", format!("{scenario:?}").to_lowercase());
    let text = serde_json::to_string_pretty(&results).unwrap();
    std::fs::write(path, text + "\n").unwrap();
}

#[tokio::test]
async fn entered_credentials_are_stored_whole_or_not_at_all() {
    inject_faults(Scenario::Setup).await;
}

#[tokio::test]
async fn a_start_makes_one_whole_session_or_none() {
    inject_faults(Scenario::Start).await;
}

#[tokio::test]
async fn a_query_runner_starts_and_leaves_nothing() {
    inject_faults(Scenario::Query).await;
}

#[tokio::test]
async fn a_stop_leaves_nothing_half() {
    inject_faults(Scenario::Stop).await;
}

#[tokio::test]
async fn a_save_on_request_says_only_what_is_known() {
    inject_faults(Scenario::Save).await;
}

#[tokio::test]
async fn a_restore_of_a_save_that_does_not_exist_starts_nothing() {
    inject_faults(Scenario::Restore).await;
}

#[tokio::test]
async fn a_start_over_the_quota_is_taken_back_whole() {
    inject_faults(Scenario::TakeBack).await;
}

#[tokio::test]
async fn a_pause_that_is_confirmed_holds_and_can_be_ended() {
    inject_faults(Scenario::Pause).await;
}

#[tokio::test]
async fn a_run_of_a_schedule_ends_once_and_its_owner_knows() {
    inject_faults(Scenario::Scheduled).await;
}

#[tokio::test]
async fn a_session_is_extended_once_or_not_at_all() {
    inject_faults(Scenario::Extend).await;
}

#[tokio::test]
async fn credentials_that_are_said_to_be_deleted_are() {
    inject_faults(Scenario::Forget).await;
}

#[tokio::test]
async fn a_rescheduled_session_comes_back() {
    inject_faults(Scenario::Reschedule).await;
}

#[tokio::test]
async fn a_restart_keeps_the_request_for_a_new_session() {
    inject_faults(Scenario::Restart).await;
}

#[tokio::test]
async fn what_is_reaped_goes_and_its_owner_knows() {
    inject_faults(Scenario::Reap).await;
}

#[tokio::test]
async fn a_report_is_posted_once() {
    inject_faults(Scenario::Report).await;
}

#[tokio::test]
async fn a_request_makes_one_session_however_often_it_is_sent() {
    inject_faults(Scenario::Create).await;
}

#[tokio::test]
async fn a_deleted_session_is_gone_with_its_credentials() {
    inject_faults(Scenario::Delete).await;
}

#[tokio::test]
async fn a_start_goes_on_with_the_next_leader() {
    kill_leader(Scenario::Start).await;
}

#[tokio::test]
async fn everything_else_goes_on_with_the_next_leader() {
    if runs_all() {
        for scenario in Scenario::WITH_STANDBY {
            kill_leader(scenario).await;
        }
    }
}
