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
pub struct Asked {
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
struct Inside {
    asked: Mutex<Vec<Asked>>,
    fault: Mutex<Option<Fault>>,
}

/// The server; it ends when dropped.
pub struct Server {
    address: SocketAddr,
    inside: Arc<Inside>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Serves, on a port of its own, the app made for it.
    pub async fn start(app: impl FnOnce(SocketAddr) -> Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inside = Arc::<Inside>::default();
        let gate = middleware::from_fn_with_state(inside.clone(), gate);
        let app = app(address).layer(gate);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            inside,
            serving,
        }
    }

    /// Its endpoint, by address: plain http, no slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Method, path and query of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inside.asked.lock().unwrap().clone()
    }

    /// From now on it takes requests and never answers.
    pub fn hangs(&self) {
        self.fault(Fault::Hang);
    }

    /// From now on it answers with this status and the start of a body, and then nothing.
    pub fn stalls(&self, status: u16) {
        self.fault(Fault::Stall(code(status)));
    }

    /// From now on its answers have this status and a body that never ends.
    pub fn answers_endlessly(&self, status: u16) {
        self.fault(Fault::Endless(code(status)));
    }

    /// From now on its answers have this status and a body that is not even text.
    pub fn answers_garbage(&self, status: u16) {
        self.fault(Fault::Garbage(code(status)));
    }

    /// From now on it sends everyone to `url`, with this status and body.
    pub fn redirects_with(&self, status: u16, url: &str, body: String) {
        self.fault(Fault::Redirect(code(status), url.into(), body));
    }

    /// It answers properly again.
    pub fn behaves(&self) {
        *self.inside.fault.lock().unwrap() = None;
    }

    fn fault(&self, fault: Fault) {
        *self.inside.fault.lock().unwrap() = Some(fault);
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

async fn gate(State(inside): State<Arc<Inside>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    inside.asked.lock().unwrap().push(Asked {
        line: format!("{} {}", request.method(), request.uri()),
        host: host.map_or_else(String::new, |host| host.to_str().unwrap().into()),
        authorized: request.headers().contains_key(header::AUTHORIZATION),
    });
    let fault = inside.fault.lock().unwrap().clone();
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
