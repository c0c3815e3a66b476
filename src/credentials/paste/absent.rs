//! Text in the place of a value that is none.

use super::{
    after::{is_assignment, is_named_assignment, is_ordinary},
    link::{Separator, looks_random},
    names::{self, Found},
    pair::Name,
};
use crate::credentials::CredentialField;

/// Words for no value.
const NOTHING: [&str; 25] = [
    "",
    "-",
    "--",
    "/",
    "<nil>",
    "<none>",
    "\u{2013}",
    "\u{2014}",
    "empty",
    "false",
    "kein",
    "keine",
    "keiner",
    "keins",
    "leer",
    "n/a",
    "na",
    "nil",
    "no",
    "none",
    "null",
    "true",
    "undefined",
    "unset",
    "~",
];

/// Characters that end a value without quotes in compact JSON, XML and lists.
const ENDS: [char; 6] = [',', ';', '&', '}', ']', '<'];

/// Returns true for a word that says that there is no value.
pub(crate) fn is_nothing(value: &str) -> bool {
    NOTHING.contains(&value.trim().to_lowercase().as_str())
}

/// Returns true for a word of a language, which is no token: those have digits, punctuation, or small
/// letters and capitals in any order.
pub(crate) fn is_plain_word(value: &str) -> bool {
    let word = value.trim_end_matches(['.', ',', ';', '!', '?']);
    let is_small = |c: char| c.is_alphabetic() && !c.is_uppercase();
    let is_capital = |c: char| c.is_alphabetic() && !c.is_lowercase();
    let is_word = word.chars().skip(1).all(is_small) || word.chars().all(is_capital);
    word.len() < 16 && is_word && word.chars().all(char::is_alphabetic)
}

/// Returns where a number, a time or a word such as `null` ends in compact text: before a bracket or
/// tag, or before the comma that a quote or the next name follows.
pub(crate) fn literal_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        let after = text[at + c.len_utf8()..].trim_start_matches([' ', '\t']);
        match c {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            ')' => return at,
            '}' | ']' | '<' => return at,
            _ if ENDS.contains(&c) && (after.is_empty() || is_next(after)) => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_next(text: &str) -> bool {
    let name = names::identifier(text.trim_start_matches(['"', '\'']));
    let after = text.trim_start_matches(['"', '\''])[name.len()..].trim_start_matches(['"', '\'']);
    text.starts_with(['"', '\''])
        || text.starts_with(char::is_alphabetic) && after.trim_start().starts_with(['=', ':'])
}

/// Returns true if no value follows a separator, but the next name, a comment or nothing. `is_glued`
/// says that nothing is between the separator and the text.
pub(crate) fn is_absent(rest: &str, separator: Separator, is_glued: bool) -> bool {
    let word = rest.split(char::is_whitespace).next().unwrap_or_default();
    let literal = word[..literal_end(word)].trim_end_matches([',', ';', ')', '}', '&']);
    let bare = literal.to_lowercase();
    let keywords = ["export", "set", "setenv", "setx", "declare", "env"];
    let is_keyword = keywords.contains(&bare.as_str()) && rest.trim_end().len() > word.len();
    let is_rule = bare.contains('-') && bare.chars().all(|c| "-+|:".contains(c));
    // `Access key: AWS secret key: …`: nothing, and the next label.
    let line = rest.lines().next().unwrap_or_default();
    let is_label = matches!(separator, Separator::Colon | Separator::Cell)
        && is_ordinary(word)
        && line.trim_end().len() > word.len();
    let is_prompt =
        word.contains(":\\") || word.contains(['@', '~']) && word.ends_with(['$', '#', '%', '>']);
    let is_next_name = separator != Separator::Tag
        && (is_named_assignment(rest) || !is_glued && is_assignment(rest))
        || names::at(rest, 0).is_some_and(|it| rest[it.end..].trim_start().starts_with(['=', ':']));
    // In a shell, a value may begin with any of them.
    let is_chosen =
        is_glued && separator == Separator::Equals && !word.starts_with(['#', '[', '{', '|']);
    let is_mark = word.starts_with(['#', '[', '{', '(', '|']) || word.starts_with("--");
    is_nothing(&bare) && is_at_end(&rest[literal.len()..])
        || is_keyword
        || is_rule
        || is_label
        || is_prompt
        || is_next_name
        || is_mark && !is_chosen
        || word.starts_with("$env:")
}

/// Returns true if nothing follows that could belong to the word before.
fn is_at_end(after: &str) -> bool {
    !after.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_+/=".contains(c))
}

/// Returns true if the text in the place of a value of this name can't be one.
pub(crate) fn is_other_text(found: &Found, word: &str) -> bool {
    let is_token = matches!(
        found.name,
        Name::Token | Name::Credential(CredentialField::SessionToken)
    );
    is_token && (is_plain_word(word) || word.starts_with("./"))
}

/// Returns true if the text begins with brackets or signs around a remark: `[MASKED]`, `(hidden)`,
/// `<your key>`, `########`.
pub(crate) fn is_hidden(rest: &str) -> bool {
    let line = rest.lines().next().unwrap_or_default();
    let pairs = [("{{", "}}"), ("[", "]"), ("(", ")"), ("<", ">")];
    let is_remark = pairs.iter().any(|(open, close)| {
        let inside = line.strip_prefix(open).and_then(|it| it.split_once(close));
        let is_plain = |c: char| c.is_alphanumeric() || " _-:.*/'".contains(c);
        inside.is_some_and(|(inside, after)| {
            !looks_random(inside)
                && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
                && inside.starts_with(|c: char| c.is_alphabetic() || " *".contains(c))
                && inside.chars().all(is_plain)
        })
    });
    let word = line.split_whitespace().next().unwrap_or_default();
    is_remark || word.starts_with("####") || word.starts_with('\u{2022}')
}

/// Returns true if a text only stands for a value.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let inner = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    let lower = value.to_lowercase();
    let is_variable = |it: &str| {
        it.starts_with(|c: char| c.is_ascii_alphabetic())
            && it
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
    };
    // YAML's `!vault`, `!Ref`, `!secret`, with the name of a value after it.
    let is_tag = |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphabetic());
    inner("<", ">")
        || inner("{", "}")
        || inner("%", "%") && value.len() > 2
        || ["${", "$(", "{{", "ENC["]
            .iter()
            .any(|it| value.starts_with(it))
        || value.strip_prefix('$').is_some_and(is_variable)
        || value.strip_prefix('!').is_some_and(is_tag)
        || value.matches('*').count() > 3
        || value.contains(['\u{2022}', '\u{2026}'])
        || value.contains("...")
        || value.contains("://")
        || value.starts_with("arn:")
        || ["redacted", "masked", "hidden", "secret_redacted"]
            .contains(&lower.trim_matches(['[', ']', '(', ')', '*']))
        || is_masked(value)
        || is_description(&lower)
        || is_code(value)
}

