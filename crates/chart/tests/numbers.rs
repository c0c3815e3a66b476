//! The numbers in a picture are those of the rows, as read from its SVG.
#![allow(clippy::unwrap_used)]

use chart::{Choice, Frame};

type Rows = Vec<Vec<Option<String>>>;

/// Share of the axis by which a point may be off: coordinates have one decimal.
const TOLERANCE: f64 = 0.0005;

fn rows<const N: usize>(values: impl Iterator<Item = [String; N]>) -> Rows {
    values.map(|row| row.map(Some).into()).collect()
}

fn draw(columns: &[(&str, &str)], rows: &Rows, choice: &str) -> String {
    let frame = Frame::new(columns.iter().copied(), rows);
    let choice: Choice = choice.parse().unwrap();
    frame.draw(&choice).unwrap().svg
}

/// Returns the texts with this anchor, and the place of each.
fn texts(svg: &str, anchor: &str) -> Vec<(String, f64, f64)> {
    let anchor = format!("text-anchor=\"{anchor}\"");
    let lines = svg
        .lines()
        .filter(|line| line.starts_with("<text ") && line.contains(&anchor));
    let attribute = |line: &str, name: &str| {
        let (_, after) = line.split_once(&format!(" {name}=\"")).unwrap();
        after.split_once('"').unwrap().0.parse::<f64>().unwrap()
    };
    lines
        .map(|line| {
            let (_, text) = line.trim_end_matches("</text>").rsplit_once('>').unwrap();
            (text.to_owned(), attribute(line, "x"), attribute(line, "y"))
        })
        .collect()
}

/// Returns the way from pixels to values, from the numbers beside an axis. `place` takes the pixel of a text.
fn axis(
    texts: &[(String, f64, f64)],
    place: fn(&(String, f64, f64)) -> f64,
) -> impl Fn(f64) -> f64 + use<> {
    let marks = texts.iter().filter_map(|text| {
        let value: f64 = text.0.replace(',', "").parse().ok()?;
        Some((place(text), value))
    });
    let marks: Vec<_> = marks.collect();
    let ((a, from), (b, to)) = (marks[0], marks[marks.len() - 1]);
    move |pixel| from + (pixel - a) / (b - a) * (to - from)
}

/// Returns the points of a path.
fn points(svg: &str, begin: &str) -> Vec<(f64, f64)> {
    let line = svg.lines().find(|line| line.contains(begin)).unwrap();
    let (_, path) = line.split_once("d=\"").unwrap();
    let path = path.split_once('"').unwrap().0;
    let parts = path.split(['M', 'L']).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let part = part.split('a').next().unwrap();
            let (x, y) = part.split_once(' ').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        })
        .collect()
}

fn assert_near(shown: &[f64], expected: &[f64]) {
    assert_eq!(shown.len(), expected.len());
    let largest = expected.iter().map(|it| it.abs()).fold(0.0, f64::max);
    for (shown, expected) in shown.iter().zip(expected) {
        let off = (shown - expected).abs() / largest;
        assert!(off < TOLERANCE * 2.0, "{shown} instead of {expected}");
    }
}

#[test]
fn a_line_runs_through_its_numbers() {
    let numbers: Vec<_> = (0..200)
        .map(|at| f64::from(at * 7919 % 1000) - 200.0)
        .collect();
    let all = rows(numbers.iter().map(|it| [it.to_string()]));
    let svg = draw(&[("n", "DOUBLE")], &all, "line.-.0.-");
    let value = axis(&texts(&svg, "end"), |(_, _, y)| y - 14.0 / 3.0);
    let shown: Vec<_> = points(&svg, "stroke-width=\"2.5\"")
        .iter()
        .map(|(_, y)| value(*y))
        .collect();
    assert_near(&shown, &numbers);
}

