//! Reads each setting: its key, its parser, and the description of a valid value for errors.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use secrecy::SecretString;

use super::{
    api,
    interface::Interface,
    outbound::read_outbound,
    pod::read_pod,
    reader::{Invalid, SettingsReader},
    reaper::{read_reaper, read_report, read_schedules},
    routing::read_routing,
    sections::{
        AuditPlace, CredentialSettings, Discord, DuckDb, Kubernetes, Local, Log, Sessions,
        Settings, Sql, Work,
    },
    tables::{read_catalogs, read_default_catalog, read_size, read_sizes},
    values::{
        DURATION, ID, any, domain_name, duration, host_and_port, id, image, label, parse, path, url,
    },
};
use crate::{
    outbound::{InvalidProxy, Proxies},
    session::{Mebibytes, RUNNER_SIZE},
};

/// Variable with the bot's token, if no file is named.
pub(super) const TOKEN_VARIABLE: &str = "DUCKBOT_DISCORD_TOKEN";
const TOKEN_FILE: &str = "discord.token_file";

/// Reads all settings.
///
/// # Errors
/// If a setting is not valid. `reader` then has the errors.
pub(super) fn read(
    reader: &mut SettingsReader,
    token: Option<String>,
    proxies: Result<Proxies, InvalidProxy>,
) -> Result<Settings, Invalid> {
    let discord = read_discord(reader, token);
    let kubernetes = read_kubernetes(reader);
    let local = read_local(reader);
    let is_local = matches!(local, Ok(Some(_)));
    let routing = read_routing(reader, is_local);
    let sizes = read_sizes(reader);
    let catalogs = read_catalogs(reader, is_local);
    let sessions = read_sessions(reader, is_local);
    let work = read_work(reader);
    let duckdb = read_duckdb(reader);
    let sql = read_sql(reader);
    let pod = read_pod(reader);
    let credentials = read_credentials(reader);
    let reaper = read_reaper(reader, &sql);
    let report = read_report(reader);
    let schedules = read_schedules(reader);
    let api = api::read(reader);
    let admin = reader.optional("admin.listen", "an address, like [::]:9090", parse);
    let outbound = read_outbound(reader, proxies);
    let log = read_log(reader);
    let settings = Settings {
        discord: discord?,
        kubernetes: kubernetes?,
        local: local?,
        routing: routing?,
        sessions: sessions?,
        work: work?,
        duckdb: duckdb?,
        sql: sql?,
        pod: pod?,
        sizes: sizes?,
        catalogs: catalogs?,
        credentials: credentials?,
        reaper: reaper?,
        report: report?,
        schedules: schedules?,
        api: api?,
        admin: admin?,
        outbound: outbound?,
        log: log?,
    };
    check_defaults(reader, &settings)?;
    Ok(settings)
}

fn read_discord(reader: &mut SettingsReader, token: Option<String>) -> Result<Discord, Invalid> {
    let file = reader.optional(TOKEN_FILE, "a path", |text| Some(PathBuf::from(text)));
    let token = match &file {
        Ok(file) => read_token(reader, file.as_deref(), token),
        Err(Invalid) => Err(Invalid),
    };
    let guild = reader.required("discord.guild", ID, id);
    let allowed_channels = reader.list("discord.allowed_channels", ID, id);
    let allowed_roles = reader.list("discord.allowed_roles", ID, id);
    let admin_roles = reader.list("discord.admin_roles", ID, id);
    let admin_channel = reader.optional("discord.admin_channel", ID, id);
    let api_proxy = reader.optional("discord.api_proxy", "an http:// or https:// URL", url);
    Ok(Discord {
        token: token?,
        token_file: file?,
        guild: guild?,
        allowed_channels: allowed_channels?,
        allowed_roles: allowed_roles?,
        admin_roles: admin_roles?,
        admin_channel: admin_channel?,
        api_proxy: api_proxy?,
    })
}

fn read_token(
    reader: &mut SettingsReader,
    file: Option<&Path>,
    variable: Option<String>,
) -> Result<SecretString, Invalid> {
    if reader.take("discord.token").is_some() {
        return reader.reject(
            "discord.token",
            format!(
                "must not be in the settings; put the token into a file and set {TOKEN_FILE} to its path"
            ),
        );
    }
    let (key, token) = match (file, variable) {
        (Some(path), _) => (TOKEN_FILE, read_token_file(path)),
        (None, Some(token)) => (TOKEN_VARIABLE, check_token(&token)),
        (None, None) => {
            let says = format!(
                "there is no bot token; set the path of its file here, or set {TOKEN_VARIABLE}"
            );
            (TOKEN_FILE, Err(says))
        }
    };
    match token {
        Ok(token) => Ok(token),
        Err(why) => reader.reject(key, why),
    }
}

