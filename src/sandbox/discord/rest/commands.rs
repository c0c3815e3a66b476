//! The guild's commands: read, and overwritten all at once. Changes the world.

use serde_json::{Value, json};

use super::super::api_error::{MISSING_ACCESS, Refusal, UNKNOWN_APPLICATION};
use super::super::model::World;
use super::super::rules;
use super::{Answer, Ask, Outcome};

pub fn list(world: &mut World, ask: &Ask) -> Outcome {
    own_guild(world, ask)?;
    Ok(Answer::ok(world.commands.clone().into()))
}

pub fn overwrite(world: &mut World, ask: &Ask) -> Outcome {
    own_guild(world, ask)?;
    let wanted = ask.body.as_array().map_or(&[][..], Vec::as_slice);
    rules::commands::check(wanted).finish()?;
    let stored = wanted
        .iter()
        .map(|command| stored(world, command))
        .collect();
    world.commands = stored;
    Ok(Answer::ok(world.commands.clone().into()))
}

fn own_guild(world: &World, ask: &Ask) -> Result<(), Refusal> {
    if ask.id("application") != world.application.id {
        return Err(UNKNOWN_APPLICATION.into());
    }
    if ask.id("guild") != world.guild.id {
        return Err(MISSING_ACCESS.into());
    }
    Ok(())
}

/// A command as Discord gives it back; one that keeps its name keeps its id.
fn stored(world: &mut World, command: &Value) -> Value {
    let before = world
        .commands
        .iter()
        .find(|old| old["name"] == command["name"]);
    let id = before.map(|old| old["id"].clone());
    let version = world.ids.next().to_string();
    let kind = command["type"].as_u64().unwrap_or(1);
    let mut stored = json!({
        "id": id.unwrap_or_else(|| version.clone().into()),
        "application_id": world.application.id.to_string(),
        "guild_id": world.guild.id.to_string(),
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
            tidy(&mut stored[key]);
        }
    }
    stored
}

/// Discord gives back no field that says nothing, be it null or an empty list.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null() && *field != json!([]));
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
