//! S3 servers and catalogs by other projects. Building them takes minutes, so only the tests in
//! `tests/servers.rs` use them, which `./check full` runs.

mod catalogs;
mod running;
mod storages;

use std::sync::LazyLock;

use serde_json::json;

use crate::{
    credentials::PERMANENT_CREDENTIALS,
    lake::{CATALOG_CREDENTIALS, fill},
};
use catalogs::{ThirdPartyCatalog, built_in, iceberg, nessie};
pub(crate) use running::Running;
pub use storages::{STRANGER_CREDENTIALS, versitygw_with_one_account};
use storages::{Storage, seaweedfs, versitygw};

/// Tables of the catalogs, as the levels of their names. They have the same rows as `zoo.ducks`.
const TABLES: &[&[&str]] = &[
    &["zoo", "ducks"],
    &["zoo", "north", "geese"],
    &["zoo", "north", "far", "swans"],
    &["zoo", "north.pond", "coots"],
    &["a.dotted", "species"],
    &["select", "from"],
    &["größe", "日本"],
    &["zoo", "select"],
    &["zoo", "Mixed Case"],
    &["zoo", "dotted.name"],
    &["zoo", "it's"],
    &["zoo", "say \"hi\""],
    &["zoo", "a/b"],
    &["zoo", "a+b"],
    &["zoo", "50%"],
    &["zoo", "duck 🦆"],
];

/// Storage, with a catalog of the tables in it.
pub struct ThirdPartyLake {
    pub storage: &'static Storage,
    pub catalog: ThirdPartyCatalog,
    /// Tables of `TABLES` whose names the catalog accepts.
    pub tables: Vec<&'static [&'static str]>,
}

impl ThirdPartyLake {
    /// Creates the tables whose names the catalog accepts.
    fn fill(
        storage: &'static Storage,
        catalog: ThirdPartyCatalog,
        accepts: fn(&str) -> bool,
    ) -> Self {
        let [key_id, secret] = CATALOG_CREDENTIALS;
        let mut properties = json!({
            "uri": catalog.url,
            "warehouse": catalog.warehouse,
            "s3.endpoint": storage.url,
            "s3.access-key-id": key_id,
            "s3.secret-access-key": secret,
            "s3.region": "us-east-1",
        });
        if let Some(token) = catalog.token() {
            properties["token"] = token.into();
        }
        let mut tables = TABLES.to_vec();
        tables.retain(|levels| levels.iter().all(|level| accepts(level)));
        fill(&properties, &tables);
        Self {
            storage,
            catalog,
            tables,
        }
    }

    /// Credentials that may read and write, with a token if the catalog needs one.
    pub fn credentials(&self) -> Vec<(&'static str, String)> {
        let keys = PERMANENT_CREDENTIALS.map(|(label, value)| (label, value.to_owned()));
        let token = self.catalog.token().map(|token| ("Catalog token", token));
        keys.into_iter().chain(token).collect()
    }
}

/// Returns the lake with versitygw and Iceberg's own catalog.
pub fn versitygw_and_iceberg() -> &'static ThirdPartyLake {
    static LAKE: LazyLock<ThirdPartyLake> =
        LazyLock::new(|| ThirdPartyLake::fill(versitygw(), iceberg(versitygw()), |_| true));
    &LAKE
}

/// Returns the lake with versitygw and Nessie, which requires tokens.
pub fn versitygw_and_nessie() -> &'static ThirdPartyLake {
    static LAKE: LazyLock<ThirdPartyLake> =
        LazyLock::new(|| ThirdPartyLake::fill(versitygw(), nessie(versitygw()), |_| true));
    &LAKE
}

/// Returns the lake with SeaweedFS and Iceberg's own catalog.
pub fn seaweedfs_and_iceberg() -> &'static ThirdPartyLake {
    static LAKE: LazyLock<ThirdPartyLake> =
        LazyLock::new(|| ThirdPartyLake::fill(seaweedfs(), iceberg(seaweedfs()), |_| true));
    &LAKE
}

/// Returns the lake with SeaweedFS and the catalog in it, which requires tokens.
pub fn seaweedfs_alone() -> &'static ThirdPartyLake {
    static LAKE: LazyLock<ThirdPartyLake> = LazyLock::new(|| {
        // As in Amazon's S3 Tables.
        let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase());
        ThirdPartyLake::fill(seaweedfs(), built_in(seaweedfs()), is_plain)
    });
    &LAKE
}
