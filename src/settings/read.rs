//! Reads each setting: its key, its parser, and the description of a valid value for errors.

use std::path::PathBuf;

use chrono::TimeDelta;
use secrecy::SecretString;
use tracing::level_filters::LevelFilter;

use super::{
    Catalog, CredentialSettings, Discord, DuckDb, Kubernetes, Local, Log, OAuth2, Pod, Reaper,
    Report, RouteKind, Routing, Schedule, Sessions, Settings, Sql, TOKEN_VARIABLE, api,
    reader::SettingsReader,
};
use crate::session::{Cpu, Limits, Mebibytes, Size};

/// Maximum length of the name of a size or a catalog. Discord limits a button's custom ID to 100
/// characters, which must hold two such names, two IDs and the name of the button.
pub const MAX_NAME_BYTES: usize = 28;

/// Reads all settings. Returns `None` if there are errors, which are then in `reader`.
pub(super) fn read(reader: &mut SettingsReader, token: Option<String>) -> Option<Settings> {
    let discord = read_discord(reader, token);
    let kubernetes = read_kubernetes(reader);
    let local = read_local(reader);
    let is_local = matches!(local, Some(Some(_)));
    let routing = read_routing(reader, is_local);
    let sizes = read_sizes(reader);
    let catalogs = read_catalogs(reader, is_local);
    let sessions = read_sessions(reader, is_local);
    let duckdb = read_duckdb(reader);
    let sql = read_sql(reader);
    let pod = read_pod(reader);
    let credentials = read_credentials(reader);
    let reaper = read_reaper(reader);
    let report = read_report(reader);
    let api = api::read(reader);
    let admin = reader.optional("admin.listen", "an address, like 0.0.0.0:9090", parse);
    let log = read_log(reader);
    let settings = Settings {
        discord: discord?,
        kubernetes: kubernetes?,
        local: local?,
        routing: routing?,
        sessions: sessions?,
        duckdb: duckdb?,
        sql: sql?,
        pod: pod?,
        sizes: sizes?,
        catalogs: catalogs?,
        credentials: credentials?,
        reaper: reaper?,
        report: report?,
        api: api?,
        admin: admin?,
        log: log?,
    };
    check_defaults(reader, &settings)?;
    Some(settings)
}

const IDS: &str = "a Discord ID, like 1029384756102938475";

fn read_discord(reader: &mut SettingsReader, token: Option<String>) -> Option<Discord> {
    let token = read_token(reader, token);
    let guild = reader.required("discord.guild", IDS, id);
    let allowed_channels = reader.list("discord.allowed_channels", IDS, id);
    let allowed_roles = reader.list("discord.allowed_roles", IDS, id);
    let admin_roles = reader.list("discord.admin_roles", IDS, id);
    let admin_channel = reader.optional("discord.admin_channel", "a channel's ID", id);
    let api_proxy = reader.optional("discord.api_proxy", "an http:// or https:// URL", url);
    Some(Discord {
        token: token?,
        guild: guild?,
        allowed_channels: allowed_channels?,
        allowed_roles: allowed_roles?,
        admin_roles: admin_roles?,
        admin_channel: admin_channel?,
        api_proxy: api_proxy?,
    })
}

fn read_token(reader: &mut SettingsReader, variable: Option<String>) -> Option<SecretString> {
    const KEY: &str = "discord.token_file";
    let file = reader.optional(KEY, "a path", |text| Some(PathBuf::from(text)));
    if reader.take("discord.token").is_some() {
        return reader.reject(
            "discord.token",
            format!(
                "must not be in the settings; put the token into a file and set {KEY} to its path"
            ),
        );
    }
    let file = file?;
    let (key, token) = match (file, variable) {
        (Some(path), _) => match std::fs::read_to_string(&path) {
            Ok(token) => (KEY, token),
            Err(why) if path.is_absolute() => {
                return reader.reject(KEY, format!("can't read {}: {why}", path.display()));
            }
            // The path is not shown: a value that is not a path may be the token itself.
            Err(why) => return reader.reject(KEY, format!("can't read this file: {why}")),
        },
        (None, Some(token)) => (TOKEN_VARIABLE, token),
        (None, None) => {
            return reader.reject(
                KEY,
                format!(
                    "there is no bot token; set the path of its file here, or set {TOKEN_VARIABLE}"
                ),
            );
        }
    };
    // serenity refuses such tokens too, but its error does not name the setting.
    match token.trim() {
        "" => reader.reject(key, "the bot token is empty"),
        token if token.chars().any(|c| !c.is_ascii_graphic()) => reader.reject(
            key,
            "the bot token contains a space or an invalid character; copy it again",
        ),
        token => Some(SecretString::from(token)),
    }
}

