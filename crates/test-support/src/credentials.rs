//! Credentials that people enter in tests, and the search for them where they must not be.

use k8s_openapi::ByteString;

/// Permanent credentials, without a session token.
pub const PERMANENT_CREDENTIALS: [(&str, &str); 2] = [
    ("Access key ID", "AKIANEWKEYID0000WXYZ"),
    ("Secret access key", "canary/AnotherSecretKey+47"),
];

/// Temporary credentials that people enter in tests. Each test checks that no value leaks.
pub const CREDENTIALS: [(&str, &str); 4] = [
    ("Access key ID", "AKIACANARYKEYID4D7Q"),
    (
        "Secret access key",
        "canary/SecretAccessKey+93/0123456789abcd",
    ),
    ("Session token", "canarySessionToken=="),
    ("Catalog token", "canary.catalog.token"),
];

/// Names of the test credentials that `text` contains, in any encoding.
pub fn leaked_credentials(text: &str) -> Vec<String> {
    let all = CREDENTIALS.into_iter().chain(PERMANENT_CREDENTIALS);
    let leaked = all.filter(|(_, value)| encodings(value).iter().any(|it| text.contains(it)));
    leaked.map(|(name, _)| name.to_owned()).collect()
}

/// Encodings of a value: plain, base64 (a Secret's JSON), bytes (a Debug output), and URL-encoded.
fn encodings(value: &str) -> [String; 4] {
    let bytes = ByteString(value.as_bytes().to_vec());
    let base64 = serde_json::to_value(&bytes)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    let listed = format!("{:?}", bytes.0);
    let url = reqwest::Url::parse_with_params("http://x/", [("v", value)]).unwrap();
    let encoded = url.query().unwrap()[2..].to_owned();
    [value.to_owned(), base64, listed, encoded]
}