/// `***`, `xxxxxxxx`, `AKIAXXXXXXXXXXXXXXXX`, `xxxxLXEW`
pub(crate) fn is_masked(value: &str) -> bool {
    let masks = ['x', 'X', '*', '#', '.', '_', '-'];
    let count = value.chars().count();
    let is_all = |mask: char| count >= 3 && value.chars().all(|c| c == mask);
    let has = |text: &str| value.starts_with(&text[..4]) || value.contains(text);
    masks.into_iter().any(is_all) || has("xxxxxxxx") || has("XXXXXXXX")
}

/// `changeme`, `YOUR_SECRET`, `my-access-key`, `REPLACE_ME`: words, and no digits.
fn is_description(lower: &str) -> bool {
    let is_words = lower
        .chars()
        .all(|c| c.is_ascii_alphabetic() || " _-".contains(c));
    let mut words = lower.split([' ', '_', '-']);
    let first = words.next().unwrap_or_default();
    let is_named = ["key", "secret", "token", "id", "password", "akid"];
    let says_what = words.clone().any(|it| is_named.contains(&it));
    let is_request = match first {
        "change" | "changeme" | "dummy" | "example" | "insert" | "placeholder" | "replace"
        | "tbd" | "todo" | "your" => true,
        "enter" | "my" | "paste" | "put" | "some" | "the" => says_what,
        _ => words.next_back() == Some("here"),
    };
    is_words && is_request
}

/// `SECRET_KEY`, `process.env.AWS_ACCESS_KEY_ID`, `var.access_key`: the name of a value.
fn is_code(value: &str) -> bool {
    let found = names::at(value, 0).filter(|it| it.end == value.len());
    found.is_some_and(|it| it.is_identifier && it.name != Name::Expiry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_value_is_told_from_one() {
        for text in [
            "***",
            "xxxxxxxxxxxx",
            "AKIAXXXXXXXXXXXXXXXX",
            "changeme",
            "REPLACE_ME",
            "my-secret-key",
            "YOUR_TOKEN",
            "ACCESS_KEY",
            "process.env.AWS_SECRET_ACCESS_KEY",
            "$creds.SecretAccessKey",
            "x3Vn9q...s1Ov4",
            "op://lake/s3/secret",
            "key-goes-here",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "minioadmin",
            "user",
            "key",
            "lake-secret-2026",
            "my-lake",
            "quack/quack",
            "xx",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn a_literal_ends_where_the_next_name_begins() {
        for (text, literal) in [
            ("null,\"a\":1", "null"),
            ("1795456800000,\"a\":1", "1795456800000"),
            ("2026-11-23, 18:00", "2026-11-23, 18:00"),
            ("2026-11-23T18:00:00Z</Expiration>", "2026-11-23T18:00:00Z"),
            ("1795456800&session_token=x", "1795456800"),
            (
                "f(2026,11,tzinfo=tzutc()),'a':1",
                "f(2026,11,tzinfo=tzutc())",
            ),
            ("12h; a = b", "12h"),
        ] {
            assert_eq!(&text[..literal_end(text)], literal);
        }
    }
}
