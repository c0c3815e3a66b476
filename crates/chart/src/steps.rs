//! Steps between the places of a line: which ones are gaps.

/// A step is a gap if it is this many times as long as the usual one.
const GAP_FACTOR: f64 = 1.5;
/// Share of the steps that must be as long as the usual one, so that there are gaps.
const REGULAR_SHARE: f64 = 0.8;
/// Least number of steps, so that one is usual.
const MIN_STEPS: usize = 4;
const DAY: f64 = 86_400.0;

/// Places with their gaps.
pub(crate) struct Steps {
    /// Longest step that is no gap.
    longest: f64,
    skips_weekends: bool,
}

impl Steps {
    /// Reads the steps between places in ascending order. `has_times`: places are seconds since 1970.
    pub(crate) fn of(places: impl Iterator<Item = f64> + Clone, has_times: bool) -> Self {
        let is_weekend = |it: f64| week(it).1 >= 5.0;
        let skips_weekends = has_times && !places.clone().any(is_weekend);
        let place = |it| if skips_weekends { workdays(it) } else { it };
        let following = places.clone().skip(1);
        let steps = places.zip(following).map(|(a, b)| place(b) - place(a));
        let mut steps: Vec<_> = steps.filter(|step| *step > 0.0).collect();
        steps.sort_by(f64::total_cmp);
        Self {
            longest: longest(&steps).unwrap_or(f64::INFINITY),
            skips_weekends,
        }
    }

    /// Returns true if most steps have the same length.
    pub(crate) fn are_regular(&self) -> bool {
        self.longest.is_finite()
    }

    pub(crate) fn is_gap(&self, from: f64, to: f64) -> bool {
        let step = if self.skips_weekends {
            workdays(to) - workdays(from)
        } else {
            to - from
        };
        step > self.longest
    }
}

/// Returns the longest of sorted steps that is no gap, if most have the same length.
fn longest(steps: &[f64]) -> Option<f64> {
    let usual = steps.get(steps.len() / 2)?;
    let longest = usual * GAP_FACTOR;
    let is_usual = |step: &&f64| **step <= longest && **step >= usual / GAP_FACTOR;
    let regular = steps.iter().filter(is_usual).count();
    let is_regular = regular as f64 >= steps.len() as f64 * REGULAR_SHARE;
    (is_regular && steps.len() >= MIN_STEPS).then_some(longest)
}

/// Returns the week of a time, and its day of the week with its fraction. Monday is 0.
fn week(seconds: f64) -> (f64, f64) {
    // The first day of 1970 was a Thursday.
    let days = seconds / DAY + 3.0;
    let week = (days / 7.0).floor();
    (week, days - week * 7.0)
}

/// Returns a time in seconds without weekends.
fn workdays(seconds: f64) -> f64 {
    let (week, day) = week(seconds);
    (week * 5.0 + day) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of days since Monday, January 1, 2024.
    fn steps(days: &[i32]) -> (Steps, Vec<f64>) {
        let places = days.iter().map(|it| (19_723.0 + f64::from(*it)) * DAY);
        let places: Vec<_> = places.collect();
        (Steps::of(places.iter().copied(), true), places)
    }

    #[test]
    fn a_long_step_between_regular_ones_is_a_gap() {
        let (days, at) = steps(&[0, 1, 2, 5, 6, 7, 8, 9]);
        assert!(days.are_regular() && days.is_gap(at[2], at[3]));
        assert!(!days.is_gap(at[0], at[1]));
        let (months, at) = steps(&[0, 31, 60, 91, 121, 152]);
        assert!(months.are_regular() && !months.is_gap(at[1], at[2]));
        let (irregular, at) = steps(&[0, 1, 5, 20, 22, 60]);
        assert!(!irregular.are_regular() && !irregular.is_gap(at[4], at[5]));
        assert!(!steps(&[0, 1, 2]).0.are_regular());
    }

    #[test]
    fn weekends_of_days_of_work_are_no_gaps() {
        let (days, at) = steps(&[0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14, 15, 18, 21]);
        assert!(days.are_regular());
        assert!(!days.is_gap(at[4], at[5]), "from Friday to Monday");
        assert!(days.is_gap(at[11], at[12]), "from Tuesday to Friday");
        assert!(!days.is_gap(at[12], at[13]));
    }
}
