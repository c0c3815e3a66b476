//! Differences between a picture and its rows.

/// Difference between a picture and its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Points are averages of this many rows.
    Averaged(usize),
    /// A point can stand for several of this many rows.
    Thinned(usize),
    /// Rows with the same category were added up.
    Summed,
    /// Only the rows with the largest numbers have a bar. The last bar is the sum of this many others.
    Others(usize),
    /// Number of series that are not shown: those with the smallest numbers.
    SeriesLeftOut(usize),
    /// Number of rows that are not shown, because a value is infinite, too large, or NULL where there must be one.
    RowsLeftOut(usize),
    /// The font lacks characters, which are shown as `?`.
    MissingGlyphs,
}
