//! Series of a line chart: collected from the rows, with their gaps, and thinned.

use std::collections::BTreeMap;

use crate::{Choice, Frame, exact::Amount, frame::Holds, steps::Steps, text::category};

/// Largest number of points that thinning keeps of each part: the first, lowest, highest and last one.
pub(super) const KEPT_PER_PART: usize = 4;

/// Place and value. No value is a gap.
pub(super) type Point = (f64, Option<Amount>);

/// Place, its text, and value of a row.
type Row<'a> = (f64, Option<&'a str>, Option<Amount>);

pub(super) struct Series {
    pub name: String,
    /// By place.
    pub points: Vec<Point>,
}

/// Series of the rows, and what they lack.
pub(super) struct Collected {
    pub all: Vec<Series>,
    /// Number of rows without a place.
    pub left_out: usize,
    /// True if values of the same place were added up.
    pub is_summed: bool,
}

impl Series {
    /// Returns the points with a value.
    pub(super) fn values(&self) -> impl Iterator<Item = (f64, Amount)> + Clone {
        self.points.iter().filter_map(|(x, y)| Some((*x, (*y)?)))
    }

    /// Size by which series are compared.
    pub(super) fn weight(&self) -> f64 {
        let sizes = self.values().map(|(_, y)| y.value.abs());
        sizes.fold(0.0, f64::max)
    }

    /// Adds a point without a value to each step that is longer than usual.
    pub(super) fn add_gaps(&mut self, has_times: bool) {
        let steps = Steps::of(self.points.iter().map(|it| it.0), has_times);
        let mut last: Option<f64> = None;
        let with_gaps = self.points.iter().flat_map(|point| {
            let before = last.replace(point.0);
            let gap = before.filter(|before| steps.is_gap(*before, point.0));
            let gap = gap.map(|before| (before + (point.0 - before) / 2.0, None));
            gap.into_iter().chain([*point])
        });
        self.points = with_gaps.collect();
    }

    /// Keeps the first, lowest, highest and last point of each of so many parts of a range of places. A
    /// part without values stays a gap.
    pub(super) fn thin(&mut self, (from, to): (f64, f64), parts: usize) {
        let part = |x: f64| {
            let share = (x - from) / (to - from).max(f64::MIN_POSITIVE);
            ((share * parts as f64) as usize).min(parts - 1)
        };
        let chunks = self.points.chunk_by(|a, b| part(a.0) == part(b.0));
        self.points = chunks.flat_map(envelope).collect();
    }
}

/// Sorts rows by place, and adds up those of the same place. Returns true if there were several.
fn added_up(mut rows: Vec<Row<'_>>) -> (Vec<Point>, bool) {
    // Large numbers and nanoseconds can differ in their text only.
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let same = rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let sums = same.map(|rows| (rows[0].0, Amount::sum(rows.iter().filter_map(|it| it.2))));
    let sums: Vec<_> = sums.collect();
    let is_summed = sums.len() < rows.len();
    (sums, is_summed)
}

/// Returns the first, lowest, highest and last of some points, in their order.
fn envelope(points: &[Point]) -> Vec<Point> {
    let values = points.iter().enumerate();
    let values: Vec<_> = values
        .filter_map(|(at, (_, y))| Some((at, (*y)?.value)))
        .collect();
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return points[..1].to_vec();
    };
    let best = |is_better: fn(f64, f64) -> bool| {
        let all = values.iter().copied();
        all.reduce(|a, b| if is_better(b.1, a.1) { b } else { a })
    };
    let (low, high) = (best(|a, b| a < b), best(|a, b| a > b));
    let mut kept: Vec<_> = [Some(*first), low, high, Some(*last)]
        .into_iter()
        .flatten()
        .map(|(at, _)| at)
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|at| points[at]).collect()
}

impl Frame<'_> {
    /// Returns the series of a line, each in the order of its places. `offset`: seconds to add to times.
    pub(super) fn series(&self, choice: &Choice, offset: f64) -> Collected {
        let mut all: Vec<(String, Vec<Row<'_>>)> = Vec::new();
        let mut places = BTreeMap::new();
        let mut left_out = 0;
        for column in &choice.numbers {
            for row in 0..self.rows.len() {
                let Some(x) = self.place(row, choice.along) else {
                    left_out += usize::from(*column == choice.numbers[0]);
                    continue;
                };
                let key = match choice.series {
                    Some(series) => (0, self.text(row, series)),
                    None => (*column, None),
                };
                let at = *places.entry(key).or_insert(all.len());
                if at == all.len() {
                    let name = match choice.series {
                        Some(_) => category(key.1),
                        None => self.name(*column).to_owned(),
                    };
                    all.push((name, Vec::new()));
                }
                let value = self.amount(row, *column);
                left_out += usize::from(value.is_none() && self.text(row, *column).is_some());
                let text = choice.along.and_then(|it| self.text(row, it));
                all[at].1.push((x + offset, text, value));
            }
        }
        let mut is_summed = false;
        let all = all.into_iter().map(|(name, rows)| {
            let (points, has_sums) = added_up(rows);
            is_summed |= has_sums;
            Series { name, points }
        });
        let all = all.collect();
        Collected {
            all,
            left_out,
            is_summed,
        }
    }

    /// Returns true if a column of times has each of them once, at regular distances.
    pub(crate) fn has_regular_times(&self, column: usize) -> bool {
        let times = (0..self.rows.len()).map(|row| self.place(row, Some(column)));
        let Some(mut times) = times.collect::<Option<Vec<_>>>() else {
            return false;
        };
        times.sort_by(f64::total_cmp);
        let is_distinct = times.windows(2).all(|pair| pair[0] < pair[1]);
        let is_time = self.columns[column].holds == Holds::Times;
        is_distinct && Steps::of(times.iter().copied(), is_time).are_regular()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl Iterator<Item = (f64, Option<f64>)>) -> Series {
        let points = values.map(|(x, y)| (x, y.map(|it| Amount::new(it, None))));
        Series {
            name: String::new(),
            points: points.collect(),
        }
    }

    #[test]
    fn thinning_keeps_extremes_and_gaps() {
        let value = |at: u32| match at {
            4321 => Some(1000.0),
            5432 => Some(-7.0),
            3000..3500 => None,
            _ => Some(1.0),
        };
        let mut series = series((0..9000).map(|at| (f64::from(at), value(at))));
        series.thin((0.0, 8999.0), 100);
        assert!(series.points.len() <= 100 * KEPT_PER_PART);
        let peaks = series.values().filter(|(_, y)| y.value != 1.0);
        let peaks: Vec<_> = peaks.map(|(x, y)| (x, y.value)).collect();
        assert_eq!(peaks, [(4321.0, 1000.0), (5432.0, -7.0)]);
        let mut gaps = series.points.iter().filter(|(_, y)| y.is_none());
        assert!(gaps.all(|(x, _)| (3000.0..3500.0).contains(x)));
        assert_eq!(series.points.first().map(|it| it.0), Some(0.0));
        assert_eq!(series.points.last().map(|it| it.0), Some(8999.0));
    }

    #[test]
    fn long_steps_become_gaps() {
        let places = [0.0, 1.0, 2.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let mut series = series(places.into_iter().map(|it| (it, Some(it))));
        series.add_gaps(false);
        let gaps = series.points.iter().filter(|(_, y)| y.is_none());
        assert_eq!(gaps.map(|it| it.0).collect::<Vec<_>>(), [5.0]);
    }
}
