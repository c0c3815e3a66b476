mod properties;

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::credentials::{
    CredentialField, CredentialPart, CredentialsForm, InputError, Parsed, ValueError, parse,
};

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().expect("a time")
}

/// Submits the form with a paste in its first input.
fn submit(paste: &str) -> Result<Parsed, Vec<InputError>> {
    let mut secrets = [(); 4].map(|()| SecretString::default());
    secrets[0] = SecretString::from(paste);
    let form = CredentialsForm {
        secrets,
        expires: String::new(),
    };
    parse(&form, CredentialPart::S3Keys, noon())
}

fn shown(parsed: &Parsed) -> [String; 5] {
    let values = CredentialField::ALL.map(|field| {
        let value = parsed.credentials.value(field);
        value.map_or(String::new(), |it| it.expose_secret().to_owned())
    });
    let [a, b, c, d] = values;
    let expires = parsed.credentials.expiry(CredentialPart::S3Keys);
    let expires = expires.map_or(String::new(), |it| it.format("%FT%TZ").to_string());
    [a, b, c, d, expires]
}

/// A browser's input of one line turns each line break into a space.
fn flat(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\r', '\n'], " ")
}

/// The ways in which people paste a text.
fn ways(text: &str) -> Vec<(&'static str, String)> {
    let plain = text.replace("\r\n", "\n");
    let indented = plain.replace('\n', "\n    ");
    let chat = format!("Hi Ana, here are your keys:\n{plain}\nThanks!");
    vec![
        ("as it is", text.to_owned()),
        ("on one line", flat(text)),
        ("with CRLF", plain.replace('\n', "\r\n")),
        ("indented", format!("    {indented}")),
        ("indented, on one line", flat(&format!("    {indented}"))),
        ("in a code block", format!("```\n{plain}\n```")),
        (
            "in a code block, on one line",
            flat(&format!("```\n{plain}\n```")),
        ),
        ("after a comment", format!("# lake keys of ana\n{plain}")),
        (
            "after a comment, on one line",
            flat(&format!("# lake keys of ana\n{plain}")),
        ),
        ("in a chat", chat.clone()),
        ("in a chat, on one line", flat(&chat)),
        (
            "with invisible characters",
            format!("\u{feff}\u{200b}{}", plain.replace("    ", "\u{a0}\u{a0}")),
        ),
    ]
}

