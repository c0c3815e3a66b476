//! The SQL that gives new credentials to a running session. Pure.

use super::{
    SHORT_TIMEOUTS, ScriptStep, Value, attach_statement, catalog_secret, identifier, s3_secret,
};
use crate::duckdb::environment::SessionConfig;

/// Name under which a catalog is attached to try a new token.
const PROBE: &str = "duckbot_probe";

/// Returns the steps that replace the credentials of a running session. `is_new_token` is true if
/// the catalog gets another token.
///
/// DuckDB reads the S3 secret again for each file. An attached catalog keeps the token that it was
/// attached with, so it is attached again. Queries that run meanwhile keep the old one.
pub fn steps(config: &SessionConfig, value: Value<'_>, is_new_token: bool) -> Vec<ScriptStep> {
    let SessionConfig { s3, catalog, .. } = config;
    let secret = ScriptStep::new(
        "Loading the new S3 credentials",
        vec![SHORT_TIMEOUTS.into(), s3_secret(s3, value)],
    );
    if !is_new_token {
        return vec![secret];
    }
    let name = identifier(&catalog.name);
    let statements = catalog_secret(catalog, value)
        .into_iter()
        .chain([
            // An admin's SQL may have selected the catalog, and a selected one can't be detached.
            "USE memory.main;".to_owned(),
            // If the catalog refuses the new token, the old one stays attached.
            attach_statement(catalog, PROBE),
            format!("DETACH {PROBE};"),
            format!("DETACH DATABASE IF EXISTS {name};"),
            attach_statement(catalog, &catalog.name),
        ])
        .collect();
    let what = format!("Attaching the catalog {} again", catalog.name);
    vec![secret, ScriptStep::new(what, statements)]
}
