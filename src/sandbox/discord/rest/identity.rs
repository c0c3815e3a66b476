//! Who and what is there: gateway, the bot itself, guild, members, channels. Reads the world.

use serde_json::json;

use super::super::api_error::{
    MISSING_ACCESS, UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_USER,
};
use super::super::model::{Access, World};
use super::{Answer, Ask, Outcome};

pub fn gateway(world: &mut World, _: &Ask) -> Outcome {
    Ok(Answer::ok(json!({ "url": world.gateway_url })))
}

pub fn gateway_bot(world: &mut World, _: &Ask) -> Outcome {
    Ok(Answer::ok(json!({
        "url": world.gateway_url,
        "shards": 1,
        "session_start_limit":
            { "total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1 },
    })))
}

pub fn own_user(world: &mut World, _: &Ask) -> Outcome {
    Ok(Answer::ok(world.own_user_json()))
}

pub fn application(world: &mut World, _: &Ask) -> Outcome {
    Ok(Answer::ok(world.application_json()))
}

pub fn guild(world: &mut World, ask: &Ask) -> Outcome {
    if ask.id("guild") != world.guild.id {
        return Err(UNKNOWN_GUILD.into());
    }
    Ok(Answer::ok(world.guild_json()))
}

pub fn member(world: &mut World, ask: &Ask) -> Outcome {
    if ask.id("guild") != world.guild.id {
        return Err(UNKNOWN_GUILD.into());
    }
    if ask.id("user") == world.application.id {
        return Ok(Answer::ok(world.own_member_json()));
    }
    let person = world.person(ask.id("user")).ok_or(UNKNOWN_USER)?;
    if !person.in_guild {
        return Err(UNKNOWN_MEMBER.into());
    }
    Ok(Answer::ok(world.member_json(person)))
}

pub fn channel(world: &mut World, ask: &Ask) -> Outcome {
    let channel = world.channel(ask.id("channel")).ok_or(UNKNOWN_CHANNEL)?;
    if channel.access == Access::Hidden {
        return Err(MISSING_ACCESS.into());
    }
    Ok(Answer::ok(world.channel_json(channel)))
}
