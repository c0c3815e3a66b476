//! The SQL that keeps DuckDB to some folders. Pure.

/// URL prefixes that DuckDB may read if it has no access to this machine's files, and the
/// settings don't restrict it further. The list is separated by commas.
pub const REMOTE_PREFIXES: &str = "s3://,https://,http://";

/// Keeps DuckDB from its stored secrets. They are in files, of which some may not be the owner's,
/// and DuckDB offers them to each query. It reads them once, so this must come before anything else.
pub(super) const IGNORE_STORED_SECRETS: &str = "SET allow_persistent_secrets = false;";

/// Rejects any later change of a setting. Some settings name files, and others lift the limits.
pub(super) const LOCK_SETTINGS: &str = "SET lock_configuration = true;";

/// Restricts DuckDB to reading and writing in `folders`, a list of SQL strings. After it, DuckDB can't
/// load anything.
pub(super) fn allow_folders(folders: &str) -> [String; 2] {
    [
        format!("SET allowed_directories = [{folders}];"),
        "SET enable_external_access = false;".to_owned(),
    ]
}
