//! TLS in front of a server, and a forward proxy that records its use.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{browser::Certificates, ui_assets::tls_server};

/// TLS server that passes everything on to another server. Stops on drop.
pub struct TlsFront {
    pub port: u16,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Starts it on 127.0.0.1, in front of the server at the URL `target`.
    pub async fn start(target: &str, certificates: &Certificates) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), target, certificates).await
    }

    /// Starts it on another address of this machine.
    pub async fn start_on(address: IpAddr, target: &str, certificates: &Certificates) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls_server(certificates)));
        let (_, target) = target.split_once("://").unwrap();
        let target = target.split('/').next().unwrap().to_owned();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, target) = (acceptor.clone(), target.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate ends the handshake.
                    let Ok(mut client) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut server = TcpStream::connect(target).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, task }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Forward proxy for `CONNECT`. Names that end in `.test`, which exist nowhere else, are this machine.
/// Stops on drop.
pub struct ForwardProxy {
    /// Host and port.
    pub address: String,
    requests: Arc<Mutex<Vec<String>>>,
    https: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl ForwardProxy {
    /// Starts it on 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into()).await
    }

    /// Starts it on another address of this machine.
    pub async fn start_on(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let https = Arc::new(AtomicU16::new(443));
        let (all, to) = (requests.clone(), https.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(stream, all.clone(), to.clone()));
            }
        });
        Self {
            address,
            requests,
            https,
            task,
        }
    }

    /// Leads connections to port 443 of this machine's names to another port.
    pub fn lead_https_to(&self, port: u16) {
        self.https.store(port, Relaxed);
    }

    /// Takes the heads of all requests so far.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, requests: Arc<Mutex<Vec<String>>>, https: Arc<AtomicU16>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte.into()),
            Err(_) => return,
        }
    }
    let authority = head.strip_prefix("CONNECT ").map(str::to_owned);
    requests.lock().unwrap().push(head);
    let authority = authority.unwrap_or_default();
    let authority = authority.split(' ').next().unwrap_or_default();
    let Some((host, port)) = authority.rsplit_once(':') else {
        return;
    };
    let target = match port {
        "443" if host.ends_with(".test") => format!("127.0.0.1:{}", https.load(Relaxed)),
        port if host.ends_with(".test") => format!("127.0.0.1:{port}"),
        port => format!("{host}:{port}"),
    };
    let Ok(mut server) = TcpStream::connect(target).await else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
        return;
    };
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
