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
    /// No connection, or no answer in time. The text says why.
    Unreachable(String),
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
    /// Creates a client for the URL of a session. It follows no redirect.
    ///
    /// # Errors
    /// If TLS can't be set up on this machine.
    pub fn browser(&self, url: &str, limit: Duration) -> reqwest::Result<Client> {
        let client = self.client().timeout(limit).redirect(Policy::none());
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
        let uri: Uri = url.parse().unwrap_or_default();
        let is_resolved = own_name(&uri).is_none() && self.proxies.find(&uri).is_none();
        // A proxy resolves the name itself.
        if is_resolved && let Some(host) = uri.host() {
            match timeout(VISIT_TIMEOUT, find_address(host)).await {
                Ok(Some(_)) => {}
                Ok(None) => return Visit::NoAddress,
                Err(_) => return Visit::Unreachable("no answer from DNS in time".to_owned()),
            }
        }
        let asked = async {
            let client = self.browser(url, VISIT_TIMEOUT)?;
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
            } else if error.is_timeout() {
                Visit::Unreachable("no answer in time".to_owned())
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
