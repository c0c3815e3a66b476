//! JSON documents of sessions, and the API's description.

use axum::{Json, extract::State};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{problem::ending_reason, state::Api};
use crate::{
    service::Requester,
    session::{Record, ScheduledStop, Stage, TrackedSession, Usage},
};

/// OpenAPI description, without the sizes and catalogs from the settings.
const OPENAPI: &str = include_str!("openapi.json");

/// Document of a session.
pub(super) fn session_document(api: &Api, watched: &TrackedSession) -> Value {
    let seen = &watched.seen;
    let record = &seen.record;
    let due = enforced_due(api, api.service.scheduled_stop(watched));
    json!({
        "session_id": record.id,
        "url": api.service.url(&record.id),
        "owner": record.owner,
        "username": record.display_name,
        "size": record.size,
        "catalog": record.catalog,
        "workspace": record.workspace,
        "phase": seen.phase(),
        "query_runs": watched.usage == Usage::Busy,
        "created": record.created,
        "ready": record.ready,
        "stops": due.as_ref().map(stops_document),
        "ends_because": record.ending().map(ending_reason),
    })
}

/// Document of a started session: the fields of the service before this one, and the link that
/// opens the session. The link is null until the session can be opened.
pub(super) async fn started_document(api: &Api, who: &Requester, record: &Record) -> Value {
    let id = record.id.to_string();
    let opened = match record.stage {
        Stage::Running => api.service.open(who, Some(&id)).await.ok(),
        _ => None,
    };
    json!({
        "session_id": record.id,
        "url": api.service.url(&record.id),
        "open_url": opened.as_ref().map(|opened| opened.link.expose_secret()),
    })
}

/// Scheduled stop of a session. `None` in a dry run, where no rule stops a session.
pub(super) fn enforced_due(api: &Api, due: Option<ScheduledStop>) -> Option<ScheduledStop> {
    due.filter(|_| !api.service.is_dry_run())
}

/// Document of a scheduled stop.
pub(super) fn stops_document(due: &ScheduledStop) -> Value {
    json!({ "at": due.at, "rule": due.rule })
}

/// `GET /openapi.json`: the description, with the sizes and catalogs from the settings.
pub(super) async fn openapi(State(api): State<Api>) -> Json<Value> {
    let mut document: Value = serde_json::from_str(OPENAPI).expect("openapi.json is valid JSON");
    let sizes: Vec<_> = api.service.sizes().iter().map(|size| &size.name).collect();
    let catalogs = api.service.catalogs().iter();
    let catalogs: Vec<_> = catalogs.flat_map(|it| [&it.name, &it.endpoint]).collect();
    let schemas = &mut document["components"]["schemas"];
    schemas["Size"]["enum"] = json!(sizes);
    if !api.settings.any_catalog {
        schemas["Catalog"]["enum"] = json!(catalogs);
    }
    Json(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_json_and_of_this_version() {
        let document: Value = serde_json::from_str(OPENAPI).expect("valid JSON");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
