//! Bars: a number for each category, the largest first.

use std::collections::BTreeMap;

use super::{
    canvas::{AXIS, Anchor, COLORS, Canvas, FAINT_INK, INK, TEXT_SIZE},
    note::Note,
};
use crate::{
    choice::Choice,
    frame::Frame,
    no_chart::NoChart,
    numbers::{grouped, rounded},
    scale::Scale,
    text::{cleaned, width},
};

/// Largest number of bars, with the one for all others.
const MAX_BARS: usize = 12;
/// Category of NULL.
const NULL: &str = "NULL";
/// Most decimals of a computed sum.
const SUM_DECIMALS: usize = 6;

struct Bar {
    name: String,
    /// True for the sum of the bars that are not shown.
    is_rest: bool,
    /// `None`: there is no number, so there is no bar.
    value: Option<f64>,
    /// The number as text.
    label: String,
}

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let (along, numbers) = (choice.along.expect("checked"), choice.numbers[0]);
    let mut bars = collect(frame, along, numbers, canvas);
    // Stable, so that equal values stay in the order of the rows.
    bars.sort_by(|a, b| {
        let key = |bar: &Bar| bar.value.unwrap_or(f64::NEG_INFINITY);
        let last = a.is_rest.cmp(&b.is_rest);
        last.then_with(|| key(b).total_cmp(&key(a)))
    });
    if bars.iter().all(|bar| bar.value.is_none()) {
        return Err(NoChart::NothingToDraw);
    }
    let all = bars.len();
    if all > MAX_BARS {
        let tail = bars.split_off(MAX_BARS - 1);
        let sum: f64 = tail.iter().filter_map(|bar| bar.value).sum();
        canvas.note(Note::Others(tail.len()));
        bars.push(Bar {
            name: format!("other ({})", tail.len()),
            is_rest: true,
            value: Some(sum),
            label: rounded(sum, SUM_DECIMALS),
        });
    }
    let alt = alt(frame, choice, &bars, all);
    paint(&bars, canvas);
    Ok(alt)
}

/// Returns a bar for each category, in the order of the rows. Adds up the numbers of the same category.
fn collect(frame: &Frame<'_>, along: usize, numbers: usize, canvas: &mut Canvas) -> Vec<Bar> {
    let mut places = BTreeMap::new();
    let mut bars: Vec<Bar> = Vec::new();
    let (mut is_summed, mut left_out) = (false, 0);
    for row in 0..frame.rows.len() {
        let category = frame.text(row, along);
        let value = frame.number(row, numbers);
        left_out += usize::from(value.is_none() && frame.text(row, numbers).is_some());
        let place = *places.entry(category).or_insert(bars.len());
        match bars.get_mut(place) {
            None => bars.push(Bar {
                name: category.unwrap_or(NULL).to_owned(),
                is_rest: frame.has_rest && row + 1 == frame.rows.len(),
                value,
                label: match (frame.text(row, numbers), value) {
                    (Some(text), _) => grouped(text),
                    (None, _) => NULL.to_owned(),
                },
            }),
            Some(bar) => {
                is_summed = true;
                if let Some(value) = value {
                    let sum = bar.value.unwrap_or_default() + value;
                    bar.value = Some(sum);
                    bar.label = rounded(sum, SUM_DECIMALS);
                }
            }
        }
    }
    canvas.note(Note::RowsLeftOut(left_out));
    if is_summed {
        canvas.note(Note::Summed);
    }
    bars
}

fn paint(bars: &[Bar], canvas: &mut Canvas) {
    let area = canvas.area;
    let top = area.top();
    let pitch = ((area.bottom - top) / bars.len() as f64).min(56.0);
    let names: Vec<_> = bars
        .iter()
        .map(|bar| canvas.fit(&bar.name, TEXT_SIZE, area.outer_width() * 0.32))
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
    let left = area.left + widest(&mut names.iter().map(|it| width(it, TEXT_SIZE))) + 10.0;
    let has_negative = bars.iter().any(|bar| bar.value.is_some_and(|it| it < 0.0));
    // Labels of negative bars are to the left of them. Bars need some room, too.
    let label_room = if has_negative {
        area.outer_width() * 0.17
    } else {
        area.outer_width() * 0.3
    };
    let labels: Vec<_> = bars
        .iter()
        .map(|bar| canvas.fit(&bar.label, TEXT_SIZE, label_room))
        .collect();
    let room = widest(&mut labels.iter().map(|it| width(it, TEXT_SIZE))) + 8.0;
    let values = || bars.iter().filter_map(|bar| bar.value);
    let right = area.right - room;
    let start = if has_negative { left + room } else { left };
    let scale = Scale::over(values().chain([0.0]), start, right, None);
    let zero = scale.pixel(0.0);
    for (at, ((bar, name), label)) in bars.iter().zip(&names).zip(&labels).enumerate() {
        let y = top + at as f64 * pitch;
        let base = y + pitch / 2.0 + TEXT_SIZE / 3.0;
        canvas.text(left - 10.0, base, TEXT_SIZE, INK, Anchor::End, name);
        let Some(value) = bar.value else {
            canvas.text(zero + 8.0, base, TEXT_SIZE, FAINT_INK, Anchor::Start, label);
            continue;
        };
        let end = scale.pixel(value);
        let color = if bar.is_rest { AXIS } else { COLORS[0] };
        let thickness = (pitch * 0.7).min(34.0);
        let y = y + (pitch - thickness) / 2.0;
        canvas.rectangle(
            zero.min(end),
            y,
            (end - zero).abs().max(1.0),
            thickness,
            color,
            2.0,
        );
        if value < 0.0 {
            canvas.text(end - 8.0, base, TEXT_SIZE, INK, Anchor::End, label);
        } else {
            canvas.text(end + 8.0, base, TEXT_SIZE, INK, Anchor::Start, label);
        }
    }
    canvas.rule((zero, top), (zero, top + pitch * bars.len() as f64), AXIS);
}

fn alt(frame: &Frame<'_>, choice: &Choice, bars: &[Bar], all: usize) -> String {
    const NAMED: usize = 3;
    let title = frame.title(choice);
    let named = bars.iter().take(NAMED);
    let named: Vec<_> = named
        .map(|bar| format!("{} {}", cleaned(&bar.name), bar.label))
        .collect();
    let more = match all.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("Bars of {title}: {}{more}.", named.join(", "))
}
