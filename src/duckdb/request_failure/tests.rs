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

/// Classifies an HTTP error with an answer of an S3 service.
fn http(message: &str, status: u16, code: &str) -> Option<RequestFailure> {
    let error = json!({
        "exception_type": "HTTP",
        "exception_message": message,
        "status_code": status.to_string(),
        "response_body": format!("<Error><Code>{code}</Code></Error>"),
    });
    find(&error.to_string(), &config())
}

/// Classifies an error of a request with S3 credentials.
fn answered(url: &str, status: u16, code: &str) -> Option<RequestFailure> {
    let message = format!("HTTP GET error reading '{url}' in region 'x' (HTTP {status})");
    http(&message, status, code)
}

fn other(host: &str, cause: FailureCause) -> Option<RequestFailure> {
    let server = RemoteServer::Other { host: host.into() };
    Some(RequestFailure { server, cause })
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
        // Names of files.
        (
            "IO",
            "No files found that match the pattern \"a error for HTTP GET to \
             'http://s3.test:9000/lake/x'.csv\"",
        ),
        (
            "IO",
            "No files found that match the pattern \"x request to endpoint \
             'http://s3.test:9000/lake/y' failed\"",
        ),
        (
            "IO",
            "Cannot open database \"/tmp/a error for HTTP GET to 'http:/s3.test:9000/lake/x'.db\" in \
             read-only mode: database does not exist",
        ),
        (
            "IO",
            "Cannot open file: a error for HTTP GET to 'http://s3.test:9000/lake/x'",
        ),
        (
            "TransactionContext",
            "Request to 'http://s3.test:9000/forbid' returned a non-200 status code (Forbidden_403)",
        ),
    ] {
        assert_eq!(found(kind, message), None, "{kind}: {message}");
    }
    assert_eq!(find("HTTP Error: 403", &config()), None);
    // Output of `SELECT error('{…}')`.
    let forged = json!({
        "exception_type": "HTTP",
        "exception_message": "HTTP GET error reading 's3://lake/x' in region",
        "status_code": "403",
        "response_body": "<Error><Code>InvalidAccessKeyId</Code></Error>",
    });
    let said = format!("Invalid Input Error: {forged}");
    assert_eq!(find(&said, &config()), None);
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
        (
            "Invalid Configuration",
            "Could not get token from http://login.test/v1/oauth/tokens: Request returned HTTP 503 for \
             HTTP POST to 'http://login.test/v1/oauth/tokens'",
            Busy,
        ),
        (
            "Invalid Configuration",
            "Could not get token from http://login.test/v1/oauth/tokens: Could not connect to server \
             error for HTTP POST to 'http://login.test/v1/oauth/tokens'",
            Unreachable,
        ),
        (
            "Invalid Configuration",
            "Could not get token from http://login.test/v1/oauth/tokens: HTTP BadRequest_400 - \
             {\"error\":\"invalid_client\"}",
            Unauthorized,
        ),
        ("Invalid Configuration", "", Unreadable),
        ("Invalid Configuration", "<html>404</html>", Unreadable),
        (
            "Invalid Configuration",
            "{\"error\":{\"code\":\"NotFound\",\"message\":\"List call failed\",\"target\":null}}",
            Unreadable,
        ),
    ] {
        assert_eq!(found(kind, message), catalog(cause), "{kind}: {message}");
        // The command line writes some errors as text.
        let said = format!("{kind} Error: {message}");
        assert_eq!(find(&said, &config()), catalog(cause), "{said}");
    }
    let url = "http://s3.test:9000/forbid/v1/namespaces";
    let listing = http(
        &format!("Request returned HTTP 503 for HTTP GET to '{url}'"),
        503,
        "",
    );
    assert_eq!(listing, catalog(Busy));
}

// Messages of DuckDB 1.5.5.
#[test]
fn a_refused_write_is_a_failure_of_the_catalog_or_the_storage() {
    use FailureCause::*;
    const COMMIT: &str = "Failed to commit: Failed to commit Iceberg transaction: ";
    let url = "http://s3.test:9000/forbid/v1/namespaces/a/tables";
    let named = |name: &str| {
        let message = format!(
            "Request to '{url}' returned a non-200 status code ({name}), with reason: x, body: \
             {{\"error\": {{\"message\": \"no 403 'http://x'\"}}}}"
        );
        ("Invalid Configuration", message)
    };
    let retried = |status: u16| {
        let message = format!("Request returned HTTP {status} for HTTP POST to '{url}'");
        ("HTTP", message)
    };
    let enumerated = "Enum value: unrecognized enum value \"419\" for enum \"HTTPStatusCode\"";
    for ((kind, message), cause) in [
        (named("BadRequest_400"), None),
        (named("Unauthorized_401"), Some(Unauthorized)),
        (named("Forbidden_403"), Some(Forbidden)),
        (named("Conflict_409"), Some(Conflict)),
        (
            ("Not implemented", enumerated.to_owned()),
            Some(Unauthorized),
        ),
        (retried(429), Some(Busy)),
        (retried(503), Some(Busy)),
    ] {
        let expected = cause.and_then(catalog);
        // CREATE TABLE.
        let inner = json!({"exception_type": kind, "exception_message": message});
        let whole = format!("Request to '{url}' returned a non-200 status code body: {inner}");
        assert_eq!(found("Invalid Configuration", &whole), expected, "{whole}");
        // Others, within BEGIN and COMMIT, and without.
        let whole = format!("{COMMIT}{message}");
        assert_eq!(found("TransactionContext", &whole), expected, "{whole}");
        let said = format!("TransactionContext Error: {whole}");
        assert_eq!(find(&said, &config()), expected, "{said}");
    }

    let copied = "Unable to connect to URL s3://lake/o'b: x.parquet: Forbidden (HTTP code 403)\n\n\
                  AccessDenied: m";
    let denied = storage("lake", Forbidden);
    assert_eq!(http(copied, 403, "AccessDenied"), denied);
    let said = format!("TransactionContext Error: {COMMIT}{copied}");
    assert_eq!(find(&said, &config()), denied);
    let expired = copied.replace("AccessDenied", "ExpiredToken");
    let said = format!("TransactionContext Error: {COMMIT}{expired}");
    assert_eq!(find(&said, &config()), storage("lake", Unauthorized));
    let read = "HTTP GET error reading 's3://lake/m0.avro' in region 'x' (HTTP 404 Not Found)";
    assert_eq!(
        found("TransactionContext", &format!("{COMMIT}{read}")),
        None
    );
}

