//! DuckDB clients of a session: Python through the door, against Python at the session's own Quack server.

use std::time::Duration;

use serde::Deserialize;
use test_support::{LocalEnv, OwnMachine, ReservedPort};

use super::{
    growth::Series,
    setup::resident,
    stats::stats,
    table::{Aim, Row},
};

/// Measures both in turns, and prints the seconds as JSON. PORT is that of the floor.
const SCRIPT: &str = r#"
import json, time
session = duckdb
session.execute("FROM duck.query('CALL quack_serve(''quack:127.0.0.1:PORT'', token = ''floor'', disable_ssl = true)')")
session.execute("ATTACH 'quack:127.0.0.1:PORT' AS floor (TOKEN 'floor')")

def seconds(name, sql):
    begin = time.perf_counter()
    session.execute(f"SELECT count(*) FROM {name}.query('{sql}')").fetchall()
    return time.perf_counter() - begin

LARGE = "SELECT range a, hash(range) b, hash(range + 1) c FROM range(4200000)"
measured = {}
for what, sql, rounds in [
    ("small", "SELECT 42", 200),
    ("one_mb", LARGE.replace("4200000", "42000"), 51),
    ("ten_mb", LARGE.replace("4200000", "420000"), 21),
    ("large", LARGE, 9),
]:
    ours, floor = [], []
    for _ in range(rounds):
        floor.append(seconds("floor", sql))
        ours.append(seconds("duck", sql))
    measured[what] = [ours, floor]
seconds("duck", LARGE.replace("4200000", "42000000"))
print("MEASURED", json.dumps(measured))
"#;

/// Seconds through the door, and at the floor.
#[derive(Deserialize)]
struct Measured {
    small: [Vec<f64>; 2],
    one_mb: [Vec<f64>; 2],
    ten_mb: [Vec<f64>; 2],
    large: [Vec<f64>; 2],
}

pub async fn rows(series: &mut Vec<Series>) -> Vec<Row> {
    let mut home = LocalEnv::start().await;
    home.skip_end_check();
    for (name, value) in [
        ("DUCKBOT_SESSIONS__CONNECT", "true"),
        ("DUCKBOT_LOG__FILTER", "info"),
    ] {
        home.variables.insert(name.into(), value.into());
    }
    home.restart_bot().await;
    home.enter_credentials(&home.ana).await;
    let asked = home.ana.run_command("#data", "/duck start").await.unwrap();
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    let asked = home
        .ana
        .run_command("#data", "/duck connect")
        .await
        .unwrap();
    let reply = asked.reply().await.content;
    let (_, python) = reply.split_once("```python\n").unwrap();
    let (python, _) = python.split_once("print(").unwrap();
    let before = resident(&home.bot, false);
    let port = ReservedPort::reserve().number().to_string();
    let script = format!("{python}{}", SCRIPT.replace("PORT", &port));
    let ran = OwnMachine::new().run_python(&script).await;
    assert!(ran.is_ok, "{}", ran.said);
    let grown = resident(&home.bot, false) - before;
    let (_, json) = ran.said.split_once("MEASURED ").unwrap();
    let measured: Measured = serde_json::from_str(json).unwrap();
    let times = |seconds: [Vec<f64>; 2]| {
        seconds.map(|all| all.into_iter().map(Duration::from_secs_f64).collect())
    };
    let sizes = [
        (1.0, &measured.one_mb),
        (10.0, &measured.ten_mb),
        (100.0, &measured.large),
    ];
    let median = |all: &[Vec<f64>; 2]| stats(all[0].iter().copied()).median * 1000.0;
    let growth = sizes.map(|(size, all)| (size, median(all)));
    series.push(Series {
        title: "A result for a DuckDB client",
        work: "MB",
        unit: "ms",
        points: growth.into(),
    });
    let aim: (_, &[f64]) = ("at most 1.2", &[1.2]);
    vec![
        Row::of_times("DuckDB client: a small query", aim, &times(measured.small)),
        Row::of_times(
            "DuckDB client: a result of 100 MB",
            aim,
            &times(measured.large),
        ),
        Row::of_growth(
            "DuckDB client: a result of 100 MB, against 10 MB",
            "ms",
            [growth[1], growth[2]],
        ),
        Row {
            what: "DuckDB client: memory of the bot with its doors after a result of 1 GB",
            aim: "under 10 MB more",
            floor: String::new(),
            ours: format!("{grown:.1} MB more"),
            p95: String::new(),
            figure: grown,
            is_ratio: false,
            limits: Aim::Under(&[10.0]),
        },
    ]
}
