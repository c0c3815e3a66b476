//! Examples of charts. Their pictures are on the page docs/charts.md.
//!
//! `CHART_TEST_WRITE=1` writes the expected drawings and the pictures.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use chart::{Choice, Frame, Kind, Note};

type Rows = Vec<Vec<Option<String>>>;

/// Result of a query: names and types of columns, and rows.
struct Example {
    name: &'static str,
    columns: &'static [(&'static str, &'static str)],
    rows: Rows,
    /// Asked kind. `None`: the first choice.
    kind: Option<Kind>,
}

fn row<const N: usize>(values: [&str; N]) -> Vec<Option<String>> {
    let value = |it: &str| (it != "NULL").then(|| it.to_owned());
    values.map(value).into()
}

/// Numbers that look like measured ones, and are always the same.
fn wave(at: usize, seed: usize) -> f64 {
    let at = at as f64 + seed as f64 * 37.0;
    100.0 + 40.0 * (at / 9.0).sin() + 12.0 * (at * 1.7).sin() + 0.35 * at
}

/// Number from 0 to 1 that looks random, and is always the same.
fn noise(at: usize) -> f64 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 24)
}

fn examples() -> Vec<Example> {
    const DAY: (&str, &str) = ("day", "DATE");
    let day = |at: usize| {
        let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        (date + chrono::Days::new(at as u64)).to_string()
    };
    let example = |name, columns, rows, kind| Example {
        name,
        columns,
        rows,
        kind,
    };
    vec![
        example(
            "line",
            &[DAY, ("sightings", "BIGINT")],
            (0..120)
                .map(|at| row([&day(at), &format!("{:.0}", wave(at, 1) * 30.0)]))
                .collect(),
            None,
        ),
        example(
            "series",
            &[DAY, ("species", "VARCHAR"), ("mean_grams", "DOUBLE")],
            (0..60)
                .flat_map(|at| {
                    ["mallard", "teal", "Krickente", "кряква"]
                        .into_iter()
                        .enumerate()
                        .map(move |(seed, it)| {
                            let value = format!("{:.1}", wave(at, seed) * (4.0 - seed as f64));
                            row([&day(at), it, &value])
                        })
                })
                .collect(),
            None,
        ),
        example(
            "gaps",
            &[DAY, ("celsius", "DECIMAL(4,1)")],
            (0..40)
                .filter(|at| !(12..18).contains(at))
                .map(|at| {
                    let value = format!("{:.1}", wave(at, 3) / 10.0 - 9.0);
                    row([
                        &day(at),
                        if (27..30).contains(&at) {
                            "NULL"
                        } else {
                            &value
                        },
                    ])
                })
                .collect(),
            None,
        ),
        example(
            "bars",
            &[("species", "VARCHAR"), ("grams", "INTEGER")],
            [
                ("mallard", "1100"),
                ("teal", "330"),
                (
                    "a duck with a name that is much too long for a chart",
                    "1490",
                ),
                ("eider", "2200"),
                ("mandarin", "NULL"),
                ("pintail", "850"),
            ]
            .map(|(name, grams)| row([name, grams]))
            .into(),
            None,
        ),
        example(
            "many-bars",
            &[("pond", "VARCHAR"), ("sightings", "BIGINT")],
            (0..40)
                .map(|at| {
                    row([
                        &format!("Pond {at}"),
                        &(90_000 / (at * 7 % 40 + 3)).to_string(),
                    ])
                })
                .collect(),
            None,
        ),
        example(
            "losses",
            &[("pond", "VARCHAR"), ("change_eur", "DECIMAL(18,2)")],
            (0..9)
                .map(|at| {
                    let value = format!("{:.2}", (wave(at * 7, 2) - 130.0) * 4321.5);
                    row([&format!("Pond {at}"), &value])
                })
                .collect(),
            None,
        ),
        example(
            "days",
            &[DAY, ("sightings", "BIGINT")],
            (0..31)
                .map(|at| row([&day(at), &format!("{:.0}", wave(at, 6) * 30.0)]))
                .collect(),
            Some(Kind::Bars),
        ),
        example(
            "scatter",
            &[("wing_cm", "DOUBLE"), ("grams", "DOUBLE")],
            (0..250)
                .map(|at| {
                    // Two species, whose mass grows with the cube of their wings.
                    let (size, spread) = [(18.5, 1.2), (27.0, 1.6)][at % 2];
                    let wing =
                        size + spread * (wave(at * 11, 5) - 0.35 * (at as f64 * 11.0)) / 40.0 - 6.0;
                    let grams = wing.powi(3) / 18.0 * (0.7 + noise(at) * 0.5);
                    row([&format!("{wing:.2}"), &format!("{grams:.1}")])
                })
                .collect(),
            None,
        ),
        example(
            "number",
            &[("ducks", "BIGINT"), ("last_week", "BIGINT")],
            vec![row(["1284512", "1190000"])],
            None,
        ),
        example(
            "hours",
            &[
                ("at", "TIMESTAMP"),
                ("queries", "INTEGER"),
                ("errors", "INTEGER"),
            ],
            (0..48)
                .map(|at| {
                    let at_text = format!("2024-05-{:02} {:02}:00:00", 4 + at / 24, at % 24);
                    let queries = format!("{:.0}", wave(at, 4));
                    row([&at_text, &queries, &(at % 5).to_string()])
                })
                .collect(),
            None,
        ),
        example(
            "rows",
            &[("latency_ms", "DOUBLE")],
            (0..9000)
                .map(|at| {
                    let is_slow = at % 1711 == 900;
                    let usual = 4.0 + 2.0 * (at as f64 / 1400.0).sin() + noise(at).powi(4) * 6.0;
                    let latency = if is_slow {
                        31.0 + noise(at) * 9.0
                    } else {
                        usual
                    };
                    row([&format!("{latency:.2}")])
                })
                .collect(),
            Some(Kind::Line),
        ),
    ]
}

