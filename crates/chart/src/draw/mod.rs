//! Drawings of all kinds of charts.

mod bars;
mod board;
mod canvas;
mod drawing;
mod line;
mod note;
mod number;
mod plot;
mod scatter;
mod series;

pub use board::{Board, Figure, Panel};
pub use drawing::Drawing;
pub use note::Note;

use crate::{choice::Choice, frame::Frame, kind::Kind, no_chart::NoChart, numbers::grouped};
use canvas::Canvas;

impl Frame<'_> {
    /// Draws a chart.
    ///
    /// # Errors
    /// If the choice does not fit the rows, or no number can be drawn.
    pub fn draw(&self, choice: &Choice) -> Result<Drawing, NoChart> {
        self.check(choice)?;
        let mut title = self.title(choice);
        if self.is_part {
            title += &format!(" ({})", self.first_rows());
        }
        let mut canvas = Canvas::new(&title);
        match choice.kind {
            Kind::Line => line::draw(self, choice, &mut canvas),
            Kind::Bars => bars::draw(self, choice, &mut canvas),
            Kind::Scatter => scatter::draw(self, choice, &mut canvas),
            Kind::Number => number::draw(self, choice, &mut canvas),
        }
        .map(|mut alt| {
            if self.is_part {
                alt += &format!(" Of the {}; the result has more.", self.first_rows());
            }
            canvas.finish(alt)
        })
    }

    fn first_rows(&self) -> String {
        match self.rows.len() {
            1 => "first row".to_owned(),
            count => format!("first {} rows", grouped(&count.to_string())),
        }
    }
}
