//! Messages by the bot's own token: in channels and in DMs. Changes the world.

use super::super::api_error::{
    ApiError, CANNOT_DM, INVALID_RECIPIENT, MISSING_ACCESS, MISSING_PERMISSIONS, NO_MUTUAL_GUILDS,
    NOT_YOUR_MESSAGE, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE,
};
use super::super::model::{Access, EPHEMERAL, Message, State};
use super::super::post::{Draft, Place};
use super::super::snowflake::Snowflake;
use super::super::view::plain;
use super::{Answer, Ask, Outcome};

/// Opens a DM channel. That works with everybody; only posting to it may be refused.
pub fn open_dm(state: &mut State, ask: &Ask) -> Outcome {
    let id = plain(&ask.body["recipient_id"]).parse().unwrap_or(0);
    state.person(id).ok_or(INVALID_RECIPIENT)?;
    let opened = state.dm_with(id);
    let channel = state.channel(opened).ok_or(UNKNOWN_CHANNEL)?;
    Ok(Answer::ok(state.channel_json(channel)))
}

pub fn create(state: &mut State, ask: &Ask) -> Outcome {
    let channel = ask.id("channel");
    may_post(state, channel)?;
    let mut draft = Draft::read("", &ask.body)?;
    // Only the answer to an interaction can be ephemeral.
    draft.flags &= !EPHEMERAL;
    let id = match already_posted(state, channel, &draft) {
        Some(id) => id,
        None => {
            let author = state.application.id;
            let place = Place {
                channel,
                author,
                only_for: None,
                answers: None,
            };
            state.post(place, draft)?
        }
    };
    shown(state, id)
}

pub fn get(state: &mut State, ask: &Ask) -> Outcome {
    let id = target(state, ask)?.id;
    shown(state, id)
}

pub fn edit(state: &mut State, ask: &Ask) -> Outcome {
    let message = target(state, ask)?;
    if message.author != state.application.id {
        return Err(NOT_YOUR_MESSAGE.into());
    }
    let id = message.id;
    state.edit(id, Draft::read("", &ask.body)?)?;
    shown(state, id)
}

pub fn delete(state: &mut State, ask: &Ask) -> Outcome {
    let message = target(state, ask)?;
    if message.author != state.application.id {
        return Err(MISSING_PERMISSIONS.into());
    }
    let id = message.id;
    state.delete(id);
    Ok(Answer::nothing())
}

fn may_post(state: &State, channel: Snowflake) -> Result<(), ApiError> {
    let channel = state.channel(channel).ok_or(UNKNOWN_CHANNEL)?;
    match channel.access {
        Access::Hidden => return Err(MISSING_ACCESS.into()),
        Access::ReadOnly => return Err(MISSING_PERMISSIONS.into()),
        Access::Full => {}
    }
    match channel.with.and_then(|id| state.person(id)) {
        Some(person) if !person.in_guild => Err(NO_MUTUAL_GUILDS.into()),
        Some(person) if !person.dms_open => Err(CANNOT_DM.into()),
        _ => Ok(()),
    }
}

/// A nonce that Discord was told to enforce makes a repeated post the same message again.
fn already_posted(state: &State, channel: Snowflake, draft: &Draft) -> Option<Snowflake> {
    let nonce = draft.nonce.as_ref().filter(|_| draft.enforce_nonce)?;
    let same = |message: &&Message| {
        message.nonce_enforced
            && message.channel == channel
            && message.author == state.application.id
            && message.nonce.as_ref() == Some(nonce)
    };
    state.messages.values().find(same).map(|message| message.id)
}

/// The message that a request means. Ephemeral ones don't exist on these routes.
fn target<'a>(state: &'a State, ask: &Ask) -> Result<&'a Message, ApiError> {
    let channel = state.channel(ask.id("channel")).ok_or(UNKNOWN_CHANNEL)?;
    if channel.access == Access::Hidden {
        return Err(MISSING_ACCESS.into());
    }
    let message = state.messages.get(&ask.id("message")).filter(|message| {
        message.channel == channel.id && !message.deleted && message.only_for.is_none()
    });
    message.ok_or_else(|| UNKNOWN_MESSAGE.into())
}

fn shown(state: &State, id: Snowflake) -> Outcome {
    let message = state.messages.get(&id).ok_or(UNKNOWN_MESSAGE)?;
    Ok(Answer::ok(state.message_json(message)))
}
