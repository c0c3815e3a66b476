//! Reads `[api]` and its tokens file.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{
    reader::{Invalid, SettingsReader},
    sections::{Api, ApiToken},
    values::{ID, domain_name, id, parse},
};

const FILE: &str = "api.tokens_file";

/// Reads `[api]`. Returns `Ok(None)` if the API is off.
pub(super) fn read(reader: &mut SettingsReader) -> Result<Option<Api>, Invalid> {
    let listen = reader.optional("api.listen", "an address, like [::]:8080", parse);
    let file = reader.optional(FILE, "a path", |text| Some(PathBuf::from(text)));
    let anonymous = reader.optional("api.anonymous_owner", ID, id);
    let hosts = reader.list("api.hosts", "a host name in lower case", domain_name);
    let any_catalog = reader.required("api.any_catalog", "true or false", parse);
    let channel = reader.optional("api.channel", ID, id);
    let rate = reader.required("api.requests_per_minute", "a number above 0", parse);
    let Some(listen) = listen? else {
        return Ok(None);
    };
    let (file, anonymous) = (file?, anonymous?);
    if file.is_none() && anonymous.is_none() {
        return reader.reject(
            FILE,
            "is not set, so nobody could use the API; name a file with tokens (`duckbot token`)",
        );
    }
    let tokens = match file.as_deref().map(read_tokens) {
        None => Vec::new(),
        Some(Ok(tokens)) => tokens,
        Some(Err(problems)) => {
            problems
                .into_iter()
                .for_each(|problem| reader.add_error(FILE, problem));
            return Err(Invalid);
        }
    };
    Ok(Some(Api {
        listen,
        tokens,
        tokens_file: file,
        anonymous: anonymous.map(Into::into),
        hosts: hosts?,
        any_catalog: any_catalog?,
        channel: channel?.map(Into::into),
        requests_per_minute: rate?,
    }))
}

/// Reads the tokens file: one line per token, see [`token`].
///
/// # Errors
/// Returns all problems, each as the rest of a sentence about the file.
pub fn read_tokens(path: &Path) -> Result<Vec<ApiToken>, Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|why| vec![format!("can't read {}: {why}", path.display())])?;
    let mut tokens: Vec<ApiToken> = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match token(line) {
            Some(token) => tokens.push(token),
            None => {
                // The line itself is not shown: it may be a pasted token.
                let says = "is not a token; the format is `name sha256:<digest> owner=<id>`, \
                            optionally followed by `stored-keys` and `admin`. `duckbot token` \
                            prints such a line";
                problems.push(format!("line {} {says}", number + 1));
            }
        }
    }
    let mut names = HashSet::new();
    if let Some(twice) = tokens.iter().find(|token| !names.insert(&token.name)) {
        let name = &twice.name;
        problems.push(format!("has two tokens with the name {name:?}; rename one"));
    }
    if problems.is_empty() {
        Ok(tokens)
    } else {
        Err(problems)
    }
}

/// Parses one line of the tokens file: `name sha256:<digest> owner=<id> [stored-keys] [admin]`.
pub fn token(line: &str) -> Option<ApiToken> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let digest = digest(words.next()?.strip_prefix("sha256:")?)?;
    let owner = id(words.next()?.strip_prefix("owner=")?)?.into();
    let mut token = ApiToken {
        name,
        digest,
        owner,
        stored_keys: false,
        admin: false,
    };
    for word in words {
        match word {
            "stored-keys" => token.stored_keys = true,
            "admin" => token.admin = true,
            _ => return None,
        }
    }
    Some(token)
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (byte, place) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    is_hex.then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_token() {
        let zeros = "00".repeat(32);
        let read = |line: &str| token(&line.replace("ZEROS", &zeros));
        let plain = ApiToken {
            name: "ci".into(),
            digest: [0; 32],
            owner: 7.into(),
            stored_keys: false,
            admin: false,
        };
        assert_eq!(read("ci sha256:ZEROS owner=7"), Some(plain.clone()));
        let all = ApiToken {
            stored_keys: true,
            admin: true,
            ..plain
        };
        assert_eq!(
            read(" ci  sha256:ZEROS owner=7 admin stored-keys "),
            Some(all)
        );
        for wrong in [
            "ci",
            "ci sha256:ZEROS",
            "ci sha256:ZEROS owner=0",
            "ci sha256:ZEROS owner=7 root",
            "ci ZEROS owner=7",
            "ci sha256:+1 owner=7",
            "ci sha256:00 owner=7",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
