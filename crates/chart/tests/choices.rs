//! The first chart of a result.
#![allow(clippy::unwrap_used)]

mod frames;

use chart::{Drawing, Frame, Kind};
use frames::{draw, draw_kind, january, rows, texts};

fn first(columns: &[(&str, &str)], rows: &frames::Rows) -> String {
    let frame = Frame::new(columns.iter().copied(), rows);
    frame.suggest().unwrap().to_string()
}

#[test]
fn a_single_row_is_a_number_with_its_other_values() {
    let one = rows(["mallard|5|2024-01-01"]);
    let columns = [("species", "VARCHAR"), ("n", "INTEGER"), ("day", "DATE")];
    let drawing = draw(&columns, &one);
    assert_eq!(drawing.alt, "n: 5 (species: mallard, day: 2024-01-01).");
    assert!(texts(&drawing).contains(&"species: mallard, day: 2024-01-01".to_owned()));
    let numbers = [("a", "INTEGER"), ("b", "INTEGER"), ("c", "INTEGER")];
    let drawing = draw(&numbers, &rows(["1|2|3"]));
    assert_eq!(drawing.alt, "a: 1 (b: 2, c: 3).");
}

#[test]
fn a_change_of_large_numbers_is_exact() {
    let columns = [("now", "BIGINT"), ("before", "BIGINT")];
    let drawing = draw(&columns, &rows(["9007199254740993|9007199254740992"]));
    assert_eq!(
        drawing.alt,
        "now: 9,007,199,254,740,993, +1 compared with 9,007,199,254,740,992 (before)."
    );
    let same = draw(&columns, &rows(["7|7"]));
    assert_eq!(same.alt, "now: 7, 0 (0 %) compared with 7 (before).");
    let doubles = [("now", "DOUBLE"), ("before", "DOUBLE")];
    let same = draw(&doubles, &rows(["7.5|7.5"]));
    assert_eq!(same.alt, "now: 7.5, 0 (0 %) compared with 7.5 (before).");
    let floats = [("now", "DOUBLE"), ("before", "DECIMAL(38,20)")];
    let drawing = draw(&floats, &rows(["1.0|1.00000000000000000001"]));
    assert_eq!(
        drawing.alt,
        "now: 1.0, compared with 1.00000000000000000001 (before)."
    );
}

#[test]
fn years_are_a_line() {
    let years = rows((0..20).map(|at| format!("{}|{}", 2000 + at, at * at)));
    let columns = [("year", "INTEGER"), ("n", "INTEGER")];
    let drawing = draw(&columns, &years);
    assert_eq!(
        drawing.alt,
        "Line of n by year, 2000 to 2019. Lowest 0 at 2000, highest 361 at 2019."
    );
    assert!(drawing.svg.contains(">2005<") && !drawing.svg.contains("2,005"));
    let pairs = rows(["3|1", "2|5", "3|2"]);
    assert_eq!(first(&columns, &pairs), "scatter.0.1.-");
}

#[test]
fn names_of_regular_times_are_a_line() {
    let columns = [("day", "DATE"), ("name", "VARCHAR"), ("n", "INTEGER")];
    let week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let days = week.iter().enumerate();
    let days = rows(days.map(|(at, it)| format!("{}|{it}|{at}", january(at + 1))));
    assert_eq!(first(&columns, &days), "line.0.2.-");
    let born = rows(["2001-03-04|Ana|5", "1999-01-01|Bo|7", "2010-09-09|Cy|1"]);
    assert_eq!(first(&columns, &born), "bar.1.2.-");
}

#[test]
fn an_axis_of_rows_has_whole_marks() {
    let drawing = draw_kind(Kind::Line, &[("n", "INTEGER")], &rows(["1", "5", "2"]));
    let shown = texts(&drawing);
    assert!(!shown.iter().any(|it| it.contains('.')), "{shown:?}");
}

#[test]
fn a_part_of_a_result_is_called_one() {
    let all = rows(["mallard|1100", "teal|330"]);
    let frame = Frame::new([("c", "VARCHAR"), ("n", "INTEGER")], &all).as_part();
    let drawing: Drawing = frame.draw(&frame.suggest().unwrap()).unwrap();
    assert!(texts(&drawing).contains(&"n by c (first 2 rows)".to_owned()));
    assert_eq!(
        drawing.alt,
        "Bars of n by c: mallard 1,100, teal 330. Of the first 2 rows; the result has more."
    );
}
