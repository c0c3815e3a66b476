//! The SQL that gives new credentials to a running session. Pure.
//!
//! DuckDB reads the S3 secret again for each file, and for each signed request to the catalog. An
//! attached catalog keeps the token that it was attached with, so it is attached again. Queries that
//! run meanwhile keep the old one.

use super::{Access, ScriptStep, Value, attach_statement, catalog_secret, s3_secret};
use crate::duckdb::{
    environment::{Catalog, SessionConfig},
    names::identifier,
};

/// Name of the secret and the catalog that try a new token.
const PROBE: &str = "duckbot_probe";

/// Returns the step that tries a new catalog token, and changes nothing else.
pub fn try_token(config: &SessionConfig, value: Value<'_>) -> ScriptStep {
    let catalog = &config.catalog;
    let statements = catalog_secret(catalog, PROBE, value)
        .into_iter()
        .chain([
            attach_statement(catalog, PROBE, PROBE, Access::ReadOnly),
            format!("DETACH {PROBE};"),
        ])
        .collect();
    ScriptStep::new(
        format!("Trying the new token of the catalog {}", catalog.name),
        statements,
    )
}

/// Returns the statement that removes the secret of [`try_token`].
pub fn forget_token() -> String {
    format!("DROP SECRET IF EXISTS {PROBE};")
}

/// Returns the step that replaces the S3 credentials, or removes them if the owner has none any more.
pub fn replace_s3_secret(config: &SessionConfig, value: Value<'_>) -> ScriptStep {
    ScriptStep::new(
        "Loading the new S3 credentials",
        vec![present_s3_secret(config, value)],
    )
}

fn present_s3_secret(config: &SessionConfig, value: Value<'_>) -> String {
    let secret = s3_secret(&config.s3, value);
    secret.unwrap_or_else(|| "DROP SECRET IF EXISTS s3;".to_owned())
}

/// Returns the step that replaces the catalog's token and detaches the catalog.
pub fn detach(config: &SessionConfig, value: Value<'_>) -> ScriptStep {
    let catalog = &config.catalog;
    let name = identifier(&catalog.name);
    let statements = catalog_secret(catalog, "catalog", value)
        .into_iter()
        .chain([
            // An admin's SQL may have selected the catalog, and a selected one can't be detached.
            "USE memory.main;".to_owned(),
            format!("DETACH DATABASE IF EXISTS {name};"),
        ])
        .collect();
    ScriptStep::new(
        format!("Detaching the catalog {}", catalog.name),
        statements,
    )
}

/// Returns the step that puts the previous credentials back after [`detach`] failed.
pub fn restore_secrets(config: &SessionConfig, value: Value<'_>) -> ScriptStep {
    let catalog = catalog_secret(&config.catalog, "catalog", value);
    let catalog = catalog.unwrap_or_else(|| "DROP SECRET IF EXISTS catalog;".to_owned());
    ScriptStep::new(
        "Restoring the previous credentials",
        vec![present_s3_secret(config, value), catalog],
    )
}

/// Returns the step that attaches the catalog again. It contains no secret value.
pub fn attach(catalog: &Catalog) -> ScriptStep {
    ScriptStep::new(
        format!("Attaching the catalog {} again", catalog.name),
        vec![attach_statement(
            catalog,
            &catalog.name,
            "catalog",
            Access::ReadWrite,
        )],
    )
}
