//! Methods that read a loopback Discord: messages, history and recorded calls. Some wait.

use serde_json::Value;
use tokio::sync::watch;

use crate::faults::RestCall;
use crate::model::{EPHEMERAL, Message};
use crate::people::Person;
use crate::presence::Presence;
use crate::server::Discord;
use crate::shared::Observer;
use crate::snowflake::Snowflake;
use crate::state::State;
use crate::transcript::RestExchange;
use crate::view::MessageView;

impl Discord {
    /// Returns the current version of a message, also if it is ephemeral. Does not mark it as read.
    #[must_use]
    pub fn message(&self, id: Snowflake) -> Option<MessageView> {
        self.shared
            .read(|state| state.messages.get(&id).map(Message::view))
    }

    /// Returns a channel's current public messages, oldest first. Does not mark them as read.
    #[must_use]
    pub fn history(&self, channel: &str) -> Vec<MessageView> {
        let channel = self.channel(channel);
        let public = |message: &&Message| {
            message.channel == channel && !message.deleted && message.flags & EPHEMERAL == 0
        };
        self.shared.read(|state| {
            state
                .messages
                .values()
                .filter(public)
                .map(Message::view)
                .collect()
        })
    }

    /// Commands that the bot registered, as Discord returned them.
    #[must_use]
    pub fn commands(&self) -> Vec<Value> {
        self.shared.read(|state| state.commands.clone())
    }

    /// Names of the guild's channels.
    #[must_use]
    pub fn channels(&self) -> Vec<String> {
        self.shared.read(|state| {
            let guild = state
                .channels
                .iter()
                .filter(|channel| channel.recipient.is_none());
            guild.map(|channel| channel.name.clone()).collect()
        })
    }

    /// Names of all people.
    #[must_use]
    pub fn people(&self) -> Vec<String> {
        self.shared.read(|state| {
            state
                .people
                .iter()
                .map(|person| person.name.clone())
                .collect()
        })
    }

    /// Waits until a bot is connected and READY.
    pub async fn wait_connected(&self) {
        self.shared
            .wait("a bot to connect", |state| {
                state.is_connected().then_some(())
            })
            .await;
    }

    /// Returns the bot's presence, or `None` if no bot is connected.
    #[must_use]
    pub fn presence(&self) -> Option<Presence> {
        self.shared.read(|state| state.presence().cloned())
    }

    /// Waits until the presence of the connected bot matches `wanted`.
    pub async fn wait_presence(&self, wanted: impl Fn(&Presence) -> bool) -> Presence {
        self.shared
            .wait("a presence of the bot", |state| {
                state.presence().filter(|it| wanted(it)).cloned()
            })
            .await
    }

    /// Waits until `count` heartbeats were answered since the start.
    pub async fn wait_heartbeats(&self, count: usize) {
        self.shared
            .wait("heartbeats", |state| {
                (state.controls.heartbeats_answered >= count).then_some(())
            })
            .await;
    }

    /// Waits until no bot is connected.
    pub async fn wait_disconnected(&self) {
        self.shared
            .wait("the bot to disconnect", |state| {
                (!state.is_connected()).then_some(())
            })
            .await;
    }

    /// Waits until exactly `count` gateway connections are open.
    pub async fn wait_for_connections(&self, count: usize) {
        let enough = |state: &mut State| (state.connected() == count).then_some(());
        self.shared.wait("gateway connections", enough).await;
    }

    /// Maximum number of gateway connections that were open at a time.
    #[must_use]
    pub fn most_connected(&self) -> usize {
        self.shared.read(|state| state.most_connected)
    }

    /// Waits until the bot has registered commands.
    pub async fn wait_for_commands(&self) {
        self.shared
            .wait("commands to be registered", has_commands)
            .await;
    }

    /// Waits without a time limit until the bot has registered commands.
    pub async fn wait_for_commands_forever(&self) {
        while self
            .shared
            .wait_for(self.shared.wait_timeout, has_commands)
            .await
            .is_none()
        {}
    }