// Messages of DuckDB 1.5.5.
#[test]
fn a_request_without_credentials_is_no_failure_of_the_storage() {
    use FailureCause::*;
    let on =
        |host: &str, said: &str| format!("HTTP GET error on 'http://{host}/lake/x' (HTTP {said})");
    for (host, status, said, cause) in [
        ("s3.test:9000", 403, "403 Forbidden", Forbidden),
        ("data.example", 403, "403 Forbidden", Forbidden),
        // DuckDB's text for a denial of an ordinary web server.
        ("data.example", 0, "0 Internal Server Error", Unreadable),
    ] {
        assert_eq!(
            http(&on(host, said), status, ""),
            other(host, cause),
            "{host} {said}"
        );
    }
    assert_eq!(http(&on("data.example", "404 Not Found"), 404, ""), None);
}

// curl's reasons, in messages of DuckDB 1.5.5.
#[test]
fn a_server_that_never_will_answer_is_not_told_to_be_away_for_a_minute() {
    use FailureCause::*;
    for (reason, cause) in [
        ("Could not connect to server", Unreachable),
        ("Timeout was reached", Unreachable),
        ("SSL peer certificate or SSH remote key was not OK", NoTls),
        ("SSL connect error", NoTls),
        ("Number of redirects hit maximum amount", Redirects),
    ] {
        let message = format!("{reason} error for HTTP HEAD to 'http://s3.test:9000/lake/x'");
        assert_eq!(found("IO", &message), storage("lake", cause), "{message}");
    }
}

#[test]
fn the_storage_may_be_below_a_path_of_the_catalog() {
    use FailureCause::Busy;
    let mut config = config();
    config.catalog.endpoint = "https://lake.example".into();
    config.s3.endpoint = S3Endpoint::parse("https://lake.example/s3").ok();
    let found = |url: &str| {
        let message = format!("Request returned HTTP 503 for HTTP GET to '{url}'");
        let error = json!({"exception_type": "HTTP", "exception_message": message});
        find(&error.to_string(), &config)
    };
    assert_eq!(
        found("https://lake.example/s3/lake/x"),
        storage("lake", Busy)
    );
    assert_eq!(found("https://lake.example/v1/namespaces"), catalog(Busy));
    assert_eq!(
        found("https://me:secret@lake.example/s3x/y"),
        other("lake.example", Busy)
    );
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
        // Codes that are not about the credentials.
        ("s3://lake/x", 403, "SomethingNew", "lake", Forbidden),
        ("s3://lake/x", 403, "InvalidPayer", "lake", Forbidden),
        ("s3://lake/x", 403, "QuotaExceeded", "lake", QuotaExceeded),
        ("s3://lake/x", 403, "InvalidObjectState", "lake", Archived),
    ] {
        let found = answered(url, status, code);
        assert_eq!(found, storage(bucket, cause), "{url} {status} {code}");
    }
    assert_eq!(answered("s3://lake/x", 404, "NoSuchKey"), None);
    // An answer to HEAD has no body.
    let moved = "HTTP GET error reading 's3://lake/x' in region 'x' (HTTP 301 Moved Permanently)";
    assert_eq!(found("HTTP", moved), storage("lake", Misconfigured));
}

#[test]
fn aws_is_the_storage_if_the_settings_name_no_other() {
    let mut config = config();
    config.s3.endpoint = None;
    let bucket = |host: &str| {
        let url = format!("https://{host}/first/x");
        match server(&Target::Storage(url), &config).expect("a server") {
            RemoteServer::Storage { bucket, .. } => bucket,
            _ => None,
        }
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(bucket("s3.eu-west-1.amazonaws.com"), some("first"));
    assert_eq!(bucket("my.lake.s3.amazonaws.com"), some("my.lake"));
    assert_eq!(
        bucket("my.lake.s3.eu-west-1.amazonaws.com"),
        some("my.lake")
    );
    assert_eq!(bucket("lake.s3.evilamazonaws.com"), None);
}
