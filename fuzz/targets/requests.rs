//! Requests to the HTTP API.

use duckbot::api::{Authenticator, Body, NewToken, Problem};
use duckbot::credentials::CredentialField;
use duckbot::session::RequestId;
use duckbot::{api, settings};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::pieces;

/// The only valid token in this test.
const CALLER: &str = "duckbot_caller";

/// A request to the HTTP API: media type, body, and the headers Idempotency-Key, Authorization
/// and X-Request-Id. The last piece is a line of the tokens file.
///
/// Parsed values are equal to those in the body. Errors depend only on the length and character
/// classes of secrets. A request without a valid token is refused.
pub fn requests(data: &[u8]) {
    let [kind, body, key, shown, id, line] = pieces(data);
    let kind = std::str::from_utf8(kind).ok();
    check_request(kind, body);
    let headers = |name: &'static str, value: &[u8]| {
        let value = HeaderValue::from_bytes(value).ok()?;
        Some(HeaderMap::from_iter([(
            HeaderName::from_static(name),
            value,
        )]))
    };
    if let Some(headers) = headers("idempotency-key", key) {
        match api::idempotency_key(&headers) {
            Ok(Some(RequestId(name))) => {
                assert!((1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic));
                let hex = name.strip_prefix("api-").expect("the prefix api- is there");
                assert!(hex.len() == 32 && hex.bytes().all(|it| it.is_ascii_hexdigit()));
                assert_eq!(
                    api::idempotency_key(&headers).ok().flatten(),
                    Some(RequestId(name))
                );
            }
            Ok(None) => panic!("the header is set"),
            Err(problem) => {
                let other = HeaderMap::from_iter([(
                    HeaderName::from_static("idempotency-key"),
                    HeaderValue::from_static(""),
                )]);
                let other = api::idempotency_key(&other).expect_err("the key is empty");
                assert_eq!(problem_document(&problem), problem_document(&other));
            }
        }
    }
    if let Some(headers) = headers("authorization", shown) {
        let admitted = authenticator(None).authenticate(&headers);
        let text = String::from_utf8_lossy(shown);
        let (scheme, token) = text.split_once(' ').unwrap_or_default();
        let is_known = scheme.eq_ignore_ascii_case("bearer") && token.trim() == CALLER;
        assert_eq!(admitted.is_ok(), is_known, "{text}");
        // An unknown token is refused, even if requests without a token are allowed.
        let anonymous = authenticator(Some(8)).authenticate(&headers);
        assert_eq!(anonymous.is_ok(), is_known, "{text}");
        assert!(anonymous.is_err() || anonymous.is_ok_and(|it| it.who.id.get() == 7));
    }
    if let Some(headers) = headers("x-request-id", id) {
        let name = api::request_id(&headers);
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
        assert!((1..=64).contains(&name.len()) && name.bytes().all(is_plain));
    }
    if let Ok(line) = std::str::from_utf8(line) {
        check_token_line(line);
    }
}

fn problem_document(problem: &Problem) -> Value {
    problem.document("r")
}

fn check_request(kind: Option<&str>, bytes: &[u8]) {
    let read = |bytes: &[u8]| Body::new(kind, bytes).and_then(api::parse_create_session);
    let Ok(Value::Object(sent)) = serde_json::from_slice(bytes) else {
        // A body that is not a JSON object has no credentials.
        assert!(read(bytes).is_err());
        return;
    };
    match read(bytes) {
        Ok(asked) => {
            let text = |name: &str| sent.get(name).and_then(Value::as_str);
            assert_eq!(asked.size.as_deref(), text("size"));
            assert_eq!(asked.catalog.as_deref(), text("catalog"));
            assert_eq!(asked.username.as_deref(), text("username").map(str::trim));
            if let Some(name) = &asked.username {
                assert!((1..=80).contains(&name.chars().count()));
                assert!(!name.contains(char::is_control));
            }
            let uses_stored = sent.get("use_stored_credentials") == Some(&Value::Bool(true));
            assert_eq!(asked.credentials.is_none(), uses_stored);
            let values = CredentialField::ALL.map(|field| {
                let value = asked
                    .credentials
                    .as_ref()
                    .and_then(|keys| keys.value(field));
                value.map(|it| it.expose_secret())
            });
            for (name, value) in SECRETS.into_iter().zip(values) {
                assert_eq!(value, text(name).map(str::trim), "{name}");
                let is_plain = |it: &str| it.bytes().all(|it| it.is_ascii_graphic());
                assert!(value.is_none_or(|it| !it.is_empty() && it.len() < 4000 && is_plain(it)));
            }
        }
        Err(problem) => {
            let mut other = sent;
            for name in SECRETS {
                if let Some(Value::String(text)) = other.get_mut(name) {
                    let alike = |it: char| if it.is_ascii_alphanumeric() { 'Q' } else { it };
                    // Temporary key IDs have a rule of their own.
                    let kept = if text.starts_with("ASIA") { "ASIA" } else { "" };
                    let rest = text[kept.len()..].chars().map(alike);
                    *text = kept.chars().chain(rest).collect();
                }
            }
            let other = serde_json::to_vec(&other).expect("serializes to JSON");
            let other = read(&other).expect_err("the body has the same error");
            assert_eq!(problem_document(&problem), problem_document(&other));
        }
    }
}

/// Field names in the order of [`CredentialField::ALL`].
const SECRETS: [&str; 4] = ["s3_key", "s3_secret", "session_token", "catalog_token"];

fn authenticator(anonymous: Option<u64>) -> Authenticator {
    let digest = ring::digest::digest(&ring::digest::SHA256, CALLER.as_bytes());
    Authenticator::new(&settings::Api {
        listen: ([127, 0, 0, 1], 0).into(),
        tokens: vec![settings::ApiToken {
            name: "caller".to_owned(),
            digest: digest.as_ref().try_into().expect("32 bytes"),
            owner: 7.into(),
            stored_keys: false,
            admin: false,
        }],
        tokens_file: None,
        anonymous: anonymous.map(Into::into),
        hosts: Vec::new(),
        any_catalog: false,
        channel: None,
        requests_per_minute: 100.try_into().expect("more than 0"),
    })
}

fn check_token_line(line: &str) {
    if let Some(token) = settings::token(line) {
        assert!(token.owner.get() > 0 && !token.name.contains(char::is_whitespace));
        let hex: String = token.digest.iter().map(|it| format!("{it:02x}")).collect();
        let mut same = format!("{} sha256:{hex} owner={}", token.name, token.owner);
        for (is_so, word) in [(token.stored_keys, " stored-keys"), (token.admin, " admin")] {
            same.push_str(if is_so { word } else { "" });
        }
        assert_eq!(settings::token(&same), Some(token));
    }
    let ask = NewToken {
        name: line.to_owned(),
        owner: line.len() as u64,
        stored_keys: line.len().is_multiple_of(2),
        admin: line.len().is_multiple_of(3),
    };
    if ask.is_valid() {
        let (_, line) = api::new_token(&ask).expect("random bytes are available");
        assert!(!line.starts_with('#') && line.lines().count() == 1);
        let token = settings::token(&line).expect("the line is valid");
        assert_eq!((token.name, token.owner.get()), (ask.name, ask.owner));
        assert_eq!(
            (token.stored_keys, token.admin),
            (ask.stored_keys, ask.admin)
        );
    }
}
