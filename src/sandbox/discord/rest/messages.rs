//! Messages by the bot's own token: in channels and in DMs. Changes the world.

use super::super::api_error::{
    CANNOT_DM, INVALID_RECIPIENT, MISSING_ACCESS, MISSING_PERMISSIONS, NO_MUTUAL_GUILDS,
    NOT_YOUR_MESSAGE, Refusal, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE,
};
use super::super::model::{Access, EPHEMERAL, Message, World};
use super::super::post::{Draft, Place};
use super::super::snowflake::Snowflake;
use super::super::view::plain;
use super::{Answer, Ask, Outcome};

/// Opens a DM channel. That works with everybody; only posting to it may be refused.
pub fn open_dm(world: &mut World, ask: &Ask) -> Outcome {
    let id = plain(&ask.body["recipient_id"]).parse().unwrap_or(0);
    world.person(id).ok_or(INVALID_RECIPIENT)?;
    let opened = world.dm_with(id);
    let channel = world.channel(opened).ok_or(UNKNOWN_CHANNEL)?;
    Ok(Answer::ok(world.channel_json(channel)))
}

pub fn create(world: &mut World, ask: &Ask) -> Outcome {
    let channel = ask.id("channel");
    may_post(world, channel)?;
    let mut draft = Draft::read("", &ask.body)?;
    // Only the answer to an interaction can be ephemeral.
    draft.flags &= !EPHEMERAL;
    let id = match already_posted(world, channel, &draft) {
        Some(id) => id,
        None => {
            let author = world.application.id;
            let place = Place {
                channel,
                author,
                only_for: None,
                answers: None,
            };
            world.post(place, draft)?
        }
    };
    shown(world, id)
}

pub fn get(world: &mut World, ask: &Ask) -> Outcome {
    let id = target(world, ask)?.id;
    shown(world, id)
}

pub fn edit(world: &mut World, ask: &Ask) -> Outcome {
    let message = target(world, ask)?;
    if message.author != world.application.id {
        return Err(NOT_YOUR_MESSAGE.into());
    }
    let id = message.id;
    world.edit(id, Draft::read("", &ask.body)?)?;
    shown(world, id)
}

pub fn delete(world: &mut World, ask: &Ask) -> Outcome {
    let message = target(world, ask)?;
    if message.author != world.application.id {
        return Err(MISSING_PERMISSIONS.into());
    }
    let id = message.id;
    world.delete(id);
    Ok(Answer::nothing())
}

fn may_post(world: &World, channel: Snowflake) -> Result<(), Refusal> {
    let channel = world.channel(channel).ok_or(UNKNOWN_CHANNEL)?;
    match channel.access {
        Access::Hidden => return Err(MISSING_ACCESS.into()),
        Access::ReadOnly => return Err(MISSING_PERMISSIONS.into()),
        Access::Full => {}
    }
    match channel.with.and_then(|id| world.person(id)) {
        Some(person) if !person.in_guild => Err(NO_MUTUAL_GUILDS.into()),
        Some(person) if !person.dms_open => Err(CANNOT_DM.into()),
        _ => Ok(()),
    }
}

/// A nonce that Discord was told to enforce makes a repeated post the same message again.
fn already_posted(world: &World, channel: Snowflake, draft: &Draft) -> Option<Snowflake> {
    let nonce = draft.nonce.as_ref().filter(|_| draft.enforce_nonce)?;
    let same = |message: &&Message| {
        message.nonce_enforced
            && message.channel == channel
            && message.author == world.application.id
            && message.nonce.as_ref() == Some(nonce)
    };
    world.messages.values().find(same).map(|message| message.id)
}

/// The message that a request means. Ephemeral ones don't exist on these routes.
fn target<'a>(world: &'a World, ask: &Ask) -> Result<&'a Message, Refusal> {
    let channel = world.channel(ask.id("channel")).ok_or(UNKNOWN_CHANNEL)?;
    if channel.access == Access::Hidden {
        return Err(MISSING_ACCESS.into());
    }
    let message = world.messages.get(&ask.id("message")).filter(|message| {
        message.channel == channel.id && !message.deleted && message.only_for.is_none()
    });
    message.ok_or_else(|| UNKNOWN_MESSAGE.into())
}

fn shown(world: &World, id: Snowflake) -> Outcome {
    let message = world.messages.get(&id).ok_or(UNKNOWN_MESSAGE)?;
    Ok(Answer::ok(world.message_json(message)))
}