fn draw(example: &Example) -> (Choice, chart::Drawing) {
    let frame = Frame::new(example.columns.iter().copied(), &example.rows);
    let choice = match example.kind {
        Some(kind) => frame.suggest_kind(kind),
        None => frame.suggest(),
    };
    let choice = choice.unwrap();
    let drawing = frame.draw(&choice).unwrap();
    (choice, drawing)
}

#[test]
fn drawings_are_always_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let writes = std::env::var_os("CHART_TEST_WRITE").is_some();
    for example in examples() {
        let (_, drawing) = draw(&example);
        let name = example.name;
        let expected = folder.join(format!("tests/gallery/{name}.svg"));
        let picture = folder.join(format!("../../docs/charts/{name}.png"));
        let png = chart::png(&drawing.svg);
        if writes {
            for file in [&expected, &picture] {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
            }
            fs::write(&expected, &drawing.svg).unwrap();
            fs::write(&picture, &png).unwrap();
        }
        assert_eq!(fs::read_to_string(expected).unwrap(), drawing.svg, "{name}");
        // Not with assert_eq, which would print both pictures.
        assert!(fs::read(picture).unwrap() == png, "{name}");
    }
}

#[test]
fn the_alternative_text_says_the_gist() {
    let all: Vec<_> = examples()
        .iter()
        .map(|example| {
            let (choice, drawing) = draw(example);
            format!("{choice}: {}", drawing.alt)
        })
        .collect();
    assert_eq!(
        all,
        [
            "line.0.1.-: Line of sightings by day, 2024-01-01 to 2024-04-29. Lowest 1,940 at 2024-01-04, highest 5,828 at 2024-04-03.",
            "line.0.2.1: 4 lines of mean_grams by day, per species, 2024-01-01 to 2024-02-29. Lowest 104.1 at 2024-02-13, highest 621.2 at 2024-01-17.",
            "line.0.1.-: Line of celsius by day, 2024-01-01 to 2024-02-09. Lowest 2.4 at 2024-02-09, highest 10.4 at 2024-01-20.",
            "bar.0.1.-: Bars of grams by species: eider 2,200, a duck with a name that is much too long for a chart 1,490, mallard 1,100, and 3 more.",
            "bar.0.1.-: Bars of sightings by pond: Pond 0 30,000, Pond 23 22,500, Pond 6 18,000, and 37 more.",
            "bar.0.1.-: Bars of change_eur by pond: Pond 8 277,689.60, Pond 7 261,454.67, Pond 0 150,599.75, and 6 more, lowest Pond 3 -192,011.65.",
            "bar.0.1.-: Bars of sightings by day: 2024-01-01 4,935, 2024-01-02 5,234, 2024-01-03 4,839, and 28 more, highest 2024-01-20 7,073.",
            "scatter.0.1.-: Scatter chart of grams by wing_cm: 250 points, wing_cm from 15.9 to 29.66, grams from 163.3 to 1,733.2.",
            "number.-.0+1.-: ducks: 1,284,512, +94,512 (+7.9 %) compared with 1,190,000 (last_week).",
            "line.0.1+2.-: 2 lines of queries and errors by at, 2024-05-04 to 2024-05-05 23:00:00. Lowest 0 at 2024-05-04, highest 215 at 2024-05-05 10:00:00.",
            "line.-.0.-: Line of latency_ms by row, 1 to 9,000. Lowest 2 at 6,513, highest 38.79 at 6,034.",
        ]
    );
}

#[test]
fn what_was_left_out_is_said() {
    let notes = |name: &str| {
        let all = examples();
        draw(all.iter().find(|it| it.name == name).unwrap()).1.notes
    };
    assert_eq!(notes("many-bars"), [Note::Others(29), Note::OtherCut]);
    assert_eq!(notes("rows"), [Note::Extremes(9000)]);
    assert_eq!(notes("line"), []);
}
