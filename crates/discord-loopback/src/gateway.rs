//! The gateway: the bot's sessions over WebSocket, with JSON text frames and one shard. Does I/O.
//!
//! <https://discord.com/developers/docs/events/gateway>. A client may request compression, but
//! Discord need not compress, so plain text is always valid.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::gateway_session::{GatewaySession, SocketCommand};
use crate::presence::Presence;
use crate::shared::Shared;
use crate::snowflake::random_hex;
use crate::state::State;

/// Discord's heartbeat interval.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(41_250);
/// Intent for GUILD_CREATE and other guild events.
const GUILDS: u64 = 1;
/// Close code "authentication failed"; the client must not reconnect.
pub(crate) const AUTHENTICATION_FAILED: u16 = 4004;
/// Close code "decode error": a payload is not valid.
const DECODE_ERROR: u16 = 4002;
/// Close code "not authenticated": a payload other than IDENTIFY or RESUME came first.
const NOT_AUTHENTICATED: u16 = 4003;

/// Serves one socket until it closes.
pub(crate) async fn serve(shared: Arc<Shared>, mut socket: WebSocket) {
    let (outbox, mut inbox) = mpsc::unbounded_channel();
    let heartbeat = shared
        .read(|state| state.controls.heartbeat_interval)
        .unwrap_or(HEARTBEAT_INTERVAL);
    let hello = json!({ "op": 10, "d": { "heartbeat_interval": heartbeat.as_millis() as u64 } });
    if shared.read(|state| state.controls.offline || state.controls.gateway_closed) {
        return;
    }
    let _ = outbox.send(SocketCommand::Send(hello.to_string()));
    let mut closed_cleanly = false;
    loop {
        tokio::select! {
            // This task holds a sender, so the channel does not close before it.
            Some(command) = inbox.recv() => {
                if !execute(&mut socket, command).await {
                    break;
                }
            }
            payload = socket.recv() => match payload {
                Some(Ok(Message::Text(text))) => receive(&shared, &outbox, &text),
                Some(Ok(Message::Close(_))) => {
                    closed_cleanly = true;
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    shared.change(|state| disconnect(state, &outbox, closed_cleanly));
}

/// Executes a command. Returns false if the connection has ended.
async fn execute(socket: &mut WebSocket, command: SocketCommand) -> bool {
    match command {
        SocketCommand::Send(text) => socket.send(Message::Text(text.into())).await.is_ok(),
        SocketCommand::Close(code) => {
            let frame = CloseFrame {
                code,
                reason: "".into(),
            };
            let _ = socket.send(Message::Close(Some(frame))).await;
            // Keep the socket until the client answers with its own close frame.
            while let Some(Ok(_)) = socket.recv().await {}
            false
        }
        SocketCommand::Cut => false,
    }
}

fn receive(shared: &Shared, outbox: &mpsc::UnboundedSender<SocketCommand>, text: &str) {
    let payload: Value = serde_json::from_str(text).unwrap_or_default();
    let reply = |command: SocketCommand| {
        let _ = outbox.send(command);
    };
    match payload["op"].as_u64() {
        Some(1) => {
            reply(SocketCommand::Send(json!({ "op": 11 }).to_string()));
            shared.change(|state| state.controls.heartbeats_answered += 1);
        }
        Some(2) => shared.change(|state| identify(state, outbox, &payload["d"])),
        Some(6) => shared.change(|state| resume(state, outbox, &payload["d"])),
        Some(3) => match Presence::read(&payload["d"]) {
            Ok(presence) => shared.change(|state| update_presence(state, outbox, presence)),
            Err(why) => {
                shared.change(|state| {
                    state
                        .transcript
                        .note(format!("gateway: a presence is refused: {why}"))
                });
                reply(SocketCommand::Close(DECODE_ERROR));
            }
        },
        _ => reply(SocketCommand::Close(NOT_AUTHENTICATED)),
    }
}

fn identify(state: &mut State, outbox: &mpsc::UnboundedSender<SocketCommand>, data: &Value) {
    let token = data["token"].as_str().unwrap_or("");
    if token.trim_start_matches("Bot ") != state.application.token {
        state.transcript.note("gateway: wrong token".to_owned());
        let _ = outbox.send(SocketCommand::Close(AUTHENTICATION_FAILED));
        return;
    }
    if !state.session_limit.take(Instant::now()) {
        // Discord would reset the bot's token.
        let says = "gateway: too many sessions, so the token would be reset";
        state.transcript.note(says.to_owned());
        let _ = outbox.send(SocketCommand::Close(AUTHENTICATION_FAILED));
        return;
    }
    let presence = match &data["presence"] {
        Value::Null => Ok(Presence::default()),
        given => Presence::read(given),
    };
    let Ok(presence) = presence else {
        let _ = outbox.send(SocketCommand::Close(DECODE_ERROR));
        return;
    };
    let mut session = GatewaySession {
        id: random_hex(),
        presence,
        intents: data["intents"].as_u64().unwrap_or(0),
        seq: 0,
        events: Vec::new(),
        outbox: Some(outbox.clone()),
    };
    session.dispatch("READY", &ready(state, &session.id, &data["shard"]));
    if session.intents & GUILDS != 0 {
        session.dispatch("GUILD_CREATE", &state.guild_create_json());
    }
    state
        .transcript
        .note("gateway: the bot is connected".to_owned());
    state.sessions.push(session);
    state.note_connection();
}

fn update_presence(
    state: &mut State,
    outbox: &mpsc::UnboundedSender<SocketCommand>,
    presence: Presence,
) {
    let mut sessions = state.sessions.iter_mut();
    let session = sessions.find(|session| session.is_served_by(outbox));
    let Some(session) = session else {
        let _ = outbox.send(SocketCommand::Close(NOT_AUTHENTICATED));
        return;
    };
    let line = format!("gateway: the bot is {presence}");
    session.presence = presence;
    state.transcript.note(line);
}

fn ready(state: &State, session: &str, shard: &Value) -> Value {
    let mut ready = json!({
        "v": 10,
        "user": state.own_user_json(),
        "guilds": [{ "id": state.guild.id.to_string(), "unavailable": true }],
        "session_id": session,
        "resume_gateway_url": state.gateway_url,
        "application": { "id": state.application.id.to_string(), "flags": 0 },
    });
    if shard.is_array() {
        ready["shard"] = shard.clone();
    }
    ready
}

fn resume(state: &mut State, outbox: &mpsc::UnboundedSender<SocketCommand>, data: &Value) {
    let refused = std::mem::take(&mut state.controls.refuse_resume);
    let wanted = data["session_id"].as_str().unwrap_or("");
    let found = state
        .sessions
        .iter_mut()
        .find(|session| session.id == wanted && !refused);
    let Some(session) = found else {
        state
            .transcript
            .note("gateway: a RESUME is refused".to_owned());
        state.sessions.retain(|session| session.id != wanted);
        let invalid = json!({ "op": 9, "d": false });
        let _ = outbox.send(SocketCommand::Send(invalid.to_string()));
        return;
    };
    session.outbox = Some(outbox.clone());
    let received = data["seq"]
        .as_u64()
        .and_then(|seq| usize::try_from(seq).ok())
        .unwrap_or(0);
    for missed in session.events.iter().skip(received) {
        session.send(SocketCommand::Send(missed.clone()));
    }
    session.dispatch("RESUMED", &json!({}));
    state
        .transcript
        .note("gateway: the bot has resumed".to_owned());
    state.note_connection();
}

/// Handles the end of a socket. After a close frame the session ends, else it waits for a RESUME.
fn disconnect(
    state: &mut State,
    outbox: &mpsc::UnboundedSender<SocketCommand>,
    closed_cleanly: bool,
) {
    let mine = |session: &GatewaySession| session.is_served_by(outbox);
    if !state.sessions.iter().any(mine) {
        return;
    }
    state
        .transcript
        .note("gateway: the bot disconnected".to_owned());
    if closed_cleanly {
        state.sessions.retain(|session| !mine(session));
    }
    for session in state.sessions.iter_mut().filter(|session| mine(session)) {
        session.outbox = None;
    }
}
