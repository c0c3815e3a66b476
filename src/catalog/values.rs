//! Rules for a catalog's values. Each error is the rest of a sentence about the value. Pure.

use std::{fmt, net::Ipv4Addr};

use reqwest::Url;

/// Maximum length of the name of a size or a catalog. Discord limits a button's custom ID to 100
/// characters, which must hold two such names, two IDs and the name of the button.
pub const MAX_NAME_BYTES: usize = 28;
/// Names that DuckDB gives to databases of its own, or reserves, and the one of a session's database.
const RESERVED_NAMES: [&str; 5] = ["main", "memory", "system", "temp", "work"];

/// Error of a value: the rest of a sentence that begins with the value's name.
pub type ValueError = &'static str;

/// Returns true for an RFC 1123 label.
pub fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Parses a name that is also part of a button's custom ID.
///
/// # Errors
/// If it is too long or not an RFC 1123 label.
pub fn short_name(text: &str) -> Result<String, ValueError> {
    if is_label(text) && text.len() <= MAX_NAME_BYTES {
        return Ok(text.to_owned());
    }
    Err(
        "is not a valid name; use up to 28 lower-case letters, digits and hyphens, and no hyphen at \
         either end",
    )
}

/// Parses the name of a catalog, under which DuckDB attaches it.
///
/// # Errors
/// If it is not a valid name, or DuckDB needs it for itself.
pub fn catalog_name(text: &str) -> Result<String, ValueError> {
    let name = short_name(text)?;
    if RESERVED_NAMES.contains(&text) {
        return Err(
            "is the name of a database that each session has already (main, memory, system, temp, \
             work), so no session could attach the catalog; choose another name",
        );
    }
    Ok(name)
}

/// Parses a text for a session's environment. DuckDB's command line reads lines, and drops some
/// control characters even within quotes.
///
/// # Errors
/// If it has a control character.
pub fn plain_text(text: &str) -> Result<String, ValueError> {
    if text.contains(char::is_control) {
        Err("must not contain control characters")
    } else {
        Ok(text.to_owned())
    }
}

/// Parses the name or address of a warehouse.
///
/// # Errors
/// If DuckDB would not pass it on to the catalog: it takes some schemes for files that the extension `azure` reads
/// (`EXTENSION_FILE_PREFIXES` in `src/include/duckdb/main/extension_entries.hpp`).
pub fn warehouse(text: &str) -> Result<String, ValueError> {
    let is_azure = ["az://", "azure://", "abfss://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if is_azure {
        return Err(
            "is an address of Azure, which DuckDB can't attach without its extension azure; use the \
             warehouse's name in the catalog",
        );
    }
    plain_text(text)
}

/// Parses a region. Only AWS has lower-case ones: others are `RegionOne`, `NL` or `us_east`.
///
/// # Errors
/// If it can't be a part of a signature.
pub fn region(text: &str) -> Result<String, ValueError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if (1..=63).contains(&text.len()) && text.chars().all(is_part) {
        return Ok(text.to_owned());
    }
    Err("is not a region, like eu-central-1; use up to 63 letters, digits, hyphens and underscores")
}

/// Parses the address of a service. Removes slashes at its end.
///
/// Refuses what reqwest and DuckDB would read in different ways, and what would appear in logs: a
/// user name and password.
///
/// # Errors
/// If it is not a plain HTTP URL.
pub fn http_url(text: &str) -> Result<String, ValueError> {
    const INVALID: ValueError = "is not a valid URL, like https://catalog.example.com:8181/api";
    let Some((scheme, rest)) = text
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(scheme))
    else {
        return Err("must begin with https:// or http://");
    };
    if rest.contains(['?', '#']) {
        return Err("must end with its path, without a query or fragment (`?`, `#`)");
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("must not contain a user name or password");
    }
    let path = path.trim_end_matches('/');
    let url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| INVALID)?;
    // The URL standard has further forms of a host, such as 127.1, which DuckDB does not know.
    let host = url.host_str().unwrap_or_default();
    let port = authority.to_ascii_lowercase();
    let Some(port) = port.strip_prefix(host) else {
        return Err(match host.chars().next() {
            Some('[') => "has a long form of an IPv6 address; write its short one, like [::1]",
            _ if !authority.is_ascii() => {
                "has a host with letters beyond ASCII; write it as DNS has it, like \
                 xn--bcket-kva.example"
            }
            _ => INVALID,
        });
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return Err(INVALID);
    }
    if !is_plain_path(path) {
        return Err(
            "has a path with a character that URLs don't allow, an empty part or one that is only \
             dots",
        );
    }
    Ok(format!("{scheme}://{authority}{path}"))
}

