//! Snapshots of the replies about the text of a query.

use chart::{Kind, NoChart, Note};

use super::{picture::with_picture, tests::gallery, *};
use crate::{
    discord::{
        access::DenialReason,
        buttons::PastQueryRef,
        charts::{self, ChartError, Picture, WantedChart},
        file_format::FileFormat,
        query_file::UnreadableFile,
    },
    history::{PastOutcome, PastQuery},
    runtime::{ChangedType, Column, Parquet, ParquetFile, QueryResponse, Rows},
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
    let menu = shown(None).menu.expect("a menu");
    let labels = menu.entries.into_iter().map(|entry| {
        let description = entry.description.expect("a description");
        assert!(entry.label.chars().count() <= 100 && description.len() <= 100);
        format!("{:?}: {} ({description})", entry.button, entry.label)
    });
    insta::assert_snapshot!(labels.collect::<Vec<_>>().join("\n"));
}

#[test]
fn files_with_a_result() {
    let told_again = |is_rerun, file, parquet| {
        let question = QueryContext {
            sql: "SELECT day, sum(n) AS n FROM orders",
            session: None,
            catalog: "lake",
            missing: None,
            file,
            is_rerun,
            ..QueryContext::default()
        };
        let column = |name: &str, kind: &str| Column {
            name: name.into(),
            kind: kind.into(),
        };
        let rows = QueryResponse::Rows(Rows {
            columns: vec![column("day", "DATE"), column("n", "HUGEINT")],
            rows: vec![vec![Some("2026-11-23".into()), Some("3".into())]],
            parquet,
            ..Rows::default()
        });
        let reply = answer(&question, &rows);
        let query = PastQueryRef {
            owner: 99.into(),
            stored: None,
            session: None,
            catalog: None,
        };
        let downloads = downloads(&rows, &reply);
        let extras = Extras {
            chart: has_chart(&rows, &reply),
            downloads: &downloads,
            schedule: true,
        };
        with_query_buttons(reply, Some(query), None, extras)
    };
    let told = |file, parquet| told_again(false, file, parquet);
    let wide = |count| ParquetFile {
        content: "PAR1".into(),
        rows: 1,
        changed: (0..count)
            .map(|_| ChangedType {
                column: "n`".into(),
                kind: "HUGEINT".into(),
                in_file: "DECIMAL(38,0)".into(),
            })
            .collect(),
    };
    let [csv, parquet] = FileFormat::ALL.map(Some);
    insta::assert_snapshot!(gallery(&[
        ("none", told(None, None)),
        ("csv", told(csv, None)),
        ("parquet", told(parquet, Some(Parquet::File(wide(0))))),
        (
            "ran again",
            told_again(true, parquet, Some(Parquet::File(wide(1))))
        ),
        ("many types", told(parquet, Some(Parquet::File(wide(5))))),
        (
            "failed",
            told(parquet, Some(Parquet::Failed("IO Error: `x`".into())))
        ),
        ("too large", told(parquet, Some(Parquet::TooLarge))),
        ("secrets", told(parquet, Some(Parquet::HasSecrets))),
        ("no SELECT", told(parquet, Some(Parquet::NotSelect))),
        ("an old session", told(parquet, None)),
        ("another format", unknown_format("xl`sx")),
    ]));
}

#[test]
fn a_statement_with_effects_offers_no_download() {
    let question = QueryContext {
        sql: "INSERT INTO t VALUES (1) RETURNING *",
        session: None,
        catalog: "lake",
        missing: None,
        ..QueryContext::default()
    };
    let rows = |has_effects| {
        let rows = QueryResponse::Rows(Rows {
            has_effects,
            ..Rows::default()
        });
        let reply = answer(&question, &rows);
        downloads(&rows, &reply)
    };
    assert_eq!(rows(false), FileFormat::ALL);
    assert_eq!(rows(true), []);
}

