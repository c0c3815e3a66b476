//! Serves HTTP on a port to clients that may be hostile. The connections, and the size and the time
//! of a request's head are limited. A client that sends nothing keeps nobody out: at the limit, the
//! connection that has been silent for the longest is closed.

mod connection;

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_util::{
    io::{InspectReader, InspectWriter},
    sync::CancellationToken,
};
use tracing::warn;

use connection::Connection;

/// Minimum silence before a connection is closed for another one. The head of a request that was
/// sent at once arrives within it.
const MIN_SILENCE: Duration = Duration::from_millis(20);
/// Interval at which connections are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a failure to accept a connection, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Maximum time for pending responses after shutdown begins.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Limits of one port.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Maximum number of connections. If all have a request in progress, further ones wait.
    pub(crate) connections: usize,
    /// Maximum size of a request's head, in bytes.
    pub(crate) head: usize,
}

/// Listens on an address. `[::]` means all addresses of this machine: it also accepts IPv4 (in a Pod,
/// `net.ipv6.bindv6only` is off), and on a machine without IPv6 it means `0.0.0.0`.
///
/// # Errors
/// If the address can't be used, for example because its port is in use.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let error = match TcpListener::bind(address).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => error,
        bound => return bound,
    };
    if address.ip() != Ipv6Addr::UNSPECIFIED {
        return Err(error);
    }
    let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let listener = TcpListener::bind(all).await?;
    warn!("can't listen on {address} ({error}); listening on {all} instead, without IPv6");
    Ok(listener)
}

/// Serves `answer` until `shutdown`.
pub(crate) async fn serve<F, B>(
    listener: TcpListener,
    limits: Limits,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    shutdown: &CancellationToken,
) where
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let mut open = Vec::new();
    let mut tasks = JoinSet::new();
    loop {
        retain_open(&mut open);
        // One place is kept free for the next client.
        if open.len() >= limits.connections {
            close_most_silent(&mut open);
        }
        let is_full = open.len() >= limits.connections;
        let pause = if is_full { MIN_SILENCE } else { CHECK_INTERVAL };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept(), if !is_full => accepted,
            Some(_) = tasks.join_next() => continue,
            () = tokio::time::sleep(pause) => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if is_shortage(&error) {
                    close_most_silent(&mut open);
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = Arc::new(Connection::new());
        open.push(Arc::downgrade(&connection));
        let (answer, shutdown) = (answer.clone(), shutdown.clone());
        tasks.spawn(async move {
            serve_connection(stream, connection, limits.head, answer, &shutdown).await
        });
    }
    // Connections that are still open then are closed.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, async {
        while tasks.join_next().await.is_some() {}
    })
    .await;
}

/// Returns true if a connection could not be accepted because too many others are open.
fn is_shortage(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE))
}

/// Closes connections that took too long. Drops those that are closed.
fn retain_open(open: &mut Vec<Weak<Connection>>) {
    let now = Instant::now();
    open.retain(|connection| {
        connection.upgrade().is_some_and(|connection| {
            connection.close_if_late(now);
            !connection.is_closing()
        })
    });
}

/// Closes the connection that has been silent for the longest, if any may be closed.
fn close_most_silent(open: &mut Vec<Weak<Connection>>) {
    let now = Instant::now();
    let silent = open.iter().filter_map(Weak::upgrade).filter_map(|it| {
        let since = it.silent_since()?;
        (now - since >= MIN_SILENCE).then_some((since, it))
    });
    // A connection whose request begins meanwhile is kept.
    if let Some((since, connection)) = silent.min_by_key(|(since, _)| *since)
        && connection.close_if_silent_since(since)
    {
        open.retain(|it| !std::ptr::eq(it.as_ptr(), Arc::as_ptr(&connection)));
    }
}

async fn serve_connection<F, B>(
    stream: TcpStream,
    connection: Arc<Connection>,
    max_head: usize,
    answer: impl Fn(Request<Incoming>) -> F,
    shutdown: &CancellationToken,
) where
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let closing = connection.closing();
    // Send small answers at once, without Nagle's delay.
    let _ = stream.set_nodelay(true);
    let (reads, writes) = (connection.clone(), connection.clone());
    let stream = InspectReader::new(stream, move |_| reads.note_received());
    let io = TokioIo::new(InspectWriter::new(stream, move |_| writes.note_sent()));
    let service = service_fn(move |request| {
        let begun = connection.begin_request();
        let begun = begun.map(|in_progress| (in_progress, answer(request)));
        async move {
            let (in_progress, answer) = begun.ok_or(io::ErrorKind::ConnectionAborted)?;
            let answer = answer.await;
            // The request is in progress until the body of its answer is dropped.
            let body = |body: B| {
                body.map_err(move |error| {
                    let _until_then = &in_progress;
                    error
                })
            };
            Ok::<_, io::Error>(answer.map(body))
        }
    });
    let served = http1::Builder::new()
        // Connections are checked here instead.
        .header_read_timeout(None)
        .max_buf_size(max_head)
        .serve_connection(io, service)
        .with_upgrades();
    let mut served = pin!(served);
    tokio::select! {
        // A client that disconnects early is not an error.
        _ = served.as_mut() => return,
        () = closing.cancelled() => return,
        () = shutdown.cancelled() => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test]
    async fn all_addresses_include_those_of_ipv4() {
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let listener = bind(all).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        for own in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let connected = TcpStream::connect(SocketAddr::new(own, address.port())).await;
            // This machine may have no IPv6.
            let is_expected = own.is_ipv4() || address.is_ipv6();
            assert_eq!(connected.is_ok(), is_expected, "{own} of {address}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_not_used_a_second_time() {
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let first = bind(all).await.expect("a free port");
        let same = first.local_addr().expect("it is bound");
        let error = bind(same).await.expect_err("the port is in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
