//! Parts of a drawing that all kinds of charts share: the background, the title, texts, and the legend.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{drawing::Drawing, note::Note};
use crate::text::{escaped, fitted, fitted_name, lacks_glyphs, shown, width};

/// Size of a drawing in pixels.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 400.0;
/// Free space at the edges.
pub(super) const MARGIN: f64 = 20.0;
/// Sizes of text.
pub(super) const TITLE_SIZE: f64 = 19.0;
pub(super) const TEXT_SIZE: f64 = 14.0;
/// Baseline of the title.
pub(super) const TITLE_Y: f64 = 35.0;

pub(super) const BACKGROUND: &str = "#ffffff";
pub(super) const INK: &str = "#1f2933";
pub(super) const FAINT_INK: &str = "#5a6673";
pub(super) const GRID: &str = "#e1e5ea";
pub(super) const AXIS: &str = "#9aa5b1";
/// Colors of series, which people with color blindness can tell apart (Okabe and Ito), without yellow, which
/// is hard to see on white.
pub(super) const COLORS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#1f2933",
];

/// Position of a text relative to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Part of a drawing with a title and a chart.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub left: f64,
    pub right: f64,
    /// Baseline of the title.
    pub title: f64,
    pub bottom: f64,
}

impl Area {
    /// Drawing with a single chart.
    pub(super) const WHOLE: Self = Self {
        left: MARGIN,
        right: WIDTH - MARGIN,
        title: TITLE_Y,
        bottom: HEIGHT - MARGIN,
    };

    /// Upper edge of a chart without a legend.
    pub(super) fn top(self) -> f64 {
        self.title + 20.0
    }

    /// Width with the free space at both edges.
    pub(super) fn outer_width(self) -> f64 {
        self.right - self.left + 2.0 * MARGIN
    }
}

/// SVG that is being written.
pub(super) struct Canvas {
    /// Place of the chart.
    pub(super) area: Area,
    svg: String,
    notes: Vec<Note>,
    lacks_glyphs: bool,
}

impl Canvas {
    pub(super) fn new(title: &str) -> Self {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="Noto Sans">"#
        );
        let mut canvas = Self {
            area: Area::WHOLE,
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
    pub(super) fn fit(&mut self, text: &str, size: f64, room: f64) -> String {
        self.lacks_glyphs |= lacks_glyphs(text);
        fitted(&shown(text), size, room)
    }

    /// Cleans names and shortens each to a width. Names that would look the same get numbers.
    pub(super) fn fit_names<'a>(
        &mut self,
        names: impl Iterator<Item = &'a str>,
        size: f64,
        room: f64,
    ) -> Vec<String> {
        let names: Vec<_> = names
            .map(|it| {
                self.lacks_glyphs |= lacks_glyphs(it);
                shown(it)
            })
            .collect();
        let fitted = names.iter().map(|it| fitted_name(it, size, room));
        let mut fitted: Vec<_> = fitted.collect();
        let mut counts = BTreeMap::<_, usize>::new();
        for it in &fitted {
            *counts.entry(it.clone()).or_default() += 1;
        }
        counts.retain(|_, count| *count > 1);
        let mut taken = BTreeMap::<_, usize>::new();
        for (name, fitted) in names.iter().zip(&mut fitted) {
            if counts.contains_key(fitted) {
                let number = taken.entry(fitted.clone()).or_default();
                *number += 1;
                let number = format!(" ({number})");
                let room = room - width(&number, size);
                *fitted = fitted_name(name, size, room) + &number;
            }
        }
        fitted
    }

    /// Writes a text that [`Self::fit`] returned, or one of digits.
    pub(super) fn text(
        &mut self,
        x: f64,
        y: f64,
        size: f64,
        color: &str,
        anchor: Anchor,
        text: &str,
    ) {
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

    pub(super) fn rectangle(
        &mut self,
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        color: &str,
        round: f64,
    ) {
        self.write(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="{round}" fill="{color}"/>"#
        ));
    }

    pub(super) fn rule(&mut self, from: (f64, f64), to: (f64, f64), color: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.write(format_args!(
            r#"<path d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}" stroke="{color}" stroke-width="1" fill="none"/>"#
        ));
    }

    pub(super) fn write(&mut self, element: std::fmt::Arguments<'_>) {
        self.svg
            .write_fmt(element)
            .expect("a String can be written");
        self.svg.push('\n');
    }

    /// Adds a note unless its count is zero.
    pub(super) fn note(&mut self, note: Note) {
        let is_empty = matches!(
            note,
            Note::Others(0)
                | Note::WithoutNumber(0)
                | Note::SeriesLeftOut(0)
                | Note::RowsLeftOut(0)
        );
        if !is_empty {
            self.notes.push(note);
        }
    }

    /// Writes the names of series with their colors, below the title. Returns the height that they take.
    pub(super) fn legend(&mut self, names: &[String]) -> f64 {
        const SWATCH: f64 = 12.0;
        const GAP: f64 = 16.0;
        if names.len() < 2 {
            return 0.0;
        }
        let area = self.area;
        let (mut x, mut y) = (area.left, area.title + 26.0);
        let names = self.fit_names(names.iter().map(String::as_str), TEXT_SIZE, 140.0);
        for (name, color) in names.into_iter().zip(COLORS) {
            let needed = SWATCH + 5.0 + width(&name, TEXT_SIZE);
            if x > area.left && x + needed > area.right {
                (x, y) = (area.left, y + 20.0);
            }
            self.rectangle(x, y - SWATCH + 1.0, SWATCH, SWATCH, color, 3.0);
            self.text(x + SWATCH + 5.0, y, TEXT_SIZE, INK, Anchor::Start, &name);
            x += needed + GAP;
        }
        y - area.title
    }

    pub(super) fn finish(mut self, alt: String) -> Drawing {
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
