//! Lines over times, numbers or the order of the rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    canvas::{COLORS, Canvas, TEXT_SIZE},
    note::Note,
    plot::{MAX_POINTS, Plot},
};
use crate::{
    Choice, Frame, NoChart,
    frame::Holds,
    numbers::rounded,
    text::{cleaned, shown, width},
    times,
};

/// Series of NULL.
const NULL: &str = "NULL";
/// Number of points up to which each has a dot.
const FEW: usize = 40;
/// A step is a gap if it is this many times as long as the usual one.
const GAP_FACTOR: f64 = 1.5;
/// Share of the steps that must be as long as the usual one, so that there are gaps.
const REGULAR_SHARE: f64 = 0.8;

struct Series {
    name: String,
    /// Places and values, by place. No value is a gap.
    points: Vec<(f64, Option<f64>)>,
}

impl Series {
    fn values(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.points.iter().filter_map(|(x, y)| Some((*x, (*y)?)))
    }

    /// Size by which series are compared.
    fn weight(&self) -> f64 {
        self.values().map(|(_, y)| y.abs()).fold(0.0, f64::max)
    }
}

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let (mut all, left_out) = collect(frame, choice);
    canvas.note(Note::RowsLeftOut(left_out));
    all.retain(|series| series.values().next().is_some());
    if all.is_empty() {
        return Err(NoChart::NothingToDraw);
    }
    let count = all.len();
    if count > COLORS.len() {
        let mut by_weight: Vec<_> = (0..count).collect();
        // Stable, so that equal ones stay in the order of the rows.
        by_weight.sort_by(|a, b| all[*b].weight().total_cmp(&all[*a].weight()));
        let kept: BTreeSet<_> = by_weight.into_iter().take(COLORS.len()).collect();
        let mut place = 0..;
        all.retain(|_| place.next().is_some_and(|at| kept.contains(&at)));
        canvas.note(Note::SeriesLeftOut(count - all.len()));
    }
    let points = all.iter().map(|series| series.points.len()).sum::<usize>();
    if points > MAX_POINTS {
        canvas.note(Note::Averaged(frame.rows.len()));
        let most = MAX_POINTS / all.len();
        for series in &mut all {
            series.points = averaged(&series.points, most);
        }
    }
    let has_times = choice
        .along
        .is_some_and(|it| frame.columns[it].holds == Holds::Times);
    let names: Vec<_> = all.iter().map(|series| series.name.clone()).collect();
    let legend = canvas.legend(&names);
    let name = choice.along.map_or("row", |it| frame.name(it));
    let range = range(&all, has_times);
    let label = format!("{name}, {range}");
    // A narrow chart has no room for both.
    let room = (canvas.area.right - canvas.area.left) * 0.8;
    let label = if has_times && width(&shown(&label), TEXT_SIZE) <= room {
        &label
    } else {
        name
    };
    let every = all.iter().flat_map(Series::values);
    let top = canvas.area.top() + legend;
    let plot = Plot::new(canvas, every, top, has_times, label);
    let is_few = all.iter().all(|series| series.points.len() <= FEW);
    for (series, color) in all.iter().zip(COLORS) {
        paint(series, &plot, color, is_few, canvas);
    }
    Ok(alt(frame, choice, &all, count, &range))
}

