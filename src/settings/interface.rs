//! The interfaces of a session in the browser. Pure.

/// Interface that a session's URL opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// DuckDB's UI if its pages can be had, else the console.
    Auto,
    /// The console. Nothing is fetched from elsewhere.
    Console,
    /// DuckDB's UI. There is no console.
    DuckDb,
}

impl Interface {
    const ALL: [Self; 3] = [Self::Auto, Self::Console, Self::DuckDb];

    /// Name in the settings, and in the door's environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Console => "console",
            Self::DuckDb => "duckdb",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == text)
    }
}
