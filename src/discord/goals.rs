//! Goals that need credentials: what a person asked for before they had any. Pure.
//!
//! A goal is part of the custom IDs of a form and of a button, so it survives a restart.

use super::{charts::WantedChart, file_format::FileFormat, start_options::StartOptions};
use crate::history::QueryId;

/// Maximum length of a custom ID.
const MAX_ID_CHARS: usize = 100;
const PREFIX: &str = "duckbot:";
const BUTTON: &str = "-form:";
const FORM: &str = "-keys:";
/// Same as [`FORM`] in earlier versions. The names of a size, a catalog and a workspace do not fit after it.
const OLD_FORM: &str = "-credentials:";

/// Request of a person, to go on with once they have entered credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Start a session.
    Start(StartOptions),
    /// Run a query.
    Query {
        /// Query in the person's history. `None`: the message with the button shows it whole.
        stored: Option<QueryId>,
        /// Name of a catalog.
        catalog: Option<String>,
        /// True to post the result in the channel for everybody.
        share: bool,
        /// Format of a file to attach.
        format: Option<FileFormat>,
        /// Chart to attach. One of the menu is only kept by its kind.
        chart: Option<WantedChart>,
    },
    /// List tables.
    Tables {
        pattern: Option<String>,
        /// Name of a catalog.
        catalog: Option<String>,
    },
    /// Describe a table.
    Describe {
        table: String,
        /// Name of a catalog.
        catalog: Option<String>,
    },
}

impl Goal {
    /// Custom ID of the button that opens the form for credentials.
    pub fn button_id(&self) -> String {
        self.id(BUTTON)
    }

    /// Custom ID of the form for credentials.
    pub fn form_id(&self) -> String {
        self.id(FORM)
    }

    /// Returns false if the goal is too long for a custom ID.
    pub fn fits(&self) -> bool {
        self.form_id().chars().count() <= MAX_ID_CHARS
    }

    /// Returns the catalog that needs the credentials. `None` for the default catalog.
    pub fn catalog(&self) -> Option<&str> {
        match self {
            Self::Start(StartOptions { catalog, .. })
            | Self::Query { catalog, .. }
            | Self::Tables { catalog, .. }
            | Self::Describe { catalog, .. } => catalog.as_deref(),
        }
    }

    fn id(&self, part: &str) -> String {
        let (kind, first, rest) = match self {
            Self::Start(options) => return format!("{PREFIX}start{part}{}", options.id()),
            Self::Query {
                stored,
                catalog,
                share,
                format,
                chart,
            } => {
                let share = if *share { "share" } else { "" };
                let stored = stored.as_ref().map(QueryId::to_string).unwrap_or_default();
                let format = format.map_or("", |it| it.name());
                let chart = chart.as_ref().map_or("", WantedChart::name);
                let rest = format!("{stored}:{}:{format}:{chart}", or_empty(catalog));
                ("query", share, rest)
            }
            Self::Tables { pattern, catalog } => {
                ("tables", or_empty(catalog), or_empty(pattern).to_owned())
            }
            Self::Describe { table, catalog } => ("describe", or_empty(catalog), table.clone()),
        };
        format!("{PREFIX}{kind}{part}{first}:{rest}")
    }

    /// Parses the custom ID of a button. Returns `None` if this version has no such goal.
    pub fn from_button_id(text: &str) -> Option<Self> {
        Self::parse(text, BUTTON)
    }

    /// Parses the custom ID of a form. Returns `None` if this version has no such goal.
    pub fn from_form_id(text: &str) -> Option<Self> {
        Self::parse(text, FORM).or_else(|| Self::parse(text, OLD_FORM))
    }

    fn parse(text: &str, part: &str) -> Option<Self> {
        let (kind, data) = text.strip_prefix(PREFIX)?.split_once(part)?;
        if kind == "start" {
            return StartOptions::parse(data).map(Self::Start);
        }
        let (first, rest) = data.split_once(':')?;
        Some(match kind {
            "query" if matches!(first, "" | "share") => {
                let (stored, rest) = rest.split_once(':')?;
                let (catalog, rest) = rest.split_once(':')?;
                // Earlier versions have no chart.
                let (format, chart) = rest.split_once(':').unwrap_or((rest, ""));
                let stored = non_empty(stored).map(|id| id.parse()).transpose();
                Self::Query {
                    stored: stored.ok()?,
                    catalog: non_empty(catalog),
                    share: first == "share",
                    format: FileFormat::find(format),
                    chart: WantedChart::find(chart),
                }
            }
            "tables" => Self::Tables {
                pattern: non_empty(rest),
                catalog: non_empty(first),
            },
            "describe" => Self::Describe {
                table: rest.to_owned(),
                catalog: non_empty(first),
            },
            _ => return None,
        })
    }
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{session::Restore, settings::MAX_NAME_BYTES};

    #[test]
    fn a_goal_is_read_back_from_both_ids() {
        let name = || Some("n".repeat(MAX_NAME_BYTES));
        for goal in [
            Goal::Start(StartOptions {
                size: name(),
                catalog: name(),
                workspace: Some("w".repeat(20).parse().expect("a name")),
                restore: Restore::Nothing,
            }),
            Goal::Start(StartOptions::default()),
            Goal::Query {
                stored: Some(QueryId::of("SELECT 42")),
                catalog: name(),
                share: true,
                format: Some(FileFormat::Parquet),
                chart: Some(WantedChart::Best),
            },
            Goal::Query {
                stored: None,
                catalog: None,
                share: false,
                format: None,
                chart: None,
            },
            Goal::Tables {
                pattern: Some("a:b-form:*".into()),
                catalog: name(),
            },
            Goal::Tables {
                pattern: None,
                catalog: None,
            },
            Goal::Describe {
                table: "\"a:b\".ducks".into(),
                catalog: name(),
            },
        ] {
            assert!(goal.fits(), "{}", goal.form_id());
            assert_eq!(Goal::from_button_id(&goal.button_id()), Some(goal.clone()));
            assert_eq!(Goal::from_form_id(&goal.form_id()), Some(goal));
        }
    }

    #[test]
    fn ids_of_earlier_versions_start_sessions() {
        let start = Some(Goal::Start(StartOptions {
            size: Some("large".into()),
            ..StartOptions::default()
        }));
        assert_eq!(Goal::from_button_id("duckbot:start-form:large:"), start);
        assert_eq!(
            Goal::from_form_id("duckbot:start-credentials:large:"),
            start
        );
    }

    #[test]
    fn a_table_with_a_long_name_does_not_fit() {
        let goal = Goal::Describe {
            table: "d".repeat(100),
            catalog: None,
        };
        assert!(!goal.fits());
    }
}