/// Returns the series, each in the order of its places, and the number of rows without a place.
fn collect(frame: &Frame<'_>, choice: &Choice) -> (Vec<Series>, usize) {
    let mut all: Vec<Series> = Vec::new();
    let mut places = BTreeMap::new();
    let mut left_out = 0;
    for column in &choice.numbers {
        for row in 0..frame.rows.len() {
            let Some(x) = frame.place(row, choice.along) else {
                left_out += usize::from(*column == choice.numbers[0]);
                continue;
            };
            let key = match choice.series {
                Some(series) => (0, frame.text(row, series)),
                None => (*column, None),
            };
            let at = *places.entry(key).or_insert(all.len());
            if at == all.len() {
                let name = match choice.series {
                    Some(_) => key.1.unwrap_or(NULL),
                    None => frame.name(*column),
                };
                all.push(Series {
                    name: name.to_owned(),
                    points: Vec::new(),
                });
            }
            let value = frame.number(row, *column);
            left_out += usize::from(value.is_none() && frame.text(row, *column).is_some());
            all[at].points.push((x, value));
        }
    }
    for series in &mut all {
        // Stable, so that equal places stay in the order of the rows.
        series.points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    (all, left_out)
}

/// Returns at most about `most` points: the averages of the points in parts of equal width.
fn averaged(points: &[(f64, Option<f64>)], most: usize) -> Vec<(f64, Option<f64>)> {
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let step = (last - first) / most as f64;
    let part = |x: f64| {
        if step > 0.0 {
            (((x - first) / step) as usize).min(most - 1)
        } else {
            0
        }
    };
    let parts = points.chunk_by(|a, b| part(a.0) == part(b.0));
    parts
        .map(|points| {
            let values: Vec<_> = points.iter().filter_map(|(_, y)| *y).collect();
            // Divided first, so that no sum is infinite.
            let average = |values: &[f64]| {
                let count = values.len() as f64;
                values.iter().map(|it| it / count).sum::<f64>()
            };
            let places: Vec<_> = points.iter().map(|(x, _)| *x).collect();
            let value = (!values.is_empty()).then(|| average(&values));
            (average(&places), value)
        })
        .collect()
}

/// Longest step between neighbours that is no gap.
fn longest_step(points: &[(f64, Option<f64>)]) -> f64 {
    let steps = points.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let mut steps: Vec<_> = steps.filter(|step| *step > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    let Some(usual) = steps.get(steps.len() / 2) else {
        return f64::INFINITY;
    };
    let longest = usual * GAP_FACTOR;
    let regular = steps
        .iter()
        .filter(|step| **step <= longest && **step >= usual / GAP_FACTOR);
    let is_regular = regular.count() as f64 >= steps.len() as f64 * REGULAR_SHARE;
    if is_regular && steps.len() > 3 {
        longest
    } else {
        f64::INFINITY
    }
}

fn paint(series: &Series, plot: &Plot, color: &str, has_dots: bool, canvas: &mut Canvas) {
    let longest = longest_step(&series.points);
    let (mut path, mut dots) = (String::new(), String::new());
    let mut last: Option<f64> = None;
    for (at, (x, y)) in series.points.iter().enumerate() {
        let Some(y) = y else {
            last = None;
            continue;
        };
        let (px, py) = plot.pixels((*x, *y));
        let joins = last.is_some_and(|last| x - last <= longest);
        let command = if joins { 'L' } else { 'M' };
        write!(path, "{command}{px:.1} {py:.1}").expect("a String can be written");
        let next = series.points.get(at + 1);
        let is_alone = !joins && next.is_none_or(|(next, y)| y.is_none() || next - x > longest);
        if has_dots || is_alone {
            let left = px - 3.0;
            write!(dots, "M{left:.1} {py:.1}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0")
                .expect("a String can be written");
        }
        last = Some(*x);
    }
    canvas.write(format_args!(
        r#"<path d="{path}" stroke="{color}" stroke-width="2.5" stroke-linejoin="round" stroke-linecap="round" fill="none"/>"#
    ));
    if !dots.is_empty() {
        canvas.write(format_args!(r#"<path d="{dots}" fill="{color}"/>"#));
    }
}

fn range(all: &[Series], has_times: bool) -> String {
    let places = all
        .iter()
        .flat_map(|series| series.points.iter().map(|(x, _)| *x));
    let (from, to) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    if has_times {
        times::range(from, to)
    } else {
        format!("{} to {}", rounded(from, 6), rounded(to, 6))
    }
}

fn alt(frame: &Frame<'_>, choice: &Choice, all: &[Series], count: usize, range: &str) -> String {
    let title = frame.title(choice);
    let lines = match count {
        1 => "Line".to_owned(),
        _ => format!("{count} lines"),
    };
    let values = all.iter().flat_map(Series::values);
    let extreme = |better: fn(f64, f64) -> bool| {
        let best = values
            .clone()
            .reduce(|a, b| if better(b.1, a.1) { b } else { a });
        let (x, y) = best.expect("a series has a value");
        let place = match choice.along {
            Some(it) if frame.columns[it].holds == Holds::Times => times::written(x),
            _ => rounded(x, 6),
        };
        format!("{} at {place}", rounded(y, 6))
    };
    let (low, high) = (extreme(|a, b| a < b), extreme(|a, b| a > b));
    format!(
        "{lines} of {title}, {}. Lowest {low}, highest {high}.",
        cleaned(range)
    )
}
