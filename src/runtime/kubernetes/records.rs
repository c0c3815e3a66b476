//! Check of the stored records: a bot leaves alone those of another version, with their sessions.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt, api::ListParams};

use super::{
    build::{DUCKBOT, MANAGED_BY, read_record},
    request::{ApiAction, ApiServer},
};
use crate::{diagnostics::Diagnostic, session::RECORD_VERSION};

/// Most records that the check names.
const MAX_NAMED: usize = 20;

/// Checks that this version of the bot can read all records in `namespace`.
pub(super) async fn diagnose(server: &ApiServer, namespace: &str) -> Diagnostic {
    const WHAT: &str = "records";
    let maps: Api<ConfigMap> = Api::namespaced(server.client(), namespace);
    let params = ListParams::default().labels(&format!("{MANAGED_BY}={DUCKBOT}"));
    let action = ApiAction::new("list", "configmaps", namespace);
    let all = match server.call(action, maps.list(&params)).await {
        Ok(all) => all.items,
        Err(error) => return Diagnostic::failed(WHAT, error.to_string()),
    };
    let unreadable = all.iter().filter_map(|map| {
        let why = read_record(map).err()?;
        Some((map.name_any(), why))
    });
    let unreadable: Vec<_> = unreadable.collect();
    let Some((_, why)) = unreadable.first() else {
        let count = match all.len() {
            1 => "1 session or query runner,".to_owned(),
            count => format!("{count} sessions and query runners, all"),
        };
        return Diagnostic::ok(WHAT, format!("{count} of version {RECORD_VERSION}"));
    };
    let names = unreadable.iter().map(|(name, _)| name.as_str());
    let names = names.take(MAX_NAMED).collect::<Vec<_>>().join(" ");
    Diagnostic::failed(
        WHAT,
        format!(
            "{} of {} can't be read, so this version leaves their sessions alone (the first one: \
             {why}). Run the version that wrote them until these sessions have ended, or end them: \
             kubectl delete configmap -n {namespace} {names}",
            unreadable.len(),
            all.len()
        ),
    )
}
