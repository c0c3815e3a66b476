//! Text that people paste into the form for credentials.

use duckbot::credentials;
use duckbot::credentials::{CredentialField, Credentials, CredentialsForm, InputError, ValueError};
use secrecy::{ExposeSecret, SecretString};

use super::{at, is_ordinary, texts};

/// The form's four inputs and the expiry.
///
/// An accepted value is printable, fits into the form, is part of an input, and is accepted again
/// unchanged. No input appears in an error or in `Debug` output.
pub fn credentials(data: &[u8]) {
    let [a, b, c, d, expires] = texts(data);
    let inputs = [a, b, c, d];
    let form = |secrets: [&str; 4], expires: &str| CredentialsForm {
        secrets: secrets.map(SecretString::from),
        expires: expires.to_owned(),
    };
    for input in &inputs {
        credentials::looks_like_a_key(input);
    }
    let typed = form(inputs.each_ref().map(String::as_str), &expires);
    let keys = match credentials::parse(&typed, at(0)) {
        Ok(keys) => keys,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.len() <= 5);
            let fixed = fixed_texts(&mistakes);
            for said in mistakes.iter().map(words) {
                let is_leaked = |it: &&str| {
                    let is_fixed = fixed.iter().any(|text| text.contains(*it));
                    it.len() >= 8 && said.contains(*it) && !is_fixed
                };
                let leaked = inputs.iter().map(|it| it.trim()).find(is_leaked);
                assert_eq!(leaked, None, "an input is shown in {said:?}");
            }
            return;
        }
    };
    let values = CredentialField::ALL.map(|field| keys.value(field).map(|it| it.expose_secret()));
    assert!(values[0].is_some() && values[1].is_some());
    for (field, value) in CredentialField::ALL.into_iter().zip(values) {
        let Some(value) = value else { continue };
        assert!((1..4000).contains(&value.len()), "{field:?}");
        assert!(
            value.bytes().all(|byte| byte.is_ascii_graphic()),
            "{field:?}"
        );
        assert!(
            inputs.iter().any(|input| input.contains(value)),
            "{field:?}"
        );
        let same = credentials::check_value(field, value.into());
        assert_eq!(
            same.map(|it| it.expose_secret().to_owned()).as_deref(),
            Ok(value)
        );
    }
    if let Some(expires) = keys.expires {
        assert!(expires > at(0) && is_ordinary(expires));
    }
    // `Debug` output depends only on which fields are set.
    let other = |value: Option<&str>| value.map(|_| SecretString::from("other"));
    let shape = Credentials {
        key_id: "other".into(),
        secret_key: "other".into(),
        session_token: other(values[2]),
        catalog_token: other(values[3]),
        expires: keys.expires,
    };
    assert_eq!(format!("{keys:?}"), format!("{shape:?}"));
    let hint = keys.hint().0;
    let key_id = values[0].unwrap_or_default();
    assert!(hint.len() <= 4 && key_id.ends_with(&hint) && hint.len() * 2 <= key_id.len());
    // Values that look like an assignment may be parsed differently; all others are unchanged.
    if !values
        .iter()
        .flatten()
        .any(|value| looks_like_assignment(value))
    {
        let again = form(values.map(Option::unwrap_or_default), "");
        let again = credentials::parse(&again, at(0)).expect("the values were accepted before");
        assert!(again.is_same(&keys));
    }
}

fn looks_like_assignment(value: &str) -> bool {
    let words = ["key", "id", "token", "expiration", "user", "password"];
    let plain = value.to_lowercase().replace('_', "");
    value.contains([':', '=']) && words.iter().any(|word| plain.contains(word))
}

/// Texts of all possible errors, with the lengths in `mistakes`.
fn fixed_texts(mistakes: &[InputError]) -> Vec<String> {
    let of_field = CredentialField::ALL.into_iter().flat_map(|field| {
        [
            InputError::Value(field, ValueError::Empty),
            InputError::Value(field, ValueError::Spaces),
            InputError::Value(field, ValueError::Strange),
            InputError::Wrapped(field),
            InputError::Twice(field),
        ]
    });
    let lengths = mistakes.iter().filter_map(|it| match it {
        InputError::Value(field, ValueError::TooLong(length)) => {
            Some(InputError::Value(*field, ValueError::TooLong(*length)))
        }
        _ => None,
    });
    let others = [InputError::NoKeyId, InputError::NoTime, InputError::Past];
    let all: Vec<_> = of_field.chain(lengths).chain(others).collect();
    all.iter().map(words).collect()
}

fn words(mistake: &InputError) -> String {
    format!("{mistake:?}")
}