fn read_kubernetes(reader: &mut SettingsReader) -> Option<Kubernetes> {
    let namespace = reader.required("kubernetes.namespace", "a namespace's name", label);
    let watch_silence = reader.required("kubernetes.watch_silence", DURATION, duration);
    Some(Kubernetes {
        namespace: namespace?,
        watch_silence: watch_silence?.to_std().ok()?,
    })
}

/// Reads `[local]`. Returns `None` if it has errors, `Some(None)` if sessions run on Kubernetes.
fn read_local(reader: &mut SettingsReader) -> Option<Option<Local>> {
    const KEY: &str = "sessions.runtime";
    let is_local = reader.required(KEY, "kubernetes or local", |text| match text {
        "kubernetes" => Some(false),
        "local" => Some(true),
        _ => None,
    });
    let path = |text: &str| Some(PathBuf::from(text));
    let folder = reader.required_if(is_local == Some(true), "local.folder", "a folder", path);
    let port = reader.required("local.port", "a port from 0 to 65535", parse);
    let duckdb = reader.required("local.duckdb", "a program", path);
    let extensions = reader.optional("local.extensions", "a folder", any);
    let local = Local {
        folder: folder?,
        port: port?,
        duckdb: duckdb?,
        extensions: extensions?,
    };
    Some(is_local?.then_some(local))
}

const TEXTS: &str = "a table of strings";

fn read_routing(reader: &mut SettingsReader, is_local: bool) -> Option<Routing> {
    let kind = reader.required("routing.kind", "traefik or ingress", |text| match text {
        "traefik" => Some(RouteKind::Traefik),
        "ingress" => Some(RouteKind::Ingress),
        _ => None,
    });
    let domain = reader.required_if(
        !is_local,
        "routing.domain",
        "a DNS name of up to 239 characters, like duck.example.com",
        |text| {
            // A session's host name adds `duckui-977a26.`; a DNS name has at most 253 characters.
            domain_name(text).filter(|name| name.len() <= 239)
        },
    );
    let tls_secret = reader.optional("routing.tls_secret", "a Secret's name", domain_name);
    let entry_points = reader.list("routing.entry_points", "an entry point's name", label);
    let ingress_class = reader.optional(
        "routing.ingress_class",
        "an IngressClass's name",
        domain_name,
    );
    let annotations = reader.manifest("routing.annotations", TEXTS);
    Some(Routing {
        kind: kind?,
        domain: domain?,
        tls_secret: tls_secret?,
        entry_points: entry_points?,
        ingress_class: ingress_class?,
        annotations: annotations?,
    })
}

fn read_sessions(reader: &mut SettingsReader, is_local: bool) -> Option<Sessions> {
    const IMAGE: &str = "a container image";
    let duckdb_image = reader.required_if(!is_local, "sessions.image", IMAGE, image);
    let door_image = reader.required_if(!is_local, "sessions.door_image", IMAGE, image);
    let per_user = reader.required("sessions.per_user", "a number from 1 to 20", |text| {
        text.parse().ok().filter(|n| (1..=20).contains(n))
    });
    let start_timeout = reader.required("sessions.start_timeout", DURATION, duration);
    let default_size = reader.required("sessions.default_size", "a size's name", label);
    let default_catalog = reader.required("sessions.default_catalog", "a catalog's name", label);
    Some(Sessions {
        image: duckdb_image?,
        door_image: door_image?,
        per_user: per_user?,
        start_timeout: start_timeout?,
        default_size: default_size?,
        default_catalog: default_catalog?,
    })
}