#[test]
fn results_with_a_chart() {
    let column = |name: &str, kind: &str| Column {
        name: name.into(),
        kind: kind.into(),
    };
    let rows = Rows {
        columns: vec![column("species", "VARCHAR"), column("grams", "INTEGER")],
        rows: [("teal", "330"), ("eider", "2200")]
            .map(|(species, grams)| vec![Some(species.into()), Some(grams.into())])
            .into(),
        ..Rows::default()
    };
    let told = |chart: Result<Picture, ChartError>| {
        let question = QueryContext {
            sql: "FROM ducks",
            catalog: "lake",
            chart: Some(&chart),
            ..QueryContext::default()
        };
        let reply = answer(&question, &QueryResponse::Rows(rows.clone()));
        Reply {
            files: Vec::new(),
            ..reply
        }
    };
    let drawn = charts::draw(&rows, &WantedChart::Best).map_err(ChartError::NoChart);
    let missing = |why| told(Err(ChartError::NoChart(why)));
    let failed = || ChartError::Failed {
        reference: "1a2b3c4d".into(),
    };
    let noted = |note| {
        drawn.clone().map(|mut picture| {
            picture.drawing.notes = vec![note];
            picture
        })
    };
    let texts = [
        ("drawn", told(drawn.clone())),
        ("averaged", told(noted(Note::Averaged(9000)))),
        ("extremes", told(noted(Note::Extremes(9000)))),
        ("thinned", told(noted(Note::Thinned(9000)))),
        ("summed", told(noted(Note::Summed))),
        ("others", told(noted(Note::Others(29)))),
        ("cut", told(noted(Note::OtherCut))),
        ("without a number", told(noted(Note::WithoutNumber(35)))),
        ("series", told(noted(Note::SeriesLeftOut(1)))),
        ("rows", told(noted(Note::RowsLeftOut(2)))),
        ("glyphs", told(noted(Note::MissingGlyphs))),
        ("no rows", missing(NoChart::NoRows)),
        ("no numbers", missing(NoChart::NoNumbers)),
        ("nothing", missing(NoChart::NothingToDraw)),
        ("line", missing(NoChart::Unsuitable(Kind::Line))),
        ("bars", missing(NoChart::Unsuitable(Kind::Bars))),
        ("scatter", missing(NoChart::Unsuitable(Kind::Scatter))),
        ("number", missing(NoChart::Unsuitable(Kind::Number))),
        ("columns", missing(NoChart::UnknownColumn)),
        ("failed", told(Err(failed()))),
        ("unknown", unknown_chart("pie")),
    ];
    insta::assert_snapshot!(gallery(&texts));
    let more = Rows {
        more: true,
        ..rows.clone()
    };
    let part = charts::draw(&more, &WantedChart::Best).map_err(ChartError::NoChart);
    let question = QueryContext {
        chart: Some(&part),
        ..QueryContext::default()
    };
    let text = answer(&question, &QueryResponse::Rows(more)).text;
    let says = "The chart shows the first 2 rows; the result has more.";
    assert!(text.contains(says), "{text}");
    let alt = part.expect("a chart").drawing.alt;
    assert!(alt.ends_with("the result has more."), "{alt}");
    let mut in_a_file = rows.clone();
    in_a_file.parquet = Some(Parquet::File(ParquetFile {
        content: "PAR1".into(),
        rows: 9,
        changed: Vec::new(),
    }));
    let question = QueryContext {
        file: Some(FileFormat::Parquet),
        chart: Some(&drawn),
        ..QueryContext::default()
    };
    let text = answer(&question, &QueryResponse::Rows(in_a_file)).text;
    assert!(text.contains("The chart shows the first 2 rows."), "{text}");
    let reply = with_picture(Reply::new(""), &drawn.expect("a chart"));
    let file = reply.files.first().expect("a picture");
    let alt = "Bars of grams by species: eider 2,200, teal 330.";
    assert_eq!(
        (file.name.as_str(), file.alt.as_deref()),
        ("chart.png", Some(alt))
    );
    let entries = reply.menu.expect("a menu").entries;
    let labels: Vec<_> = entries.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(labels, ["Line: grams by row", "Number: grams"]);
}
