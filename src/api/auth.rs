//! Authentication by token. The bot knows only the digests of tokens.
//!
//! Every request passes here: it gets an ID, is authenticated, rate-limited, logged and counted.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use parking_lot::RwLock;
use ring::digest::{SHA256, digest};
use tracing::{info, warn};

use super::problem::{Problem, ProblemType};
use crate::{
    error::new_reference,
    metrics,
    service::Requester,
    settings::{self, ApiToken},
};

/// Header with the request ID, which the caller may set.
const REQUEST_ID_HEADER: &str = "x-request-id";
/// Header in which a browser says where the page that sent the request is from.
const SITE_HEADER: &str = "sec-fetch-site";
/// Maximum length of a request ID in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// Authenticated sender of a request.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Person in whose name the request is carried out, with the rights of the token.
    pub who: Requester,
    /// True if the request may use this person's stored credentials.
    pub stored_keys: bool,
}

/// Known tokens, and the owner of requests without one, if the settings allow these.
pub struct Authenticator {
    /// Owners of the tokens, by the tokens' digests.
    clients: RwLock<HashMap<[u8; 32], ApiClient>>,
    quota: Quota,
    anonymous: Option<ApiClient>,
    /// Hosts under which requests without a token are accepted.
    hosts: Vec<String>,
}

struct ApiClient {
    principal: Principal,
    pace: Arc<DefaultDirectRateLimiter>,
}

impl ApiClient {
    fn new(who: Requester, stored_keys: bool, quota: Quota) -> Self {
        Self {
            principal: Principal { who, stored_keys },
            pace: Arc::new(RateLimiter::direct(quota)),
        }
    }
}

impl Authenticator {
    /// Creates an authenticator for the tokens in the settings.
    pub fn new(settings: &settings::Api) -> Self {
        let quota = Quota::per_minute(settings.requests_per_minute);
        let anonymous = settings.anonymous.map(|owner| {
            let who = Requester {
                id: owner,
                display_name: "somebody".to_owned(),
                is_admin: false,
            };
            ApiClient::new(who, true, quota)
        });
        let this = Self {
            clients: RwLock::default(),
            quota,
            anonymous,
            hosts: settings.hosts.clone(),
        };
        this.replace_tokens(&settings.tokens);
        this
    }

    /// Replaces all tokens. The rate limit of a token that stays goes on.
    pub(super) fn replace_tokens(&self, tokens: &[ApiToken]) {
        let mut clients = self.clients.write();
        let renewed = tokens.iter().map(|token| {
            let who = Requester {
                id: token.owner,
                display_name: token.name.clone(),
                is_admin: token.admin,
            };
            let mut client = ApiClient::new(who, token.stored_keys, self.quota);
            if let Some(earlier) = clients.get(&token.digest) {
                client.pace = earlier.pace.clone();
            }
            (token.digest, client)
        });
        *clients = renewed.collect();
    }

    /// Identifies the sender of a request by its headers, and counts it against the rate limit.
    ///
    /// # Errors
    /// If the token is missing or unknown, or too many requests were sent with it. A request without
    /// a token must not come from a web page.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Problem> {
        let clients = self.clients.read();
        let client = match headers.get(header::AUTHORIZATION) {
            None if self.anonymous.is_some() && !self.is_from_program(headers) => {
                let says = "Without a token, the API only answers programs, and only at localhost \
                            or at a host in the setting api.hosts. Send a token or use such a host.";
                return Err(Problem::new(ProblemType::Forbidden, says));
            }
            None => self.anonymous.as_ref(),
            // A token must be valid, even if requests without one are allowed.
            Some(shown) => bearer(shown).and_then(|token| {
                let digest = digest(&SHA256, token.as_bytes());
                clients.get(digest.as_ref())
            }),
        };
        let client = client.ok_or_else(|| {
            let says = "The token is missing or unknown. Send the header Authorization: Bearer …";
            Problem::new(ProblemType::Unauthorized, says)
        })?;
        client.pace.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let seconds = wait.as_secs() + 1;
            let says = format!("Too many requests. Try again in {seconds} s.");
            Problem::new(ProblemType::TooManyRequests, says)
                .retry_after(Duration::from_secs(seconds))
        })?;
        Ok(client.principal.clone())
    }

    /// Returns false if a browser may have sent the request for a web page. The page's owner can let
    /// any name lead to this machine, but `Host` still has that name (DNS rebinding). Pages under
    /// other names have an `Origin` in all requests that change something, and a `Sec-Fetch-Site` in
    /// the others.
    fn is_from_program(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let is_known = host.is_some_and(|host| self.is_known_host(host));
        let mut sites = headers.get_all(SITE_HEADER).iter();
        let is_own = sites.all(|site| site == "none" || site == "same-origin");
        is_known && hosts.next().is_none() && !headers.contains_key(header::ORIGIN) && is_own
    }

    fn is_known_host(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let name = authority.host().to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = address.parse().is_ok_and(|it: IpAddr| it.is_loopback());
        is_loopback
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.hosts.contains(&name)
    }
}

fn bearer(shown: &HeaderValue) -> Option<&str> {
    let (scheme, token) = shown.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Authenticates a request, assigns its ID, logs it and counts it.
pub(super) async fn authenticate(
    State(authenticator): State<Arc<Authenticator>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let id: Arc<str> = request_id(request.headers()).into();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("?", MatchedPath::as_str);
    let admitted = authenticator.authenticate(request.headers());
    let token = match &admitted {
        Ok(principal) => principal.who.display_name.clone(),
        Err(_) => String::new(),
    };
    let mut response = match admitted {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if let Some(error) = &problem.error {
            warn!(request = %id, %error, "a request failed [{id}]");
        }
        let allow = response.headers_mut().remove(header::ALLOW);
        response = problem.to_response(&id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    let status = response.status();
    info!(request = %id, %method, route, status = status.as_u16(), token, "{method} {route}: {status} [{id}]");
    metrics::record_api_request(method.as_str(), route, status.as_u16(), begin.elapsed());
    response
}

/// Request ID from the caller if it is valid, otherwise a new one.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(REQUEST_ID_HEADER)
        .and_then(|it| it.to_str().ok());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits =
        |it: &&str| (1..=MAX_REQUEST_ID_BYTES).contains(&it.len()) && it.chars().all(is_plain);
    given.filter(fits).map_or_else(new_reference, str::to_owned)
}
