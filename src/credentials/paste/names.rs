//! The names of credentials in tools, shells, formats and consoles.

use super::pair::Name;
use crate::credentials::CredentialField as Field;

const KEY_ID: Name = Name::Credential(Field::KeyId);
const SECRET: Name = Name::Credential(Field::SecretKey);
const SESSION: Name = Name::Credential(Field::SessionToken);
const CATALOG: Name = Name::Credential(Field::CatalogToken);

/// Names that may have any prefix, such as `AWS_` or `spark.hadoop.fs.s3a.`. In lower case, letters
/// and digits only.
const ENDINGS: &[(&str, Name)] = &[
    ("accesskeyid", KEY_ID),
    ("accesskey", KEY_ID),
    ("accessid", KEY_ID),
    ("applicationkeyid", KEY_ID),
    ("rootuser", KEY_ID),
    ("secretaccesskey", SECRET),
    ("secretkey", SECRET),
    ("accesskeysecret", SECRET),
    ("accesssecret", SECRET),
    ("applicationkey", SECRET),
    ("rootpassword", SECRET),
    ("rootpass", SECRET),
    ("sessiontoken", SESSION),
    ("securitytoken", SESSION),
    ("catalogtoken", CATALOG),
    ("icebergtoken", CATALOG),
    ("expiration", Name::Expiry),
    ("expirationdate", Name::Expiry),
    ("expirationtime", Name::Expiry),
    ("expirationtimestamp", Name::Expiry),
    ("expires", Name::Expiry),
    ("expiresat", Name::Expiry),
    ("expiresatms", Name::Expiry),
    ("expiresin", Name::Expiry),
    ("expireson", Name::Expiry),
    ("expiretime", Name::Expiry),
    ("expiry", Name::Expiry),
    ("expirydate", Name::Expiry),
    ("zugriffsschlüsselid", KEY_ID),
    ("zugriffsschlüssel", KEY_ID),
    ("zugangsschlüsselid", KEY_ID),
    ("zugangsschlüssel", KEY_ID),
    ("geheimerzugriffsschlüssel", SECRET),
    ("geheimerzugangsschlüssel", SECRET),
    ("geheimschlüssel", SECRET),
    ("sitzungstoken", SESSION),
];

/// Names that mean something else with another prefix (`kms_key_id`, `client_secret`).
const WHOLE: &[(&str, Name)] = &[
    ("awskeyid", KEY_ID),
    ("awskey", KEY_ID),
    ("s3keyid", KEY_ID),
    ("s3key", KEY_ID),
    ("spaceskey", KEY_ID),
    ("b2keyid", KEY_ID),
    ("access", KEY_ID),
    ("secret", SECRET),
    ("awssecret", SECRET),
    ("s3secret", SECRET),
    ("spacessecret", SECRET),
    ("hmacsecret", SECRET),
    ("awstoken", SESSION),
    ("resttoken", CATALOG),
    ("bearer", CATALOG),
    ("token", Name::Token),
    ("ablaufdatum", Name::Expiry),
];

/// Names of several words, in addition to [`ENDINGS`].
const LABELS: &[(&str, Name)] = &[
    ("keyid", KEY_ID),
    ("secretid", KEY_ID),
    ("schlüsselid", KEY_ID),
    ("geheimerschlüssel", SECRET),
    ("clavedeacceso", KEY_ID),
    ("iddeclavedeacceso", KEY_ID),
    ("clavesecreta", SECRET),
    ("clavedeaccesosecreta", SECRET),
    ("chiavediaccesso", KEY_ID),
    ("idchiavediaccesso", KEY_ID),
    ("chiavesegreta", SECRET),
    ("chiavediaccessosegreta", SECRET),
    ("chavedeacesso", KEY_ID),
    ("iddachavedeacesso", KEY_ID),
    ("chavesecreta", SECRET),
    ("chavedeacessosecreta", SECRET),
    ("clésecrète", SECRET),
    ("toegangssleutelid", KEY_ID),
    ("toegangssleutel", KEY_ID),
    ("geheimesleutel", SECRET),
    ("geheimetoegangssleutel", SECRET),
    ("accesstoken", Name::Token),
    ("bearertoken", Name::Token),
    ("sessiontokenexpires", Name::Expiry),
    ("tokenexpires", Name::Expiry),
    ("validfor", Name::Expiry),
    ("validuntil", Name::Expiry),
    ("gültigbis", Name::Expiry),
];

