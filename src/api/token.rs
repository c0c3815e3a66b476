//! `duckbot token`: a new token, and the line that makes it known.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use secrecy::SecretString;

/// What a new token is for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is called.
    pub name: String,
    /// Whose sessions it is about.
    pub owner: u64,
    /// Whether it may use the owner's stored keys.
    pub stored_keys: bool,
    /// Whether it sees everybody's.
    pub admin: bool,
}

/// A fresh token, and its line for `api.tokens_file`.
///
/// # Errors
/// If there is no randomness.
pub fn new_token(ask: &NewToken) -> anyhow::Result<(SecretString, String)> {
    let mut bytes = [0; 32];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
    let token = format!("duckbot_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let mut line = format!("{} sha256:", ask.name);
    for byte in digest(&SHA256, token.as_bytes()).as_ref() {
        // Writing to a String can't fail.
        let _ = write!(line, "{byte:02x}");
    }
    let _ = write!(line, " owner={}", ask.owner);
    if ask.stored_keys {
        line.push_str(" stored-keys");
    }
    if ask.admin {
        line.push_str(" admin");
    }
    Ok((token.into(), line))
}
