//! The first response to an interaction. Changes the world.
//!
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#create-interaction-response>

use serde_json::{Value, json};

use super::super::api_error::{
    ALREADY_ACKNOWLEDGED, ApiError, FieldErrors, UNKNOWN_INTERACTION, UNKNOWN_MESSAGE,
};
use super::super::model::{AnswerKind, EPHEMERAL, Invocation, Kind, LOADING, State};
use super::super::post::{Draft, Place};
use super::super::rules;
use super::super::snowflake::Snowflake;
use super::super::view::{Input, ModalView, plain};
use super::{ApiRequest, ApiResponse, ApiResult};

pub fn callback(state: &mut State, request: &ApiRequest) -> ApiResult {
    let limit = state.first_response_within;
    let asked = state.invocations.get(&request.id("interaction"));
    let known = asked.filter(|asked| asked.token == request.text("token") && !asked.overdue(limit));
    let asked = known.ok_or(UNKNOWN_INTERACTION)?;
    if asked.answer.is_some() {
        return Err(ALREADY_ACKNOWLEDGED.into());
    }
    let (id, kind) = (asked.id, response_kind(asked, &request.body["type"])?);
    let original = respond(state, id, kind, &request.body["data"])?;
    let asked = state.invocations.get_mut(&id).ok_or(UNKNOWN_INTERACTION)?;
    asked.answer = Some((kind, asked.made.elapsed()));
    asked.original = original;
    if original != asked.source {
        // A message of its own: the person has read nothing of it.
        (asked.read_from, asked.read_to) = (0, 0);
    }
    let note = format!("{} answers with {kind:?}", state.application.name);
    state.record.say(note);
    // discord.py writes it as a number.
    let wanted = ["with_response=true", "with_response=1"];
    if request.query.split('&').any(|pair| wanted.contains(&pair)) {
        return Ok(ApiResponse::ok(callback_response(state, id, kind)));
    }
    Ok(ApiResponse::no_content())
}

/// Which first responses an interaction takes.
fn response_kind(asked: &Invocation, number: &Value) -> Result<AnswerKind, ApiError> {
    use AnswerKind as A;
    let on_message: &[A] = &[A::Message, A::Deferred, A::DeferredUpdate, A::Update];
    let kinds = match asked.kind {
        Kind::Autocomplete => &[A::Choices],
        Kind::Command => &[A::Message, A::Deferred, A::Modal][..],
        Kind::Component => &[
            A::Message,
            A::Deferred,
            A::DeferredUpdate,
            A::Update,
            A::Modal,
        ],
        Kind::Modal if asked.source.is_some() => on_message,
        Kind::Modal => &[A::Message, A::Deferred],
    };
    let found = kinds
        .iter()
        .find(|kind| number.as_u64() == Some(**kind as u64));
    found.copied().ok_or_else(|| {
        let allowed: Vec<String> = kinds.iter().map(|kind| (*kind as u8).to_string()).collect();
        let mut form = FieldErrors::default();
        let message = format!("Value must be one of {{{}}}.", allowed.join(", "));
        form.add("type", "BASE_TYPE_CHOICES", message);
        form.finish().expect_err("a mistake was just noted")
    })
}

/// Carries the response out; returns the message behind `@original`.
fn respond(
    state: &mut State,
    id: Snowflake,
    kind: AnswerKind,
    data: &Value,
) -> Result<Option<Snowflake>, ApiError> {
    let source = state.invocations.get(&id).and_then(|asked| asked.source);
    match kind {
        AnswerKind::Message => reply(state, id, Draft::read("data.", data)?).map(Some),
        AnswerKind::Deferred => {
            let flags = LOADING | data["flags"].as_u64().unwrap_or(0) & EPHEMERAL;
            let thinking = Draft {
                flags,
                ..Draft::default()
            };
            reply(state, id, thinking).map(Some)
        }
        AnswerKind::DeferredUpdate => Ok(source),
        AnswerKind::Update => {
            state.edit(source.ok_or(UNKNOWN_MESSAGE)?, Draft::read("data.", data)?)?;
            Ok(source)
        }
        AnswerKind::Choices => {
            rules::interactions::choices(data).finish()?;
            change(state, id, |asked| {
                asked.choices = rules::list(data, "choices").to_vec()
            });
            Ok(None)
        }
        AnswerKind::Modal => {
            rules::interactions::modal(data).finish()?;
            change(state, id, |asked| asked.modal = Some(modal(asked, data)));
            Ok(None)
        }
    }
}

fn change(state: &mut State, id: Snowflake, change: impl FnOnce(&mut Invocation)) {
    if let Some(asked) = state.invocations.get_mut(&id) {
        change(asked);
    }
}

/// Posts an answer to an interaction; its flags decide who sees it.
pub fn reply(state: &mut State, id: Snowflake, draft: Draft) -> Result<Snowflake, ApiError> {
    let asked = state.invocations.get(&id).ok_or(UNKNOWN_INTERACTION)?;
    let place = Place {
        channel: asked.channel,
        author: state.application.id,
        only_for: (draft.flags & EPHEMERAL != 0).then_some(asked.person),
        answers: Some(id),
    };
    state.post(place, draft)
}

fn modal(asked: &Invocation, data: &Value) -> ModalView {
    let rows = rules::list(data, "components").iter();
    ModalView {
        title: plain(&data["title"]),
        custom_id: plain(&data["custom_id"]),
        inputs: rows
            .flat_map(|row| rules::list(row, "components"))
            .map(Input::of)
            .collect(),
        person: asked.person,
        channel: asked.channel,
        opened_by: asked.id,
    }
}

/// What `with_response` asks for.
fn callback_response(state: &State, id: Snowflake, kind: AnswerKind) -> Value {
    let asked = &state.invocations[&id];
    let message = asked
        .original
        .and_then(|original| state.messages.get(&original));
    let mut answer = json!({ "interaction": { "id": id.to_string(), "type": asked.kind as u8 } });
    if let Some(message) = message {
        answer["interaction"]["response_message_id"] = message.id.to_string().into();
        if matches!(kind, AnswerKind::Message | AnswerKind::Update) {
            answer["resource"] =
                json!({ "type": kind as u8, "message": state.message_json(message) });
        }
    }
    answer
}
