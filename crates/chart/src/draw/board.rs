//! Figures and two charts in one picture.

use super::{
    bars,
    canvas::{Anchor, Area, Canvas, FAINT_INK, INK, MARGIN, TEXT_SIZE, WIDTH},
    drawing::Drawing,
    line,
};
use crate::{Choice, Frame, Kind, NoChart, text::cleaned};

const FIGURE_SIZE: f64 = 26.0;
const NOTE_SIZE: f64 = 12.0;
/// Baselines of the figures, their names and their notes.
const FIGURE_Y: f64 = 78.0;
const NAME_Y: f64 = 98.0;
const NOTE_Y: f64 = 115.0;
/// Baseline of the charts' titles.
const PANEL_Y: f64 = 147.0;
/// Right edge of the left chart, and left edge of the right one.
const SPLIT: [f64; 2] = [375.0, 400.0];
/// Left edges of the figures. The last one is above the right chart.
const FIGURE_X: [f64; 3] = [MARGIN, 190.0, SPLIT[1]];

/// Title, figures in a row, and two charts side by side.
pub struct Board<'a> {
    pub title: &'a str,
    pub figures: [Figure<'a>; 3],
    /// Line or bars on the left, which have more room, and on the right.
    pub panels: [Panel<'a>; 2],
}

/// Number with its name.
#[derive(Clone, Copy)]
pub struct Figure<'a> {
    /// Number as text, with its unit.
    pub value: &'a str,
    pub name: &'a str,
    /// Text below the name, in small.
    pub note: Option<&'a str>,
}

/// Chart of a [`Board`].
pub struct Panel<'a> {
    pub title: &'a str,
    pub frame: Frame<'a>,
    pub choice: Choice,
}

impl Board<'_> {
    /// Draws the board.
    ///
    /// # Errors
    /// If a chart is neither a line nor bars, does not fit its rows, or has no number that can be drawn.
    pub fn draw(&self) -> Result<Drawing, NoChart> {
        let mut canvas = Canvas::new(self.title);
        let mut alt = format!("{}:", cleaned(self.title));
        for (at, (figure, x)) in self.figures.iter().zip(FIGURE_X).enumerate() {
            let next = FIGURE_X.get(at + 1).copied();
            let room = next.unwrap_or(WIDTH) - MARGIN - x;
            let lines = [
                (figure.value, FIGURE_SIZE, FIGURE_Y, INK),
                (figure.name, TEXT_SIZE, NAME_Y, FAINT_INK),
                (
                    figure.note.unwrap_or_default(),
                    NOTE_SIZE,
                    NOTE_Y,
                    FAINT_INK,
                ),
            ];
            for (text, size, y, color) in lines.into_iter().filter(|it| !it.0.is_empty()) {
                let text = canvas.fit(text, size, room);
                canvas.text(x, y, size, color, Anchor::Start, &text);
            }
            let end = if at + 1 < self.figures.len() {
                ','
            } else {
                '.'
            };
            let note = figure.note.map(|it| format!(" ({it})")).unwrap_or_default();
            let says = format!("{} {}{note}", figure.value, figure.name);
            alt += &format!(" {}{end}", cleaned(&says));
        }
        let edges = [(MARGIN, SPLIT[0]), (SPLIT[1], WIDTH - MARGIN)];
        for (panel, (left, right)) in self.panels.iter().zip(edges) {
            canvas.area = Area {
                left,
                right,
                title: PANEL_Y,
                bottom: Area::WHOLE.bottom,
            };
            let title = canvas.fit(panel.title, TEXT_SIZE, right - left);
            canvas.text(left, PANEL_Y, TEXT_SIZE, INK, Anchor::Start, &title);
            let Panel { frame, choice, .. } = panel;
            frame.check(choice)?;
            alt += " ";
            alt += &match choice.kind {
                Kind::Line => line::draw(frame, choice, &mut canvas),
                Kind::Bars => bars::draw(frame, choice, &mut canvas),
                kind => Err(NoChart::Unsuitable(kind)),
            }?;
        }
        Ok(canvas.finish(alt))
    }
}
