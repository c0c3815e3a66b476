//! A finished chart.

use super::note::Note;

/// Chart as a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub svg: String,
    /// Text for people who don't see the picture: what it shows, and the most important numbers.
    pub alt: String,
    /// Differences between the picture and the rows.
    pub notes: Vec<Note>,
}
