//! Bars of all figures with an aim, docs/performance.svg.

use std::fmt::Write;

use serde_json::Value;

/// Renders an SVG with a bar for each of these rows: its share of the strictest limit.
pub fn bars(rows: &[&Value]) -> String {
    let height = rows.len() * 26 + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"980\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (at, row) in rows.iter().enumerate() {
        let used = row["used"].as_f64().unwrap();
        let (y, long) = (at * 26 + 10, (used.min(2.0) * 200.0).max(1.0));
        let color = if used < 1.0 { "#4c9f70" } else { "#d1603d" };
        let what = row["what"].as_str().unwrap().replace('`', "");
        let what = what.replace('&', "&amp;").replace('<', "&lt;");
        let figure = row["figure"].as_str().unwrap();
        writeln!(
            svg,
            "<text x=\"510\" y=\"{}\" text-anchor=\"end\">{what}</text>\n\
             <rect x=\"520\" y=\"{y}\" width=\"{long:.0}\" height=\"18\" fill=\"{color}\"/>\n\
             <text x=\"{:.0}\" y=\"{}\">{figure}</text>",
            y + 13,
            525.0 + long,
            y + 13,
        )
        .unwrap();
    }
    let end = height - 30;
    write!(
        svg,
        "<line x1=\"720\" y1=\"4\" x2=\"720\" y2=\"{end}\" stroke=\"black\" stroke-dasharray=\"4\"/>\n\
         <text x=\"720\" y=\"{}\" text-anchor=\"middle\">aim; shorter is better</text>\n</svg>\n",
        height - 12
    )
    .unwrap();
    svg
}
