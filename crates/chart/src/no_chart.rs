//! Reasons why there is no chart.

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
