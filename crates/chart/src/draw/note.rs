//! Differences between a picture and its rows.

/// Difference between a picture and its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Each point is the average of several of this many rows.
    Averaged(usize),
    /// Each point stands for all of this many rows near it.
    Thinned(usize),
    /// Rows with the same category were added up.
    Summed,
    /// Only the rows with the largest numbers have a bar. The last bar is the sum of this many others.
    Others(usize),
    /// This many series are not shown: those with the smallest numbers.
    SeriesLeftOut(usize),
    /// This many rows are not shown, because a value is NULL, infinite or too large.
    RowsLeftOut(usize),
    /// The font lacks characters, which are shown as `?`.
    MissingGlyphs,
}
