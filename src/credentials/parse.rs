//! Reads [`Credentials`] from the form. Pure.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    CredentialField, CredentialPart, Credentials,
    expiry::{self, Expiry},
    paste::{self, Flaw, Name, Pair, is_session_token, looks_random},
    value::{ValueError, check_characters, find, lacks_session_token},
};

/// Maximum number of characters in an input of the form.
const MAX_INPUT_CHARS: usize = 4000;

/// Maximum length of a profile's name in an error.
const MAX_PROFILE_CHARS: usize = 40;

/// Reasons to reject an input. Contains at most one character of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputError {
    /// The value of this field is invalid.
    Value(CredentialField, ValueError),
    /// An access key ID with punctuation that no key ID contains, and its place.
    NoKeyId(char, usize),
    /// A character that is rather a part of the text around the value, and its place.
    Wrapped(CredentialField, char, usize),
    /// After this many characters comes white space, and then text that may belong to the value.
    Broken(CredentialField, usize),
    /// Asterisks or a variable instead of the value.
    Placeholder(CredentialField),
    /// The input is as long as an input can be, and ends within the value.
    Cut(CredentialField),
    /// Different values for the same field, with the profiles that they belong to, if they have
    /// names.
    Twice(CredentialField, Vec<String>),
    /// The access key ID and the value of this field belong to two profiles: these.
    Halves(CredentialField, String, String),
    /// A text of several words in the first input, without any known name.
    NoNames,
    /// Temporary credentials without their session token.
    NoSessionToken,
    /// A time of expiry of this part that is neither a duration nor a time.
    NoTime(CredentialPart),
    /// A time of expiry of this part in the past.
    Past(CredentialPart),
}

/// Things to tell about a time of expiry in accepted credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryNote {
    /// The time had no time zone, and was read as UTC.
    ReadAsUtc,
    /// The paste has a time that was not understood.
    NotUnderstood,
}

/// Accepted credentials.
#[derive(Debug)]
pub struct Parsed {
    pub credentials: Credentials,
    pub note: Option<ExpiryNote>,
}

/// The submitted form.
pub struct CredentialsForm {
    /// Secret inputs, in the order of [`CredentialField::ALL`].
    pub secrets: [SecretString; 4],
    /// Time at which the session token expires, as typed. May be empty.
    pub expires: String,
}

/// Reads the form. Each input may contain values of all fields, each with its name. The time of expiry
/// belongs to the required part.
///
/// # Errors
/// Returns all errors, at most one per field.
pub fn parse(
    typed: &CredentialsForm,
    required: CredentialPart,
    now: DateTime<Utc>,
) -> Result<Parsed, Vec<InputError>> {
    let pastes = Pastes::new(&typed.secrets);
    let mut mistakes = Vec::new();
    let [key_id, secret_key, session_token, catalog_token] = CredentialField::ALL.map(|field| {
        let found = pastes.find(field);
        let checked = found.and_then(|found| match found {
            Some(pair) => validate(field, pair).map(Some),
            None if field.is_required(required) || pastes.is_half_of_a_key(field) => {
                Err(InputError::Value(field, ValueError::Empty))
            }
            None => Ok(None),
        });
        checked.unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        })
    });
    let is_twice = |it: &InputError| matches!(it, InputError::Twice(CredentialField::KeyId, _));
    if mistakes.iter().any(is_twice) {
        // With two sets of credentials, every field has two values.
        mistakes.retain(|it| is_twice(it) || !matches!(it, InputError::Twice(..)));
    }
    if mistakes.is_empty() {
        mistakes.extend(pastes.check_profiles().err());
    }
    if pastes.is_unnamed_text() {
        mistakes = vec![InputError::NoNames];
    }
    let (expires, note) = pastes
        .expiry(&typed.expires, required, now)
        .unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            (None, None)
        });
    if mistakes.is_empty()
        && let Some(key_id) = &key_id
        && lacks_session_token(key_id, session_token.as_ref())
    {
        mistakes.push(InputError::NoSessionToken);
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let of = |part| expires.filter(|_| part == required);
    let mut values = [key_id, secret_key, session_token, catalog_token].into_iter();
    let credentials = Credentials::from_values(|_| values.next().flatten(), of);
    let credentials = credentials.ok_or(mistakes)?;
    Ok(Parsed { credentials, note })
}

/// The values in the secret inputs.
struct Pastes(Vec<(CredentialField, Pair)>);

impl Pastes {
    fn new(inputs: &[SecretString; 4]) -> Self {
        let [key_id, secret_key, ..] = inputs;
        let is_empty = |text: &SecretString| text.expose_secret().trim().is_empty();
        // Without names, the place decides: only in the first input, and only if there is no other.
        let mut by_place = if is_empty(secret_key) {
            paste::read_by_place(key_id.expose_secret())
        } else {
            Vec::new()
        };
        let mut all = Vec::new();
        for (field, text) in CredentialField::ALL.into_iter().zip(inputs) {
            let text = text.expose_secret();
            let is_placed = field == CredentialField::KeyId && !by_place.is_empty();
            let mut pairs = if is_placed {
                std::mem::take(&mut by_place)
            } else {
                paste::read(text)
            };
            if text.chars().count() >= MAX_INPUT_CHARS
                && let Some(last) = pairs.last_mut()
                && text.trim_end().ends_with(last.value.expose_secret())
                && last.name.is_some()
            {
                last.flaw = Some(Flaw::Cut);
            }
            all.extend(pairs.into_iter().map(|pair| (field, pair)));
        }
        all.retain(|(_, pair)| !pair.value.expose_secret().is_empty());
        Self(all)
    }

