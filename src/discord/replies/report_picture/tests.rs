use std::{fs, path::Path, sync::Arc};

use chrono::TimeDelta;

use super::*;
use crate::{
    discord::replies::report,
    session::{Cause, Ending, Ledger, Record, Rule, RunningSession, starting},
};

fn after(minutes: i64) -> DateTime<Utc> {
    starting().created + TimeDelta::minutes(minutes)
}

fn session(number: usize, owner: usize, name: &str, size: &str, ready: i64) -> Record {
    let record = Record {
        id: format!("{number:06x}").parse().expect("a valid ID"),
        owner: (owner as u64 + 1).into(),
        display_name: name.into(),
        size: size.into(),
        created: after(ready),
        ..starting()
    };
    record.with_announcement(None, after(ready), 0)
}

fn ended(ledger: &Ledger, record: &Record, minutes: i64) -> Ledger {
    let ready = record.ready.expect("it was ready");
    let by_rule = Cause::Reaped {
        rule: Rule::Idle,
        since: ready,
    };
    let cause = match minutes % 3 {
        0 => by_rule,
        _ => Cause::Stopped { by: record.owner },
    };
    let at = ready + TimeDelta::minutes(minutes);
    ledger.with_ended(
        record,
        &Ending { at, cause },
        Some(ready + TimeDelta::hours(12)),
    )
}

const NAMES: [&str; 10] = [
    "Ana", "Ben", "Chloé", "Dmytro", "Emma", "Farid", "Grace", "Hugo", "Ida", "Jürgen",
];

/// Adds sessions of two weeks, and claims the report of each.
fn team() -> Ledger {
    const DAY: i64 = 24 * 60;
    let mut ledger = Ledger::new(after(-14 * DAY));
    for number in 0..14 * 17 {
        let day = number as i64 / 17;
        let owner = (number * number + number / 7) % 13 % NAMES.len();
        let begin = (day - 14) * DAY - 5 * 60 + (number as i64 * 7919 % 660);
        // Weekends are quiet. The 9th of November is a Monday.
        if day % 7 >= 5 && number % 6 > 0 {
            continue;
        }
        let size = ["small", "small", "large", "small", "medium"][number / 3 % 5];
        let one = session(number, owner, NAMES[owner], size, begin.max(-14 * DAY));
        let minutes = 40 + number as i64 * 104_729 % 400;
        if [-7 * DAY, 0]
            .into_iter()
            .any(|it| begin < it && begin + minutes > it)
        {
            continue;
        }
        ledger = ended(&ledger, &one, minutes);
        if day == 6 && ledger.since() < after(-7 * DAY) {
            ledger = ledger.with_claim(after(-7 * DAY), []);
            ledger = ledger.with_report_posted(after(-7 * DAY));
        }
    }
    ledger
}

fn week() -> Report {
    let running = RunningSession {
        record: Arc::new(session(1000, 0, "Ana", "small", -200)),
        due: None,
        unreachable: None,
    };
    team().report(vec![running], after(0))
}

fn svg(report: &Report) -> String {
    let drawing = draw(report).expect("it can be drawn");
    drawing.expect("there is use").svg
}

/// Returns the texts in a drawing.
fn texts(svg: &str) -> Vec<&str> {
    let lines = svg.lines().filter_map(|line| line.strip_suffix("</text>"));
    lines
        .filter_map(|line| Some(line.rsplit_once('>')?.1))
        .collect()
}

#[test]
fn the_picture_is_always_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let expected = folder.join("src/discord/replies/snapshots/report.svg");
    let picture = folder.join("docs/charts/report.png");
    let svg = svg(&week());
    if std::env::var_os("CHART_TEST_WRITE").is_some() {
        fs::write(&expected, &svg).expect("the drawing can be written");
        fs::write(&picture, chart::png(&svg)).expect("the picture can be written");
    }
    let expected = fs::read_to_string(expected).expect("a drawing");
    assert_eq!(svg, expected);
    let picture = fs::read(picture).expect("a picture");
    // Not with assert_eq, which would print both pictures.
    assert!(picture == chart::png(&svg));
}

