//! Reasons why there is no chart.

use std::fmt;

use crate::kind::Kind;

/// Reasons why rows can't be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChart {
    /// There are no rows.
    NoRows,
    /// No column has numbers.
    NoNumbers,
    /// No number can be drawn: they are NULL, infinite, or too large for a picture.
    NothingToDraw,
    /// The kind needs other columns than the rows have.
    Unsuitable(Kind),
    /// The choice names a column that the rows don't have, or with values of another type.
    UnknownColumn,
}

/// Writes the reason, to follow "because".
impl fmt::Display for NoChart {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::NoRows => "the result has no rows",
            Self::NoNumbers => "no column has numbers",
            Self::NothingToDraw => "the numbers are all NULL, infinite or too large",
            Self::Unsuitable(Kind::Line) => {
                "a line needs a column with numbers, and several rows or a time"
            }
            Self::Unsuitable(Kind::Bars) => {
                "bars need a column with names or times, and one with numbers"
            }
            Self::Unsuitable(Kind::Scatter) => "a scatter chart needs two columns with numbers",
            Self::Unsuitable(Kind::Number) | Self::UnknownColumn => {
                "the result has other columns than this chart needs"
            }
        })
    }
}
