//! Hashes that stay the same across builds of the bot: in buttons, nonces, request IDs and the
//! list of tokens. Pure.

use ring::digest::{SHA256, digest};

/// Returns the text's SHA-256, as 64 hex digits.
pub fn sha256_hex(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let bytes = hash.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the first 64 bits of the text's SHA-256, as 16 hex digits.
pub fn fingerprint(text: &str) -> String {
    let mut digits = sha256_hex(text);
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_beginning_of_sha_256() {
        // FIPS 180-4, example "abc".
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea");
    }
}
