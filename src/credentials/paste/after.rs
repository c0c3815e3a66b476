//! The text after a value without quotes: is it the second half of the value?

use super::names;

/// Words that stand between values in commands, on web pages and in sentences.
const ORDINARY: &[&str] = &[
    "account",
    "active",
    "alias",
    "also",
    "and",
    "api",
    "applicationid",
    "authorized",
    "auto",
    "aws",
    "best",
    "bucket",
    "bye",
    "cheers",
    "close",
    "console",
    "copy",
    "created",
    "createdat",
    "date",
    "declare",
    "default",
    "description",
    "done",
    "download",
    "duckdb",
    "einen",
    "end",
    "endpoint",
    "env",
    "expires",
    "expiresat",
    "export",
    "false",
    "for",
    "from",
    "here",
    "hide",
    "hope",
    "host",
    "http",
    "https",
    "inactive",
    "key",
    "keys",
    "label",
    "let",
    "name",
    "not",
    "note",
    "off",
    "only",
    "path",
    "please",
    "profile",
    "projectid",
    "properties",
    "provider",
    "regards",
    "region",
    "s3v4",
    "save",
    "secret",
    "sent",
    "service",
    "set",
    "setenv",
    "setx",
    "show",
    "status",
    "tags",
    "tenantid",
    "thanks",
    "that",
    "the",
    "then",
    "this",
    "true",
    "type",
    "und",
    "unset",
    "uri",
    "url",
    "use",
    "user",
    "userid",
    "username",
    "valid",
    "version",
    "with",
    "yes",
    "you",
    "your",
];

/// Returns true if the text after a value begins with a word that may be the rest of the value: a
/// terminal or an e-mail broke the value into two lines.
pub(crate) fn continues(after: &str) -> bool {
    let line = after.trim_start();
    let is_next_line = after[..after.len() - line.len()].contains('\n');
    let mut words = line.split_whitespace();
    let Some(word) = words.next() else {
        return false;
    };
    let bare = word.trim_end_matches([',', ';', ')', '}', ']', '"', '\'']);
    let may_be_part = |c: char| c.is_ascii_alphanumeric() || "/+=_.-".contains(c);
    if bare.is_empty() || !bare.chars().all(may_be_part) {
        return false;
    }
    if !bare.contains(|c: char| c.is_ascii_alphanumeric() || "=+/".contains(c)) || is_option(bare) {
        return false;
    }
    if is_ordinary(bare) || is_assignment(line) || is_label(line) {
        return false;
    }
    let is_word = |word: &str| {
        let word = word.trim_end_matches(['.', ',', '!', '?', ':', ';']);
        !word.is_empty() && word.chars().all(char::is_alphabetic)
    };
    let sentence = line.lines().next().unwrap_or_default();
    let is_sentence = is_next_line
        && word == bare
        && sentence.split_whitespace().count() > 2
        && sentence.split_whitespace().all(is_word);
    let has_dots_or_bars = bare.contains('_') || bare.matches('.').count() > 1;
    let is_name = has_dots_or_bars && is_property(bare) && words.next().is_some();
    !is_sentence && !is_name
}

/// Returns true if a text begins with a known name, and not with a word that contains one.
fn is_label(text: &str) -> bool {
    let end = names::at(text, 0).map(|found| found.end);
    let ends = |c: char| c.is_whitespace() || "\"'`*])|>,:=".contains(c);
    end.is_some_and(|end| text[end..].starts_with(ends) && !text[end..].starts_with("=="))
}

/// Returns true if a text begins with `NAME=value`, `name = value` or `name: value`.
pub(crate) fn is_assignment(text: &str) -> bool {
    let name = names::identifier(text);
    let rest = text[name.len()..].trim_start_matches(['"', '\'', ']', '*']);
    if name.is_empty() {
        return false;
    }
    let spaced = rest.trim_start_matches([' ', '\t']);
    if let Some(after) = spaced.strip_prefix(['=', ':']) {
        let is_glued = spaced.len() == rest.len();
        let is_known = names::at(text, 0).is_some() || is_ordinary(name) || is_property(name);
        let is_followed = !after.is_empty() && !after.starts_with('=');
        return if is_glued && spaced.starts_with('=') {
            // A single word with an equals sign may be a value with its padding.
            is_known && !after.starts_with('=')
        } else if is_glued {
            is_known || after.starts_with(char::is_whitespace) || after.starts_with("//")
        } else {
            is_followed && after.starts_with(char::is_whitespace)
        };
    }
    false
}

/// Returns true if a word stands between values in commands and sentences.
pub(crate) fn is_ordinary(word: &str) -> bool {
    ORDINARY
        .binary_search(&word.to_lowercase().as_str())
        .is_ok()
}

/// `--profile`, `-e` or the hyphen of a list.
fn is_option(word: &str) -> bool {
    let short = word.strip_prefix('-');
    word.starts_with("--") || short.is_some_and(|it| it.len() <= 2)
}

/// A name as only programs write it: `spark.hadoop.fs.s3a.endpoint`, `AWS_REGION`.
fn is_property(word: &str) -> bool {
    let has_case = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let is_mixed = has_case(char::is_ascii_lowercase) && has_case(char::is_ascii_uppercase);
    let parts = word.split(['.', '_', '-']);
    let are_words = parts
        .clone()
        .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()));
    are_words && !is_mixed && parts.count() > 1 && !word.contains(['/', '+', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(ORDINARY.is_sorted());
    }

    #[test]
    fn the_second_half_of_a_value_is_noticed() {
        for text in [
            "\nquack/2026",
            " quack/2026",
            " abc",
            "\nAbCd==\nAWS_REGION=eu",
            " == export A=b",
            " x export A=b",
            "\n/rest",
            "\ntherSecretKey+47",
            "\ntheSessionToken==",
        ] {
            assert!(continues(text), "{text:?}");
        }
    }

    #[test]
    fn other_text_is_not_part_of_the_value() {
        for text in [
            "",
            "\n",
            " export A=b",
            "\naws_secret_access_key = x",
            " region = eu",
            "\n  region: eu",
            " AWS_REGION=eu",
            " AWS_PROFILE=",
            " Secret access key wJal",
            " # comment",
            " [other] region = eu",
            " -e A=b",
            " --profile x",
            " && duckdb",
            " \\ A=b",
            " ana@host:~$ export A=b",
            " C:\\>set A=b",
            " and the secret key: x",
            "\nHave fun with them!",
            " spark.hadoop.fs.s3a.endpoint http://x",
            " uri: http://x",
            " \u{276f} export A=b",
        ] {
            assert!(!continues(text), "{text:?}");
        }
    }
}
