//! Kinds of charts.

/// Kinds of charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers over times, other numbers or the order of the rows.
    Line,
    /// Number for each category.
    Bars,
    /// Pairs of numbers.
    Scatter,
    /// Number in large, compared with a second one if there is one.
    Number,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Line, Self::Bars, Self::Scatter, Self::Number];

    /// Name as people type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Bars => "bar",
            Self::Scatter => "scatter",
            Self::Number => "number",
        }
    }

    /// Finds a kind by its name, in upper or lower case.
    pub fn find(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name().eq_ignore_ascii_case(name.trim()))
    }
}
