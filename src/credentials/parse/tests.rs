use proptest::prelude::*;

use super::*;
use crate::credentials::{
    CredentialPart::{CatalogToken, S3Keys},
    KeyHint,
};

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().expect("a time")
}

fn typed(values: [&str; 4]) -> Result<Credentials, Vec<InputError>> {
    with_expiry(values, "")
}

fn with_expiry(values: [&str; 4], expires: &str) -> Result<Credentials, Vec<InputError>> {
    let typed = CredentialsForm {
        secrets: values.map(SecretString::from),
        expires: expires.into(),
    };
    parse(&typed, S3Keys, noon()).map(|parsed| parsed.credentials)
}

fn shown(credentials: &Credentials) -> [&str; 4] {
    CredentialField::ALL.map(|field| credentials.value(field).map_or("", |it| it.expose_secret()))
}

#[test]
fn white_space_around_a_key_is_dropped_and_optional_fields_may_be_empty() {
    let credentials = typed(["  AKIAEXAMPLE4D7Q\n", "\t's3cr3t/+=' ", "", "  "]).expect("fine");
    assert_eq!(
        shown(&credentials),
        ["AKIAEXAMPLE4D7Q", "s3cr3t/+=", "", ""]
    );
    let keys = credentials.s3.expect("S3 keys");
    assert_eq!(keys.hint(), KeyHint("4D7Q".into()));
}

#[test]
fn a_block_in_the_first_input_fills_the_others() {
    let block = "[default]\naws_access_key_id = AKIA1234\naws_secret_access_key = s/+=\n\
        aws_session_token = t==";
    let credentials = typed([block, "", "", "catalog"]).expect("fine");
    assert_eq!(shown(&credentials), ["AKIA1234", "s/+=", "t==", "catalog"]);
}

#[test]
fn lines_may_be_split_over_the_inputs_in_any_order() {
    let credentials = typed([
        "AWS_SECRET_ACCESS_KEY=s",
        "AWS_ACCESS_KEY_ID=AKIA1234",
        "",
        "",
    ]);
    assert_eq!(
        shown(&credentials.expect("fine")),
        ["AKIA1234", "s", "", ""]
    );
    let twice = typed([
        "AKIA1234",
        "AWS_ACCESS_KEY_ID=AKIA9999 secret_access_key=s",
        "",
        "",
    ]);
    assert_eq!(
        twice.expect_err("refused"),
        [InputError::Twice(CredentialField::KeyId, Vec::new())]
    );
}

#[test]
fn all_mistakes_are_named_at_once_without_the_input() {
    let long = "x".repeat(4001);
    let mistakes = typed(["AKIA CANARY", "", "canary\u{fc}", &long]).expect_err("refused");
    let said = format!("{mistakes:?}");
    assert_eq!(
        mistakes,
        [
            InputError::Value(CredentialField::KeyId, ValueError::Space(' ', 5)),
            InputError::Value(CredentialField::SecretKey, ValueError::Empty),
            InputError::Value(
                CredentialField::SessionToken,
                ValueError::Strange('\u{fc}', 7)
            ),
            InputError::Value(CredentialField::CatalogToken, ValueError::TooLong(4001)),
        ]
    );
    assert!(!said.to_lowercase().contains("canary"));
}

#[test]
fn line_breaks_inside_and_4000_characters_are_no_key() {
    let long = "k".repeat(4000);
    let refused = |values| typed(values).expect_err("refused");
    assert_eq!(
        refused(["AKIA\nX", "s", "", ""]),
        [InputError::Value(
            CredentialField::KeyId,
            ValueError::Space('\n', 5)
        )]
    );
    assert_eq!(
        refused([&long, "s", "", ""]),
        [InputError::Value(
            CredentialField::KeyId,
            ValueError::TooLong(4000)
        )]
    );
}

