//! HTTP server in this process, shared by the stand-ins for third-party servers. Records requests
//! and injects faults.

use std::{
    convert::Infallible,
    future::{pending, ready},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::{net::TcpListener, task::JoinHandle};

/// Received request, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// Method, path and query, such as `GET /lake?list-type=2`.
    pub line: String,
    /// Value of the `Host` header.
    pub host: String,
    /// True if the request had an `Authorization` header.
    pub authorized: bool,
}

#[derive(Clone)]
enum Fault {
    Redirect(StatusCode, String, String),
    Endless(StatusCode),
    Hang,
    Stall(StatusCode),
    Garbage(StatusCode),
    Recorded(StatusCode, HeaderMap, String),
    /// The number is that of the requests which are still answered.
    After(usize, StatusCode),
}

#[derive(Default)]
struct Inner {
    asked: Mutex<Vec<ReceivedRequest>>,
    fault: Mutex<Option<Fault>>,
}

/// HTTP server that stops on drop.
pub struct Server {
    address: SocketAddr,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves the app that `app` creates for its address, on a free port.
    pub async fn start(app: impl FnOnce(SocketAddr) -> Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::<Inner>::default();
        let gate = middleware::from_fn_with_state(inner.clone(), gate);
        let app = app(address).layer(gate);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            inner,
            serving,
        }
    }

    /// URL by IP address: plain HTTP, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Method, path and query of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.received_requests()
            .into_iter()
            .map(|asked| asked.line)
            .collect()
    }

    /// Every request so far.
    pub fn received_requests(&self) -> Vec<ReceivedRequest> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// Accepts requests but never answers.
    pub fn hang(&self) {
        self.set_fault(Fault::Hang);
    }

    /// Answers with this status and the start of a body, then stalls.
    pub fn stall(&self, status: u16) {
        self.set_fault(Fault::Stall(code(status)));
    }

    /// Answers with this status and an endless body.
    pub fn answer_endlessly(&self, status: u16) {
        self.set_fault(Fault::Endless(code(status)));
    }

    /// Answers with this status and a binary body.
    pub fn answer_garbage(&self, status: u16) {
        self.set_fault(Fault::Garbage(code(status)));
    }

    /// Answers as a real server did: with this status, these headers and this body.
    pub fn answer_recorded(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        self.set_fault(Fault::Recorded(
            code(status),
            headers.collect(),
            body.into(),
        ));
    }

    /// Redirects all requests to `url`, with this status and body.
    pub fn redirect_with(&self, status: u16, url: &str, body: String) {
        self.set_fault(Fault::Redirect(code(status), url.into(), body));
    }

    /// Answers the next `count` requests, and all further ones with this status.
    pub fn fail_after(&self, count: usize, status: u16) {
        self.set_fault(Fault::After(count, code(status)));
    }

    /// Clears the injected fault.
    pub fn recover(&self) {
        *self.inner.fault.lock().unwrap() = None;
    }

    fn set_fault(&self, fault: Fault) {
        *self.inner.fault.lock().unwrap() = Some(fault);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

async fn gate(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    inner.asked.lock().unwrap().push(ReceivedRequest {
        line: format!("{} {}", request.method(), request.uri()),
        host: host.map_or_else(String::new, |host| host.to_str().unwrap().into()),
        authorized: request.headers().contains_key(header::AUTHORIZATION),
    });
    let fault = {
        let mut fault = inner.fault.lock().unwrap();
        let now = fault.clone();
        if let Some(Fault::After(left, _)) = &mut *fault {
            *left = left.saturating_sub(1);
        }
        now
    };
    match fault {
        None | Some(Fault::After(1.., _)) => next.run(request).await,
        Some(Fault::After(0, status)) => status.into_response(),
        Some(Fault::Hang) => pending().await,
        Some(Fault::Redirect(status, url, body)) => {
            (status, [(header::LOCATION, url)], body).into_response()
        }
        Some(Fault::Recorded(status, headers, body)) => (status, headers, body).into_response(),
        Some(Fault::Garbage(status)) => (status, &b"\x00\xff\xfe<{\x80"[..]).into_response(),
        // White space may start both XML and JSON, so no parser fails early.
        Some(Fault::Endless(status)) => {
            let chunk = Bytes::from_static(&[b' '; 4096]);
            let body = stream::repeat(Ok::<_, Infallible>(chunk));
            (status, Body::from_stream(body)).into_response()
        }
        Some(Fault::Stall(status)) => {
            let body = stream::once(ready(Ok::<_, Infallible>(" "))).chain(stream::pending());
            (status, Body::from_stream(body)).into_response()
        }
    }
}
