//! Details of findings of `/duck doctor`, for admins: names of objects and settings, and errors.

use super::format::code;
use crate::{
    door,
    error::Error,
    service::doctor::{AddressFact, Check, Facts, Finding, Subject},
    session::{Record, StartPause},
};

/// Maximum length of an error.
const MAX_ERROR_CHARS: usize = 160;
/// Maximum length of a name or an address.
const MAX_NAME_CHARS: usize = 90;

/// Returns a line for an admin: the error if there is one, else the names of what was checked.
pub(super) fn detail(finding: &Finding, facts: &Facts) -> String {
    let names = names(finding.check(), facts);
    match reason(finding, facts) {
        Some(reason) => format!("{names}: `{}`", code(&reason, MAX_ERROR_CHARS)),
        None => names,
    }
}

/// Names the objects and settings behind a check.
fn names(check: Check, facts: &Facts) -> String {
    let places = &facts.places;
    let catalog = name(&facts.catalog);
    let record = match &facts.subject {
        Subject::Session(seen) => Some(&*seen.record),
        Subject::Start => None,
    };
    let pod = record.map_or_else(String::new, |record| name(&record.id.object_name()));
    let place = match &places.namespace {
        Some(namespace) => format!("namespace {}", name(namespace)),
        None => "this machine".to_owned(),
    };
    match check {
        Check::Cluster => place,
        Check::Starts => "`/duck pause`".to_owned(),
        Check::Room => "`sessions.per_user`, `sessions.total`".to_owned(),
        Check::Rules => format!("a trial Pod, {place}"),
        Check::Session => {
            let record = record.map(Record::name).unwrap_or_default();
            format!("Pod {pod}, record {}, {place}", name(&record))
        }
        Check::DuckDb => format!("Pod {pod}, container `duckdb`"),
        Check::Door => format!("Pod {pod}, container `door`, port {}", door::ADMIN_PORT),
        Check::Address => {
            let url = places.url.as_deref().unwrap_or_default();
            let route = places.route.map(|kind| format!(", {}", kind.controller()));
            format!("{}{}", name(url), route.unwrap_or_default())
        }
        Check::Credentials => format!("owner <@{}>", facts.owner),
        Check::Storage => setting("s3_endpoint", &facts.catalog, &places.storage),
        Check::Catalog => setting("endpoint", &facts.catalog, &places.catalog),
        Check::Tables => format!("catalog {catalog}"),
        Check::Work => format!("`catalogs.{}.work`", code(&facts.catalog, MAX_NAME_CHARS)),
    }
}

fn setting(key: &str, catalog: &str, value: &str) -> String {
    let setting = format!("catalogs.{catalog}.{key}");
    format!("{} = {}", name(&setting), name(value))
}

fn name(text: &str) -> String {
    format!("`{}`", code(text, MAX_NAME_CHARS))
}

/// Returns the error behind a finding. Errors of work are about the owner's keys, so only the owner gets
/// them.
fn reason(finding: &Finding, facts: &Facts) -> Option<String> {
    match finding {
        Finding::NotChecked(_, error)
        | Finding::ClusterFails(error)
        | Finding::RulesRefuse(error)
        | Finding::DoorUnreachable { error, .. } => Some(Error::to_string(error)),
        Finding::StartsPaused(StartPause { by, .. }) => Some(format!("paused by {by}")),
        Finding::Restarted(why, _) | Finding::Rescheduling(why) | Finding::Broken(why) => {
            Some(why.why.clone())
        }
        Finding::Address(fact) => match fact {
            AddressFact::Other(status) => Some(format!("HTTP {status}")),
            AddressFact::Unreachable(why)
            | AddressFact::BadCertificate(why)
            | AddressFact::RouteRefused(why) => Some(why.clone()),
            AddressFact::UnknownIssuer(issuer) => Some(format!("issued by {issuer}")),
            AddressFact::Silent => Some("no answer in time".to_owned()),
            AddressFact::Door | AddressFact::NoAddress | AddressFact::NoRoute => None,
        },
        Finding::ServiceSilent(_, why) => Some(why.clone()),
        Finding::WorkFails(failure) if facts.is_owner => Some(failure.error.clone()),
        _ => None,
    }
}
