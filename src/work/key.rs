//! Keys that authenticate saves.

use ring::{
    hmac::{HMAC_SHA256, Key, sign, verify},
    rand::{SecureRandom, SystemRandom},
};
use secrecy::zeroize::Zeroizing;

use crate::session::OwnerId;

/// Key that only the bot has, from which people's keys are derived.
pub type MasterKey = Zeroizing<[u8; WorkKey::BYTES]>;

/// Key of one person's saves. It has no `Debug`, because it is secret.
///
/// The bot derives it from a key that only the bot has. The person's own sessions get it, because they
/// also save when the bot is away. So a person who may write to the bucket can't make a save for somebody
/// else.
#[derive(Clone)]
pub struct WorkKey(Zeroizing<[u8; Self::BYTES]>);

impl WorkKey {
    /// Size of a key, and of the bot's key.
    pub const BYTES: usize = 32;

    /// Generates a key for the bot. Returns `None` if the system has no random numbers.
    pub fn generate_master() -> Option<MasterKey> {
        let mut master = Zeroizing::new([0; Self::BYTES]);
        let random = SystemRandom::new().fill(&mut *master);
        random.is_ok().then_some(master)
    }

    /// Reads a stored key of the bot. Returns `None` if it has another length.
    pub fn read_master(stored: &[u8]) -> Option<MasterKey> {
        stored.try_into().ok().map(Zeroizing::new)
    }

    /// Derives the key of a person from the bot's key.
    pub fn derive(master: &[u8; Self::BYTES], owner: OwnerId) -> Self {
        let tag = sign(
            &Key::new(HMAC_SHA256, master),
            format!("duckbot work 1\n{owner}").as_bytes(),
        );
        let mut key = Zeroizing::new([0; Self::BYTES]);
        key.copy_from_slice(tag.as_ref());
        Self(key)
    }

    /// Reads a key of 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; Self::BYTES]);
        from_hex(text, &mut *key).then_some(Self(key))
    }

    /// Returns the key as 64 hex digits.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(&*self.0))
    }

    /// Authenticates a text. The result has 64 hex digits.
    pub(super) fn sign(&self, text: &str) -> String {
        let tag = sign(&Key::new(HMAC_SHA256, &*self.0), text.as_bytes());
        hex(tag.as_ref())
    }

    /// Returns true if [`Self::sign`] made the tag of this text.
    pub(super) fn verify(&self, text: &str, tag: &str) -> bool {
        let mut bytes = [0; Self::BYTES];
        let key = Key::new(HMAC_SHA256, &*self.0);
        from_hex(tag, &mut bytes) && verify(&key, text.as_bytes(), &bytes).is_ok()
    }
}

/// Writes bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads exactly as many hex digits as fill `bytes`. Returns false if the text is something else.
fn from_hex(text: &str, bytes: &mut [u8]) -> bool {
    if text.len() != 2 * bytes.len() || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
        return false;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_person_has_a_key() {
        let master = [7; WorkKey::BYTES];
        let (ana, ben) = (
            WorkKey::derive(&master, 7.into()),
            WorkKey::derive(&master, 8.into()),
        );
        let tag = ana.sign("work");
        assert!(ana.verify("work", &tag));
        assert!(!ana.verify("Work", &tag));
        assert!(!ben.verify("work", &tag));
        let again = WorkKey::parse(&ana.to_hex()).expect("a key");
        assert!(again.verify("work", &tag));
    }

    #[test]
    fn other_texts_are_no_keys_and_no_tags() {
        let key = WorkKey::derive(&[7; WorkKey::BYTES], 7.into());
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)] {
            assert!(WorkKey::parse(bad).is_none());
            assert!(!key.verify("work", bad));
        }
    }
}