/// Words before an ending that make it the name of something else.
const FOREIGN: [&str; 4] = ["expired", "kms", "old", "previous"];

/// Words that make `token` the catalog's.
const CATALOGS: [&str; 10] = [
    "catalog",
    "databricks",
    "gravitino",
    "iceberg",
    "lakekeeper",
    "nessie",
    "polaris",
    "pyiceberg",
    "tabular",
    "unity",
];

/// Words before a time of expiry that make it the credentials' own. A cookie has another one.
const EXPIRING: [&str; 17] = [
    "access",
    "aws",
    "credential",
    "credentials",
    "duckbot",
    "key",
    "keys",
    "s3",
    "secret",
    "security",
    "session",
    "sso",
    "sts",
    "temporary",
    "tmp",
    "token",
    "x",
];

/// Things that expire, too, in labels such as `Certificate expires: `.
const EXPIRING_ELSEWHERE: [&str; 7] = [
    "cache",
    "certificate",
    "cookie",
    "domain",
    "license",
    "password",
    "trial",
];

/// Maximum number of words in a label of a console.
const MAX_WORDS: usize = 5;

/// A name at a place in a text.
pub(crate) struct Found {
    pub name: Name,
    /// The name means other things, too.
    pub is_weak: bool,
    /// Words before those that say what the value is.
    pub prefix: String,
    /// Byte after the name.
    pub end: usize,
    /// A single word with several parts, as only programs write it: `AWS_ACCESS_KEY_ID`.
    pub is_identifier: bool,
}

/// Finds the longest name that begins at byte `start` of a text.
pub(crate) fn at(text: &str, start: usize) -> Option<Found> {
    let mut ends = Vec::new();
    let mut from = start;
    while ends.len() < MAX_WORDS {
        let length = identifier(&text[from..]).len();
        if length == 0 {
            break;
        }
        ends.push(from + length);
        let rest = &text[from + length..];
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if gap == 0 {
            break;
        }
        from += length + gap;
    }
    let first = *ends.first()?;
    let labels = ends.iter().skip(1).rev();
    let mut labels = labels.filter_map(|end| {
        let label = plain(&text[start..*end]);
        let name = find(ENDINGS, &label).or_else(|| find(LABELS, &label))?;
        Some((name, *end))
    });
    let label = labels.next();
    if let Some((name, end)) = label {
        return Some(Found {
            name,
            is_weak: false,
            prefix: String::new(),
            end,
            is_identifier: false,
        });
    }
    let parts = parts(&text[start..first]);
    let (name, skipped) = of_identifier(&parts)?;
    let prefix = parts[..skipped].concat();
    // `token_expires_at` and OAuth's `expires_in` may be those of another token.
    let is_weak = match name {
        Name::Expiry => prefix == "token" || parts.concat().ends_with("expiresin"),
        _ => skipped == 0 && find(ENDINGS, &parts.concat()).is_none(),
    };
    Some(Found {
        name,
        is_weak,
        prefix,
        end: first,
        is_identifier: parts.len() > 1,
    })
}

/// Finds the name that a text ends with, such as the last words of a heading.
pub(crate) fn at_end(text: &str) -> Option<Name> {
    let starts = text
        .char_indices()
        .filter(|(at, _)| is_start(text, *at))
        .map(|(at, _)| at);
    let found = starts.filter_map(|start| at(text, start));
    found
        .filter(|found| found.end == text.len())
        .map(|found| found.name)
        .next()
}

/// Returns true if the last word before "expires" says that something else does.
pub(crate) fn is_of_other_thing(before: &str) -> bool {
    let word = before.split_whitespace().next_back().unwrap_or_default();
    EXPIRING_ELSEWHERE.contains(&word.to_lowercase().as_str())
}

