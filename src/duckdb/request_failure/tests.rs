use std::num::NonZeroU32;

use serde_json::json;

use super::*;
use crate::duckdb::environment::{Catalog, OwnKeys, S3};

fn config() -> SessionConfig {
    let one = NonZeroU32::MIN;
    SessionConfig {
        is_runner: false,
        memory: one,
        query_memory: None,
        threads: one,
        disk: one,
        home: "/home".into(),
        program: "duckdb".into(),
        extensions: None,
        further_extensions: Vec::new(),
        ui_port: 1,
        init: "init.sql".into(),
        folders: None,
        community_extensions: false,
        ca_file: None,
        http_proxy: None,
        control: None,
        s3: S3 {
            endpoint: S3Endpoint::parse("http://s3.test:9000").ok(),
            region: "eu-central-1".into(),
            path_style: true,
            keys: OwnKeys::Permanent,
        },
        work: None,
        catalog: Catalog {
            name: "pond".into(),
            // The storage's host, with a path.
            endpoint: "http://s3.test:9000/forbid".into(),
            warehouse: String::new(),
            auth: CatalogAuth::Token,
            nested: false,
            vended: false,
        },
    }
}

/// Classifies an error without a status.
fn found(kind: &str, message: &str) -> Option<RequestFailure> {
    let error = json!({"exception_type": kind, "exception_message": message});
    find(&error.to_string(), &config())
}

/// Classifies an HTTP error.
fn answered(url: &str, status: u16, code: &str) -> Option<RequestFailure> {
    let error = json!({
        "exception_type": "HTTP",
        "exception_message": format!("HTTP GET error reading '{url}' in region 'x' (HTTP {status})"),
        "status_code": status.to_string(),
        "response_body": format!("<Error><Code>{code}</Code></Error>"),
    });
    find(&error.to_string(), &config())
}

fn catalog(cause: FailureCause) -> Option<RequestFailure> {
    let server = RemoteServer::Catalog {
        name: "pond".into(),
        login: CatalogLogin::Token,
    };
    Some(RequestFailure { server, cause })
}

fn storage(bucket: &str, cause: FailureCause) -> Option<RequestFailure> {
    let server = RemoteServer::Storage {
        bucket: Some(bucket.into()),
        login: StorageLogin::OwnKeys,
    };
    Some(RequestFailure { server, cause })
}

#[test]
fn data_and_names_are_never_read_as_a_failed_request() {
    for (kind, message) in [
        ("Conversion", "Could not convert string '401-B' to INT32"),
        ("Invalid Input", "HTTP 403 at 'http://s3.test:9000/lake/x'"),
        ("Invalid Input", "Forbidden: AccessDenied"),
        ("IO", "No files found that match the pattern \"s3://403/*\""),
        ("IO", "Cannot open file '/403/http://s3.test:9000/x'"),
        ("Binder", "Referenced column \"403\" not found"),
        ("Invalid Configuration", "403 Forbidden"),
        ("Not implemented", "Enum value: 403"),
    ] {
        assert_eq!(found(kind, message), None, "{kind}: {message}");
    }
    assert_eq!(find("HTTP Error: 403", &config()), None);
}

// Messages of DuckDB 1.5.5.
#[test]
fn a_failure_of_the_catalog_is_found_in_each_form() {
    use FailureCause::*;
    for (kind, message, cause) in [
        (
            "Invalid Configuration",
            "Request to 'http://s3.test:9000/forbid/v1/config' returned a non-200 status code \
             (Unauthorized_401), with reason: Unauthorized",
            Unauthorized,
        ),
        (
            "HTTP",
            "GetTableInformation endpoint returned response code Forbidden_403 with message \"no\"",
            Forbidden,
        ),
        (
            "Not implemented",
            "Enum value: unrecognized enum value \"419\" for enum \"HTTPStatusCode\"",
            Unauthorized,
        ),
        (
            "IO",
            "Could not connect to server error for HTTP GET to \
             'http://s3.test:9000/forbid/v1/config'",
            Unreachable,
        ),
        (
            "Invalid Configuration",
            "Could not get token from http://login.test/v1/oauth/tokens: HTTP Forbidden_403 - no",
            Forbidden,
        ),
    ] {
        assert_eq!(found(kind, message), catalog(cause), "{kind}: {message}");
    }
    let listing = answered("http://s3.test:9000/forbid/v1/namespaces", 503, "");
    assert_eq!(listing, catalog(Busy));
}

#[test]
fn a_failure_of_the_storage_names_the_bucket_and_the_cause() {
    use FailureCause::*;
    for (url, status, code, bucket, cause) in [
        ("s3://lake/x", 403, "AccessDenied", "lake", Forbidden),
        ("http://s3.test:9000/lake/x?a", 403, "", "lake", Forbidden),
        (
            "http://lake.s3.test:9000/x",
            400,
            "ExpiredToken",
            "lake",
            Unauthorized,
        ),
        (
            "http://s3.test:9000/forbidden/x",
            503,
            "SlowDown",
            "forbidden",
            Busy,
        ),
        (
            "s3://lake/x",
            301,
            "PermanentRedirect",
            "lake",
            Misconfigured,
        ),
        (
            "s3://lake/x",
            400,
            "AuthorizationHeaderMalformed",
            "lake",
            Unauthorized,
        ),
    ] {
        let found = answered(url, status, code);
        assert_eq!(found, storage(bucket, cause), "{url} {status} {code}");
    }
    assert_eq!(answered("s3://lake/x", 404, "NoSuchKey"), None);
}

#[test]
fn aws_is_the_storage_if_the_settings_name_no_other() {
    let mut config = config();
    config.s3.endpoint = None;
    let bucket = |host: &str| {
        let found = server(Some(&format!("https://{host}/first/x")), &config);
        match found.expect("a server") {
            RemoteServer::Storage { bucket, .. } => bucket.expect("a bucket"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(bucket("s3.eu-west-1.amazonaws.com"), "first");
    assert_eq!(bucket("my.lake.s3.eu-west-1.amazonaws.com"), "my.lake");
}

#[test]
fn another_server_is_named_by_its_host() {
    let found = answered("https://data.example/403.parquet", 403, "");
    let server = RemoteServer::Other {
        host: "data.example".into(),
    };
    let cause = FailureCause::Forbidden;
    assert_eq!(found, Some(RequestFailure { server, cause }));
}
