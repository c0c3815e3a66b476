//! Refusals of a client's request, in words. Pure.

use hyper::{HeaderMap, Response, StatusCode, header, header::HeaderValue};

use super::message;
use crate::door::{
    body::{Body, ProxyError, full_body},
    outcome::RequestOutcome,
};

/// Reasons to refuse a client's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    NoKey,
    WrongKey,
    TooManyWrongKeys,
    Revoked,
    /// The client's version of DuckDB, and the session's.
    OtherVersion {
        client: String,
        session: String,
    },
    /// There is no session at this address.
    NoSession,
    Proxy(ProxyError),
}

impl From<ProxyError> for Refusal {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl Refusal {
    /// Answers a client's request. `request` are its headers. DuckDB's client shows nothing of a response whose
    /// status is an error, so it gets a message of its protocol.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = if client_version(request).is_some() {
            let mut response = Response::new(full_body(message::error(&self.text())));
            let kind = HeaderValue::from_static("application/vnd.duckdb");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        } else {
            let mut response = Response::new(full_body(format!("{}\n", self.text())));
            *response.status_mut() = self.status();
            response
        };
        self.outcome().note(&mut response);
        response
    }

    fn text(&self) -> String {
        match self {
            Self::NoKey => "This request has no key. Type /duck connect in Discord, and run the \
                            statements that you get."
                .into(),
            Self::WrongKey => "This key is not valid for this session, or not any more. Type /duck connect in \
                               Discord for a new one."
                .into(),
            Self::TooManyWrongKeys => {
                "Too many wrong keys were tried at this session. Try again in a minute.".into()
            }
            Self::Revoked => "The keys of this session were revoked. Type /duck connect in Discord for a \
                              new one."
                .into(),
            Self::OtherVersion { client, session } => format!(
                "Your client is DuckDB {client}, and this session runs DuckDB {session}. They don't have \
                 the same protocol. Use a client of version {}.",
                series(session)
            ),
            Self::NoSession => "There is no session at this address. Yours may have ended. Type /duck list \
                                in Discord to see your sessions."
                .into(),
            Self::Proxy(ProxyError::Busy) => {
                "Too many requests wait at this session. Try again when some have ended.".into()
            }
            Self::Proxy(ProxyError::TooLarge(most)) => format!(
                "A request has more than {} MiB. Insert fewer rows at a time.",
                most >> 20
            ),
            Self::Proxy(ProxyError::TooSlow) => {
                "The request stopped before its end. Check your network, and try again.".into()
            }
            Self::Proxy(ProxyError::Unavailable) => "The session's DuckDB does not answer clients. It may have \
                                                     been restarted: type /duck connect in Discord again."
                .into(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::WrongKey | Self::Revoked => StatusCode::UNAUTHORIZED,
            Self::TooManyWrongKeys => StatusCode::TOO_MANY_REQUESTS,
            Self::OtherVersion { .. } => StatusCode::UPGRADE_REQUIRED,
            Self::NoSession => StatusCode::MISDIRECTED_REQUEST,
            Self::Proxy(ProxyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Proxy(ProxyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Proxy(ProxyError::Busy | ProxyError::Unavailable) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn outcome(&self) -> RequestOutcome {
        match self {
            Self::NoKey => RequestOutcome::Refused("a client has no key"),
            Self::WrongKey => RequestOutcome::Refused("a client's key is not valid"),
            Self::TooManyWrongKeys => RequestOutcome::Refused("too many wrong keys of clients"),
            Self::Revoked => RequestOutcome::Refused("the clients' keys were revoked"),
            Self::OtherVersion { .. } => {
                RequestOutcome::Refused("a client has another version of DuckDB")
            }
            Self::NoSession => RequestOutcome::Refused("there is no session at this address"),
            Self::Proxy(ProxyError::Busy) => {
                RequestOutcome::Refused("too many requests of clients are waiting")
            }
            Self::Proxy(ProxyError::TooLarge(_)) => {
                RequestOutcome::Refused("a client's request is too large")
            }
            Self::Proxy(ProxyError::TooSlow) => {
                RequestOutcome::Refused("a client's request stopped before its end")
            }
            Self::Proxy(ProxyError::Unavailable) => {
                RequestOutcome::Failed("DuckDB does not answer clients")
            }
        }
    }
}

/// Returns the version of a DuckDB client, such as `v1.5.5`, by its `User-Agent`:
/// `duckdb/v1.5.5(linux_amd64) …`.
pub(super) fn client_version(request: &HeaderMap) -> Option<&str> {
    let agent = request.get(header::USER_AGENT)?.to_str().ok()?;
    agent.strip_prefix("duckdb/")?.split('(').next()
}

/// Returns a refusal if the client's DuckDB is of another series than the session's: within one, the protocol does
/// not change.
pub(super) fn other_version(request: &HeaderMap, session: &str) -> Option<Refusal> {
    let client = client_version(request)?;
    (series(client) != series(session)).then(|| Refusal::OtherVersion {
        // It is shown to the client only.
        client: client.chars().take(20).collect(),
        session: session.to_owned(),
    })
}

/// Returns the series of a version: `1.5` of `v1.5.5`.
fn series(version: &str) -> &str {
    let version = version.strip_prefix('v').unwrap_or(version);
    let end = version.rfind('.').unwrap_or(version.len());
    &version[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(text: &'static str) -> HeaderMap {
        let pair = (header::USER_AGENT, HeaderValue::from_static(text));
        [pair].into_iter().collect()
    }

    #[test]
    fn a_client_of_another_series_is_told_which_one_to_use() {
        let python = agent("duckdb/v1.5.4(linux_amd64) python/3.11 d8cdaa33fd");
        assert_eq!(client_version(&python), Some("v1.5.4"));
        assert_eq!(other_version(&python, "v1.5.5"), None);
        assert_eq!(other_version(&HeaderMap::new(), "v1.5.5"), None);
        let newer = agent("duckdb/v2.0.1(osx_arm64) cli d8cdaa33fd");
        let refusal = other_version(&newer, "v1.5.5").expect("a refusal");
        assert_eq!(
            refusal.text(),
            "Your client is DuckDB v2.0.1, and this session runs DuckDB v1.5.5. They don't have the same \
             protocol. Use a client of version 1.5."
        );
    }

    #[test]
    fn other_programs_get_a_status() {
        let browser = Refusal::NoKey.respond(&HeaderMap::new());
        assert_eq!(browser.status(), StatusCode::UNAUTHORIZED);
        let client = Refusal::NoKey.respond(&agent("duckdb/v1.5.5(linux_amd64) cli"));
        assert_eq!(client.status(), StatusCode::OK);
    }
}
