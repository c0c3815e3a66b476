//! Proxy between the bot and the API server that records calls and injects faults. Other calls go
//! to the real server and back unchanged.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use discord_loopback::{Interception, Interceptor, RestCall};
use futures_util::{Stream, StreamExt};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{io::copy_bidirectional, net::TcpListener, sync::watch, task::JoinHandle};

use crate::cluster::Cluster;

/// Injected fault of a call.
#[derive(Debug, Clone)]
pub enum ApiFault {
    /// No response for this time, and the call never reaches the server.
    Hang(Duration),
    /// Response with this status and message, in the API server's format.
    Answer(u16, String),
    /// The server carries out the call, but the response is 503.
    LostAnswer,
    /// Status 200 with this body, such as an outdated list or events of a watch.
    Body(Value),
}

/// State of the open watches.
#[derive(Debug, Clone, Copy)]
enum WatchMode {
    Flow,
    Silent,
    Cut,
}

type FaultRule = Box<dyn Fn(&RestCall) -> Option<ApiFault> + Send + Sync>;

struct Inner {
    server: String,
    client: reqwest::Client,
    calls: Mutex<Vec<RestCall>>,
    count: watch::Sender<usize>,
    accepted: Mutex<Vec<(String, String)>>,
    fault: Mutex<Option<FaultRule>>,
    interceptor: Mutex<Option<Arc<dyn Interceptor>>>,
    watches: watch::Sender<WatchMode>,
}

/// Running proxy. Stops on drop.
pub struct Proxy {
    pub url: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start() -> Self {
        let config = Cluster::shared().config().await;
        let authority = std::fs::read(Cluster::shared().authority()).unwrap();
        let client = reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(&authority).unwrap())
            .no_proxy()
            // `exec` needs an upgrade, which HTTP/2 does not have.
            .http1_only()
            .build()
            .unwrap();
        let inner = Arc::new(Inner {
            server: config.cluster_url.to_string(),
            client,
            calls: Mutex::default(),
            count: watch::Sender::new(0),
            accepted: Mutex::default(),
            fault: Mutex::default(),
            interceptor: Mutex::default(),
            watches: watch::Sender::new(WatchMode::Flow),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(pass).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inner, task }
    }

    /// Injects the faults that `rule` returns.
    pub fn set_faults(&self, rule: impl Fn(&RestCall) -> Option<ApiFault> + Send + Sync + 'static) {
        *self.inner.fault.lock().unwrap() = Some(Box::new(rule));
    }

    /// Stops injecting faults.
    pub fn clear_faults(&self) {
        *self.inner.fault.lock().unwrap() = None;
    }

    /// Silences the watches that are open now, as if a firewall had dropped their connection. Later
    /// watches work.
    pub fn silence_watches(&self) {
        self.inner.watches.send_replace(WatchMode::Silent);
    }

    /// Ends the watches that are open now. Later watches work.
    pub fn cut_watches(&self) {
        self.inner.watches.send_replace(WatchMode::Cut);
    }

    /// Calls `interceptor` before and after each call. `None` removes it.
    pub fn set_interceptor(&self, interceptor: Option<Arc<dyn Interceptor>>) {
        *self.inner.interceptor.lock().unwrap() = interceptor;
    }

    /// Waits until a call has arrived `times` times.
    pub async fn wait_for_call(&self, method: &str, route: &str, times: usize) {
        let mut count = self.inner.count.subscribe();
        let same = |call: &&RestCall| call.method == method && call.route == route;
        let enough = || self.calls().iter().filter(same).count() >= times;
        let waited = async { while !enough() && count.changed().await.is_ok() {} };
        let waited = tokio::time::timeout(Duration::from_secs(30), waited).await;
        assert!(
            waited.is_ok(),
            "{method} {route} did not arrive {times} times"
        );
    }

    /// Values of the `Accept` header in calls such as `GET secrets/{name}`.
    pub fn accept_headers(&self, call: &str) -> Vec<String> {
        let all = self.inner.accepted.lock().unwrap();
        let same = all.iter().filter(|(what, _)| what == call);
        same.map(|(_, accept)| accept.clone()).collect()
    }

