//! Number of calls to the API server, without the five permanent watches.

use test_support::TestEnv;

use super::table::{Aim, Row};

/// Returns the calls after the first `before` ones, and sets `before` to the new count.
fn new_calls(env: &TestEnv, before: &mut usize) -> Vec<String> {
    let new = env.api.calls_since(*before).into_iter();
    let new = new.map(|call| call.replace("/{name}", "")).collect();
    *before = env.api.calls().len();
    new
}

fn row(what: &'static str, calls: &[String], limits: Aim) -> Row {
    Row {
        what,
        aim: match limits {
            Aim::None => "counted",
            _ => "0",
        },
        floor: String::new(),
        ours: match calls {
            [] => "0".into(),
            calls => format!("{}: {}", calls.len(), calls.join(", ")),
        },
        p95: String::new(),
        figure: calls.len() as f64,
        is_ratio: false,
        limits,
    }
}

pub async fn rows() -> Vec<Row> {
    let settings = [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_LOG__FILTER", "info,duckbot::reaper=debug"),
    ];
    let mut env = TestEnv::start_with(&settings).await;
    env.skip_end_check();
    let ana = env.ana.clone();
    env.cluster.store_credentials(ana.id()).await;
    // The calls of the first sweeps, such as for the ledger, don't belong to a session.
    env.bot().wait_for_log_times(" swept", 2).await;
    let mut before = env.api.calls().len();

    let id = env.ready_session(&ana).await;
    env.bot().wait_for_log("announcing its URL").await;
    let start = new_calls(&env, &mut before);

    let swept = env.bot().log().matches(" swept").count();
    env.bot().wait_for_log_times(" swept", swept + 3).await;
    let sweep = new_calls(&env, &mut before);

    env.reply_to(&ana, "/duck list").await;
    let list = new_calls(&env, &mut before);

    let question = env.reply_to(&ana, "/duck stop").await;
    env.confirm_stop(&ana, &question).await;
    let name = env.record_name(&ana, 0);
    env.cluster.wait_until_gone(&name).await;
    env.bot().wait_for_log("removing its record").await;
    let stop = new_calls(&env, &mut before);
    assert!(!id.is_empty());
    env.mark_all_read().await;
    vec![
        row("calls per start", &start, Aim::None),
        row("calls per stop", &stop, Aim::None),
        row("calls per list", &list, Aim::Under(&[1.0])),
        row("calls per three sweeps", &sweep, Aim::Under(&[1.0])),
    ]
}
