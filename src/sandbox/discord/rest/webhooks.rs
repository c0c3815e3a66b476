//! What comes after the first response, by the interaction's token: the original reply, follow-ups.
//! Changes the world.

use super::super::api_error::{INVALID_WEBHOOK_TOKEN, Refusal, UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK};
use super::super::model::{AnswerKind, Invocation, LOADING, Message, World};
use super::super::post::Draft;
use super::super::snowflake::Snowflake;
use super::interactions::reply;
use super::{Answer, Ask, Outcome};

pub fn get(world: &mut World, ask: &Ask) -> Outcome {
    let id = target(world, ask)?;
    shown(world, id)
}

pub fn edit(world: &mut World, ask: &Ask) -> Outcome {
    let id = target(world, ask)?;
    world.edit(id, Draft::read("", &ask.body)?)?;
    shown(world, id)
}

pub fn delete(world: &mut World, ask: &Ask) -> Outcome {
    let id = target(world, ask)?;
    world.delete(id);
    Ok(Answer::nothing())
}

/// A further message. After a defer, the first one takes the place of "thinking", as on Discord.
pub fn follow_up(world: &mut World, ask: &Ask) -> Outcome {
    let asked = by_token(world, ask)?;
    let (id, original) = (asked.id, asked.original);
    let was_deferred = matches!(asked.answer, Some((AnswerKind::Deferred, _)));
    let draft = Draft::read("", &ask.body)?;
    let thinking = original.filter(|original| {
        let message = world.messages.get(original);
        was_deferred && message.is_some_and(|m| m.flags & LOADING != 0 && !m.deleted)
    });
    if let Some(original) = thinking {
        world.edit(original, draft)?;
        return shown(world, original);
    }
    let posted = reply(world, id, draft)?;
    if let Some(asked) = world.invocations.get_mut(&id) {
        asked.followups.push(posted);
    }
    shown(world, posted)
}

/// The interaction behind a token, while the token is good.
fn by_token<'a>(world: &'a World, ask: &Ask) -> Result<&'a Invocation, Refusal> {
    if ask.id("application") != world.application.id {
        return Err(UNKNOWN_WEBHOOK.into());
    }
    let asked = world
        .invocations
        .values()
        .find(|asked| asked.token == ask.text("token"));
    let asked = asked.ok_or(INVALID_WEBHOOK_TOKEN)?;
    if asked.expired || asked.made.elapsed() > world.tokens_live {
        return Err(INVALID_WEBHOOK_TOKEN.into());
    }
    // As long as an interaction has no response, Discord knows no webhook for it.
    asked
        .answer
        .is_some()
        .then_some(asked)
        .ok_or_else(|| UNKNOWN_WEBHOOK.into())
}

/// The message that a request means, which must belong to the token's interaction.
fn target(world: &World, ask: &Ask) -> Result<Snowflake, Refusal> {
    let asked = by_token(world, ask)?;
    let wanted = match ask.text("message") {
        "" => asked.original,
        _ => Some(ask.id("message")),
    };
    let own = wanted.filter(|id| asked.original == Some(*id) || asked.followups.contains(id));
    let exists = |id: &Snowflake| world.messages.get(id).is_some_and(|m: &Message| !m.deleted);
    own.filter(exists).ok_or_else(|| UNKNOWN_MESSAGE.into())
}

fn shown(world: &World, id: Snowflake) -> Outcome {
    let message = world.messages.get(&id).ok_or(UNKNOWN_MESSAGE)?;
    Ok(Answer::ok(world.message_json(message)))
}
