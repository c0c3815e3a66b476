//! What the stand-ins for other people's servers share: an HTTP server in this
//! process that remembers what it was asked, and misbehaves when told to.

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
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use tokio::{net::TcpListener, task::JoinHandle};

/// A request, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// Such as `GET /lake?list-type=2`.
    pub line: String,
    /// What was dialled: the `Host` header.
    pub host: String,
    /// Whether it came with an `Authorization` header.
    pub authorized: bool,
}

#[derive(Clone)]
enum Fault {
    Redirect(StatusCode, String, String),
    Endless(StatusCode),
    Hang,
    Stall(StatusCode),
    Garbage(StatusCode),
}

#[derive(Default)]
struct Inner {
    asked: Mutex<Vec<ReceivedRequest>>,
    fault: Mutex<Option<Fault>>,
}

/// The server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves, on a port of its own, the app made for it.
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

    /// Its endpoint, by address: plain http, no slash at the end.
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

    /// From now on it takes requests and never answers.
    pub fn hang(&self) {
        self.set_fault(Fault::Hang);
    }

    /// From now on it answers with this status and the start of a body, and then nothing.
    pub fn stall(&self, status: u16) {
        self.set_fault(Fault::Stall(code(status)));
    }

    /// From now on its answers have this status and a body that never ends.
    pub fn answer_endlessly(&self, status: u16) {
        self.set_fault(Fault::Endless(code(status)));
    }

    /// From now on its answers have this status and a body that is not even text.
    pub fn answer_garbage(&self, status: u16) {
        self.set_fault(Fault::Garbage(code(status)));
    }

    /// From now on it sends everyone to `url`, with this status and body.
    pub fn redirect_with(&self, status: u16, url: &str, body: String) {
        self.set_fault(Fault::Redirect(code(status), url.into(), body));
    }

    /// It answers properly again.
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
    let fault = inner.fault.lock().unwrap().clone();
    match fault {
        None => next.run(request).await,
        Some(Fault::Hang) => pending().await,
        Some(Fault::Redirect(status, url, body)) => {
            (status, [(header::LOCATION, url)], body).into_response()
        }
        Some(Fault::Garbage(status)) => (status, &b"\x00\xff\xfe<{\x80"[..]).into_response(),
        // White space may start both XML and JSON: no parser is rid of it early.
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
