//! `duckbot token`: creates a token, and its line for `api.tokens_file`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;

use crate::session::sha256_hex;

/// Properties of a new token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Name of the token, without whitespace.
    pub name: String,
    /// Discord user ID of the owner. The token manages this person's sessions.
    pub owner: u64,
    /// True if the token may use the owner's stored credentials.
    pub stored_keys: bool,
    /// True if the token may see and stop everybody's sessions.
    pub admin: bool,
}

impl NewToken {
    /// Returns true if the bot can parse the line of this token in `api.tokens_file`.
    pub fn is_valid(&self) -> bool {
        let is_word = !self.name.is_empty() && !self.name.contains(char::is_whitespace);
        // Lines that start with `#` are comments.
        is_word && !self.name.starts_with('#') && self.owner != 0
    }
}

/// Creates a random token, and its line for `api.tokens_file`.
///
/// # Errors
/// If the system provides no random numbers.
pub fn new_token(ask: &NewToken) -> anyhow::Result<(SecretString, String)> {
    let mut bytes = [0; 32];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| anyhow::anyhow!("the system provides no random numbers"))?;
    let token = format!("duckbot_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let digest = sha256_hex(&token);
    let mut line = format!("{} sha256:{digest} owner={}", ask.name, ask.owner);
    if ask.stored_keys {
        line.push_str(" stored-keys");
    }
    if ask.admin {
        line.push_str(" admin");
    }
    Ok((token.into(), line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_and_no_comment() {
        for (name, owner, fits) in [
            ("ci", 7, true),
            ("", 7, false),
            ("c i", 7, false),
            ("#ci", 7, false),
            ("ci", 0, false),
        ] {
            let ask = NewToken {
                name: name.into(),
                owner,
                stored_keys: false,
                admin: false,
            };
            assert_eq!(ask.is_valid(), fits, "{name:?} {owner}");
        }
    }
}
