//! The meaning of a catalog's error. Pure.
//!
//! Catalogs have error documents of their own. Sources of the forms that are read here:
//!
//! - Iceberg: `ErrorModel` in <https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml>
//! - AWS: <https://docs.aws.amazon.com/glue/latest/webapi/CommonErrors.html>,
//!   <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>
//! - Databricks: <https://docs.databricks.com/api/workspace/introduction>
//! - Cloudflare: <https://developers.cloudflare.com/api/>
//! - Google: <https://cloud.google.com/apis/design/errors#http_mapping>

use reqwest::Url;
use serde_json::Value;

use super::{
    error::{CheckedService, PreflightError},
    http::HttpResponse,
};
use crate::s3_error::{S3Error, is_momentary, meaning_of};

/// Name of the error in a response of AWS. A host and a URL may follow after a colon.
const AWS_ERROR_HEADER: &str = "x-amzn-errortype";
/// Beginnings of AWS's names for a missing signature, and for a token in its place.
const AWS_UNSIGNED: [&str; 2] = ["MissingAuthenticationToken", "IncompleteSignature"];
/// Beginnings of AWS's messages about them, if a proxy removes the name.
const AWS_UNSIGNED_MESSAGES: [&str; 3] = [
    "Missing Authentication Token",
    "Authorization header requires ",
    "Invalid key=value pair (missing equal-sign) in Authorization header",
];
/// AWS's name for a lacking permission. Glue also sends it with a status of 400.
const AWS_DENIED: &str = "AccessDeniedException";
/// Services of AWS that are catalogs. Other hosts of AWS may be anybody's catalog.
const AWS_CATALOGS: [&str; 2] = ["glue.", "s3tables."];
/// Domains of AWS.
const AWS_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];
/// Beginnings of AWS's messages about a signature. Its names are not precise, and a proxy may remove them.
const AWS_MESSAGES: [(&str, S3Error); 6] = [
    ("Signature expired", S3Error::ClockSkew),
    ("Signature not yet current", S3Error::ClockSkew),
    // A region or a service.
    ("Credential should be scoped to", S3Error::OtherRegion),
    (
        "The security token included in the request is invalid",
        S3Error::UnknownKey,
    ),
    (
        "The security token included in the request is expired",
        S3Error::ExpiredToken,
    ),
    (
        "The request signature we calculated does not match",
        S3Error::WrongSecret,
    ),
];
/// Cloudflare's code for a token that is not valid. Its status is 403.
const CLOUDFLARE_BAD_TOKEN: u64 = 10_000;
/// Words of messages about a token that is not valid, beside the word "token".
const BAD_TOKEN_WORDS: [&str; 4] = ["invalid", "expired", "malformed", "revoked"];

/// Means by which a request names its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    None,
    Token,
    Signature,
}

/// Parts of an error document.
struct ErrorParts {
    body: Option<Value>,
    /// Name of the error, as AWS or Iceberg's specification writes it.
    kind: String,
    message: String,
}

impl ErrorParts {
    fn read(answer: &HttpResponse) -> Self {
        let body = serde_json::from_str(&answer.text).ok();
        // Google wraps its document in an array.
        let body: Option<Value> = match body {
            Some(Value::Array(mut all)) if all.len() == 1 => all.pop(),
            Some(body @ Value::Object(_)) => Some(body),
            _ => None,
        };
        let at = |pointer: &str| body.as_ref()?.pointer(pointer)?.as_str();
        let header = answer.headers.get(AWS_ERROR_HEADER);
        let header = header.and_then(|name| name.to_str().ok());
        let kind = header.or(at("/error/type")).or(at("/__type"));
        let kind = kind.and_then(|name| name.split(':').next()?.rsplit('#').next());
        let messages = [
            "/error/message",
            "/message",
            "/Message",
            "/errors/0/message",
        ];
        let message = messages.iter().find_map(|pointer| at(pointer));
        let (kind, message) = (kind.unwrap_or_default(), message.unwrap_or_default());
        Self {
            kind: kind.to_owned(),
            message: message.to_owned(),
            body,
        }
    }

    /// Returns true if AWS misses a signature.
    fn wants_signature(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_aws = AWS_DOMAINS.iter().any(|domain| host.ends_with(domain))
            && AWS_CATALOGS.iter().any(|service| host.starts_with(service));
        let begins = |text: &str, begins: &[&str]| begins.iter().any(|it| text.starts_with(it));
        is_aws || begins(&self.kind, &AWS_UNSIGNED) || begins(&self.message, &AWS_UNSIGNED_MESSAGES)
    }

