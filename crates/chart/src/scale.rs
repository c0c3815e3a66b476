//! Axes: from values to pixels, and the marks on them.

use crate::{numbers, times};

/// Axis from a smallest to a largest value, along pixels.
pub(crate) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Covers all values, from the pixel `start` to the pixel `end`. Equal values are in the middle of an axis
    /// that reaches `around` them, or half of their size.
    pub(crate) fn over(
        values: impl Iterator<Item = f64>,
        start: f64,
        end: f64,
        around: Option<f64>,
    ) -> Self {
        let (from, to) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
            (low.min(it), high.max(it))
        });
        // Closer values differ by no more than the error of floating-point numbers.
        let least = (from.abs().max(to.abs()) * 1e-12).max(1e-300);
        let (from, to) = if to - from > least {
            (from, to)
        } else {
            let around = around.unwrap_or((from.abs() / 2.0).max(0.5));
            (from - around, to + around)
        };
        Self {
            from,
            to,
            start,
            end,
        }
    }

    /// Extends the axis to whole marks, and to zero if that is near.
    pub(crate) fn with_whole_marks(mut self, most: usize) -> Self {
        if self.from > 0.0 && self.from < self.to / 2.0 {
            self.from = 0.0;
        } else if self.to < 0.0 && self.to > self.from / 2.0 {
            self.to = 0.0;
        }
        let step = step(self.to - self.from, most);
        self.from = (self.from / step).floor() * step;
        self.to = (self.to / step).ceil() * step;
        self
    }

    pub(crate) fn pixel(&self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Returns at most about `most` marks with their labels.
    pub(crate) fn marks(&self, most: usize) -> Vec<(f64, String)> {
        let step = step(self.to - self.from, most);
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.from / step).ceil();
        let marks = (0..=2 * most).map(|at| (first + at as f64) * step);
        marks
            .take_while(|it| *it <= self.to + step / 1e6)
            .map(|it| (it, numbers::rounded(it, decimals)))
            .collect()
    }

    /// Same as [`Self::marks`], for seconds since 1970.
    pub(crate) fn time_marks(&self, most: usize) -> Vec<(f64, String)> {
        times::marks(self.from, self.to, most)
    }
}

/// Distance between marks: 1, 2 or 5 times a power of ten.
fn step(span: f64, most: usize) -> f64 {
    let wanted = span / most as f64;
    let power = 10f64.powf(wanted.log10().floor());
    let times = wanted / power;
    let times = [1.0, 2.0, 5.0].into_iter().find(|it| *it >= times - 1e-9);
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers() {
        let labels = |values: &[f64]| {
            let scale = Scale::over(values.iter().copied(), 0.0, 100.0, None).with_whole_marks(5);
            let marks = scale.marks(5);
            marks
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(&[330.0, 1100.0]), ["0", "500", "1,000", "1,500"]);
        assert_eq!(labels(&[-1.0, 1.5]), ["-1", "-0.5", "0", "0.5", "1", "1.5"]);
        assert_eq!(
            labels(&[99.9, 100.1]),
            ["99.9", "99.95", "100", "100.05", "100.1"]
        );
        assert_eq!(labels(&[7.0]), ["0", "5", "10", "15"]);
        assert_eq!(labels(&[0.0, 3e17]).last().unwrap(), "3.00e17");
        for extreme in [
            &[-1e300, 1e300][..],
            &[1e-300, 2e-300],
            &[0.0, 5e-324],
            &[1e15, 1e15 + 0.125],
            &[0.0],
        ] {
            assert!(labels(extreme).len() >= 2, "{extreme:?}");
        }
    }

    #[test]
    fn values_lie_within_the_axis() {
        let scale = Scale::over([10.0, 20.0].into_iter(), 400.0, 0.0, None);
        assert_eq!(scale.pixel(10.0), 400.0);
        assert_eq!(scale.pixel(15.0), 200.0);
        assert_eq!(scale.pixel(20.0), 0.0);
    }
}
