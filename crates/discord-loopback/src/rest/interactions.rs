//! First response to an interaction. Changes the state.
//!
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#create-interaction-response>

use serde_json::{Value, json};

use super::request::{ApiRequest, ApiResponse, ApiResult};
use crate::api_error::{
    ALREADY_ACKNOWLEDGED, ApiError, FieldErrors, UNKNOWN_INTERACTION, UNKNOWN_MESSAGE,
};
use crate::body::{list, plain};
use crate::model::{EPHEMERAL, InteractionKind, InteractionState, LOADING, ResponseKind};
use crate::post::{MessageDraft, MessageTarget};
use crate::rules;
use crate::snowflake::Snowflake;
use crate::state::State;
use crate::view::{Input, ModalView};

pub(super) fn callback(state: &mut State, request: &ApiRequest) -> ApiResult {
    let limit = state.first_response_timeout;
    let interaction = state.interactions.get(&request.id("interaction"));
    let known = interaction.filter(|interaction| {
        interaction.token == request.text("token") && !interaction.is_overdue(limit)
    });
    let interaction = known.ok_or(UNKNOWN_INTERACTION)?;
    if interaction.response.is_some() {
        return Err(ALREADY_ACKNOWLEDGED.into());
    }
    let (id, kind) = (
        interaction.id,
        response_kind(interaction, &request.body["type"])?,
    );
    let original = respond(state, id, kind, &request.body["data"])?;
    let interaction = state.interactions.get_mut(&id).ok_or(UNKNOWN_INTERACTION)?;
    interaction.response = Some((kind, interaction.created.elapsed()));
    interaction.original = original;
    if original != interaction.source {
        // The response is a new message, of which nothing is read yet.
        (interaction.read_from, interaction.read_to) = (0, 0);
    }
    let note = format!("{} responds with {kind:?}", state.application.name);
    state.transcript.note(note);
    // discord.py writes 1 for true.
    let wanted = ["with_response=true", "with_response=1"];
    if request.query.split('&').any(|pair| wanted.contains(&pair)) {
        return Ok(ApiResponse::ok(callback_response(state, id, kind)));
    }
    Ok(ApiResponse::no_content())
}

/// Returns the response kind with this number, if the interaction allows it.
fn response_kind(interaction: &InteractionState, number: &Value) -> Result<ResponseKind, ApiError> {
    use ResponseKind as A;
    let on_message: &[A] = &[A::Message, A::Deferred, A::DeferredUpdate, A::Update];
    let kinds = match interaction.kind {
        InteractionKind::Autocomplete => &[A::Choices],
        InteractionKind::Command => &[A::Message, A::Deferred, A::Modal][..],
        InteractionKind::Component => &[
            A::Message,
            A::Deferred,
            A::DeferredUpdate,
            A::Update,
            A::Modal,
        ],
        InteractionKind::Modal if interaction.source.is_some() => on_message,
        InteractionKind::Modal => &[A::Message, A::Deferred],
    };
    let found = kinds
        .iter()
        .find(|kind| number.as_u64() == Some(**kind as u64));
    found.copied().ok_or_else(|| {
        let allowed: Vec<String> = kinds.iter().map(|kind| (*kind as u8).to_string()).collect();
        let mut form = FieldErrors::default();
        let message = format!("Value must be one of {{{}}}.", allowed.join(", "));
        form.add("type", "BASE_TYPE_CHOICES", message);
        form.finish().expect_err("an error was just added")
    })
}

/// Carries out the response. Returns the message behind `@original`.
fn respond(
    state: &mut State,
    id: Snowflake,
    kind: ResponseKind,
    data: &Value,
) -> Result<Option<Snowflake>, ApiError> {
    let source = state
        .interactions
        .get(&id)
        .and_then(|interaction| interaction.source);
    match kind {
        ResponseKind::Message => reply(state, id, MessageDraft::read("data.", data)?).map(Some),
        ResponseKind::Deferred => {
            let flags = LOADING | data["flags"].as_u64().unwrap_or(0) & EPHEMERAL;
            let thinking = MessageDraft {
                flags,
                ..MessageDraft::default()
            };
            reply(state, id, thinking).map(Some)
        }
        ResponseKind::DeferredUpdate => Ok(source),
        ResponseKind::Update => {
            state.edit(
                source.ok_or(UNKNOWN_MESSAGE)?,
                MessageDraft::read("data.", data)?,
            )?;
            Ok(source)
        }
        ResponseKind::Choices => {
            rules::interactions::choices(data).finish()?;
            change(state, id, |interaction| {
                interaction.choices = list(data, "choices").to_vec()
            });
            Ok(None)
        }
        ResponseKind::Modal => {
            rules::interactions::modal(data).finish()?;
            change(state, id, |interaction| {
                interaction.modal = Some(modal(interaction, data))
            });
            Ok(None)
        }
    }
}

fn change(state: &mut State, id: Snowflake, change: impl FnOnce(&mut InteractionState)) {
    if let Some(interaction) = state.interactions.get_mut(&id) {
        change(interaction);
    }
}

/// Posts a response to an interaction. The flag `EPHEMERAL` shows it only to the person.
pub(super) fn reply(
    state: &mut State,
    id: Snowflake,
    draft: MessageDraft,
) -> Result<Snowflake, ApiError> {
    let interaction = state.interactions.get(&id).ok_or(UNKNOWN_INTERACTION)?;
    let target = MessageTarget {
        channel: interaction.channel,
        author: state.application.id,
        visible_to: (draft.flags & EPHEMERAL != 0).then_some(interaction.person),
        interaction: Some(id),
    };
    state.post(target, draft)
}

fn modal(interaction: &InteractionState, data: &Value) -> ModalView {
    let rows = list(data, "components").iter();
    ModalView {
        title: plain(&data["title"]),
        custom_id: plain(&data["custom_id"]),
        inputs: rows
            .flat_map(|row| list(row, "components"))
            .map(Input::of)
            .collect(),
        person: interaction.person,
        channel: interaction.channel,
        opened_by: interaction.id,
    }
}

/// Response body for `with_response`.
fn callback_response(state: &State, id: Snowflake, kind: ResponseKind) -> Value {
    let interaction = &state.interactions[&id];
    let message = interaction
        .original
        .and_then(|original| state.messages.get(&original));
    let mut answer =
        json!({ "interaction": { "id": id.to_string(), "type": interaction.kind as u8 } });
    if let Some(message) = message {
        answer["interaction"]["response_message_id"] = message.id.to_string().into();
        if matches!(kind, ResponseKind::Message | ResponseKind::Update) {
            answer["resource"] =
                json!({ "type": kind as u8, "message": state.message_json(message) });
        }
    }
    answer
}
