//! Any rows give a chart or a reason, and any value stays within its text.
#![allow(clippy::unwrap_used)]

use chart::{Board, Choice, Figure, Frame, Kind, NoChart, Panel};
use proptest::{collection::vec, option, prelude::*};

/// Texts of a drawing. Each element has a line of its own.
fn texts(svg: &str) -> Vec<String> {
    let lines = svg.lines().skip(1);
    let lines = lines.take_while(|line| *line != "</svg>");
    let texts = lines.filter_map(|line| {
        assert!(line.starts_with('<') && line.ends_with('>'), "{line}");
        let body = line.strip_prefix("<text ")?.strip_suffix("</text>");
        let (_, text) = body.unwrap().split_once('>').unwrap();
        assert!(!text.contains(['<', '>']), "{line}");
        Some(text.to_owned())
    });
    texts.collect()
}

const TYPES: [&str; 13] = [
    "INTEGER",
    "DOUBLE",
    "DECIMAL(18,3)",
    "HUGEINT",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
    "VARCHAR",
    "BOOLEAN",
    "TIME",
    "INTEGER[]",
    "STRUCT(a INTEGER)",
    "",
];

fn value() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof![
        any::<i64>().prop_map(|it| it.to_string()),
        (-1000..1000i32).prop_map(|it| it.to_string()),
        any::<f64>().prop_map(|it| it.to_string()),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]( [0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?)?([+-][0-9]{2})?",
        "[a-c]",
        ".*",
        Just("<script>\"'&]]></text><image href='x'/>".to_owned()),
        Just("-infinity".to_owned()),
        Just("nan".to_owned()),
    ];
    option::weighted(0.9, text)
}

/// Board with the same chart twice.
fn board<'a>(
    columns: &'a [(String, usize)],
    rows: &'a [Vec<Option<String>>],
    choice: &Choice,
) -> Board<'a> {
    let names = columns.iter().map(|(name, _)| name.as_str());
    let text = names.clone().next().unwrap_or_default();
    let panel = || {
        let kinds = columns.iter().map(|(_, kind)| TYPES[*kind]);
        Panel {
            title: text,
            frame: Frame::new(names.clone().zip(kinds), rows).with_rest(),
            choice: choice.clone(),
        }
    };
    let figure = Figure {
        value: "1",
        name: text,
        note: Some(text),
    };
    Board {
        title: text,
        figures: [figure; 3],
        panels: [panel(), panel()],
    }
}