    /// Returns the calls so far.
    pub fn calls(&self) -> Vec<RestCall> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// Returns the calls after the first `before` ones, such as `PUT configmaps/{name}`, without watches and sorted.
    pub fn calls_since(&self, before: usize) -> Vec<String> {
        let calls = self.calls().split_off(before);
        let calls = calls.iter().filter(|call| call.method != "WATCH");
        let mut calls: Vec<_> = calls
            .map(|call| format!("{} {}", call.method, call.route))
            .collect();
        calls.sort();
        calls
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Describes a request as method and route, such as `POST pods`, `GET secrets/{name}` or `WATCH
/// pods`. `LIST pods` is a watch that begins with a list.
fn describe(request: &Request) -> RestCall {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let method = match request.method().as_str() {
        _ if query.contains("sendInitialEvents=true") => "LIST",
        _ if is_watch(request) => "WATCH",
        method => method,
    };
    let mut words = path
        .split('/')
        .skip_while(|word| *word != "namespaces")
        .skip(2);
    let resource = words
        .next()
        .unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default());
    let route = match words.next() {
        Some(_) => format!("{resource}/{{name}}"),
        None => resource.to_owned(),
    };
    RestCall {
        method: method.to_owned(),
        route,
        path,
    }
}

fn is_watch(request: &Request) -> bool {
    let query = request.uri().query();
    query.is_some_and(|query| query.contains("watch=true"))
}

/// Passes a stream on until the state of the open watches changes.
fn until_cut<T: Send + 'static>(
    stream: impl Stream<Item = T> + Send + 'static,
    fate: watch::Receiver<WatchMode>,
) -> impl Stream<Item = T> + Send {
    let begun = (Box::pin(stream), fate);
    futures_util::stream::unfold(begun, |(mut stream, mut fate)| async move {
        let item = tokio::select! {
            item = stream.next() => item?,
            _ = fate.changed() => {
                if matches!(*fate.borrow(), WatchMode::Silent) {
                    std::future::pending::<()>().await;
                }
                return None;
            }
        };
        Some((item, (stream, fate)))
    })
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let call = describe(&request);
    inner.calls.lock().unwrap().push(call.clone());
    inner.count.send_modify(|count| *count += 1);
    if let Some(accept) = request.headers().get(header::ACCEPT) {
        let what = format!("{} {}", call.method, call.route);
        let accept = accept.to_str().unwrap().to_owned();
        inner.accepted.lock().unwrap().push((what, accept));
    }
    let interceptor = inner.interceptor.lock().unwrap().clone();
    if let Some(interceptor) = &interceptor
        && let Some(instead) = instead_of(interceptor.before(&call).await)
    {
        return instead;
    }
    let fault = inner
        .fault
        .lock()
        .unwrap()
        .as_ref()
        .and_then(|rule| rule(&call));
    let answer = match fault {
        Some(ApiFault::Hang(time)) => {
            tokio::time::sleep(time).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Some(ApiFault::Answer(code, message)) => status(code, &message),
        Some(ApiFault::Body(json)) => axum::Json(json).into_response(),
        Some(ApiFault::LostAnswer) => {
            forward(&inner, request).await;
            status(503, "the answer was lost")
        }
        None => forward(&inner, request).await,
    };
    let instead = match interceptor {
        Some(interceptor) => instead_of(interceptor.after(&call).await),
        None => None,
    };
    instead.unwrap_or(answer)
}

/// Returns the response to send instead, if any.
fn instead_of(verdict: Interception) -> Option<Response> {
    match verdict {
        Interception::Continue => None,
        // Ends the connection without a response, as the loopback Discord does.
        Interception::Drop => std::panic::resume_unwind(Box::new("the proxy cuts this connection")),
        Interception::Respond(code, body) => {
            let code = StatusCode::from_u16(code).unwrap();
            let mut response = (code, body).into_response();
            let headers = response.headers_mut();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            if code == StatusCode::TOO_MANY_REQUESTS {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Some(response)
        }
    }
}

fn status(code: u16, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code,
    });
    let code = StatusCode::from_u16(code).unwrap();
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

async fn forward(inner: &Inner, request: Request) -> Response {
    let is_watch = is_watch(&request);
    if request.headers().contains_key(header::UPGRADE) {
        return tunnel(inner, request).await;
    }
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let rest = head.uri.path_and_query().unwrap().as_str();
    let url = format!("{}{rest}", inner.server.trim_end_matches('/'));
    let sent = inner
        .client
        .request(head.method, url)
        .headers(without_host(head.headers))
        .body(body);
    match sent.send().await {
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            *response.headers_mut().unwrap() = without_host(answer.headers().clone());
            let fate = inner.watches.subscribe();
            let body = if is_watch {
                Body::from_stream(until_cut(answer.bytes_stream(), fate))
            } else {
                Body::from_stream(answer.bytes_stream())
            };
            response.body(body).unwrap()
        }
        Err(error) => status(502, &error.to_string()),
    }
}

/// Tunnels an upgraded connection, as used by `exec`.
async fn tunnel(inner: &Inner, mut request: Request) -> Response {
    let rest = request.uri().path_and_query().unwrap().as_str();
    let url = format!("{}{rest}", inner.server.trim_end_matches('/'));
    let mut headers = request.headers().clone();
    headers.remove(header::HOST);
    let asked = inner
        .client
        .get(url)
        .headers(headers)
        .version(Version::HTTP_11);
    let answer = match asked.send().await {
        Ok(answer) => answer,
        Err(error) => return status(502, &error.to_string()),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        return response;
    }
    tokio::spawn(async move {
        let ours = hyper::upgrade::on(&mut request).await.unwrap();
        let mut theirs = answer.upgrade().await.unwrap();
        // Either side may close at any time.
        let _ = copy_bidirectional(&mut TokioIo::new(ours), &mut theirs).await;
    });
    response
}

/// Removes headers that apply to one connection only.
fn without_host(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::HOST, header::TRANSFER_ENCODING, header::CONNECTION] {
        headers.remove(name);
    }
    headers
}
