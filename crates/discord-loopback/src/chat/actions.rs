//! Handles a person's actions on the page, with the same methods that the tests use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{self, DefaultBodyLimit, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault_buttons::slow_fault;
use super::page_state::{is_visible, open_modals};
use crate::faults::RestFault;
use crate::people::Person;
use crate::shared::Shared;
use crate::snowflake::Snowflake;

/// Number of calls that get a rate limit, and the `retry_after` of each.
const RATE_LIMIT: (usize, Duration) = (3, Duration::from_secs(3));

/// Maximum size of an uploaded file; Discord's limit without server boosts.
const MAX_UPLOAD_BYTES: usize = 10 << 20;
/// Content type of an uploaded file.
const UPLOAD_TYPE: &str = "application/octet-stream";

/// Error response with a sentence for the person.
pub(super) type ActionError = (StatusCode, Json<Value>);
pub(super) type ActionResult = Result<Json<Value>, ActionError>;

/// Request body of all actions here; each uses some of the fields.
#[derive(Deserialize)]
struct ActionBody {
    r#as: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    interaction: String,
    #[serde(default)]
    custom_id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    values: Value,
    #[serde(default)]
    id: String,
    #[serde(default)]
    on: bool,
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/chat/upload",
            post(upload).layer(DefaultBodyLimit::max(MAX_UPLOAD_BYTES)),
        )
        .route("/chat/press", post(press))
        .route("/chat/select", post(select))
        .route("/chat/submit", post(submit))
        .route("/chat/dismiss", post(dismiss))
        .route("/chat/write", post(write))
        .route("/chat/trouble", post(trigger_fault))
}

/// Query of an upload; its body is the file.
#[derive(Deserialize)]
struct UploadQuery {
    r#as: String,
    name: String,
}

async fn upload(
    extract::State(shared): extract::State<Arc<Shared>>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    content: Bytes,
) -> ActionResult {
    // A foreign page can't send this type without asking first.
    if headers.get(header::CONTENT_TYPE) != Some(&HeaderValue::from_static(UPLOAD_TYPE)) {
        return Err(action_error("An upload must be of the type for any bytes."));
    }
    let id = person(&shared, &query.r#as)?.upload(&query.name, &content);
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn press(
    extract::State(shared): extract::State<Arc<Shared>>,
    Json(body): Json<ActionBody>,
) -> ActionResult {
    let me = person(&shared, &body.r#as)?;
    let message = parse_id(&body.message)?;
    let label = shared.read(|state| {
        let seen = state.messages.get(&message);
        let view = seen.filter(|it| is_visible(state, me.id, it))?.view();
        let mut buttons = view.components.iter().flatten();
        let pressed = buttons.find(|it| it.custom_id.as_deref() == Some(&body.custom_id));
        pressed.map(|button| (view.clone(), button.label.clone()))
    });
    let (view, label) = label.ok_or_else(|| action_error("This button no longer exists."))?;
    let pressed = me.press(&view, &label).await;
    sent(pressed.map_err(action_error)?.id)
}

async fn select(
    extract::State(shared): extract::State<Arc<Shared>>,
    Json(body): Json<ActionBody>,
) -> ActionResult {
    let me = person(&shared, &body.r#as)?;
    let message = parse_id(&body.message)?;
    let seen = shared.read(|state| {
        let source = state.messages.get(&message);
        source.is_some_and(|it| is_visible(state, me.id, it))
    });
    if !seen {
        return Err(action_error("This menu no longer exists."));
    }
    let chosen = me.choose_values(message, &body.custom_id, &body.values);
    sent(chosen.map_err(action_error)?.id())
}

async fn submit(
    extract::State(shared): extract::State<Arc<Shared>>,
    Json(body): Json<ActionBody>,
) -> ActionResult {
    let me = person(&shared, &body.r#as)?;
    let opened_by = parse_id(&body.interaction)?;
    let values: HashMap<String, String> = serde_json::from_value(body.values)
        .map_err(|_| action_error("The values of the form must be texts."))?;
    let modal = shared.read(|state| {
        let mut open = open_modals(state, me.id);
        open.find(|modal| modal.opened_by == opened_by).cloned()
    });
    let modal = modal.ok_or_else(|| action_error("This form is no longer open. Open it again."))?;
    let fields = modal.inputs.iter().filter_map(|input| {
        let value = values.get(&input.custom_id)?;
        Some((input.label.as_str(), value.as_str()))
    });
    let fields: Vec<_> = fields.collect();
    me.submit(&modal, &fields).await.map_err(action_error)?;
    close_modal(&shared, opened_by);
    done()
}

async fn dismiss(
    extract::State(shared): extract::State<Arc<Shared>>,
    Json(body): Json<ActionBody>,
) -> ActionResult {
    close_modal(&shared, parse_id(&body.interaction)?);
    done()
}

/// Closes a modal.
fn close_modal(shared: &Shared, opened_by: Snowflake) {
    shared.change(|state| {
        if let Some(interaction) = state.interactions.get_mut(&opened_by) {
            interaction.modal = None;
        }
    });
}

async fn write(
    extract::State(shared): extract::State<Arc<Shared>>,
    Json(body): Json<ActionBody>,
) -> ActionResult {
    let me = person(&shared, &body.r#as)?;
    me.post(parse_id(&body.channel)?, &body.text)
        .map_err(action_error)?;
    done()
}

async fn trigger_fault(
    extract::State(shared): extract::State<Arc<Shared>>,
    Json(body): Json<ActionBody>,
) -> ActionResult {
    let me = person(&shared, &body.r#as)?;
    let slow = slow_fault();
    match body.id.as_str() {
        "dms" if body.on => me.close_dms(),
        "dms" => me.open_dms(),
        "slow" => shared.change(|state| {
            state.controls.remove_fault(&slow);
            if body.on {
                state.controls.add_fault(slow);
            }
        }),
        "limit" => {
            let (times, pause) = RATE_LIMIT;
            let fault = RestFault::rate_limited("*", "*", pause).times(times);
            shared.change(|state| state.controls.add_fault(fault));
        }
        "offline" => shared.change(|state| state.set_offline(body.on)),
        other => {
            let fault_buttons = shared.read(|state| state.controls.fault_buttons.clone());
            let button = fault_buttons.iter().find(|button| button.id == other);
            let button = button
                .ok_or_else(|| action_error("This problem can't be simulated. Reload the page."))?;
            (button.on_press)(me.id);
        }
    }
    done()
}

/// Returns the person who acts.
pub(super) fn person(shared: &Arc<Shared>, id: &str) -> Result<Person, ActionError> {
    let id = parse_id(id)?;
    let is_known = shared.read(|state| state.person(id).is_some());
    is_known
        .then(|| Person {
            shared: Arc::clone(shared),
            id,
        })
        .ok_or_else(|| action_error("This person does not exist."))
}

pub(super) fn parse_id(text: &str) -> Result<Snowflake, ActionError> {
    text.parse()
        .map_err(|_| action_error("The ID is not a number."))
}

pub(super) fn action_error(why: impl Into<String>) -> ActionError {
    let mut why: String = why.into();
    // The methods' error messages start in lower case, for use in other messages.
    if let Some(first) = why.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why })))
}

fn done() -> ActionResult {
    Ok(Json(json!({})))
}

/// Response to an action that created an interaction. The page shows the form that the bot opens
/// for it.
pub(super) fn sent(interaction: Snowflake) -> ActionResult {
    Ok(Json(json!({ "interaction": interaction.to_string() })))
}
