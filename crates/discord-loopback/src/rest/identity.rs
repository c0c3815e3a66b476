//! Gateway URL, the bot's own user and application, guild, members and channels. Reads the state.

use std::time::Instant;

use serde_json::json;

use super::request::{ApiRequest, ApiResponse, ApiResult};
use crate::api_error::{
    MISSING_ACCESS, UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_USER,
};
use crate::model::Access;
use crate::state::State;

pub(super) fn gateway(state: &mut State, _: &ApiRequest) -> ApiResult {
    Ok(ApiResponse::ok(
        json!({ "url": state.gateway_front.as_ref().unwrap_or(&state.gateway_url) }),
    ))
}

pub(super) fn gateway_bot(state: &mut State, _: &ApiRequest) -> ApiResult {
    Ok(ApiResponse::ok(json!({
        "url": state.gateway_front.as_ref().unwrap_or(&state.gateway_url),
        "shards": 1,
        "session_start_limit": state.session_limit.json(Instant::now()),
    })))
}

pub(super) fn own_user(state: &mut State, _: &ApiRequest) -> ApiResult {
    Ok(ApiResponse::ok(state.own_user_json()))
}

pub(super) fn application(state: &mut State, _: &ApiRequest) -> ApiResult {
    Ok(ApiResponse::ok(state.application_json()))
}

pub(super) fn guild(state: &mut State, request: &ApiRequest) -> ApiResult {
    if request.id("guild") != state.guild.id {
        return Err(UNKNOWN_GUILD.into());
    }
    Ok(ApiResponse::ok(state.guild_json()))
}

pub(super) fn member(state: &mut State, request: &ApiRequest) -> ApiResult {
    if request.id("guild") != state.guild.id {
        return Err(UNKNOWN_GUILD.into());
    }
    if request.id("user") == state.application.id {
        return Ok(ApiResponse::ok(state.own_member_json()));
    }
    let person = state.person(request.id("user")).ok_or(UNKNOWN_USER)?;
    if !person.in_guild {
        return Err(UNKNOWN_MEMBER.into());
    }
    Ok(ApiResponse::ok(state.member_json(person)))
}

pub(super) fn channel(state: &mut State, request: &ApiRequest) -> ApiResult {
    let channel = state
        .channel(request.id("channel"))
        .ok_or(UNKNOWN_CHANNEL)?;
    if channel.access == Access::Hidden {
        return Err(MISSING_ACCESS.into());
    }
    Ok(ApiResponse::ok(state.channel_json(channel)))
}
