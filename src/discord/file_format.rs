//! Formats of files with a query's result. Pure.

/// Format of a file with a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Csv,
    Parquet,
}

impl FileFormat {
    pub const ALL: [Self; 2] = [Self::Csv, Self::Parquet];

    /// Name as people type it, which is also the extension of a file's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// Finds a format by its name, in upper or lower case.
    pub fn find(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.name().eq_ignore_ascii_case(name.trim()))
    }
}