fn read_sizes(reader: &mut SettingsReader) -> Option<Vec<Size>> {
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
        Some(Size {
            name: valid?,
            cpu: cpu?,
            memory: memory?,
            disk: disk?.unwrap_or(DISK),
        })
    });
    // Collected first, so that the errors of all sizes are reported.
    let mut sizes: Vec<Size> = sizes
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Option<_>>()?;
    sizes.sort_by_key(|size| (size.memory, size.cpu));
    Some(sizes)
}

fn read_duckdb(reader: &mut SettingsReader) -> Option<DuckDb> {
    const FOLDER: &str = "a location without commas that ends with a slash, like s3://lake/shared/";
    // Commas separate the locations in the session's environment.
    let folder = |text: &str| (text.ends_with('/') && !text.contains(',')).then(|| text.to_owned());
    let folders = reader.list("duckdb.folders", FOLDER, folder);
    let community = reader.required("duckdb.community_extensions", "true or false", parse);
    let http_proxy = reader.optional(
        "duckdb.http_proxy",
        "a host and a port, like proxy.example.com:3128",
        host_and_port,
    );
    Some(DuckDb {
        folders: folders?,
        community_extensions: community?,
        http_proxy: http_proxy?,
    })
}

/// Reads `[sql]`. Returns `None` if it has errors, `Some(None)` if it is off.
fn read_sql(reader: &mut SettingsReader) -> Option<Option<Sql>> {
    // Discord's token for a reply expires after 15 minutes.
    let within = |text: &str| duration(text).filter(|it| it.num_seconds() <= 600);
    let enabled = reader.required("sql.enabled", "true or false", parse::<bool>);
    let timeout = reader.required("sql.timeout", "a duration up to 10m", within);
    let rows = reader.required("sql.rows", "a number from 1 to 100000", |text| {
        text.parse()
            .ok()
            .filter(|n: &u32| (1..=100_000).contains(n))
    });
    let amount = "an amount, like 256Mi";
    let memory = reader.required("sql.memory", amount, parse::<Mebibytes>);
    let write_roles = reader.list("sql.write_roles", IDS, id);
    let log_queries = reader.required("sql.log_queries", "true or false", parse);
    let sql = Sql {
        timeout: timeout?.to_std().ok()?,
        rows: rows?,
        memory: memory?,
        write_roles: write_roles?,
        log_queries: log_queries?,
    };
    Some(enabled?.then_some(sql))
}

fn read_pod(reader: &mut SettingsReader) -> Option<Pod> {
    const CONTAINERS: &str = "a list of containers, as in a Pod spec";
    const POLICY: &str = "Always, IfNotPresent or Never";
    let policies = ["Always", "IfNotPresent", "Never"];
    let policy = |text: &str| policies.contains(&text).then(|| text.to_owned());
    let image_pull_policy = reader.optional("pod.image_pull_policy", POLICY, policy);
    let image_pull_secrets = reader.list("pod.image_pull_secrets", "a Secret's name", domain_name);
    let labels = reader.manifest("pod.labels", TEXTS);
    let annotations = reader.manifest("pod.annotations", TEXTS);
    let environment = reader.manifest("pod.environment", TEXTS);
    let node_selector = reader.manifest("pod.node_selector", TEXTS);
    let tolerations = reader.manifest("pod.tolerations", "a list of tolerations, as in a Pod spec");
    let priority_class =
        reader.optional("pod.priority_class", "a PriorityClass's name", domain_name);
    let init_containers = reader.manifest("pod.init_containers", CONTAINERS);
    let init_sql = reader.optional("pod.init_sql", "a ConfigMap's name", domain_name);
    Some(Pod {
        image_pull_policy: image_pull_policy?,
        image_pull_secrets: image_pull_secrets?,
        labels: labels?,
        annotations: annotations?,
        environment: environment?,
        node_selector: node_selector?,
        tolerations: tolerations?,
        priority_class: priority_class?,
        init_containers: init_containers?,
        init_sql: init_sql?,
    })
}

/// Default disk of a size.
const DISK: Mebibytes = Mebibytes::gibibytes(10);

