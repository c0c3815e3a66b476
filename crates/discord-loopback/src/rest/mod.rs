//! REST v10: reads a request, finds its route, applies faults and the interceptor, and responds.
//! Does I/O; the handlers in the submodules only change the state.

mod commands;
mod identity;
mod interactions;
mod messages;
mod multipart;
mod request;
mod routes;
mod webhooks;

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{self, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::request::{ApiRequest, ApiResponse};
use self::routes::Route;
use crate::api_error::{ApiError, INVALID_JSON, NO_SUCH_ROUTE, UNAUTHORIZED};
use crate::faults::{FaultEffect, Interception, Interceptor, RestCall};
use crate::shared::Shared;
use crate::state::State;
use crate::transcript::RestExchange;

/// Serves one request.
pub(crate) async fn serve(
    extract::State(shared): extract::State<Arc<Shared>>,
    request: Request,
) -> Response {
    if shared.read(|state| state.controls.offline) {
        cut();
    }
    let (parts, body) = request.into_parts();
    // The limit is far above Discord's. An incomplete body counts as empty.
    let bytes = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let path = parts.uri.path();
    let (path, found) = match path.strip_prefix("/api/v10") {
        Some(path) => (path, routes::find(parts.method.as_str(), path)),
        None => (path, None),
    };
    let route = found.as_ref().map_or(path, |(route, _)| route.template);
    let exchange = RestExchange {
        method: parts.method.to_string(),
        route: route.to_owned(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        request: parse_body(&parts.headers, &bytes),
        status: None,
        response: None,
    };
    let answer = answer(&shared, exchange, found, &parts.headers).await;
    send(&shared, answer)
}

type RouteMatch = (&'static Route, Vec<(&'static str, String)>);

/// Returns the response to a request, and the request's index in the transcript.
async fn answer(
    shared: &Shared,
    exchange: RestExchange,
    found: Option<RouteMatch>,
    headers: &HeaderMap,
) -> (usize, ApiResponse) {
    let call = exchange.call();
    let at = shared.change(|state| state.transcript.add_request(exchange.clone()));
    let (interceptor, effect) = shared.read(|state| {
        (
            state.controls.interceptor.clone(),
            state.controls.take_effect(&call),
        )
    });
    let replacement = before(&effect, interceptor.as_deref(), &call).await;
    let answer = match (&effect, replacement, found) {
        (Some(FaultEffect::Respond(error)), ..) => error.clone().into(),
        (_, Some(answer), _) => answer,
        (_, _, None) => ApiError::from(NO_SUCH_ROUTE).into(),
        (_, _, Some((route, params))) => {
            let authorization = headers
                .get(header::AUTHORIZATION)
                .and_then(|it| it.to_str().ok());
            let request = ApiRequest {
                params,
                query: exchange.query,
                authorization: authorization.unwrap_or("").to_owned(),
                body: exchange.request.unwrap_or_default(),
            };
            shared.change(|state| handle(state, route, &request))
        }
    };
    let replacement = after(&effect, interceptor.as_deref(), &call).await;
    (at, replacement.unwrap_or(answer))
}

/// Parses the body as JSON. Other text becomes a string, for the transcript.
fn parse_body(headers: &HeaderMap, bytes: &Bytes) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let form = kind.and_then(|kind| multipart::payload(kind, bytes));
    let json = form.or_else(|| serde_json::from_slice(bytes).ok());
    Some(json.unwrap_or_else(|| String::from_utf8_lossy(bytes).into()))
}

fn handle(state: &mut State, route: &Route, request: &ApiRequest) -> ApiResponse {
    if request.body.is_string() {
        return ApiError::from(INVALID_JSON).into();
    }
    let expected = format!("Bot {}", state.application.token);
    if route.needs_token && request.authorization != expected {
        return ApiError::from(UNAUTHORIZED).into();
    }
    (route.run)(state, request).unwrap_or_else(ApiResponse::from)
}

/// Runs the fault and the interceptor before the call. Returns a response that replaces Discord's.
async fn before(
    effect: &Option<FaultEffect>,
    interceptor: Option<&dyn Interceptor>,
    call: &RestCall,
) -> Option<ApiResponse> {
    match effect {
        Some(FaultEffect::Delay(by)) => tokio::time::sleep(*by).await,
        Some(FaultEffect::CutBefore) => cut(),
        _ => {}
    }
    apply_interception(interceptor?.before(call).await)
}

async fn after(
    effect: &Option<FaultEffect>,
    interceptor: Option<&dyn Interceptor>,
    call: &RestCall,
) -> Option<ApiResponse> {
    let replacement = match interceptor {
        Some(interceptor) => apply_interception(interceptor.after(call).await),
        None => None,
    };
    if *effect == Some(FaultEffect::CutAfter) {
        cut();
    }
    replacement
}

fn apply_interception(interception: Interception) -> Option<ApiResponse> {
    match interception {
        Interception::Continue => None,
        Interception::Drop => cut(),
        Interception::Respond(status, body) => Some(ApiResponse {
            status,
            body: Some(serde_json::from_str(&body).unwrap_or(body.into())),
            is_from_discord: false,
        }),
    }
}

/// Ends the task of this connection, and thus the connection, before anything is sent.
///
/// axum has no other way to send no response. `resume_unwind` prints no panic message.
fn cut() -> ! {
    std::panic::resume_unwind(Box::new("the loopback Discord cuts this connection"))
}

fn send(shared: &Shared, (at, answer): (usize, ApiResponse)) -> Response {
    let exchange = shared.change(|state| {
        state
            .transcript
            .add_response(at, answer.status, answer.body.as_ref())
    });
    if let Some(observer) = shared.observer()
        && answer.is_from_discord
    {
        observer(&exchange);
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(body) = answer.body else {
        return (status, Body::empty()).into_response();
    };
    if let Value::String(text) = body {
        // Proxies in front of Discord send text instead of JSON when they fail.
        return (status, text).into_response();
    }
    let mut response = (status, axum::Json(&body)).into_response();
    if let Some(seconds) = body["retry_after"].as_f64() {
        // The header has whole seconds, rounded up; the body has the exact time.
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, (seconds.ceil() as u64).into());
    }
    response
}