#[test]
fn an_expiry_is_a_duration_or_a_time_in_the_future() {
    let expires = |text| with_expiry(["AKIA1234", "s", "t", ""], text).map(|it| it.expiry(S3Keys));
    let at = |text: &str| Ok(Some(text.parse().expect("a time")));
    assert_eq!(expires(""), Ok(None));
    assert_eq!(expires("12h"), at("2026-11-24T00:00:00Z"));
    assert_eq!(expires("in 90 min"), at("2026-11-23T13:30:00Z"));
    assert_eq!(expires("30M"), at("2026-11-23T12:30:00Z"));
    assert_eq!(expires("2026-11-23 18:00 UTC"), at("2026-11-23T18:00:00Z"));
    assert_eq!(
        expires("2026-11-23T18:00:00+02:00"),
        at("2026-11-23T16:00:00Z")
    );
    assert_eq!(
        expires("2026-11-23 11:59"),
        Err(vec![InputError::Past(S3Keys)])
    );
    assert_eq!(expires("soon"), Err(vec![InputError::NoTime(S3Keys)]));
    assert_eq!(expires("no-expiry"), Ok(None));
}

#[test]
fn an_expiry_in_a_paste_refuses_nothing_unless_it_is_past() {
    let paste = |expiry: &str| {
        let text = format!("AWS_ACCESS_KEY_ID=AKIA1 AWS_SECRET_ACCESS_KEY=s Expiration: {expiry}");
        let secrets = [text.as_str(), "", "", ""].map(SecretString::from);
        let form = CredentialsForm {
            secrets,
            expires: String::new(),
        };
        parse(&form, S3Keys, noon()).map(|parsed| (parsed.credentials.expiry(S3Keys), parsed.note))
    };
    let six: DateTime<Utc> = "2026-11-23T18:00:00Z".parse().expect("a time");
    let utc = Some(ExpiryNote::ReadAsUtc);
    assert_eq!(paste("2026-11-23T18:00:00+0000"), Ok((Some(six), None)));
    assert_eq!(paste("2026-11-23 18:00:00"), Ok((Some(six), utc)));
    assert_eq!(paste("no-expiry"), Ok((None, None)));
    assert_eq!(paste("null"), Ok((None, None)));
    let unclear = Ok((None, Some(ExpiryNote::NotUnderstood)));
    assert_eq!(paste("12/11/2026 18:00"), unclear);
    assert_eq!(
        paste("2026-11-23T11:00:00Z"),
        Err(vec![InputError::Past(S3Keys)])
    );
}

#[test]
fn temporary_credentials_need_their_session_token() {
    let refused = typed(["ASIAQUACKQUACKQUACK7", "s", "", ""]).expect_err("refused");
    assert_eq!(refused, [InputError::NoSessionToken]);
    assert!(typed(["ASIAQUACKQUACKQUACK7", "s", "t", ""]).is_ok());
}

#[test]
fn a_slash_that_json_escaped_is_a_slash() {
    let credentials = typed(["AKIA1234", "quack\\/quack\\/2026", "", ""]).expect("fine");
    assert_eq!(shown(&credentials)[1], "quack/quack/2026");
    let line = typed(["AKIA1234", "\"quack\\/2026\",", "", ""]).expect("fine");
    assert_eq!(shown(&line)[1], "quack/2026");
}

#[test]
fn a_value_that_contains_a_name_is_a_value() {
    let values = [
        "theAccessKeyId",
        "the/SecretAccessKey+93",
        "theSessionToken==",
        "the.catalog.token",
    ];
    assert_eq!(shown(&typed(values).expect("fine")), values);
}

#[test]
fn an_input_that_was_cut_off_is_refused() {
    let start = "AWS_ACCESS_KEY_ID=AKIA1 AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=";
    let text = format!("{start}{}", "t".repeat(4000 - start.len()));
    let refused = typed([&text, "", "", ""]).expect_err("refused");
    assert_eq!(refused, [InputError::Cut(CredentialField::SessionToken)]);
}

