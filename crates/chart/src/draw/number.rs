//! Number in large, compared with a second one.

use super::canvas::{Anchor, Canvas, FAINT_INK, HEIGHT, INK, MARGIN, WIDTH};
use crate::{
    choice::Choice,
    frame::Frame,
    no_chart::NoChart,
    numbers::{grouped, rounded},
    text::{cleaned, width},
};

/// Size of the number, unless it is too long for it.
const SIZE: f64 = 84.0;
const COMPARED_SIZE: f64 = 20.0;

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let column = choice.numbers[0];
    let value = frame.number(0, column).ok_or(NoChart::NothingToDraw)?;
    let text = grouped(frame.text(0, column).unwrap_or_default());
    let room = WIDTH - 2.0 * MARGIN;
    let size = SIZE.min(SIZE * room / width(&text, SIZE));
    let y = HEIGHT / 2.0 + size / 3.0;
    canvas.text(
        WIDTH / 2.0,
        y,
        (size * 10.0).floor() / 10.0,
        INK,
        Anchor::Middle,
        &text,
    );
    let mut alt = format!("{}: {text}", cleaned(frame.name(column)));
    // The second number is the next column of the row, or the next row.
    let second = match choice.numbers.get(1) {
        Some(second) => Some((0, *second)),
        None => (frame.rows.len() > 1).then_some((1, column)),
    };
    if let Some((row, column)) = second
        && let Some(before) = frame.number(row, column)
    {
        let before_text = grouped(frame.text(row, column).unwrap_or_default());
        let change = value - before;
        let sign = if change > 0.0 { "+" } else { "" };
        let mut says = format!("{sign}{}", rounded(change, 6));
        if before != 0.0 {
            let share = change / before.abs() * 100.0;
            says += &format!(" ({sign}{} %)", rounded(share, 1));
        }
        // The title names a second column.
        let row = if row == 0 { "" } else { " in the next row" };
        says += &format!(" compared with {before_text}{row}");
        let line = canvas.fit(&says, COMPARED_SIZE, room);
        let y = HEIGHT / 2.0 + SIZE / 3.0 + 50.0;
        canvas.text(
            WIDTH / 2.0,
            y,
            COMPARED_SIZE,
            FAINT_INK,
            Anchor::Middle,
            &line,
        );
        alt += &format!(", {says}");
        if choice.numbers.len() == 2 {
            alt += &format!(" ({})", cleaned(frame.name(column)));
        }
    }
    Ok(alt + ".")
}
