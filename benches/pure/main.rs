//! Benchmarks of pure functions that run often or over all sessions, with criterion.
//! `cargo bench --bench pure`
#![allow(clippy::unwrap_used)]

mod work;

use chart::{Choice, Frame};
use chrono::Utc;
use criterion::Criterion;

const SESSIONS: i64 = 10_000;

/// Draws as many points as are drawn as they are. The floor is a picture of the same size with one number.
fn drawing(bench: &mut Criterion) {
    let value = |at: u32| Some((f64::from(at * 7919 % 1000) / 10.0).to_string());
    let points: Vec<_> = (0..5000).map(|at| vec![value(at), value(at + 1)]).collect();
    let columns = [("x", "DOUBLE"), ("y", "DOUBLE")];
    for (what, rows, choice) in [
        ("a number as PNG (the floor)", &points[..1], "number.-.0.-"),
        ("a line of 5,000 points as PNG", &points[..], "line.-.0.-"),
        (
            "a scatter chart of 5,000 points as PNG",
            &points[..],
            "scatter.0.1.-",
        ),
    ] {
        let frame = Frame::new(columns, rows);
        let choice: Choice = choice.parse().unwrap();
        bench.bench_function(what, |it| {
            it.iter(|| chart::png(&frame.draw(&choice).unwrap().svg));
        });
    }
}

fn main() {
    let mut bench = Criterion::default().configure_from_args();
    for work in work::all(SESSIONS, Utc::now()) {
        bench.bench_function(work.name, |it| it.iter(&work.run));
    }
    drawing(&mut bench);
    bench.final_summary();
}
