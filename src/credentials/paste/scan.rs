//! Finds values with their names in a text of any format: files of shells and tools, JSON, YAML,
//! SQL, XML and labels of web pages. Line breaks count as spaces, because an input of one line turns
//! them into spaces.

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{SecretString, zeroize::Zeroizing};

use super::{
    absent::{is_absent, is_placeholder},
    after::continues,
    link::{Link, Separator, fits_without_separator, link},
    names::{self, Found},
    pair::{Flaw, Name, Pair},
    plain::{is_open, plain_value},
    quoted::{quoted, unescape_slashes},
};

/// Maximum length of a time of expiry, in characters.
const MAX_TIME_CHARS: usize = 64;

/// Finds all values that have a name.
pub(crate) fn scan(text: &str) -> Vec<Pair> {
    let mut context = Context {
        is_kubernetes_secret: is_kubernetes_secret(text),
        is_base64: false,
        profile: None,
    };
    let mut pairs = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        let Some(found) = names::at(text, start) else {
            at = context.pass(text, start);
            continue;
        };
        at = found.end;
        let is_closing_tag = text[..start].ends_with("</");
        let link = link(text, start, found.end).filter(|_| !is_closing_tag);
        let Some(link) = link else {
            continue;
        };
        let place = Place {
            text,
            start,
            found,
            link,
        };
        if let Some((pair, end)) = place.read(&context) {
            pairs.push(pair);
            at = end.max(found.end);
        }
    }
    pairs
}

fn next_start(text: &str, from: usize) -> Option<usize> {
    let places = text[from..].char_indices().map(|(at, _)| from + at);
    places.into_iter().find(|at| names::is_start(text, *at))
}

/// Sections that a value can be in.
struct Context {
    is_kubernetes_secret: bool,
    /// The values are in base64, as in the `data` of a Kubernetes Secret.
    is_base64: bool,
    profile: Option<String>,
}

impl Context {
    /// Passes a word that is no known name, and returns where the search goes on.
    fn pass(&mut self, text: &str, start: usize) -> usize {
        let word = names::identifier(&text[start..]);
        let end = start + word.len().max(1);
        let end = (end..).find(|it| text.is_char_boundary(*it)).unwrap_or(end);
        let before = text[..start].trim_end_matches("profile ");
        let after = &text[end..];
        let opens = after.trim_start_matches(['"', '\'']).strip_prefix(':');
        let inside = opens.map(str::trim_start);
        if before.ends_with('[') && after.starts_with(']') {
            self.profile = Some(word.to_owned());
        } else if let Some(inside) = inside {
            let lower = word.to_lowercase();
            if lower == "swift_keys" && inside.starts_with('[') {
                // Keys for another protocol than S3.
                return text.len() - inside.find(']').map_or(inside, |it| &inside[it..]).len();
            }
            if self.is_kubernetes_secret && matches!(lower.as_str(), "data" | "stringdata") {
                self.is_base64 = lower == "data";
            }
            if matches!(lower.as_str(), "alias" | "profile" | "user" | "username") {
                let value = inside.trim_start_matches(['"', '\'']);
                let name = names::identifier(value);
                self.profile = (!name.is_empty()).then(|| name.to_owned());
            } else if inside.starts_with('{') || is_section(inside) {
                self.profile = Some(word.to_owned());
            }
        }
        end
    }
}

/// Returns true if the text after `name:` begins with another `name:`.
fn is_section(inside: &str) -> bool {
    let name = names::identifier(inside);
    let after = inside[name.len()..].strip_prefix(':');
    !name.is_empty() && after.is_some_and(|it| it.starts_with(char::is_whitespace))
}

fn is_kubernetes_secret(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !"\"' \t".contains(*c)).collect();
    plain.contains("kind:Secret")
}

/// A name and the place of its value.
struct Place<'a> {
    text: &'a str,
    start: usize,
    found: Found,
    link: Link,
}

impl Place<'_> {
    /// Reads the value. Returns it with the byte after it.
    fn read(&self, context: &Context) -> Option<(Pair, usize)> {
        let (value, length) = self.quoted().or_else(|| self.plain())?;
        let pair = Pair {
            name: Some(self.found.name),
            value: context.decoded(&value.text),
            is_quoted: value.is_quoted,
            flaw: value.flaw,
            profile: context.profile.clone(),
        };
        Some((pair, self.link.start + length))
    }

    fn rest(&self) -> &str {
        &self.text[self.link.start..]
    }

    fn quoted(&self) -> Option<(Value, usize)> {
        let quoted = quoted(self.rest())?;
        let after = &self.rest()[quoted.length..];
        let is_key = after.trim_start().starts_with(':') && self.link.separator != Separator::Colon;
        let text = quoted.text.trim();
        if is_key || text.is_empty() {
            return None;
        }
        // In a shell, `"a"b` is one value.
        let goes_on = after.starts_with(|c: char| {
            let name = self.start..self.found.end;
            let is_outside = matches!(c, '"' | '\'') && is_open(self.text, &name, c);
            c.is_ascii_graphic() && !is_outside && !",;:.!?)}]<>|&*\\`".contains(c)
        });
        let flaw = if is_placeholder(text) {
            Some(Flaw::Placeholder)
        } else if goes_on {
            self.rest().chars().next().map(Flaw::Ending)
        } else {
            None
        };
        let value = Value {
            text: Zeroizing::new(text.to_owned()),
            is_quoted: true,
            flaw,
        };
        Some((value, quoted.length))
    }

    fn plain(&self) -> Option<(Value, usize)> {
        let separator = self.link.separator;
        if quoted(self.rest()).is_some() || is_absent(self.rest(), separator) {
            return None;
        }
        if self.found.name == Name::Expiry {
            return self.time();
        }
        let plain = plain_value(self.text, self.start..self.found.end, self.link);
        let after = &self.text[plain.word_end..];
        let fits = separator != Separator::Space
            || fits_without_separator(&self.text[..self.start], plain.text, after);
        if plain.text.is_empty() || !fits {
            return None;
        }
        let is_broken = plain.ends_at_space
            && match separator {
                Separator::Tag => !after.trim_start().starts_with('<'),
                _ => continues(after),
            };
        let flaw = if is_placeholder(plain.text) {
            Some(Flaw::Placeholder)
        } else if is_broken {
            Some(Flaw::Broken(plain.text.chars().count()))
        } else {
            plain.ending.map(Flaw::Ending)
        };
        let value = Value {
            text: unescape_slashes(plain.text),
            is_quoted: false,
            flaw,
        };
        Some((value, plain.text.len()))
    }

    /// A time may have spaces, so it is the rest of the line.
    fn time(&self) -> Option<(Value, usize)> {
        let line = self.rest().lines().next()?;
        let line: String = line.chars().take(MAX_TIME_CHARS).collect();
        let word = line.split_whitespace().next().unwrap_or_default().len();
        let fits = self.link.separator != Separator::Space || self.found.is_identifier;
        let value = Value {
            text: Zeroizing::new(line),
            is_quoted: false,
            flaw: None,
        };
        fits.then_some((value, word))
    }
}

struct Value {
    text: Zeroizing<String>,
    is_quoted: bool,
    flaw: Option<Flaw>,
}

impl Context {
    /// The value, decoded where the format says that it is in base64.
    fn decoded(&self, value: &str) -> SecretString {
        let bytes = BASE64_STANDARD.decode(value).ok();
        let bytes = bytes.filter(|_| self.is_base64).map(Zeroizing::new);
        let text = bytes.as_deref().and_then(|it| std::str::from_utf8(it).ok());
        SecretString::from(text.map_or(value, str::trim))
    }
}
