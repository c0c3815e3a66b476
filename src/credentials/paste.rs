//! Parses the text of one input of the form: a bare value, or lines of an env file, an AWS
//! credentials block, or the JSON of `aws sts`. Pure.

use super::CredentialField;

/// A pasted value, with its name if it had one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PastedValue<'a> {
    /// Field that the value was named as.
    pub name: Option<PastedField>,
    /// Value without surrounding quotes and white space.
    pub value: &'a str,
}

/// Fields that a pasted value can be named as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PastedField {
    /// A field of the form.
    Credential(CredentialField),
    /// Time at which the session token expires.
    Expiry,
}

/// Names of the fields in env files, AWS credentials files and `aws sts`, in lower case and
/// without underscores.
const FIELD_NAMES: [(&str, PastedField); 16] = [
    (
        "awsaccesskeyid",
        PastedField::Credential(CredentialField::KeyId),
    ),
    (
        "accesskeyid",
        PastedField::Credential(CredentialField::KeyId),
    ),
    ("accesskey", PastedField::Credential(CredentialField::KeyId)),
    (
        "s3accesskey",
        PastedField::Credential(CredentialField::KeyId),
    ),
    (
        "miniorootuser",
        PastedField::Credential(CredentialField::KeyId),
    ),
    (
        "awssecretaccesskey",
        PastedField::Credential(CredentialField::SecretKey),
    ),
    (
        "secretaccesskey",
        PastedField::Credential(CredentialField::SecretKey),
    ),
    (
        "secretkey",
        PastedField::Credential(CredentialField::SecretKey),
    ),
    (
        "s3secretkey",
        PastedField::Credential(CredentialField::SecretKey),
    ),
    (
        "miniorootpassword",
        PastedField::Credential(CredentialField::SecretKey),
    ),
    (
        "awssessiontoken",
        PastedField::Credential(CredentialField::SessionToken),
    ),
    (
        "sessiontoken",
        PastedField::Credential(CredentialField::SessionToken),
    ),
    (
        "awssecuritytoken",
        PastedField::Credential(CredentialField::SessionToken),
    ),
    ("awscredentialexpiration", PastedField::Expiry),
    ("expiration", PastedField::Expiry),
    (
        "catalogtoken",
        PastedField::Credential(CredentialField::CatalogToken),
    ),
];

/// Splits a paste into values. Without any known name, the whole text is one bare value. With
/// one, all other assignments (a region, a profile's name) are dropped.
pub(super) fn parse_paste(text: &str) -> Vec<PastedValue<'_>> {
    let named: Vec<_> = assignments(text)
        .filter_map(|(name, value)| Some((find_field(name)?, value)))
        .map(|(name, value)| PastedValue {
            name: Some(name),
            value,
        })
        .collect();
    if named.is_empty() {
        vec![PastedValue {
            name: None,
            value: strip_quotes(text.trim()),
        }]
    } else {
        named
    }
}

fn find_field(name: &str) -> Option<PastedField> {
    let plain: String = name.chars().filter(|c| *c != '_').collect();
    let same = |(known, _): &&(&str, PastedField)| plain.eq_ignore_ascii_case(known);
    FIELD_NAMES.iter().find(same).map(|(_, name)| *name)
}

/// Finds every `NAME = value` and `"Name": "value"` in a text, except in comments.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    let lines = text.lines().filter(move |line| !is_comment(line));
    lines.flat_map(assignments_in_line)
}

fn assignments_in_line(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c.is_ascii_alphanumeric())?;
            let (before, from) = rest.split_at(start);
            let end = from.find(|c| !is_name(c)).unwrap_or(from.len());
            let (name, after) = from.split_at(end);
            rest = after;
            // PowerShell's `$Env:NAME="value"`
            if before.ends_with('$') && name.eq_ignore_ascii_case("env") {
                continue;
            }
            let Some(after) = assigned(after) else {
                continue;
            };
            if after.starts_with(['{', '[']) {
                // The values are inside the object or list.
                rest = after;
                continue;
            }
            let (value, after) = value(after);
            rest = after;
            if !value.is_empty() && value != "null" {
                return Some((name, value));
            }
        }
    })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the text after the `=` or `:` that follows a name.
fn assigned(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('"').trim_start();
    Some(text.strip_prefix(['=', ':'])?.trim_start())
}

