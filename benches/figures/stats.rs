//! Summary statistics of measurements.

use std::time::Duration;

/// Median, p95 and p99.
#[derive(Debug, Clone, Copy)]
pub struct Stats {
    pub median: f64,
    pub p95: f64,
    pub p99: f64,
}

/// Computes the statistics of numbers.
pub fn stats(numbers: impl IntoIterator<Item = f64>) -> Stats {
    let mut sorted: Vec<_> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    Stats {
        median: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
    }
}

/// Computes the statistics of durations, in milliseconds.
pub fn time_stats(times: &[Duration]) -> Stats {
    stats(times.iter().map(|time| time.as_secs_f64() * 1000.0))
}
