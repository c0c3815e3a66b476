//! The table of figures: stored as JSON between runs, rendered as docs/performance.md and two pictures.

use std::{fmt::Write, fs, path::PathBuf, process::Command, time::Duration};

use chrono::Utc;
use serde_json::{Value, json};

use super::{
    GROUPS,
    growth::{self, Series},
    plot,
    stats::time_stats,
};

/// Text before and after the table.
const NOTES: &str = include_str!("notes.md");

/// Target for a figure.
#[derive(Debug, Clone, Copy)]
pub enum Aim {
    /// Below each of these limits; the strictest is last.
    Under(&'static [f64]),
    /// Above each of these limits; the strictest is last.
    Over(&'static [f64]),
    /// No target; the figure is only shown.
    None,
}

/// A figure: one row of the table.
#[derive(Debug)]
pub struct Row {
    pub what: &'static str,
    /// Text of the aim.
    pub aim: &'static str,
    /// Texts for the columns floor, ours (median) and p95.
    pub floor: String,
    pub ours: String,
    pub p95: String,
    /// Value that is compared with the limits: a ratio to the floor, or the figure itself.
    pub figure: f64,
    pub is_ratio: bool,
    pub limits: Aim,
}

impl Row {
    /// Ratio of the median of our times to that of the floor's. The aim is to stay below `limits`.
    pub fn of_times(
        what: &'static str,
        (aim, limits): (&'static str, &'static [f64]),
        [ours, floor]: &[Vec<Duration>; 2],
    ) -> Self {
        let (ours, floor) = (time_stats(ours), time_stats(floor));
        Self {
            what,
            aim,
            floor: milliseconds(floor.median),
            ours: milliseconds(ours.median),
            p95: milliseconds(ours.p95),
            figure: ours.median / floor.median,
            is_ratio: true,
            limits: Aim::Under(limits),
        }
    }

    /// Growth of a cost from less work to more: each is the amount of work and its cost. The ratio is that of the costs for
    /// one unit of work, which is 1 if the cost is linear. `unit` is that of the cost.
    pub fn of_growth(what: &'static str, unit: &str, [less, more]: [(f64, f64); 2]) -> Self {
        let cost = |(_, cost): (f64, f64)| match cost {
            10.0.. => format!("{cost:.0} {unit}"),
            _ => format!("{cost:.1} {unit}"),
        };
        Self {
            what,
            aim: "at most 1.1, linear is 1",
            floor: cost(less),
            ours: cost(more),
            p95: String::new(),
            figure: (more.1 / more.0) / (less.1 / less.0),
            is_ratio: true,
            limits: Aim::Under(&[1.1]),
        }
    }

    /// Ratio of our rate to the floor's, both per second. The aim is to stay above `limits`.
    pub fn of_rates(
        what: &'static str,
        (aim, limits): (&'static str, &'static [f64]),
        [ours, floor]: [f64; 2],
    ) -> Self {
        Self {
            what,
            aim,
            floor: format!("{floor:.0}/s"),
            ours: format!("{ours:.0}/s"),
            p95: String::new(),
            figure: ours / floor,
            is_ratio: true,
            limits: Aim::Over(limits),
        }
    }
}

/// Writes a time, with two digits if it is short.
fn milliseconds(time: f64) -> String {
    if time < 10.0 {
        format!("{time:.2} ms")
    } else {
        format!("{time:.0} ms")
    }
}

/// Figures by group.
pub struct Table(Value);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output();
    let output = output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    output.unwrap_or_default()
}

impl Table {
    pub fn load() -> Self {
        let last = fs::read_to_string(root().join("benches/figures/last.json"));
        Self(last.map_or_else(|_| json!({}), |text| serde_json::from_str(&text).unwrap()))
    }

    /// Replaces the rows of a group, and its series in the chart of growth.
    pub fn replace_group(&mut self, group: &str, rows: &[Row], series: &[Series]) {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        self.0[group] = json!({ "rows": rows, "run": run() });
        if !series.is_empty() {
            self.0[group]["series"] = series.iter().map(Series::to_json).collect();
        }
    }