    /// Finds the value of a field: with its name in any input, or without in the field's own input.
    fn find(&self, field: CredentialField) -> Result<Option<&Pair>, InputError> {
        let is_ours = |input: CredentialField, pair: &Pair| match pair.name {
            Some(Name::Credential(name)) => name == field,
            Some(Name::Token) => field == self.field_of_token(pair),
            Some(Name::Expiry) => false,
            None => input == field,
        };
        let pairs = self.0.iter().filter(|(input, pair)| is_ours(*input, pair));
        let (hidden, mut found): (Vec<_>, Vec<_>) = pairs
            .map(|(_, pair)| pair)
            .partition(|pair| pair.flaw == Some(Flaw::Placeholder));
        let Some(first) = found.first().copied() else {
            return match hidden.first() {
                Some(_) => Err(InputError::Placeholder(field)),
                None => Ok(None),
            };
        };
        self.prefer(field, &mut found);
        let first = found.first().copied().unwrap_or(first);
        found.retain(|pair| pair.value.expose_secret() != first.value.expose_secret());
        if found.is_empty() {
            return Ok(Some(first));
        }
        let mut profiles = Vec::new();
        for pair in std::iter::once(first).chain(found) {
            if let Some(profile) = shown_profile(pair)
                && !profiles.contains(profile)
            {
                profiles.push(profile.clone());
            }
        }
        profiles.truncate(if profiles.len() > 1 { 10 } else { 0 });
        Err(InputError::Twice(field, profiles))
    }

    /// Drops values whose names mean something else, where there is a better one: `Secret: lake` and
    /// `DJANGO_SECRET_KEY` beside `AWS_SECRET_ACCESS_KEY`.
    fn prefer(&self, field: CredentialField, found: &mut Vec<&Pair>) {
        let keep = |found: &mut Vec<&Pair>, is_better: &dyn Fn(&Pair) -> bool| {
            if found.iter().any(|it| is_better(it)) {
                found.retain(|it| is_better(it));
            }
        };
        keep(found, &|it| it.name.is_none() || !it.is_weak);
        if field == CredentialField::KeyId {
            return;
        }
        let ids = self.0.iter().map(|(_, pair)| pair);
        let ids = ids.filter(|it| it.is_named(CredentialField::KeyId) && !it.is_weak);
        let prefixes: Vec<_> = ids.map(|it| &it.prefix).collect();
        keep(found, &|it| {
            it.name.is_none() || prefixes.contains(&&it.prefix)
        });
    }

    /// Returns true if the only input is a text of several words without any name.
    fn is_unnamed_text(&self) -> bool {
        let [(CredentialField::KeyId, pair)] = &self.0[..] else {
            return false;
        };
        let words = pair.value.expose_secret().split_whitespace();
        pair.name.is_none() && words.count() > 2
    }

    /// Checks that the parts of a key are not of two profiles.
    fn check_profiles(&self) -> Result<(), InputError> {
        let profile = |field| {
            let pair = self.find(field).ok().flatten()?;
            shown_profile(pair).filter(|_| pair.is_in_section)
        };
        let id = profile(CredentialField::KeyId);
        for field in [CredentialField::SecretKey, CredentialField::SessionToken] {
            if let Some((id, other)) = id.zip(profile(field))
                && id != other
            {
                return Err(InputError::Halves(field, id.clone(), other.clone()));
            }
        }
        Ok(())
    }

    /// Returns true if the field is a part of an S3 key whose other part is there.
    fn is_half_of_a_key(&self, field: CredentialField) -> bool {
        let is_there = |field| !matches!(self.find(field), Ok(None));
        match field {
            CredentialField::KeyId => {
                is_there(CredentialField::SecretKey) || is_there(CredentialField::SessionToken)
            }
            CredentialField::SecretKey => {
                is_there(CredentialField::KeyId) || is_there(CredentialField::SessionToken)
            }
            CredentialField::SessionToken | CredentialField::CatalogToken => false,
        }
    }

    /// Returns the field of a value whose name is only `token`. Where AWS gives out temporary
    /// credentials, it is the session token.
    fn field_of_token(&self, token: &Pair) -> CredentialField {
        let has = |field, start: &str| {
            self.0.iter().any(|(input, pair)| {
                let name = pair.name.unwrap_or(Name::Credential(*input));
                name == Name::Credential(field) && pair.value.expose_secret().starts_with(start)
            })
        };
        let is_temporary = has(CredentialField::KeyId, "ASIA");
        let is_missing = is_temporary && !has(CredentialField::SessionToken, "");
        if is_missing || is_session_token(token.value.expose_secret()) {
            CredentialField::SessionToken
        } else {
            CredentialField::CatalogToken
        }
    }

