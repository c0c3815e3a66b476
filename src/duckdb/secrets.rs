//! Secret values, and their removal from DuckDB's output.

use std::{collections::HashMap, env};

use serde_json::Value;

use super::environment::secret;
use crate::redact::redact;

/// Minimum length of a value that is removed. Shorter ones are not credentials, and would match
/// parts of ordinary words.
const MIN_VALUE_BYTES: usize = 4;

/// Secret values, each with its replacement.
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Collects the values in the environment of this process.
    pub fn from_environment() -> Self {
        // Convert a value that is not UTF-8 as it would be printed.
        let value = |name: &str| Some(env::var_os(name)?.to_string_lossy().into_owned());
        Self::find(value)
    }

    /// Collects the values in `variables`.
    pub fn from_variables(variables: &HashMap<String, String>) -> Self {
        Self::find(|name| variables.get(name).cloned())
    }

    /// Adds the values in `variables`.
    pub fn add(&mut self, variables: &HashMap<String, String>) {
        self.0.extend(Self::from_variables(variables).0);
    }

    fn find(value: impl Fn(&str) -> Option<String>) -> Self {
        let values = secret::ALL.into_iter().filter_map(|name| {
            let value = value(name)?;
            (value.len() >= MIN_VALUE_BYTES).then_some((name, value))
        });
        // A DuckDB for the chat answers in JSON, so values are also removed in their JSON form.
        let forms = values.flat_map(|(name, value)| {
            let json = Value::from(value.as_str()).to_string();
            let json = json[1..json.len() - 1].to_owned();
            let is_other = json != value;
            let forms = [Some(value), is_other.then_some(json)];
            forms
                .into_iter()
                .flatten()
                .map(move |form| (form, format!("<{name}>")))
        });
        Self(forms.collect())
    }

    /// Replaces each secret value in `text` by its variable's name.
    pub fn redact_values(&self, text: &str) -> String {
        let values = self.0.iter();
        redact(
            text,
            values.map(|(value, mark)| (value.as_str(), mark.as_str())),
        )
    }
}

/// Returns true if one of `texts` has the mark of a removed value.
pub(super) fn have_marks<'a>(mut texts: impl Iterator<Item = &'a str>) -> bool {
    let marks = secret::ALL.map(|name| format!("<{name}>"));
    texts.any(|text| marks.iter().any(|mark| text.contains(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_removed_in_its_json_form_too() {
        let told = [(secret::KEY.to_owned(), "a\"b\\c/d".to_owned())];
        let secrets = Secrets::from_variables(&told.into());
        for text in [r#"say a"b\c/d."#, r#"say a\"b\\c/d."#] {
            let redacted = secrets.redact_values(text);
            assert_eq!(redacted, "say <S3_SECRET_ACCESS_KEY>.");
            assert!(have_marks(["1", &redacted].into_iter()));
            assert!(!have_marks([text].into_iter()));
        }
    }
}
