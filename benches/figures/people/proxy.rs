//! Floor of the door: a bare proxy that checks a constant cookie, and forwards to DuckDB's UI.

use std::net::Ipv4Addr;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::{TcpListener, TcpStream};

/// Port of the proxy.
pub const PORT: u16 = 9000;
/// Path that sets the cookie, and the cookie.
pub const ENTER: &str = "/enter-by-the-key-of-the-floor";
const COOKIE: &str = "floor=the-key-of-the-floor";
/// Host that DuckDB's UI requires.
const DUCKDB: &str = "localhost:4213";

/// DuckDB's UI, and its address.
#[derive(Clone)]
struct DuckDb {
    client: Client<HttpConnector, Body>,
    address: &'static str,
}

/// Serves until the process is killed.
pub async fn serve() {
    let mut builder = Client::builder(TokioExecutor::new());
    // As the door: on an open connection, DuckDB's answer waits for an acknowledgement.
    let client = builder.pool_max_idle_per_host(0).build_http();
    // In a Pod, `localhost` may be either for DuckDB.
    let [v6, v4] = ["[::1]:4213", "127.0.0.1:4213"];
    let is_v6 = TcpStream::connect(v6).await.is_ok();
    let address = if is_v6 { v6 } else { v4 };
    let app = Router::new().fallback(answer);
    let app = app.with_state(DuckDb { client, address });
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT));
    axum::serve(listener.await.unwrap(), app).await.unwrap();
}

async fn answer(State(duckdb): State<DuckDb>, mut request: Request) -> Response {
    let path = request.uri().path();
    if path == ENTER {
        let headers = [(header::SET_COOKIE, COOKIE), (header::LOCATION, "/")];
        return (StatusCode::SEE_OTHER, headers).into_response();
    }
    if request.headers().get(header::COOKIE) != Some(&HeaderValue::from_static(COOKIE)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    *request.uri_mut() = format!("http://{}{path}", duckdb.address).parse().unwrap();
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static(DUCKDB));
    headers.remove(header::COOKIE);
    duckdb
        .client
        .request(request)
        .await
        .unwrap()
        .into_response()
}
