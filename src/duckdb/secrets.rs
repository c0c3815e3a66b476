//! Values that nobody may read.

use std::{collections::HashMap, env};

use serde_json::Value;

use super::environment::secret;
use crate::redact::redact;

/// Shorter ones are no keys, and would be found in every other word.
const MIN_VALUE_BYTES: usize = 4;

/// Secret values, with what stands in their place.
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Those in the environment of this process.
    pub fn from_environment() -> Self {
        // A value that is not UTF-8 is looked for as it would be shown.
        let value = |name: &str| Some(env::var_os(name)?.to_string_lossy().into_owned());
        Self::find(value)
    }

    /// Those among `variables`.
    pub fn from_variables(variables: &HashMap<String, String>) -> Self {
        Self::find(|name| variables.get(name).cloned())
    }

    fn find(value: impl Fn(&str) -> Option<String>) -> Self {
        let values = secret::ALL.into_iter().filter_map(|name| {
            let value = value(name)?;
            (value.len() >= MIN_VALUE_BYTES).then_some((name, value))
        });
        // Also as it stands in JSON, which is what a DuckDB that is asked answers in.
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

    /// `text` with each value replaced by its variable's name.
    pub fn redact_values(&self, text: &str) -> String {
        let values = self.0.iter();
        redact(
            text,
            values.map(|(value, mark)| (value.as_str(), mark.as_str())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_out_also_where_json_writes_it_in_another_way() {
        let told = [(secret::KEY.to_owned(), "a\"b\\c/d".to_owned())];
        let secrets = Secrets::from_variables(&told.into());
        for text in [r#"say a"b\c/d."#, r#"say a\"b\\c/d."#] {
            assert_eq!(secrets.redact_values(text), "say <S3_SECRET_ACCESS_KEY>.");
        }
    }
}
