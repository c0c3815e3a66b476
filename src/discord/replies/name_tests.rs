//! Hostile names in every reply that shows one.

use proptest::{collection::vec, prelude::*};

use super::{tests::*, *};
use crate::{
    discord::suggest::{describe_session, label},
    runtime::{Column, QueryError, QueryResponse, Rows, TableName},
    service::{
        LookupRejection, MissingTable, QueryRejection, Rejection, StartRejection, TableList,
        TablesError, UnknownCatalog,
    },
    session::{Cause, Failure, Incident, Pod, PodState, Record, Stage, StartupStep},
};

/// Name that no text contains.
const NAME: &str = "Zq";

/// Generates names that break out of a line or a code span, mention people, or turn the text.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        proptest::sample::select(vec![
            "`",
            "```",
            "@everyone",
            "<@1>",
            "**",
            "||",
            "[x](https://a.example)",
            "\u{202e}",
            "\u{2066}",
            "\u{2069}",
            "\u{200b}",
            "\u{3164}",
            "\n",
            "\r",
            "\t",
            "\0",
            "\u{1b}[2J",
            "\u{2028}",
            "שלום",
            "12",
            "a\u{301}\u{301}\u{301}\u{301}",
            "’",
            " ",
        ])
        .prop_map(str::to_owned),
        Just("x".repeat(5000)),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// Every text that shows a name which a person or a table's owner chose.
fn texts(name: &str) -> Vec<(&'static str, String)> {
    let owned = || name.to_owned();
    let named = Record {
        display_name: owned(),
        ..record(Stage::Running)
    };
    let rejected = |rejection: Rejection| refused(&rejection).text;
    let incident = Incident::new(
        Failure::Crashed,
        if name.trim().is_empty() {
            "-".into()
        } else {
            owned()
        },
    );
    let pending = Pod::new(PodState::Pending {
        step: StartupStep::Queued,
        incident: Some(incident.clone()),
    });
    let query = |rejection: QueryRejection| rejected(rejection.into());
    let id = "977a26".parse().expect("an ID");
    let missing_table = MissingTable::Unknown(vec![owned()]);
    let asked = QueryContext {
        sql: "FROM x",
        session: Some(&id),
        catalog: "lake",
        missing: Some(&missing_table),
        ..QueryContext::default()
    };
    let missing = QueryError {
        kind: "Catalog".into(),
        message: "no such table".into(),
        name: Some("x".into()),
        missing: Some("Table".into()),
        ..QueryError::default()
    };
    let list = TableList {
        // Longer ones come in a file.
        names: vec![TableName::new(
            "zoo",
            name.chars().take(50).collect::<String>(),
        )],
        more: false,
    };
    let none = TableList {
        names: vec![TableName::new("zoo", "other")],
        more: false,
    };
    let columns = Rows {
        columns: vec![Column {
            name: "column".into(),
            kind: String::new(),
        }],
        rows: vec![vec![Some("a".into())]],
        ..Rows::default()
    };
    let failed = ending(Cause::Failed(incident.clone()));
    vec![
        ("a crash", crash_log(&named, "why", "log").text),
        (
            "a crash's reason",
            crash_log(&record(Stage::Running), name, "log").text,
        ),
        (
            "a silent door",
            unreachable(&[(named.clone().into(), noon())]).text,
        ),
        ("a suggestion", describe_session(&named, "running")),
        ("a suggested name", label(name)),
        ("a failure", failed.text),
        (
            "an obstacle",
            progress(&record(Stage::Starting), Some(&pending), None).text,
        ),
        ("a duration", invalid_duration(name).text),
        (
            "a catalog",
            rejected(
                UnknownCatalog {
                    given: owned(),
                    known: vec!["lake".into()],
                }
                .into(),
            ),
        ),
        (
            "a size",
            rejected(
                StartRejection::UnknownSize {
                    given: owned(),
                    known: vec!["small".into()],
                }
                .into(),
            ),
        ),
        (
            "a session",
            rejected(LookupRejection::InvalidId(owned()).into()),
        ),
        (
            "a table",
            query(QueryRejection::UnknownTable {
                given: owned(),
                nearest: Vec::new(),
            }),
        ),
        (
            "a near table",
            query(QueryRejection::UnknownTable {
                given: "x".into(),
                nearest: vec![owned()],
            }),
        ),
        (
            "an error",
            query(QueryRejection::TablesUnavailable(Box::new(
                TablesError::Query(QueryError::parse(name)),
            ))),
        ),
        (
            "a table that was meant",
            answer(&asked, &QueryResponse::Error(missing)).text,
        ),
        (
            "a list of tables",
            // The note is there for names that are not shown exactly.
            tables(&named, "lake", &list, None)
                .text
                .replace("The attached file has the exact names.", ""),
        ),
        (
            "a pattern",
            tables(&named, "lake", &none, Some(&format!("?{name}"))).text,
        ),
        (
            "columns",
            table_columns(&TableName::new("zoo", name), "lake", &columns).text,
        ),
    ]
}

