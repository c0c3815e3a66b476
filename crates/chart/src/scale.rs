//! Axes: from values to pixels, and the marks on them.

use crate::{numbers, times};

/// Share of an axis that may be empty after the last value, so that it ends at a mark.
const MAX_EMPTY: f64 = 0.12;
/// Share of an axis after the last value, if it does not end at a mark.
const MARGIN: f64 = 0.04;

/// Axis from a smallest to a largest value, along pixels.
pub(crate) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    /// True if all values are whole numbers, so all marks are, too.
    is_whole: bool,
}

impl Scale {
    /// Covers all values, from the pixel `start` to the pixel `end`. Equal values are in the middle of an axis
    /// that reaches half of their size around them; zeros are at its start.
    pub(crate) fn over(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let mut scale = Self::exactly_over(values, start, end);
        let (from, to) = (scale.from, scale.to);
        // Closer values differ by no more than the error of floating-point numbers.
        let least = (from.abs().max(to.abs()) * 1e-12).max(1e-300);
        if to - from <= least {
            let around = from.abs() / 2.0;
            (scale.from, scale.to) = if around > least {
                (from - around, to + around)
            } else {
                (0.0, 1.0)
            };
        }
        scale
    }

    /// Same as [`Self::over`], for seconds since 1970. A single time has this many seconds around it.
    pub(crate) fn over_times(
        values: impl Iterator<Item = f64>,
        start: f64,
        end: f64,
        around: f64,
    ) -> Self {
        let mut scale = Self::exactly_over(values, start, end);
        // Times have microseconds.
        if scale.to - scale.from < 1e-6 {
            scale.from -= around;
            scale.to += around;
        }
        scale
    }

    fn exactly_over(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let none = (f64::INFINITY, f64::NEG_INFINITY, true);
        let (from, to, is_whole) = values.fold(none, |(low, high, is_whole), it| {
            (low.min(it), high.max(it), is_whole && it.fract() == 0.0)
        });
        Self {
            from,
            to,
            start,
            end,
            is_whole,
        }
    }

    /// Extends the axis to whole marks if they are near, and to zero.
    pub(crate) fn with_whole_marks(mut self, most: usize) -> Self {
        if self.from > 0.0 && self.from < self.to / 2.0 {
            self.from = 0.0;
        } else if self.to < 0.0 && self.to > self.from / 2.0 {
            self.to = 0.0;
        }
        let span = self.to - self.from;
        let step = numbers::step(span, most, self.is_whole);
        let extended = |value: f64, mark: f64, margin: f64| {
            if (mark - value).abs() > span * MAX_EMPTY {
                value + margin
            } else {
                mark
            }
        };
        let (first, last) = (
            (self.from / step).floor() * step,
            (self.to / step).ceil() * step,
        );
        self.from = extended(self.from, first, -span * MARGIN);
        self.to = extended(self.to, last, span * MARGIN);
        self
    }

    pub(crate) fn pixel(&self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Returns at most about `most` marks with their labels.
    pub(crate) fn marks(&self, most: usize) -> Vec<(f64, String)> {
        let step = numbers::step(self.to - self.from, most, self.is_whole);
        let largest = self.from.abs().max(self.to.abs());
        let first = (self.from / step - 1e-6).ceil();
        let marks = (0..=2 * most).map(|at| (first + at as f64) * step);
        marks
            .take_while(|it| *it <= self.to + step / 1e6)
            .map(|it| (it, numbers::mark(it, step, largest)))
            .collect()
    }

    /// Same as [`Self::marks`], for places along a chart. Years have no thousands separators.
    pub(crate) fn place_marks(&self, most: usize) -> Vec<(f64, String)> {
        let mut marks = self.marks(most);
        if marks.iter().all(|(it, _)| numbers::is_like_a_year(*it)) {
            for (it, label) in &mut marks {
                *label = numbers::place(*it);
            }
        }
        marks
    }

    /// Same as [`Self::marks`], for seconds since 1970.
    pub(crate) fn time_marks(&self, most: usize) -> Vec<(f64, String)> {
        times::marks(self.from, self.to, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64]) -> Vec<String> {
        let scale = Scale::over(values.iter().copied(), 0.0, 100.0).with_whole_marks(5);
        let marks = scale.marks(5).into_iter();
        marks.map(|(_, label)| label).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(
            labels(&[330.0, 1100.0]),
            ["0", "250", "500", "750", "1,000"]
        );
        assert_eq!(labels(&[-1.0, 1.5]), ["-1", "-0.5", "0", "0.5", "1", "1.5"]);
        assert_eq!(
            labels(&[99.9, 100.1]),
            ["99.9", "99.95", "100", "100.05", "100.1"]
        );
        assert_eq!(labels(&[0.0, 10.1]), ["0", "2.5", "5", "7.5", "10"]);
        assert_eq!(labels(&[7.0]), ["0", "5", "10"]);
    }

    #[test]
    fn whole_numbers_have_whole_marks() {
        assert_eq!(labels(&[1.0, 3.0]), ["0", "1", "2", "3"]);
        assert_eq!(labels(&[0.0, 0.0]), ["0", "1"]);
        assert_eq!(labels(&[0.0, 12.0]), ["0", "5", "10"]);
        let rows = Scale::over([1.0, 3.0].into_iter(), 0.0, 100.0);
        let marks: Vec<_> = rows.marks(6).into_iter().map(|(_, label)| label).collect();
        assert_eq!(marks, ["1", "2", "3"]);
    }

    #[test]
    fn years_have_no_thousands_separators() {
        let labels = |values: [f64; 2]| {
            let marks = Scale::over(values.into_iter(), 0.0, 100.0).place_marks(4);
            marks.into_iter().map(|it| it.1).collect::<Vec<_>>()
        };
        assert_eq!(labels([2000.0, 2019.0]), ["2000", "2005", "2010", "2015"]);
        assert_eq!(
            labels([0.0, 2000.0]),
            ["0", "500", "1,000", "1,500", "2,000"]
        );
    }

    #[test]
    fn no_two_marks_have_the_same_label() {
        for values in [
            &[1e16, 1e16 + 5e10][..],
            &[0.0, 3e17],
            &[9e17, 1.1e18],
            &[1.0, 1.0 + 5e-12],
            &[0.0, 2e-6],
            &[1e-9, 5e-9],
            &[-1e300, 1e300],
            &[1e-300, 2e-300],
            &[0.0, 5e-324],
            &[1e15, 1e15 + 0.125],
            &[1_000_000.0, 1_000_000.001],
            &[0.0],
        ] {
            let all = labels(values);
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            assert!(
                all.len() >= 2 && distinct.len() == all.len(),
                "{values:?}: {all:?}"
            );
        }
        assert_eq!(
            labels(&[1e16, 1e16 + 5e10]),
            [
                "1e16",
                "1.000001e16",
                "1.000002e16",
                "1.000003e16",
                "1.000004e16",
                "1.000005e16"
            ]
        );
    }

    #[test]
    fn values_lie_within_the_axis() {
        let scale = Scale::over([10.0, 20.0].into_iter(), 400.0, 0.0);
        assert_eq!(scale.pixel(10.0), 400.0);
        assert_eq!(scale.pixel(15.0), 200.0);
        assert_eq!(scale.pixel(20.0), 0.0);
    }
}
