//! Tickets and cookies, which open a door.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use duckbot::door::browser_sessions::BrowserSessions;
use duckbot::door::ticket::{SigningKey, TICKET_LIFETIME, TicketVerifier};
use ring::signature::Ed25519KeyPair;
use serde_json::Value;

use super::at;

/// Signing key for this test only.
const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIDz771lAGEFe7oFquEITEYFYIgxaQ4qkI35HrnUGXCrR";

/// Tickets for this door, signed with [`KEY`] at the seconds 0 and 1.
const GENUINE: [&str; 2] = [
    "k1.eyJzZXNzaW9uIjoiOTc3YTI2IiwiaXNzdWVkIjoiMjAyNy0wMS0xNVQwODowMDowMFoiLCJub25jZSI6Im5vbmNlLTAifQ._d5oPlEvoE0iKSA2DqFzC2bVqL4nBH43RyGZC51rKrVMU6-4vC5ZX5U8swPFUwDi7P2MoQAAtSe9NCfYrtUuCQ",
    "k1.eyJzZXNzaW9uIjoiOTc3YTI2IiwiaXNzdWVkIjoiMjAyNy0wMS0xNVQwODowMDowMVoiLCJub25jZSI6Im5vbmNlLTEifQ.vCOA4hNKwX3k2UTSbEHMiTrvoW0ud4-pXIvqvLjT0FRoc1nUSTfyWBJx1XkXVgf9G7nyuvunqtdsoGnJE-DpAg",
];

/// Tickets and cookies that a door receives. The last piece is also the payload of a ticket that
/// is then signed with the key.
///
/// The door accepts only tickets that were signed for it, and each only once. It knows only the
/// cookies that it gave out.
pub fn tickets(data: &[u8]) {
    let key = URL_SAFE_NO_PAD.decode(KEY).expect("base64");
    let signing = SigningKey::read("k1", &key).expect("the key is valid");
    let mut door =
        TicketVerifier::new("977a26", &signing.public(), at(0)).expect("the key is valid");
    let shown: Vec<_> = data.split(|byte| *byte == 0xff).collect();
    let mut taken = Vec::new();
    for piece in &shown {
        let text = String::from_utf8_lossy(piece).into_owned();
        if door.redeem(&text, at(2)).is_ok() {
            assert!(GENUINE.contains(&text.as_str()), "{text} is forged");
            assert!(!taken.contains(&text), "{text} was used");
            taken.push(text);
        }
        browser_sessions(piece);
    }
    let payload = shown.last().copied().unwrap_or_default();
    let encoded = URL_SAFE_NO_PAD.encode(payload);
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).expect("the key is valid");
    let signature = pair.sign(format!("duckbot ticket 1.k1.{encoded}").as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(signature);
    let ticket = format!("k1.{encoded}.{signature}");
    let mut door =
        TicketVerifier::new("977a26", &signing.public(), at(0)).expect("the key is valid");
    if door.redeem(&ticket, at(2)).is_ok() {
        // Fields that the door ignores may be anything, so the payload may be no valid `Value`.
        if let Ok(says) = serde_json::from_slice::<Value>(payload) {
            let field = |name: &str, place: usize| {
                if says.is_array() {
                    says[place].as_str().expect("a string").to_owned()
                } else {
                    says[name].as_str().expect("a string").to_owned()
                }
            };
            assert_eq!(field("session", 0), "977a26");
            let issued: DateTime<Utc> = field("issued", 1).parse().expect("a timestamp");
            assert!(issued >= at(0) && issued <= at(32) && at(2) < issued + TICKET_LIFETIME);
        }
        assert!(
            door.redeem(&ticket, at(2)).is_err(),
            "a ticket is accepted once"
        );
        // A signature without the purpose prefix is refused.
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(encoded.as_bytes()));
        let other = format!("k1.{encoded}.{signature}");
        assert!(door.redeem(&other, at(2)).is_err());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        // Only the text of a public key creates a verifier.
        if let Some(mut door) = TicketVerifier::new("977a26", text, at(0)) {
            assert!(
                GENUINE
                    .iter()
                    .all(|ticket| door.redeem(ticket, at(2)).is_err())
                    || text == signing.public()
            );
        }
    }
}

fn browser_sessions(piece: &[u8]) {
    let mut browser_sessions = BrowserSessions::default();
    let count = piece.first().map_or(1, |byte| usize::from(*byte) % 40);
    let given: Vec<_> = (0..count).map(|_| browser_sessions.create()).collect();
    let newest = given.len().saturating_sub(32);
    assert!(
        given[newest..]
            .iter()
            .all(|key| browser_sessions.contains(key))
    );
    assert!(
        !given[..newest]
            .iter()
            .any(|key| browser_sessions.contains(key))
    );
    let text = String::from_utf8_lossy(piece);
    assert!(!browser_sessions.contains(&text));
    if let Some(key) = given.last() {
        let cut = piece.len() % key.len();
        assert!(
            !browser_sessions.contains(&key[..cut])
                && !browser_sessions.contains(&format!("{key}{text}x"))
        );
        let changed = format!("{text}{}", key.get(text.len()..).unwrap_or_default());
        assert!(changed == *key || !browser_sessions.contains(&changed));
    }
}
