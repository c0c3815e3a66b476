//! Typed and strict settings, checked as a whole before the bot connects to anything.
//!
//! Sources, from lowest to highest precedence: `config/default.toml` (built in), the file named by
//! `--config`, and `DUCKBOT_<SECTION>__<KEY>` variables. Reads that file, the token file, the
//! API's tokens file, the file of CA certificates and nothing else.

mod api;
#[cfg(test)]
mod chart_tests;
mod interface;
mod outbound;
mod pod;
#[cfg(test)]
mod pod_tests;
mod read;
mod reader;
mod reaper;
mod reference;
mod restricted;
mod routing;
mod sections;
mod tables;
#[cfg(test)]
mod tests;
mod values;

use std::{collections::HashMap, fmt, path::Path};

use config::{Config, Environment, File, FileFormat};
use read::{TOKEN_VARIABLE, read};
use reader::{SettingError, SettingsReader};
use serde_json::{Map, Value};

use crate::outbound::Proxies;

pub use crate::catalog::values::MAX_NAME_BYTES;
pub use api::{read_tokens, token};
pub use interface::Interface;
pub use pod::Pod;
pub use reference::reference;
pub use routing::{GatewayRef, RouteKind, Routing};
pub use sections::*;
pub use values::{any_duration, duration};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Variables with the prefix `DUCKBOT_` that are not settings.
const IGNORED_VARIABLES: [&str; 2] = ["DUCKBOT_CONFIG", TOKEN_VARIABLE];
/// Prefix of variables that only the tests read.
const TEST_PREFIX: &str = "DUCKBOT_TEST_";

/// Settings that can't be used, with a line for each error.
#[derive(Debug, thiserror::Error)]
pub struct InvalidSettings(Vec<String>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid settings:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Settings {
    /// Loads the settings from the built-in defaults, `file` and `variables`.
    ///
    /// # Errors
    /// Returns every error at once, each with its key and the expected value.
    pub fn load(
        file: Option<&Path>,
        variables: HashMap<String, String>,
    ) -> Result<Self, InvalidSettings> {
        let text = file.map(|path| match std::fs::read_to_string(path) {
            Ok(text) => Ok((path, text)),
            Err(why) => Err(format!("{}: can't read the file: {why}", path.display())),
        });
        let text = text.transpose().map_err(|why| InvalidSettings(vec![why]))?;
        let text = text.as_ref().map(|(path, text)| (*path, text.as_str()));
        let nothing_is_given =
            file.is_none() && !variables.keys().any(|name| name.starts_with("DUCKBOT_"));
        Self::read(text, variables).map_err(|mut invalid| {
            if nothing_is_given {
                let hint = "no settings file was given; pass one with --config FILE";
                invalid.0.push(hint.to_owned());
            }
            invalid
        })
    }

    /// Like [`Settings::load`], with the path and the text of the file. Errors name the path.
    ///
    /// # Errors
    /// Returns every error at once, each with its key and the expected value.
    pub fn read(
        file: Option<(&Path, &str)>,
        variables: HashMap<String, String>,
    ) -> Result<Self, InvalidSettings> {
        let token = variables.get(TOKEN_VARIABLE).cloned();
        let proxies = Proxies::read(&variables);
        let mut reader =
            SettingsReader::new(merge(file, variables).map_err(|why| InvalidSettings(vec![why]))?);
        let settings = read(&mut reader, token, proxies);
        let errors = reader.finish();
        match settings {
            Ok(settings) if errors.is_empty() => Ok(settings),
            _ => Err(InvalidSettings(
                errors.iter().map(SettingError::to_string).collect(),
            )),
        }
    }
}

/// Returns true if a variable with the prefix `DUCKBOT_` is not a setting.
///
/// A Service named duckbot makes Kubernetes set DUCKBOT_PORT and similar variables in the Pods of
/// its namespace.
fn is_ignored_variable(name: &str) -> bool {
    let is_service_link = !name.contains("__")
        && (name == "DUCKBOT_PORT"
            || name.starts_with("DUCKBOT_PORT_")
            || name.starts_with("DUCKBOT_SERVICE_"));
    IGNORED_VARIABLES.contains(&name) || name.starts_with(TEST_PREFIX) || is_service_link
}

/// Formats an error without the lines that quote the file: one of them may contain a token.
fn redact_source(error: &config::ConfigError) -> String {
    let text = error.to_string();
    let said = text
        .lines()
        .filter(|line| !line.contains('|') && !line.trim().is_empty());
    said.collect::<Vec<_>>().join(": ")
}

/// Returns the format of a settings file. JSON is for programs that write it, such as Helm.
fn format_of(path: &Path) -> FileFormat {
    match path.extension() {
        Some(extension) if extension == "json" => FileFormat::Json,
        _ => FileFormat::Toml,
    }
}

fn merge(
    file: Option<(&Path, &str)>,
    variables: HashMap<String, String>,
) -> Result<Map<String, Value>, String> {
    let ours = variables
        .into_iter()
        .filter(|(name, _)| !is_ignored_variable(name));
    let environment = Environment::with_prefix("DUCKBOT")
        .prefix_separator("_")
        .separator("__")
        .source(Some(ours.collect()));
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some((path, text)) = file {
        builder = builder.add_source(File::from_str(text, format_of(path)));
    }
    let merged = builder.add_source(environment).build();
    merged
        .and_then(Config::try_deserialize)
        .map_err(|why| match file {
            Some((path, _)) => format!("{}: {}", path.display(), redact_source(&why)),
            None => redact_source(&why),
        })
}
