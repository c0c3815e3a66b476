//! DuckDB's Quack server, which listens only while clients may connect.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::door::{
    body::ProxyError,
    decode::decode_failure,
    flow::Flow,
    proxy::DuckDbClient,
    requests::{post, version},
    ticket::random_token,
};

/// Maximum time for DuckDB to start or stop the server. A query of the session can hold it up.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of the answer to a statement.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Number of connections to the server that stay open without a request. Each blocks one of its 8 threads, and
/// clients' requests take at most 6.
const IDLE_CONNECTIONS: usize = 2;
/// Number of ports to try. Another program may take one meanwhile.
const ATTEMPTS: usize = 3;
/// Statement before each statement, so that a person's own functions of the same name are not found.
const SYSTEM_NAMES: &str = "SET search_path = 'system.main';";

/// Reasons why the server does not listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StartError {
    /// DuckDB did not answer in time.
    Busy,
    /// DuckDB has no extension `quack`.
    NoExtension,
    /// DuckDB's error.
    Failed(String),
}

impl From<ProxyError> for StartError {
    fn from(_: ProxyError) -> Self {
        Self::Busy
    }
}

/// A Quack server that listens.
pub(super) struct Server {
    pub client: DuckDbClient,
    /// Token that DuckDB requires. It never leaves the Pod.
    pub token: String,
    /// Version of DuckDB, such as `v1.5.5`.
    pub version: String,
    /// Cancelled once the keys are revoked.
    pub revoked: CancellationToken,
    address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port of this machine or Pod.
    ///
    /// # Errors
    /// If DuckDB is busy, lacks the extension or can't listen.
    pub(super) async fn start(flow: &Flow) -> Result<Self, StartError> {
        let mut last = StartError::Busy;
        for _ in 0..ATTEMPTS {
            let address = free_port().await;
            let address = address.map_err(|error| StartError::Failed(error.to_string()))?;
            match Self::start_at(address, flow).await {
                Err(StartError::Failed(error)) => last = StartError::Failed(error),
                started => return started,
            }
        }
        Err(last)
    }

    async fn start_at(address: SocketAddr, flow: &Flow) -> Result<Self, StartError> {
        let version = within(async { Ok(version(flow).await?) }).await?;
        let version = version.ok_or(StartError::Busy)?;
        let token = random_token();
        let serve = format!(
            "LOAD quack; {SYSTEM_NAMES} \
             CALL quack_serve('quack:{address}', token = '{token}', disable_ssl = true);"
        );
        match run(flow, serve).await? {
            None => Ok(Self {
                client: DuckDbClient::at([address; 2], IDLE_CONNECTIONS),
                token,
                version,
                revoked: CancellationToken::new(),
                address,
            }),
            Some(error) if error.contains("quack.duckdb_extension\" not found") => {
                Err(StartError::NoExtension)
            }
            Some(error) => {
                // The lines after the first one show the statement, with the token.
                let first = error.lines().next().unwrap_or_default();
                Err(StartError::Failed(first.replace(&token, "…")))
            }
        }
    }

    /// Returns true if the server listens. A new DuckDB in the same Pod has none.
    pub(super) async fn is_up(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }

    /// Stops listening.
    ///
    /// # Errors
    /// If DuckDB is busy or has no such server.
    pub(super) async fn stop(&self, flow: &Flow) -> Result<(), StartError> {
        let stop = format!("{SYSTEM_NAMES} CALL quack_stop('quack:{}');", self.address);
        match run(flow, stop).await? {
            None => Ok(()),
            Some(error) => Err(StartError::Failed(error)),
        }
    }
}

/// Finds a free port.
async fn free_port() -> io::Result<SocketAddr> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    TcpListener::bind(any).await?.local_addr()
}

/// Runs statements without a result. Returns DuckDB's error, if there is one.
async fn run(flow: &Flow, sql: String) -> Result<Option<String>, StartError> {
    within(async {
        let answer = flow.forward(post("/ddb/run", sql)).await?;
        if answer.status() != StatusCode::OK {
            return Err(StartError::Busy);
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        let unreadable = || StartError::Failed("DuckDB's answer can't be read".into());
        let bytes = body.collect().await.map_err(|_| unreadable())?.to_bytes();
        let failure = decode_failure(&bytes).map_err(|_| unreadable())?;
        Ok(failure.map(ToOwned::to_owned))
    })
    .await
}

/// Waits for DuckDB. If it does not end in time, it is busy.
async fn within<T>(asked: impl Future<Output = Result<T, StartError>>) -> Result<T, StartError> {
    timeout(STATEMENT_TIMEOUT, asked)
        .await
        .unwrap_or(Err(StartError::Busy))
}
