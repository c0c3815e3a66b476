//! Reads the sections whose names people choose: `[sizes.<name>]` and `[catalogs.<name>]`.

use std::{fmt::Display, str::FromStr};

use super::{
    reader::{Invalid, SettingsReader},
    sections::{Catalog, OAuth2},
    values::{bucket, domain_name, label, parse},
};
use crate::{
    catalog::values::{
        S3Endpoint, catalog_name, http_url, plain_text, region, short_name, warehouse,
    },
    session::{Cpu, Mebibytes, Requests, Size},
    work::WorkLocation,
};

/// Maximum number of cores. DuckDB starts a thread for each, and no UI without them.
const MAX_CORES: u32 = 512;
/// Minimum memory. With a few MiB, DuckDB can't even read the first row of a table.
const MIN_MEMORY: Mebibytes = Mebibytes::new(128);
/// Minimum disk. DuckDB's UI keeps its notebooks there.
const MIN_DISK: Mebibytes = Mebibytes::new(64);
/// Description of a number of cores.
const CORES: &str = "a number of cores up to 512, like 2, 500m or 1500m";
/// Description of a bucket's name.
const BUCKET: &str = "a bucket's name: 3 to 63 letters, digits, dots, hyphens and underscores";
/// Default disk of a size.
const DISK: Mebibytes = Mebibytes::gibibytes(10);

pub(super) fn read_sizes(reader: &mut SettingsReader) -> Result<Vec<Size>, Invalid> {
    let names = reader.tables("sizes");
    let sizes = names.into_iter().map(|name| {
        let key = format!("sizes.{name}");
        let valid = read_name(reader, &key, &name, short_name);
        let size = read_size(reader, name, &format!("{key}."));
        valid?;
        size
    });
    // Collected first, so that the errors of all sizes are reported.
    let sizes: Vec<Result<Size, Invalid>> = sizes.collect();
    let mut sizes: Vec<_> = sizes.into_iter().collect::<Result<_, _>>()?;
    sizes.sort_by_key(|size| (size.memory, size.cpu));
    Ok(sizes)
}

/// Reads the resources of a size. Their keys begin with `prefix`.
pub(super) fn read_size(
    reader: &mut SettingsReader,
    name: String,
    prefix: &str,
) -> Result<Size, Invalid> {
    let cores = |text: &str| parse::<Cpu>(text).filter(|cpu| cpu.cores() <= MAX_CORES);
    let cpu = reader.required(&format!("{prefix}cpu"), CORES, cores);
    let memory = reader.required(
        &format!("{prefix}memory"),
        "an amount of at least 128Mi, like 512Mi or 4Gi",
        |text| parse(text).filter(|memory| *memory >= MIN_MEMORY),
    );
    let disk = reader.optional(
        &format!("{prefix}disk"),
        "an amount of at least 64Mi, like 512Mi or 4Gi",
        |text| parse(text).filter(|disk| *disk >= MIN_DISK),
    );
    let disk = disk.map(|disk| disk.unwrap_or(DISK));
    let amount = "an amount, like 512Mi or 4Gi";
    let key = |name: &str| format!("{prefix}requests.{name}");
    let requested_cpu = read_request(reader, &key("cpu"), CORES, cpu);
    let requested_memory = read_request(reader, &key("memory"), amount, memory);
    let requested_disk = read_request(reader, &key("disk"), amount, disk);
    Ok(Size {
        name,
        cpu: cpu?,
        memory: memory?,
        disk: disk?,
        requests: Requests {
            cpu: requested_cpu?,
            memory: requested_memory?,
            disk: requested_disk?,
        },
    })
}

/// Reads the amount to reserve of a resource, which is `limit` if it is not set.
fn read_request<T: Copy + Display + FromStr + PartialOrd>(
    reader: &mut SettingsReader,
    key: &str,
    expected: &str,
    limit: Result<T, Invalid>,
) -> Result<T, Invalid> {
    let given = reader.optional(key, expected, parse::<T>)?;
    let limit = limit?;
    match given {
        Some(amount) if amount > limit => reader.reject(
            key,
            format!("{amount} is more than the limit of {limit}; set it to at most {limit}"),
        ),
        given => Ok(given.unwrap_or(limit)),
    }
}

