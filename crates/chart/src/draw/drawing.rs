//! A finished chart.

use super::note::Note;

/// Chart as a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub svg: String,
    /// Text for people who don't see the picture: what it shows, and the most important numbers.
    pub alt: String,
    /// What the picture does not show as the rows have it.
    pub notes: Vec<Note>,
}
