//! Workspaces: the names under which people's work is saved.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::InvalidId;

/// Name of one of a person's workspaces. Work in different workspaces never mixes.
///
/// Some names are reserved for the bot's own use. They are read from records, but not from people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Workspace(String);

/// Workspace of a session without a named one.
const MAIN: &str = "main";
/// Workspace of the session that `duckbot check` starts.
const CHECK: &str = "check";
/// Begin of the names of query runners.
const RUNNER_PREFIX: &str = "query-";

impl Workspace {
    /// Maximum number of characters of a name.
    const MAX_LENGTH: usize = 20;

    /// Returns the workspace of a session without a named one: `main`, `main-2`, `main-3` and so on, for
    /// the numbers from 0.
    pub fn unnamed(number: u8) -> Self {
        Self(match number {
            0 => MAIN.to_owned(),
            _ => format!("{MAIN}-{}", u16::from(number) + 1),
        })
    }

    /// Returns the reserved name of a query runner, for the numbers from 0.
    pub fn of_runner(number: u8) -> Self {
        Self(format!("{RUNNER_PREFIX}{number}"))
    }

    /// Returns the reserved name for the session of `duckbot check`.
    pub fn of_check() -> Self {
        Self(CHECK.to_owned())
    }

    /// Returns true for the workspace that a session gets first, if none is named.
    pub fn is_main(&self) -> bool {
        self.0 == MAIN
    }

    /// Parses a name, which may be reserved.
    fn read(text: String) -> Result<Self, InvalidId> {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(is_inner)
            && !text.ends_with('-');
        if is_name {
            Ok(Self(text))
        } else {
            Err(InvalidId::new(
                "a workspace has up to 20 lower-case letters, digits and hyphens, and begins with a \
                 letter, like sales",
            ))
        }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::unnamed(0)
    }
}

impl FromStr for Workspace {
    type Err = InvalidId;

    /// Parses a name that a person gave.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == CHECK || text.starts_with(RUNNER_PREFIX) {
            return Err(InvalidId::new(
                "the names check and those that begin with query- are reserved; choose another one, \
                 like sales",
            ));
        }
        Self::read(text.to_owned())
    }
}

impl TryFrom<String> for Workspace {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::read(text)
    }
}

impl From<Workspace> for String {
    fn from(workspace: Workspace) -> Self {
        workspace.0
    }
}

impl fmt::Display for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The saved work with which a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restore {
    /// The newest save of the workspace.
    #[default]
    Latest,
    /// None. The saves stay.
    Nothing,
    /// The save with this number.
    Save(u32),
}

impl fmt::Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Nothing => f.write_str("nothing"),
            Self::Save(number) => number.fmt(f),
        }
    }
}

impl FromStr for Restore {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "latest" => Ok(Self::Latest),
            "nothing" => Ok(Self::Nothing),
            number => {
                let number = number.parse().map(Self::Save);
                number.map_err(|_| InvalidId::new("a save is latest, nothing or a number"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_that_begin_with_a_letter() {
        for good in ["main", "sales-2026", "a", "main-2"] {
            assert_eq!(
                good.parse::<Workspace>().map(String::from),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            "-a",
            "a-",
            "2sales",
            "Sales",
            "a b",
            "../x",
            "aaaaaaaaaaaaaaaaaaaaa",
            "check",
            "query-0",
        ] {
            assert!(bad.parse::<Workspace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn unnamed_workspaces_have_names_too() {
        let names = [0, 1, 255].map(|number| Workspace::unnamed(number).to_string());
        assert_eq!(names, ["main", "main-2", "main-256"]);
    }

    #[test]
    fn reserved_names_are_read_from_records_only() {
        for reserved in [Workspace::of_runner(255), Workspace::of_check()] {
            assert!(reserved.to_string().parse::<Workspace>().is_err());
            let json = serde_json::to_string(&reserved).expect("a name is valid JSON");
            let read: Workspace = serde_json::from_str(&json).expect("a well-formed name");
            assert_eq!(read, reserved);
        }
    }

    #[test]
    fn what_to_restore_is_read_back() {
        for restore in [Restore::Latest, Restore::Nothing, Restore::Save(12)] {
            assert_eq!(restore.to_string().parse(), Ok(restore));
        }
        assert!("-1".parse::<Restore>().is_err());
    }
}
