//! Parses the value of an option. Reads the state, no I/O.

use serde_json::Value;

use crate::body::list;
use crate::body::plain;
use crate::config::MEMBER_PERMISSIONS;
use crate::json::role_json;
use crate::state::State;

/// Parses a value according to the option's type. A choice may be given by its name or its value.
pub(super) fn parse(
    state: &State,
    option: &Value,
    text: &str,
    resolved: &mut Value,
) -> Result<Value, String> {
    let value = value(state, option, text, resolved)?;
    check_range(option, &value)?;
    Ok(value)
}

fn value(state: &State, option: &Value, text: &str, resolved: &mut Value) -> Result<Value, String> {
    let invalid = || {
        format!(
            "{text:?} is not a valid value for the option {}",
            option["name"]
        )
    };
    let choices = list(option, "choices");
    // Only free text may begin or end with white space.
    let text = match option["type"].as_u64() {
        Some(3) if choices.is_empty() => text,
        _ => text.trim(),
    };
    if !choices.is_empty() {
        let named = |choice: &&Value| choice["name"] == text || plain(&choice["value"]) == text;
        let choice = choices.iter().find(named);
        return choice
            .map(|choice| choice["value"].clone())
            .ok_or_else(invalid);
    }
    match option["type"].as_u64() {
        Some(3) => Ok(text.into()),
        Some(4) => text.parse::<i64>().map(Value::from).map_err(|_| invalid()),
        Some(5) => text
            .to_ascii_lowercase()
            .parse::<bool>()
            .map(Value::from)
            .map_err(|_| invalid()),
        Some(6) => user(state, text, resolved).ok_or_else(invalid),
        Some(7) => channel(state, text, resolved).ok_or_else(invalid),
        Some(8) => role(state, text, resolved).ok_or_else(invalid),
        Some(11) => attachment(state, text, resolved).ok_or_else(invalid),
        Some(10) => text.parse::<f64>().map(Value::from).map_err(|_| invalid()),
        kind => Err(format!(
            "the loopback does not support options of type {kind:?}"
        )),
    }
}

fn user(state: &State, text: &str, resolved: &mut Value) -> Option<Value> {
    let name = text
        .trim_start_matches("<@")
        .trim_end_matches('>')
        .trim_start_matches('@');
    let person = state
        .people
        .iter()
        .find(|person| person.name == name || person.id.to_string() == name)?;
    let id = person.id.to_string();
    resolved["users"][&id] = state.user_json(person.id);
    if person.in_guild {
        let mut member = state.interaction_member_json(person, state.permissions(person));
        if let Some(parts) = member.as_object_mut() {
            parts.remove("user");
        }
        resolved["members"][&id] = member;
    }
    Some(id.into())
}

fn channel(state: &State, text: &str, resolved: &mut Value) -> Option<Value> {
    let channel = state.channel_named(text)?;
    let mut json = state.channel_json(channel);
    json["permissions"] = MEMBER_PERMISSIONS.to_string().into();
    resolved["channels"][channel.id.to_string()] = json;
    Some(channel.id.to_string().into())
}

fn role(state: &State, text: &str, resolved: &mut Value) -> Option<Value> {
    let name = text.trim_start_matches('@');
    let role = state.guild.roles.iter().find(|role| role.name == name)?;
    resolved["roles"][role.id.to_string()] = role_json(role);
    Some(role.id.to_string().into())
}

fn attachment(state: &State, text: &str, resolved: &mut Value) -> Option<Value> {
    let upload = state.upload_json(text.parse().ok()?)?;
    let id = upload["id"].clone();
    resolved["attachments"][text] = upload;
    Some(id)
}

fn check_range(option: &Value, value: &Value) -> Result<(), String> {
    let size = match value {
        Value::String(text) => text.chars().count() as f64,
        other => other.as_f64().unwrap_or(0.0),
    };
    let limit = |keys: [&str; 2]| keys.iter().find_map(|key| option[*key].as_f64());
    let least = limit(["min_value", "min_length"]).unwrap_or(f64::MIN);
    let most = limit(["max_value", "max_length"]).unwrap_or(f64::MAX);
    if (least..=most).contains(&size) && *value != "" {
        return Ok(());
    }
    Err(format!(
        "{value} is too short, too long or out of range for the option {}",
        option["name"]
    ))
}
