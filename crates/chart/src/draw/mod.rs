//! Drawings: the parts that all kinds of charts share.

mod bars;
mod line;
mod number;
mod scatter;

use std::fmt::Write as _;

use crate::{
    Choice, Frame, Kind, NoChart,
    text::{escaped, fitted, lacks_glyphs, shown, width},
};

/// Largest number of points that are drawn as they are.
pub const MAX_POINTS: usize = 5000;

/// Size of a drawing in pixels.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Free space at the edges.
const MARGIN: f64 = 20.0;
/// Sizes of text.
const TITLE_SIZE: f64 = 19.0;
const TEXT_SIZE: f64 = 14.0;
/// Baseline of the title.
const TITLE_Y: f64 = 35.0;

const BACKGROUND: &str = "#ffffff";
const INK: &str = "#1f2933";
const FAINT_INK: &str = "#5a6673";
const GRID: &str = "#e1e5ea";
const AXIS: &str = "#9aa5b1";
/// Colors of series, which people with color blindness can tell apart (Okabe and Ito), without yellow, which
/// is hard to see on white.
const COLORS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#1f2933",
];

/// Chart as a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub svg: String,
    /// Text for people who don't see the picture: what it shows, and the most important numbers.
    pub alt: String,
    /// What the picture does not show as the rows have it.
    pub notes: Vec<Note>,
}

/// Difference between a picture and its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Each point is the average of several of this many rows.
    Averaged(usize),
    /// Each point stands for all of this many rows near it.
    Thinned(usize),
    /// Rows with the same category were added up.
    Summed,
    /// Only the rows with the largest numbers have a bar. The last bar is the sum of this many others.
    Others(usize),
    /// This many series are not shown: those with the smallest numbers.
    SeriesLeftOut(usize),
    /// This many rows are not shown, because a value is NULL, infinite or too large.
    RowsLeftOut(usize),
    /// The font lacks characters, which are shown as `?`.
    MissingGlyphs,
}

impl Frame<'_> {
    /// Draws a chart.
    ///
    /// # Errors
    /// If the choice does not fit the rows, or no number can be drawn.
    pub fn draw(&self, choice: &Choice) -> Result<Drawing, NoChart> {
        self.check(choice)?;
        let mut canvas = Canvas::new(&self.title(choice));
        match choice.kind {
            Kind::Line => line::draw(self, choice, &mut canvas),
            Kind::Bars => bars::draw(self, choice, &mut canvas),
            Kind::Scatter => scatter::draw(self, choice, &mut canvas),
            Kind::Number => number::draw(self, choice, &mut canvas),
        }
        .map(|alt| canvas.finish(alt))
    }

    fn name(&self, column: usize) -> &str {
        self.columns[column].name
    }
}

/// Position of a text relative to its point.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// SVG that is being written.
struct Canvas {
    svg: String,
    notes: Vec<Note>,
    lacks_glyphs: bool,
}

