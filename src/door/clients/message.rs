//! Messages of Quack, DuckDB's client-server protocol, as far as the door needs them. Pure.
//!
//! A message is two objects in DuckDB's binary serialization: a header and a content. An object is fields and an
//! end, a field is its ID in two bytes and a value. The header has the kind of the message (1), the connection's ID
//! (2) and the number of the query (3). The first message of a connection is of the kind 1. Its content has the
//! token (1), and the version and the platform of the client. An error is of the kind 100, with its text (1). Seen
//! with DuckDB 1.5.5.

use crate::door::answer::push_length;

/// ID that ends an object.
const END: u16 = 0xffff;
/// Kind of a connection's first message.
const CONNECT: u64 = 1;
/// The header of an error, for no query in particular, and the ID of its text.
const ERROR: &[u8] =
    b"\x01\x00\x64\x03\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff\xff\x01\x00";

/// Returns the first message of a connection with another token. Returns `None` if `message` is another one, or is
/// not as expected: DuckDB then refuses it.
pub(super) fn with_token(message: &[u8], token: &str) -> Option<Vec<u8>> {
    let mut reader = Reader { message, at: 0 };
    let mut kind = None;
    loop {
        match reader.id()? {
            1 => kind = Some(reader.number()?),
            2 => reader.skip_text()?,
            3 => drop(reader.number()?),
            END => break,
            _ => return None,
        }
    }
    if kind != Some(CONNECT) {
        return None;
    }
    let mut changed = message[..reader.at].to_vec();
    // DuckDB leaves out a field whose value is empty.
    if message[reader.at..].starts_with(&[1, 0]) {
        reader.id()?;
        reader.skip_text()?;
    }
    changed.extend_from_slice(&[1, 0]);
    push_text(&mut changed, token);
    changed.extend_from_slice(&message[reader.at..]);
    Some(changed)
}

/// Returns a message with an error, which DuckDB's client shows to the person.
pub(super) fn error(text: &str) -> Vec<u8> {
    let mut message = ERROR.to_vec();
    push_text(&mut message, text);
    message.extend_from_slice(&END.to_le_bytes());
    message
}

/// Appends a text: its length, and its bytes.
fn push_text(message: &mut Vec<u8>, text: &str) {
    push_length(message, text.len());
    message.extend_from_slice(text.as_bytes());
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn id(&mut self) -> Option<u16> {
        let bytes = self.message.get(self.at..self.at + 2)?;
        self.at += 2;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = *self.message.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn skip_text(&mut self) -> Option<()> {
        let length = usize::try_from(self.number()?).ok()?;
        let end = self.at.checked_add(length)?;
        (end <= self.message.len()).then(|| self.at = end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// First message of DuckDB 1.5.5's client, with the token `duckbot`.
    const FIRST: &[u8] = b"\x01\x00\x01\x03\x00\x06\xff\xff\x01\x00\x07duckbot\x02\x00\x06v1.5.5\x03\x00\x0blinux_amd64\x04\x00\x01\x05\x00\x01\xff\xff";
    /// A query.
    const QUERY: &[u8] =
        b"\x01\x00\x03\x02\x00\x04ABCD\x03\x00\x08\xff\xff\x01\x00\x08SELECT 1\xff\xff";

    #[test]
    fn only_the_token_of_the_first_message_changes() {
        let changed = with_token(FIRST, "the token of DuckDB").expect("a first message");
        let expected = [&FIRST[..10], b"\x13the token of DuckDB", &FIRST[18..]];
        assert_eq!(changed, expected.concat());
        assert_eq!(with_token(QUERY, "token"), None);
    }

    #[test]
    fn a_client_without_a_token_gets_one() {
        let without = [&FIRST[..8], &FIRST[18..]].concat();
        assert_eq!(with_token(&without, "duckbot").as_deref(), Some(FIRST));
    }

    #[test]
    fn a_long_token_has_a_longer_length() {
        let token = "x".repeat(200);
        let changed = with_token(FIRST, &token).expect("a first message");
        assert_eq!(changed[10..12], [0xc8, 1]);
        assert_eq!(with_token(&changed, "duckbot").as_deref(), Some(FIRST));
    }

    #[test]
    fn an_error_is_as_duckdb_writes_it() {
        let expected = [ERROR, b"\x15Authentication failed\xff\xff"].concat();
        assert_eq!(error("Authentication failed"), expected);
    }

    proptest! {
        #[test]
        fn bytes_of_all_kinds_are_read_to_their_end_and_no_further(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            cut in 0..FIRST.len(),
        ) {
            let _ = with_token(&bytes, "token");
            let _ = with_token(&[&FIRST[..cut], &bytes[..]].concat(), "token");
        }
    }
}
