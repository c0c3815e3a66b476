//! Differences between a picture and its rows.

use std::fmt;

use crate::numbers::grouped;

/// Difference between a picture and its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Points are averages of this many rows.
    Averaged(usize),
    /// Of this many rows, lines show the lowest and the highest number at each place.
    Extremes(usize),
    /// A point can stand for several of this many rows.
    Thinned(usize),
    /// Rows with the same category or place along the chart were added up.
    Summed,
    /// Only the rows with the largest numbers have a bar. The last bar is the sum of this many others.
    Others(usize),
    /// The last bar is shorter than its number, so that the others can be compared.
    OtherCut,
    /// Number of categories without a number, which have no bar.
    WithoutNumber(usize),
    /// Number of series that are not shown: those with the smallest numbers.
    SeriesLeftOut(usize),
    /// Number of rows that are not shown, because a value is infinite, too large, or NULL where there must be one.
    RowsLeftOut(usize),
    /// The font lacks characters, which are shown as `?`.
    MissingGlyphs,
}

/// Writes a sentence.
impl fmt::Display for Note {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count_of = |count: usize, what: &str| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{} {what}{plural}", grouped(&count.to_string()))
        };
        match *self {
            Self::Averaged(count) => {
                let rows = count_of(count, "row");
                write!(to, "In the chart, {rows} are averaged to fewer points.")
            }
            Self::Extremes(count) => {
                let rows = count_of(count, "row");
                write!(
                    to,
                    "Of {rows}, the chart has the lowest and the highest number at each place."
                )
            }
            Self::Thinned(count) => {
                let rows = count_of(count, "row");
                write!(
                    to,
                    "In the chart, a point can stand for several of the {rows}."
                )
            }
            Self::Summed => {
                to.write_str("In the chart, numbers of the same name or time are added up.")
            }
            Self::OtherCut => to
                .write_str("The last bar is cut, because it would be much longer than the others."),
            Self::WithoutNumber(count) => {
                let names = count_of(count, "name");
                write!(to, "The chart lacks {names} without a number.")
            }
            Self::Others(count) => {
                let count = grouped(&count.to_string());
                write!(
                    to,
                    "In the chart, the last bar is the sum of the {count} other ones."
                )
            }
            Self::SeriesLeftOut(count) => {
                let lines = count_of(count, "line");
                write!(to, "The chart lacks the {lines} with the smallest numbers.")
            }
            Self::RowsLeftOut(count) => {
                let rows = count_of(count, "row");
                write!(
                    to,
                    "The chart lacks {rows}, because a value is NULL, infinite or too large."
                )
            }
            Self::MissingGlyphs => {
                to.write_str("In the chart, \"?\" stands for characters that its font lacks.")
            }
        }
    }
}
