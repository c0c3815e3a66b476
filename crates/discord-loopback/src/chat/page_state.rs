//! State of the page for one person, as JSON. Reads the state, no I/O.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::fault_buttons::fault_buttons;
use crate::model::{EPHEMERAL, InteractionKind, InteractionState, LOADING, Message, PersonState};
use crate::snowflake::{Snowflake, created_at};
use crate::state::State;
use crate::view::ModalView;

/// Returns everything that a person sees. If the ID is unknown, uses the first person.
pub(super) fn for_person(state: &State, wanted: Option<Snowflake>) -> Value {
    let me = wanted.filter(|id| state.person(*id).is_some());
    let me = me.or_else(|| state.people.first().map(|person| person.id));
    let me = me.unwrap_or_default();
    let messages = state
        .messages
        .values()
        .filter(|it| is_visible(state, me, it));
    let mine = state.interactions.values().filter(|it| it.person == me);
    let pending =
        mine.filter(|it| it.kind != InteractionKind::Autocomplete && it.response.is_none());
    let (failed, waiting): (Vec<_>, Vec<_>) =
        pending.partition(|it| it.is_overdue(state.first_response_timeout));
    let words =
        |all: Vec<&InteractionState>| all.into_iter().map(interaction_json).collect::<Vec<_>>();
    json!({
        "guild": { "id": state.guild.id.to_string(), "name": state.guild.name },
        "me": me.to_string(),
        "bot": {
            "id": state.application.id.to_string(),
            "name": state.application.name,
            "status": state.presence().map_or("offline", |it| &it.status),
            "activity": state.presence().and_then(|it| it.activity.as_ref()),
        },
        "people": state.people.iter().map(|it| person(state, it)).collect::<Vec<_>>(),
        "channels": channels(state, me),
        "commands": state.commands,
        "messages": messages.map(|it| message(state, it)).collect::<Vec<_>>(),
        "modals": open_modals(state, me).map(modal).collect::<Vec<_>>(),
        "waiting": words(waiting),
        "failed": words(failed),
        "troubles": fault_buttons(state, me),
    })
}

/// Returns true if a person sees a message.
pub(super) fn is_visible(state: &State, me: Snowflake, message: &Message) -> bool {
    let channel = state.channel(message.channel);
    let is_for_me = message.visible_to.is_none_or(|only| only == me);
    let is_in_reach = match channel.and_then(|channel| channel.recipient) {
        Some(with) => with == me,
        None => state.person(me).is_some_and(|person| person.in_guild),
    };
    is_for_me && is_in_reach && !message.deleted
}

/// Returns the modals that are open for a person, oldest first. Each is open in one tab.
pub(super) fn open_modals(state: &State, me: Snowflake) -> impl Iterator<Item = &ModalView> {
    let mine = state
        .interactions
        .values()
        .filter(move |it| it.person == me);
    mine.filter_map(|it| it.modal.as_ref())
}

fn person(state: &State, person: &PersonState) -> Value {
    let roles = state.guild.roles.iter();
    let roles = roles.filter(|role| person.roles.contains(&role.id));
    json!({
        "id": person.id.to_string(),
        "name": person.name,
        "roles": roles.map(|role| &role.name).collect::<Vec<_>>(),
        "in_guild": person.in_guild,
        "dms_open": person.dms_open,
    })
}

fn channels(state: &State, me: Snowflake) -> Vec<Value> {
    let seen = state.channels.iter();
    let seen = seen.filter(|channel| channel.recipient.is_none_or(|with| with == me));
    let channel = seen.map(|channel| {
        let with = channel.recipient.map(|with| with.to_string());
        json!({ "id": channel.id.to_string(), "name": channel.name, "with": with })
    });
    channel.collect()
}

fn message(state: &State, message: &Message) -> Value {
    let answers = message
        .interaction
        .and_then(|id| state.interactions.get(&id));
    let command = answers.filter(|interaction| interaction.kind == InteractionKind::Command);
    let command =
        command.map(|interaction| json!({ "person": interaction.person.to_string(), "words": interaction.words }));
    let files = message.files.iter().enumerate().map(|(at, file)| {
        // The page shows text, and loads other files from their URL.
        let text = std::str::from_utf8(&file.content).ok();
        // An edited message has other files at the same places, which a browser must load again.
        let mut version = DefaultHasher::new();
        file.content.hash(&mut version);
        let url = format!("/files/{}/{at}?version={:x}", message.id, version.finish());
        json!({ "name": file.name, "content": text, "size": file.content.len(), "url": url,
            "description": file.description })
    });
    let pinged = message.notified.iter().map(Snowflake::to_string);
    json!({
        "id": message.id.to_string(),
        "channel": message.channel.to_string(),
        "author": message.author.to_string(),
        "at": created_at(message.id).to_rfc3339(),
        "content": message.content,
        "embeds": message.embeds,
        "components": message.components,
        "files": files.collect::<Vec<_>>(),
        "ephemeral": message.flags & EPHEMERAL != 0,
        "thinking": message.flags & LOADING != 0,
        "edited": message.edited.is_some() && answers.is_none(),
        "pinged": pinged.collect::<Vec<_>>(),
        "command": command,
    })
}

fn modal(modal: &ModalView) -> Value {
    let inputs = modal.inputs.iter().map(|input| {
        json!({
            "custom_id": input.custom_id,
            "label": input.label,
            "paragraph": input.paragraph,
            "required": input.required,
            "min_length": input.min_length,
            "max_length": input.max_length,
            "value": input.value,
            "placeholder": input.placeholder,
        })
    });
    json!({
        "interaction": modal.opened_by.to_string(),
        "title": modal.title,
        "inputs": inputs.collect::<Vec<_>>(),
    })
}

fn interaction_json(interaction: &InteractionState) -> Value {
    json!({
        "interaction": interaction.id.to_string(),
        "message": interaction.source.map(|id| id.to_string()),
        "custom_id": interaction.custom_id,
        "channel": interaction.channel.to_string(),
        "words": interaction.words,
    })
}
