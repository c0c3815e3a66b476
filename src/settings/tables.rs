//! Reads the sections whose names people choose: `[sizes.<name>]` and `[catalogs.<name>]`.

use super::{
    reader::{Invalid, SettingsReader},
    sections::{Catalog, OAuth2},
    values::{any, bucket, domain_name, label, parse, url},
};
use crate::session::{Cpu, Mebibytes, Size};

/// Maximum length of the name of a size or a catalog. Discord limits a button's custom ID to 100
/// characters, which must hold two such names, two IDs and the name of the button.
pub const MAX_NAME_BYTES: usize = 28;
/// Default disk of a size.
const DISK: Mebibytes = Mebibytes::gibibytes(10);

pub(super) fn read_sizes(reader: &mut SettingsReader) -> Result<Vec<Size>, Invalid> {
    let names = reader.tables("sizes");
    let sizes = names.into_iter().map(|name| {
        let key = format!("sizes.{name}");
        let valid = read_name(reader, &key, &name);
        let cpu = reader.required(
            &format!("{key}.cpu"),
            "a number of cores, like 2 or 500m",
            parse::<Cpu>,
        );
        let amount = "an amount, like 512Mi or 4Gi";
        let memory = reader.required(&format!("{key}.memory"), amount, parse::<Mebibytes>);
        let disk = reader.optional(&format!("{key}.disk"), amount, parse::<Mebibytes>);
        Ok(Size {
            name: valid?,
            cpu: cpu?,
            memory: memory?,
            disk: disk?.unwrap_or(DISK),
        })
    });
    // Collected first, so that the errors of all sizes are reported.
    let sizes: Vec<Result<Size, Invalid>> = sizes.collect();
    let mut sizes: Vec<_> = sizes.into_iter().collect::<Result<_, _>>()?;
    sizes.sort_by_key(|size| (size.memory, size.cpu));
    Ok(sizes)
}

pub(super) fn read_catalogs(
    reader: &mut SettingsReader,
    is_local: bool,
) -> Result<Vec<Catalog>, Invalid> {
    const URL: &str = "an http:// or https:// URL";
    let names = reader.tables("catalogs");
    let catalogs = names.into_iter().map(|name| {
        let key = |field: &str| format!("catalogs.{name}.{field}");
        let valid = read_name(reader, &format!("catalogs.{name}"), &name);
        let endpoint = reader.required(&key("endpoint"), URL, url);
        let warehouse = reader.optional(&key("warehouse"), "a warehouse's name", any);
        let secret = reader.optional(&key("oauth2_secret"), "a Secret's name", domain_name);
        let server = reader.optional(&key("oauth2_server"), URL, url);
        let scope = reader.optional(&key("oauth2_scope"), "a scope", any);
        let sigv4 = reader.optional(&key("sigv4_service"), "a service's name", label)?;
        let s3_endpoint = reader.optional(&key("s3_endpoint"), URL, url);
        let s3_region = reader.optional(&key("s3_region"), "a region's name", label);
        let s3_bucket = reader.optional(&key("s3_bucket"), "a bucket's name", bucket);
        let s3_prefix = reader.optional(&key("s3_prefix"), "a prefix", any);
        let s3_path_style = reader.optional(&key("s3_path_style"), "true or false", parse);
        let oauth2 = match (secret?, server?, scope?) {
            (Some(_), ..) if sigv4.is_some() => {
                return reader.reject(
                    &key("sigv4_service"),
                    "can't be combined with oauth2_secret; remove one",
                );
            }
            (Some(_), ..) if is_local => {
                return reader.reject(
                    &key("oauth2_secret"),
                    "is a Kubernetes Secret, which sessions on this machine can't read; remove it",
                );
            }
            (Some(secret), server, scope) => Some(OAuth2 {
                secret,
                server,
                scope,
            }),
            (None, None, None) => None,
            (None, ..) => {
                return reader.reject(
                    &key("oauth2_secret"),
                    "is required, because oauth2_server or oauth2_scope is set",
                );
            }
        };
        Ok(Catalog {
            name: valid?,
            endpoint: endpoint?,
            warehouse: warehouse?,
            oauth2,
            sigv4_service: sigv4,
            s3_endpoint: s3_endpoint?,
            s3_region: s3_region?.unwrap_or_else(|| "us-east-1".to_owned()),
            s3_path_style: s3_path_style?.unwrap_or(false),
            s3_bucket: s3_bucket?,
            s3_prefix: s3_prefix?,
        })
    });
    let catalogs: Vec<Result<Catalog, Invalid>> = catalogs.collect();
    catalogs.into_iter().collect()
}

fn read_name(reader: &mut SettingsReader, key: &str, name: &str) -> Result<String, Invalid> {
    match label(name).filter(|name| name.len() <= MAX_NAME_BYTES) {
        Some(name) => Ok(name),
        None => reader.reject(
            key,
            format!(
                "is not a valid name; use up to {MAX_NAME_BYTES} lower-case letters, digits and \
                 hyphens, and no hyphen at either end"
            ),
        ),
    }
}
