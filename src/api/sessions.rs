//! Handlers of the API's requests about sessions.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    auth::Principal,
    body::Body,
    document::{enforced_due, session_document, started_document, stops_document},
    follow,
    problem::{Problem, ProblemType, value_error},
    state::Api,
};
use crate::{
    credentials::{CredentialField, Credentials, check_value, lacks_session_token},
    service::{
        LookupRejection, Requester, SessionAction, StartOutcome, StartRequest, displayable_name,
    },
    session::{InvalidId, Record, RequestId, Restore, Workspace, sha256_hex},
    settings::duration,
};

/// Maximum number of characters in an owner's name.
const MAX_NAME_CHARS: usize = 80;
/// Maximum length of an idempotency key in bytes.
const MAX_KEY_BYTES: usize = 255;

type ApiResult = Result<Response, Problem>;

/// Session ID in the path, not validated yet.
pub(super) struct Id(String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        // A path segment that is not UTF-8 is not a session ID.
        let found = found.map_err(|_| LookupRejection::InvalidId(String::new()));
        Ok(Self(found?.0))
    }
}

/// `POST /sessions`
pub(super) async fn create(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    let waits = match query.as_deref().unwrap_or_default() {
        "" => false,
        "wait=ready" => true,
        _ => {
            let says = "The query may only be wait=ready.";
            return Err(Problem::new(ProblemType::InvalidRequest, says));
        }
    };
    let request = idempotency_key(&headers)?;
    let asked = parse_create_session(body)?;
    let who = Requester {
        display_name: asked.username.clone().unwrap_or(principal.who.display_name),
        ..principal.who
    };
    if asked.credentials.is_none() && !principal.stored_keys {
        let says = "This token may not use stored credentials. Send s3_key and s3_secret, or use a \
                    token with stored-keys.";
        return Err(Problem::new(ProblemType::Forbidden, says));
    }
    // In its own task: a client that disconnects now must not leave half a session.
    let made = tokio::spawn({
        let (api, who) = (api.clone(), who.clone());
        async move { create_session(&api, &who, request, asked).await }
    });
    let record = made.await.map_err(|_| {
        Problem::new(
            ProblemType::Unavailable,
            "An internal error occurred. An admin can find the details in the bot's log.",
        )
    })??;
    if waits {
        return Ok(follow::stream_until_ready(api, who, record));
    }
    if record.is_stopping() {
        let says = "The session was stopped while it was being created. Try again.";
        return Err(
            Problem::new(ProblemType::Unavailable, says).retry_after(Duration::from_secs(10))
        );
    }
    let started = started_document(&api, &who, &record).await;
    let location = format!("/sessions/{}", record.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(started),
    )
        .into_response())
}

async fn create_session(
    api: &Api,
    who: &Requester,
    request: Option<RequestId>,
    asked: CreateSession,
) -> Result<Arc<Record>, Problem> {
    if let Some(request) = &request {
        api.service.wait_for_ending_session(who, request).await?;
    }
    let ask = StartRequest {
        request: request.unwrap_or_else(new_request_id),
        channel: api.settings.channel,
        size: asked.size,
        catalog: asked.catalog,
        workspace: asked.workspace,
        restore: asked.restore,
        another: true,
        exact: true,
    };
    let Some(credentials) = &asked.credentials else {
        return match api.service.start(who, ask).await? {
            StartOutcome::Starting(record) => Ok(record),
            // Unreachable: the request asks for another session.
            StartOutcome::AlreadyRunning { .. } => {
                Err(LookupRejection::NoSession(SessionAction::Open).into())
            }
        };
    };
    Ok(api.service.start_with(who, ask, credentials).await?)
}

/// Parsed body of `POST /sessions`.
#[derive(Debug)]
pub struct CreateSession {
    /// Name to show as the session's owner.
    pub username: Option<String>,
    /// Name of a size.
    pub size: Option<String>,
    /// Name or URL of a catalog.
    pub catalog: Option<String>,
    pub workspace: Option<Workspace>,
    pub restore: Restore,
    /// Credentials of the session. `None` to use the owner's stored credentials.
    pub credentials: Option<Credentials>,
}