    /// Waits until a version of a message matches `wanted`. Returns it, and marks the message read.
    pub async fn wait_edited(
        &self,
        id: Snowflake,
        wanted: impl Fn(&MessageView) -> bool,
    ) -> MessageView {
        let find = |state: &mut State| {
            let message = state.messages.get_mut(&id)?;
            let found = message
                .versions
                .iter()
                .rfind(|version| wanted(version))
                .cloned();
            message.seen |= found.is_some();
            found
        };
        self.shared.wait("a message to match", find).await
    }

    /// Messages that no method has marked as read, including replies that are still "thinking".
    #[must_use]
    pub fn unread(&self) -> Vec<MessageView> {
        self.shared.read(|state| {
            let unread = state.messages.values().filter(|message| !message.seen);
            unread.map(Message::view).collect()
        })
    }

    /// Messages, actions and requests in order, one per line, for people to read.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.shared.read(|state| state.transcript.render())
    }

    /// Full requests of the bot with their responses, to search for leaked secrets.
    ///
    /// Headers are not included, so the bot token occurs only if a body or path leaks it.
    #[must_use]
    pub fn traffic(&self) -> String {
        self.shared.read(|state| state.transcript.render_traffic())
    }

    /// REST calls so far, in order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<RestCall> {
        self.exchanges().iter().map(RestExchange::call).collect()
    }

    /// REST calls so far, with their bodies and responses.
    #[must_use]
    pub fn exchanges(&self) -> Vec<RestExchange> {
        self.shared
            .read(|state| state.transcript.exchanges().to_vec())
    }

    /// Waits until `times` calls with this method and route template were answered.
    pub async fn wait_answered(&self, method: &str, route: &str, times: usize) {
        let what = format!("{method} {route} to be answered {times} times");
        let enough = |state: &mut State| {
            let calls = state.transcript.exchanges().iter();
            let same = calls.filter(|call| call.method == method && call.route == route);
            (same.filter(|call| call.status.is_some()).count() >= times).then_some(())
        };
        self.shared.wait(&what, enough).await;
    }

    /// Calls of unknown routes: each is a gap in the loopback or a mistake of the bot.
    #[must_use]
    pub fn unknown_routes(&self) -> Vec<RestCall> {
        let unknown = |exchange: &&RestExchange| {
            exchange.status == Some(404)
                && exchange
                    .response
                    .as_ref()
                    .is_some_and(|body| body["code"] == 0)
        };
        self.exchanges()
            .iter()
            .filter(unknown)
            .map(RestExchange::call)
            .collect()
    }

    /// Sets the observer, which is called for every further answered exchange.
    pub fn set_observer(&self, observer: Observer) {
        self.shared.observe(observer);
    }

    /// Receiver that is notified of every change of the state.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }
}

impl Person {
    /// Returns the messages that the person sees in a channel, with their own ephemeral replies,
    /// oldest first. Does not mark them as read.
    #[must_use]
    pub fn visible_messages(&self, channel: &str) -> Vec<MessageView> {
        self.shared.read(|state| {
            let id = state.channel_named(channel).map(|channel| channel.id);
            self.views(state, id)
        })
    }

    /// Returns the person's DMs with the bot, oldest first. Does not mark them as read.
    #[must_use]
    pub fn visible_dms(&self) -> Vec<MessageView> {
        self.shared.read(|state| {
            let dm = state
                .channels
                .iter()
                .find(|channel| channel.recipient == Some(self.id));
            self.views(state, dm.map(|channel| channel.id))
        })
    }

    fn views(&self, state: &State, channel: Option<Snowflake>) -> Vec<MessageView> {
        let seen = state.messages.values().filter(|message| {
            Some(message.channel) == channel
                && !message.deleted
                && message.visible_to.is_none_or(|only| only == self.id)
        });
        seen.map(Message::view).collect()
    }
}

fn has_commands(state: &mut State) -> Option<()> {
    (!state.commands.is_empty()).then_some(())
}
