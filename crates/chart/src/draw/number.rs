//! Number in large, compared with a second one.

use super::canvas::{Anchor, Canvas, FAINT_INK, HEIGHT, INK, MARGIN, TEXT_SIZE, TITLE_Y, WIDTH};
use crate::{
    choice::Choice,
    exact::Amount,
    frame::{Frame, Holds},
    no_chart::NoChart,
    numbers::rounded,
    text::{cleaned, width},
};

/// Size of the number, unless it is too long for it.
const SIZE: f64 = 84.0;
const COMPARED_SIZE: f64 = 20.0;
/// Most other values of a row that are shown.
const MAX_CONTEXT: usize = 4;

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let column = choice.numbers[0];
    let value = frame.amount(0, column).ok_or(NoChart::NothingToDraw)?;
    let text = frame.number_text(0, column).unwrap_or_default();
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
        && let Some(before) = frame.amount(row, column)
    {
        let before_text = frame.number_text(row, column).unwrap_or_default();
        // The title names a second column.
        let row = if row == 0 { "" } else { " in the next row" };
        let says = format!("compared with {before_text}{row}");
        let change = value.minus(before);
        // Floating-point numbers can't tell all texts apart.
        let is_known = change.value != 0.0 || change.is_exact() || text == before_text;
        let says = if is_known {
            format!("{} {says}", change_text(change, before))
        } else {
            says
        };
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
    let context = context(frame, choice);
    if !context.is_empty() {
        let line = canvas.fit(&context, TEXT_SIZE, room);
        canvas.text(
            MARGIN,
            TITLE_Y + 24.0,
            TEXT_SIZE,
            FAINT_INK,
            Anchor::Start,
            &line,
        );
        alt += &format!(" ({})", cleaned(&context));
    }
    Ok(alt + ".")
}

/// Writes a difference, and its share of the earlier number.
fn change_text(change: Amount, before: Amount) -> String {
    let sign = if change.value > 0.0 { "+" } else { "" };
    let percent = change.value / before.value.abs() * 100.0;
    // A difference that would be 0.0 % says more without it.
    let is_said = before.value != 0.0 && (percent.abs() >= 0.05 || percent == 0.0);
    let share = if is_said {
        format!(" ({sign}{} %)", rounded(percent, 1))
    } else {
        String::new()
    };
    format!("{sign}{change}{share}")
}

/// Names the other values of a single row.
fn context(frame: &Frame<'_>, choice: &Choice) -> String {
    if frame.rows.len() > 1 {
        return String::new();
    }
    let columns = frame.columns.iter().enumerate();
    let columns = columns.filter(|(at, _)| !choice.numbers.contains(at));
    let values = columns.filter_map(|(at, column)| {
        let value = match column.holds {
            Holds::Numbers => frame.number_text(0, at)?,
            Holds::Times | Holds::Categories => cleaned(frame.text(0, at)?),
            Holds::Other => return None,
        };
        Some(format!("{}: {value}", cleaned(column.name)))
    });
    values.take(MAX_CONTEXT).collect::<Vec<_>>().join(", ")
}
