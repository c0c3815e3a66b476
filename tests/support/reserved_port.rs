//! A port that somebody may stand behind, or not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

/// A port on this machine. Nobody else gets it; connections are refused until it leads
/// somewhere.
pub struct ReservedPort {
    /// Bound, and never listening: that keeps the port.
    _kept: TcpSocket,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl ReservedPort {
    /// A port that refuses.
    pub fn reserve() -> Self {
        Self::reserve_on(Ipv4Addr::LOCALHOST.into())
    }

    /// The same on another address of this machine.
    pub fn reserve_on(address: IpAddr) -> Self {
        let kept = socket(SocketAddr::new(address, 0));
        let address = kept.local_addr().unwrap();
        Self {
            _kept: kept,
            address,
            serving: None,
        }
    }

    /// Plain http.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// From now on it is another way to `url`.
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

/// Two may be bound to one port as long as only one listens.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    // DuckDB asks for this one.
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
            // Whoever hangs up first: the other notices by itself.
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