#[test]
fn points_lie_at_both_numbers() {
    let pairs: Vec<_> = (0..100)
        .map(|at| (f64::from(at * 37 % 100), f64::from(at * 61 % 500)))
        .collect();
    let all = rows(pairs.iter().map(|(x, y)| [x.to_string(), y.to_string()]));
    let svg = draw(&[("x", "DOUBLE"), ("y", "DOUBLE")], &all, "scatter.0.1.-");
    let x = axis(&texts(&svg, "middle"), |(_, x, _)| *x);
    let y = axis(&texts(&svg, "end"), |(_, _, y)| y - 14.0 / 3.0);
    let shown = points(&svg, "fill-opacity");
    // The path of a point begins at its left.
    let xs: Vec<_> = shown.iter().map(|(left, _)| x(left + 4.0)).collect();
    let ys: Vec<_> = shown.iter().map(|(_, at)| y(*at)).collect();
    assert_near(&xs, &pairs.iter().map(|(x, _)| *x).collect::<Vec<_>>());
    assert_near(&ys, &pairs.iter().map(|(_, y)| *y).collect::<Vec<_>>());
}

#[test]
fn points_that_stand_for_others_lie_at_their_own_numbers() {
    let numbers = |at: i32| (at * 7919 % 10_007, at * 6101 % 9973);
    let pairs = (0..8000).map(numbers);
    let all = rows(pairs.clone().map(|(x, y)| [x.to_string(), y.to_string()]));
    let svg = draw(&[("x", "DOUBLE"), ("y", "DOUBLE")], &all, "scatter.0.1.-");
    let x = axis(&texts(&svg, "middle"), |(_, x, _)| *x);
    let y = axis(&texts(&svg, "end"), |(_, _, y)| y - 14.0 / 3.0);
    let shown = points(&svg, "fill-opacity");
    assert!((1000..5000).contains(&shown.len()), "{}", shown.len());
    for (left, at) in shown {
        let (x, y) = (x(left + 2.0), y(at));
        let is_near = |pair: (i32, i32)| {
            (f64::from(pair.0) - x).abs() < 10.0 && (f64::from(pair.1) - y).abs() < 20.0
        };
        assert!(pairs.clone().any(is_near), "no row has {x} and {y}");
    }
}

#[test]
fn bars_have_the_digits_of_the_rows_and_their_length() {
    let values = ["1234567.890", "-500000", "250000.25", "0"];
    let all = rows(
        values
            .iter()
            .map(|it| [format!("at {it}"), (*it).to_owned()]),
    );
    let svg = draw(
        &[("c", "VARCHAR"), ("n", "DECIMAL(18,3)")],
        &all,
        "bar.0.1.-",
    );
    let labels = [texts(&svg, "start"), texts(&svg, "end")].concat();
    for label in ["1,234,567.890", "-500,000", "250,000.25", "0"] {
        assert!(
            labels.iter().any(|(text, _, _)| text == label),
            "{label} in {labels:?}"
        );
    }
    let bars = svg.lines().filter(|line| line.contains("rx=\"2\""));
    let lengths = bars.map(|line| {
        let (_, after) = line.split_once(" width=\"").unwrap();
        after.split_once('"').unwrap().0.parse::<f64>().unwrap()
    });
    let lengths: Vec<_> = lengths.collect();
    // The largest first. Zero has a bar of one pixel.
    let [largest, small, zero, negative] = lengths[..] else {
        panic!("{lengths:?}")
    };
    assert_near(
        &[small / largest, negative / largest],
        &[250_000.25 / 1_234_567.89, 500_000.0 / 1_234_567.89],
    );
    assert!((zero - 1.0).abs() < 0.01, "{zero}");
}

#[test]
fn a_number_is_written_as_in_its_row() {
    let all = rows([["1284512.50".to_owned(), "1190000".to_owned()]].into_iter());
    let svg = draw(
        &[("a", "DECIMAL(18,2)"), ("b", "INTEGER")],
        &all,
        "number.-.0+1.-",
    );
    let shown: Vec<_> = texts(&svg, "middle")
        .into_iter()
        .map(|(text, _, _)| text)
        .collect();
    assert_eq!(
        shown,
        [
            "1,284,512.50",
            "+94,512.50 (+7.9 %) compared with 1,190,000"
        ]
    );
}

