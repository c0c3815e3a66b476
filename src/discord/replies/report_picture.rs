//! Picture of the report: sessions over time by size, use by person, and the time that the reaper
//! saved.

use std::collections::BTreeSet;

use chart::{Board, Choice, Drawing, Figure, Frame, Kind, NoChart, Panel};
use chrono::{DateTime, Utc};

use super::{
    format::grouped,
    reply::File,
    report::{MAX_NAMED, OTHERS, change, hours},
};
use crate::session::{OwnerId, Report, ReportDetail, UsageTotal};

/// Number of seconds from which use is shown in hours.
const HOURS_FROM: i64 = 2 * 3600;

type Rows = Vec<Vec<Option<String>>>;

/// Draws the report's picture. Returns `None` if there is no use to show, or an older version of the bot
/// counted it. Takes up to a tenth of a second of processor time.
///
/// # Errors
/// If no number can be drawn.
pub(crate) fn report_picture(report: &Report) -> Result<Option<File>, NoChart> {
    let drawing = draw(report)?;
    Ok(drawing.map(|drawing| File {
        alt: Some(drawing.alt),
        ..File::new("report.png", chart::png(&drawing.svg))
    }))
}

fn draw(report: &Report) -> Result<Option<Drawing>, NoChart> {
    let Some(detail) = &report.detail else {
        return Ok(None);
    };
    let total = report.total();
    if total.seconds == 0 || detail.sizes.is_empty() {
        return Ok(None);
    }
    let (count, used, saved) = (
        grouped(report.sessions),
        hours(total.seconds),
        hours(detail.saved),
    );
    let change = change(detail);
    let figure = |value, name| Figure {
        value,
        name,
        note: None,
    };
    let load = load_rows(detail);
    let load_title = match &detail.sizes[..] {
        [(only, _)] => format!("Sessions in use on average ({only})"),
        _ => "Sessions in use on average".to_owned(),
    };
    let (people, has_rest) = people(report, detail);
    let longest = people.iter().map(|(_, seconds)| *seconds).max();
    let (unit, length, people_title) = if longest.is_some_and(|it| it >= HOURS_FROM) {
        ("hours", 3600.0, "Hours by person")
    } else {
        ("minutes", 60.0, "Minutes by person")
    };
    let people: Rows = people
        .into_iter()
        .map(|(name, seconds)| {
            let value = seconds as f64 / length;
            vec![Some(name), Some(format!("{value:.1}"))]
        })
        .collect();
    let people = Frame::new([("person", "VARCHAR"), (unit, "DOUBLE")], &people);
    let columns = [
        ("time (UTC)", "TIMESTAMP"),
        ("size", "VARCHAR"),
        ("sessions in use", "DOUBLE"),
    ];
    let choice = |kind, number, series| Choice {
        kind,
        along: Some(0),
        numbers: vec![number],
        series,
    };
    let board = Board {
        title: &format!(
            "Sessions from {} to {} UTC",
            minute(report.since),
            minute(report.until)
        ),
        figures: [
            figure(
                &count,
                if report.sessions == 1 {
                    "session"
                } else {
                    "sessions"
                },
            ),
            figure(&used, "in use"),
            Figure {
                note: change.as_deref(),
                ..figure(&saved, "saved by the reaper, at most")
            },
        ],
        panels: [
            Panel {
                title: &load_title,
                frame: Frame::new(columns, &load),
                choice: choice(Kind::Line, 2, Some(1)),
            },
            Panel {
                title: people_title,
                frame: if has_rest { people.with_rest() } else { people },
                choice: choice(Kind::Bars, 1, None),
            },
        ],
    };
    board.draw().map(Some)
}

/// Returns a row for each part of the period and each size with the most use, and one for all others. The
/// last part has another one for its end.
fn load_rows(detail: &ReportDetail) -> Rows {
    let named = match detail.sizes.len() {
        count if count <= MAX_NAMED => count,
        _ => MAX_NAMED - 1,
    };
    let begins = detail.load.iter().map(|part| (part.from, part));
    let end = detail.load.last().map(|part| (part.until, part));
    let rows = begins.chain(end).flat_map(|(at, part)| {
        let seconds = part.seconds.iter().take(named).copied();
        let rest: i64 = part.seconds.iter().skip(named).sum();
        let rest = (named < detail.sizes.len()).then_some((OTHERS, rest));
        let names = detail.sizes.iter().map(|(name, _)| name.as_str());
        let each = names.zip(seconds).chain(rest);
        each.map(move |(name, seconds)| load_row(at, name, part.average(seconds)))
    });
    rows.collect()
}

fn load_row(at: DateTime<Utc>, size: &str, average: f64) -> Vec<Option<String>> {
    let at = at.format("%Y-%m-%d %H:%M:%S").to_string();
    let average = format!("{average:.3}");
    vec![Some(at), Some(size.to_owned()), Some(average)]
}

/// Returns the names of people with their seconds, as in the text, and true if the last one stands for
/// all others.
fn people(report: &Report, detail: &ReportDetail) -> (Vec<(String, i64)>, bool) {
    let (most, others) = report.most_active(MAX_NAMED);
    // Bars of the same name would be one.
    let mut taken = BTreeSet::from([OTHERS.to_owned()]);
    let mut name = |owner: &OwnerId| {
        let known = detail.names.get(owner).map(|it| it.trim());
        let name = match known.filter(|it| !it.is_empty()) {
            Some(known) if !taken.contains(known) => known.to_owned(),
            Some(known) => format!("{known} ({owner})"),
            None => owner.to_string(),
        };
        taken.insert(name.clone());
        name
    };
    let mut people: Vec<_> = most
        .iter()
        .map(|(owner, UsageTotal { seconds, .. })| (name(owner), *seconds))
        .collect();
    let has_rest = others.sessions > 0;
    if has_rest {
        people.push((OTHERS.to_owned(), others.seconds));
    }
    (people, has_rest)
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests;