/// Splits a text into the value at its start and the rest. The value is empty if the next
/// assignment follows at once.
fn value(text: &str) -> (&str, &str) {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    if let Some(quote) = quote
        && let Some((value, rest)) = text[1..].split_once(quote)
    {
        return (value, rest);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    let name_end = value.find(|c| !is_name(c)).unwrap_or(value.len());
    let is_next = assigned(&text[name_end..]).is_some() && find_field(&value[..name_end]).is_some();
    if is_next {
        ("", text)
    } else {
        // `set "NAME=value"` on Windows; the comma of a JSON line.
        (value.trim_end_matches([',', ';', '}', '"']), rest)
    }
}

/// Removes one pair of quotes around a text.
fn strip_quotes(text: &str) -> &str {
    let inner = ['"', '\'', '`'].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner.trim())
    });
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<(Option<PastedField>, &str)> {
        parse_paste(text)
            .into_iter()
            .map(|it| (it.name, it.value))
            .collect()
    }

    const KEY: Option<PastedField> = Some(PastedField::Credential(CredentialField::KeyId));
    const SECRET: Option<PastedField> = Some(PastedField::Credential(CredentialField::SecretKey));
    const TOKEN: Option<PastedField> = Some(PastedField::Credential(CredentialField::SessionToken));

    #[test]
    fn a_bare_value_loses_white_space_and_quotes() {
        for text in ["AKIA1", "  AKIA1\n", "\"AKIA1\"", " 'AKIA1' ", "`AKIA1`"] {
            assert_eq!(named(text), [(None, "AKIA1")], "{text:?}");
        }
        assert_eq!(named("abc=="), [(None, "abc==")]);
        assert_eq!(named("key=value"), [(None, "key=value")], "an unknown name");
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
    fn an_empty_value_does_not_take_the_next_line() {
        let text = "AWS_SESSION_TOKEN=\nAWS_DEFAULT_REGION=eu\nAWS_ACCESS_KEY_ID=AKIA1";
        assert_eq!(named(text), [(KEY, "AKIA1")]);
        let text = "aws_secret_access_key = \naws_session_token = t==";
        assert_eq!(named(text), [(TOKEN, "t==")]);
        // An input of one line turns line breaks into spaces.
        let text = "aws_secret_access_key = aws_session_token = t==";
        assert_eq!(named(text), [(TOKEN, "t==")]);
    }

    #[test]
    fn what_shells_and_tools_print_is_read() {
        for text in [
            "$Env:AWS_ACCESS_KEY_ID=\"AKIA1\"",
            "set \"AWS_ACCESS_KEY_ID=AKIA1\"",
            "set AWS_ACCESS_KEY_ID=AKIA1\r\n",
            "\"AccessKeyId\": \"AKIA1\",",
            "{\"accessKey\":\"AKIA1\",\"api\":\"s3v4\"}",
            "# AWS_ACCESS_KEY_ID=OLD\nAWS_ACCESS_KEY_ID=AKIA1",
            "MINIO_ROOT_USER=AKIA1",
            "AWS_ACCESS_KEY_ID=AKIA1;",
            "{\"AccessKeyId\": \"AKIA1\", \"SessionToken\": null}",
        ] {
            assert_eq!(named(text), [(KEY, "AKIA1")], "{text}");
        }
        assert_eq!(named("secret_key=pa;ss,word"), [(SECRET, "pa;ss,word")]);
    }

    #[test]
    fn an_aws_credentials_block_is_read_even_on_one_line() {
        let text = "[default] aws_access_key_id = AKIA1 aws_secret_access_key = s/+=";
        assert_eq!(named(text), [(KEY, "AKIA1"), (SECRET, "s/+=")]);
    }

    #[test]
    fn the_output_of_aws_sts_is_read() {
        let text = r#"{"Credentials": {"AccessKeyId": "ASIA1", "SecretAccessKey": "s",
            "SessionToken": "t==", "Expiration": "2026-11-23T18:00:00+00:00"}}"#;
        let expiry = (Some(PastedField::Expiry), "2026-11-23T18:00:00+00:00");
        assert_eq!(
            named(text),
            [(KEY, "ASIA1"), (SECRET, "s"), (TOKEN, "t=="), expiry]
        );
    }
}
