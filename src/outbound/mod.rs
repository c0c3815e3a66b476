//! Connections to other servers: the certificates that they may have, and the proxy between. Does I/O.
//!
//! Discord, catalogs, storages and registries are reached this way. The API server, the doors and this
//! machine are not: kube has its own rules, and the others need no proxy and no TLS.

mod authorities;
mod certificate;
mod proxies;
mod visit;

use std::{collections::HashMap, io, sync::Arc};

use axum::http::Uri;
use hyper_util::client::{legacy::connect::HttpConnector, legacy::connect::proxy::Tunnel};
use reqwest::{Client, ClientBuilder};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::ServiceExt;

pub use authorities::{CaFileError, CertificateAuthorities, CertificateProblem};
pub(crate) use certificate::Certificate;
pub use proxies::{InvalidProxy, Proxies, SESSION_PROXY_VARIABLES};
pub use visit::{Visit, find_address};

/// Variable with the path of the file of all CA certificates, for OpenSSL and rustls.
pub const CA_FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// Rules for connections to other servers.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    /// CA certificates that are trusted besides the system's.
    pub authorities: CertificateAuthorities,
    pub proxies: Proxies,
}

impl Outbound {
    /// Reads the rules from environment variables. What can't be read is left out: in a session, DuckDB
    /// reads the same variables, and reports it.
    pub fn from_variables(variables: &HashMap<String, String>) -> Self {
        let file = variables.get(CA_FILE_VARIABLE);
        let authorities = file.and_then(|path| CertificateAuthorities::read(path.as_ref()).ok());
        Self {
            authorities: authorities.unwrap_or_default(),
            proxies: Proxies::read(variables).unwrap_or_default(),
        }
    }

    /// Returns the builder of an HTTP client.
    pub fn client(&self) -> ClientBuilder {
        let builder = Client::builder()
            .use_preconfigured_tls(self.authorities.tls())
            // reqwest's own reading of the environment would use a proxy for this machine, too.
            .no_proxy();
        let proxies = self.proxies.all().into_iter();
        proxies.fold(builder, ClientBuilder::proxy)
    }

    /// Returns true if connections to this HTTPS server differ from those without any settings.
    pub(crate) fn is_special(&self, server: &Uri) -> bool {
        !self.authorities.is_empty() || self.proxies.find(server).is_some()
    }

    /// Connects to an HTTPS server, for protocols that reqwest does not speak.
    ///
    /// # Errors
    /// If the server or the proxy does not answer, or the certificate is not accepted.
    pub(crate) async fn connect(&self, server: Uri) -> io::Result<TlsStream<TcpStream>> {
        let host = server.host().unwrap_or_default().to_owned();
        let port = server.port_u16().unwrap_or(443);
        let stream = match self.proxies.find(&server) {
            None => TcpStream::connect((host.as_str(), port)).await?,
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), HttpConnector::new());
                if let Some(login) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(login.clone());
                }
                let connected = tunnel.oneshot(server).await;
                connected.map_err(io::Error::other)?.into_inner()
            }
        };
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let tls = TlsConnector::from(Arc::new(self.authorities.tls()));
        tls.connect(name, stream).await
    }
}
