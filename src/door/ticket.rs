//! Tickets: signed tokens that the bot gives to a session's owner. The door accepts each once.
//!
//! A ticket is `<key id>.<payload>.<signature>`. Payload and signature are base64 (URL
//! alphabet, no padding). The payload is JSON. The signature is Ed25519 over its purpose, the
//! key ID and the payload as they appear in the ticket. The bot holds the private key, the
//! door only the public one.
//!
//! The bot's commands to a session have the same form and rules, with another purpose ([`Signed`]).

use std::{marker::PhantomData, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Time for which a ticket is valid.
pub const TICKET_LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// Maximum time that the bot's clock may be ahead of the door's.
pub const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);
/// Maximum size of a ticket; the bot's are shorter.
pub const MAX_TICKET_BYTES: usize = 1024;

/// Returns [`TICKET_LIFETIME`] in words, such as "1 minute".
pub fn lifetime() -> String {
    let seconds = TICKET_LIFETIME.num_seconds();
    match (seconds / 60, seconds % 60) {
        (1, 0) => "1 minute".to_owned(),
        (minutes, 0) => format!("{minutes} minutes"),
        _ => format!("{seconds} seconds"),
    }
}

/// Content that is signed for one purpose, besides the session and the time.
pub trait Signed: Serialize + DeserializeOwned {
    /// Prefix of the signed text, so a signature made for another purpose is not valid here.
    const PURPOSE: &'static str;
    /// Maximum size of a signed text.
    const MAX_BYTES: usize;
}

/// A ticket has no further content.
impl Signed for () {
    const PURPOSE: &'static str = "duckbot ticket 1";
    const MAX_BYTES: usize = MAX_TICKET_BYTES;
}

/// Signed part of a ticket. Has no `Debug`, because the content may be secret.
#[derive(Serialize, Deserialize)]
struct Payload<T> {
    /// ID of the session that the ticket opens.
    session: String,
    issued: DateTime<Utc>,
    /// Random text that makes the ticket unique.
    nonce: String,
    #[serde(flatten)]
    content: T,
}

/// Reasons to reject a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The ticket was not signed with the session's key, or was changed.
    #[error("this is not a ticket for this door")]
    Forged,
    /// The ticket is for another session.
    #[error("this ticket is for another session")]
    OtherSession,
    /// The ticket is older than [`TICKET_LIFETIME`], or from the future.
    #[error("this ticket has expired")]
    Expired,
    /// The ticket is older than the door, which can't know whether it was used.
    #[error("this ticket was issued before the session was restarted")]
    BeforeStart,
    /// The ticket was used before.
    #[error("this ticket was already used")]
    Used,
}

