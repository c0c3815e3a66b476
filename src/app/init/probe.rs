//! Live checks of the answers, from the machine that `duckbot init` runs on. Does I/O.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde_json::Value;
use tokio::net::lookup_host;

use super::answers::{
    Answers,
    Question::{self, *},
};
use crate::{
    app::check,
    diagnostics::Diagnostic,
    outbound::{CertificateProblem, Outbound},
};

/// Maximum time for one answer of a server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Client for the checks.
pub(super) struct Probe(Client);

impl Probe {
    /// # Errors
    /// If TLS can't be set up on this machine.
    pub(super) fn new() -> reqwest::Result<Self> {
        let client = Outbound::from_variables(&std::env::vars().collect())
            .client()
            .timeout(REQUEST_TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        Ok(Self(client))
    }

    /// Checks the answer to a question, as far as this machine can. `None`: nothing to check.
    pub(super) async fn check(&self, question: Question, answers: &Answers) -> Option<Diagnostic> {
        let answer = answers.get(question);
        match question {
            Domain => Some(check::check_domain(answer).await),
            Catalog => Some(self.check_catalog(answer, "").await),
            Warehouse if answer.is_empty() => None,
            Warehouse => Some(self.check_catalog(answers.get(Catalog), answer).await),
            // A misspelt region of AWS has no host.
            Region => Some(self.check_storage(answers).await),
            _ => None,
        }
    }

    async fn check_catalog(&self, endpoint: &str, warehouse: &str) -> Diagnostic {
        let subject = if warehouse.is_empty() {
            "catalog"
        } else {
            "warehouse"
        };
        let ok = |says: &str| Diagnostic::ok(subject, format!("{endpoint} {says}"));
        let failed = |says: &str| Diagnostic::failed(subject, format!("{endpoint} {says}"));
        if is_in_cluster(endpoint) {
            return ok("is not checked, because it is a name inside the cluster");
        }
        let mut request = self.0.get(format!("{endpoint}/v1/config"));
        if !warehouse.is_empty() {
            request = request.query(&[("warehouse", warehouse)]);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(&describe_no_answer(&error)),
        };
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        if text.contains("<Error>") && text.contains("<Code>") {
            return failed("answers as an S3 storage, not as an Iceberg REST catalog");
        }
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if warehouse.is_empty() => {
                ok("answers, and wants a login")
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ok("wants a login, so the warehouse is not checked")
            }
            // Some catalogs have no configuration without a warehouse.
            StatusCode::BAD_REQUEST if warehouse.is_empty() => ok("answers, and wants a warehouse"),
            status if status.is_redirection() => failed(
                "redirects to another address, which DuckDB does not follow; use that address",
            ),
            status if status.is_success() => {
                let config: Value = serde_json::from_slice(&body).unwrap_or_default();
                if config["overrides"].is_object() || config["defaults"].is_object() {
                    ok("answers")
                } else {
                    failed("answers, but not as an Iceberg REST catalog; check the path of the URL")
                }
            }
            status if !warehouse.is_empty() => failed(&format!(
                "answers with status {} for this warehouse; check its name",
                status.as_u16()
            )),
            StatusCode::NOT_FOUND => {
                failed("has no /v1/config; check the path of the URL, which ends before /v1")
            }
            status => failed(&format!("answers with status {}", status.as_u16())),
        }
    }

    async fn check_storage(&self, answers: &Answers) -> Diagnostic {
        let endpoint = match answers.get(Storage) {
            "" => format!("https://s3.{}.amazonaws.com", answers.get(Region)),
            endpoint => endpoint.to_owned(),
        };
        let says = if is_in_cluster(&endpoint) {
            Ok("is not checked, because it is a name inside the cluster")
        } else {
            let answer = self.0.get(&endpoint).send().await;
            answer
                .map(|_| "answers")
                .map_err(|error| describe_no_answer(&error))
        };
        match says {
            Ok(says) => Diagnostic::ok("storage", format!("{endpoint} {says}")),
            Err(says) => Diagnostic::failed("storage", format!("{endpoint} {says}")),
        }
    }
}

/// Rest of a sentence about an endpoint that does not answer.
fn describe_no_answer(error: &reqwest::Error) -> String {
    match CertificateProblem::find(error) {
        Some(problem) => format!(
            "can't be trusted: {problem}; if it is your own CA, give its certificate to the bot with the \
             setting tls.ca_file"
        ),
        None if error.is_timeout() => {
            "does not answer in time; check the URL, and whether this machine can reach it"
                .to_owned()
        }
        None => "does not answer; check the URL, and whether this machine can reach it".to_owned(),
    }
}

/// Host of a URL.
fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// Returns true if only Pods can resolve the host of a URL.
fn is_in_cluster(url: &str) -> bool {
    host(url).is_some_and(|host| namespace(&host).is_some())
}

/// Namespace in a Service's host name.
fn namespace(host: &str) -> Option<&str> {
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let (_, namespace) = host.strip_suffix(".svc")?.rsplit_once('.')?;
    Some(namespace)
}

/// Finds the private addresses and the namespaces of the catalog and the storage, which a network
/// policy must name.
pub(super) async fn private_lake(answers: &Answers) -> String {
    let mut found = BTreeSet::new();
    for question in [Catalog, Storage] {
        let Some(host) = host(answers.get(question)) else {
            continue;
        };
        if let Some(namespace) = namespace(&host) {
            found.insert(namespace.to_owned());
            continue;
        }
        let addresses = lookup_host((host.as_str(), 443))
            .await
            .into_iter()
            .flatten();
        found.extend(addresses.filter_map(|address| private_network(address.ip())));
    }
    Vec::from_iter(found).join(",")
}

/// Smallest network with a private address. `None`: the address is public.
fn private_network(address: IpAddr) -> Option<String> {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]);
            (v4.is_private() || is_shared).then(|| format!("{v4}/32"))
        }
        IpAddr::V6(v6) => v6.is_unique_local().then(|| format!("{v6}/128")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_inside_the_cluster_are_known() {
        for (url, expected) in [
            ("http://minio.storage.svc:9000", Some("storage")),
            ("http://minio.storage.svc.cluster.local", Some("storage")),
            ("https://s3.example.com", None),
            ("https://svc", None),
        ] {
            let host = host(url).unwrap_or_default();
            assert_eq!(namespace(&host), expected, "{url}");
        }
    }

    #[test]
    fn only_private_addresses_need_a_rule_of_their_own() {
        let network = |text: &str| private_network(text.parse().expect("an address"));
        assert_eq!(network("10.1.2.3").as_deref(), Some("10.1.2.3/32"));
        assert_eq!(network("100.64.0.1").as_deref(), Some("100.64.0.1/32"));
        assert_eq!(network("fd00::1").as_deref(), Some("fd00::1/128"));
        assert_eq!(network("52.95.110.1"), None);
        assert_eq!(network("127.0.0.1"), None);
    }
}
