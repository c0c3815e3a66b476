//! Reads typed values out of a tree of raw ones and remembers every mistake.
//!
//! serde stops at the first error; whoever installs the bot wants them all at
//! once. So each value is taken out of the tree by its key, and what nobody
//! took is a key that does not exist.

use std::{collections::BTreeSet, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    key: String,
    problem: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// The raw settings, the keys asked for so far, and the mistakes found so far.
pub struct SettingsReader {
    tree: Map<String, Value>,
    known_keys: BTreeSet<String>,
    errors: Vec<SettingError>,
}

impl SettingsReader {
    /// Reads from `tree`, whose first level is the sections.
    pub fn new(tree: Map<String, Value>) -> Self {
        Self {
            tree,
            known_keys: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    /// Takes a value that must be there.
    pub fn required<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        match self.text(key, expected)? {
            Some(text) => self.parsed(key, &text, expected, parse),
            None => self.reject(key, format!("is not set; it needs {expected}")),
        }
    }

    /// Takes a value that may be left out (or empty).
    pub fn optional<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.text(key, expected)? {
            Some(text) => self.parsed(key, &text, expected, parse).map(Some),
            None => Some(None),
        }
    }

    /// Takes a value that must be there if it is `needed`.
    pub fn required_if<T: Default>(
        &mut self,
        needed: bool,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        match needed {
            true => self.required(key, expected, parse),
            false => self
                .optional(key, expected, parse)
                .map(Option::unwrap_or_default),
        }
    }

    /// Takes a list; an environment variable writes it with commas.
    pub fn list<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(one) => match scalar(&one) {
                Some(text) => text.split(',').map(|item| item.trim().into()).collect(),
                None => return self.reject(key, format!("needs a list of {expected}")),
            },
        };
        let texts = items.iter().map(scalar).collect::<Option<Vec<_>>>();
        let Some(texts) = texts else {
            return self.reject(key, format!("needs a list of {expected}"));
        };
        let filled = texts.iter().filter(|text| !text.is_empty());
        let parsed = filled.map(|text| self.parsed(key, text, expected, &parse));
        // Not short-circuiting: every item's mistake is wanted.
        parsed.collect::<Vec<_>>().into_iter().collect()
    }

    /// Takes a value as Kubernetes describes it: its fields have the names and the
    /// shapes that they have in a manifest. None of them may be unknown.
    pub fn manifest<T: Default + DeserializeOwned + Serialize>(
        &mut self,
        key: &str,
        expected: &str,
    ) -> Option<T> {
        let Some(given) = self.take(key) else {
            return Some(T::default());
        };
        if given == Value::String(String::new()) {
            return Some(T::default());
        }
        // What Kubernetes says of a wrong field may quote it, which is fine: no
        // secret belongs here.
        let read: T = match serde_json::from_value(given.clone()) {
            Ok(read) => read,
            Err(why) => return self.reject(key, format!("needs {expected} ({why})")),
        };
        let understood = serde_json::to_value(&read).expect("it came from JSON");
        match unknown(&given, &understood) {
            None => Some(read),
            Some(field) => self.reject(key, format!("Kubernetes has no field {field} there")),
        }
    }

    /// The names of the tables in a section such as `[sizes.small]`.
    pub fn tables(&mut self, section: &str) -> Vec<String> {
        self.known_keys.insert(format!("{section}.<name>"));
        match self.tree.get(section) {
            Some(Value::Object(tables)) => tables.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Notes a mistake. Returns `None`, so that it can end a function that reads.
    pub fn reject<T>(&mut self, key: &str, problem: impl Into<String>) -> Option<T> {
        self.errors.push(SettingError {
            key: key.to_owned(),
            problem: problem.into(),
        });
        None
    }

    /// All mistakes, with a line for every key that nobody asked for. The value
    /// of such a key is not repeated: it may be a secret in the wrong place.
    pub fn finish(mut self) -> Vec<SettingError> {
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
                    format!("there is no such setting; did you mean {key_name}?")
                }
                _ => "there is no such setting; config/default.toml has them all".to_owned(),
            };
            self.errors.push(SettingError { key, problem });
        }
        self.errors
    }

    /// Takes out the value at `section.key` or `section.table.key`.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.known_keys.insert(key.to_owned());
        let mut path = key.split('.').collect::<Vec<_>>();
        let last = path.pop().expect("split gives at least one piece");
        let mut at = &mut self.tree;
        for name in path {
            at = at.get_mut(name)?.as_object_mut()?;
        }
        at.remove(last)
    }

    /// The text at `key`; an empty one counts as not set, as with variables.
    fn text(&mut self, key: &str, expected: &str) -> Option<Option<String>> {
        match self.take(key) {
            None => Some(None),
            Some(value) => match scalar(&value) {
                Some(text) if text.is_empty() => Some(None),
                Some(text) => Some(Some(text)),
                None => self.reject(key, format!("needs {expected}, not a list or table")),
            },
        }
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        text: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        match parse(text) {
            Some(value) => Some(value),
            None => self.reject(key, format!("{text:?} is not {expected}")),
        }
    }
}

/// The first field of `given` that is not in `understood`.
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