/// Private key that signs tickets.
pub struct SigningKey {
    id: String,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Generates a key in the form in which it is stored (PKCS#8).
    pub fn generate() -> Vec<u8> {
        let random = SystemRandom::new();
        let document =
            Ed25519KeyPair::generate_pkcs8(&random).expect("the system provides randomness");
        document.as_ref().to_vec()
    }

    /// Reads a stored key. Returns `None` if `stored` is not an Ed25519 key in PKCS#8.
    pub fn read(id: &str, stored: &[u8]) -> Option<Self> {
        Some(Self {
            id: id.to_owned(),
            pair: Ed25519KeyPair::from_pkcs8_maybe_unchecked(stored).ok()?,
        })
    }

    /// Returns the public key in the form that the door reads: `<key id>:<public key in base64>`.
    pub fn public(&self) -> String {
        let key = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        format!("{}:{key}", self.id)
    }

    /// Issues a ticket for a session.
    pub fn ticket(&self, session: &str, now: DateTime<Utc>) -> String {
        self.sign((), session, now)
    }

    /// Signs `content` for a session, to be accepted once within [`TICKET_LIFETIME`].
    pub fn sign<T: Signed>(&self, content: T, session: &str, now: DateTime<Utc>) -> String {
        let payload = Payload {
            session: session.to_owned(),
            issued: now,
            nonce: random_token(),
            content,
        };
        let payload = serde_json::to_vec(&payload).expect("the payload serializes to JSON");
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let input = signing_input(T::PURPOSE, &self.id, &payload);
        let signature = self.pair.sign(&input);
        let signature = URL_SAFE_NO_PAD.encode(signature);
        format!("{}.{payload}.{signature}", self.id)
    }
}

/// Returns 128 random bits in base64, which nobody can guess.
pub fn random_token() -> String {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.expect("the system provides randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

fn signing_input(purpose: &str, key: &str, payload: &str) -> Vec<u8> {
    format!("{purpose}.{key}.{payload}").into_bytes()
}

/// Verifier of one session's tickets. It accepts each ticket once.
pub type TicketVerifier = Verifier<()>;

/// Verifier of what the bot signed for one session. It accepts each signed text once.
pub struct Verifier<T> {
    content: PhantomData<fn() -> T>,
    key: (String, Vec<u8>),
    session: String,
    /// Time of the door's start. Earlier tickets may have been used at the door before it.
    started: DateTime<Utc>,
    /// Nonces of used tickets that have not expired, with their time of issue.
    used: Vec<(String, DateTime<Utc>)>,
}

impl<T: Signed> Verifier<T> {
    /// Creates a verifier for one session. `key` has the form of [`SigningKey::public`].
    /// Returns `None` if `key` is not valid.
    pub fn new(session: &str, key: &str, started: DateTime<Utc>) -> Option<Self> {
        let (id, key) = key.split_once(':')?;
        let key = URL_SAFE_NO_PAD.decode(key).ok()?;
        (key.len() == 32).then(|| Self {
            content: PhantomData,
            key: (id.to_owned(), key),
            session: session.to_owned(),
            started,
            used: Vec::new(),
        })
    }

    /// Number of tickets that were accepted within the last [`TICKET_LIFETIME`].
    pub fn count_recent(&self, now: DateTime<Utc>) -> usize {
        let is_recent = |(_, issued): &&(String, DateTime<Utc>)| now < *issued + TICKET_LIFETIME;
        self.used.iter().filter(is_recent).count()
    }

    /// Returns how long a ticket is from the future, by this clock. Zero for a forged one.
    pub fn time_until_issued(&self, ticket: &str, now: DateTime<Utc>) -> Duration {
        let issued = self.verify(ticket).map(|payload| payload.issued);
        let ahead = issued.and_then(|issued| (issued - now).to_std().ok());
        ahead.unwrap_or_default()
    }

    /// Accepts a ticket, marks it as used, and returns its content.
    ///
    /// # Errors
    /// Returns the reason if the ticket is rejected. Then no ticket was marked as used.
    pub fn redeem(&mut self, ticket: &str, now: DateTime<Utc>) -> Result<T, TicketError> {
        let Payload {
            session,
            issued,
            nonce,
            content,
        } = self.verify(ticket).ok_or(TicketError::Forged)?;
        if session != self.session {
            return Err(TicketError::OtherSession);
        }
        // Compare differences: a sum may be outside the range of times.
        if now - issued >= TICKET_LIFETIME || issued - now > MAX_CLOCK_SKEW {
            return Err(TicketError::Expired);
        }
        if issued < self.started {
            return Err(TicketError::BeforeStart);
        }
        self.used
            .retain(|(_, issued)| now < *issued + TICKET_LIFETIME);
        if self.used.iter().any(|(used, _)| *used == nonce) {
            return Err(TicketError::Used);
        }
        self.used.push((nonce, issued));
        Ok(content)
    }

    /// Returns the payload of a ticket that is signed with the session's key.
    fn verify(&self, ticket: &str) -> Option<Payload<T>> {
        let mut parts = ticket.split('.');
        let (id, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || id != self.key.0 || ticket.len() > T::MAX_BYTES {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, &self.key.1);
        let input = signing_input(T::PURPOSE, id, payload);
        key.verify(&input, &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
    }

    fn key(id: &str) -> SigningKey {
        SigningKey::read(id, &SigningKey::generate()).expect("a key")
    }

    /// Verifier of a door that was started at second 0.
    fn door(key: &SigningKey) -> TicketVerifier {
        TicketVerifier::new("977a26", &key.public(), at(0)).expect("a key")
    }

    #[test]
    fn a_ticket_opens_its_door_once() {
        let key = key("k1");
        let mut door = door(&key);
        let (one, two) = (key.ticket("977a26", at(5)), key.ticket("977a26", at(5)));
        assert_eq!(door.redeem(&one, at(6)), Ok(()));
        assert_eq!(door.redeem(&one, at(7)), Err(TicketError::Used));
        assert_eq!(door.redeem(&two, at(7)), Ok(()));
        assert_eq!(door.redeem(&one, at(64)), Err(TicketError::Used));
        assert_eq!(door.redeem(&one, at(65)), Err(TicketError::Expired));
        let late = key.ticket("977a26", at(200));
        assert_eq!(door.redeem(&late, at(200)), Ok(()));
        assert_eq!(door.used.len(), 1, "expired tickets are dropped");
    }

    #[test]
    fn a_link_with_a_ticket_fits_a_button() {
        let key = key("2026-11-23-1a2b3c4d");
        let ticket = key.ticket("977a26", at(5) + TimeDelta::nanoseconds(123_456_789));
        let host = "h".repeat(253); // the longest name in DNS
        let link = format!("https://{host}{}#{ticket}", crate::door::ENTER_PATH);
        // Discord's limit.
        assert!(link.len() <= 512, "{}", link.len());
    }

    #[test]
    fn no_other_ticket_opens_it() {
        let own = key("k1");
        let mut door = door(&own);
        for (ticket, why) in [
            (own.ticket("1b2c3d", at(5)), TicketError::OtherSession),
            (own.ticket("977a26", at(-1)), TicketError::BeforeStart),
            (own.ticket("977a26", at(-60)), TicketError::Expired),
            (own.ticket("977a26", at(37)), TicketError::Expired),
            (key("k1").ticket("977a26", at(5)), TicketError::Forged),
            (key("k2").ticket("977a26", at(5)), TicketError::Forged),
            (
                own.ticket("977a26", at(5)).replacen("k1", "k2", 1),
                TicketError::Forged,
            ),
            (String::new(), TicketError::Forged),
            ("..".into(), TicketError::Forged),
        ] {
            assert_eq!(door.redeem(&ticket, at(6)), Err(why), "{ticket}");
        }
    }

    #[test]
    fn a_ticket_from_the_end_of_time_has_expired() {
        let key = key("k1");
        for issued in [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
            let ticket = key.ticket("977a26", issued);
            assert_eq!(door(&key).redeem(&ticket, at(6)), Err(TicketError::Expired));
        }
    }

    #[test]
    fn only_a_public_key_makes_a_door() {
        for key in ["", "k1", "k1:", "k1:AAAA", ":!"] {
            assert!(
                TicketVerifier::new("977a26", key, at(0)).is_none(),
                "{key:?}"
            );
        }
        assert!(SigningKey::read("k1", b"no key").is_none());
    }

    proptest! {
        #[test]
        fn a_ticket_that_was_changed_is_forged(place in 0_usize..200, other in "[A-Za-z0-9_.-]") {
            let key = key("k1");
            let ticket = key.ticket("977a26", at(5));
            let place = place % ticket.len();
            let changed = format!("{}{other}{}", &ticket[..place], &ticket[place + 1..]);
            prop_assume!(changed != ticket);
            // The last base64 character has unused bits. The decoder accepts only zeros there.
            prop_assert_eq!(door(&key).redeem(&changed, at(6)), Err(TicketError::Forged));
        }

        #[test]
        fn anything_else_is_forged(text in "\\PC*") {
            prop_assert_eq!(door(&key("k1")).redeem(&text, at(6)), Err(TicketError::Forged));
        }
    }
}
