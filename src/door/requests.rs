//! Requests to DuckDB's UI server.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use hyper::{
    Request,
    header::{self, HeaderValue},
};
use tokio::time::timeout;

use super::{
    activity::INTERRUPT_PATH,
    body::{Body, ProxyError, full_body},
    flow::{CONNECTION, Flow},
};

/// Header with DuckDB's version in the answer to `GET /info`.
const VERSION: &str = "x-duckdb-version";
/// Time until statements that were interrupted and go on are interrupted again.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(250);

/// Request that posts a body.
pub(super) fn post(path: &'static str, body: impl Into<Bytes>) -> Request<Body> {
    let mut request = Request::new(full_body(body));
    *request.method_mut() = hyper::Method::POST;
    *request.uri_mut() = hyper::Uri::from_static(path);
    // The client replaces it by DuckDB's own, without which DuckDB refuses the request.
    let origin = HeaderValue::from_static("http://localhost");
    request.headers_mut().insert(header::ORIGIN, origin);
    request
}

/// Returns DuckDB's version, such as `v1.5.5`. `None` if its answer has none.
pub(super) async fn version(flow: &Flow) -> Result<Option<String>, ProxyError> {
    let mut request = post("/info", "");
    *request.method_mut() = hyper::Method::GET;
    let answer = flow.forward(request).await?;
    let version = answer.headers().get(VERSION);
    let version = version.and_then(|it| it.to_str().ok());
    Ok(version.map(ToOwned::to_owned))
}

/// Interrupts a connection, in the queue or in DuckDB.
pub(super) async fn interrupt(flow: &Flow, connection: &HeaderValue) -> Result<(), ProxyError> {
    let mut request = post(INTERRUPT_PATH, "");
    request.headers_mut().insert(CONNECTION, connection.clone());
    flow.forward(request).await?;
    Ok(())
}

/// Interrupts a connection until its statements have ended. Returns their outcome.
pub(super) async fn interrupt_until_ended<T>(
    flow: &Flow,
    connection: &HeaderValue,
    mut statements: Pin<&mut impl Future<Output = T>>,
) -> T {
    loop {
        // If DuckDB does not answer, the statements end too.
        let _ = interrupt(flow, connection).await;
        // An interrupt that comes before DuckDB has begun is lost, so it is repeated.
        if let Ok(outcome) = timeout(INTERRUPT_INTERVAL, &mut statements).await {
            return outcome;
        }
    }
}
