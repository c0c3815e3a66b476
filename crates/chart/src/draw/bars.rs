//! Bars: a number for each category, the largest first.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{
    canvas::{AXIS, Anchor, BACKGROUND, COLORS, Canvas, FAINT_INK, INK, TEXT_SIZE},
    note::Note,
};
use crate::{
    choice::Choice,
    exact::Amount,
    frame::Frame,
    no_chart::NoChart,
    numbers::{grouped, rounded},
    scale::Scale,
    text::{category, cleaned, width},
};

/// Largest number of bars, with the one for all others.
const MAX_BARS: usize = 12;
/// The same for days, hours and other times, which say more together.
const MAX_ORDERED_BARS: usize = 31;
/// The bar of all others is cut if it is this many times as long as the longest other one.
const MAX_REST: f64 = 1.5;
/// Length of a cut bar, in lengths of the longest other one.
const CUT_LENGTH: f64 = 1.12;

struct Bar<'a> {
    /// Category as DuckDB writes it.
    key: Option<&'a str>,
    name: String,
    /// True for the sum of the bars that are not shown.
    is_rest: bool,
    /// Place in time.
    place: Option<f64>,
    /// `None`: there is no number, so there is no bar.
    amount: Option<Amount>,
    /// The number as text.
    label: String,
    /// Value at which the bar ends, unless that is its number.
    cut_at: Option<f64>,
}

impl Bar<'_> {
    fn value(&self) -> Option<f64> {
        self.amount.map(|it| it.value)
    }

    fn is_negative(&self) -> bool {
        self.value().is_some_and(|it| it < 0.0)
    }

    /// Value at which the bar ends.
    fn end(&self) -> Option<f64> {
        self.cut_at.or(self.value())
    }
}

/// Draws the chart. Returns its alternative text.
pub(super) fn draw(
    frame: &Frame<'_>,
    choice: &Choice,
    canvas: &mut Canvas,
) -> Result<String, NoChart> {
    let (along, numbers) = (choice.along.expect("checked"), choice.numbers[0]);
    let is_ordered = frame.columns[along].is_ordered;
    let mut bars = collect(frame, along, numbers, canvas);
    if bars.iter().all(|bar| bar.amount.is_none()) {
        return Err(NoChart::NothingToDraw);
    }
    let all = bars.len();
    let most = if is_ordered {
        MAX_ORDERED_BARS
    } else {
        MAX_BARS
    };
    keep_largest(&mut bars, most, canvas);
    // Stable, so that equal values stay in the order of the rows.
    bars.sort_by(|a, b| {
        let last = a.is_rest.cmp(&b.is_rest);
        last.then_with(|| {
            if is_ordered {
                by_time(a, b)
            } else {
                by_value(a, b)
            }
        })
    });
    cut_rest(&mut bars, canvas);
    let alt = alt(frame, choice, &bars, all, is_ordered);
    paint(&bars, canvas);
    Ok(alt)
}

