//! Text in the place of a value that is none.

use super::{
    after::{is_assignment, is_ordinary},
    link::Separator,
    names,
};

/// Returns true if no value follows a separator, but the next name, a comment or nothing.
pub(crate) fn is_absent(rest: &str, separator: Separator) -> bool {
    let word = rest.split(char::is_whitespace).next().unwrap_or_default();
    let bare = word.trim_end_matches([',', ';', '}', ')']).to_lowercase();
    let nothing = [
        "",
        "-",
        "<nil>",
        "<none>",
        "nil",
        "none",
        "null",
        "undefined",
        "~",
    ];
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
    let is_next_name = separator != Separator::Tag && is_assignment(rest)
        || names::at(rest, 0).is_some_and(|it| rest[it.end..].trim_start().starts_with(['=', ':']));
    nothing.contains(&bare.as_str())
        || is_keyword
        || is_rule
        || is_label
        || is_prompt
        || is_next_name
        || word.starts_with(['#', '[', '{', '(', '|'])
        || word.starts_with("--")
        || word.starts_with("$env:")
}

/// Returns true if a text only stands for a value.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let inner = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    let lower = value.to_lowercase();
    let is_variable = |it: &str| {
        it.starts_with(|c: char| c.is_ascii_alphabetic())
            && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let is_example = ["your-", "your_"].iter().any(|it| lower.starts_with(it));
    inner("<", ">")
        || inner("%", "%") && value.len() > 2
        || ["${", "$(", "{{"].iter().any(|it| value.starts_with(it))
        || value.strip_prefix('$').is_some_and(is_variable)
        || value.matches('*').count() > 3
        || value.contains('\u{2022}')
        || ["redacted", "[redacted]"].contains(&lower.as_str())
        || is_example && lower.contains("key")
}
