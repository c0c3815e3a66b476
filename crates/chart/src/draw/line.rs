//! Lines over times, numbers or the order of the rows.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    canvas::{COLORS, Canvas, TEXT_SIZE, WIDTH},
    note::Note,
    plot::{MAX_POINTS, Plot},
    series::{Collected, KEPT_PER_PART, Series},
};
use crate::{
    Choice, Frame, NoChart,
    exact::Amount,
    frame::Holds,
    numbers::place,
    text::{cleaned, shown, width},
    times::{self, Zone},
};

/// Number of points up to which each has a dot.
const FEW: usize = 40;

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let times = choice.along;
    let times = times.filter(|it| frame.columns[*it].holds == Holds::Times);
    let has_times = times.is_some();
    let zone = times.and_then(|column| {
        let texts = (0..frame.rows.len()).filter_map(|row| frame.text(row, column));
        Zone::of(texts)
    });
    let offset = zone.as_ref().map_or(0.0, |it| it.offset as f64);
    let Collected {
        mut all,
        left_out,
        is_summed,
    } = frame.series(choice, offset);
    canvas.note(Note::RowsLeftOut(left_out));
    if is_summed {
        canvas.note(Note::Summed);
    }
    all.retain(|series| series.values().next().is_some());
    if all.is_empty() {
        return Err(NoChart::NothingToDraw);
    }
    let count = all.len();
    keep_largest(&mut all);
    canvas.note(Note::SeriesLeftOut(count - all.len()));
    let (from, to) = span(&all);
    let range = if has_times {
        times::range(from, to)
    } else {
        format!("{} to {}", place(from), place(to))
    };
    let alt = alt(frame, choice, &all, count, &range);

    let is_few = all.iter().all(|series| series.points.len() <= FEW);
    let points = all.iter().map(|series| series.points.len()).sum::<usize>();
    let parts = (MAX_POINTS / KEPT_PER_PART / all.len()).min(WIDTH as usize);
    for series in &mut all {
        series.add_gaps(has_times);
        if points > MAX_POINTS {
            series.thin((from, to), parts);
        }
    }
    if points > MAX_POINTS {
        canvas.note(Note::Extremes(frame.rows.len()));
    }

    let names: Vec<_> = all.iter().map(|series| series.name.clone()).collect();
    let legend = canvas.legend(&names);
    let name = choice.along.map_or("row", |it| frame.name(it));
    let name = match zone {
        Some(zone) => format!("{name} ({})", zone.name),
        None => name.to_owned(),
    };
    let label = format!("{name}, {range}");
    // A narrow chart has no room for both.
    let room = (canvas.area.right - canvas.area.left) * 0.8;
    let label = if has_times && width(&shown(&label), TEXT_SIZE) <= room {
        label
    } else {
        name
    };
    let every = all.iter().flat_map(Series::values);
    let every = every.map(|(x, y)| (x, y.value));
    let top = canvas.area.top() + legend;
    let plot = Plot::new(canvas, every, top, has_times, &label);
    for (series, color) in all.iter().zip(COLORS) {
        paint(series, &plot, color, is_few, canvas);
    }
    Ok(alt)
}

/// Keeps the series with the largest values, one for each color.
fn keep_largest(all: &mut Vec<Series>) {
    if all.len() <= COLORS.len() {
        return;
    }
    let mut by_weight: Vec<_> = (0..all.len()).collect();
    // Stable, so that equal ones stay in the order of the rows.
    by_weight.sort_by(|a, b| all[*b].weight().total_cmp(&all[*a].weight()));
    let kept: BTreeSet<_> = by_weight.into_iter().take(COLORS.len()).collect();
    let mut place = 0..;
    all.retain(|_| place.next().is_some_and(|at| kept.contains(&at)));
}

fn paint(series: &Series, plot: &Plot, color: &str, has_dots: bool, canvas: &mut Canvas) {
    let (mut path, mut dots) = (String::new(), String::new());
    let mut joins = false;
    for (at, (x, y)) in series.points.iter().enumerate() {
        let Some(y) = y else {
            joins = false;
            continue;
        };
        let (px, py) = plot.pixels((*x, y.value));
        let command = if joins { 'L' } else { 'M' };
        write!(path, "{command}{px:.1} {py:.1}").expect("a String can be written");
        let next = series.points.get(at + 1);
        let is_alone = !joins && next.is_none_or(|(_, y)| y.is_none());
        if has_dots || is_alone {
            let left = px - 3.0;
            write!(dots, "M{left:.1} {py:.1}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0")
                .expect("a String can be written");
        }
        joins = true;
    }
    // A thick line through many points is a blot.
    let is_dense = series.points.len() > WIDTH as usize;
    let thickness = if is_dense { 1.5 } else { 2.5 };
    canvas.write(format_args!(
        r#"<path d="{path}" stroke="{color}" stroke-width="{thickness}" stroke-linejoin="round" stroke-linecap="round" fill="none"/>"#
    ));
    if !dots.is_empty() {
        canvas.write(format_args!(r#"<path d="{dots}" fill="{color}"/>"#));
    }
}

/// Returns the first and the last place.
fn span(all: &[Series]) -> (f64, f64) {
    let ends = all
        .iter()
        .flat_map(|it| [it.points.first(), it.points.last()]);
    let places = ends.flatten().map(|(x, _)| *x);
    places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
        (low.min(it), high.max(it))
    })
}

fn alt(frame: &Frame<'_>, choice: &Choice, all: &[Series], count: usize, range: &str) -> String {
    let title = frame.title(choice);
    let lines = match count {
        1 => "Line".to_owned(),
        _ if all.len() < count => format!("{} of {count} lines", all.len()),
        _ => format!("{count} lines"),
    };
    let values = all.iter().flat_map(Series::values);
    let extreme = |better: fn(f64, f64) -> bool| {
        let pick = |a: (f64, Amount), b: (f64, Amount)| {
            if better(b.1.value, a.1.value) { b } else { a }
        };
        let (x, y) = values.clone().reduce(pick).expect("a series has a value");
        let at = match choice.along {
            Some(it) if frame.columns[it].holds == Holds::Times => times::written(x),
            _ => place(x),
        };
        format!("{y} at {at}")
    };
    let (low, high) = (extreme(|a, b| a < b), extreme(|a, b| a > b));
    format!(
        "{lines} of {title}, {}. Lowest {low}, highest {high}.",
        cleaned(range)
    )
}
