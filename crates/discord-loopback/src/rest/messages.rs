//! Messages in channels and DMs, with the bot's token. Changes the state.

use super::request::{ApiRequest, ApiResponse, ApiResult};
use crate::api_error::{
    ApiError, CANNOT_DM, INVALID_RECIPIENT, MISSING_ACCESS, MISSING_PERMISSIONS, NO_MUTUAL_GUILDS,
    NOT_YOUR_MESSAGE, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE,
};
use crate::body::plain;
use crate::model::{Access, EPHEMERAL, Message};
use crate::post::{MessageDraft, MessageTarget};
use crate::snowflake::Snowflake;
use crate::state::State;

/// Opens a DM channel. This works for every person; only posting to it may be refused.
pub(super) fn open_dm(state: &mut State, request: &ApiRequest) -> ApiResult {
    let id = plain(&request.body["recipient_id"]).parse().unwrap_or(0);
    state.person(id).ok_or(INVALID_RECIPIENT)?;
    let opened = state.open_dm(id);
    let channel = state.channel(opened).ok_or(UNKNOWN_CHANNEL)?;
    Ok(ApiResponse::ok(state.channel_json(channel)))
}

pub(super) fn create(state: &mut State, request: &ApiRequest) -> ApiResult {
    let channel = request.id("channel");
    may_post(state, channel)?;
    let mut draft = MessageDraft::read("", &request.body)?;
    // Only responses to interactions can be ephemeral.
    draft.flags &= !EPHEMERAL;
    let id = match find_by_nonce(state, channel, &draft) {
        Some(id) => id,
        None => {
            let author = state.application.id;
            let target = MessageTarget {
                channel,
                author,
                visible_to: None,
                interaction: None,
            };
            state.post(target, draft)?
        }
    };
    message_response(state, id)
}

pub(super) fn get(state: &mut State, request: &ApiRequest) -> ApiResult {
    let id = target(state, request)?.id;
    message_response(state, id)
}

pub(super) fn edit(state: &mut State, request: &ApiRequest) -> ApiResult {
    let message = target(state, request)?;
    if message.author != state.application.id {
        return Err(NOT_YOUR_MESSAGE.into());
    }
    let id = message.id;
    state.edit(id, MessageDraft::read("", &request.body)?)?;
    message_response(state, id)
}

pub(super) fn delete(state: &mut State, request: &ApiRequest) -> ApiResult {
    let message = target(state, request)?;
    if message.author != state.application.id {
        return Err(MISSING_PERMISSIONS.into());
    }
    let id = message.id;
    state.delete(id);
    Ok(ApiResponse::no_content())
}

fn may_post(state: &State, channel: Snowflake) -> Result<(), ApiError> {
    let channel = state.channel(channel).ok_or(UNKNOWN_CHANNEL)?;
    match channel.access {
        Access::Hidden => return Err(MISSING_ACCESS.into()),
        Access::ReadOnly => return Err(MISSING_PERMISSIONS.into()),
        Access::Full => {}
    }
    match channel.recipient.and_then(|id| state.person(id)) {
        Some(person) if !person.in_guild => Err(NO_MUTUAL_GUILDS.into()),
        Some(person) if !person.dms_open => Err(CANNOT_DM.into()),
        _ => Ok(()),
    }
}

/// Finds the message that an earlier post with the same enforced nonce created.
fn find_by_nonce(state: &State, channel: Snowflake, draft: &MessageDraft) -> Option<Snowflake> {
    let nonce = draft.nonce.as_ref().filter(|_| draft.enforce_nonce)?;
    let same = |message: &&Message| {
        message.nonce_enforced
            && message.channel == channel
            && message.author == state.application.id
            && message.nonce.as_ref() == Some(nonce)
    };
    state.messages.values().find(same).map(|message| message.id)
}

/// Finds the message of a request. Ephemeral messages don't exist on these routes.
fn target<'a>(state: &'a State, request: &ApiRequest) -> Result<&'a Message, ApiError> {
    let channel = state
        .channel(request.id("channel"))
        .ok_or(UNKNOWN_CHANNEL)?;
    if channel.access == Access::Hidden {
        return Err(MISSING_ACCESS.into());
    }
    let message = state
        .messages
        .get(&request.id("message"))
        .filter(|message| {
            message.channel == channel.id && !message.deleted && message.visible_to.is_none()
        });
    message.ok_or_else(|| UNKNOWN_MESSAGE.into())
}

fn message_response(state: &State, id: Snowflake) -> ApiResult {
    let message = state.messages.get(&id).ok_or(UNKNOWN_MESSAGE)?;
    Ok(ApiResponse::ok(state.message_json(message)))
}
