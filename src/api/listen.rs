//! Serving a port: so many connections at a time, each with a limit on how long the head of a
//! request takes, and an end that waits for nobody for long.

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

/// The most connections at a time; who comes next waits.
const MAX_CONNECTIONS: usize = 256;
/// How long the head of a request may take, and how long a connection may wait for its next one:
/// longer than the minute and a half for which most clients keep one. Otherwise a request meets
/// an end that is on its way, and its client can't tell whether it was heard.
const HEADER_TIMEOUT: Duration = Duration::from_secs(100);
/// The most bytes of a head.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// How long answers under way may take when the bot is told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers whoever comes with `app`, until `shutdown`.
pub async fn listen(listener: TcpListener, app: Router, shutdown: &CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let come = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let Some((place, accepted)) = shutdown.run_until_cancelled(come).await else {
            break;
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, say: it passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (app, shutdown) = (app.clone(), shutdown.clone());
        connections.spawn(async move {
            serve(stream, app, &shutdown).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    // Who is not done by then is cut off.
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
    // Whoever hangs up in the middle is no news.
    if shutdown
        .run_until_cancelled(served.as_mut())
        .await
        .is_none()
    {
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }
}