#[test]
fn numbers_in_the_picture_are_those_in_the_text() {
    let week = week();
    let text = report(&week, false).text;
    let svg = svg(&week);
    let shown = texts(&svg);
    let total = hours(week.total().seconds);
    assert!(text.contains(&format!("Total use: {total}.")), "{text}");
    let detail = week.detail.as_ref().expect("a detail");
    let (saved, change) = (hours(detail.saved), change(detail).expect("a change"));
    let says = format!("The reaper saved up to {saved} ({change}).");
    assert!(text.contains(&says), "{text}");
    let count = week.sessions.to_string();
    for number in [&count, &total, &saved, &change] {
        assert!(shown.contains(&number.as_str()), "{number} in {shown:?}");
    }
    // Hours with a decimal, which the text has in minutes.
    let (most, others) = week.most_active(MAX_NAMED);
    for used in most.iter().map(|(_, used)| used).chain([&others]) {
        let in_text = format!(": {} in ", hours(used.seconds));
        assert!(text.contains(&in_text), "{in_text} in {text}");
        let in_picture = format!("{:.1}", used.seconds as f64 / 3600.0);
        assert!(shown.contains(&in_picture.as_str()), "{in_picture}");
    }
    // The parts of the period add up to the text's totals of the sizes.
    for (at, (size, used)) in detail.sizes.iter().enumerate() {
        let in_text = format!("{size}`: {} in ", hours(used.seconds));
        assert!(text.contains(&in_text), "{in_text} in {text}");
        assert!(shown.contains(&size.as_str()));
        let parts = load_rows(detail);
        let parts = parts.iter().skip(at).step_by(detail.sizes.len());
        let averages = parts.map(|row| row[2].as_ref().expect("a number"));
        let averages = averages.map(|it| it.parse::<f64>().expect("a number"));
        let seconds: f64 = averages
            .zip(&detail.load)
            .map(|(average, part)| average * (part.until - part.from).as_seconds_f64())
            .sum();
        let error = (seconds - used.seconds as f64).abs() / used.seconds as f64;
        assert!(error < 0.001, "{size}: {seconds} of {used:?}");
    }
}

#[test]
fn names_are_shown_apart_and_stay_within_their_text() {
    let week = week();
    let (people, has_rest) = people(&week, week.detail.as_ref().expect("a detail"));
    let names: BTreeSet<_> = people.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names.len(), has_rest), (MAX_NAMED + 1, true), "{names:?}");
    assert_eq!(people[MAX_NAMED].0, OTHERS);
    let mut hostile = week.clone();
    let names = ["Ana", "</text><script>", "Ana", "others", "鴨", "  "];
    let owners = (1..).map(OwnerId::from).zip(names);
    let used = UsageTotal {
        seconds: 9000,
        sessions: 1,
    };
    hostile.users = owners.clone().map(|(owner, _)| (owner, used)).collect();
    hostile.others = UsageTotal::default();
    let detail = hostile.detail.as_mut().expect("a detail");
    detail.names = owners.map(|(owner, name)| (owner, name.into())).collect();
    let (people, _) = self::people(&hostile, hostile.detail.as_ref().expect("a detail"));
    let names: Vec<_> = people.iter().map(|(name, _)| name.as_str()).collect();
    let apart = ["Ana", "</text><script>", "Ana (3)", "others (4)", "鴨", "6"];
    assert_eq!(names, apart);
    let svg = svg(&hostile);
    assert!(!svg.contains("<script"), "{svg}");
    assert!(texts(&svg).contains(&"?"), "{svg}");
}

#[test]
fn the_description_says_the_gist() {
    let picture = report_picture(&week()).expect("it can be drawn");
    let picture = picture.expect("there is use");
    insta::assert_snapshot!(picture.alt.expect("a description"));
    assert!(picture.content.starts_with(b"\x89PNG"));
    assert_eq!(picture.name, "report.png");
}

#[test]
fn a_short_period_shows_minutes() {
    let ledger = ended(&Ledger::new(after(0)), &session(1, 1, "Ben", "small", 0), 4);
    let report = ledger.report(Vec::new(), after(5));
    let svg = svg(&report);
    let shown = texts(&svg);
    for text in [
        "Minutes by person",
        "4.0",
        "Sessions in use on average (small)",
        "session",
        "0 h 04 min",
    ] {
        assert!(shown.contains(&text), "{text} in {shown:?}");
    }
}

#[test]
fn without_use_there_is_no_picture() {
    let empty = Ledger::new(after(0));
    assert_eq!(draw(&empty.report(Vec::new(), after(60))), Ok(None));
    let failed = starting();
    let ending = Ending {
        at: after(1),
        cause: Cause::Lost,
    };
    let failed = empty.with_ended(&failed, &ending, None);
    assert_eq!(draw(&failed.report(Vec::new(), after(60))), Ok(None));
    let older = Report {
        detail: None,
        ..week()
    };
    assert_eq!(draw(&older), Ok(None));
}

#[test]
fn many_sizes_share_a_line() {
    let mut ledger = Ledger::new(after(0));
    for number in 0..20 {
        let one = session(number, number, "Ana", &format!("size {number}"), 0);
        ledger = ended(&ledger, &one, 100 + number as i64);
    }
    let report = ledger.report(Vec::new(), after(200));
    let svg = svg(&report);
    let shown = texts(&svg);
    // The ledger keeps twelve and one for the rest, of which the picture has six.
    assert!(
        shown.contains(&"size 11") && !shown.contains(&"size 4"),
        "{shown:?}"
    );
    assert!(shown.contains(&OTHERS));
}
