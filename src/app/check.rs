//! `duckbot check`: checks everything that the bot needs, before it is needed.

mod session;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    credentials::preflight::Preflight,
    diagnostics::{Diagnostic, DiagnosticStatus},
    discord,
    outbound::{Outbound, find_address},
    runtime::{kubernetes, local},
    session::OwnerId,
    settings::Settings,
};

/// Maximum difference between clocks. A door refuses tickets from more than 30 seconds in its
/// future; S3 allows 15 minutes.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// Runs all checks. Changes nothing.
pub async fn diagnose(settings: &Settings) -> Vec<Diagnostic> {
    let mut diagnostics = vec![Diagnostic::ok("settings", "all are valid")];
    let (chat, runtime, dns, catalogs) = tokio::join!(
        discord::look(settings),
        check_runtime(settings),
        check_dns(settings),
        check_catalogs(settings)
    );
    diagnostics.extend(check_outbound(&settings.outbound));
    diagnostics.extend(chat.into_iter().chain(runtime).chain(dns).chain(catalogs));
    diagnostics
}

/// Starts a session, queries it through its URL and removes it. `owner` is the person whose stored
/// credentials it gets, if any. Changes nothing else.
pub async fn diagnose_session(
    settings: Settings,
    owner: Option<OwnerId>,
    shutdown: &CancellationToken,
) -> Vec<Diagnostic> {
    session::diagnose(&Arc::new(settings), owner, shutdown).await
}

/// Returns true if no check failed. Without any diagnostic, the checks were interrupted.
pub fn is_fine(diagnostics: &[Diagnostic]) -> bool {
    !diagnostics.is_empty()
        && diagnostics
            .iter()
            .all(|diagnostic| diagnostic.status != DiagnosticStatus::Failed)
}

/// Checks the CA certificates and proxies of connections to other servers.
fn check_outbound(outbound: &Outbound) -> Vec<Diagnostic> {
    let now = Utc::now();
    let authorities = outbound.authorities.certificates().into_iter();
    let authorities = authorities.map(|authority| {
        let what = format!("CA {}", authority.subject);
        let end = authority.not_after.format("%Y-%m-%d");
        if authority.not_after < now {
            let says = format!("expired on {end}; replace it in tls.ca_file");
            Diagnostic::failed(what, says)
        } else {
            Diagnostic::ok(what, format!("trusted until {end}"))
        }
    });
    let proxies = outbound.proxies.with_login().into_iter();
    let proxies = proxies.map(|name| {
        let says = format!(
            "{name} has a password, so sessions don't get it: everybody could read it there. If \
             they need a proxy, set pod.environment.{name} to one without a password, \
             pod.environment.NO_PROXY, and duckdb.http_proxy"
        );
        Diagnostic::warning("proxy", says)
    });
    authorities.chain(proxies).collect()
}

async fn check_runtime(settings: &Settings) -> Vec<Diagnostic> {
    match &settings.local {
        Some(local_settings) => local::diagnose(settings, local_settings).await,
        None => kubernetes::diagnose(settings).await,
    }
}

async fn check_dns(settings: &Settings) -> Vec<Diagnostic> {
    if settings.local.is_some() {
        return Vec::new();
    }
    vec![check_domain(&settings.routing.domain).await]
}

/// Checks that the host name of an arbitrary session below `domain` resolves.
pub(super) async fn check_domain(domain: &str) -> Diagnostic {
    let host = format!("duckui-000000.{domain}");
    match find_address(&host).await {
        Some(address) => Diagnostic::ok("DNS", format!("{host} resolves to {address}")),
        None => Diagnostic::failed(
            "DNS",
            format!(
                "{host} does not resolve; create a wildcard DNS record *.{domain} that points to the \
                 ingress controller or the Gateway"
            ),
        ),
    }
}

/// Checks that storages and catalogs answer, and that their clocks agree with this machine's.
async fn check_catalogs(settings: &Settings) -> Vec<Diagnostic> {
    let preflight = match Preflight::new(&settings.outbound) {
        Ok(preflight) => preflight,
        Err(why) => {
            return vec![Diagnostic::failed(
                "HTTPS",
                format!("the HTTPS client can't be created: {why}"),
            )];
        }
    };
    let mut diagnostics = Vec::new();
    let mut skew: Option<TimeDelta> = None;
    for catalog in &settings.catalogs {
        for (kind, endpoint) in Preflight::endpoints(catalog) {
            let what = format!("{kind} of {}", catalog.name);
            let begin = Utc::now();
            diagnostics.push(match preflight.probe(&endpoint).await {
                Ok(date) => {
                    skew = skew.max(date.map(|date| clock_skew(date, begin)));
                    Diagnostic::ok(what, format!("{endpoint} answers"))
                }
                Err(why) => Diagnostic::failed(
                    what,
                    format!(
                        "{endpoint} does not answer ({why}); check the setting catalogs.{}.{} and \
                         whether this machine can reach the endpoint",
                        catalog.name,
                        kind.setting()
                    ),
                ),
            });
        }
    }
    if let Some(skew) = skew {
        let seconds = skew.num_seconds();
        diagnostics.push(if skew <= MAX_CLOCK_SKEW {
            Diagnostic::ok(
                "clock",
                format!("at most {seconds} s apart from the catalogs and storages"),
            )
        } else {
            Diagnostic::failed(
                "clock",
                format!(
                    "{seconds} s apart from the catalogs and storages; synchronize it with NTP"
                ),
            )
        });
    }
    diagnostics
}

/// Absolute difference between two clocks. The remote one has a resolution of one second.
fn clock_skew(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> TimeDelta {
    (theirs - ours).abs()
}