    /// Reads the time of expiry, as typed into its own input or as named in another one.
    fn expiry(
        &self,
        typed: &str,
        required: CredentialPart,
        now: DateTime<Utc>,
    ) -> Result<(Option<DateTime<Utc>>, Option<ExpiryNote>), InputError> {
        let named = self.0.iter().map(|(_, pair)| pair);
        let mut named: Vec<_> = named.filter(|it| it.name == Some(Name::Expiry)).collect();
        let has_catalog_token = matches!(self.find(CredentialField::CatalogToken), Ok(Some(_)));
        let is_other =
            |it: &Pair| it.is_weak && has_catalog_token && required == CredentialPart::S3Keys;
        named.retain(|it| !is_other(it));
        named.sort_by_key(|it| it.is_weak);
        let named = named.into_iter();
        let mut named = named.map(|it| expiry::read_start(it.value.expose_secret(), now));
        let read = match typed.trim() {
            "" => {
                let first = named.next();
                match first.into_iter().chain(named).flatten().next() {
                    None if first.is_some() => return Ok((None, Some(ExpiryNote::NotUnderstood))),
                    read => read.unwrap_or(Expiry::Never),
                }
            }
            typed => expiry::read(typed, now).ok_or(InputError::NoTime(required))?,
        };
        let (time, note) = match read {
            Expiry::Never => return Ok((None, None)),
            Expiry::At(time) => (time, None),
            // The form's input says that times are in UTC.
            Expiry::AtInUtc(time) => (
                time,
                typed.trim().is_empty().then_some(ExpiryNote::ReadAsUtc),
            ),
        };
        if time <= now {
            return Err(InputError::Past(required));
        }
        Ok((Some(time), note))
    }
}

/// The name of a pair's profile, if it can be shown.
fn shown_profile(pair: &Pair) -> Option<&String> {
    let profile = pair.profile.as_ref();
    profile.filter(|it| it.chars().count() <= MAX_PROFILE_CHARS && !looks_random(it))
}

fn validate(field: CredentialField, pair: &Pair) -> Result<SecretString, InputError> {
    let value = pair.value.expose_secret();
    let length = value.chars().count();
    match pair.flaw {
        Some(Flaw::Broken(place)) => return Err(InputError::Broken(field, place)),
        Some(Flaw::Cut) => return Err(InputError::Cut(field)),
        _ => {}
    }
    check_characters(field, value).map_err(|error| InputError::Value(field, error))?;
    if let Some(Flaw::Ending(c)) = pair.flaw {
        return Err(InputError::Wrapped(field, c, length));
    }
    // Every request contains the key ID in clear text, so no secret may be mistaken for it.
    if field == CredentialField::KeyId
        && let Some((c, place)) = find(value, |c| ",=/+;()[]<>".contains(c))
    {
        return Err(InputError::NoKeyId(c, place));
    }
    if !pair.is_quoted {
        let before_padding = value.trim_end_matches('=');
        let around = find(value, |c| "\"'`{}\\".contains(c));
        let equals = || find(before_padding, |c| c == '=');
        if let Some((c, place)) = around.or_else(equals) {
            return Err(InputError::Wrapped(field, c, place));
        }
    }
    Ok(pair.value.clone())
}

/// Returns true if a chat message may contain credentials: an AWS key ID, a value with a name
/// of a credential, or a long random word. The path of a URL is none.
pub fn looks_like_a_key(text: &str) -> bool {
    let is_value = |pair: &Pair| {
        let value = pair.value.expose_secret();
        let is_any = value.contains(|c: char| c.is_ascii_alphanumeric());
        is_any && pair.flaw != Some(Flaw::Placeholder) && (!pair.is_weak || looks_random(value))
    };
    let is_named = |pair: &Pair| matches!(pair.name, Some(Name::Credential(_))) && is_value(pair);
    let is_key_id = |word: &str| {
        let is_prefixed = word.starts_with("AKIA") || word.starts_with("ASIA");
        is_prefixed && word.len() >= 16 && word.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let is_random = |word: &str| {
        let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
        let is_hex = word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase);
        word.len() >= 32 && has(char::is_ascii_digit) && (is_mixed || is_hex)
    };
    let is_token = |word: &str| word.starts_with("eyJ") && word.matches('.').count() == 2;
    let is_secret = |text: &str| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=_-".contains(c));
        let is_id = |word: &str| word.split(['=', '/']).any(is_key_id);
        words.any(|word| is_random(word) || is_id(word))
    };
    let has_secret = |word: &str| match word.split_once("://") {
        Some((_, address)) => address
            .rsplit_once('@')
            .is_some_and(|(it, _)| is_secret(it)),
        None => is_secret(word) || is_token(word),
    };
    paste::read(text).iter().any(is_named) || text.split_whitespace().any(has_secret)
}

#[cfg(test)]
mod tests;