    /// Returns true for a token that is not valid, if the status doesn't tell. A message with quotes may
    /// quote a name with these words.
    fn refuses_token(&self) -> bool {
        let code = self
            .body
            .as_ref()
            .and_then(|it| it.pointer("/errors/0/code"));
        if code.and_then(Value::as_u64) == Some(CLOUDFLARE_BAD_TOKEN) {
            return true;
        }
        let message = self.message.to_ascii_lowercase();
        let has = |word: &str| {
            message
                .split(|c: char| !c.is_alphanumeric())
                .any(|it| it == word)
        };
        !message.contains(['\'', '"', '`'])
            && has("token")
            && BAD_TOKEN_WORDS.iter().any(|word| has(word))
    }
}

/// Translates an error of the catalog with this name.
pub(super) fn error(answer: &HttpResponse, url: &Url, login: Login, name: &str) -> PreflightError {
    let name = || name.to_owned();
    let who = || CheckedService::Catalog(name());
    let status = answer.status.as_u16();
    let parts = ErrorParts::read(answer);
    // A proxy in front of a catalog may deny access without a document. A page is of another server.
    let is_page = answer.text.trim_start().starts_with('<');
    let is_catalog = parts.body.is_some();
    match (status, login) {
        _ if is_momentary(status) => PreflightError::Busy { who: who(), status },
        (403, _) if is_page => PreflightError::WrongEndpoint { who: who(), status },
        (400 | 401 | 403, Login::Signature) => signature_error(&parts, status, name()),
        (400 | 401 | 403, _) if parts.wants_signature(url) => {
            PreflightError::CatalogWantsSigV4(name())
        }
        // Iceberg's specification uses 419 for an expired token.
        (401 | 419, Login::Token) => PreflightError::CatalogRefuses(name()),
        (400 | 403, Login::Token) if parts.refuses_token() => {
            PreflightError::CatalogRefuses(name())
        }
        (401 | 419 | 403, Login::None) if !is_page => PreflightError::CatalogWantsToken(name()),
        (403, Login::Token) => PreflightError::CatalogForbids(name()),
        (400, Login::Token) if parts.kind == AWS_DENIED => PreflightError::CatalogForbids(name()),
        (400.., _) if is_catalog => strange(who(), status),
        _ => PreflightError::WrongEndpoint { who: who(), status },
    }
}

/// Returns the error of an answer that depends on the settings.
pub(super) fn strange(who: CheckedService, status: u16) -> PreflightError {
    PreflightError::Strange {
        who,
        status,
        code: String::new(),
    }
}

