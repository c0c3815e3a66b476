//! Values that nobody may read.

use std::env;

use super::environment::secret;

/// Shorter ones are no keys, and would be found in every other word.
const SHORTEST: usize = 4;

/// Secret values, with the names of their variables.
pub struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Those in the environment of this process.
    pub fn of_this_process() -> Self {
        let values = secret::ALL.into_iter().filter_map(|name| {
            // A value that is not UTF-8 is looked for as it would be shown.
            let value = env::var_os(name)?.to_string_lossy().into_owned();
            Some((name, value))
        });
        Self::new(values.collect())
    }

    fn new(mut values: Vec<(&'static str, String)>) -> Self {
        values.retain(|(_, value)| value.len() >= SHORTEST);
        // Longest first: one value may be the beginning of another.
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// `text` with each value replaced by its variable's name.
    pub fn taken_out(&self, text: &str) -> String {
        let values = self.0.iter();
        values.fold(text.to_owned(), |text, (name, value)| {
            text.replace(value, &format!("<{name}>"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_give_way_to_names_even_if_one_begins_like_another() {
        let values = [(secret::KEY_ID, "abcd"), (secret::KEY, "abcdefgh")];
        let secrets = Secrets::new(values.map(|(name, value)| (name, value.into())).into());
        assert_eq!(
            secrets.taken_out("abcdefgh, abcd and abc"),
            "<S3_SECRET_ACCESS_KEY>, <S3_ACCESS_KEY_ID> and abc"
        );
    }

    #[test]
    fn an_empty_value_takes_nothing_out() {
        let secrets = Secrets::new(vec![(secret::CATALOG_TOKEN, String::new())]);
        assert_eq!(secrets.taken_out("as it was"), "as it was");
    }
}
