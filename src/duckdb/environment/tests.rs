use super::*;

/// Reads a complete environment with some variables replaced.
fn with(differing: &[(&str, &str)]) -> Result<SessionConfig, ConfigError> {
    let mut variables: HashMap<String, String> = [
        ("HOME", "/home/duck"),
        ("DUCKDB_MEMORY", "4096"),
        ("DUCKDB_THREADS", "2"),
        ("DUCKDB_DISK", "10240"),
        ("S3_REGION", "eu-central-1"),
        ("S3_PATH_STYLE", "true"),
        ("S3_ACCESS_KEY_ID", "AKIA"),
        ("S3_SECRET_ACCESS_KEY", "secret"),
        ("CATALOG_NAME", "lake"),
        ("CATALOG_ENDPOINT", "https://catalog.example/"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    variables.extend(
        differing
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into())),
    );
    read(&variables)
}

#[test]
fn values_follow_the_rules_of_the_settings() {
    let endpoint = with(&[("S3_ENDPOINT", "http://minio:9000/s3/")])
        .expect("a URL")
        .s3
        .endpoint;
    assert_eq!(endpoint, S3Endpoint::parse("http://minio:9000/s3").ok());
    for (name, text) in [
        ("S3_ENDPOINT", "minio:9000"),
        ("S3_ENDPOINT", "https://"),
        ("S3_ENDPOINT", "https://u:p@a"),
        ("CATALOG_ENDPOINT", "https://a?b"),
        ("CATALOG_NAME", "memory"),
        ("CATALOG_NAME", "a.b"),
        ("CATALOG_WAREHOUSE", "a\nb"),
        ("S3_REGION", "a\nb"),
    ] {
        let mistakes = with(&[(name, text)]).expect_err(text).to_string();
        assert!(mistakes.contains(&format!("\n  {name} ")), "{mistakes}");
    }
    let style = [
        ("S3_ENDPOINT", "http://127.0.0.1:1"),
        ("S3_PATH_STYLE", "false"),
    ];
    let mistakes = with(&style).expect_err("an IP address").to_string();
    assert!(
        mistakes.contains("\n  S3_PATH_STYLE must be true"),
        "{mistakes}"
    );
}

#[test]
fn the_default_endpoint_is_aws() {
    for differing in [&[][..], &[("S3_ENDPOINT", "")]] {
        assert_eq!(
            with(differing).expect("a valid environment").s3.endpoint,
            None
        );
    }
}

#[test]
fn the_owners_token_takes_precedence_over_the_teams_client() {
    let client = [
        ("CATALOG_OAUTH2_CLIENT_ID", "team"),
        ("CATALOG_OAUTH2_CLIENT_SECRET", "secret"),
    ];
    let token = ("CATALOG_TOKEN", "token");
    let auth = |differing: &[_]| with(differing).map(|config| config.catalog.auth);
    let (server, scope) = (None, None);
    assert_eq!(auth(&[]), Ok(CatalogAuth::None));
    assert_eq!(auth(&client), Ok(CatalogAuth::OAuth2 { server, scope }));
    assert_eq!(auth(&[token]), Ok(CatalogAuth::Token));
    assert_eq!(auth(&[client[0], client[1], token]), Ok(CatalogAuth::Token));
    let other = [client[0], client[1], token, (IGNORES_TOKENS, "true")];
    let (server, scope) = (None, None);
    assert_eq!(auth(&other), Ok(CatalogAuth::OAuth2 { server, scope }));
    let (service, region) = ("glue".to_owned(), "eu-central-1".to_owned());
    assert_eq!(
        auth(&[token, ("CATALOG_SIGV4_SERVICE", "glue")]),
        Ok(CatalogAuth::Signature { service, region })
    );
    let half = auth(&client[..1])
        .expect_err("a client without its secret")
        .to_string();
    assert!(
        half.contains("CATALOG_OAUTH2_CLIENT_SECRET must be set together"),
        "{half}"
    );
}

#[test]
fn s3_keys_may_only_be_missing_if_the_catalog_hands_out_credentials() {
    let none = [("S3_ACCESS_KEY_ID", ""), ("S3_SECRET_ACCESS_KEY", "")];
    let vended = [
        ("CATALOG_VENDED_CREDENTIALS", "true"),
        ("CATALOG_TOKEN", "t"),
    ];
    let keys = |differing: &[_]| with(differing).map(|config| config.s3.keys);
    let lines = |differing: &[_]| keys(differing).expect_err("incomplete").to_string();
    assert_eq!(keys(&[none, vended].concat()), Ok(OwnKeys::None));
    assert_eq!(keys(&vended), Ok(OwnKeys::Permanent));
    assert!(lines(&none).contains("S3_ACCESS_KEY_ID is missing.\n"));
    let half = [none[0], vended[0], vended[1]];
    assert!(lines(&half).ends_with("\n  S3_ACCESS_KEY_ID is missing."));
    let no_token = [none[0], none[1], vended[0]];
    assert!(lines(&no_token).ends_with("\n  CATALOG_TOKEN is missing."));
}

#[test]
fn a_secret_value_is_not_quoted_whatever_is_wrong() {
    let mistakes = with(&[("S3_SECRET_ACCESS_KEY", "canary\n"), ("S3_PATH_STYLE", "?")]);
    let mistakes = mistakes.expect_err("not a boolean").to_string();
    assert!(!mistakes.contains("canary"), "{mistakes}");
}
