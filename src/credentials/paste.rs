//! What people paste into one input of the form: a bare value, or lines of an
//! env file, an AWS credentials block, or the JSON of `aws sts`. Pure.

use super::Field;

/// A value that was pasted with its name, or without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pasted<'a> {
    /// What it is, if it was named.
    pub name: Option<Name>,
    /// The value, without quotes and white space around it.
    pub value: &'a str,
}

/// The names that values are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// A field of the form.
    Field(Field),
    /// When the session token expires.
    Expiry,
}

/// What each name is called in env files, AWS credentials files and `aws sts`,
/// in lower case and without underscores.
const KNOWN: [(&str, Name); 9] = [
    ("awsaccesskeyid", Name::Field(Field::KeyId)),
    ("accesskeyid", Name::Field(Field::KeyId)),
    ("awssecretaccesskey", Name::Field(Field::SecretKey)),
    ("secretaccesskey", Name::Field(Field::SecretKey)),
    ("awssessiontoken", Name::Field(Field::SessionToken)),
    ("sessiontoken", Name::Field(Field::SessionToken)),
    ("awscredentialexpiration", Name::Expiry),
    ("expiration", Name::Expiry),
    ("catalogtoken", Name::Field(Field::CatalogToken)),
];

/// Takes a paste apart. Without a name that is known, all of it is one bare
/// value; with one, other assignments (a region, a profile's name) are dropped.
pub fn take_apart(text: &str) -> Vec<Pasted<'_>> {
    let named: Vec<_> = assignments(text)
        .filter_map(|(name, value)| Some((known(name)?, value)))
        .map(|(name, value)| Pasted {
            name: Some(name),
            value,
        })
        .collect();
    match named.is_empty() {
        true => vec![Pasted {
            name: None,
            value: unquoted(text.trim()),
        }],
        false => named,
    }
}

fn known(name: &str) -> Option<Name> {
    let plain: String = name.chars().filter(|c| *c != '_').collect();
    let same = |(known, _): &&(&str, Name)| plain.eq_ignore_ascii_case(known);
    KNOWN.iter().find(same).map(|(_, name)| *name)
}

/// Every `NAME = value` and `"Name": "value"` in a text.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c.is_ascii_alphanumeric())?;
            rest = &rest[start..];
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            rest = after;
            let after = after.trim_start_matches('"').trim_start();
            let Some(after) = after.strip_prefix(['=', ':']) else {
                continue;
            };
            let after = after.trim_start();
            if after.starts_with(['{', '[']) {
                // The values are further in.
                rest = after;
                continue;
            }
            let (value, after) = value(after);
            rest = after;
            return Some((name, value));
        }
    })
}

/// The value at the start of a text, and what comes after it.
fn value(text: &str) -> (&str, &str) {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote
        && let Some((value, rest)) = text[1..].split_once(quote)
    {
        return (value, rest);
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '}');
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// Without one pair of quotes around it.
fn unquoted(text: &str) -> &str {
    let inner = ['"', '\'', '`'].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner.trim())
    });
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<(Option<Name>, &str)> {
        take_apart(text)
            .into_iter()
            .map(|it| (it.name, it.value))
            .collect()
    }

    const KEY: Option<Name> = Some(Name::Field(Field::KeyId));
    const SECRET: Option<Name> = Some(Name::Field(Field::SecretKey));
    const TOKEN: Option<Name> = Some(Name::Field(Field::SessionToken));

    #[test]
    fn a_bare_value_loses_white_space_and_quotes() {
        for text in ["AKIA1", "  AKIA1\n", "\"AKIA1\"", " 'AKIA1' ", "`AKIA1`"] {
            assert_eq!(named(text), [(None, "AKIA1")], "{text:?}");
        }
        assert_eq!(named("abc=="), [(None, "abc==")]);
        assert_eq!(
            named("key=value"),
            [(None, "key=value")],
            "not a name that is known"
        );
    }

    #[test]
    fn an_env_file_is_read() {
        let text = "export AWS_ACCESS_KEY_ID=AKIA1\nexport AWS_SECRET_ACCESS_KEY='s/+='\n\
            AWS_SESSION_TOKEN=\"t==\"\nAWS_DEFAULT_REGION=eu-central-1\n";
        assert_eq!(
            named(text),
            [(KEY, "AKIA1"), (SECRET, "s/+="), (TOKEN, "t==")]
        );
    }

    #[test]
    fn an_aws_credentials_block_is_read_even_on_one_line() {
        let text = "[default] aws_access_key_id = AKIA1 aws_secret_access_key = s/+=";
        assert_eq!(named(text), [(KEY, "AKIA1"), (SECRET, "s/+=")]);
    }

    #[test]
    fn the_answer_of_sts_is_read() {
        let text = r#"{"Credentials": {"AccessKeyId": "ASIA1", "SecretAccessKey": "s",
            "SessionToken": "t==", "Expiration": "2026-11-23T18:00:00+00:00"}}"#;
        let expiry = (Some(Name::Expiry), "2026-11-23T18:00:00+00:00");
        assert_eq!(
            named(text),
            [(KEY, "ASIA1"), (SECRET, "s"), (TOKEN, "t=="), expiry]
        );
    }
}
