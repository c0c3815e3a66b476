//! Serves a port, with limits on connections, on the size and time of request heads, and on the
//! time to shut down.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Maximum number of connections at a time. Further clients wait.
const MAX_CONNECTIONS: usize = 256;
/// Maximum time to receive the head of a request, and to wait for the next request on a connection.
/// Most clients keep connections for up to 90 s, so they close them first. Otherwise a request
/// could arrive while the server closes, and its client can't tell whether it was handled.
const HEADER_TIMEOUT: Duration = Duration::from_secs(100);
/// Maximum size of a request head in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Maximum time for pending responses after shutdown begins.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves `app` until `shutdown`.
pub(super) async fn listen(listener: TcpListener, app: Router, shutdown: &CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let come = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let Some((permit, accepted)) = shutdown.run_until_cancelled(come).await else {
            break;
        };
        let Ok((stream, _)) = accepted else {
            // A temporary failure, such as too many open files.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (app, shutdown) = (app.clone(), shutdown.clone());
        connections.spawn(async move {
            serve(stream, app, &shutdown).await;
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    // Connections that are still open then are closed.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn serve(stream: TcpStream, app: Router, shutdown: &CancellationToken) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut served = std::pin::pin!(served);
    // A client that disconnects early is not an error.
    if shutdown
        .run_until_cancelled(served.as_mut())
        .await
        .is_none()
    {
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }
}
