//! REST v10: reads a request, finds its route, lets faults and the gate have their say, answers.
//! Does I/O; the handlers in the files beside this one only change the world.

mod commands;
mod identity;
mod interactions;
mod messages;
mod multipart;
mod routes;
mod webhooks;

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{self, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::routes::Route;
use super::api_error::{ApiError, INVALID_JSON, NO_SUCH_ROUTE, UNAUTHORIZED};
use super::faults::{Call, Effect, Gate, Verdict};
use super::model::State;
use super::shared::Shared;
use super::snowflake::Snowflake;
use super::transcript::Exchange;

/// What the bot asks for.
struct Ask {
    /// What the placeholders of the route stand for.
    params: Vec<(&'static str, String)>,
    query: String,
    authorization: String,
    /// Null if there is none.
    body: Value,
}

/// What it gets.
struct Answer {
    status: u16,
    body: Option<Value>,
    /// Whether it is Discord that says so, and not a gate.
    is_discords: bool,
}

type Outcome = Result<Answer, ApiError>;

impl Ask {
    fn text(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value)
    }

    /// An id of the path. No id is 0, so text that is none finds nothing.
    fn id(&self, name: &str) -> Snowflake {
        self.text(name).parse().unwrap_or(0)
    }
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
            is_discords: true,
        }
    }

    fn nothing() -> Self {
        Self {
            status: 204,
            body: None,
            is_discords: true,
        }
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Self {
            status: error.status,
            body: Some(error.body),
            is_discords: true,
        }
    }
}

/// Serves one request, whatever it asks for.
pub async fn serve(
    extract::State(shared): extract::State<Arc<Shared>>,
    request: Request,
) -> Response {
    if shared.look(|state| state.knobs.offline) {
        cut();
    }
    let (parts, body) = request.into_parts();
    // Far above what Discord takes; a body that breaks off counts as none.
    let bytes = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let path = parts.uri.path();
    let (path, found) = match path.strip_prefix("/api/v10") {
        Some(path) => (path, routes::find(parts.method.as_str(), path)),
        None => (path, None),
    };
    let route = found.as_ref().map_or(path, |(route, _)| route.template);
    let exchange = Exchange {
        method: parts.method.to_string(),
        route: route.to_owned(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        request: body_of(&parts.headers, &bytes),
        status: None,
        response: None,
    };
    let answer = answer(&shared, exchange, found, &parts.headers).await;
    depart(&shared, answer)
}

type Found = (&'static Route, Vec<(&'static str, String)>);

/// The answer to a recorded request, and where its record is.
async fn answer(
    shared: &Shared,
    asked: Exchange,
    found: Option<Found>,
    headers: &HeaderMap,
) -> (usize, Answer) {
    let call = asked.call();
    let at = shared.change(|state| state.record.asked(asked.clone()));
    let (gate, effect) = shared.look(|state| (state.knobs.gate.clone(), state.knobs.hit(&call)));
    let instead = before(&effect, gate.as_deref(), &call).await;
    let answer = match (&effect, instead, found) {
        (Some(Effect::Answer(error)), ..) => error.clone().into(),
        (_, Some(answer), _) => answer,
        (_, _, None) => ApiError::from(NO_SUCH_ROUTE).into(),
        (_, _, Some((route, params))) => {
            let authorization = headers
                .get(header::AUTHORIZATION)
                .and_then(|it| it.to_str().ok());
            let ask = Ask {
                params,
                query: asked.query,
                authorization: authorization.unwrap_or("").to_owned(),
                body: asked.request.unwrap_or_default(),
            };
            shared.change(|state| handle(state, route, &ask))
        }
    };
    let instead = after(&effect, gate.as_deref(), &call).await;
    (at, instead.unwrap_or(answer))
}

/// The body as JSON; what is none is kept as a string, for the record.
fn body_of(headers: &HeaderMap, bytes: &Bytes) -> Option<Value> {
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

fn handle(state: &mut State, route: &Route, ask: &Ask) -> Answer {
    if ask.body.is_string() {
        return ApiError::from(INVALID_JSON).into();
    }
    let expected = format!("Bot {}", state.application.token);
    if route.needs_token && ask.authorization != expected {
        return ApiError::from(UNAUTHORIZED).into();
    }
    (route.run)(state, ask).unwrap_or_else(Answer::from)
}

/// What is answered instead, if anything is.
async fn before(effect: &Option<Effect>, gate: Option<&dyn Gate>, call: &Call) -> Option<Answer> {
    match effect {
        Some(Effect::Delay(by)) => tokio::time::sleep(*by).await,
        Some(Effect::CutBefore) => cut(),
        _ => {}
    }
    carried_out(gate?.before(call).await)
}

async fn after(effect: &Option<Effect>, gate: Option<&dyn Gate>, call: &Call) -> Option<Answer> {
    let instead = match gate {
        Some(gate) => carried_out(gate.after(call).await),
        None => None,
    };
    if *effect == Some(Effect::CutAfter) {
        cut();
    }
    instead
}

fn carried_out(verdict: Verdict) -> Option<Answer> {
    match verdict {
        Verdict::Go => None,
        Verdict::Drop => cut(),
        Verdict::Answer(status, body) => Some(Answer {
            status,
            body: Some(serde_json::from_str(&body).unwrap_or(body.into())),
            is_discords: false,
        }),
    }
}

/// Ends the task of this connection, and with it the connection, before a byte is answered.
///
/// Axum has no other way to say nothing; unwinding without a panic message is the quiet one.
fn cut() -> ! {
    std::panic::resume_unwind(Box::new("the loopback Discord cuts this connection"))
}

fn depart(shared: &Shared, (at, answer): (usize, Answer)) -> Response {
    let exchange = shared.change(|state| {
        state
            .record
            .answered(at, answer.status, answer.body.as_ref())
    });
    if let Some(observer) = shared.observer()
        && answer.is_discords
    {
        observer(&exchange);
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(body) = answer.body else {
        return (status, Body::empty()).into_response();
    };
    if let Value::String(text) = body {
        // What stands in front of Discord says something else when it fails.
        return (status, text).into_response();
    }
    let mut response = (status, axum::Json(&body)).into_response();
    if let Some(seconds) = body["retry_after"].as_f64() {
        // Whole seconds in the header, rounded up; the exact time is in the body.
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, (seconds.ceil() as u64).into());
    }
    response
}