/// Returns a bar for each category, in the order of the rows. Adds up the numbers of the same category.
fn collect<'a>(
    frame: &Frame<'a>,
    along: usize,
    numbers: usize,
    canvas: &mut Canvas,
) -> Vec<Bar<'a>> {
    let mut places = BTreeMap::new();
    let mut bars: Vec<Bar<'_>> = Vec::new();
    let (mut is_summed, mut left_out) = (false, 0);
    for row in 0..frame.rows.len() {
        let key = frame.text(row, along);
        let amount = frame.amount(row, numbers);
        let text = frame.number_text(row, numbers);
        left_out += usize::from(amount.is_none() && text.is_some());
        let at = *places.entry(key).or_insert(bars.len());
        match bars.get_mut(at) {
            None => bars.push(Bar {
                key,
                name: category(key),
                is_rest: frame.has_rest && row + 1 == frame.rows.len(),
                place: frame.place(row, Some(along)),
                amount,
                label: text.unwrap_or_else(|| category(None)),
                cut_at: None,
            }),
            Some(bar) => {
                is_summed = true;
                bar.amount = Amount::sum(bar.amount.into_iter().chain(amount));
                if let (Some(_), Some(sum)) = (amount, bar.amount) {
                    bar.label = sum.to_string();
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

/// Largest first, those without a number last.
fn by_value(a: &Bar<'_>, b: &Bar<'_>) -> Ordering {
    let key = |bar: &Bar<'_>| bar.value().unwrap_or(f64::NEG_INFINITY);
    key(b).total_cmp(&key(a))
}

/// Earliest first, and what is no time last. Times of a day are ordered as their texts are.
fn by_time(a: &Bar<'_>, b: &Bar<'_>) -> Ordering {
    let place = |bar: &Bar<'_>| bar.place.unwrap_or(f64::INFINITY);
    let is_null = |bar: &Bar<'_>| bar.key.is_none();
    is_null(a)
        .cmp(&is_null(b))
        .then_with(|| place(a).total_cmp(&place(b)))
        .then_with(|| a.key.cmp(&b.key))
}

/// Replaces all but the largest bars by their sum, if there are too many.
fn keep_largest(bars: &mut Vec<Bar<'_>>, most: usize, canvas: &mut Canvas) {
    if bars.len() > most {
        let before = bars.len();
        bars.retain(|bar| bar.amount.is_some());
        canvas.note(Note::WithoutNumber(before - bars.len()));
    }
    if bars.len() <= most {
        return;
    }
    // Large losses matter as much as large gains.
    let has_negative = bars.iter().any(Bar::is_negative);
    let size = |bar: &Bar<'_>| {
        let value = bar.value().unwrap_or_default();
        if has_negative { value.abs() } else { value }
    };
    bars.sort_by(|a, b| {
        let last = a.is_rest.cmp(&b.is_rest);
        last.then_with(|| size(b).total_cmp(&size(a)))
    });
    let tail = bars.split_off(most - 1);
    canvas.note(Note::Others(tail.len()));
    let sum = Amount::sum(tail.iter().filter_map(|bar| bar.amount));
    bars.push(Bar {
        key: None,
        name: format!("other ({})", grouped(&tail.len().to_string())),
        is_rest: true,
        place: None,
        amount: sum,
        label: sum.map_or_else(|| category(None), |it| it.to_string()),
        cut_at: None,
    });
}

/// Cuts a bar for all others that would make the others hard to compare.
fn cut_rest(bars: &mut [Bar<'_>], canvas: &mut Canvas) {
    let sizes = bars.iter().filter(|bar| !bar.is_rest);
    let sizes = sizes.filter_map(Bar::value).map(f64::abs);
    let longest = sizes.fold(0.0, f64::max);
    for bar in bars.iter_mut().filter(|bar| bar.is_rest) {
        let value = bar.value().unwrap_or_default();
        if longest > 0.0 && value.abs() > longest * MAX_REST {
            bar.cut_at = Some(longest * CUT_LENGTH * value.signum());
            canvas.note(Note::OtherCut);
        }
    }
}

fn paint(bars: &[Bar<'_>], canvas: &mut Canvas) {
    let area = canvas.area;
    let top = area.top();
    let pitch = ((area.bottom - top) / bars.len() as f64).min(56.0);
    // Many bars are close to each other.
    let size = (pitch * 0.95).min(TEXT_SIZE);
    let names = bars.iter().map(|bar| &*bar.name);
    let names = canvas.fit_names(names, size, area.outer_width() * 0.32);
    let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
    let left = area.left + widest(&mut names.iter().map(|it| width(it, size))) + 10.0;
    let has_negative = bars.iter().any(Bar::is_negative);
    // Labels of negative bars are to the left of them. Bars need some room, too.
    let label_room = if has_negative {
        area.outer_width() * 0.17
    } else {
        area.outer_width() * 0.3
    };
    let labels: Vec<_> = bars
        .iter()
        .map(|bar| {
            let is_wide = width(&bar.label, size) > label_room;
            // A number without its end would be another one.
            let short = bar.value().filter(|_| is_wide).map(|it| rounded(it, 2));
            canvas.fit(short.as_ref().unwrap_or(&bar.label), size, label_room)
        })
        .collect();
    let room = widest(&mut labels.iter().map(|it| width(it, size))) + 8.0;
    let right = area.right - room;
    let start = if has_negative { left + room } else { left };
    let ends = bars.iter().filter_map(Bar::end);
    let scale = Scale::over(ends.chain([0.0]), start, right);
    let zero = scale.pixel(0.0);
    for (at, ((bar, name), label)) in bars.iter().zip(&names).zip(&labels).enumerate() {
        let y = top + at as f64 * pitch;
        let base = y + pitch / 2.0 + size / 3.0;
        canvas.text(left - 10.0, base, size, INK, Anchor::End, name);
        let Some(value) = bar.end() else {
            canvas.text(zero + 8.0, base, size, FAINT_INK, Anchor::Start, label);
            continue;
        };
        let end = scale.pixel(value);
        let color = if bar.is_rest { AXIS } else { COLORS[0] };
        let thickness = (pitch * 0.7).min(34.0);
        let y = y + (pitch - thickness) / 2.0;
        let length = (end - zero).abs().max(1.0);
        canvas.rectangle(zero.min(end), y, length, thickness, color, 2.0);
        if bar.cut_at.is_some() {
            paint_cut(zero + (end - zero) * 0.92, y, thickness, canvas);
        }
        if value < 0.0 {
            canvas.text(end - 8.0, base, size, INK, Anchor::End, label);
        } else {
            canvas.text(end + 8.0, base, size, INK, Anchor::Start, label);
        }
    }
    canvas.rule((zero, top), (zero, top + pitch * bars.len() as f64), AXIS);
}

/// Draws the mark of a bar that is cut: two oblique lines in the color of the background.
fn paint_cut(x: f64, y: f64, thickness: f64, canvas: &mut Canvas) {
    for left in [x - 6.0, x + 2.0] {
        let (right, top, bottom) = (left + 4.0, y - 1.0, y + thickness + 1.0);
        canvas.write(format_args!(
            r#"<path d="M{left:.1} {bottom:.1}L{right:.1} {top:.1}" stroke="{BACKGROUND}" stroke-width="3"/>"#
        ));
    }
}

fn alt(
    frame: &Frame<'_>,
    choice: &Choice,
    bars: &[Bar<'_>],
    all: usize,
    is_ordered: bool,
) -> String {
    const NAMED: usize = 3;
    let title = frame.title(choice);
    let said = |bar: &Bar<'_>| format!("{} {}", cleaned(&bar.name), bar.label);
    let named: Vec<_> = bars.iter().take(NAMED).map(said).collect();
    let more = match all.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {} more", grouped(&more.to_string())),
    };
    // The first bars say nothing about the others.
    let hidden = bars.iter().skip(NAMED).filter(|bar| !bar.is_rest);
    let hidden = hidden.filter(|bar| bar.amount.is_some());
    let lowest = hidden.clone().max_by(|a, b| by_value(a, b));
    let lowest = lowest.filter(|bar| bar.is_negative());
    let highest = hidden.min_by(|a, b| by_value(a, b)).filter(|_| is_ordered);
    let extreme = |name, bar: Option<&Bar<'_>>| {
        let text = bar.map(|bar| format!(", {name} {}", said(bar)));
        text.unwrap_or_default()
    };
    let extremes = extreme("highest", highest) + &extreme("lowest", lowest);
    format!("Bars of {title}: {}{more}{extremes}.", named.join(", "))
}
