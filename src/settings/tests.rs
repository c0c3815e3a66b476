use std::{collections::HashMap, io::Write, path::PathBuf};

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use super::*;

/// Minimal settings as variables, and a proxy for the UI's pages.
pub(super) fn minimal() -> HashMap<String, String> {
    variables(&[
        ("DUCKBOT_DISCORD__GUILD", "1029384756102938475"),
        ("DUCKBOT_DISCORD_TOKEN", "canary-token"),
        ("DUCKBOT_ROUTING__DOMAIN", "duck.example.com"),
        ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
        ("DUCKBOT_DUCKDB__HTTP_PROXY", "proxy.example.com:3128"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", "http://catalog:8181/"),
    ])
}

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    pairs.iter().map(owned).collect()
}

fn with(changes: &[(&str, &str)]) -> Result<Settings, InvalidSettings> {
    let mut all = minimal();
    all.extend(variables(changes));
    Settings::read(None, all)
}

/// A temporary file. It is removed on drop.
struct Temporary(PathBuf);

impl Temporary {
    fn new(content: &str) -> Self {
        let name = format!("duckbot-settings-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create(&path).expect("a temporary file");
        file.write_all(content.as_bytes()).expect("written");
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_small_installation_needs_six_values() {
    let settings = Settings::load(None, minimal()).expect("valid");
    assert_eq!(settings.discord.token.expose_secret(), "canary-token");
    assert_eq!(settings.kubernetes.namespace, "duckbot-sessions");
    assert_eq!(settings.sessions.per_user, 2);
    assert_eq!(settings.sessions.total, None);
    assert_eq!(settings.sessions.start_timeout, TimeDelta::minutes(5));
    assert_eq!(settings.catalogs[0].endpoint, "http://catalog:8181");
    assert_eq!(settings.sessions.default_catalog, "lake");
    let sizes: Vec<_> = settings.sizes.iter().map(ToString::to_string).collect();
    assert_eq!(
        sizes,
        ["small: 1 CPU, 4Gi memory", "large: 4 CPU, 16Gi memory"]
    );
}

#[test]
fn the_example_is_valid_once_its_token_file_is_there() {
    let token = Temporary::new("canary-token\n");
    let path = token.0.to_str().expect("the path is UTF-8");
    let example = std::path::Path::new("config/example.toml");
    let moved = variables(&[("DUCKBOT_DISCORD__TOKEN_FILE", path)]);
    let settings = Settings::load(Some(example), moved).expect("valid");
    assert_eq!(settings.discord.admin_roles, [1029384756102938477]);
    assert_eq!(
        settings.routing.tls_secret.as_deref(),
        Some("duckui-wildcard-tls")
    );
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let file = Temporary::new("[sessions]\nper_user = 3\nstart_timeout = \"2m\"\n");
    let mut all = minimal();
    all.extend(variables(&[("DUCKBOT_SESSIONS__PER_USER", "4")]));
    let sessions = Settings::load(Some(&file.0), all).expect("valid").sessions;
    assert_eq!(sessions.per_user, 4);
    assert_eq!(sessions.start_timeout, TimeDelta::minutes(2));
}

#[test]
fn lists_are_written_with_commas_in_a_variable() {
    let settings = with(&[("DUCKBOT_DISCORD__ADMIN_ROLES", "1, 2")]).expect("valid");
    assert_eq!(settings.discord.admin_roles, [1, 2]);
}

#[test]
fn all_errors_are_reported_at_once() {
    let file = Temporary::new(
        "[discord]\nguidl = \"1\"\ntoken = \"canary-in-toml\"\nallowed_roles = [\"x\", 7, \"y\"]\n\
         [routing]\nkind = \"nginx\"\ndomain = \"https://duck\"\n\
         [sizes.Huge]\ncpu = \"many\"\nmemory = \"4GB\"\n\
         [sessions]\nper_user = 0\ntotal = 0\nstart_timeout = \"soon\"\n\
         [catalogs.lake]\ns3_path_style = \"maybe\"\n",
    );
    let invalid = Settings::load(Some(&file.0), HashMap::new()).expect_err("invalid");
    assert!(!invalid.to_string().contains("canary"));
    insta::assert_snapshot!(invalid, @r#"
    invalid settings:
      discord.token: must not be in the settings; put the token into a file and set discord.token_file to its path
      discord.guild: is required; set it to a Discord ID, like 1029384756102938475
      discord.allowed_roles: "x" is not a Discord ID, like 1029384756102938475
      discord.allowed_roles: "y" is not a Discord ID, like 1029384756102938475
      routing.kind: "nginx" is not traefik, gateway or ingress
      routing.domain: "https://duck" is not a DNS name of up to 239 characters, like duck.example.com
      sizes.Huge: is not a valid name; use up to 28 lower-case letters, digits and hyphens, and no hyphen at either end
      sizes.Huge.cpu: "many" is not a number of cores up to 512, like 2, 500m or 1500m
      sizes.Huge.memory: "4GB" is not an amount of at least 128Mi, like 512Mi or 4Gi
      catalogs.lake.endpoint: is required; set it to an http:// or https:// URL
      catalogs.lake.s3_path_style: "maybe" is not true or false
      sessions.image: is required; set it to a container image
      sessions.door_image: is required; set it to a container image
      sessions.per_user: "0" is not a number from 1 to 20
      sessions.total: "0" is not a number above 0
      sessions.start_timeout: "soon" is not a duration, like 5m or 1h 30m
      discord.guidl: unknown setting; did you mean discord.guild?
    "#);
}

#[test]
fn work_is_saved_where_a_catalog_says() {
    let of = |changes: &[(&str, &str)]| {
        let settings = with(changes).map_err(|invalid| invalid.to_string())?;
        let place = settings.catalogs[0].work.as_ref().map(ToString::to_string);
        Ok::<_, String>((place, settings.work))
    };
    let (place, work) = of(&[]).expect("valid");
    assert_eq!(place, None);
    assert_eq!(work.every.as_secs(), 300);
    assert_eq!(work.deadline.as_secs(), 60);
    assert_eq!(work.max_size.mebibytes(), 5 << 10);

    let place = ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot");
    assert_eq!(
        of(&[place]).expect("valid").0.as_deref(),
        Some("s3://lake/duckbot/")
    );
    let local = [
        ("DUCKBOT_SESSIONS__RUNTIME", "local"),
        ("DUCKBOT_LOCAL__FOLDER", "/var/lib/duckbot"),
        ("DUCKBOT_CATALOGS__LAKE__WORK", "/var/lib/duckbot-work"),
    ];
    assert!(of(&local).is_ok());

    let vended = ("DUCKBOT_CATALOGS__LAKE__VENDED_CREDENTIALS", "true");
    let all = [
        vec![place, vended],
        vec![local[2]],
        vec![
            ("DUCKBOT_CATALOGS__LAKE__WORK", "lake/duckbot"),
            ("DUCKBOT_WORK__EVERY", "0s"),
            ("DUCKBOT_WORK__DEADLINE", "11m"),
            ("DUCKBOT_WORK__MAX_SIZE", "much"),
        ],
    ];
    let errors = all.map(|changes| of(&changes).expect_err("invalid"));
    insta::assert_snapshot!(errors.join("\n"), @r#"
    invalid settings:
      catalogs.lake.work: can't be combined with vended_credentials, because work is saved with a person's own S3 keys; remove one
    invalid settings:
      catalogs.lake.work: is a folder, which only sessions on this machine can write to (sessions.runtime = "local"); set it to a place like s3://lake/duckbot/
    invalid settings:
      catalogs.lake.work: must be a place for saved work like s3://lake/duckbot/, or a folder with an absolute path
      work.every: "0s" is not a duration from 1s to 1d
      work.deadline: "11m" is not a duration from 1s to 10m
      work.max_size: "much" is not an amount, like 512Mi or 5Gi
    "#);
}

#[test]
fn defaults_must_exist() {
    let invalid = with(&[
        ("DUCKBOT_SESSIONS__DEFAULT_SIZE", "huge"),
        ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "pond"),
    ]);
    insta::assert_snapshot!(invalid.expect_err("invalid"), @r#"
    invalid settings:
      sessions.default_size: there is no size "huge"; add [sizes.huge] or name another size
      sessions.default_catalog: there is no catalog "pond"; add [catalogs.pond] or name another catalog
    "#);
}

#[test]
fn several_catalogs_need_a_default() {
    let invalid = with(&[("DUCKBOT_CATALOGS__POND__ENDPOINT", "http://pond:8181/")]);
    insta::assert_snapshot!(invalid.expect_err("invalid"), @r#"
    invalid settings:
      sessions.default_catalog: is required, because there are several catalogs; set it to the name of one
    "#);
}

#[test]
fn a_misspelt_variable_is_named_without_its_value() {
    let invalid = with(&[("DUCKBOT_SESSIONS__PER_USR", "canary")]);
    insta::assert_snapshot!(invalid.expect_err("invalid"), @r#"
    invalid settings:
      sessions.per_usr: unknown setting; did you mean sessions.per_user?
    "#);
}

#[test]
fn a_missing_or_invalid_file_is_named() {
    let missing = Settings::load(Some(Path::new("/nowhere/duckbot.toml")), minimal());
    let missing = missing.expect_err("invalid").to_string();
    assert!(
        missing.contains("/nowhere/duckbot.toml: can't read the file"),
        "{missing}"
    );
    let file = Temporary::new("[sessions\n");
    let broken = Settings::load(Some(&file.0), minimal()).expect_err("invalid");
    assert!(
        broken.to_string().contains(file.0.to_str().expect("plain")),
        "{broken}"
    );
}

#[test]
fn without_a_file_and_enough_variables_the_option_for_a_file_is_named() {
    let invalid = Settings::load(None, HashMap::new()).expect_err("invalid");
    assert!(invalid.to_string().contains("--config FILE"), "{invalid}");
    let file = Temporary::new("");
    let invalid = Settings::load(Some(&file.0), HashMap::new()).expect_err("invalid");
    assert!(!invalid.to_string().contains("--config"), "{invalid}");
}

#[test]
fn a_token_comes_from_its_file_first_and_must_look_like_one() {
    let load = |content: &str| {
        let file = Temporary::new(content);
        let path = file.0.to_str().expect("plain").to_owned();
        with(&[("DUCKBOT_DISCORD__TOKEN_FILE", &path)])
    };
    let settings = load("  from-file\n").expect("valid");
    assert_eq!(settings.discord.token.expose_secret(), "from-file");
    assert!(
        load("\n")
            .expect_err("empty")
            .to_string()
            .contains("is empty")
    );
    let two = load("canary one\n").expect_err("two words").to_string();
    assert!(
        two.contains("discord.token_file") && !two.contains("canary"),
        "{two}"
    );
    let mut none = minimal();
    none.remove("DUCKBOT_DISCORD_TOKEN");
    let none = Settings::load(None, none)
        .expect_err("no token")
        .to_string();
    assert!(none.contains("DUCKBOT_DISCORD_TOKEN"), "{none}");
}

#[test]
fn debug_shows_no_token() {
    let settings = Settings::load(None, minimal()).expect("valid");
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn a_token_in_the_wrong_place_is_not_repeated() {
    let unquoted = Temporary::new("[discord]\ntoken = canary.in.toml\n");
    let said = Settings::load(Some(&unquoted.0), minimal())
        .expect_err("no TOML")
        .to_string();
    assert!(
        said.contains("line 2") && !said.contains("canary"),
        "{said}"
    );
    let as_path = with(&[("DUCKBOT_DISCORD__TOKEN_FILE", "canary.as.path")]);
    let said = as_path.expect_err("no file").to_string();
    assert!(
        said.contains("discord.token_file") && !said.contains("canary"),
        "{said}"
    );
}

#[test]
fn a_misspelt_log_level_is_rejected() {
    for filter in ["inof", "info,degub", "duckbot=loud"] {
        assert!(
            with(&[("DUCKBOT_LOG__FILTER", filter)]).is_err(),
            "{filter}"
        );
    }
    for filter in ["info", "warn,duckbot=debug", "off"] {
        assert!(with(&[("DUCKBOT_LOG__FILTER", filter)]).is_ok(), "{filter}");
    }
}

#[test]
fn the_place_of_the_audit_log_is_standard_error_or_an_absolute_path() {
    let read = |place| with(&[("DUCKBOT_LOG__AUDIT", place)]).map(|settings| settings.log.audit);
    let path = PathBuf::from;
    for (place, expected) in [
        ("stderr", AuditPlace::StandardError),
        ("/a/b.log", AuditPlace::File(path("/a/b.log"))),
        ("unix:/a/b.sock", AuditPlace::Socket(path("/a/b.sock"))),
    ] {
        assert_eq!(read(place).expect("valid"), expected);
    }
    for place in ["stdout", "audit.log", "unix:audit.sock", "unix:"] {
        let error = read(place).expect_err("invalid").to_string();
        assert!(error.contains("log.audit"), "{error}");
    }
}

#[test]
fn service_variables_of_kubernetes_are_not_settings() {
    let links = [
        ("DUCKBOT_PORT", "tcp://10.0.0.1:80"),
        ("DUCKBOT_SERVICE_HOST", "10.0.0.1"),
    ];
    assert!(with(&links).is_ok());
}

#[test]
fn the_api_needs_a_caller_and_errors_show_no_token() {
    const LISTEN: (&str, &str) = ("DUCKBOT_API__LISTEN", "127.0.0.1:8080");
    let wrong = |changes: &[(&str, &str)]| with(changes).expect_err("wrong").to_string();
    assert!(with(&[]).expect("valid").api.is_none());
    assert!(wrong(&[LISTEN]).contains("api.tokens_file: is not set, so nobody could use the API"));

    let digest = "0a".repeat(32);
    let line = format!("ci sha256:{digest} owner=7 stored-keys\n");
    let file = Temporary::new(&format!("# of us\n\n{line}"));
    let tokens = ("DUCKBOT_API__TOKENS_FILE", file.0.to_str().expect("plain"));
    let api = with(&[LISTEN, tokens]).expect("valid").api.expect("there");
    assert_eq!(
        (api.tokens[0].name.as_str(), api.tokens[0].digest),
        ("ci", [10; 32])
    );

    let twice = Temporary::new(&format!("{line}{line}"));
    let twice = ("DUCKBOT_API__TOKENS_FILE", twice.0.to_str().expect("plain"));
    assert!(wrong(&[LISTEN, twice]).contains("two tokens with the name \"ci\""));
    let pasted = Temporary::new("duckbot_canary\n");
    let pasted = (
        "DUCKBOT_API__TOKENS_FILE",
        pasted.0.to_str().expect("plain"),
    );
    let said = wrong(&[LISTEN, pasted]);
    assert!(
        said.contains("line 1 is not a token") && !said.contains("canary"),
        "{said}"
    );
    let lab = ("DUCKBOT_API__ANONYMOUS_OWNER", "7");
    let api = with(&[LISTEN, lab]).expect("valid").api.expect("there");
    assert_eq!((api.tokens.len(), api.anonymous), (0, Some(7.into())));
}

#[test]
fn a_catalog_is_found_by_name_or_url_and_other_urls_must_be_allowed() {
    let settings = with(&[]).expect("valid");
    let lake = || Some("lake".to_owned());
    assert_eq!(settings.resolve_catalog("lake"), lake());
    assert_eq!(settings.resolve_catalog("http://catalog:8181/"), lake());
    assert_eq!(settings.resolve_catalog("http://catalog:8181/x"), None);
    assert!(settings.catalog("http://elsewhere").is_none());

    let lab = [
        ("DUCKBOT_API__LISTEN", "127.0.0.1:8080"),
        ("DUCKBOT_API__ANONYMOUS_OWNER", "7"),
        ("DUCKBOT_API__ANY_CATALOG", "true"),
    ];
    let settings = with(&lab).expect("valid");
    let said = settings.resolve_catalog("http://elsewhere/").expect("any");
    let catalog = settings.catalog(&said).expect("any");
    assert_eq!(
        (&*catalog.endpoint, &*catalog.name),
        ("http://elsewhere", "lake")
    );
    assert_eq!(settings.resolve_catalog("lakes"), None);
}

#[test]
fn a_kept_duckdb_can_be_turned_off() {
    let linger = |text| with(&[("DUCKBOT_SQL__LINGER", text)]).map(|it| it.linger());
    assert_eq!(linger("0s").ok(), Some(std::time::Duration::ZERO));
    assert!(linger("2h").is_err());
}

#[test]
fn only_a_catalog_of_the_team_hands_out_credentials_and_only_to_each_person() {
    const VENDED: (&str, &str) = ("DUCKBOT_CATALOGS__LAKE__VENDED_CREDENTIALS", "true");
    let lab = [
        VENDED,
        ("DUCKBOT_API__LISTEN", "127.0.0.1:8080"),
        ("DUCKBOT_API__ANONYMOUS_OWNER", "7"),
        ("DUCKBOT_API__ANY_CATALOG", "true"),
    ];
    let settings = with(&lab).expect("valid");
    let vends = |catalog| settings.catalog(catalog).expect("any").vended_credentials;
    assert!(vends("lake"));
    assert!(!vends("http://elsewhere"));
    for other in [
        ("DUCKBOT_CATALOGS__LAKE__OAUTH2_SECRET", "catalog-client"),
        ("DUCKBOT_CATALOGS__LAKE__SIGV4_SERVICE", "glue"),
    ] {
        let error = with(&[VENDED, other]).expect_err("two ways").to_string();
        let says = "catalogs.lake.vended_credentials: can't be combined with";
        assert!(error.contains(says), "{error}");
    }
    let error = with(&[(VENDED.0, "yes")])
        .expect_err("no boolean")
        .to_string();
    assert!(error.contains("vended_credentials"), "{error}");
}

#[test]
fn requests_are_signed_for_the_teams_catalogs_only() {
    const SIGNED: (&str, &str) = ("DUCKBOT_CATALOGS__LAKE__SIGV4_SERVICE", "glue");
    let lab = [
        SIGNED,
        ("DUCKBOT_API__LISTEN", "127.0.0.1:8080"),
        ("DUCKBOT_API__ANONYMOUS_OWNER", "7"),
        ("DUCKBOT_API__ANY_CATALOG", "true"),
    ];
    let settings = with(&lab).expect("valid");
    let service = |catalog| {
        settings
            .catalog(catalog)
            .expect("any")
            .sigv4_service
            .clone()
    };
    assert_eq!(service("lake").as_deref(), Some("glue"));
    assert_eq!(service("http://elsewhere"), None);

    let client = ("DUCKBOT_CATALOGS__LAKE__OAUTH2_SECRET", "catalog-client");
    let error = with(&[SIGNED, client]).expect_err("two logins").to_string();
    assert!(
        error.contains("catalogs.lake.sigv4_service: can't be combined with oauth2_secret"),
        "{error}"
    );
}
