//! Finds values with their names in a text of any format: files of shells and tools, JSON, YAML,
//! SQL, XML and labels of web pages. Line breaks count as spaces, because an input of one line turns
//! them into spaces.

use secrecy::{SecretString, zeroize::Zeroizing};

use super::{
    absent::{
        is_absent, is_hidden, is_masked, is_nothing, is_other_text, is_placeholder, literal_end,
    },
    after::{continues, continues_in_cell, continues_short},
    encoded::{from_base64, percent_decoded, without_entities},
    link::{Link, Separator, before_namespace, fits_without_separator, link},
    names::{self, Found},
    pair::{Flaw, Name, Pair},
    plain::{is_open, is_parameter, plain_value},
    quoted::{quoted, unescape_slashes, unwrapped},
    shapes,
};
use crate::credentials::CredentialField;

/// Maximum length of a time of expiry, in characters.
const MAX_TIME_CHARS: usize = 64;

/// Finds all values that have a name.
pub(crate) fn scan(text: &str) -> Vec<Pair> {
    let mut context = Context {
        is_kubernetes_secret: is_kubernetes_secret(text),
        is_base64: false,
        is_of_aws: shapes::has_one_key_id(text),
        profile: None,
        is_section: false,
    };
    let mut pairs = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        let Some(found) = names::at(text, start) else {
            at = context.pass(text, start);
            continue;
        };
        let name_end = found.end;
        at = name_end;
        let is_closing_tag = before_namespace(text, start).ends_with("</");
        let is_other = found.name == Name::Expiry && names::is_of_other_thing(&text[..start]);
        let link = link(text, start, found.end).filter(|_| !is_closing_tag && !is_other);
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
            at = end.max(name_end);
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
    /// The text contains one access key ID of AWS.
    is_of_aws: bool,
    is_kubernetes_secret: bool,
    /// The values are in base64, as in the `data` of a Kubernetes Secret.
    is_base64: bool,
    profile: Option<String>,
    /// The profile began with its name in brackets.
    is_section: bool,
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
            self.is_section = true;
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
                self.is_section = false;
            } else if inside.starts_with('{') || is_section(inside) {
                self.profile = Some(word.to_owned());
                self.is_section = false;
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
        let (value, length) = self.quoted().or_else(|| self.plain(context))?;
        let text = self.decoded(value.text);
        let pair = Pair {
            name: Some(self.found.name),
            value: context.decoded(&text),
            is_quoted: value.is_quoted,
            flaw: value.flaw,
            profile: context.profile.clone(),
            is_in_section: context.is_section,
            is_weak: self.found.is_weak,
            prefix: self.found.prefix.clone(),
        };
        Some((pair, self.link.start + length))
    }

    fn rest(&self) -> &str {
        &self.text[self.link.start..]
    }

    /// Decodes what the text around the value says: a parameter of a URL, or XML.
    fn decoded(&self, value: Zeroizing<String>) -> Zeroizing<String> {
        if is_parameter(self.text, self.start)
            && let Some(decoded) = percent_decoded(&value)
        {
            decoded
        } else if self.link.separator == Separator::Tag {
            without_entities(&value)
        } else {
            value
        }
    }

    fn quoted(&self) -> Option<(Value, usize)> {
        let quoted = unwrapped(self.rest())?;
        let after = &self.rest()[quoted.length..];
        let is_key = after.trim_start().starts_with(':') && self.link.separator != Separator::Colon;
        let text = quoted.text.trim();
        if is_key || is_nothing(text) || is_other_text(&self.found, text) {
            return None;
        }
        // In a shell, `"a"b` is one value.
        let goes_on = after.starts_with(|c: char| {
            let name = self.start..self.found.end;
            let is_outside = matches!(c, '"' | '\'') && is_open(self.text, &name, c);
            c.is_ascii_graphic()
                && !after.starts_with("/>")
                && !is_outside
                && !",;:.!?)}]<>|&*\\`".contains(c)
        });
        let flaw = if is_placeholder(text) {
            Some(Flaw::Placeholder)
        } else if goes_on {
            self.rest().chars().next().map(Flaw::Ending)
        } else if is_joined(after) {
            Some(Flaw::Broken(text.chars().count()))
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

    fn plain(&self, context: &Context) -> Option<(Value, usize)> {
        let separator = self.link.separator;
        let is_glued = !self.text[..self.link.start].ends_with(char::is_whitespace);
        let word = self
            .rest()
            .split(char::is_whitespace)
            .next()
            .unwrap_or_default();
        if quoted(self.rest()).is_some() || is_other_text(&self.found, word) {
            return None;
        }
        if self.is_hidden(is_glued) {
            let value = Value {
                text: Zeroizing::new(word.to_owned()),
                is_quoted: false,
                flaw: Some(Flaw::Placeholder),
            };
            return Some((value, word.len()));
        }
        if is_absent(self.rest(), separator, is_glued) {
            return None;
        }
        if self.found.name == Name::Expiry {
            return self.time();
        }
        let plain = plain_value(self.text, self.start..self.found.end, self.link);
        let after = &self.text[plain.word_end..];
        let fits = separator != Separator::Space
            || fits_without_separator(&self.text[..self.start], plain.text, after)
            || self.found.is_identifier && is_masked(plain.text);
        // Under two headings, the first value is not the second one's.
        let is_swapped = shapes::is_key_id(plain.text)
            && matches!(self.found.name, Name::Credential(it) if it != CredentialField::KeyId);
        if plain.text.is_empty() || !fits || is_swapped {
            return None;
        }
        let is_short = context.is_of_aws
            && self.found.name == Name::Credential(CredentialField::SecretKey)
            && !self.found.is_weak
            && plain.text.len() < shapes::SECRET_LENGTH;
        let is_broken = plain.ends_at_space
            && !context.is_complete(self.found.name, plain.text)
            && match separator {
                Separator::Tag => !after.trim_start().starts_with('<'),
                Separator::Cell => continues(after) || continues_in_cell(after),
                _ => continues(after) || is_short && continues_short(after),
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

    /// Returns true if a remark in brackets stands for the value. After an empty session token, it
    /// is rather the next section of a file.
    fn is_hidden(&self, is_glued: bool) -> bool {
        let is_needed = matches!(
            self.found.name,
            Name::Credential(CredentialField::KeyId | CredentialField::SecretKey)
        );
        let is_possible = is_glued && self.found.name != Name::Expiry || is_needed;
        is_possible && self.link.separator != Separator::Tag && is_hidden(self.rest())
    }

    /// A time may have spaces, so it is the rest of the line, up to the next value.
    fn time(&self) -> Option<(Value, usize)> {
        let line = self.rest().lines().next()?;
        let line: String = line.chars().take(MAX_TIME_CHARS).collect();
        let line = &line[..literal_end(&line)];
        let word = line.split_whitespace().next().unwrap_or_default().len();
        let fits = self.link.separator != Separator::Space || self.found.is_identifier;
        let value = Value {
            text: Zeroizing::new(line.to_owned()),
            is_quoted: false,
            flaw: None,
        };
        fits.then_some((value, word))
    }
}

/// Returns true if another text in quotes is joined to the one before, as in code.
fn is_joined(after: &str) -> bool {
    let rest = after.trim_start();
    let rest = rest
        .strip_prefix(['+', '.', '\\'])
        .map_or(rest, str::trim_start);
    let is_key = |length: usize| rest[length..].trim_start().starts_with([':', '=']);
    let may_be_part = |c: char| c.is_ascii_alphanumeric() || "/+=_.-".contains(c);
    rest.starts_with(['"', '\''])
        && quoted(rest).is_some_and(|it| {
            !it.text.is_empty() && it.text.chars().all(may_be_part) && !is_key(it.length)
        })
}

struct Value {
    text: Zeroizing<String>,
    is_quoted: bool,
    flaw: Option<Flaw>,
}

impl Context {
    /// Returns true for values of AWS that can't go on.
    fn is_complete(&self, name: Name, value: &str) -> bool {
        match name {
            Name::Credential(CredentialField::KeyId) => self.is_of_aws && shapes::is_key_id(value),
            Name::Credential(CredentialField::SecretKey) => {
                self.is_of_aws && shapes::is_secret(value)
            }
            _ => false,
        }
    }

    /// The value, decoded where the format says that it is in base64.
    fn decoded(&self, value: &str) -> SecretString {
        let text = from_base64(value).filter(|_| self.is_base64);
        SecretString::from(text.as_deref().map_or(value, String::as_str))
    }
}