#[test]
fn wrapped_and_swapped_values_are_refused() {
    let refused = |values| typed(values).expect_err("refused");
    let swapped = ["wJalr/XUtn+FEMI", "AKIA1234", "", ""];
    assert_eq!(refused(swapped), [InputError::NoKeyId('/', 6)]);
    let row = ["AKIA1234,wJalrXUtnFEMI", "s", "", ""];
    assert_eq!(refused(row), [InputError::NoKeyId(',', 9)]);
    for (secret, c, place) in [
        ("X=\"abc", '"', 3),
        ("SOMETHING=abc", '=', 10),
        ("{\"a\"", '{', 1),
        ("a\\u002Bb", '\\', 2),
        ("abc\"", '"', 4),
    ] {
        let mistakes = refused(["AKIA1234", secret, "", ""]);
        let wrapped = InputError::Wrapped(CredentialField::SecretKey, c, place);
        assert_eq!(mistakes, [wrapped], "{secret}");
    }
    let full = "t".repeat(4000);
    let cut = refused(["AKIA1234", "s", &full, ""]);
    assert_eq!(
        cut,
        [InputError::Value(
            CredentialField::SessionToken,
            ValueError::TooLong(4000)
        )]
    );
}

#[test]
fn asterisks_alone_are_no_value() {
    let hidden = typed(["AKIA1234", "********", "", ""]).expect_err("refused");
    assert_eq!(
        hidden,
        [InputError::Placeholder(CredentialField::SecretKey)]
    );
}

#[test]
fn a_text_without_names_is_refused_as_a_whole() {
    for text in ["Hi Ana, here they are", "client: a\nkey of client: b"] {
        assert_eq!(
            typed([text, "", "", ""]).expect_err(text),
            [InputError::NoNames]
        );
    }
}

#[test]
fn nothing_is_shown_of_a_very_short_key_id() {
    assert_eq!(
        typed(["minio", "s", "", ""])
            .expect("fine")
            .s3
            .expect("keys")
            .hint(),
        KeyHint(String::new())
    );
}

#[test]
fn debug_shows_no_value() {
    let credentials = typed(["AKIACANARY", "canary", "canary", "canary"]).expect("fine");
    assert!(!format!("{credentials:?}").to_lowercase().contains("canary"));
}

#[test]
fn a_key_in_a_message_is_noticed_and_other_text_is_not() {
    for text in [
        "my key is AKIAIOSFODNN7EXAMPLE ok?",
        "aws_secret_access_key = x",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
        "`wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1`.",
        "||AKIAIOSFODNN7EXAMPLE||",
        "AKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI",
        "key=AKIAIOSFODNN7EXAMPLE",
        "s3://AKIAIOSFODNN7EXAMPLE:secret@lake",
        "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2ln",
        "b892c0665f0ada8a4755dae98baa3b133590e11dae3bcc1f9d769d67f16c3835",
    ] {
        assert!(looks_like_a_key(text), "{text}");
    }
    for text in [
        "hello",
        "how do I set this up?",
        "expiration: friday",
        "secret: we are going to lunch",
        "Access: read-only for all",
        "How do I set AWS_SECRET_ACCESS_KEY=?",
        "https://docs.google.com/document/d/1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_abcdef/edit",
        "s3://lake/Data/00003-9b1e4c7d-0a3f-6528-b4c1-d7e0f3A69258.parquet",
        "see https://duckui-977a26.duck.example.com/some/long/path/1",
        "antidisestablishmentarianism-antidisestablishmentarianism",
    ] {
        assert!(!looks_like_a_key(text), "{text}");
    }
}

