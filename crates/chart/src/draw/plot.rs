//! Two axes, and the way from values to pixels.

use super::canvas::{AXIS, Anchor, Canvas, FAINT_INK, GRID, MARGIN, TEXT_SIZE};
use crate::{scale::Scale, text::width};

/// Largest number of points that are drawn as they are.
pub(super) const MAX_POINTS: usize = 5000;
/// Seconds around a single time.
const DAY_SECONDS: f64 = 86_400.0;
/// Number of marks of the vertical axis.
const MARKS: usize = 5;

/// Rectangle of a chart with two axes, and the way from values to its pixels.
pub(super) struct Plot {
    x: Scale,
    y: Scale,
}

impl Plot {
    /// Draws the axes of these points, below `top`. `has_times`: the first coordinate is seconds since 1970.
    pub(super) fn new(
        canvas: &mut Canvas,
        points: impl Iterator<Item = (f64, f64)> + Clone,
        top: f64,
        has_times: bool,
        name: &str,
    ) -> Self {
        let area = canvas.area;
        let bottom = area.bottom - 2.0 * TEXT_SIZE - 6.0;
        let values = points.clone().map(|(_, y)| y);
        let y = Scale::over(values, bottom, top).with_whole_marks(MARKS);
        let marks = y.marks(MARKS);
        let room = marks.iter().map(|(_, label)| width(label, TEXT_SIZE));
        let left = area.left + room.fold(0.0, f64::max) + 8.0;
        let right = area.right - 6.0;
        for (value, label) in &marks {
            let at = y.pixel(*value);
            let color = if *value == 0.0 { AXIS } else { GRID };
            canvas.rule((left, at), (right, at), color);
            let at = at + TEXT_SIZE / 3.0;
            canvas.text(left - 8.0, at, TEXT_SIZE, FAINT_INK, Anchor::End, label);
        }
        let places = points.map(|(x, _)| x);
        let (x, marks) = if has_times {
            let x = Scale::over_times(places, left, right, DAY_SECONDS);
            let marks = x.time_marks(MARKS + 1);
            (x, marks)
        } else {
            let x = Scale::over(places, left, right);
            let marks = x.place_marks(MARKS + 1);
            (x, marks)
        };
        let mut free_from = f64::NEG_INFINITY;
        for (value, label) in &marks {
            let at = x.pixel(*value);
            canvas.rule((at, bottom), (at, bottom + 5.0), AXIS);
            let half = width(label, TEXT_SIZE) / 2.0;
            // A label that would touch its neighbour or the edge is left out.
            if at - half > free_from && at + half < area.right + MARGIN - 2.0 {
                let y = bottom + 5.0 + TEXT_SIZE;
                canvas.text(at, y, TEXT_SIZE, FAINT_INK, Anchor::Middle, label);
                free_from = at + half + 6.0;
            }
        }
        let name = canvas.fit(name, TEXT_SIZE, right - left);
        let y_name = area.bottom + 2.0;
        canvas.text(right, y_name, TEXT_SIZE, FAINT_INK, Anchor::End, &name);
        Self { x, y }
    }

    pub(super) fn pixels(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.pixel(x), self.y.pixel(y))
    }
}
