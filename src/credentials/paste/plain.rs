//! Values without quotes.

use std::ops::Range;

use super::{
    after::{is_named_assignment, is_ordinary},
    link::{Link, Separator, looks_random},
    names, shapes,
};

/// A value without quotes.
pub(crate) struct Plain<'a> {
    /// The value as it is in the text.
    pub text: &'a str,
    /// Byte after the word that contains the value.
    pub word_end: usize,
    /// The value ends where the word ends, or at punctuation there.
    pub ends_at_space: bool,
    /// Last character, if it may belong to the text around the value.
    pub ending: Option<char>,
}

/// Reads the word at a link of the name in `name`.
pub(crate) fn plain_value(text: &str, name: Range<usize>, link: Link) -> Plain<'_> {
    let rest = &text[link.start..];
    let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let is_bold = text[..link.start].ends_with('*');
    let word = rest[..length].trim_end_matches(|c| c == '*' && is_bold);
    let before = &text[..name.start];
    let cut = cut(text, name, word, link);
    let (value, ending) = without_punctuation(before, &word[..cut], link.separator);
    Plain {
        text: value,
        word_end: link.start + length,
        ends_at_space: cut == word.len(),
        ending,
    }
}

/// Returns where a value ends within its word: at the quote around name and value, at the next tag,
/// at the border of a cell, or at the next assignment of a list.
fn cut(text: &str, name: Range<usize>, word: &str, link: Link) -> usize {
    let quote = ['"', '\''].into_iter();
    let quote = quote.filter(|quote| is_open(text, &name, *quote));
    let quote = quote.filter_map(|quote| word.rfind(quote)).min();
    let border = match link.separator {
        Separator::Tag => word.find('<'),
        Separator::Cell => word.find('|'),
        _ => None,
    };
    let lists = word.match_indices([',', ';', '&']);
    let is_url = is_parameter(text, name.start);
    let next = lists.map(|(at, _)| at).find(|at| {
        is_url && word[*at..].starts_with('&')
            || is_next_assignment(&word[at + 1..])
            || is_whole(&word[..*at])
    });
    let ends = [quote, border, next].into_iter().flatten();
    ends.min().unwrap_or(word.len())
}

/// Returns true if the name at this byte is a parameter of a URL.
pub(crate) fn is_parameter(text: &str, name: usize) -> bool {
    let before = &text[..name];
    let word = before
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    before.ends_with(['?', '&']) && word.contains("://")
}

/// Returns true if a name and its value are together in such quotes.
pub(crate) fn is_open(text: &str, name: &Range<usize>, quote: char) -> bool {
    let line = text[..name.start].rfind('\n').map_or(0, |it| it + 1);
    let is_inside = text[line..name.start].matches(quote).count() % 2 == 1;
    is_inside && !text[name.end..].starts_with(quote)
}

/// Returns true for values of AWS, which can't go on.
fn is_whole(value: &str) -> bool {
    shapes::is_key_id(value) || shapes::is_secret(value)
}

fn is_next_assignment(text: &str) -> bool {
    let text = text.trim_start_matches(['"', '\'']);
    let name = names::identifier(text);
    let is_known = names::at(text, 0).is_some() || is_ordinary(name);
    is_known && is_named_assignment(text)
}

/// Removes punctuation after a value. If it may be part of the value, it stays and is returned.
fn without_punctuation<'a>(
    before: &str,
    word: &'a str,
    separator: Separator,
) -> (&'a str, Option<char>) {
    let mut value = word;
    while let Some(last) = value.chars().next_back() {
        let shorter = &value[..value.len() - last.len_utf8()];
        let is_open = |open: char| {
            let opened = before.matches(open).count();
            opened > before.matches(last).count()
        };
        let is_outside = match last {
            ')' => is_open('('),
            '}' => is_open('{'),
            ']' => is_open('['),
            ',' | ';' => shorter.chars().all(is_usual) && looks_random(shorter),
            _ => false,
        };
        if !is_outside {
            break;
        }
        value = shorter;
    }
    let is_sentence = separator != Separator::Equals;
    let ending = value.chars().next_back().filter(|last| {
        matches!(last, ',' | ';' | '\'' | '"') || is_sentence && matches!(last, '.' | '!' | '?')
    });
    (value, ending)
}

/// Returns true for the characters of generated keys and tokens.
fn is_usual(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=_-.:~".contains(c)
}