#[test]
fn every_paste_of_the_corpus_is_read_however_it_is_pasted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/credentials/paste/corpus");
    let expected = fs::read_to_string(folder.join("expected.tsv")).expect("readable");
    let rows: Vec<Vec<_>> = expected
        .lines()
        .skip(1)
        .map(|it| it.split('\t').collect())
        .collect();
    let files = fs::read_dir(&folder).expect("readable").count();
    assert_eq!(files, rows.len() + 1, "each file has a row");
    assert!(rows.len() >= 200);
    let mut wrong = Vec::new();
    for row in &rows {
        let text = fs::read_to_string(folder.join(row[0])).expect("readable");
        // Without names, nothing but the values may be there.
        let bare = [
            "s3fs-passwd.txt",
            "two-lines.txt",
            "aws-sts-text.txt",
            "aws-iam-text.txt",
            "aws-sso-text.txt",
            "minio-two-lines.txt",
        ];
        let is_bare = bare.contains(&row[0]);
        for (way, text) in ways(&text).into_iter().take(if is_bare { 5 } else { 99 }) {
            match submit(&text) {
                Ok(parsed) if shown(&parsed)[..] == row[1..] => {}
                Ok(parsed) => wrong.push(format!("{}, {way}: {:?}", row[0], shown(&parsed))),
                Err(mistakes) => wrong.push(format!("{}, {way}: {mistakes:?}", row[0])),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

const KEY: &str = "AKIAQUACKQUACKQUACK7";
const SECRET: &str = "quack/quack/quack/quack/quack/quack/2026";

fn refused(paste: &str) -> Vec<InputError> {
    submit(paste).expect_err(paste)
}

#[test]
fn a_value_that_was_wrapped_is_refused_with_its_place() {
    use CredentialField::{SecretKey, SessionToken};
    let (first, second) = SECRET.split_at(20);
    for gap in ["\n", " ", "\r\n", "\n    "] {
        for rest in ["", "\nAWS_REGION=eu", "\nana@host:~$ ", " # of Ana"] {
            for (before, after) in [("=", ""), (" = ", ""), (": ", "")] {
                let text = format!(
                    "AWS_ACCESS_KEY_ID{before}{KEY}\nAWS_SECRET_ACCESS_KEY{before}{first}{gap}{second}{after}{rest}"
                );
                for text in [flat(&text), text] {
                    assert_eq!(
                        refused(&text),
                        [InputError::Broken(SecretKey, 20)],
                        "{text:?}"
                    );
                }
            }
        }
        let quoted =
            format!("{{\"accessKey\": \"{KEY}\", \"secretKey\": \"{first}{gap}{second}\"}}");
        let broken = &refused(&quoted)[..];
        assert!(
            matches!(
                broken,
                [InputError::Value(SecretKey, ValueError::Space(_, 21))]
            ),
            "{broken:?}"
        );
        let tag = format!(
            "<AccessKeyId>{KEY}</AccessKeyId><SecretAccessKey>{first}{gap}{second}</SecretAccessKey>"
        );
        assert_eq!(refused(&tag), [InputError::Broken(SecretKey, 20)]);
    }
    let tail = format!(
        "export AWS_ACCESS_KEY_ID={KEY} AWS_SECRET_ACCESS_KEY={SECRET} AWS_SESSION_TOKEN=IQoJ/quack 2A== export AWS_REGION=eu"
    );
    assert_eq!(refused(&tail), [InputError::Broken(SessionToken, 10)]);
}

#[test]
fn a_value_on_the_line_after_its_name_is_read_and_an_empty_one_takes_no_line() {
    let token = "IQoJquackQUACK2026/quack+quack==";
    let start =
        format!("AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\nAWS_SESSION_TOKEN=");
    for (rest, found) in [
        (format!("\n{token}\n"), token),
        ("\nAWS_REGION=eu\n".to_owned(), ""),
        ("\nregion = eu\n".to_owned(), ""),
        ("\n[other]\nregion = eu\n".to_owned(), ""),
        ("\nana@host:~$ \n".to_owned(), ""),
        ("\nexport AWS_REGION=eu\n".to_owned(), ""),
        (" # none\n".to_owned(), ""),
        ("\n\nThat is all.\n".to_owned(), ""),
    ] {
        let text = format!("{start}{rest}");
        let parsed = submit(&text).expect(&text);
        assert_eq!(shown(&parsed), [KEY, SECRET, found, "", ""], "{text}");
    }
}

#[test]
fn two_sets_of_credentials_are_refused_with_their_profiles() {
    let other = "AKIAQUACKQUACKQUACK8";
    let twice = |profiles: &[&str]| {
        let profiles = profiles.iter().map(|it| (*it).to_owned()).collect();
        [InputError::Twice(CredentialField::KeyId, profiles)]
    };
    let ini = format!(
        "[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n[profile lake]\n\
         aws_access_key_id={other}\naws_secret_access_key=other{SECRET}\n"
    );
    let aliases = format!(
        "{{\"alias\":\"play\",\"accessKey\":\"{KEY}\",\"secretKey\":\"{SECRET}\"}}\n\
         {{\"alias\":\"lake\",\"accessKey\":\"{other}\",\"secretKey\":\"x{SECRET}\"}}"
    );
    let csv = format!(
        "User name,Access key ID,Secret access key\nana,{KEY},{SECRET}\nben,{other},x{SECRET}\n"
    );
    for (text, profiles) in [
        (ini, ["default", "lake"]),
        (aliases, ["play", "lake"]),
        (csv, ["ana", "ben"]),
    ] {
        assert_eq!(refused(&text), twice(&profiles), "{text}");
        assert_eq!(refused(&flat(&text)), twice(&profiles), "{}", flat(&text));
    }
    let commented = format!(
        "# AWS_ACCESS_KEY_ID={other}\nAWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}"
    );
    assert!(submit(&commented).is_ok());
    // On one line, the end of the comment is gone.
    assert_eq!(refused(&flat(&commented)), twice(&[]));
}

#[test]
fn what_stands_for_a_value_is_no_value() {
    for value in [
        "****************2026",
        "<sensitive>",
        "$SECRET_KEY",
        "${SECRET}",
        "%SECRET%",
        "\"{{ secret }}\"",
        "redacted",
        "YOUR-SECRET-KEY-HERE",
        "${{ secrets.KEY }}",
        "[MASKED]",
        "[your secret key]",
        "<your secret key>",
        "(hidden)",
        "########",
        "\u{2022}\u{2022}\u{2022}\u{2022}",
        "{{resolve:ssm:secret}}",
        "!vault |",
        "!secret s3_secret",
        "ENC[AES256_GCM,data:quack]",
        "xxxxxxxxxxxx2026",
        "changeme",
        "TODO",
        "my-secret-key",
        "SECRET_KEY",
        "process.env.AWS_SECRET_ACCESS_KEY",
        "$creds.SecretAccessKey",
        "quack/quack...",
        "f\"{secret}\"",
    ] {
        let text = format!("AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={value}\n");
        let placeholder = InputError::Placeholder(CredentialField::SecretKey);
        assert_eq!(refused(&text), [placeholder], "{value}");
    }
}

#[test]
fn what_stands_for_a_value_in_a_table_is_no_value() {
    for (id, secret) in [
        (KEY, "****************2026"),
        ("<your key>", "<your secret>"),
    ] {
        let csv = format!("Access key ID,Secret access key\n{id},{secret}\n");
        let bars = format!("| Access key | Secret key |\n|---|---|\n| {id} | {secret} |\n");
        for text in [&csv, &bars] {
            let placeholder = InputError::Placeholder(CredentialField::SecretKey);
            assert!(refused(text).contains(&placeholder), "{text}");
        }
    }
}

#[test]
fn the_second_half_of_a_value_is_noticed_in_any_surroundings() {
    use CredentialField::SecretKey;
    let (first, second) = SECRET.split_at(20);
    for text in [
        format!("> Access key: {KEY}\n> Secret key: {first}\n> {second}\n"),
        format!("| Access key: {KEY}\n| Secret key: {first}\n| {second}\n"),
        format!("+AWS_ACCESS_KEY_ID={KEY}\n+AWS_SECRET_ACCESS_KEY={first}\n+{second}\n"),
        format!("1 access_key={KEY}\n2 secret_key={first}\n3 {second}\n"),
        format!("| access | {KEY} |\n| secret | {first} |\n|        | {second} |\n"),
        format!("access_key = \"{KEY}\"\nsecret_key = \"{first}\" \"{second}\"\n"),
        format!("accessKeyId: '{KEY}',\nsecretAccessKey: '{first}' + '{second}',\n"),
        format!("secret_key={first}\n// {second}2026\naccess_key={KEY}\n"),
        // A word that stands between values elsewhere.
        format!("Access key: {KEY}\nSecret key: {first}\nuser\n"),
        format!("Access key: {KEY}\nSecret key: {first} word:2026\n"),
    ] {
        for text in [flat(&text), text] {
            assert_eq!(
                refused(&text),
                [InputError::Broken(SecretKey, 20)],
                "{text}"
            );
        }
    }
    let table =
        format!("| Access key | Secret key |\n|---|---|\n| {KEY} | {first} |\n|  | {second} |\n");
    assert_eq!(refused(&table), [InputError::Broken(SecretKey, 20)]);
    for text in [
        format!("Access key ID,Secret access key\n{KEY},{first}\n{second}\n"),
        format!("Name  Access key  Secret key\nlake  {KEY}  {first}\n      {second}\n"),
    ] {
        assert!(submit(&text).is_err(), "{text}");
    }
}

#[test]
fn values_of_two_profiles_or_keys_are_not_combined() {
    let halves =
        format!("[default]\naws_access_key_id={KEY}\n\n[lake]\naws_secret_access_key={SECRET}\n");
    for text in [flat(&halves), halves] {
        let field = CredentialField::SecretKey;
        let expected = InputError::Halves(field, "default".into(), "lake".into());
        assert_eq!(refused(&text), [expected], "{text}");
    }
    let token = format!(
        "[default]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n[lake]\n\
         aws_session_token=IQoJquackQUACK2026==\n"
    );
    let field = CredentialField::SessionToken;
    let expected = InputError::Halves(field, "default".into(), "lake".into());
    assert_eq!(refused(&token), [expected]);
    let other = "AKIAQUACKQUACKQUACK8";
    let secret = SECRET.replace("quack/2", "Quack/2");
    for text in [
        format!(
            "Access key: {KEY}\nSecret key: {secret}\n\n{other}\nX{}",
            &secret[1..]
        ),
        format!("f('{KEY}', '{secret}')\nf('{other}', 'X{}')", &secret[1..]),
    ] {
        assert!(submit(&text).is_err(), "{text}");
    }
}

#[test]
fn a_word_is_no_session_token() {
    for words in [
        "n/a",
        "keins",
        "leave empty",
        "/",
        "\u{2014}",
        "\nBob",
        "\n\nHave fun!",
    ] {
        let text = format!("Access key: {KEY}\nSecret key: {SECRET}\nSession token: {words}\n");
        let parsed = submit(&text).expect(&text);
        assert_eq!(shown(&parsed), [KEY, SECRET, "", "", ""], "{text}");
    }
    let broken = format!(
        "Access key: {KEY}\nSecret key: {SECRET}\nSession token: IQoJab\nquack+QUACK/2026==\n"
    );
    let expected = InputError::Broken(CredentialField::SessionToken, 6);
    assert_eq!(refused(&broken), [expected]);
    for token in ["null", "\"null\"", "\"None\"", "\"-\""] {
        let text = format!(
            "{{\"accessKey\":\"{KEY}\",\"sessionToken\":{token},\"secretKey\":\"{SECRET}\"}}"
        );
        let parsed = submit(&text).expect(&text);
        assert_eq!(shown(&parsed), [KEY, SECRET, "", "", ""], "{text}");
    }
}

#[test]
fn punctuation_that_may_belong_to_a_value_is_named() {
    use CredentialField::SecretKey;
    for (value, c, place) in [
        ("pa$s,wo;rd;", ';', 11),
        ("Summer-2026;", ';', 12),
        ("pa\"ss", '"', 3),
        ("pa\\ss", '\\', 3),
        ("pass=word", '=', 5),
        ("\"pass", '"', 1),
        ("'pass'word", '\'', 4),
    ] {
        let text = format!("AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={value}\n");
        assert_eq!(
            refused(&text),
            [InputError::Wrapped(SecretKey, c, place)],
            "{value}"
        );
    }
    // A sentence ends like that.
    let text = format!("Access key: {KEY}\nSecret key: {SECRET}.\n");
    assert_eq!(refused(&text), [InputError::Wrapped(SecretKey, '.', 41)]);
}

#[test]
fn other_keys_in_the_same_paste_are_left_alone() {
    let text = format!(
        "AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\nCLIENT_SECRET=other\n\
         AWS_KMS_KEY_ID=other\nAZURE_STORAGE_ACCESS_KEY=other\nGITHUB_TOKEN=other\nAWS_PROFILE=\n"
    );
    for text in [flat(&text), text] {
        let parsed = submit(&text).expect(&text);
        assert_eq!(shown(&parsed), [KEY, SECRET, "", "", ""], "{text}");
    }
}
