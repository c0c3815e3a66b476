//! Requests to the URLs of sessions, as browsers make them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::http::Uri;
use reqwest::{Client, redirect::Policy};
use tokio::{net::lookup_host, time::timeout};

use super::{CertificateProblem, Outbound};

/// Domain of names that are this machine (RFC 6761, section 6.3).
const THIS_MACHINE: &str = ".localhost";
/// Maximum time for each part of a visit: the name, and the answer.
const VISIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Size of the beginning of a page that is read, in bytes.
const MAX_PAGE_BYTES: usize = 16 << 10;

/// Outcome of a visit to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// The host name has no address.
    NoAddress,
    /// No connection. The text says why.
    Unreachable(String),
    /// A server took the request, but did not answer in time.
    Silent,
    /// The certificate is not accepted.
    BadCertificate(CertificateProblem),
    /// Any server's answer.
    Answered {
        status: u16,
        /// Beginning of the page.
        page: String,
    },
}

/// Returns an address of a host, if its name has one.
pub async fn find_address(host: &str) -> Option<IpAddr> {
    let mut found = lookup_host((host, 443)).await.ok()?;
    found.next().map(|address| address.ip())
}

impl Outbound {
    /// Creates a client for the URL of a session. It follows no redirect. A timeout is an error of the
    /// connection ([`reqwest::Error::is_connect`]) only if there was no connection.
    ///
    /// # Errors
    /// If TLS can't be set up on this machine.
    pub fn browser(&self, url: &str, limit: Duration) -> reqwest::Result<Client> {
        let client = self.client().timeout(limit).redirect(Policy::none());
        // Shorter than the whole, so that this one is over first.
        let client = client.connect_timeout(limit * 4 / 5);
        let url = url.parse().unwrap_or_default();
        let client = match own_name(&url) {
            // Not all systems know that these names are this machine.
            Some(host) => {
                let port = url.port_u16().unwrap_or_default();
                client.resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            }
            None => client,
        };
        client.build()
    }

    /// Requests the page at `path` of a session's URL, without any cookie.
    pub async fn visit(&self, url: &str, path: &str) -> Visit {
        self.visit_within(VISIT_TIMEOUT, url, path).await
    }

    async fn visit_within(&self, limit: Duration, url: &str, path: &str) -> Visit {
        let uri: Uri = url.parse().unwrap_or_default();
        let is_resolved = own_name(&uri).is_none() && self.proxies.find(&uri).is_none();
        // A proxy resolves the name itself.
        if is_resolved && let Some(host) = uri.host() {
            match timeout(limit, find_address(host)).await {
                Ok(Some(_)) => {}
                Ok(None) => return Visit::NoAddress,
                Err(_) => return Visit::Unreachable("no answer from DNS in time".to_owned()),
            }
        }
        let asked = async {
            let client = self.browser(url, limit)?;
            let url = format!("{}{path}", url.trim_end_matches('/'));
            let mut answer = client.get(url).send().await?;
            let mut page = Vec::new();
            while page.len() < MAX_PAGE_BYTES
                && let Some(chunk) = answer.chunk().await?
            {
                page.extend_from_slice(&chunk);
            }
            reqwest::Result::Ok(Visit::Answered {
                status: answer.status().as_u16(),
                page: String::from_utf8_lossy(&page).into_owned(),
            })
        };
        asked.await.unwrap_or_else(|error| {
            if let Some(problem) = CertificateProblem::find(&error) {
                Visit::BadCertificate(problem)
            } else if error.is_timeout() && !error.is_connect() {
                Visit::Silent
            } else {
                Visit::Unreachable("no connection".to_owned())
            }
        })
    }
}

/// Returns the host of a URL if it is a name of this machine.
fn own_name(url: &Uri) -> Option<&str> {
    url.host().filter(|host| host.ends_with(THIS_MACHINE))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(500);

    async fn visit(url: &str) -> Visit {
        let outbound = Outbound::default();
        outbound.visit_within(LIMIT, url, "/").await
    }

    #[tokio::test]
    async fn a_server_without_an_answer_differs_from_no_server() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        assert_eq!(visit(&url).await, Visit::Silent);
        drop(server);
        let no_connection = Visit::Unreachable("no connection".to_owned());
        assert_eq!(visit(&url).await, no_connection);
    }

    #[tokio::test]
    async fn a_connection_that_takes_too_long_is_no_connection() {
        // A server speaks TLS only after its connection is accepted, which nobody does here.
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", server.local_addr().unwrap());
        let no_connection = Visit::Unreachable("no connection".to_owned());
        assert_eq!(visit(&url).await, no_connection);
    }
}
