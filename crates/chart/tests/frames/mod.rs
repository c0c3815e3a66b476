//! Frames of tests.

use chart::{Drawing, Frame, Kind};

pub type Rows = Vec<Vec<Option<String>>>;

/// Reads rows with `|` between values, and NULL.
pub fn rows(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Rows {
    let value = |it: &str| (it != "NULL").then(|| it.to_owned());
    let row = |line: &str| line.split('|').map(value).collect();
    lines.into_iter().map(|it| row(it.as_ref())).collect()
}

/// Draws the first choice.
pub fn draw(columns: &[(&str, &str)], rows: &Rows) -> Drawing {
    let frame = Frame::new(columns.iter().copied(), rows);
    frame.draw(&frame.suggest().unwrap()).unwrap()
}

/// Draws the first choice of a kind.
pub fn draw_kind(kind: Kind, columns: &[(&str, &str)], rows: &Rows) -> Drawing {
    let frame = Frame::new(columns.iter().copied(), rows);
    frame.draw(&frame.suggest_kind(kind).unwrap()).unwrap()
}

/// Texts of a drawing, from top to bottom as they are drawn.
pub fn texts(drawing: &Drawing) -> Vec<String> {
    let lines = drawing.svg.lines();
    let texts = lines.filter_map(|line| line.strip_prefix("<text ")?.strip_suffix("</text>"));
    let texts = texts.map(|it| it.split_once('>').unwrap().1);
    texts.map(|it| it.replace("&quot;", "\"")).collect()
}

/// Date of January 2024, counted from 1.
pub fn january(day: usize) -> String {
    format!("2024-01-{day:02}")
}
