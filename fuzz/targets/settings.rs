//! Settings files.

use chrono::TimeDelta;
use duckbot::discord::{buttons::Button, start_options::StartOptions};
use duckbot::settings::{MAX_NAME_BYTES, Settings};
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::path::Path;

use super::state::check_limits;
use super::{at, texts};

const TOKEN: &str = "canary-7d0e3b1c95";

/// Settings: the text of the file, and lines `NAME=value` for variables.
///
/// Accepted settings are within the limits that other code relies on. No error contains the bot's
/// token, whichever variable holds it.
pub fn settings(data: &[u8]) {
    let [file, variables] = texts(data);
    let all = format!("{file}{variables}").to_lowercase();
    // Files of this machine are not read: reading a device might never end.
    if all.contains("_file") || all.contains("\\u") || all.contains(TOKEN) {
        return;
    }
    let minimal = [
        ("DUCKBOT_DISCORD__GUILD", "1029384756102938475"),
        ("DUCKBOT_DISCORD_TOKEN", TOKEN),
        ("DUCKBOT_ROUTING__DOMAIN", "duck.example.com"),
        ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
        ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake"),
        ("DUCKBOT_DUCKDB__HTTP_PROXY", "proxy.example.com:3128"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", "http://catalog:8181/"),
    ];
    // Variables take precedence, so they are left out if the file may set the same key.
    let is_said = |name: &str| {
        let last = name.rsplit("__").next().unwrap_or_default().to_lowercase();
        file.contains(&last)
    };
    let minimal = minimal
        .into_iter()
        .filter(|(name, _)| !is_said(name) || *name == "DUCKBOT_DISCORD_TOKEN");
    let mut given: HashMap<String, String> = minimal
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let lines = variables.lines().filter_map(|line| line.split_once('='));
    // The name of a variable is never empty.
    let lines = lines.filter(|(name, _)| !name.is_empty() && *name != "DUCKBOT_DISCORD_TOKEN");
    given.extend(lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let path = Path::new("/etc/duckbot/duckbot.toml");
    match Settings::read(Some((path, &file)), given.clone()) {
        Err(wrong) => {
            let text = wrong.to_string();
            assert!(text.starts_with("invalid settings:\n  "));
            assert!(!text.contains(TOKEN), "{text}");
        }
        Ok(settings) => assert_usable(&settings),
    }
    // A frequent mistake: the token in the settings themselves.
    given.insert("DUCKBOT_DISCORD__TOKEN".to_owned(), TOKEN.to_owned());
    let wrong =
        Settings::read(Some((path, &file)), given).expect_err("the key discord.token is refused");
    assert!(!wrong.to_string().contains(TOKEN), "{wrong}");
}

fn assert_usable(settings: &Settings) {
    assert!(!format!("{settings:?}").contains(TOKEN));
    assert_eq!(settings.discord.token.expose_secret(), TOKEN);
    assert!(settings.discord.guild > 0);
    assert!((1..=20).contains(&settings.sessions.per_user));
    assert!(settings.sessions.start_timeout > TimeDelta::zero());
    assert!(settings.size(&settings.sessions.default_size).is_some());
    let catalog = settings.named_catalog(&settings.sessions.default_catalog);
    assert!(catalog.is_some());
    let names = settings.sizes.iter().map(|it| &it.name);
    for name in names.chain(settings.catalogs.iter().map(|it| &it.name)) {
        assert!((1..=MAX_NAME_BYTES).contains(&name.len()), "{name}");
        assert!(
            name.bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
        );
        let button = Button::Retry {
            session: "977a26".parse().expect("the ID is valid"),
            owner: u64::MAX.into(),
            options: StartOptions {
                size: Some(name.clone()),
                catalog: Some(name.clone()),
                ..StartOptions::default()
            },
        };
        let id = button.custom_id();
        assert!(id.len() <= 100 && Button::from_custom_id(&id) == Some(button));
    }
    for catalog in &settings.catalogs {
        assert!(!catalog.endpoint.ends_with('/') && !catalog.endpoint.contains('@'));
        assert_eq!(settings.catalog(&catalog.name).as_deref(), Some(catalog));
    }
    for folder in &settings.duckdb.folders {
        assert!(folder.ends_with('/') && !folder.contains(','));
    }
    let limits = &settings.reaper.limits;
    for length in [limits.lifetime, limits.max_age, limits.idle]
        .into_iter()
        .flatten()
    {
        assert!(length > limits.warn_before && length <= TimeDelta::days(366));
    }
    if let Some(next) = settings.report.schedule.next_after(at(0)) {
        assert!(next > at(0));
    }
    check_limits(limits);
}