/// Translates a denial of a signed request. AWS uses the same names for its storage.
fn signature_error(parts: &ErrorParts, status: u16, name: String) -> PreflightError {
    let mut messages = AWS_MESSAGES.iter();
    let by_message = messages.find(|(begin, _)| parts.message.starts_with(begin));
    let meaning = match by_message {
        Some((_, meaning)) => Some(*meaning),
        None => meaning_of(&parts.kind, &parts.message),
    };
    match meaning {
        Some(S3Error::UnknownKey) => PreflightError::UnknownKey,
        Some(S3Error::WrongSecret) => PreflightError::WrongSecret,
        Some(S3Error::ExpiredToken) => PreflightError::ExpiredToken,
        Some(S3Error::WrongToken) => PreflightError::WrongToken,
        Some(S3Error::ClockSkew) => PreflightError::ClockSkew,
        Some(S3Error::OtherRegion) => PreflightError::CatalogOtherScope(name),
        Some(S3Error::Busy) => PreflightError::Busy {
            who: CheckedService::Catalog(name),
            status,
        },
        _ if status == 400 && parts.kind != AWS_DENIED => {
            strange(CheckedService::Catalog(name), status)
        }
        _ => PreflightError::CatalogForbids(name),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderMap};

    use super::*;

    /// Returns the name of the error of an answer to a login, from AWS if it has a type in the header.
    fn of(login: Login, status: u16, kind: &str, body: &str) -> String {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(AWS_ERROR_HEADER, kind.parse().expect("a header"));
        }
        let answer = HttpResponse {
            status: StatusCode::from_u16(status).expect("a status"),
            headers,
            text: body.into(),
        };
        let url = Url::parse("https://catalog.example/v1/config").expect("a URL");
        let error = format!("{:?}", error(&answer, &url, login, "lake"));
        error.split([' ', '(']).next().unwrap_or_default().into()
    }

    #[test]
    fn an_answer_without_a_signature_means_the_same_at_every_catalog() {
        use Login::{None, Token};
        for (login, status, body, expected) in [
            // Iceberg.
            (
                Token,
                401,
                r#"{"error":{"message":"x","type":"NotAuthorizedException","code":401}}"#,
                "CatalogRefuses",
            ),
            (
                None,
                419,
                r#"{"error":{"message":"x","type":"AuthenticationTimeoutException","code":419}}"#,
                "CatalogWantsToken",
            ),
            (
                Token,
                403,
                r#"{"error":{"message":"Principal 'invalid token' is not authorized","type":"ForbiddenException","code":403}}"#,
                "CatalogForbids",
            ),
            (
                Token,
                404,
                r#"{"error":{"message":"Unable to find warehouse","type":"NotFoundException","code":404}}"#,
                "Strange",
            ),
            // Quarkus (Polaris, Nessie) and Envoy.
            (Token, 403, "", "CatalogForbids"),
            (Token, 403, "RBAC: access denied", "CatalogForbids"),
            (None, 403, "RBAC: access denied", "CatalogWantsToken"),
            (None, 401, "Unauthorized", "CatalogWantsToken"),
            // Databricks.
            (
                Token,
                403,
                r#"{"error_code":403,"message":"Invalid access token."}"#,
                "CatalogRefuses",
            ),
            (
                Token,
                400,
                r#"{"error_code":400,"message":"Invalid Token"}"#,
                "CatalogRefuses",
            ),
            (
                Token,
                403,
                r#"{"error_code":"PERMISSION_DENIED","message":"User does not have EXTERNAL USE SCHEMA"}"#,
                "CatalogForbids",
            ),
            // Snowflake.
            (
                Token,
                400,
                r#"{"error":{"message":"Malformed request: JWT token is invalid","type":"BadRequestException","code":400}}"#,
                "CatalogRefuses",
            ),
            // Cloudflare.
            (
                Token,
                403,
                r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}"#,
                "CatalogRefuses",
            ),
            // Google.
            (
                Token,
                403,
                r#"[{"error":{"code":403,"status":"PERMISSION_DENIED"}}]"#,
                "CatalogForbids",
            ),
            // AWS behind another host.
            (
                Token,
                403,
                r#"{"message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter."}"#,
                "CatalogWantsSigV4",
            ),
            (
                Token,
                403,
                r#"{"__type":"com.amazon.coral.service#MissingAuthenticationTokenException","Message":"Missing Authentication Token"}"#,
                "CatalogWantsSigV4",
            ),
            (
                Token,
                400,
                r#"{"error":{"message":"no","type":"AccessDeniedException","code":400}}"#,
                "CatalogForbids",
            ),
            // Other servers.
            (Token, 403, "<html>", "WrongEndpoint"),
            (None, 401, "<html>", "WrongEndpoint"),
            (Token, 404, "404 page not found", "WrongEndpoint"),
            (Token, 526, "error code: 526", "WrongEndpoint"),
            (Token, 522, "error code: 522", "Busy"),
        ] {
            assert_eq!(
                of(login, status, "", body),
                expected,
                "{login:?} {status} {body}"
            );
        }
    }

    #[test]
    fn a_denial_of_a_signature_names_its_reason_with_and_without_the_header() {
        let bad_signature = "InvalidSignatureException";
        for (status, kind, body, expected) in [
            (
                403,
                bad_signature,
                r#"{"message":"Signature expired: 20261127T094027Z is now earlier than 20261127T094737Z"}"#,
                "ClockSkew",
            ),
            (
                403,
                bad_signature,
                r#"{"message":"Signature not yet current: 20261127T113529Z is still later than 20261127T104538Z"}"#,
                "ClockSkew",
            ),
            (
                403,
                bad_signature,
                r#"{"message":"Credential should be scoped to a valid region, not 'eu-central-1'. "}"#,
                "CatalogOtherScope",
            ),
            (
                403,
                bad_signature,
                r#"{"message":"Credential should be scoped to correct service: 'glue'. "}"#,
                "CatalogOtherScope",
            ),
            (
                403,
                bad_signature,
                r#"{"message":"The request signature we calculated does not match"}"#,
                "WrongSecret",
            ),
            (
                403,
                "UnrecognizedClientException:http://x/",
                "{}",
                "UnknownKey",
            ),
            (
                403,
                "",
                r#"{"message":"The security token included in the request is invalid."}"#,
                "UnknownKey",
            ),
            (
                403,
                "",
                r#"{"message":"The security token included in the request is expired"}"#,
                "ExpiredToken",
            ),
            (
                403,
                "",
                r#"{"__type":"x#ExpiredTokenException"}"#,
                "ExpiredToken",
            ),
            (
                400,
                "",
                r#"{"error":{"message":"User is not authorized","type":"AccessDeniedException","code":400}}"#,
                "CatalogForbids",
            ),
            (
                400,
                "ThrottlingException",
                r#"{"message":"Rate exceeded"}"#,
                "Busy",
            ),
            (400, "ValidationException", "{}", "Strange"),
        ] {
            assert_eq!(
                of(Login::Signature, status, kind, body),
                expected,
                "{status} {kind} {body}"
            );
        }
    }
}
