//! Scatter chart: a point for each pair of numbers.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    canvas::{COLORS, Canvas, HEIGHT, WIDTH},
    note::Note,
    plot::{MAX_POINTS, Plot},
};
use crate::{choice::Choice, frame::Frame, no_chart::NoChart, numbers::rounded};

/// Radius of a point, and of one among many.
const RADIUS: f64 = 4.0;
const SMALL_RADIUS: f64 = 2.0;
/// Number of points from which they are small.
const MANY: usize = 300;

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let (along, numbers) = (choice.along.expect("checked"), choice.numbers[0]);
    let points = (0..frame.rows.len())
        .filter_map(|row| Some((frame.number(row, along)?, frame.number(row, numbers)?)));
    let points: Vec<_> = points.collect();
    if points.is_empty() {
        return Err(NoChart::NothingToDraw);
    }
    canvas.note(Note::RowsLeftOut(frame.rows.len() - points.len()));
    let top = canvas.area.top();
    let plot = Plot::new(
        canvas,
        points.iter().copied(),
        top,
        false,
        frame.name(along),
    );
    let pixels = points.iter().map(|point| plot.pixels(*point));
    let pixels: Vec<_> = if points.len() > MAX_POINTS {
        canvas.note(Note::Thinned(points.len()));
        thinned(pixels)
    } else {
        pixels.collect()
    };
    let radius = if pixels.len() > MANY {
        SMALL_RADIUS
    } else {
        RADIUS
    };
    let mut path = String::new();
    for (x, y) in &pixels {
        let (left, width) = (x - radius, 2.0 * radius);
        write!(
            path,
            "M{left:.1} {y:.1}a{radius} {radius} 0 1 0 {width} 0a{radius} {radius} 0 1 0 -{width} 0"
        )
        .expect("a String can be written");
    }
    canvas.write(format_args!(
        r#"<path d="{path}" fill="{}" fill-opacity="0.7"/>"#,
        COLORS[0]
    ));
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
            (low.min(it), high.max(it))
        });
        format!("{} to {}", rounded(low, 6), rounded(high, 6))
    };
    Ok(format!(
        "Scatter chart of {}: {} {}, {} from {}, {} from {}.",
        frame.title(choice),
        rounded(points.len() as f64, 0),
        if points.len() == 1 { "point" } else { "points" },
        crate::text::cleaned(frame.name(along)),
        range(&mut points.iter().map(|(x, _)| *x)),
        crate::text::cleaned(frame.name(numbers)),
        range(&mut points.iter().map(|(_, y)| *y)),
    ))
}

/// Keeps one of the points that would lie on each other.
fn thinned(pixels: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    // Cells so large that there are at most as many as points may be drawn.
    let side = (WIDTH * HEIGHT / MAX_POINTS as f64).sqrt();
    let mut cells = BTreeMap::new();
    for (x, y) in pixels {
        let cell = ((x / side) as i64, (y / side) as i64);
        cells.entry(cell).or_insert((x, y));
    }
    cells.into_values().collect()
}