/// Returns true if a word may begin at this byte.
pub(crate) fn is_start(text: &str, at: usize) -> bool {
    let is_inside = |c: char| is_identifier(c) && c != '-' && c != '.';
    text[at..].starts_with(is_inside) && !text[..at].ends_with(is_inside)
}

/// The word at the start of a text, with its dots, hyphens and underscores.
pub(crate) fn identifier(text: &str) -> &str {
    let end = text.find(|c| !is_identifier(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', '-'])
}

/// Removes everything but letters and digits.
pub(crate) fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Finds the name that the words of an identifier end with, and the number of words before it.
fn of_identifier(parts: &[String]) -> Option<(Name, usize)> {
    let joined = parts.concat();
    if let Some(name) = whole(&joined) {
        return Some((name, 0));
    }
    for skipped in 1..parts.len() {
        let ending = parts[skipped..].concat();
        if let Some(name) = find(ENDINGS, &ending) {
            let is_foreign = FOREIGN.contains(&parts[skipped - 1].as_str()) || parts[0] == "azure";
            let is_other_time = name == Name::Expiry
                && !parts[..skipped]
                    .iter()
                    .all(|it| EXPIRING.contains(&it.as_str()));
            return (!is_foreign && !is_other_time).then_some((name, skipped));
        }
    }
    let is_catalog = parts.iter().any(|it| CATALOGS.contains(&it.as_str()));
    (is_catalog && parts.last()? == "token").then_some((CATALOG, 0))
}

fn whole(name: &str) -> Option<Name> {
    let found = find(ENDINGS, name).or_else(|| find(WHOLE, name));
    found.or_else(|| find(LABELS, name))
}

fn find(names: &[(&str, Name)], name: &str) -> Option<Name> {
    let same = names.iter().find(|(known, _)| *known == name);
    same.map(|(_, name)| *name)
}

/// Splits `AWS_ACCESS_KEY_ID`, `s3.access-key-id` and `AWSAccessKeyId` into their words.
pub(crate) fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let chars: Vec<char> = name.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|it| chars[it]);
        let after = chars.get(at + 1);
        let is_new = before.is_some_and(|it| {
            c.is_uppercase()
                && (it.is_lowercase()
                    || it.is_uppercase() && after.is_some_and(|it| it.is_lowercase()))
        });
        if is_new || !c.is_alphanumeric() {
            parts.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(c.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_spelling() {
        for (text, name) in [
            ("AWS_ACCESS_KEY_ID=", KEY_ID),
            ("AWSAccessKeyId=", KEY_ID),
            ("accessKeyID:", KEY_ID),
            ("spark.hadoop.fs.s3a.bucket.lake.access.key AK", KEY_ID),
            ("spark.sql.catalog.lake.s3.access-key-id=", KEY_ID),
            ("s3.aws-access-key=", KEY_ID),
            ("RCLONE_CONFIG_LAKE_ACCESS_KEY_ID=", KEY_ID),
            ("Access key ID: x", KEY_ID),
            ("Zugriffsschlüssel-ID: x", KEY_ID),
            ("client.access-key-id=", KEY_ID),
            ("NESSIE_AUTH_TOKEN=", CATALOG),
            ("Secret access key: x", SECRET),
            ("secret_key=x", SECRET),
            ("awsSecretKey", SECRET),
            ("SECRET 'x'", SECRET),
            ("applicationKey: x", SECRET),
            ("s3_session_token", SESSION),
            ("spark.sql.catalog.lake.token", CATALOG),
            ("PYICEBERG_CATALOG__LAKE__TOKEN=", CATALOG),
            ("x_security_token_expires = ", Name::Expiry),
        ] {
            assert_eq!(at(text, 0).map(|it| it.name), Some(name), "{text}");
        }
    }

    #[test]
    fn other_names_are_not_taken_for_one() {
        for text in [
            "client_secret=x",
            "sse_kms_key_id = x",
            "oauth2-client-secret",
            "AZURE_ACCESS_KEY=x",
            "region",
            "GITHUB_TOKEN=x",
            "COOKIE_EXPIRES=1",
            "secretive",
        ] {
            assert!(at(text, 0).is_none(), "{text}");
        }
    }
}
