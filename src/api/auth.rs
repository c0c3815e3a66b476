//! Who asks: by a token, of which only the digest is known. Each request passes here, is named,
//! paced, logged and counted.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use ring::digest::{SHA256, digest};
use tracing::{info, warn};

use super::{
    Api,
    problem::{Problem, ProblemType},
};
use crate::{error::new_reference, metrics, service::Requester, settings};

/// The header with a request's name, which the caller may choose.
const REQUEST_ID_HEADER: &str = "x-request-id";
/// The most characters of such a name.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// Whoever asks.
#[derive(Debug, Clone)]
pub struct Principal {
    /// In whose name.
    pub who: Requester,
    /// Whether they may use the keys that this person has handed in.
    pub stored_keys: bool,
}

/// All who may ask.
pub struct Authenticator {
    clients: HashMap<[u8; 32], ApiClient>,
    anonymous: Option<ApiClient>,
}

struct ApiClient {
    principal: Principal,
    pace: DefaultDirectRateLimiter,
}

impl Authenticator {
    /// Lets in whom the settings name.
    pub fn new(settings: &settings::Api) -> Self {
        let client = |principal| ApiClient {
            principal,
            pace: RateLimiter::direct(Quota::per_minute(settings.requests_per_minute)),
        };
        let tokens = settings.tokens.iter().map(|token| {
            let who = Requester {
                id: token.owner,
                display_name: token.name.clone(),
                is_admin: token.admin,
            };
            let stored_keys = token.stored_keys;
            (token.digest, client(Principal { who, stored_keys }))
        });
        let anonymous = settings.anonymous.map(|owner| {
            let who = Requester {
                id: owner,
                display_name: "somebody".to_owned(),
                is_admin: false,
            };
            let stored_keys = true;
            client(Principal { who, stored_keys })
        });
        Self {
            clients: tokens.collect(),
            anonymous,
        }
    }

    /// Who sends these headers.
    ///
    /// # Errors
    /// If they show no token that is known here, or come too often.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Problem> {
        let client = match headers.get(header::AUTHORIZATION) {
            None => self.anonymous.as_ref(),
            // Whoever shows a token means it, also where none is needed.
            Some(shown) => bearer(shown).and_then(|token| {
                let digest = digest(&SHA256, token.as_bytes());
                self.clients.get(digest.as_ref())
            }),
        };
        let client = client.ok_or_else(|| {
            let says = "Send a token that is known here: `Authorization: Bearer …`.";
            Problem::new(ProblemType::Unauthorized, says)
        })?;
        client.pace.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let seconds = wait.as_secs() + 1;
            let says = format!("Too many requests with this token. Wait {seconds} s.");
            Problem::new(ProblemType::TooManyRequests, says)
                .retry_after(Duration::from_secs(seconds))
        })?;
        Ok(client.principal.clone())
    }
}

fn bearer(shown: &HeaderValue) -> Option<&str> {
    let (scheme, token) = shown.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets a request in or turns it away; names, logs and counts it.
pub async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let id: Arc<str> = request_id(request.headers()).into();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("?", MatchedPath::as_str);
    let admitted = api.authenticator.authenticate(request.headers());
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

/// The name that the caller chose, if it is one, or a fresh one.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(REQUEST_ID_HEADER)
        .and_then(|it| it.to_str().ok());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits =
        |it: &&str| (1..=MAX_REQUEST_ID_BYTES).contains(&it.len()) && it.chars().all(is_plain);
    given.filter(fits).map_or_else(new_reference, str::to_owned)
}
