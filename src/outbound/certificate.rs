//! Reads X.509 certificates. Pure.

use chrono::{DateTime, Utc};
use x509_cert::{
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
    time::Time,
};

use crate::unicode::is_invisible;

/// Maximum length of a name that is shown.
const MAX_NAME_CHARS: usize = 120;

/// Contents of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// DNS names that the certificate is for.
    pub(crate) dns_names: Vec<String>,
    /// Name of its owner, in a form that can be shown.
    pub(crate) subject: String,
    /// Name of the CA that issued it, in a form that can be shown.
    pub(crate) issuer: String,
    pub(crate) not_before: DateTime<Utc>,
    pub(crate) not_after: DateTime<Utc>,
}

impl Certificate {
    /// Reads a certificate in DER format. Returns `None` if it is not valid.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let contents = certificate.tbs_certificate();
        let names = contents.get_extension::<SubjectAltName>().ok()?;
        let names = names.into_iter().flat_map(|(_, names)| names.0);
        let dns = |name: GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.to_string().to_ascii_lowercase()),
            _ => None,
        };
        let validity = contents.validity();
        Some(Self {
            dns_names: names.filter_map(dns).collect(),
            subject: shown(&contents.subject().to_string()),
            issuer: shown(&contents.issuer().to_string()),
            not_before: date(&validity.not_before)?,
            not_after: date(&validity.not_after)?,
        })
    }

    /// Returns true if browsers accept the certificate for this host. A wildcard stands for one label.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let names = &self.dns_names;
        names.contains(&host) || wildcard.is_some_and(|name| names.contains(&name))
    }
}

fn date(time: &Time) -> Option<DateTime<Utc>> {
    let seconds = time.to_unix_duration().as_secs();
    DateTime::from_timestamp(seconds.try_into().ok()?, 0)
}

/// Removes what could change the text around a name.
fn shown(name: &str) -> String {
    let plain = name.chars().filter(|c| !is_invisible(*c) && *c != '`');
    plain.take(MAX_NAME_CHARS).collect()
}
