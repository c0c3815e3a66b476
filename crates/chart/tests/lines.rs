//! Lines have the numbers of their rows.
#![allow(clippy::unwrap_used)]

mod frames;

use chart::{Kind, Note};
use frames::{draw, draw_kind, january, rows, texts};

const DAYS: [(&str, &str); 2] = [("day", "DATE"), ("n", "INTEGER")];

/// Number of strokes between points, and of parts of a line.
fn strokes(svg: &str) -> (usize, usize) {
    let path = svg
        .lines()
        .find(|line| line.contains("stroke-linejoin"))
        .unwrap();
    (path.matches('L').count(), path.matches('M').count())
}

#[test]
fn numbers_of_the_same_time_are_added_up() {
    let all = rows([
        "2024-01-01|1",
        "2024-01-02|9",
        "2024-01-01|5",
        "2024-01-02|2",
        "2024-01-03|NULL",
    ]);
    let drawing = draw(&DAYS, &all);
    assert_eq!(
        drawing.alt,
        "Line of n by day, 2024-01-01 to 2024-01-03. Lowest 6 at 2024-01-01, highest 11 at 2024-01-02."
    );
    assert_eq!(drawing.notes, [Note::Summed]);
    let each = rows((1..9).flat_map(|day| {
        let lines = ["de|phone|1", "de|web|2", "fr|phone|4"];
        lines.map(|it| format!("{}|{it}", january(day)))
    }));
    let columns = [
        ("day", "DATE"),
        ("country", "VARCHAR"),
        ("device", "VARCHAR"),
        ("n", "INTEGER"),
    ];
    let drawing = draw(&columns, &each);
    assert_eq!(drawing.notes, [Note::Summed]);
    assert!(
        drawing.alt.contains("2 lines of n by day, per country"),
        "{}",
        drawing.alt
    );
    assert!(
        drawing.alt.contains("Lowest 3 at 2024-01-01, highest 4"),
        "{}",
        drawing.alt
    );
}

#[test]
fn places_that_floating_point_numbers_cannot_tell_apart_are_not_added_up() {
    let all = rows(["9007199254740992|1", "9007199254740993|2"]);
    let drawing = draw_kind(Kind::Line, &[("id", "BIGINT"), ("n", "INTEGER")], &all);
    assert_eq!(drawing.notes, []);
    let times = ["123456111", "123456222"].map(|it| format!("2024-01-01 00:00:00.{it}|1"));
    let drawing = draw(&[("at", "TIMESTAMP_NS"), ("n", "INTEGER")], &rows(times));
    assert_eq!(drawing.notes, []);
}

#[test]
fn a_peak_among_many_rows_is_drawn() {
    let all = rows((0..9000).map(|at| if at == 4500 { "1000" } else { "1" }));
    let drawing = draw_kind(Kind::Line, &[("n", "INTEGER")], &all);
    assert_eq!(
        drawing.alt,
        "Line of n by row, 1 to 9,000. Lowest 1 at 1, highest 1,000 at 4,501."
    );
    assert_eq!(drawing.notes, [Note::Extremes(9000)]);
    // The highest point is at the mark of the peak.
    let mark = drawing
        .svg
        .lines()
        .find(|line| line.ends_with(">1,000</text>"))
        .unwrap();
    let y = mark
        .split("y=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let y = y.parse::<f64>().unwrap() - 14.0 / 3.0;
    let path = drawing
        .svg
        .lines()
        .find(|line| line.contains("stroke-linejoin"))
        .unwrap();
    let path = path.split('"').nth(1).unwrap();
    let heights = path
        .split(['M', 'L'])
        .filter_map(|it| it.split_once(' ')?.1.parse::<f64>().ok());
    let top = heights.fold(f64::INFINITY, f64::min);
    assert!((top - y).abs() < 0.2, "{top} instead of {y}");
    assert!(strokes(&drawing.svg).0 <= 5000);
}

#[test]
fn weekends_of_days_of_work_are_no_gaps() {
    let days = (1..=26).filter(|day| (day - 1) % 7 < 5);
    let work = rows(days.clone().map(|day| format!("{}|5", january(day))));
    assert_eq!(strokes(&draw(&DAYS, &work).svg), (19, 1));
    let holiday = rows(
        days.filter(|day| ![16, 17].contains(day))
            .map(|day| format!("{}|5", january(day))),
    );
    assert_eq!(strokes(&draw(&DAYS, &holiday).svg), (16, 2));
}

#[test]
fn times_have_the_zone_of_their_text() {
    let columns = [("at", "TIMESTAMP WITH TIME ZONE"), ("n", "INTEGER")];
    let local = rows((1..=3).map(|day| format!("{} 00:00:00+02|{day}", january(day))));
    let drawing = draw(&columns, &local);
    assert!(
        drawing
            .alt
            .contains("2024-01-01 to 2024-01-03. Lowest 1 at 2024-01-01"),
        "{}",
        drawing.alt
    );
    assert!(drawing.svg.contains(">at (UTC+02), 2024-01-01"));
    let mixed = rows(["2024-10-26 00:00:00+02|1", "2024-10-28 00:00:00+01|2"]);
    let drawing = draw(&columns, &mixed);
    assert!(
        drawing
            .svg
            .contains(">at (UTC), 2024-10-25 22:00:00 to 2024-10-27 23:00:00<")
    );
}

#[test]
fn the_text_tells_how_many_lines_are_drawn() {
    let all = rows(
        (1..=3).flat_map(|day| (0..100).map(move |at| format!("{}|s{at}|{at}", january(day)))),
    );
    let drawing = draw(&[("day", "DATE"), ("c", "VARCHAR"), ("n", "INTEGER")], &all);
    assert!(
        drawing
            .alt
            .starts_with("7 of 100 lines of n by day, per c, "),
        "{}",
        drawing.alt
    );
    assert_eq!(drawing.notes, [Note::SeriesLeftOut(93)]);
}

#[test]
fn names_of_series_differ() {
    let all = rows((1..=5).flat_map(|day| {
        (0..3).map(move |at| {
            format!(
                "{}|a long name of a series, which does not fit, number {at}|1",
                january(day)
            )
        })
    }));
    let shown = texts(&draw(
        &[("day", "DATE"), ("c", "VARCHAR"), ("n", "INTEGER")],
        &all,
    ));
    for end in ["0", "1", "2"] {
        assert!(
            shown.iter().any(|it| it.contains('…') && it.ends_with(end)),
            "{shown:?}"
        );
    }
}
