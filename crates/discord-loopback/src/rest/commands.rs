//! Commands of the guild: list, create one, and overwrite all. Changes the state.

use serde_json::{Value, json};

use super::request::{ApiRequest, ApiResponse, ApiResult};
use crate::api_error::{ApiError, MISSING_ACCESS, UNKNOWN_APPLICATION};
use crate::rules;
use crate::state::State;

pub(super) fn list(state: &mut State, request: &ApiRequest) -> ApiResult {
    check_guild(state, request)?;
    Ok(ApiResponse::ok(state.commands.clone().into()))
}

pub(super) fn overwrite(state: &mut State, request: &ApiRequest) -> ApiResult {
    check_guild(state, request)?;
    let wanted = request.body.as_array().map_or(&[][..], Vec::as_slice);
    rules::commands::check(wanted).finish()?;
    let stored = wanted
        .iter()
        .map(|command| registered_command(state, command))
        .collect();
    state.commands = stored;
    Ok(ApiResponse::ok(state.commands.clone().into()))
}

/// Creates a command, or overwrites the one with this name.
pub(super) fn create(state: &mut State, request: &ApiRequest) -> ApiResult {
    check_guild(state, request)?;
    rules::commands::check_one(&request.body)?;
    let stored = registered_command(state, &request.body);
    let same = |old: &Value| old["id"] == stored["id"];
    let status = match state.commands.iter().position(same) {
        Some(at) => {
            state.commands[at] = stored.clone();
            200
        }
        None => {
            state.commands.push(stored.clone());
            201
        }
    };
    Ok(ApiResponse {
        status,
        ..ApiResponse::ok(stored)
    })
}

fn check_guild(state: &State, request: &ApiRequest) -> Result<(), ApiError> {
    if request.id("application") != state.application.id {
        return Err(UNKNOWN_APPLICATION.into());
    }
    if request.id("guild") != state.guild.id {
        return Err(MISSING_ACCESS.into());
    }
    Ok(())
}

/// Returns a command as Discord stores it. A command with the same name keeps its ID.
fn registered_command(state: &mut State, command: &Value) -> Value {
    let before = state
        .commands
        .iter()
        .find(|old| old["name"] == command["name"]);
    let id = before.map(|old| old["id"].clone());
    let version = state.ids.next().to_string();
    let kind = command["type"].as_u64().unwrap_or(1);
    let mut stored = json!({
        "id": id.unwrap_or_else(|| version.clone().into()),
        "application_id": state.application.id.to_string(),
        "guild_id": state.guild.id.to_string(),
        "version": version,
        "type": kind,
        "name": command["name"],
        "description": command["description"],
        "default_member_permissions": command["default_member_permissions"],
        "nsfw": command["nsfw"] == true,
    });
    for key in ["options", "contexts", "integration_types"] {
        if !command[key].is_null() {
            stored[key] = command[key].clone();
            remove_empty_fields(&mut stored[key]);
        }
    }
    stored
}

/// Removes fields that are null or an empty list, as Discord does.
fn remove_empty_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null() && *field != json!([]));
            fields.values_mut().for_each(remove_empty_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_empty_fields),
        _ => {}
    }
}