/// Returns true if each part of a path is one that no client changes.
fn is_plain_path(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    parts.all(|part| {
        let decoded = part.to_ascii_lowercase().replace("%2e", ".");
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(c);
        let mut escapes = part.split('%').skip(1);
        let is_hex = |escape: &str| {
            let digits = escape.as_bytes().get(..2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        !["", ".", ".."].contains(&&*decoded) && part.chars().all(is_allowed) && escapes.all(is_hex)
    })
}

/// Address of an S3 service: the URL's scheme, and the rest as DuckDB requires it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Endpoint {
    tls: bool,
    /// Host, with an optional port.
    authority: String,
    /// Empty, or a path that begins with a slash.
    path: String,
}

impl S3Endpoint {
    /// Parses a URL.
    ///
    /// # Errors
    /// If it is not a plain HTTP URL, or DuckDB would change its path.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let url = http_url(text)?;
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // DuckDB encodes other characters, also those that are encoded already.
        let is_kept = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        if !path.chars().all(is_kept) {
            return Err(
                "has a path with a character that DuckDB changes; only letters, digits and -._~ \
                 can be in it",
            );
        }
        Ok(Self {
            tls: scheme == "https",
            authority: authority.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Checks that the service and its bucket, if it is known, can be addressed in this way.
    ///
    /// # Errors
    /// If the bucket would be in front of an IP address, or no certificate would cover it: the `*` of one
    /// stands for one label (<https://www.rfc-editor.org/rfc/rfc6125#section-6.4.3>).
    pub fn check_style(&self, path_style: bool, bucket: Option<&str>) -> Result<(), ValueError> {
        let has_dot = bucket.is_some_and(|bucket| bucket.contains('.'));
        if has_dot && self.tls && !path_style {
            return Err(
                "must be true, because s3_bucket contains a dot, and no certificate covers such a \
                 bucket in front of the host of s3_endpoint",
            );
        }
        let host = self.authority.split(':').next().unwrap_or_default();
        let is_address = self.authority.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
        if is_address && !path_style {
            return Err(
                "must be true, because the host of s3_endpoint is an IP address, which can't have \
                 the bucket in front of it",
            );
        }
        Ok(())
    }

    /// True for `https`.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Host, with an optional port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path below which the service is: empty, or it begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The endpoint without its scheme, as in DuckDB's secret.
    pub fn without_scheme(&self) -> String {
        format!("{}{}", self.authority, self.path)
    }
}

impl fmt::Display for S3Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_may_be_below_a_path() {
        for (text, tls, rest) in [
            ("https://s3.example", true, "s3.example"),
            ("http://minio:9000/", false, "minio:9000"),
            ("http://[::1]:9000", false, "[::1]:9000"),
            ("http://host/storage/v1/s3/", false, "host/storage/v1/s3"),
        ] {
            let endpoint = S3Endpoint::parse(text).expect(text);
            assert_eq!((endpoint.tls(), &*endpoint.without_scheme()), (tls, rest));
            assert_eq!(endpoint.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn a_bucket_is_not_put_in_front_of_an_address() {
        for (text, works) in [
            ("http://127.0.0.1", false),
            ("http://[::1]:9000/s3", false),
            ("http://minio:9000", true),
            ("http://1.2.3.4.example", true),
        ] {
            let endpoint = S3Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.check_style(false, None).is_ok(), works, "{text}");
            assert_eq!(endpoint.check_style(true, None), Ok(()));
        }
        let secure = S3Endpoint::parse("https://s3.example").expect("a URL");
        let dotted = Some("pudl.catalyst.coop");
        assert!(secure.check_style(false, dotted).is_err());
        assert_eq!(secure.check_style(true, dotted), Ok(()));
        assert_eq!(secure.check_style(false, Some("pudl")), Ok(()));
        let plain = S3Endpoint::parse("http://s3.example").expect("a URL");
        assert_eq!(plain.check_style(false, dotted), Ok(()));
    }

    #[test]
    fn what_providers_use_is_accepted_and_what_duckdb_can_not_use_is_not() {
        for name in ["eu-central-1", "NL", "US", "RegionOne", "GRA", "us_east"] {
            assert_eq!(region(name), Ok(name.to_owned()));
        }
        for text in ["", "eu central", "a/b", "ü"] {
            assert!(region(text).is_err(), "{text}");
        }
        for name in [
            "lake",
            "s3://lake/x",
            "123456789012:s3tablescatalog/x",
            "azure",
        ] {
            assert_eq!(warehouse(name), Ok(name.to_owned()));
        }
        // Answers of DuckDB 1.5.5: "requires extension 'azure' to be loaded".
        for text in [
            "az://c/x",
            "azure://c/x",
            "abfss://c@acc.dfs.core.windows.net/x",
        ] {
            assert!(warehouse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unusual_form_of_a_host_is_answered_with_the_usual_one() {
        let refused = |text: &str| http_url(text).expect_err(text);
        assert!(refused("http://[0:0:0:0:0:0:0:1]:9000").contains("[::1]"));
        assert!(refused("https://bücket.example").contains("xn--"));
        assert!(refused("http://127.1").contains("not a valid URL"));
    }
}
