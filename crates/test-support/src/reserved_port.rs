//! A port with or without a server behind it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

/// Reserved port on this machine. No other process gets it. It refuses connections until
/// [`Self::forward_to`] is called.
pub struct ReservedPort {
    /// Bound but never listening, to keep the port reserved.
    _kept: TcpSocket,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl ReservedPort {
    /// Reserves a port on 127.0.0.1. It refuses connections.
    pub fn reserve() -> Self {
        Self::reserve_on(Ipv4Addr::LOCALHOST.into())
    }

    /// Reserves a port on another address of this machine.
    pub fn reserve_on(address: IpAddr) -> Self {
        let kept = socket(SocketAddr::new(address, 0));
        let address = kept.local_addr().unwrap();
        Self {
            _kept: kept,
            address,
            serving: None,
        }
    }

    /// URL of the port, with plain HTTP.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// Forwards connections to the server at `url` from now on.
    pub fn forward_to(&mut self, url: &str) {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = socket(self.address).listen(64).unwrap();
        self.serving = Some(tokio::spawn(serve(listener, target)));
    }
}

impl Drop for ReservedPort {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Creates a socket bound to `address`. Two sockets may share a port if at most one listens.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4().unwrap()
    } else {
        TcpSocket::new_v6().unwrap()
    };
    socket.set_reuseaddr(true).unwrap();
    // DuckDB sets this option, so both sockets need it.
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn serve(listener: TcpListener, target: String) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let target = target.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(target).await.unwrap();
            // Either side may close first; the other one notices.
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