fn read_catalogs(reader: &mut SettingsReader, is_local: bool) -> Option<Vec<Catalog>> {
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
        let s3_endpoint = reader.optional(&key("s3_endpoint"), URL, url);
        let s3_region = reader.optional(&key("s3_region"), "a region's name", label);
        let s3_bucket = reader.optional(&key("s3_bucket"), "a bucket's name", bucket);
        let s3_prefix = reader.optional(&key("s3_prefix"), "a prefix", any);
        let s3_path_style = reader.optional(&key("s3_path_style"), "true or false", parse);
        let oauth2 = match (secret?, server?, scope?) {
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
        Some(Catalog {
            name: valid?,
            endpoint: endpoint?,
            warehouse: warehouse?,
            oauth2,
            s3_endpoint: s3_endpoint?,
            s3_region: s3_region?.unwrap_or_else(|| "us-east-1".to_owned()),
            s3_path_style: s3_path_style?.unwrap_or(false),
            s3_bucket: s3_bucket?,
            s3_prefix: s3_prefix?,
        })
    });
    catalogs.collect::<Vec<_>>().into_iter().collect()
}

fn read_name(reader: &mut SettingsReader, key: &str, name: &str) -> Option<String> {
    match label(name).filter(|name| name.len() <= MAX_NAME_BYTES) {
        Some(name) => Some(name),
        None => reader.reject(
            key,
            format!(
                "is not a valid name; use up to {MAX_NAME_BYTES} lower-case letters, digits and \
                 hyphens, and no hyphen at either end"
            ),
        ),
    }
}

fn read_credentials(reader: &mut SettingsReader) -> Option<CredentialSettings> {
    let preflight = reader.required("credentials.preflight", "true or false", parse);
    let warn_before = reader.required("credentials.warn_before", DURATION, duration);
    Some(CredentialSettings {
        preflight: preflight?,
        warn_before: warn_before?,
    })
}

fn read_reaper(reader: &mut SettingsReader) -> Option<Reaper> {
    const OR_OFF: &str = "a duration, like 8h, or off";
    let or_off = |text: &str| match text {
        "off" => Some(None),
        text => duration(text).map(Some),
    };
    let lifetime = reader.required("reaper.lifetime", OR_OFF, or_off);
    let max_age = reader.required("reaper.max_age", OR_OFF, or_off);
    let idle = reader.required("reaper.idle", OR_OFF, or_off);
    let left_guild = reader.required("reaper.left_guild", OR_OFF, or_off);
    let orphans = reader.required("reaper.orphans", OR_OFF, or_off);
    let warn_before = reader.required("reaper.warn_before", DURATION, duration);
    let extend_by = reader.required("reaper.extend_by", DURATION, duration);
    let extend_budget = reader.required("reaper.extend_budget", DURATION, duration);
    let unreachable = reader.required("reaper.unreachable", DURATION, duration);
    let every = reader.required("reaper.every", DURATION, duration);
    let stops_per_sweep = reader.required("reaper.stops_per_sweep", "a number above 0", |text| {
        text.parse().ok().filter(|n| *n > 0)
    });
    let largest_share = reader.required("reaper.largest_share", "a percentage, 1 to 100", |text| {
        text.parse().ok().filter(|n| (1..=100).contains(n))
    });
    let failed = reader.required("reaper.failed", "true or false", parse);
    let late = reader.required("reaper.late", "true or false", parse);
    let dry_run = reader.required("reaper.dry_run", "true or false", parse);
    let limits = Limits {
        lifetime: lifetime?,
        max_age: max_age?,
        idle: idle?,
        warn_before: warn_before?,
        extend_budget: extend_budget?,
        left_guild: left_guild?,
        orphans: orphans?,
        unreachable: unreachable?,
        stops_per_sweep: stops_per_sweep?,
        largest_share: largest_share?,
    };
    for (key, length) in [
        ("reaper.lifetime", limits.lifetime),
        ("reaper.max_age", limits.max_age),
        ("reaper.idle", limits.idle),
    ] {
        if length.is_some_and(|length| length <= limits.warn_before) {
            let why = "must be longer than reaper.warn_before, so that owners are warned first";
            return reader.reject(key, why);
        }
    }
    Some(Reaper {
        limits,
        failed: failed?,
        late: late?,
        every: every?,
        extend_by: extend_by?,
        dry_run: dry_run?,
    })
}