#[test]
fn a_long_table_name_hides_no_others() {
    let list = TableList {
        names: vec![
            TableName::new("zoo", "x".repeat(3000)),
            TableName::new("zoo", "orders"),
        ],
        more: false,
    };
    let told = tables(&record(Stage::Running), "lake", &list, None);
    assert!(told.text.contains("x…\nzoo.orders\n"), "{}", told.text);
    let file = told.files.first().expect("a file with the whole names");
    let text = String::from_utf8_lossy(&file.content);
    assert_eq!(text, format!("zoo.{}\nzoo.orders\n", "x".repeat(3000)));
}

#[test]
fn a_suggestion_is_not_longer_than_discord_allows() {
    for letter in ["x", "ש"] {
        for name in [97, 98, 99, 100, 5000].map(|length| letter.repeat(length)) {
            let label = label(&name);
            assert!(label.chars().count() <= 100, "{label}");
        }
    }
}

#[test]
fn a_csv_file_with_a_formula_is_explained() {
    let rows = |value: &str| Rows {
        columns: vec![Column {
            name: "note".into(),
            kind: "VARCHAR".into(),
        }],
        rows: vec![vec![Some(value.repeat(100))]],
        ..Rows::default()
    };
    let told =
        |value: &str| table_columns(&TableName::new("zoo", "orders"), "lake", &rows(value)).text;
    let note = "In it, `'` begins each text that a spreadsheet would take for a formula.";
    assert!(told("=1").ends_with(note));
    assert!(!told("1=").contains(note));
}

/// Returns true if `name` has no effect outside of itself.
fn is_contained(name: &str) -> bool {
    let is_bidi = |c: char| {
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
    };
    let is_plain = |c: char| c != '`' && !c.is_control() && !is_bidi(c);
    name.chars().all(is_plain) && name.chars().count() <= 1000
}

/// Removes the isolates of right-to-left names. Returns `None` if one does not end in its place.
fn without_isolates(text: &str) -> Option<String> {
    let mut is_open = false;
    let mut bare = String::new();
    for c in text.chars() {
        match c {
            '\u{2068}' if !is_open => is_open = true,
            '\u{2069}' if is_open => is_open = false,
            '\u{2068}' | '\u{2069}' => return None,
            '`' | '\n' if is_open => return None,
            c => bare.push(c),
        }
    }
    (!is_open).then_some(bare)
}

proptest! {
    #[test]
    fn a_hostile_name_stays_in_its_place(name in hostile()) {
        for ((what, text), (_, frame)) in texts(&name).into_iter().zip(texts(NAME)) {
            prop_assert_eq!(frame.matches(NAME).count(), 1, "{}: {}", what, frame);
            let (before, after) = frame.split_once(NAME).expect("the text contains the name");
            let bare = without_isolates(&text);
            let inner = bare.as_deref().and_then(|bare| {
                bare.strip_prefix(before).and_then(|rest| rest.strip_suffix(after))
            });
            prop_assert!(inner.is_some_and(is_contained), "{}: {:?}", what, text);
        }
    }
}
