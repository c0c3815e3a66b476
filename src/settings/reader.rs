//! Reads typed values from a tree of raw values, and collects all errors.
//!
//! serde stops at the first error, but installers need all of them at once. So each value is taken
//! out of the tree by its key. Keys that remain in the tree are unknown settings.

use std::{collections::BTreeSet, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// An error in one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SettingError {
    key: String,
    problem: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// A setting is not valid, and the reader has its error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invalid;

/// The raw settings, the keys that were read, and the errors so far.
pub(super) struct SettingsReader {
    tree: Map<String, Value>,
    pub(super) known_keys: BTreeSet<String>,
    errors: Vec<SettingError>,
}

impl SettingsReader {
    /// Creates a reader of `tree`, whose top level is the sections.
    pub(super) fn new(tree: Map<String, Value>) -> Self {
        Self {
            tree,
            known_keys: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    /// Takes a required value.
    pub(super) fn required<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Invalid> {
        match self.text(key, expected)? {
            Some(text) => self.parsed(key, &text, expected, parse),
            None => self.reject(key, format!("is required; set it to {expected}")),
        }
    }

    /// Takes an optional value. An empty value counts as not set.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        match self.text(key, expected)? {
            Some(text) => self.parsed(key, &text, expected, parse).map(Some),
            None => Ok(None),
        }
    }

    /// Takes an optional value. The parser's error is the rest of a sentence about it. The value is
    /// not shown: a URL may contain a password.
    pub(super) fn checked<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Invalid> {
        let Some(text) = self.text(key, "a text")? else {
            return Ok(None);
        };
        match parse(&text) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => self.reject(key, problem),
        }
    }

    /// Takes a value that is required if `needed`, and otherwise optional.
    pub(super) fn required_if<T: Default>(
        &mut self,
        needed: bool,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Invalid> {
        if needed {
            self.required(key, expected, parse)
        } else {
            self.optional(key, expected, parse)
                .map(Option::unwrap_or_default)
        }
    }

    /// Takes a list. In an environment variable, commas separate its items.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Invalid> {
        let items = match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(one) => match scalar(&one) {
                Some(text) => text.split(',').map(|item| item.trim().into()).collect(),
                None => {
                    return self.reject(key, format!("must be a list; each item is {expected}"));
                }
            },
        };
        let texts = items.iter().map(scalar).collect::<Option<Vec<_>>>();
        let Some(texts) = texts else {
            return self.reject(key, format!("must be a list; each item is {expected}"));
        };
        let filled = texts.iter().filter(|text| !text.is_empty());
        let parsed = filled.map(|text| self.parsed(key, text, expected, &parse));
        // Collected first, so that the errors of all items are reported.
        parsed.collect::<Vec<_>>().into_iter().collect()
    }

    /// Takes a value with the fields of a Kubernetes manifest. An unknown field is an error.
    pub(super) fn manifest<T: Default + DeserializeOwned + Serialize>(
        &mut self,
        key: &str,
        expected: &str,
    ) -> Result<T, Invalid> {
        let Some(given) = self.take(key) else {
            return Ok(T::default());
        };
        if given == Value::String(String::new()) {
            return Ok(T::default());
        }
        // serde's error may quote the value, which is fine: these settings hold no secrets.
        let read: T = match serde_json::from_value(given.clone()) {
            Ok(read) => read,
            Err(why) => return self.reject(key, format!("must be {expected} ({why})")),
        };
        let understood = serde_json::to_value(&read).expect("a value from JSON serializes to JSON");
        match unknown(&given, &understood) {
            None => Ok(read),
            Some(field) => self.reject(key, format!("Kubernetes has no field {field} here")),
        }
    }

    /// Names of the tables in a section: `small` for `[sizes.small]`.
    pub(super) fn tables(&mut self, section: &str) -> Vec<String> {
        self.known_keys.insert(format!("{section}.<name>"));
        match self.tree.get(section) {
            Some(Value::Object(tables)) => tables.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Adds an error.
    pub(super) fn add_error(&mut self, key: &str, problem: impl Into<String>) {
        self.errors.push(SettingError {
            key: key.to_owned(),
            problem: problem.into(),
        });
    }

    /// Adds an error, and returns [`Invalid`] for the function that reads the setting.
    pub(super) fn reject<T>(
        &mut self,
        key: &str,
        problem: impl Into<String>,
    ) -> Result<T, Invalid> {
        self.add_error(key, problem);
        Err(Invalid)
    }

    /// Returns all errors, including one for each unknown key. The value of such a key is not
    /// shown: it may be a misplaced secret.
    pub(super) fn finish(mut self) -> Vec<SettingError> {
        let mut unknown = Vec::new();
        leaves(
            "",
            &Value::Object(std::mem::take(&mut self.tree)),
            &mut unknown,
        );
        for key in unknown {
            let nearest = self
                .known_keys
                .iter()
                .map(|known| (strsim::normalized_damerau_levenshtein(known, &key), known))
                .max_by(|(a, _), (b, _)| a.total_cmp(b));
            let problem = match nearest {
                Some((likeness, key_name)) if likeness > 0.7 => {
                    format!("unknown setting; did you mean {key_name}?")
                }
                _ => "unknown setting; `duckbot settings` lists all of them".to_owned(),
            };
            self.errors.push(SettingError { key, problem });
        }
        self.errors
    }

    /// Removes and returns the value at `section.key` or `section.table.key`.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.known_keys.insert(key.to_owned());
        let mut path = key.split('.').collect::<Vec<_>>();
        let last = path.pop().expect("split returns at least one piece");
        let mut at = &mut self.tree;
        for name in path {
            at = at.get_mut(name)?.as_object_mut()?;
        }
        at.remove(last)
    }

    /// Takes the text at `key`. An empty text counts as not set, as in variables.
    fn text(&mut self, key: &str, expected: &str) -> Result<Option<String>, Invalid> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match scalar(&value) {
                Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
                None => self.reject(key, format!("must be {expected}, not a list or table")),
            },
        }
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        text: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Invalid> {
        match parse(text) {
            Some(value) => Ok(value),
            None => self.reject(key, format!("{text:?} is not {expected}")),
        }
    }
}

/// Name of the first field of `given` that is not in `understood`.
fn unknown(given: &Value, understood: &Value) -> Option<String> {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            given
                .iter()
                .find_map(|(name, inner)| match understood.get(name) {
                    Some(understood) => unknown(inner, understood),
                    None => Some(name.clone()),
                })
        }
        (Value::Array(given), Value::Array(understood)) => {
            let mut pairs = given.iter().zip(understood);
            pairs.find_map(|(given, understood)| unknown(given, understood))
        }
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (name, inner) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{name}"), inner, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}
