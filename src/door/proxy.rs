//! The HTTP client for the servers of DuckDB. Requests and answers are streamed, never buffered whole.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{self, HeaderValue},
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower::util::BoxCloneSyncService;

use super::{
    activity::{CountedBody, CountedRequest},
    body::{Body, BodyError, ProxyError, full_body},
    policy::{rewrite_request_headers, rewrite_response_headers},
};

/// Maximum size of a read from DuckDB. A smaller one is slower, a larger one only costs memory.
const MAX_BUFFER_BYTES: usize = 256 << 10;
/// Maximum time for DuckDB to answer when the bot asks whether it is ready.
const PROBE_TIMEOUT: Duration = Duration::from_millis(800);

/// Time for which a connection stays open without a request. DuckDB closes it after 10 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

type Resolver = BoxCloneSyncService<Name, std::array::IntoIter<SocketAddr, 2>, Infallible>;

/// A server of DuckDB in the same Pod: that of the UI, or that of clients.
#[derive(Clone)]
pub(super) struct DuckDbClient {
    client: Client<HttpConnector<Resolver>, Body>,
    /// Host and port that DuckDB requires in `Host` and `Origin`.
    name: &'static str,
}

impl DuckDbClient {
    /// Creates a client for the UI server on a port of `localhost`.
    pub(super) fn new(port: u16) -> Self {
        // DuckDB 1.4.4 was seen to listen on ::1 in a Pod, and on 127.0.0.1 on most machines.
        // Each open connection blocks one of DuckDB's few threads until it closes. A new connection on
        // the same machine costs nothing.
        let idle = 0;
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        Self::at([v6, SocketAddr::from((Ipv4Addr::LOCALHOST, port))], idle)
    }

    /// Creates a client for a server of DuckDB at the first of these addresses that accepts. They have the same
    /// port. At most `idle` connections stay open without a request.
    pub(super) fn at(addresses: [SocketAddr; 2], idle: usize) -> Self {
        let port = addresses[0].port();
        let resolve =
            tower::service_fn(
                move |_: Name| async move { Ok::<_, Infallible>(addresses.into_iter()) },
            );
        let mut connector = HttpConnector::new_with_resolver(BoxCloneSyncService::new(resolve));
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new())
                .http1_max_buf_size(MAX_BUFFER_BYTES)
                .pool_max_idle_per_host(idle)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_timer(TokioTimer::new())
                .build(connector),
            // Leaked once per door, so the amount is bounded.
            name: Box::leak(format!("localhost:{port}").into_boxed_str()),
        }
    }

    /// Returns true if DuckDB answers a request with success.
    pub(super) async fn is_up(&self) -> bool {
        let mut request = Request::new(full_body(""));
        *request.uri_mut() = self.uri("/info");
        let answer = tokio::time::timeout(PROBE_TIMEOUT, self.client.request(request)).await;
        matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
    }

    /// Opens DuckDB's endless stream of events.
    ///
    /// # Errors
    /// Returns [`ProxyError::Unavailable`] if DuckDB does not answer.
    pub(super) async fn open_events(&self) -> Result<Response<Incoming>, ProxyError> {
        let mut request = Request::new(full_body(""));
        *request.uri_mut() = self.uri("/localEvents");
        let answer = self.client.request(request).await;
        let mut answer = answer.map_err(|error| ProxyError::from_source(&error))?;
        rewrite_response_headers(answer.headers_mut());
        Ok(answer)
    }

    /// Passes a request to DuckDB and returns its answer. `counted` is held until the answer's body
    /// ends.
    ///
    /// # Errors
    /// Returns [`ProxyError::Unavailable`] if DuckDB does not answer, or the error of the request's
    /// body.
    pub(super) async fn forward(
        &self,
        mut request: Request<Body>,
        counted: Option<CountedRequest>,
    ) -> Result<Response<Body>, ProxyError> {
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let uri = self.uri(path);
        *request.uri_mut() = uri;
        let protocol = request.headers().get(header::UPGRADE).cloned();
        let browser = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        rewrite_request_headers(request.headers_mut(), self.name);
        if let Some(protocol) = protocol {
            upgrade_to(request.headers_mut(), protocol);
        }
        let client = self.client.clone();
        let is_counted = counted.is_some();
        let asking = async move { (client.request(request).await, counted) };
        let (answer, counted) = if is_counted {
            // It has its own task: it occupies DuckDB, and counts, after its browser is gone.
            let asked = tokio::spawn(asking).await;
            asked.map_err(|_| ProxyError::Unavailable)?
        } else {
            asking.await
        };
        let mut answer = answer.map_err(|error| ProxyError::from_source(&error))?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let protocol = answer.headers().get(header::UPGRADE).cloned();
            let duckdb = hyper::upgrade::on(&mut answer);
            rewrite_response_headers(answer.headers_mut());
            let (Some(browser), Some(protocol)) = (browser, protocol) else {
                return Err(ProxyError::Unavailable);
            };
            upgrade_to(answer.headers_mut(), protocol);
            tokio::spawn(async move {
                if let (Ok(browser), Ok(duckdb)) = tokio::join!(browser, duckdb) {
                    let (mut browser, mut duckdb) = (TokioIo::new(browser), TokioIo::new(duckdb));
                    // Errors are ignored: if one side closes, the other side notices.
                    let _ = tokio::io::copy_bidirectional(&mut browser, &mut duckdb).await;
                }
            });
            return Ok(answer.map(|_| full_body("")));
        }
        rewrite_response_headers(answer.headers_mut());
        Ok(answer.map(|body| counted_body(body, counted)))
    }

    fn uri(&self, path: &str) -> Uri {
        let uri = format!("http://{}{path}", self.name);
        // The path comes from a valid URI, so this always parses.
        uri.parse().unwrap_or_default()
    }
}

/// Body of DuckDB's answer. Holds `counted` until it ends.
pub(super) fn counted_body(body: Incoming, counted: Option<CountedRequest>) -> Body {
    let body = CountedBody { body, counted };
    body.map_err(|error| BodyError(error.into())).boxed_unsync()
}

fn upgrade_to(headers: &mut hyper::HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}
