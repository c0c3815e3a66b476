//! Layout of tables, and values that try to break out of a cell.

use proptest::{collection::vec, option, prelude::*};

use super::{text::*, *};
use crate::unicode::is_invisible;

fn rows(columns: &[(&str, &str)], rows: &[&[Option<&str>]]) -> Rows {
    let column = |(name, kind): &(&str, &str)| Column {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
    };
    let row = |row: &&[Option<&str>]| row.iter().map(|it| it.map(str::to_owned)).collect();
    Rows {
        columns: columns.iter().map(column).collect(),
        rows: rows.iter().map(row).collect(),
        ..Rows::default()
    }
}

fn drawn(all: &Rows) -> String {
    table(all, 1500).text
}

#[test]
fn numbers_are_right_aligned_values_are_exact_and_null_is_shown() {
    let all = rows(
        &[
            ("city", "VARCHAR"),
            ("total", "DECIMAL(10,2)"),
            ("day", "TIMESTAMP"),
            ("share", "DOUBLE"),
        ],
        &[
            &[
                Some("Zürich"),
                Some("1204.50"),
                Some("2026-01-01 00:00:00"),
                Some("0.30000000000000004"),
            ],
            &[
                Some("東京"),
                None,
                Some("2026-01-02 00:00:00"),
                Some("1e-300"),
            ],
            &[None, Some("7.00"), None, Some("0.0000000004")],
        ],
    );
    let expected = "\
city    │         total │ day                 │               share
VARCHAR │ DECIMAL(10,2) │ TIMESTAMP           │              DOUBLE
────────┼───────────────┼─────────────────────┼────────────────────
Zürich  │       1204.50 │ 2026-01-01 00:00:00 │ 0.30000000000000004
東京    │          NULL │ 2026-01-02 00:00:00 │              1e-300
NULL    │          7.00 │ NULL                │        0.0000000004";
    assert_eq!(drawn(&all), expected);
}

#[test]
fn wide_cells_are_shortened_and_columns_that_do_not_fit_are_left_out() {
    let long = "x".repeat(300);
    let one = rows(&[("a", "VARCHAR")], &[&[Some(&long)]]);
    let shown = table(&one, 1500);
    assert!(!shown.is_exact);
    assert!(
        shown.text.ends_with('…')
            && shown
                .text
                .lines()
                .all(|line| line.width() <= MAX_TABLE_WIDTH)
    );
    let names: Vec<_> = (0..40).map(|at| format!("column_{at}")).collect();
    let many: Vec<_> = names.iter().map(|name| (&**name, "VARCHAR")).collect();
    let values: Vec<_> = names.iter().map(|name| Some(&**name)).collect();
    let shown = table(&rows(&many, &[&values, &values]), 1500);
    assert_eq!((shown.rows, shown.columns), (2, 9));
    assert!(!shown.fits_phone());
}

#[test]
fn a_single_row_has_a_line_for_each_value() {
    let columns = [
        ("city", "VARCHAR"),
        ("total", "DECIMAL(10,2)"),
        ("n", "INTEGER"),
    ];
    let one = rows(&columns, &[&[Some("Zürich\nHB"), None, Some("7")]]);
    let expected = "\
city  │ VARCHAR       │ Zürich⏎HB
total │ DECIMAL(10,2) │ NULL
n     │ INTEGER       │ 7";
    assert_eq!(drawn(&one), expected);
    let shown = table(&one, 1500);
    assert!(shown.is_whole(&one) && shown.fits_phone());
    // What does not fit is left out.
    let narrow = table(&one, 65);
    assert_eq!((narrow.rows, narrow.columns), (1, 2));
    assert!(!narrow.is_whole(&one));
    assert!(drawn(&rows(&columns[..1], &[&[Some("Zürich")]])).starts_with("city\n"));
}

#[test]
fn emoji_and_joined_letters_are_kept_and_what_is_hidden_is_told() {
    for (value, shown, is_exact) in [
        ("❤\u{FE0F}", "❤\u{FE0F}", true),
        ("👨\u{200D}👩\u{200D}👧", "👨\u{200D}👩\u{200D}👧", true),
        ("❤\u{FE0F}\u{200D}🔥", "❤\u{FE0F}\u{200D}🔥", true),
        ("می\u{200C}خواهم", "می\u{200C}خواهم", true),
        ("Zürich\nHB`", "Zürich⏎HBˋ", true),
        ("pay\u{200D}pal", "pay·pal", false),
        ("\u{200D}👩", "·👩", false),
        ("👩\u{200D}", "👩·", false),
        ("\u{202E}evil", "·evil", false),
        ("e\u{301}\u{302}\u{303}", "e\u{301}\u{302}", false),
    ] {
        assert_eq!(cleaned(value), (shown.to_owned(), is_exact), "{value:?}");
        let one = rows(
            &[("a", "VARCHAR"), ("b", "VARCHAR")],
            &[&[Some(value), None]],
        );
        assert_eq!(table(&one, 1500).is_exact, is_exact, "{value:?}");
        let two = rows(&[("a", "VARCHAR")], &[&[Some(value)], &[Some("x")]]);
        assert_eq!(table(&two, 1500).is_exact, is_exact, "{value:?}");
    }
}

