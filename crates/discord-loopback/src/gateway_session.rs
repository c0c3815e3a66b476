//! The bot's sessions at the gateway, each with its events so far. No I/O.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::presence::Presence;

/// Gateway session. It outlives its socket, so that the bot can resume it.
#[derive(Debug)]
pub(crate) struct GatewaySession {
    pub id: String,
    pub presence: Presence,
    pub intents: u64,
    pub seq: u64,
    /// Events so far, for a replay after RESUME.
    pub events: Vec<String>,
    /// Channel to the task of the socket, while one is connected.
    pub outbox: Option<mpsc::UnboundedSender<SocketCommand>>,
}

/// Command to the task of a socket.
#[derive(Debug)]
pub(crate) enum SocketCommand {
    Send(String),
    Close(u16),
    /// End without a close frame, as if the cable were pulled.
    Cut,
}

impl GatewaySession {
    /// Sends an event, and keeps it for a replay.
    pub(crate) fn dispatch(&mut self, event: &str, data: &Value) {
        self.seq += 1;
        let text = json!({ "op": 0, "t": event, "s": self.seq, "d": data }).to_string();
        self.events.push(text.clone());
        self.send(SocketCommand::Send(text));
    }

    /// Returns true if the task with this channel serves the session's socket.
    pub(crate) fn is_served_by(&self, outbox: &mpsc::UnboundedSender<SocketCommand>) -> bool {
        let own = self.outbox.as_ref();
        own.is_some_and(|own| own.same_channel(outbox))
    }

    pub(crate) fn send(&self, command: SocketCommand) {
        if let Some(outbox) = &self.outbox {
            // Sending fails if the socket has just closed; the event then waits for a RESUME.
            let _ = outbox.send(command);
        }
    }
}
