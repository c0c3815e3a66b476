//! The text between a name and its value.

use super::{names, quoted::quoted};

/// Kinds of separators between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// `=` and the like.
    Equals,
    /// `:`
    Colon,
    /// `|`, the border of a cell.
    Cell,
    /// A tag of XML.
    Tag,
    /// White space, a comma, or a word such as "is".
    Space,
}

/// Place of a value.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    /// First byte of the value.
    pub start: usize,
    pub separator: Separator,
}

/// Separators. Longer ones first.
const SEPARATORS: [(&str, Separator); 15] = [
    (":=", Separator::Equals),
    ("?= ", Separator::Equals),
    ("(\"", Separator::Equals),
    ("('", Separator::Equals),
    ("\u{2192}", Separator::Colon),
    ("=>", Separator::Equals),
    ("->", Separator::Colon),
    ("- ", Separator::Colon),
    ("\u{2013} ", Separator::Colon),
    ("\u{2014} ", Separator::Colon),
    ("=", Separator::Equals),
    (":", Separator::Colon),
    ("|", Separator::Cell),
    ("</name>", Separator::Tag),
    (">", Separator::Tag),
];

/// Separators that are words, for SQL and sentences.
const WORDS: [&str; 4] = ["to", "is", "ist", "lautet"];

/// Keys of the value in an object that has the name as another value.
const VALUES: [&str; 3] = ["value", "outputvalue", "stringvalue"];

/// Finds where the value of a name begins. `start` and `end` are the name's. Returns `None` if the
/// name has no value: it is a word of a sentence, or the name of an object.
pub(crate) fn link(text: &str, start: usize, end: usize) -> Option<Link> {
    let closed = skip(text, end, |c| "\"'`*\\])".contains(c));
    let is_quoted = text[end..closed].contains(['"', '\'', '`', ']']);
    let at = skip(text, closed, char::is_whitespace);
    let space = |start| {
        let separator = Separator::Space;
        Some(Link { start, separator })
    };
    // In a command, what follows the name and a space is the value, whatever it begins with.
    let mut first = text[at..].chars();
    let is_mark = first.next().is_some_and(|c| "=:|>,-".contains(c))
        && first.next().is_some_and(|c| c.is_ascii_graphic());
    if is_mark && at > end && !is_quoted && is_argument(&text[..start]) {
        return space(at);
    }
    let at = at + remark(&text[at..]);
    let rest = &text[at..];
    let is_tag = before_namespace(text, start).ends_with('<') || text[..start].ends_with("<name>");
    let found = SEPARATORS.iter().find(|(mark, separator)| {
        // A shell's value may begin with `>`; an arrow has a space or a quote after it.
        let is_glued = |after: &str| after.starts_with(|c: char| !" \t\n\"'".contains(c));
        rest.strip_prefix(mark).is_some_and(|after| {
            // `setAccessKey("…")`
            let is_call = mark.starts_with('(');
            (*separator != Separator::Tag || is_tag)
                && !(*mark == "=>" && is_glued(after))
                && !(is_call && at > end)
        })
    });
    // `=====> `
    let arrow = rest.trim_start_matches('=').strip_prefix("> ");
    if let Some(after) = arrow.filter(|_| rest.starts_with('=')) {
        return value_start(text, text.len() - after.len(), Separator::Equals);
    }
    if rest.starts_with("==") {
        // The padding of a value that looks like a name.
        return None;
    }
    if let Some((mark, separator)) = found {
        let length = mark.trim_end_matches(['"', '\'']).len();
        return value_start(text, at + length, *separator);
    }
    if let Some(after) = without_type(rest).filter(|_| at > end) {
        return value_start(text, text.len() - after.len(), Separator::Equals);
    }
    // `{"name": "AWS_ACCESS_KEY_ID", "value": "…"}`, and the same in YAML.
    let next = skip(text, at, |c| matches!(c, ',' | '"') || c.is_whitespace());
    let key = names::identifier(&text[next..]);
    let after = text[next + key.len()..]
        .trim_start_matches('"')
        .trim_start();
    if VALUES.contains(&names::plain(key).as_str()) && after.starts_with([':', '=']) {
        return link(text, next, next + key.len());
    }
    if let Some(argument) = rest.strip_prefix(',').map(str::trim_start) {
        // `SetEnvironmentVariable("NAME", "value")`, or a line of a CSV file.
        let is_string = argument.starts_with(['"', '\'']);
        return space(text.len() - argument.len()).filter(|_| is_string || !is_quoted);
    }
    let word = names::identifier(rest);
    let lower = word.to_lowercase();
    let is_word = WORDS.contains(&lower.as_str()) && (word == lower || word == word.to_uppercase());
    if is_word && rest[word.len()..].starts_with(char::is_whitespace) {
        return space(skip(text, at + word.len(), char::is_whitespace));
    }
    space(at).filter(|_| at > end && !is_quoted)
}

/// Length of a remark before a colon, as in `AWS Access Key ID [None]: `.
fn remark(text: &str) -> usize {
    let close = match text.chars().next() {
        Some('[') => "]:",
        Some('(') => "):",
        _ => return 0,
    };
    let end = text.find(close).unwrap_or(0);
    let is_plain = |c: char| c.is_alphanumeric() || " _-.*".contains(c);
    if end > 0 && text[1..end].chars().all(is_plain) {
        end + 1
    } else {
        0
    }
}