#[test]
fn a_summary_has_a_line_for_each_value_and_a_plan_its_own() {
    let names = [
        "column_name",
        "column_type",
        "approx_unique",
        "null_percentage",
    ];
    let columns = names.map(|name| (name, ""));
    let values = [Some("id"), Some("INTEGER"), Some("41"), Some("0.00")];
    let summary = rows(&columns, &[&values, &values, &values]);
    let record = "column_name     │ id\ncolumn_type     │ INTEGER\napprox_unique   │ 41\n\
                  null_percentage │ 0.00";
    assert_eq!(drawn(&summary), [record; 3].join("\n\n"));
    let shown = table(&summary, 200);
    assert_eq!((shown.rows, shown.columns), (2, 4));
    let plan = rows(
        &[("explain_key", "VARCHAR"), ("explain_value", "VARCHAR")],
        &[&[Some("physical_plan"), Some("┌──┐\n│ `│\n└──┘\n")]],
    );
    assert_eq!(drawn(&plan), "┌──┐\n│ ˋ│\n└──┘");
}

#[test]
fn a_message_has_room_for_some_rows() {
    let value = [Some("0123456789")];
    let many = rows(&[("a", "VARCHAR")], &vec![&value[..]; 500]);
    let shown = table(&many, 400);
    assert!(
        message_len(&shown.text) <= 400 && shown.rows > 20,
        "{shown:?}"
    );
}

#[test]
fn csv_tells_null_from_an_empty_text() {
    let all = rows(
        &[("a,b", "VARCHAR"), ("c", "VARCHAR")],
        &[&[None, Some("")], &[Some("say \"hi\"\n"), Some("plain")]],
    );
    assert_eq!(
        csv(&all),
        "\"a,b\",c\r\n,\"\"\r\n\"say \"\"hi\"\"\n\",plain\r\n"
    );
}

#[test]
fn a_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe() {
    let all = rows(
        &[("=cmd()", "VARCHAR"), ("n", "INTEGER"), ("j", "JSON")],
        &[
            &[Some("=1+1"), Some("-5"), Some("-5")],
            &[Some("@SUM(1)"), Some("+5"), Some("+5 or 6")],
            &[Some("\t=1"), None, Some("-1e3")],
            &[Some("\r\n-x"), Some("1"), Some("＝1")],
            &[Some("a=1"), Some("1"), Some("[-1]")],
            &[Some("a;=1"), Some("1"), Some("- a point")],
        ],
    );
    let expected = [
        "'=cmd(),n,j",
        "'=1+1,-5,-5",
        "'@SUM(1),+5,'+5 or 6",
        "\"'\t=1\",,-1e3",
        "\"'\r\n-x\",1,'＝1",
        "a=1,1,[-1]",
        "\"a;=1\",1,'- a point",
        "",
    ];
    assert_eq!(csv(&all), expected.join("\r\n"));
}

/// Generates texts with characters and markup that are known to cause problems.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        proptest::sample::select(vec![
            "```",
            "`",
            "@everyone",
            "<@123>",
            "<@&5>",
            "<#7>",
            "</duck:1>",
            "**",
            "||",
            "~~",
            "[x](https://a.example)",
            "https://a.example",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{200d}",
            "\n",
            "\r",
            "\t",
            "\0",
            "שלום",
            "مرحبا",
            "👩‍👩‍👧",
            "<:duck:1>",
            ":duck:",
            "e\u{301}\u{301}\u{301}\u{301}",
            "\u{feff}",
            "> ",
            "# ",
            "-# ",
        ])
        .prop_map(str::to_owned),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_value_leaves_its_cell(
        names in vec(nasty(), 1..6),
        values in vec(vec(option::of(nasty()), 6), 0..8),
        room in 300_usize..1600,
    ) {
        let columns: Vec<_> = names.iter().map(|name| Column { name: name.clone(), kind: name.clone() }).collect();
        let body = values.iter().map(|row| row.iter().take(columns.len()).cloned().collect()).collect();
        let all = Rows { columns, rows: body, ..Rows::default() };
        let shown = table(&all, room);
        // Inside the code block, nothing is markdown and nobody is mentioned.
        prop_assert!(!shown.text.contains('`'));
        prop_assert!(!shown.text.chars().any(|c| c != '\n' && c.is_control()));
        let is_vertical = values.len() == 1 && names.len() > 1;
        let lines = match names.iter().all(String::is_empty) {
            _ if is_vertical => shown.columns - 1,
            true => 2,
            false => 3,
        };
        prop_assert_eq!(shown.text.split('\n').count(), lines + shown.rows);
        prop_assert!(shown.rows == 0 || message_len(&shown.text) <= room);
        // Each change of direction ends on its line.
        for line in shown.text.lines() {
            prop_assert_eq!(line.matches('\u{2068}').count(), line.matches('\u{2069}').count());
            // Joiners and emoji styles may be kept.
            let kept = ['\u{2068}', '\u{2069}', '\u{200C}', '\u{200D}', '\u{FE0F}'];
            let others = line.chars().filter(|c| !kept.contains(c));
            prop_assert!(!others.into_iter().any(is_invisible));
            let bounds = line.matches(['│', '┼']).count();
            let least = if is_vertical { 1 } else { shown.columns - 1 };
            prop_assert!(bounds >= least, "{}", line);
        }
    }

    #[test]
    fn csv_is_read_back(values in vec(vec(option::of(nasty()), 2), 0..6)) {
        let columns = ["a", "b"].map(|name| Column { name: name.into(), kind: "VARCHAR".into() });
        let all = Rows { columns: columns.into(), rows: values.clone(), ..Rows::default() };
        let written = csv(&all);
        // Quotes come in pairs, so every CSV reader finds the same line ends.
        prop_assert_eq!(written.matches('"').count() % 2, 0);
        prop_assert_eq!(unquoted_ends(&written), values.len() + 1);
    }
}

/// Counts the line ends outside of quotes.
fn unquoted_ends(text: &str) -> usize {
    let outside = text.split('"').step_by(2);
    outside.map(|piece| piece.matches("\r\n").count()).sum()
}
