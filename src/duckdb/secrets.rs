//! Values that nobody may read.

use std::{collections::HashMap, env};

use super::environment::secret;
use crate::redact::redact;

/// Shorter ones are no keys, and would be found in every other word.
const SHORTEST: usize = 4;

/// Secret values, with what stands in their place.
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Those in the environment of this process.
    pub fn of_this_process() -> Self {
        // A value that is not UTF-8 is looked for as it would be shown.
        let value = |name: &str| Some(env::var_os(name)?.to_string_lossy().into_owned());
        Self::find(value)
    }

    /// Those among `variables`.
    pub fn among(variables: &HashMap<String, String>) -> Self {
        Self::find(|name| variables.get(name).cloned())
    }

    fn find(value: impl Fn(&str) -> Option<String>) -> Self {
        let values = secret::ALL.into_iter().filter_map(|name| {
            let value = value(name)?;
            (value.len() >= SHORTEST).then(|| (value, format!("<{name}>")))
        });
        Self(values.collect())
    }

    /// `text` with each value replaced by its variable's name.
    pub fn taken_out(&self, text: &str) -> String {
        let values = self.0.iter();
        redact(
            text,
            values.map(|(value, mark)| (value.as_str(), mark.as_str())),
        )
    }
}