/// Checks all choices of a frame, and the drawing of one of them. `picture`: which one, and how much of it.
fn check(
    columns: &[(String, usize)],
    values: &[Vec<Option<String>>],
    picture: usize,
) -> Result<(), TestCaseError> {
    let rows: Vec<Vec<_>> = values
        .iter()
        .map(|row| row[..columns.len()].to_vec())
        .collect();
    let frame = Frame::new(
        columns
            .iter()
            .map(|(name, kind)| (name.as_str(), TYPES[*kind])),
        &rows,
    );
    let first = frame.suggest();
    prop_assert_eq!(
        first.is_ok(),
        !rows.is_empty() && !frame.choices().is_empty()
    );
    let choices = frame.choices();
    prop_assert!(choices.len() <= 25);
    prop_assert_eq!(frame.has_choices(), first.is_ok());
    // Drawing takes longer than all else.
    if let Some(choice) = choices.get(picture % choices.len().max(1)) {
        prop_assert_eq!(choice.to_string().parse(), Ok(choice.clone()));
        prop_assert!(!frame.label(choice).is_empty());
        match frame.draw(choice) {
            Ok(drawing) => {
                prop_assert!(!texts(&drawing.svg).is_empty());
                prop_assert!(
                    !drawing.svg.contains("NaN") && !drawing.svg.contains("inf\""),
                    "{}",
                    drawing.svg
                );
                // Rendering takes even longer.
                if picture.is_multiple_of(5) && matches!(choice.kind, Kind::Line | Kind::Bars) {
                    let board = board(columns, &rows, choice);
                    let both = board.draw().unwrap();
                    // The last bar of a board is the sum of others.
                    let is_line = choice.kind == Kind::Line;
                    prop_assert!(!is_line || both.alt.ends_with(&drawing.alt), "{}", both.alt);
                    prop_assert!(texts(&both.svg).len() > 4);
                    prop_assert!(
                        !both.svg.contains("NaN") && !both.svg.contains("inf\""),
                        "{}",
                        both.svg
                    );
                }
                if picture.is_multiple_of(100) {
                    prop_assert!(chart::png(&drawing.svg).starts_with(b"\x89PNG"));
                }
            }
            Err(why) => prop_assert!(
                matches!(why, NoChart::NothingToDraw | NoChart::NoRows),
                "{why:?}"
            ),
        }
    }
    for kind in Kind::ALL {
        if let Ok(choice) = frame.suggest_kind(kind) {
            prop_assert_eq!(choice.kind, kind);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_gives_a_chart_or_a_reason(
        columns in vec((".{0,30}", 0..TYPES.len()), 0..5),
        values in vec(vec(value(), 5), 0..12),
        picture in 0..1000usize,
    ) {
        check(&columns, &values, picture)?;
    }

    #[test]
    fn a_choice_for_other_columns_is_refused(text in "(line|bar|scatter|number)\\.(-|[0-9])\\.[0-9](\\+[0-9]){0,9}\\.(-|[0-9])") {
        let rows = vec![vec![Some("1".to_owned()), Some("a".to_owned())]];
        let frame = Frame::new([("n", "INTEGER"), ("c", "VARCHAR")], &rows);
        let choice: chart::Choice = text.parse().unwrap();
        let named = choice.along.iter().chain(&choice.series).chain(&choice.numbers);
        if named.copied().any(|it| it > 1) {
            prop_assert_eq!(frame.draw(&choice), Err(NoChart::UnknownColumn));
        }
        // No choice makes it panic.
        let _ = frame.draw(&choice);
    }
}

/// Value like the ones of real results: few names, days, whole numbers, and NULL.
fn common_value() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof![
        (0..20u32).prop_map(|it| it.to_string()),
        (-30..30i32).prop_map(|it| format!("{it}.25")),
        (1..29u32).prop_map(|it| format!("2024-02-{it:02}")),
        (0..24u32).prop_map(|it| format!("2024-02-01 {it:02}:00:00+0{}", it % 2)),
        (0..24u32).prop_map(|it| format!("{it:02}:00:00")),
        (0..40u32).prop_map(|it| format!("duck {it}")),
        "[鴨鴻]",
        Just(String::new()),
        Just("NULL".to_owned()),
    ];
    option::weighted(0.9, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn many_rows_with_few_values_give_a_chart_or_a_reason(
        columns in vec((".{0,9}", 0..TYPES.len()), 1..5),
        values in vec(vec(common_value(), 5), 12..60),
        picture in 0..1000usize,
    ) {
        check(&columns, &values, picture)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn more_rows_than_points_give_a_chart_or_a_reason(
        columns in vec((".{0,9}", 0..TYPES.len()), 2..5),
        values in vec(vec(common_value(), 5), 12..60),
        picture in 0..1000usize,
    ) {
        let many: Vec<_> = values.iter().cycle().take(5500).cloned().collect();
        check(&columns, &many, picture)?;
    }
}

#[test]
fn characters_that_xml_forbids_are_drawn() {
    for odd in [
        '\u{ffff}',
        '\u{fffe}',
        '\u{0}',
        '\u{b}',
        '\u{10ffff}',
        '\u{d7ff}',
    ] {
        let rows = vec![vec![Some(format!("a{odd}b")), Some("1".to_owned())]; 2];
        let frame = Frame::new([("c", "VARCHAR"), ("n", "INTEGER")], &rows);
        let choice = frame.suggest_kind(Kind::Bars).unwrap();
        assert!(!chart::png(&frame.draw(&choice).unwrap().svg).is_empty());
    }
}

#[test]
fn a_thousand_columns_have_no_more_choices_than_a_menu() {
    let names: Vec<_> = (0..1000).map(|at| format!("c{at}")).collect();
    let columns = names.iter().enumerate().map(|(at, name)| {
        let kind = ["INTEGER", "VARCHAR", "DATE"][at % 3];
        (name.as_str(), kind)
    });
    let rows = vec![vec![Some("1".to_owned()); 1000]; 3];
    assert_eq!(Frame::new(columns, &rows).choices().len(), 25);
}
