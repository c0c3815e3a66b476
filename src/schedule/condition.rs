//! The condition under which a result is posted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A number that a value is compared with, as text, so that DuckDB reads it exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit(String);

impl Limit {
    const MAX_DIGITS: usize = 30;

    /// The number as a literal of SQL.
    pub fn as_sql(&self) -> &str {
        &self.0
    }
}

impl FromStr for Limit {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, InvalidCondition> {
        // Thousands separators.
        let text = text.trim().replace([',', '_', ' '], "");
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let is_number = are_digits(whole) && are_digits(fraction);
        if is_number && whole.len() + fraction.len() <= Self::MAX_DIGITS {
            Ok(Self(text))
        } else {
            Err(InvalidCondition)
        }
    }
}

impl TryFrom<String> for Limit {
    type Error = InvalidCondition;

    fn try_from(text: String) -> Result<Self, InvalidCondition> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.0
    }
}

/// The condition under which a result is posted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    #[default]
    Always,
    /// The result has rows.
    Rows,
    /// The first value is above the limit, and was not at the last run.
    Above(Limit),
    /// The first value is below the limit, and was not at the last run.
    Below(Limit),
    /// The result differs from that of the last run.
    Changed,
}

/// The text is not a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a condition is empty, rows, > 100, < 100 or changed")]
pub struct InvalidCondition;

impl FromStr for Condition {
    type Err = InvalidCondition;

    /// Reads a condition as people type it: nothing, `rows`, `> 100`, `below 5` or `changed`.
    fn from_str(text: &str) -> Result<Self, InvalidCondition> {
        let text = text.trim().to_lowercase();
        let text = text.strip_prefix("only if ").unwrap_or(&text).trim();
        let after = |prefixes: &[&str]| {
            let found = prefixes.iter().find_map(|it| text.strip_prefix(it));
            found.map(str::parse)
        };
        match text {
            "" | "always" => return Ok(Self::Always),
            "rows" | "there are rows" | "rows came" | "any rows" => return Ok(Self::Rows),
            "changed" | "it changed" | "change" => return Ok(Self::Changed),
            _ => {}
        }
        if let Some(limit) = after(&[">", "above", "over", "more than"]) {
            return Ok(Self::Above(limit?));
        }
        match after(&["<", "below", "under", "less than"]) {
            Some(limit) => Ok(Self::Below(limit?)),
            None => Err(InvalidCondition),
        }
    }
}

/// Writes the condition as people type it.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Rows => f.write_str("rows"),
            Self::Above(limit) => write!(f, "> {}", limit.0),
            Self::Below(limit) => write!(f, "< {}", limit.0),
            Self::Changed => f.write_str("changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_as_people_type_it_and_written_so_that_it_is_read_again() {
        for (typed, written) in [
            ("", "always"),
            ("Rows", "rows"),
            ("only if there are rows", "rows"),
            ("> 100", "> 100"),
            (">1,000.5", "> 1000.5"),
            ("below -3", "< -3"),
            ("under 10 000", "< 10000"),
            ("it changed", "changed"),
        ] {
            let read: Condition = typed.parse().expect(typed);
            assert_eq!(read.to_string(), written, "{typed}");
            assert_eq!(written.parse(), Ok(read), "{typed}");
        }
    }

    #[test]
    fn anything_else_is_no_condition() {
        for typed in [
            "> ",
            "> 1e9",
            "> 1; DROP TABLE t",
            "> 1.",
            "= 5",
            "sometimes",
            "> 1234567890123456789012345678901",
        ] {
            assert_eq!(typed.parse::<Condition>(), Err(InvalidCondition), "{typed}");
        }
    }
}
