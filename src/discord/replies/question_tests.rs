//! Snapshots of the replies about the text of a query.

use super::{tests::gallery, *};
use crate::{
    discord::{access::DenialReason, query_file::UnreadableFile},
    history::{PastOutcome, PastQuery},
};

#[test]
fn texts_that_do_not_arrive() {
    let file = |why| unreadable_file("my `query`.sql", why);
    insta::assert_snapshot!(gallery(&[
        ("line breaks", line_breaks_lost()),
        ("both", query_and_file()),
        ("too large", file(UnreadableFile::TooLarge(70_000))),
        ("not text", file(UnreadableFile::NotText)),
        ("unavailable", file(UnreadableFile::Unavailable)),
    ]));
}

#[test]
fn running_and_editing_again() {
    let at = "2026-11-23T13:00:00Z".parse().expect("a time");
    let past = |sql: &str, outcome| PastQuery {
        sql: sql.into(),
        catalog: Some("lake".into()),
        at,
        outcome,
    };
    let long = format!("SELECT {}1 AS `n`", "1, ".repeat(200));
    let more = PastOutcome::Rows {
        count: 10_000,
        more: true,
    };
    let one = PastOutcome::Rows {
        count: 1,
        more: false,
    };
    let queries = [
        past("SELECT day,\n  total -- all\nFROM lake.sales.orders", one),
        past(&long, more),
        past("SELECT '\u{202e}`evil`'", PastOutcome::Error),
        past("DROP TABLE t", PastOutcome::Done),
        past("SELECT 1", PastOutcome::Cancelled),
        past("SELECT 2", PastOutcome::TimedOut),
        past("SELECT 3", PastOutcome::NotRun),
        past("SELECT 4", PastOutcome::Failed),
    ];
    let shown = |chosen: Option<&PastQuery>| history(99.into(), &queries, chosen, true);
    insta::assert_snapshot!(gallery(&[
        ("none", history(99.into(), &[], None, true)),
        ("none, and off", history(99.into(), &[], None, false)),
        (
            "one, and off",
            history(99.into(), &queries[..1], None, false)
        ),
        ("all", shown(None)),
        ("short", shown(Some(&queries[0]))),
        ("long", shown(Some(&queries[1]))),
        ("cleaned", shown(Some(&queries[2]))),
        ("deleted", history_deleted()),
        ("only queries", only_queries()),
        (
            "without a role",
            with_delete_button(access_denied(&DenialReason::NotAMember)),
        ),
        ("of another person", not_your_query(99.into())),
        ("gone", query_gone()),
        ("late", query_not_read_in_time()),
        ("too long for a form", too_long_to_edit("SELECT 1")),
    ]));
    let labels = shown(None).menu.into_iter().map(|entry| {
        assert!(entry.label.chars().count() <= 100 && entry.description.len() <= 100);
        format!(
            "{:?}: {} ({})",
            entry.button, entry.label, entry.description
        )
    });
    insta::assert_snapshot!(labels.collect::<Vec<_>>().join("\n"));
}
