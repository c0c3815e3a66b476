//! Properties of all values in all formats.

use proptest::prelude::*;

use super::{KEY, flat, shown, submit};
use crate::credentials::paste::absent::is_placeholder;

/// Puts a value into quotes.
type Quote = fn(&str) -> String;

/// Formats with quotes around a value, each with its escapes.
const FORMATS: [(&str, Quote); 8] = [
    ("sh", |value| format!("'{}'", value.replace('\'', "'\\''"))),
    ("SQL", |value| format!("'{}'", value.replace('\'', "''"))),
    ("JSON", |value| serde_json::Value::from(value).to_string()),
    ("JSON with escaped slashes", |value| {
        serde_json::Value::from(value)
            .to_string()
            .replace('/', "\\/")
    }),
    ("JSON with codes", |value| {
        let codes = value.chars().map(|c| format!("\\u{:04x}", u32::from(c)));
        format!("\"{}\"", codes.collect::<String>())
    }),
    ("JSON in JSON", |value| {
        let inner = serde_json::Value::from(value).to_string();
        let outer = serde_json::Value::from(inner).to_string();
        outer[1..outer.len() - 1].to_owned()
    }),
    ("double quotes", |value| format!("\"{value}\"")),
    ("none", str::to_owned),
];

/// Formats for three values: texts around each.
const LAYOUTS: [(&str, [&str; 4]); 14] = [
    (
        "sh",
        [
            "export AWS_ACCESS_KEY_ID=",
            "\nexport AWS_SECRET_ACCESS_KEY=",
            "\nexport AWS_SESSION_TOKEN=",
            "\n",
        ],
    ),
    (
        "dotenv",
        [
            "AWS_REGION=eu\nAWS_ACCESS_KEY_ID=",
            "\nAWS_SECRET_ACCESS_KEY=",
            "\nAWS_SESSION_TOKEN=",
            "\nAWS_PROFILE=x\n",
        ],
    ),
    (
        "one line",
        [
            "A=b AWS_ACCESS_KEY_ID=",
            " AWS_SECRET_ACCESS_KEY=",
            " AWS_SESSION_TOKEN=",
            " && duckdb",
        ],
    ),
    (
        "fish",
        [
            "set -gx AWS_ACCESS_KEY_ID ",
            "\nset -gx AWS_SECRET_ACCESS_KEY ",
            "\nset -gx AWS_SESSION_TOKEN ",
            "\nset -gx AWS_REGION eu",
        ],
    ),
    (
        "csh",
        [
            "setenv AWS_ACCESS_KEY_ID ",
            "\nsetenv AWS_SECRET_ACCESS_KEY ",
            "\nsetenv AWS_SESSION_TOKEN ",
            "\n",
        ],
    ),
    (
        "PowerShell",
        [
            "$Env:AWS_ACCESS_KEY_ID=",
            "\n$Env:AWS_SECRET_ACCESS_KEY=",
            "\n$Env:AWS_SESSION_TOKEN=",
            "\n",
        ],
    ),
    (
        "cmd",
        [
            "set AWS_ACCESS_KEY_ID=",
            "\r\nset AWS_SECRET_ACCESS_KEY=",
            "\r\nset AWS_SESSION_TOKEN=",
            "\r\n",
        ],
    ),
    (
        "ini",
        [
            "[default]\naws_access_key_id = ",
            "\naws_secret_access_key = ",
            "\naws_session_token = ",
            "\nregion = eu\n",
        ],
    ),
    (
        "YAML",
        [
            "lake:\n  s3.access-key-id: ",
            "\n  s3.secret-access-key: ",
            "\n  s3.session-token: ",
            "\n  s3.region: eu\n",
        ],
    ),
    (
        "JSON",
        [
            "{\"AccessKeyId\": ",
            ", \"SecretAccessKey\": ",
            ", \"SessionToken\": ",
            ", \"Version\": 1}",
        ],
    ),
    (
        "SQL",
        [
            "CREATE SECRET (TYPE s3, KEY_ID ",
            ", SECRET ",
            ", SESSION_TOKEN ",
            ", REGION 'eu');",
        ],
    ),
    (
        "labels",
        ["Access Key: ", "\nSecret Key: ", "\nSession Token: ", "\n"],
    ),
    (
        "Spark",
        [
            "spark.hadoop.fs.s3a.access.key=",
            "\nspark.hadoop.fs.s3a.secret.key=",
            "\nspark.hadoop.fs.s3a.session.token=",
            "\n",
        ],
    ),
    (
        "Trino",
        [
            "s3.aws-access-key=",
            "\ns3.aws-secret-key=",
            "\ns3.aws-session-token=",
            "\ns3.region=eu\n",
        ],
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Keys and tokens as services generate them.
    #[test]
    fn a_generated_value_survives_every_format(
        key in "[A-Z0-9]{16,40}",
        secret in "[A-Za-z0-9+/]{20,60}={0,2}",
        token in "[A-Za-z0-9+/]{40,300}={0,2}",
        layout in prop::sample::select(&LAYOUTS[..]),
        format in prop::sample::select(&FORMATS[..]),
        is_flat: bool,
    ) {
        let quote = if layout.0 == "SQL" && format.0 == "none" { FORMATS[1].1 } else { format.1 };
        let [a, b, c, d] = layout.1;
        let text = format!("{a}{}{b}{}{c}{}{d}", quote(&key), quote(&secret), quote(&token));
        let text = if is_flat { flat(&text) } else { text };
        let parsed = submit(&text);
        let parsed = match parsed {
            Ok(parsed) => shown(&parsed),
            Err(mistakes) => return Err(TestCaseError::fail(format!("{mistakes:?} {text}"))),
        };
        prop_assert_eq!(parsed, [key, secret, token, String::new(), String::new()], "{}", text);
    }

    /// Any characters that MinIO takes, each format with its own quotes.
    #[test]
    fn a_chosen_value_survives_its_quotes(
        key in "[a-zA-Z0-9._-]{3,20}",
        secret in "[!-~]{8,40}",
        layout in prop::sample::select(vec![
            (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (7, 0), (5, 1), (10, 1), (9, 2), (8, 2),
            (9, 3), (9, 4), (9, 5), (11, 2),
        ]),
        is_flat: bool,
    ) {
        prop_assume!(!is_placeholder(&secret) && !is_placeholder(&key));
        let (layout, format) = (LAYOUTS[layout.0], FORMATS[layout.1]);
        let [a, b, _, d] = layout.1;
        let text = format!("{a}{}{b}{}{d}", format.1(&key), format.1(&secret));
        let text = if is_flat { flat(&text) } else { text };
        let parsed = submit(&text).map(|parsed| shown(&parsed));
        let expected = [key, secret, String::new(), String::new(), String::new()];
        prop_assert_eq!(parsed, Ok(expected), "{} {}", format.0, text);
    }

    /// Without quotes, not every character has a clear meaning.
    #[test]
    fn a_chosen_value_without_quotes_is_read_or_refused(
        secret in "[!-~]{8,40}",
        layout in prop::sample::select(&LAYOUTS[..]),
        is_flat: bool,
    ) {
        // Nobody can know that a quote is none, or that punctuation belongs to the value.
        prop_assume!(!secret.ends_with([',', ';']));
        // A colon, a comma or `=` before it ends the name.
        let after_name = secret.trim_start_matches([':', '=', ',']);
        prop_assume!(!after_name.starts_with(['"', '\'', '`', '*', '|', '$', '\\']));
        // A text with its type in Python.
        let literal = secret.trim_start_matches(['b', 'r', 'f', 'u', 'B', 'R', 'F', 'U']);
        prop_assume!(!literal.starts_with(['"', '\'']));
        // After `=`, this is the arrow of Ruby and Perl with a quoted value.
        prop_assume!(!secret.starts_with(">\"") && !secret.starts_with(">'"));
        let [a, b, _, d] = layout.1;
        let text = format!("{a}{KEY}{b}{secret}{d}");
        let text = if is_flat { flat(&text) } else { text };
        if let Ok(parsed) = submit(&text) {
            let found = &shown(&parsed)[1];
            let is_escaped = ["\\/", "\\=", "\\:"].iter().any(|it| secret.contains(it));
            prop_assert!(*found == secret || is_escaped, "{} {}", found, text);
        }
    }

    /// A value that a terminal broke in two never loses a half silently.
    #[test]
    fn a_broken_value_is_refused(
        secret in "[A-Za-z0-9+/]{40}", place in 1_usize..39,
        layout in prop::sample::select(&LAYOUTS[..]),
        is_flat: bool,
    ) {
        let [a, b, _, d] = layout.1;
        let (first, second) = secret.split_at(place);
        // Nobody can know that this line is no comment. The preflight then refuses the first half.
        prop_assume!(!second.starts_with("//"));
        // Nor that a half that reads "aws" or "key" is no word.
        let is_word = second.len() <= 5 && second.chars().all(|c| c.is_ascii_alphabetic());
        prop_assume!(!is_word);
        let text = format!("{a}{KEY}{b}{first}\n{second}{d}");
        let text = if is_flat { flat(&text) } else { text };
        let parsed = submit(&text).map(|parsed| shown(&parsed));
        prop_assert!(parsed.is_err(), "{:?} {}", parsed, text);
    }
}