impl Canvas {
    fn new(title: &str) -> Self {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="Noto Sans">"#
        );
        let mut canvas = Self {
            svg,
            notes: Vec::new(),
            lacks_glyphs: false,
        };
        canvas.rectangle(0.0, 0.0, WIDTH, HEIGHT, BACKGROUND, 10.0);
        let title = canvas.fit(title, TITLE_SIZE, WIDTH - 2.0 * MARGIN);
        canvas.text(MARGIN, TITLE_Y, TITLE_SIZE, INK, Anchor::Start, &title);
        canvas
    }

    /// Cleans a text and shortens it to a width.
    fn fit(&mut self, text: &str, size: f64, room: f64) -> String {
        self.lacks_glyphs |= lacks_glyphs(text);
        fitted(&shown(text), size, room)
    }

    /// Writes a text that [`Self::fit`] returned, or one of digits.
    fn text(&mut self, x: f64, y: f64, size: f64, color: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.write(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{color}" text-anchor="{anchor}">{}</text>"#,
            escaped(text)
        ));
    }

    fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, color: &str, round: f64) {
        self.write(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="{round}" fill="{color}"/>"#
        ));
    }

    fn rule(&mut self, from: (f64, f64), to: (f64, f64), color: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.write(format_args!(
            r#"<path d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}" stroke="{color}" stroke-width="1" fill="none"/>"#
        ));
    }

    fn write(&mut self, element: std::fmt::Arguments<'_>) {
        self.svg
            .write_fmt(element)
            .expect("a String can be written");
        self.svg.push('\n');
    }

    /// Adds a note unless its count is zero.
    fn note(&mut self, note: Note) {
        let is_empty = matches!(
            note,
            Note::Others(0) | Note::SeriesLeftOut(0) | Note::RowsLeftOut(0)
        );
        if !is_empty {
            self.notes.push(note);
        }
    }

    /// Writes the names of series with their colors, below the title. Returns the height that they take.
    fn legend(&mut self, names: &[String]) -> f64 {
        const SWATCH: f64 = 12.0;
        const GAP: f64 = 16.0;
        if names.len() < 2 {
            return 0.0;
        }
        let (mut x, mut y) = (MARGIN, TITLE_Y + 26.0);
        for (name, color) in names.iter().zip(COLORS) {
            let name = self.fit(name, TEXT_SIZE, 140.0);
            let needed = SWATCH + 5.0 + width(&name, TEXT_SIZE);
            if x > MARGIN && x + needed > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + 20.0);
            }
            self.rectangle(x, y - SWATCH + 1.0, SWATCH, SWATCH, color, 3.0);
            self.text(x + SWATCH + 5.0, y, TEXT_SIZE, INK, Anchor::Start, &name);
            x += needed + GAP;
        }
        y - TITLE_Y
    }

    fn finish(mut self, alt: String) -> Drawing {
        if self.lacks_glyphs {
            self.notes.push(Note::MissingGlyphs);
        }
        self.svg += "</svg>\n";
        Drawing {
            svg: self.svg,
            alt,
            notes: self.notes,
        }
    }
}

/// Rectangle of a chart with two axes, and the way from values to its pixels.
struct Plot {
    x: crate::scale::Scale,
    y: crate::scale::Scale,
}

impl Plot {
    /// Draws the axes of these points, below `top`. `has_times`: the first coordinate is seconds since 1970.
    fn new(
        canvas: &mut Canvas,
        points: impl Iterator<Item = (f64, f64)> + Clone,
        top: f64,
        has_times: bool,
        name: &str,
    ) -> Self {
        use crate::scale::Scale;
        const MARKS: usize = 5;
        let bottom = HEIGHT - MARGIN - 2.0 * TEXT_SIZE - 6.0;
        let values = points.clone().map(|(_, y)| y);
        let y = Scale::over(values, bottom, top).with_whole_marks(MARKS);
        let marks = y.marks(MARKS);
        let room = marks.iter().map(|(_, label)| width(label, TEXT_SIZE));
        let left = MARGIN + room.fold(0.0, f64::max) + 8.0;
        let right = WIDTH - MARGIN - 6.0;
        for (value, label) in &marks {
            let at = y.pixel(*value);
            let color = if *value == 0.0 { AXIS } else { GRID };
            canvas.rule((left, at), (right, at), color);
            let at = at + TEXT_SIZE / 3.0;
            canvas.text(left - 8.0, at, TEXT_SIZE, FAINT_INK, Anchor::End, label);
        }
        let x = Scale::over(points.map(|(x, _)| x), left, right);
        let marks = match has_times {
            true => x.time_marks(MARKS + 1),
            false => x.marks(MARKS + 1),
        };
        let mut free_from = f64::NEG_INFINITY;
        for (value, label) in &marks {
            let at = x.pixel(*value);
            canvas.rule((at, bottom), (at, bottom + 5.0), AXIS);
            let half = width(label, TEXT_SIZE) / 2.0;
            // A label that would touch its neighbour or the edge is left out.
            if at - half > free_from && at + half < WIDTH - 2.0 {
                let y = bottom + 5.0 + TEXT_SIZE;
                canvas.text(at, y, TEXT_SIZE, FAINT_INK, Anchor::Middle, label);
                free_from = at + half + 6.0;
            }
        }
        let name = canvas.fit(name, TEXT_SIZE, right - left);
        let y_name = HEIGHT - MARGIN + 2.0;
        canvas.text(right, y_name, TEXT_SIZE, FAINT_INK, Anchor::End, &name);
        Self { x, y }
    }

    fn pixels(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.pixel(x), self.y.pixel(y))
    }
}