fn read_report(reader: &mut SettingsReader) -> Option<Report> {
    const CRON: &str = "a cron expression, like 0 9 * * MON";
    let channel = reader.optional("report.channel", "a channel's ID", id);
    let times = reader.required("report.schedule", CRON, parse);
    let zone = reader.required("report.time_zone", "a time zone, like Europe/Berlin", parse);
    let when_quiet = reader.required("report.when_quiet", "line or silence", |text| match text {
        "line" => Some(true),
        "silence" => Some(false),
        _ => None,
    });
    Some(Report {
        channel: channel?,
        schedule: Schedule::new(times?, zone?),
        when_quiet: when_quiet?,
    })
}

fn read_log(reader: &mut SettingsReader) -> Option<Log> {
    let filter = reader.required(
        "log.filter",
        "a filter, like info or duckbot=debug",
        |text| {
            let valid = text.parse::<tracing_subscriber::filter::targets::Targets>();
            // tracing takes a bare word that is not a level, such as a misspelt one, for a target.
            let is_level = |it: &str| it.contains('=') || it.parse::<LevelFilter>().is_ok();
            let is_clear = text.split(',').all(|it| is_level(it.trim()));
            (valid.is_ok() && is_clear).then(|| text.to_owned())
        },
    );
    let json = reader.required("log.format", "text or json", |text| match text {
        "text" => Some(false),
        "json" => Some(true),
        _ => None,
    });
    Some(Log {
        filter: filter?,
        json: json?,
    })
}

fn check_defaults(reader: &mut SettingsReader, settings: &Settings) -> Option<()> {
    let Sessions {
        default_size: size,
        default_catalog: catalog,
        ..
    } = &settings.sessions;
    let no_size = settings.size(size).is_none();
    let no_catalog = settings.named_catalog(catalog).is_none();
    if no_size {
        reader.reject::<()>(
            "sessions.default_size",
            format!("there is no size {size:?}; add [sizes.{size}] or name another size"),
        );
    }
    if no_catalog {
        reader.reject::<()>(
            "sessions.default_catalog",
            format!(
                "there is no catalog {catalog:?}; add [catalogs.{catalog}] or name another catalog"
            ),
        );
    }
    (!no_size && !no_catalog).then_some(())
}

const DURATION: &str = "a duration, like 5m or 1h 30m";

/// Parses a duration such as `1h 30m`: more than 0, and at most 365 days.
pub fn duration(text: &str) -> Option<TimeDelta> {
    let duration = humantime::parse_duration(text).ok()?;
    let delta = TimeDelta::from_std(duration).ok()?;
    (delta > TimeDelta::zero() && delta <= TimeDelta::days(365)).then_some(delta)
}

/// Parses a Discord ID.
pub(super) fn id(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| *id > 0)
}

/// Parses any type that implements `FromStr`.
pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn any(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Parses an HTTP URL. Removes slashes at its end.
pub(super) fn url(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or(text.strip_prefix("http://"))?;
    // No `@`: a user name and password in the URL would appear in requests and logs.
    let valid = !rest.contains('@')
        && !rest.is_empty()
        && !rest.starts_with('/')
        && rest.chars().all(|c| c.is_ascii_graphic());
    valid.then(|| text.trim_end_matches('/').to_owned())
}

fn host_and_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let valid = domain_name(host).is_some() && port.parse::<u16>().is_ok_and(|port| port > 0);
    valid.then(|| text.to_owned())
}

fn image(text: &str) -> Option<String> {
    text.chars()
        .all(|c| c.is_ascii_graphic())
        .then(|| text.to_owned())
}

/// Parses a bucket name. Allows the underscores of older buckets besides
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn bucket(text: &str) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    ((3..=63).contains(&text.len()) && text.chars().all(inner)).then(|| text.to_owned())
}

/// Parses an RFC 1123 label.
fn label(text: &str) -> Option<String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let valid = (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    valid.then(|| text.to_owned())
}

/// Parses an RFC 1123 subdomain, which is a valid name for most Kubernetes objects.
fn domain_name(text: &str) -> Option<String> {
    let valid = text.len() <= 253 && text.split('.').all(|part| label(part).is_some());
    valid.then(|| text.to_owned())
}
