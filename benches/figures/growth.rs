//! Cost over work: a figure at several amounts of work, and the chart of all of them, docs/growth.svg.

use std::fmt::Write;

use serde_json::{Value, json};

/// Size of a panel, and of the part of it in which points are drawn.
const PANEL: [f64; 2] = [290.0, 220.0];
const PLOT: [f64; 2] = [200.0, 120.0];
/// Place of the upper left corner of that part in its panel.
const CORNER: [f64; 2] = [52.0, 48.0];
const COLUMNS: usize = 3;
/// Height of the text above all panels.
const HEAD: f64 = 56.0;

/// A figure at several amounts of work, in ascending order.
#[derive(Debug)]
pub struct Series {
    pub title: &'static str,
    /// Unit of the work, such as sessions.
    pub work: &'static str,
    /// Unit of the cost.
    pub unit: &'static str,
    /// Work and cost.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    pub fn to_json(&self) -> Value {
        json!({ "title": self.title, "work": self.work, "unit": self.unit, "points": self.points })
    }
}

/// Renders an SVG with a panel for each series, as [`Series::to_json`] wrote it.
pub fn chart(series: &[&Value]) -> String {
    let rows = series.len().div_ceil(COLUMNS);
    let (width, height) = (PANEL[0] * COLUMNS as f64, HEAD + PANEL[1] * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"16\" font-weight=\"bold\">Cost over work</text>\n\
         <text x=\"16\" y=\"42\">Both scales are logarithmic. Dashed: linear, from the smallest amount of work. \
         Below it, a unit of work costs less.</text>\n"
    );
    for (at, one) in series.iter().enumerate() {
        let (column, row) = (at % COLUMNS, at / COLUMNS);
        let (x, y) = (PANEL[0] * column as f64, HEAD + PANEL[1] * row as f64);
        writeln!(
            svg,
            "<g transform=\"translate({x} {y})\">\n{}</g>",
            panel(one)
        )
        .unwrap();
    }
    svg + "</svg>\n"
}

/// A logarithmic scale from data to pixels.
struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.start + share * (self.end - self.start)
    }
}

fn panel(series: &Value) -> String {
    let text = |name: &str| series[name].as_str().unwrap().replace('`', "");
    let points: Vec<(f64, f64)> = serde_json::from_value(series["points"].clone()).unwrap();
    let (first, last) = (points[0], points[points.len() - 1]);
    // End of the line with the slope of the smallest amount of work.
    let linear = (last.0, first.1 * last.0 / first.0);
    let costs = || points.iter().map(|it| it.1).chain([linear.1]);
    let low = costs().fold(f64::INFINITY, f64::min);
    let high = costs().fold(0.0, f64::max);
    let [left, top] = CORNER;
    let [right, bottom] = [left + PLOT[0], top + PLOT[1]];
    let x = Scale {
        low: first.0 / 1.3,
        high: last.0 * 1.3,
        start: left,
        end: right,
    };
    let y = Scale {
        // Room for the number below the lowest point.
        low: low / (high / low).powf(0.25),
        high: high * 1.3,
        start: bottom,
        end: top,
    };

    let mut svg = format!(
        "<text x=\"{left}\" y=\"22\" font-size=\"13\" font-weight=\"bold\">{}</text>\n\
         <text x=\"{left}\" y=\"38\" fill=\"#666\">{}</text>\n",
        text("title"),
        text("unit"),
    );
    for tick in ticks(y.low, y.high) {
        let at = y.at(tick);
        writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#e4e4e4\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{}</text>",
            left - 6.0,
            at + 4.0,
            number(tick),
        )
        .unwrap();
    }
    for (work, _) in &points {
        let at = x.at(*work);
        writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{bottom}\" x2=\"{at:.1}\" y2=\"{}\" stroke=\"#666\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\">{}</text>",
            bottom + 4.0,
            bottom + 17.0,
            number(*work),
        )
        .unwrap();
    }
    let place = |(work, cost): &(f64, f64)| format!("{:.1},{:.1}", x.at(*work), y.at(*cost));
    let line: Vec<_> = points.iter().map(place).collect();
    writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\" stroke=\"#666\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\">{}</text>\n\
         <polyline points=\"{} {}\" fill=\"none\" stroke=\"#999\" stroke-dasharray=\"4\"/>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#1f6fb4\" stroke-width=\"2\"/>",
        (left + right) / 2.0,
        bottom + 33.0,
        text("work"),
        line[0],
        place(&linear),
        line.join(" "),
    )
    .unwrap();
    for point in &points {
        let (at, above) = (x.at(point.0), y.at(point.1));
        writeln!(
            svg,
            "<circle cx=\"{at:.1}\" cy=\"{above:.1}\" r=\"3.5\" fill=\"#1f6fb4\"/>\n\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" stroke=\"white\" stroke-width=\"3\" \
             paint-order=\"stroke\">{}</text>",
            above + 16.0,
            number(point.1),
        )
        .unwrap();
    }
    svg
}

/// The values 1, 2 and 5 of each power of ten in the range, or fewer if these are too many.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let digits: &[f64] = if high / low > 100.0 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let all = powers.flat_map(|power| digits.iter().map(move |it| it * 10f64.powi(power)));
    all.filter(|tick| (low..=high).contains(tick)).collect()
}

/// Writes a number with two or three digits, or a whole one of up to six.
fn number(value: f64) -> String {
    if value >= 1000.0 {
        let whole = value.round() as u64;
        return format!("{},{:03}", whole / 1000, whole % 1000);
    }
    let decimals = match value {
        _ if value.fract() == 0.0 => 0,
        100.0.. => 0,
        1.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
