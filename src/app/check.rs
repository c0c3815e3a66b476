//! `duckbot check`: looks at everything that the bot needs, before it is needed.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::lookup_host;

use crate::{
    credentials::preflight::Preflight,
    diagnostics::{Diagnostic, DiagnosticStatus},
    discord,
    runtime::{kubernetes, local},
    settings::Settings,
};

/// Who differs by more may be refused: S3 allows 15 minutes, a session's door half of one.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// Looks at everything, and changes nothing.
pub async fn diagnose(settings: &Settings) -> Vec<Diagnostic> {
    let mut diagnostics = vec![Diagnostic::ok("settings", "they can be used")];
    let (chat, runtime, dns, catalogs) = tokio::join!(
        discord::look(settings),
        check_runtime(settings),
        check_dns(settings),
        check_catalogs(settings)
    );
    diagnostics.extend(chat.into_iter().chain(runtime).chain(dns).chain(catalogs));
    diagnostics
}

/// Whether all is as it should be.
pub fn is_fine(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .all(|diagnostic| diagnostic.status == DiagnosticStatus::Ok)
}

async fn check_runtime(settings: &Settings) -> Vec<Diagnostic> {
    match &settings.local {
        Some(place) => local::diagnose(place).await,
        None => kubernetes::diagnose(settings).await,
    }
}

/// Whether browsers find sessions.
async fn check_dns(settings: &Settings) -> Vec<Diagnostic> {
    if settings.local.is_some() {
        return Vec::new();
    }
    let host = format!("duckui-000000.{}", settings.routing.domain);
    let found = lookup_host((host.as_str(), 443)).await;
    let address = found.ok().and_then(|mut addresses| addresses.next());
    vec![match address {
        Some(address) => Diagnostic::ok("DNS", format!("{host} is at {}", address.ip())),
        None => Diagnostic::failed(
            "DNS",
            format!(
                "{host} is not known: make a wildcard record *.{} that leads to the ingress \
                 controller",
                settings.routing.domain
            ),
        ),
    }]
}

/// Whether storages and catalogs answer, and what time it is there.
async fn check_catalogs(settings: &Settings) -> Vec<Diagnostic> {
    let preflight = match Preflight::new() {
        Ok(preflight) => preflight,
        Err(why) => return vec![Diagnostic::failed("HTTPS", format!("no client: {why}"))],
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
                        "{endpoint} does not answer ({why}); is catalogs.{}.{} right, and \
                             may this machine reach it?",
                        catalog.name,
                        kind.setting()
                    ),
                ),
            });
        }
    }
    if let Some(skew) = skew {
        let seconds = skew.num_seconds();
        diagnostics.push(match skew > MAX_CLOCK_SKEW {
            false => Diagnostic::ok("clock", format!("{seconds} s apart from theirs at most")),
            true => Diagnostic::failed(
                "clock",
                format!("{seconds} s apart from theirs: set it by NTP"),
            ),
        });
    }
    diagnostics
}

/// By how much two clocks differ. The other one tells whole seconds.
fn clock_skew(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> TimeDelta {
    (theirs - ours).abs()
}
