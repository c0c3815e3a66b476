//! Removes what stands around the text itself: colours of terminals, tags of HTML, and the marks at
//! the start of each line.

use secrecy::zeroize::Zeroizing;

use super::encoded::without_entities;

/// Tags of HTML and of Apple's property lists, with their closing tags.
const TAGS: [&str; 26] = [
    "a", "b", "body", "code", "dd", "dict", "div", "dl", "dt", "em", "html", "i", "key", "kbd",
    "li", "p", "pre", "span", "string", "strong", "table", "tbody", "td", "th", "tr", "ul",
];

/// Replaces tags of HTML and colours by spaces, and removes a mark that all lines begin with.
pub(crate) fn without_markup(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((length, is_line)) = tag(text, rest) {
            plain.push(if is_line { '\n' } else { ' ' });
            rest = &rest[length..];
        } else if let Some(length) = colour(rest) {
            plain.push(' ');
            rest = &rest[length..];
        } else {
            plain.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if plain.matches("&quot;").count() > 1 {
        plain = without_entities(&plain);
    }
    without_line_marks(&plain)
}

/// Length of the tag at the start of `rest`, and whether it ends a line.
fn tag(text: &str, rest: &str) -> Option<(usize, bool)> {
    let inside = rest.strip_prefix('<')?;
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let name = &name[..name.find(|c: char| !c.is_ascii_alphabetic())?];
    let length = rest.find('>')? + 1;
    let is_whole = !rest[1..length].contains('<');
    let is_known = name == "br" || TAGS.contains(&name) && text.contains(&format!("</{name}>"));
    let is_line = matches!(name, "br" | "li" | "p" | "tr");
    (is_whole && is_known).then_some((length, is_line))
}

/// Length of a terminal's colour, such as `\e[32m`.
fn colour(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix("\u{1b}[")?;
    let end = inside.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    inside[end..]
        .starts_with(|c: char| c.is_ascii_alphabetic())
        .then_some(end + 3)
}

/// Removes the mark at the start of each line: `> ` of an e-mail, `+` of a diff, the line's number,
/// or the name of a container.
fn without_line_marks(text: &str) -> Zeroizing<String> {
    let lines = text.lines().filter(|it| !it.trim().is_empty());
    let lines: Vec<_> = lines.map(str::trim_start).collect();
    let all = |is_marked: fn(&str) -> bool| lines.len() > 1 && lines.iter().all(|it| is_marked(it));
    let number =
        |line: &str| -> Option<u32> { numbered(line).and_then(|(number, _)| number.parse().ok()) };
    let is_numbered = lines.len() > 1
        && lines
            .windows(2)
            .all(|it| number(it[0]).is_some_and(|first| number(it[1]) == first.checked_add(1)));
    let container = lines.first().and_then(|it| it.split_once(" | "));
    let container = container.map(|(name, _)| name.trim_end()).filter(|name| {
        let is_word = !name.is_empty() && !name.contains(char::is_whitespace);
        is_word
            && lines.len() > 1
            && lines
                .iter()
                .all(|it| it.starts_with(name) && it.contains(" | "))
    });
    let unmarked = |line: &str| -> Option<String> {
        let line = line.trim_start();
        if is_numbered {
            Some(numbered(line)?.1.to_owned())
        } else if container.is_some() {
            Some(line.split_once(" | ")?.1.to_owned())
        } else if all(|it| it.starts_with('>')) {
            Some(line.trim_start_matches(['>', ' ']).to_owned())
        } else if all(|it| it.starts_with('|') && !it.trim_end().ends_with('|')) {
            Some(line.trim_start_matches(['|', ' ']).to_owned())
        } else if all(|it| it.starts_with('+') && !it.starts_with("+-")) {
            Some(line.strip_prefix('+')?.trim_start().to_owned())
        } else {
            None
        }
    };
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.split_inclusive('\n') {
        match unmarked(line).map(Zeroizing::new) {
            Some(line) => plain.push_str(&line),
            None => plain.push_str(line),
        }
    }
    plain
}

/// Splits a line at its number.
fn numbered(line: &str) -> Option<(&str, &str)> {
    let end = line
        .find(|c: char| !c.is_ascii_digit())
        .filter(|end| (1..5).contains(end))?;
    let rest = line[end..].trim_start_matches([')', '.', ':']);
    rest.starts_with([' ', '\t'])
        .then_some((&line[..end], rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_lines_are_removed_if_all_lines_have_them() {
        for (text, plain) in [
            ("> a\n> b\n", "a\nb\n"),
            ("| a\n| b", "a\nb"),
            ("+a\n+ b", "a\nb"),
            ("  1\ta\n  2\tb", "a\nb"),
            ("1. a\n2. b", "a\nb"),
            ("minio-1  | a\nminio-1  | b", "a\nb"),
            ("> a\nb", "> a\nb"),
            ("| a |\n| b |", "| a |\n| b |"),
            ("1 a\n3 b", "1 a\n3 b"),
        ] {
            assert_eq!(*without_markup(text), plain);
        }
    }

    #[test]
    fn tags_of_html_and_colours_become_spaces() {
        assert_eq!(*without_markup("<b>a:</b> b<br/>c"), " a:  b\nc");
        assert_eq!(*without_markup("\u{1b}[32ma\u{1b}[0m b"), " a  b");
        assert_eq!(*without_markup("a=&quot;b&quot;"), "a=\"b\"");
        for text in ["<AccessKeyId>a</AccessKeyId>", "a<b>c", "x<p", "&amp;"] {
            assert_eq!(*without_markup(text), text);
        }
    }
}