    pub fn write(&self) {
        let json = serde_json::to_string_pretty(&self.0).unwrap() + "\n";
        fs::write(root().join("benches/figures/last.json"), json).unwrap();
        let rows: Vec<_> = self.rows().filter(|row| row["used"].is_number()).collect();
        fs::write(root().join("docs/performance.svg"), plot::bars(&rows)).unwrap();
        let series: Vec<_> = self.all("series").collect();
        fs::write(root().join("docs/growth.svg"), growth::chart(&series)).unwrap();
        let (before, after) = NOTES.split_once("<!-- table -->\n").unwrap();
        let text = format!("{before}{}{after}", self.markdown());
        fs::write(root().join("docs/performance.md"), text).unwrap();
    }

    fn rows(&self) -> impl Iterator<Item = &Value> {
        self.all("rows")
    }

    /// The rows or series of all groups.
    fn all(&self, what: &str) -> impl Iterator<Item = &Value> {
        let groups = GROUPS
            .iter()
            .filter_map(move |group| self.0[*group][what].as_array());
        groups.flatten()
    }

    pub fn markdown(&self) -> String {
        let columns = ["what", "aim", "floor", "ours", "p95", "ratio", "met"];
        let mut text = format!(
            "| {} |\n|{}\n",
            columns.join(" | "),
            " --- |".repeat(columns.len())
        );
        for row in self.rows() {
            let cells = columns.map(|name| row[name].as_str().unwrap_or_default());
            writeln!(text, "| {} |", cells.join(" | ")).unwrap();
        }
        text += "\nMeasured:\n\n";
        for group in GROUPS {
            if let Some(run) = self.0[group]["run"].as_str() {
                writeln!(text, "- {group}: {run}").unwrap();
            }
        }
        text
    }
}

impl Row {
    fn to_json(&self) -> Value {
        let figure = if self.is_ratio {
            format!("{:.2}", self.figure)
        } else {
            self.ours.clone()
        };
        json!({
            "what": self.what, "aim": self.aim, "floor": self.floor, "ours": self.ours,
            "p95": self.p95, "figure": figure, "met": self.limits.met(self.figure),
            "ratio": if self.is_ratio { figure.as_str() } else { "" },
            "used": self.limits.used(self.figure),
        })
    }
}

impl Aim {
    fn met(self, figure: f64) -> &'static str {
        let met = match self {
            Self::None => return "",
            Self::Under(limits) => limits.iter().filter(|it| figure < **it).count(),
            Self::Over(limits) => limits.iter().filter(|it| figure > **it).count(),
        };
        let (Self::Under(limits) | Self::Over(limits)) = self else {
            return "";
        };
        match met {
            0 => "no",
            all if all == limits.len() => "yes",
            _ => "partly",
        }
    }

    /// Share of the strictest limit that the figure uses. 1.0 is the limit.
    fn used(self, figure: f64) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Under(limits) => limits.last().map(|limit| figure / limit),
            Self::Over(limits) => limits.last().map(|limit| limit / figure),
        }
    }
}

/// Describes the run in one line: date, versions and machine.
fn run() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu
        .unwrap_or("unknown")
        .trim_start_matches(['\t', ' ', ':']);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .split_whitespace()
        .nth(1)
        .and_then(|it| it.parse::<u64>().ok());
    let tools = root().join("crates/test-support/tools/go.mod");
    let modules = fs::read_to_string(tools).unwrap_or_default();
    let kubernetes = modules
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    let kubernetes = kubernetes.and_then(|it| it.split_whitespace().next());
    let duckdb = test_support::tools::duckdb().join("duckdb");
    let duckdb = output_of(duckdb.to_str().unwrap(), &["--version"]);
    let changed = !output_of("git", &["status", "--porcelain", "src", "Cargo.lock"]).is_empty();
    format!(
        "{}, duckbot {}{}, {} × {cpu}, {} GB, Linux {}, {}, Kubernetes {}, DuckDB {}",
        Utc::now().format("%Y-%m-%d"),
        output_of("git", &["rev-parse", "--short", "HEAD"]),
        if changed { " with changes" } else { "" },
        std::thread::available_parallelism().map_or(0, usize::from),
        memory.unwrap_or_default() / 1_000_000,
        output_of("uname", &["-r"]),
        output_of("rustc", &["--version"])
            .split(" (")
            .next()
            .unwrap_or_default(),
        kubernetes.unwrap_or("unknown"),
        duckdb.split_whitespace().next().unwrap_or("unknown"),
    )
}
