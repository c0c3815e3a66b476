//! The options of a start, and their form in custom IDs. Pure.

use crate::session::{Restore, Workspace};

/// Options of `/duck start`, and of the buttons that do the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartOptions {
    /// Name of a size.
    pub size: Option<String>,
    /// Name of a catalog.
    pub catalog: Option<String>,
    pub workspace: Option<Workspace>,
    pub restore: Restore,
}

/// Restore of nothing, in a custom ID.
const NOTHING: &str = "-";

impl StartOptions {
    /// Returns the options as a part of a custom ID.
    pub fn id(&self) -> String {
        let or_empty = |name: &Option<String>| name.clone().unwrap_or_default();
        let (size, catalog) = (or_empty(&self.size), or_empty(&self.catalog));
        let restore = match self.restore {
            Restore::Latest => String::new(),
            Restore::Nothing => NOTHING.to_owned(),
            Restore::Save(number) => number.to_string(),
        };
        match &self.workspace {
            // The same as in versions without workspaces.
            None if restore.is_empty() => format!("{size}:{catalog}"),
            None => format!("{size}:{catalog}::{restore}"),
            Some(workspace) => format!("{size}:{catalog}:{workspace}:{restore}"),
        }
    }

    /// Parses a part of a custom ID.
    pub fn parse(id: &str) -> Option<Self> {
        let parts: Vec<_> = id.split(':').collect();
        let (size, catalog, workspace, restore) = match parts[..] {
            [size, catalog] => (size, catalog, "", ""),
            [size, catalog, workspace, restore] => (size, catalog, workspace, restore),
            _ => return None,
        };
        let non_empty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(Self {
            size: non_empty(size),
            catalog: non_empty(catalog),
            workspace: match workspace {
                "" => None,
                name => Some(name.parse().ok()?),
            },
            restore: match restore {
                "" => Restore::Latest,
                NOTHING => Restore::Nothing,
                number => Restore::Save(number.parse().ok()?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_back() {
        let name = |text: &str| Some(text.to_owned());
        let workspace = || Some("sales".parse().expect("a name"));
        for (id, options) in [
            (":", StartOptions::default()),
            (
                "large:lake",
                StartOptions {
                    size: name("large"),
                    catalog: name("lake"),
                    ..StartOptions::default()
                },
            ),
            (
                "::sales:",
                StartOptions {
                    workspace: workspace(),
                    ..StartOptions::default()
                },
            ),
            (
                ":::-",
                StartOptions {
                    restore: Restore::Nothing,
                    ..StartOptions::default()
                },
            ),
            (
                ":lake:sales:12",
                StartOptions {
                    catalog: name("lake"),
                    workspace: workspace(),
                    restore: Restore::Save(12),
                    ..StartOptions::default()
                },
            ),
        ] {
            assert_eq!(options.id(), id);
            assert_eq!(StartOptions::parse(id), Some(options));
        }
        for odd in ["", "small", "small:lake:sales", "::Sales:", ":::x"] {
            assert_eq!(StartOptions::parse(odd), None, "{odd}");
        }
    }
}