fn value_start(text: &str, end: usize, separator: Separator) -> Option<Link> {
    let mut start = skip(text, end, char::is_whitespace);
    // Markdown's bold text. More asterisks hide a value.
    let bold = skip(text, start, |c| c == '*');
    if bold - start <= 2 {
        start = skip(text, bold, char::is_whitespace);
    }
    if let Some(after) = without_type(&text[start..]).filter(|_| separator == Separator::Colon) {
        return value_start(text, text.len() - after.len(), Separator::Equals);
    }
    let start_of_line = start;
    start += marks(&text[start..]);
    // On the next line may be a value that an editor wrapped, but rather something else.
    let is_next_line = text[end..start_of_line].contains('\n');
    if separator == Separator::Equals && is_next_line && start == start_of_line {
        let word = text[start..].split(char::is_whitespace).next();
        let is_wrapped = word.is_some_and(|it| {
            looks_random(it)
                && it
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+/=_-.".contains(c))
        });
        if !is_wrapped {
            return None;
        }
    }
    if separator == Separator::Tag {
        let rest = &text[start..];
        let value = rest.strip_prefix("<value>").unwrap_or(rest).trim_start();
        start = text.len() - value.len();
    }
    // `"access_key_id": {"type": "string", "value": "…"}`
    if text[start..].starts_with('{') && !text[start..].starts_with("{{") {
        let object = text[start..].split('}').next().unwrap_or_default();
        let keys = object.match_indices("\"value\"");
        let key = keys.map(|(at, _)| start + at + 1).next()?;
        return link(text, key, key + "value".len());
    }
    Some(Link { start, separator })
}

/// Text after the type of a variable in code: `str = "…"`.
fn without_type(text: &str) -> Option<&str> {
    let types = ["str", "string", "String", "&str"];
    let after = types.iter().find_map(|it| text.strip_prefix(it))?;
    after.trim_start().strip_prefix("= ")
}

/// Length of the marks of YAML, PHP and Python before a value: its type (`!!str`), its anchor
/// (`&id`), the sign of a block (`|-`), `string(20)`, or the `r` before a quote.
fn marks(text: &str) -> usize {
    let word = text.split(char::is_whitespace).next().unwrap_or_default();
    let rest = text[word.len()..].trim_start();
    let value = rest.split(char::is_whitespace).next().unwrap_or_default();
    let is_value = value.starts_with(['"', '\'']) || looks_random(value);
    let is_mark = word.starts_with("!!")
        || word.starts_with('&') && names::identifier(&word[1..]).len() == word.len() - 1
        || matches!(word, "|" | "|-" | "|+" | ">" | ">-" | ">+")
        || word.starts_with("string(") && word.ends_with(')');
    if is_mark && is_value {
        return text.len() - rest.len();
    }
    let literal = text.trim_start_matches(['b', 'r', 'f', 'u', 'B', 'R', 'F', 'U']);
    let count = text.len() - literal.len();
    let ends = |c: char| c.is_whitespace() || ",;)}]".contains(c);
    let is_literal = literal.starts_with(['"', '\''])
        && quoted(literal).is_some_and(|it| {
            let after = &literal[it.length..];
            after.is_empty() || after.starts_with(ends)
        });
    if (1..=2).contains(&count) && is_literal {
        count
    } else {
        0
    }
}

fn skip(text: &str, from: usize, is_skipped: impl Fn(char) -> bool) -> usize {
    let rest = &text[from..];
    from + rest.len() - rest.trim_start_matches(is_skipped).len()
}

/// Returns true if a value may follow its name after white space alone. `before` is the text before
/// the name, `after` the text after the value.
pub(crate) fn fits_without_separator(before: &str, value: &str, after: &str) -> bool {
    is_argument(before) || looks_random(value) && !after.trim_start().starts_with('(')
}

/// Returns true if a name is the argument of a command: `setenv NAME value`, `--name value`.
fn is_argument(before: &str) -> bool {
    let word = before.split_whitespace().next_back().unwrap_or_default();
    let setters = ["env", "set", "set-env", "setenv", "setx", "declare"];
    let is_option = word.starts_with('-') && word.len() > 1;
    before.ends_with("--")
        || before.ends_with(char::is_whitespace)
            && (is_option || setters.contains(&word.to_lowercase().as_str()))
}

/// Returns true if a word is no word of a language: it is long, and has digits or capitals.
pub(crate) fn looks_random(value: &str) -> bool {
    let has_both = value.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase());
    value.len() >= 16
        && has_both
        && value.chars().all(|c| c.is_ascii_graphic())
        && !value.contains([',', ';', '(', '<'])
        && !value.contains("://")
}

/// Text before a name, without the namespace of an XML tag: `<sts:AccessKeyId>`.
pub(crate) fn before_namespace(text: &str, start: usize) -> &str {
    let before = &text[..start];
    let namespace = before.strip_suffix(':');
    namespace.map_or(before, |it| {
        it.trim_end_matches(|c: char| c.is_ascii_alphanumeric())
    })
}
