//! Original reply and follow-ups after the first response, with the interaction's token. Changes
//! the state.

use super::interactions::reply;
use super::request::{ApiRequest, ApiResponse, ApiResult};
use crate::api_error::{ApiError, INVALID_WEBHOOK_TOKEN, UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK};
use crate::model::{InteractionState, LOADING, Message, ResponseKind};
use crate::post::MessageDraft;
use crate::snowflake::Snowflake;
use crate::state::State;

pub(super) fn get(state: &mut State, request: &ApiRequest) -> ApiResult {
    let id = target(state, request)?;
    message_response(state, id)
}

pub(super) fn edit(state: &mut State, request: &ApiRequest) -> ApiResult {
    let id = target(state, request)?;
    state.edit(id, MessageDraft::read("", &request.body)?)?;
    message_response(state, id)
}

pub(super) fn delete(state: &mut State, request: &ApiRequest) -> ApiResult {
    let id = target(state, request)?;
    state.delete(id);
    Ok(ApiResponse::no_content())
}

/// Posts a follow-up message. After a defer, the first one replaces "thinking", as on Discord.
pub(super) fn follow_up(state: &mut State, request: &ApiRequest) -> ApiResult {
    let interaction = by_token(state, request)?;
    let (id, original) = (interaction.id, interaction.original);
    let was_deferred = matches!(interaction.response, Some((ResponseKind::Deferred, _)));
    let draft = MessageDraft::read("", &request.body)?;
    let thinking = original.filter(|original| {
        let message = state.messages.get(original);
        was_deferred && message.is_some_and(|m| m.flags & LOADING != 0 && !m.deleted)
    });
    if let Some(original) = thinking {
        state.edit(original, draft)?;
        return message_response(state, original);
    }
    let posted = reply(state, id, draft)?;
    if let Some(interaction) = state.interactions.get_mut(&id) {
        interaction.followups.push(posted);
    }
    message_response(state, posted)
}

/// Finds the interaction of a token that is still valid.
fn by_token<'a>(state: &'a State, request: &ApiRequest) -> Result<&'a InteractionState, ApiError> {
    if request.id("application") != state.application.id {
        return Err(UNKNOWN_WEBHOOK.into());
    }
    let interaction = state
        .interactions
        .values()
        .find(|interaction| interaction.token == request.text("token"));
    let interaction = interaction.ok_or(INVALID_WEBHOOK_TOKEN)?;
    if interaction.expired || interaction.created.elapsed() > state.token_lifetime {
        return Err(INVALID_WEBHOOK_TOKEN.into());
    }
    // Discord has no webhook for an interaction until its first response.
    interaction
        .response
        .is_some()
        .then_some(interaction)
        .ok_or_else(|| UNKNOWN_WEBHOOK.into())
}

/// Finds the message of a request, which must belong to the token's interaction.
fn target(state: &State, request: &ApiRequest) -> Result<Snowflake, ApiError> {
    let interaction = by_token(state, request)?;
    let wanted = match request.text("message") {
        "" => interaction.original,
        _ => Some(request.id("message")),
    };
    let own =
        wanted.filter(|id| interaction.original == Some(*id) || interaction.followups.contains(id));
    let exists = |id: &Snowflake| state.messages.get(id).is_some_and(|m: &Message| !m.deleted);
    own.filter(exists).ok_or_else(|| UNKNOWN_MESSAGE.into())
}

fn message_response(state: &State, id: Snowflake) -> ApiResult {
    let message = state.messages.get(&id).ok_or(UNKNOWN_MESSAGE)?;
    Ok(ApiResponse::ok(state.message_json(message)))
}
