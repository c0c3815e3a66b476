//! Values in quotes, with the escapes of shells, JSON, YAML, SQL and CSV.

use std::str::Chars;

use secrecy::zeroize::Zeroizing;

/// A value between quotes.
pub(crate) struct Quoted {
    /// The value, with escapes replaced.
    pub text: Zeroizing<String>,
    /// Length of the value with its quotes, in bytes.
    pub length: usize,
}

/// Opening quotes, each with the closing one. Longer ones first.
const PAIRS: [(&str, &str); 8] = [
    ("\\\"", "\\\""),
    ("$'", "'"),
    ("||", "||"),
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("$$", "$$"),
    ("<![CDATA[", "]]>"),
];

/// Reads the quoted value at the start of a text. Returns `None` if there is none, or if its end is
/// not clear.
pub(crate) fn quoted(text: &str) -> Option<Quoted> {
    let (open, close) = PAIRS.iter().find(|(open, _)| text.starts_with(open))?;
    let body = &text[open.len()..];
    let has_escapes = matches!(*open, "\"" | "$'");
    let mut raw = Zeroizing::new(String::with_capacity(body.len()));
    let mut end = 0;
    loop {
        let rest = &body[end..];
        if rest.starts_with('\\') && has_escapes {
            let escaped = rest[1..].chars().next()?;
            raw.extend(['\\', escaped]);
            end += 1 + escaped.len_utf8();
        } else if *open == "\\\"" && rest.starts_with("\\\\") {
            // In JSON within JSON, the escaped character may be an escape itself.
            let mut chars = rest[2..].chars();
            let first = chars.next()?;
            let second = chars.next().filter(|_| first == '\\');
            raw.extend(['\\', '\\', first]);
            raw.extend(second);
            end += 2 + first.len_utf8() + second.map_or(0, char::len_utf8);
        } else if *open == "'" && rest.starts_with("'\\''") {
            raw.push('\'');
            end += 4;
        } else if matches!(*open, "\"" | "'") && is_doubled(rest, close) {
            raw.push_str(close);
            end += 2;
        } else if rest.starts_with(close) {
            break;
        } else {
            let c = rest.chars().next()?;
            raw.push(c);
            end += c.len_utf8();
        }
    }
    let text = match *open {
        "\\\"" => unescape(&unescape(&raw)),
        _ if has_escapes => unescape(&raw),
        _ => raw,
    };
    Some(Quoted {
        text,
        length: open.len() + end + close.len(),
    })
}

/// Reads the quoted value at the start of a text, without further quotes inside the marks of a chat.
pub(crate) fn unwrapped(text: &str) -> Option<Quoted> {
    let mut outer = quoted(text)?;
    let mut is_mark = text.starts_with(['`', '|']);
    while is_mark
        && let Some(inner) = quoted(outer.text.trim())
        && inner.length == outer.text.trim().len()
    {
        is_mark = outer.text.trim().starts_with(['`', '|']);
        outer.text = inner.text;
    }
    Some(outer)
}

/// Returns true if the closing quote stands twice, and so means itself.
fn is_doubled(text: &str, close: &str) -> bool {
    let rest = text.strip_prefix(close);
    let rest = rest.and_then(|rest| rest.strip_prefix(close));
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_graphic()))
}

/// Replaces escapes of JSON and of double quotes in shells. A backslash before any other character
/// stays.
pub(crate) fn unescape(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        let mut ahead = chars.clone();
        let escaped = match ahead.next() {
            Some(c @ ('"' | '\\' | '/' | '$' | '`' | '\'')) => Some(c),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('u') => code_point(&mut ahead),
            _ => None,
        };
        if let Some(escaped) = escaped {
            plain.push(escaped);
            chars = ahead;
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Replaces `\/` of JSON, and `\=` and `\:` of Java's properties, in a value without quotes. With any
/// other backslash, the value stays as it is.
pub(crate) fn unescape_slashes(text: &str) -> Zeroizing<String> {
    let mut backslashes = text.match_indices('\\');
    let mut plain = Zeroizing::new(text.to_owned());
    if backslashes.all(|(at, _)| text[at + 1..].starts_with(['/', '=', ':'])) {
        plain.retain(|c| c != '\\');
    }
    plain
}

fn code_point(chars: &mut Chars<'_>) -> Option<char> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + chars.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, &str)> {
        let found = quoted(text)?;
        Some((found.text.to_string(), &text[found.length..]))
    }

    #[test]
    fn each_kind_of_quotes_is_read() {
        for (text, value, rest) in [
            (r#""quack\/2026", "b""#, "quack/2026", r#", "b""#),
            (r#""a\u002Fb""#, "a/b", ""),
            (r#""a\"b\\c\q""#, r#"a"b\c\q"#, ""),
            (r"'a\b' c", r"a\b", " c"),
            (r"'a'\''b'", "a'b", ""),
            ("'a''b')", "a'b", ")"),
            ("\"a\"\"b\"", "a\"b", ""),
            (r#"\"a\\/b\","#, "a/b", ","),
            ("$'a\\'b'", "a'b", ""),
            ("`a` b", "a", " b"),
            ("||a||", "a", ""),
            ("\"\",x", "", ",x"),
        ] {
            assert_eq!(read(text), Some((value.into(), rest)), "{text}");
        }
    }

    #[test]
    fn quotes_without_an_end_are_none() {
        for text in ["\"abc", "'a b", "abc", "\"abc\\"] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