#[test]
fn times_lie_at_their_distance_from_the_marks() {
    let hours = [0, 1, 5, 23, 30];
    let all = rows(hours.iter().map(|it| {
        let at = format!("2024-05-{:02} {:02}:00:00", 4 + it / 24, it % 24);
        [at, "1".to_owned()]
    }));
    let svg = draw(&[("t", "TIMESTAMP"), ("n", "INTEGER")], &all, "line.0.1.-");
    let marks = texts(&svg, "middle");
    let mark = |name: &str| marks.iter().find(|it| it.0 == name).unwrap().1;
    // From midnight to midnight.
    let (first, day) = (mark("May 4"), mark("May 5") - mark("May 4"));
    let shown = points(&svg, "stroke-width=\"2.5\"");
    let shown: Vec<_> = shown
        .iter()
        .map(|(x, _)| (x - first) / day * 24.0)
        .collect();
    for (shown, hour) in shown.iter().zip(hours) {
        assert!(
            (shown - f64::from(hour)).abs() < 0.1,
            "{shown} instead of {hour}"
        );
    }
    assert_eq!(shown.len(), hours.len());
}

#[test]
fn series_have_the_color_of_their_names() {
    let all = rows((0..6).map(|at| {
        let (name, value) = if at % 2 == 0 { ("low", 1) } else { ("high", 9) };
        [(at / 2).to_string(), name.to_owned(), value.to_string()]
    }));
    let columns = [("x", "INTEGER"), ("c", "VARCHAR"), ("n", "INTEGER")];
    let svg = draw(&columns, &all, "line.0.2.1");
    let color = |line: &str, name: &str| {
        let (_, after) = line.split_once(&format!(" {name}=\"")).unwrap();
        after.split_once('"').unwrap().0.to_owned()
    };
    let lines: Vec<_> = svg.lines().collect();
    let swatch = |name: &str| {
        let at = lines
            .iter()
            .position(|it| it.ends_with(&format!(">{name}</text>")));
        color(lines[at.unwrap() - 1], "fill")
    };
    let drawn = |line: &&&str| line.contains("stroke-width=\"2.5\"");
    let paths: Vec<_> = lines.iter().filter(drawn).collect();
    let height = |line: &str| points(line, "<path")[0].1;
    let [low, high] = paths[..] else {
        panic!("{paths:?}")
    };
    assert!(height(low) > height(high));
    assert_eq!(color(low, "stroke"), swatch("low"));
    assert_eq!(color(high, "stroke"), swatch("high"));
    assert_ne!(swatch("low"), swatch("high"));
}

#[test]
fn the_largest_lines_are_kept() {
    let all = rows((0..9).flat_map(|at| {
        // The last one is the largest, and all others are equal.
        let value = if at == 8 { 9 } else { 1 };
        [1, 2].map(|x| [x.to_string(), format!("series {at}"), value.to_string()])
    }));
    let columns = [("x", "INTEGER"), ("c", "VARCHAR"), ("n", "INTEGER")];
    let svg = draw(&columns, &all, "line.0.2.1");
    let names: Vec<_> = texts(&svg, "start")
        .into_iter()
        .map(|(text, _, _)| text)
        .collect();
    assert!(names.contains(&"series 8".to_owned()), "{names:?}");
    assert!(!names.contains(&"series 7".to_owned()), "{names:?}");
}

#[test]
fn bars_grow_to_the_right_beside_long_names_and_numbers() {
    let long = "-123456789012.123456789";
    let all = rows(
        [long, "5"]
            .into_iter()
            .map(|it| ["w".repeat(60) + it, it.to_owned()]),
    );
    let svg = draw(
        &[("c", "VARCHAR"), ("n", "DECIMAL(38,9)")],
        &all,
        "bar.0.1.-",
    );
    let names = texts(&svg, "end");
    let widest = names.iter().map(|(_, x, _)| *x).fold(0.0, f64::max);
    assert!(widest < 500.0, "{names:?}");
}
