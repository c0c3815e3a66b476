//! Removes given values from a text, both as they are and in URL-encoded form. Pure.

use reqwest::Url;

/// Replaces each value in a text by its mark. Takes pairs of value and mark; ignores empty values.
pub(crate) fn redact<'a>(
    text: &str,
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut forms: Vec<(String, &str)> = Vec::new();
    for (value, mark) in values.into_iter().filter(|(value, _)| !value.is_empty()) {
        forms.push((value.to_owned(), mark));
        forms.extend(in_a_url(value).map(|form| (form, mark)));
    }
    // Replace the longest first, because one value may be a part of another.
    forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    forms.iter().fold(text.to_owned(), |text, (form, mark)| {
        text.replace(form, mark)
    })
}

/// Returns a value in the form that it has in a URL's query.
fn in_a_url(value: &str) -> Option<String> {
    let url = Url::parse_with_params("http://x/", [("v", value)]).ok()?;
    Some(url.query()?.strip_prefix("v=")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_even_if_one_begins_like_another() {
        let values = [("abcd", "<id>"), ("abcdefgh", "<key>")];
        let text = redact("abcdefgh, abcd and abc", values);
        assert_eq!(text, "<key>, <id> and abc");
    }

    #[test]
    fn a_value_is_also_replaced_in_a_url() {
        let text = redact("GET /?token=a%2Fb%2Bc%3D%3D&x=1", [("a/b+c==", "<token>")]);
        assert_eq!(text, "GET /?token=<token>&x=1");
    }

    #[test]
    fn an_empty_value_is_ignored() {
        assert_eq!(redact("unchanged", [("", "<nothing>")]), "unchanged");
    }
}