proptest! {
    #[test]
    fn no_error_repeats_the_input(
        values in prop::array::uniform4(".{0,60}"), expires in ".{0,30}",
    ) {
        let each = [0, 1, 2, 3].map(|place| values[place].as_str());
        if let Err(mistakes) = with_expiry(each, &expires) {
            let said = format!("{mistakes:?}");
            for value in &values {
                prop_assert!(value.trim().len() < 12 || !said.contains(value.trim()));
            }
        }
    }

    #[test]
    fn a_key_survives_however_it_is_pasted(
        key in "[A-Z0-9]{16,40}", secret in "[A-Za-z0-9+/]{20,60}={0,2}",
        quote in "[\"']?", space in "[ \t\n]{0,3}", export in "(export )?",
        noise in prop::sample::select(vec![
            "", "[default]\n", "# AWS_ACCESS_KEY_ID=OLD\n", "AWS_PROFILE=\n",
            "AWS_SESSION_TOKEN=\n", "AWS_DEFAULT_REGION=eu-central-1\r\n",
        ]),
    ) {
        let bare = |value: &str| format!("{space}{quote}{value}{quote}{space}");
        let credentials = typed([&bare(&key), &bare(&secret), "", ""]).expect("fine");
        prop_assert_eq!(shown(&credentials), [key.as_str(), &secret, "", ""]);
        let block = format!(
            "{noise}{export}AWS_ACCESS_KEY_ID={quote}{key}{quote}\n{noise}\
             {export}AWS_SECRET_ACCESS_KEY={quote}{secret}{quote}\n{noise}"
        );
        let credentials = typed([&block, "", "", ""]).expect("fine");
        prop_assert_eq!(shown(&credentials), [key.as_str(), &secret, "", ""]);
    }
}

/// Submits the form of a catalog that hands out the storage's credentials.
fn typed_token(values: [&str; 4], expires: &str) -> Result<Credentials, Vec<InputError>> {
    let typed = CredentialsForm {
        secrets: values.map(SecretString::from),
        expires: expires.into(),
    };
    parse(&typed, CatalogToken, noon()).map(|parsed| parsed.credentials)
}

#[test]
fn a_catalog_token_alone_is_enough_where_it_is_required() {
    for paste in [
        "eyJhb.GciOi",
        "token: eyJhb.GciOi",
        "CATALOG_TOKEN=eyJhb.GciOi",
    ] {
        let credentials = typed_token(["", "", "", paste], "1h").expect(paste);
        assert_eq!(shown(&credentials), ["", "", "", "eyJhb.GciOi"]);
        assert_eq!(
            credentials.expiry(CatalogToken),
            Some("2026-11-23T13:00:00Z".parse().expect("a time"))
        );
        assert!(!credentials.has(S3Keys));
    }
    let empty = typed_token([""; 4], "").expect_err("nothing");
    let missing = |field| InputError::Value(field, ValueError::Empty);
    assert_eq!(empty, [missing(CredentialField::CatalogToken)]);
    assert_eq!(
        typed(["", "", "", "eyJhb.GciOi"]).expect_err("no keys"),
        [CredentialField::KeyId, CredentialField::SecretKey].map(missing)
    );
}

#[test]
fn an_s3_key_is_entered_whole_or_not_at_all() {
    let paste = "CATALOG_TOKEN=c AWS_ACCESS_KEY_ID=AKIA1 AWS_SECRET_ACCESS_KEY=s";
    let credentials = typed_token(["", "", "", paste], "").expect("fine");
    assert_eq!(shown(&credentials), ["AKIA1", "s", "", "c"]);
    let missing = |field| InputError::Value(field, ValueError::Empty);
    for (paste, lacks) in [
        (
            "CATALOG_TOKEN=c AWS_ACCESS_KEY_ID=AKIA1",
            &[CredentialField::SecretKey][..],
        ),
        (
            "CATALOG_TOKEN=c AWS_SECRET_ACCESS_KEY=s",
            &[CredentialField::KeyId],
        ),
        (
            "CATALOG_TOKEN=c AWS_SESSION_TOKEN=t==",
            &[CredentialField::KeyId, CredentialField::SecretKey],
        ),
    ] {
        let lacks: Vec<_> = lacks.iter().copied().map(missing).collect();
        assert_eq!(
            typed_token(["", "", "", paste], "").expect_err(paste),
            lacks
        );
    }
}
