//! Web page on which a person uses the loopback like Discord. [`page_state`] produces its content,
//! [`actions`] and [`commands`] handle its requests. Serves HTTP.
//!
//! | request | response |
//! | --- | --- |
//! | `GET /` | the page; its scripts and styles are beside it |
//! | `GET /chat/events?as=<person ID>` | the whole state as a server-sent event, at each change |
//! | `POST /chat/<action>` | result of a person's action; 400 with `{"error": "a sentence"}` |

mod actions;
mod commands;
mod fault_buttons;
mod page_state;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use serde::Deserialize;

use crate::shared::Shared;

/// Maximum delay before the page shows changes that only time causes, such as a failed interaction.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);
/// Policy that allows only the page's own scripts and styles, and nothing from messages.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! page {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("page/", $name)))),*]
    };
}

/// Files of the page.
const FILES: [(&str, &str); 17] = page![
    "index.html",
    "page.css",
    "commands.js",
    "composer.js",
    "dom.js",
    "main.js",
    "markdown.js",
    "messages.js",
    "modal.js",
    "overflow.js",
    "parts.js",
    "people.js",
    "picker.js",
    "server.js",
    "times.js",
    "trouble.js",
    "state.js"
];

/// Routes of the page.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    let mut routes = Router::new().route("/chat/events", get(events));
    for (name, text) in FILES {
        let path = match name {
            "index.html" => "/".to_owned(),
            name => format!("/{name}"),
        };
        routes = routes.route(&path, get(move || async move { file(name, text) }));
    }
    let routes = routes.merge(actions::routes()).merge(commands::routes());
    routes.layer(middleware::from_fn(reject_foreign_hosts))
}

/// Rejects requests for other host names, to prevent DNS rebinding: a foreign page could point its
/// own name to this address.
async fn reject_foreign_hosts(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let mut answer = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let headers = answer.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn file(name: &str, text: &'static str) -> impl IntoResponse {
    let kind = match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript",
        Some((_, "css")) => "text/css",
        _ => "text/html; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], text)
}

#[derive(Deserialize)]
struct EventsQuery {
    r#as: Option<String>,
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<EventsQuery>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let wanted = query.r#as.and_then(|id| id.parse().ok());
    let changes = shared.changes();
    let begin = (shared, changes, String::new());
    let states = stream::unfold(begin, move |(shared, mut changes, mut last)| async move {
        loop {
            changes.mark_unchanged();
            let state = shared
                .read(|state| page_state::for_person(state, wanted))
                .to_string();
            if state != last {
                last.clone_from(&state);
                return Some((Ok(Event::default().data(state)), (shared, changes, last)));
            }
            // Check again after a change or the interval, whichever comes first.
            let _ = tokio::time::timeout(REFRESH_INTERVAL, changes.changed()).await;
        }
    });
    Sse::new(states)
}