pub(super) fn read_catalogs(
    reader: &mut SettingsReader,
    is_local: bool,
) -> Result<Vec<Catalog>, Invalid> {
    let names = reader.tables("catalogs");
    let catalogs = names.into_iter().map(|name| {
        let key = |field: &str| format!("catalogs.{name}.{field}");
        let valid = read_name(reader, &format!("catalogs.{name}"), &name, catalog_name);
        let endpoint = read_endpoint(reader, &key("endpoint"));
        let warehouse = reader.checked(&key("warehouse"), warehouse);
        let secret = reader.optional(&key("oauth2_secret"), "a Secret's name", domain_name);
        let server = reader.checked(&key("oauth2_server"), http_url);
        let scope = reader.checked(&key("oauth2_scope"), plain_text);
        let sigv4 = reader.optional(&key("sigv4_service"), "a service, like glue", label)?;
        let vended = reader.optional(&key("vended_credentials"), "true or false", parse)?;
        let vended = vended.unwrap_or(false);
        let s3_endpoint = reader.checked(&key("s3_endpoint"), S3Endpoint::parse);
        let s3_region = reader.checked(&key("s3_region"), region);
        let s3_bucket = reader.optional(&key("s3_bucket"), BUCKET, bucket);
        let s3_prefix = reader.checked(&key("s3_prefix"), plain_text);
        let s3_path_style = reader.optional(&key("s3_path_style"), "true or false", parse);
        let work = reader.checked(&key("work"), WorkLocation::parse);
        if vended && sigv4.is_some() {
            return reader.reject(
                &key("vended_credentials"),
                "can't be combined with sigv4_service; remove one",
            );
        }
        let work = work?;
        let problem = match &work {
            Some(_) if vended => Some(
                "can't be combined with vended_credentials, because work is saved with a person's \
                 own S3 keys; remove one",
            ),
            Some(WorkLocation::Folder(_)) if !is_local => Some(
                "is a folder, which only sessions on this machine can write to \
                 (sessions.runtime = \"local\"); set it to a place like s3://lake/duckbot/",
            ),
            _ => None,
        };
        if let Some(problem) = problem {
            return reader.reject(&key("work"), problem);
        }
        let oauth2 = match (secret?, server?, scope?) {
            (Some(_), ..) if sigv4.is_some() => {
                return reader.reject(
                    &key("sigv4_service"),
                    "can't be combined with oauth2_secret; remove one",
                );
            }
            (Some(_), ..) if vended => {
                return reader.reject(
                    &key("vended_credentials"),
                    "can't be combined with oauth2_secret, because everybody would get the team's \
                     access to the storage; remove one",
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
                    "is required, because oauth2_server or oauth2_scope is set; set it, or remove \
                     them",
                );
            }
        };
        let (s3_endpoint, s3_path_style) = (s3_endpoint?, s3_path_style?.unwrap_or(false));
        let s3_bucket = s3_bucket?;
        if let Some(endpoint) = &s3_endpoint
            && let Err(problem) = endpoint.check_style(s3_path_style, s3_bucket.as_deref())
        {
            return reader.reject(&key("s3_path_style"), problem);
        }
        Ok(Catalog {
            name: valid?,
            endpoint: endpoint?,
            warehouse: warehouse?,
            oauth2,
            sigv4_service: sigv4,
            vended_credentials: vended,
            ignores_tokens: false,
            s3_endpoint,
            s3_region: s3_region?.unwrap_or_else(|| "us-east-1".to_owned()),
            s3_path_style,
            s3_bucket,
            s3_prefix: s3_prefix?,
            work,
        })
    });
    let catalogs: Vec<Result<Catalog, Invalid>> = catalogs.collect();
    let mut catalogs: Vec<Catalog> = catalogs.into_iter().collect::<Result<_, _>>()?;
    let any_vends = catalogs.iter().any(|catalog| catalog.vended_credentials);
    for catalog in &mut catalogs {
        catalog.ignores_tokens = any_vends && catalog.oauth2.is_some();
    }
    Ok(catalogs)
}

/// Reads the default catalog, which is the only one if none is set.
pub(super) fn read_default_catalog(reader: &mut SettingsReader) -> Result<String, Invalid> {
    const KEY: &str = "sessions.default_catalog";
    if let Some(name) = reader.optional(KEY, "a catalog's name", label)? {
        return Ok(name);
    }
    match reader.tables("catalogs").as_slice() {
        [only] => Ok(only.clone()),
        [] => reader.reject("catalogs", "there is none; add [catalogs.<name>]"),
        _ => reader.reject(
            KEY,
            "is required, because there are several catalogs; set it to the name of one",
        ),
    }
}

fn read_endpoint(reader: &mut SettingsReader, key: &str) -> Result<String, Invalid> {
    match reader.checked(key, http_url)? {
        Some(url) => Ok(url),
        None => reader.reject(key, "is required; set it to an http:// or https:// URL"),
    }
}

fn read_name(
    reader: &mut SettingsReader,
    key: &str,
    name: &str,
    parse: fn(&str) -> Result<String, &'static str>,
) -> Result<String, Invalid> {
    parse(name).or_else(|problem| reader.reject(key, problem))
}
