//! Reads `[tls]` and the proxies of the environment.

use super::{
    reader::{Invalid, SettingsReader},
    values::path,
};
use crate::outbound::{CertificateAuthorities, InvalidProxy, Outbound, Proxies};

pub(super) fn read_outbound(
    reader: &mut SettingsReader,
    proxies: Result<Proxies, InvalidProxy>,
) -> Result<Outbound, Invalid> {
    const KEY: &str = "tls.ca_file";
    let proxies = match proxies {
        Ok(proxies) => Ok(proxies),
        Err(invalid) => reader.reject(invalid.0, invalid.to_string()),
    };
    let authorities = match reader.optional(KEY, "a path", path)? {
        None => CertificateAuthorities::default(),
        Some(path) => match CertificateAuthorities::read(&path) {
            Ok(authorities) => authorities,
            Err(why) => return reader.reject(KEY, why.to_string()),
        },
    };
    Ok(Outbound {
        authorities,
        proxies: proxies?,
    })
}