/// Parses the body of `POST /sessions`.
///
/// # Errors
/// Returns the errors of all fields.
pub fn parse_create_session(mut body: Body) -> Result<CreateSession, Problem> {
    let username = body.text("username").map(|it| it.trim().to_owned());
    if let Some(name) = &username
        && !((1..=MAX_NAME_CHARS).contains(&name.chars().count())
            && displayable_name(name) == *name)
    {
        body.reject_field(
            "username",
            format!(
                "must have 1 to {MAX_NAME_CHARS} characters, none of which controls the layout of text"
            ),
        );
    }
    let size = body.text("size");
    let catalog = body.text("catalog");
    let workspace = body.text("workspace").and_then(|name| {
        let invalid = |why: InvalidId| {
            body.reject_field("workspace", format!("is not a name for a workspace: {why}"));
        };
        name.parse().map_err(invalid).ok()
    });
    let restore = body.take("restore").map_or(Some(Restore::Latest), |value| {
        let restore = restore(&value);
        if restore.is_none() {
            body.reject_field("restore", "must be latest, nothing or the number of a save");
        }
        restore
    });
    let uses_stored = body.flag("use_stored_credentials");
    let mut values = CredentialField::ALL.map(|field| {
        let name = json_field(field);
        let value = body.secret(name)?;
        match check_value(field, value) {
            Ok(value) => Some(value),
            Err(mistake) => {
                body.reject_field(name, value_error(&mistake));
                None
            }
        }
    });
    let has_any = values.iter().any(Option::is_some);
    let has_keys = [
        CredentialField::KeyId,
        CredentialField::SecretKey,
        CredentialField::SessionToken,
    ];
    let has_keys = has_keys
        .iter()
        .any(|field| values[*field as usize].is_some());
    for field in [CredentialField::KeyId, CredentialField::SecretKey] {
        let is_there = values[field as usize].is_some() || body.has_error(json_field(field));
        // A catalog token alone is enough for a catalog that hands out the storage's credentials.
        if !uses_stored && !is_there && (has_keys || !has_any) {
            body.reject_field(
                json_field(field),
                "is required unless use_stored_credentials is true",
            );
        }
    }
    if let Some(key_id) = &values[CredentialField::KeyId as usize]
        && lacks_session_token(
            key_id,
            values[CredentialField::SessionToken as usize].as_ref(),
        )
    {
        body.reject_field(
            json_field(CredentialField::SessionToken),
            "is required with a temporary access key ID, which begins with ASIA",
        );
    }
    if uses_stored && has_any {
        let says = "must not be true if the request contains credentials";
        body.reject_field("use_stored_credentials", says);
    }
    body.finish()?;
    let take = |field: CredentialField| values[field as usize].take();
    Ok(CreateSession {
        username,
        size,
        catalog,
        workspace,
        restore: restore.unwrap_or_default(),
        credentials: Credentials::from_values(take, |_| None),
    })
}

/// Parses what to restore.
fn restore(value: &Value) -> Option<Restore> {
    match value {
        Value::String(text) if text == "latest" => Some(Restore::Latest),
        Value::String(text) if text == "nothing" => Some(Restore::Nothing),
        // 3.0 is an integer, too.
        Value::Number(number) => {
            let whole = number.as_f64().filter(|it| it.fract() == 0.0)?;
            whole.to_string().parse().ok().map(Restore::Save)
        }
        _ => None,
    }
}

/// JSON name of a field.
fn json_field(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId => "s3_key",
        CredentialField::SecretKey => "s3_secret",
        CredentialField::SessionToken => "session_token",
        CredentialField::CatalogToken => "catalog_token",
    }
}

/// Derives the request ID from the header `Idempotency-Key`. The same key starts no second session.
///
/// # Errors
/// If the key is malformed.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<RequestId>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default();
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || key.is_empty() || key.len() > MAX_KEY_BYTES {
        let says = format!(
            "Idempotency-Key must have 1 to {MAX_KEY_BYTES} printable ASCII characters, without \
             spaces."
        );
        return Err(Problem::new(ProblemType::InvalidRequest, says));
    }
    // The record gets a digest, because the key may contain anything.
    let digest = &sha256_hex(key)[..32];
    Ok(Some(RequestId(format!("api-{digest}"))))
}

fn new_request_id() -> RequestId {
    RequestId(format!("api-{}", Uuid::new_v4().simple()))
}

/// `GET /sessions`
pub(super) async fn list(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
) -> Json<Value> {
    let who = principal.who;
    let sessions = api.service.list((!who.is_admin).then_some(who.id));
    let sessions = api.service.track(sessions).await;
    let sessions = sessions
        .iter()
        .map(|watched| session_document(&api, watched));
    Json(json!({ "sessions": sessions.collect::<Vec<_>>() }))
}

/// `GET /sessions/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    let seen = api.service.look_up(&principal.who, &id)?;
    let watched = api.service.track(vec![seen]).await.remove(0);
    Ok(Json(session_document(&api, &watched)))
}

/// `DELETE /sessions/{id}`: answers when nothing of the session is left.
pub(super) async fn remove(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let id = &api.service.look_up(&principal.who, &id)?.record.id;
    api.service.stop(&principal.who, id).await?;
    match api.service.wait_until_gone(id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(_) => {
            let says =
                "The session is being stopped, but not all of it is gone yet. Try again later.";
            Err(Problem::new(ProblemType::Unavailable, says).retry_after(Duration::from_secs(30)))
        }
    }
}

/// `POST /sessions/{id}/extend`
pub(super) async fn extend(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Id(id): Id,
    mut body: Body,
) -> Result<Json<Value>, Problem> {
    let text = body.text("by");
    let by = text.as_deref().and_then(|text| duration(text.trim()));
    if text.is_some() && by.is_none() {
        body.reject_field("by", "is not a duration; write it like 2h or 1h 30m");
    }
    body.finish()?;
    api.service.look_up(&principal.who, &id)?;
    let extended = api.service.extend(&principal.who, Some(&id), by).await?;
    Ok(Json(json!({
        "session_id": extended.record.id,
        "extended_by_seconds": extended.by.num_seconds(),
        "stops": enforced_due(&api, extended.due).as_ref().map(stops_document),
    })))
}

/// `POST /sessions/{id}/ticket`
pub(super) async fn ticket(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Id(id): Id,
    body: Body,
) -> Result<Json<Value>, Problem> {
    body.finish()?;
    let seen = api.service.look_up(&principal.who, &id)?;
    let id = seen.record.id.to_string();
    let opened = api.service.open(&principal.who, Some(&id)).await?;
    Ok(Json(json!({
        "open_url": opened.link.expose_secret(),
        "lives_seconds": opened.lifetime.num_seconds(),
    })))
}