/// Reads the bot's token from its file.
fn read_token_file(path: &Path) -> Result<SecretString, String> {
    match std::fs::read_to_string(path) {
        Ok(token) => check_token(&token),
        Err(why) if path.is_absolute() => Err(format!("can't read {}: {why}", path.display())),
        // The path is not shown: a value that is not a path may be the token itself.
        Err(why) => Err(format!("can't read this file: {why}")),
    }
}

fn check_token(token: &str) -> Result<SecretString, String> {
    // serenity refuses such tokens too, but its error does not name the setting.
    match token.trim() {
        "" => Err("the bot token is empty".to_owned()),
        token if token.chars().any(|c| !c.is_ascii_graphic()) => {
            Err("the bot token contains a space or an invalid character; copy it again".to_owned())
        }
        token => Ok(SecretString::from(token)),
    }
}

impl Discord {
    /// Reads the token's file again. Returns `None` if the token is not from a file.
    ///
    /// # Errors
    /// Returns the reason if the file can't be read, or contains no token.
    pub fn reread_token(&self) -> Option<Result<SecretString, String>> {
        self.token_file.as_deref().map(read_token_file)
    }
}

fn read_kubernetes(reader: &mut SettingsReader) -> Result<Kubernetes, Invalid> {
    let namespace = reader.required("kubernetes.namespace", "a namespace's name", label);
    let watch_silence = reader.required("kubernetes.watch_silence", DURATION, |text| {
        duration(text)?.to_std().ok()
    });
    let lease = reader.optional("kubernetes.lease", "a Lease's name", domain_name);
    Ok(Kubernetes {
        namespace: namespace?,
        watch_silence: watch_silence?,
        lease: lease?,
    })
}

/// Reads `[local]`. Returns `Ok(None)` if sessions run on Kubernetes.
fn read_local(reader: &mut SettingsReader) -> Result<Option<Local>, Invalid> {
    const KEY: &str = "sessions.runtime";
    let is_local = reader.required(KEY, "kubernetes or local", |text| match text {
        "kubernetes" => Some(false),
        "local" => Some(true),
        _ => None,
    });
    let folder = reader.required_if(is_local == Ok(true), "local.folder", "a folder", path);
    let port = reader.required("local.port", "a port from 0 to 65535", parse);
    let duckdb = reader.required("local.duckdb", "a program", path);
    let extensions = reader.optional("local.extensions", "a folder", any);
    let editor = reader.optional("local.editor", "a file", path);
    let local = Local {
        folder: folder?,
        port: port?,
        duckdb: duckdb?,
        extensions: extensions?,
        editor: editor?,
    };
    Ok(is_local?.then_some(local))
}

fn read_sessions(reader: &mut SettingsReader, is_local: bool) -> Result<Sessions, Invalid> {
    const IMAGE: &str = "a container image";
    let duckdb_image = reader.required_if(!is_local, "sessions.image", IMAGE, image);
    let door_image = reader.required_if(!is_local, "sessions.door_image", IMAGE, image);
    let per_user = reader.required("sessions.per_user", "a number from 1 to 20", |text| {
        text.parse().ok().filter(|n| (1..=20).contains(n))
    });
    let total = reader.optional("sessions.total", "a number above 0", parse);
    let connect = reader.required("sessions.connect", "true or false", parse);
    let start_timeout = reader.required("sessions.start_timeout", DURATION, duration);
    let default_size = reader.required("sessions.default_size", "a size's name", label);
    let default_catalog = read_default_catalog(reader);
    Ok(Sessions {
        image: duckdb_image?,
        door_image: door_image?,
        per_user: per_user?,
        total: total?,
        connect: connect?,
        start_timeout: start_timeout?,
        default_size: default_size?,
        default_catalog: default_catalog?,
    })
}

fn read_work(reader: &mut SettingsReader) -> Result<Work, Invalid> {
    let up_to = |limit: TimeDelta| {
        move |text: &str| duration(text).filter(|it| (TimeDelta::seconds(1)..=limit).contains(it))
    };
    let every = reader.required("work.every", "a duration from 1s to 1d", |text| {
        up_to(TimeDelta::days(1))(text)?.to_std().ok()
    });
    // A node that is drained waits about this long for its Pods.
    let deadline = reader.required("work.deadline", "a duration from 1s to 10m", |text| {
        up_to(TimeDelta::minutes(10))(text)?.to_std().ok()
    });
    let max_size = reader.required("work.max_size", "an amount, like 512Mi or 5Gi", parse);
    Ok(Work {
        every: every?,
        deadline: deadline?,
        max_size: max_size?,
    })
}

