//! `duckbot check`: looks at everything that the bot needs, before it is needed.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::lookup_host;

use crate::{
    credentials::preflight::Preflight,
    discord,
    finding::{Finding, State},
    runtime::{kubernetes, local},
    settings::Settings,
};

/// Who differs by more may be refused: S3 allows 15 minutes, a session's door half of one.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// Looks at everything, and changes nothing.
pub async fn diagnose(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::fine("settings", "they can be used")];
    let (chat, runtime, dns, catalogs) = tokio::join!(
        discord::look(settings),
        check_runtime(settings),
        check_dns(settings),
        check_catalogs(settings)
    );
    findings.extend(chat.into_iter().chain(runtime).chain(dns).chain(catalogs));
    findings
}

/// Whether all is as it should be.
pub fn is_fine(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state == State::Fine)
}

async fn check_runtime(settings: &Settings) -> Vec<Finding> {
    match &settings.local {
        Some(place) => local::diagnose(place).await,
        None => kubernetes::diagnose(settings).await,
    }
}

/// Whether browsers find sessions.
async fn check_dns(settings: &Settings) -> Vec<Finding> {
    if settings.local.is_some() {
        return Vec::new();
    }
    let host = format!("duckui-000000.{}", settings.routing.domain);
    let found = lookup_host((host.as_str(), 443)).await;
    let address = found.ok().and_then(|mut addresses| addresses.next());
    vec![match address {
        Some(address) => Finding::fine("DNS", format!("{host} is at {}", address.ip())),
        None => Finding::wrong(
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
async fn check_catalogs(settings: &Settings) -> Vec<Finding> {
    let preflight = match Preflight::new() {
        Ok(preflight) => preflight,
        Err(why) => return vec![Finding::wrong("HTTPS", format!("no client: {why}"))],
    };
    let mut findings = Vec::new();
    let mut skew: Option<TimeDelta> = None;
    for catalog in &settings.catalogs {
        for (kind, endpoint) in Preflight::endpoints(catalog) {
            let what = format!("{kind} of {}", catalog.name);
            let begin = Utc::now();
            findings.push(match preflight.probe(&endpoint).await {
                Ok(date) => {
                    skew = skew.max(date.map(|date| clock_skew(date, begin)));
                    Finding::fine(what, format!("{endpoint} answers"))
                }
                Err(why) => Finding::wrong(
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
        findings.push(match skew > MAX_CLOCK_SKEW {
            false => Finding::fine("clock", format!("{seconds} s apart from theirs at most")),
            true => Finding::wrong(
                "clock",
                format!("{seconds} s apart from theirs: set it by NTP"),
            ),
        });
    }
    findings
}

/// By how much two clocks differ. The other one tells whole seconds.
fn clock_skew(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> TimeDelta {
    (theirs - ours).abs()
}
