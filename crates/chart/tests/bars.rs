//! Bars have the numbers of their rows.
#![allow(clippy::unwrap_used)]

mod frames;

use chart::{Kind, Note};
use frames::{draw, draw_kind, january, rows, texts};

const COUNTS: [(&str, &str); 2] = [("c", "VARCHAR"), ("n", "BIGINT")];

#[test]
fn sums_have_all_digits() {
    let all = rows([
        "a|9007199254740993",
        "a|1",
        "b|NULL",
        "b|NULL",
        "c|5",
        "c|NULL",
    ]);
    let drawing = draw(&COUNTS, &all);
    assert_eq!(
        drawing.alt,
        "Bars of n by c: a 9,007,199,254,740,994, c 5, b NULL."
    );
    assert_eq!(drawing.notes, [Note::Summed]);
    let decimals = rows(["b|1", "b|0.123456789", "a|7"]);
    let drawing = draw(&[("c", "VARCHAR"), ("n", "DECIMAL(18,9)")], &decimals);
    assert_eq!(drawing.alt, "Bars of n by c: a 7, b 1.123456789.");
    let floats = rows(["a|0.1", "a|0.2", "b|0.30000000000000004"]);
    let drawing = draw(&[("c", "VARCHAR"), ("n", "DOUBLE")], &floats);
    assert_eq!(drawing.alt, "Bars of n by c: a 0.3, b 0.3.");
}

#[test]
fn the_other_bars_are_summed_exactly() {
    let all = rows((0..40).map(|at| format!("p{at}|{}", 9_007_199_254_740_993_u64 - at)));
    let drawing = draw(&COUNTS, &all);
    // 29 × 9,007,199,254,740,993 − (11 + … + 39)
    assert!(texts(&drawing).contains(&"261,208,778,387,488,072".to_owned()));
    assert!(texts(&drawing).contains(&"other (29)".to_owned()));
    assert_eq!(drawing.notes, [Note::Others(29), Note::OtherCut]);
    let many = rows((0..2000).map(|at| format!("p{at}|1")));
    assert!(texts(&draw(&COUNTS, &many)).contains(&"other (1,989)".to_owned()));
}

#[test]
fn names_without_a_number_are_not_other_ones() {
    let all = rows((0..40).map(|at| {
        let value = if at < 5 { "7" } else { "NULL" };
        format!("p{at}|{value}")
    }));
    let drawing = draw(&COUNTS, &all);
    assert_eq!(drawing.notes, [Note::WithoutNumber(35)]);
    assert!(!drawing.svg.contains("NULL") && !drawing.svg.contains("other"));
    assert!(drawing.svg.contains(">p4<"));
}

#[test]
fn the_largest_losses_have_bars() {
    let all = rows((0..40).map(|at| format!("p{at}|{}", 20 - at)));
    let drawing = draw(&COUNTS, &all);
    let shown = texts(&drawing);
    for name in ["p0", "p1", "p39", "p38"] {
        assert!(shown.iter().any(|it| it == name), "{name} in {shown:?}");
    }
    assert!(!shown.iter().any(|it| it == "p20"), "{shown:?}");
    assert!(
        drawing.alt.ends_with(", and 37 more, lowest p39 -19."),
        "{}",
        drawing.alt
    );
}

#[test]
fn times_stay_in_their_order() {
    let days = rows(
        (1..=31)
            .rev()
            .map(|day| format!("{}|{}", january(day), day * 7 % 24)),
    );
    let drawing = draw_kind(Kind::Bars, &[("day", "DATE"), ("n", "INTEGER")], &days);
    assert_eq!(drawing.notes, []);
    assert_eq!(
        drawing.alt,
        "Bars of n by day: 2024-01-01 7, 2024-01-02 14, 2024-01-03 21, and 28 more, highest 2024-01-17 23."
    );
    let hours = rows((0..24).map(|at| format!("{:02}:00:00|{}", (at + 5) % 24, at * 5 % 17)));
    let drawing = draw(&[("hour", "TIME"), ("n", "INTEGER")], &hours);
    let shown = texts(&drawing);
    let shown: Vec<_> = shown.iter().filter(|it| it.ends_with(":00:00")).collect();
    let expected: Vec<_> = (0..24).map(|at| format!("{at:02}:00:00")).collect();
    assert_eq!(shown, expected.iter().collect::<Vec<_>>());
}

#[test]
fn no_two_names_look_the_same() {
    let all = rows(["鴨|5", "鴻|4", "|3", "'x'|2", "NULL|1"]);
    let shown = texts(&draw(&COUNTS, &all));
    for name in ["? (1)", "? (2)", "\"\"", "NULL"] {
        assert!(shown.iter().any(|it| it == name), "{name} in {shown:?}");
    }
    let mut all = rows(["x|5", "NULL|4"]);
    all[0][0] = Some("NULL".to_owned());
    let shown = texts(&draw(&COUNTS, &all));
    assert!(shown.contains(&"\"NULL\"".to_owned()), "{shown:?}");
    let long =
        ["one", "two"].map(|it| format!("https://example.org/a/very/long/path/of/ducks/{it}|1"));
    let shown = texts(&draw(&COUNTS, &rows(long)));
    for end in ["one", "two"] {
        assert!(
            shown.iter().any(|it| it.contains('…') && it.ends_with(end)),
            "{shown:?}"
        );
    }
}

#[test]
fn a_number_never_loses_its_end() {
    let all = rows(["a|170141183460469231731687303715884105727", "b|1"]);
    let shown = texts(&draw(&[("c", "VARCHAR"), ("n", "HUGEINT")], &all));
    assert!(shown.contains(&"1.701412e38".to_owned()), "{shown:?}");
    let all = rows(["a|66.66666666666667", "b|33.333333333333336"]);
    let shown = texts(&draw(&[("c", "VARCHAR"), ("n", "DOUBLE")], &all));
    assert!(shown.contains(&"66.666667".to_owned()), "{shown:?}");
}