fn read_duckdb(reader: &mut SettingsReader) -> Result<DuckDb, Invalid> {
    let ui = reader.required("duckdb.ui", "auto, console or duckdb", Interface::parse);
    const FOLDER: &str = "a location without commas that ends with a slash, like s3://lake/shared/";
    // Commas separate the locations in the session's environment.
    let folder = |text: &str| any(text).filter(|it| it.ends_with('/') && !it.contains(','));
    let folders = reader.list("duckdb.folders", FOLDER, folder);
    let community = reader.required("duckdb.community_extensions", "true or false", parse);
    let extension = |text: &str| {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (!text.is_empty() && text.bytes().all(is_name)).then(|| text.to_owned())
    };
    let extensions = reader.list(
        "duckdb.extensions",
        "the name of an extension in lower case, like spatial",
        extension,
    );
    let http_proxy = reader.optional(
        "duckdb.http_proxy",
        "a host and a port, like proxy.example.com:3128",
        host_and_port,
    );
    Ok(DuckDb {
        ui: ui?,
        folders: folders?,
        community_extensions: community?,
        extensions: extensions?,
        http_proxy: http_proxy?,
    })
}

/// Reads `[sql]`. Returns `Ok(None)` if it is off.
fn read_sql(reader: &mut SettingsReader) -> Result<Option<Sql>, Invalid> {
    // Discord's token for a reply expires after 15 minutes.
    let within = |text: &str| {
        let timeout = duration(text).filter(|it| it.num_seconds() <= 600);
        timeout?.to_std().ok()
    };
    let short = |text: &str| {
        let linger = humantime::parse_duration(text).ok();
        linger.filter(|it| it.as_secs() <= 3600)
    };
    let enabled = reader.required("sql.enabled", "true or false", parse::<bool>);
    let timeout = reader.required("sql.timeout", "a duration up to 10m", within);
    let linger = reader.required("sql.linger", "a duration up to 1h", short);
    let rows = reader.required("sql.rows", "a number from 1 to 100000", |text| {
        text.parse()
            .ok()
            .filter(|n: &u32| (1..=100_000).contains(n))
    });
    let amount = "an amount, like 256Mi";
    let memory = reader.required("sql.memory", amount, parse::<Mebibytes>);
    let write_roles = reader.list("sql.write_roles", ID, id);
    let log_queries = reader.required("sql.log_queries", "true or false", parse);
    let history = reader.required("sql.history", "true or false", parse);
    let runners = reader.required("sql.runners", "a number from 0 to 20", |text| {
        text.parse().ok().filter(|n| *n <= 20)
    });
    let runner_size = read_size(reader, RUNNER_SIZE.to_owned(), "sql.runner_");
    let sql = Sql {
        timeout: timeout?,
        linger: linger?,
        rows: rows?,
        memory: memory?,
        write_roles: write_roles?,
        log_queries: log_queries?,
        history: history?,
        runners: runners?,
        runner_size: runner_size?,
    };
    Ok(enabled?.then_some(sql))
}

fn read_credentials(reader: &mut SettingsReader) -> Result<CredentialSettings, Invalid> {
    let preflight = reader.required("credentials.preflight", "true or false", parse);
    let warn_before = reader.required("credentials.warn_before", DURATION, duration);
    Ok(CredentialSettings {
        preflight: preflight?,
        warn_before: warn_before?,
    })
}

fn read_log(reader: &mut SettingsReader) -> Result<Log, Invalid> {
    let filter = reader.required(
        "log.filter",
        "a filter, like info or duckbot=debug",
        Log::parse_filter,
    );
    let json = reader.required("log.format", "text or json", Log::parse_format);
    let expected = "stderr, an absolute path, or unix: and an absolute path";
    let audit = reader.required("log.audit", expected, audit_place);
    Ok(Log {
        filter: filter?,
        json: json?,
        audit: audit?,
    })
}

/// Parses the place of the audit log.
fn audit_place(text: &str) -> Option<AuditPlace> {
    let absolute = |text: &str| path(text).filter(|path| path.is_absolute());
    match text.strip_prefix("unix:") {
        _ if text == "stderr" => Some(AuditPlace::StandardError),
        Some(socket) => absolute(socket).map(AuditPlace::Socket),
        None => absolute(text).map(AuditPlace::File),
    }
}

fn check_defaults(reader: &mut SettingsReader, settings: &Settings) -> Result<(), Invalid> {
    let Sessions {
        default_size: size,
        default_catalog: catalog,
        ..
    } = &settings.sessions;
    let no_size = settings.size(size).is_none();
    let no_catalog = settings.named_catalog(catalog).is_none();
    if no_size {
        reader.add_error(
            "sessions.default_size",
            format!("there is no size {size:?}; add [sizes.{size}] or name another size"),
        );
    }
    if no_catalog {
        reader.add_error(
            "sessions.default_catalog",
            format!(
                "there is no catalog {catalog:?}; add [catalogs.{catalog}] or name another catalog"
            ),
        );
    }
    if no_size || no_catalog {
        Err(Invalid)
    } else {
        Ok(())
    }
}
