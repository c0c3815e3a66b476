//! Stand-in for <https://ui.duckdb.org>, behind a proxy. Records what it receives.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::browser::Certificates;

/// Content of every page.
pub const PAGE: &str = "<title>DuckDB</title>";

/// Address of `ui.duckdb.org` for processes that use [`UiAssets::hosts`].
const ADDRESS: &str = "127.77.0.1";

/// Proxy that serves [`PAGE`] for every request. Stops on drop.
pub struct UiAssets {
    /// Host and port of the proxy.
    pub proxy: String,
    /// Authority of its certificate.
    pub certificates: Certificates,
    received: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl UiAssets {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(listener, Self::certificates(), true)
    }

    /// Starts the proxy on a listener, for processes that know it already.
    pub fn start_on(listener: std::net::TcpListener, certificates: Certificates) -> Self {
        listener.set_nonblocking(true).unwrap();
        Self::at(TcpListener::from_std(listener).unwrap(), certificates, true)
    }

    /// Creates certificates for the server.
    pub fn certificates() -> Certificates {
        Certificates::of("ui.duckdb.org")
    }

    /// Starts the server without a proxy: on port 443, for processes whose `/etc/hosts` is
    /// [`UiAssets::hosts`]. Returns `None` if the port is not available.
    pub async fn start_direct() -> Option<Self> {
        let listener = TcpListener::bind((ADDRESS, 443)).await.ok()?;
        Some(Self::at(listener, Self::certificates(), false))
    }

    /// Content for `/etc/hosts`.
    pub fn hosts() -> String {
        format!("127.0.0.1 localhost\n{ADDRESS} ui.duckdb.org\n")
    }

    fn at(listener: TcpListener, certificates: Certificates, is_proxy: bool) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(tls_server(&certificates)));
        let proxy = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(String::new()));
        let all = received.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, is_proxy, acceptor.clone(), all.clone()));
            }
        });
        Self {
            proxy,
            certificates,
            received,
            task,
        }
    }

    /// Returns the request heads received so far, including those for the proxy.
    pub fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for UiAssets {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns the configuration of a server with this certificate.
pub(crate) fn tls_server(certificates: &Certificates) -> ServerConfig {
    let chain = CertificateDer::from_pem_file(certificates.file("leaf.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.file("leaf.key")).unwrap();
    let ring = tokio_rustls::rustls::crypto::ring::default_provider();
    ServerConfig::builder_with_provider(Arc::new(ring))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap()
}

async fn serve(
    mut stream: TcpStream,
    is_proxy: bool,
    acceptor: TlsAcceptor,
    received: Arc<Mutex<String>>,
) {
    if is_proxy {
        let asked = head(&mut stream).await;
        received.lock().unwrap().push_str(&asked);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    }
    let mut stream = acceptor
        .accept(stream)
        .await
        .expect("the client trusts the certificate");
    let asked = head(&mut stream).await;
    received.lock().unwrap().push_str(&asked);
    let length = PAGE.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\
         set-cookie: theirs=1\r\ncontent-length: {length}\r\n\r\n{PAGE}"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
}

async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap().into());
    }
    head
}
