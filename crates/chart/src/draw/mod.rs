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

pub use board::{Board, Figure, Panel};
pub use drawing::Drawing;
pub use note::Note;

use crate::{choice::Choice, frame::Frame, kind::Kind, no_chart::NoChart};
use canvas::Canvas;

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
}
