//! Reading a loopback Discord from outside: messages, history, the record of calls. Waits at most.

use serde_json::Value;
use tokio::sync::watch;

use super::model::{EPHEMERAL, Message, State};
use super::{Discord, MessageView, Observer, Person, RestCall, RestExchange, Snowflake};

impl Discord {
    /// A message as it stands now, whoever may see it. It does not count as read by this.
    #[must_use]
    pub fn message(&self, id: Snowflake) -> Option<MessageView> {
        self.shared
            .read(|state| state.messages.get(&id).map(MessageView::of))
    }

    /// What everybody sees in a channel now, oldest first. It does not count as read by this.
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
                .map(MessageView::of)
                .collect()
        })
    }

    /// The commands that the bot registered, as Discord gave them back.
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

    /// Waits until a message is as wanted, and returns it like that. It counts as read.
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
        self.shared
            .wait("a message to become as wanted", find)
            .await
    }

    /// The bot's messages and replies that no verb has read, those that still "think" included.
    #[must_use]
    pub fn unread(&self) -> Vec<MessageView> {
        self.shared.read(|state| {
            let unread = state.messages.values().filter(|message| !message.seen);
            unread.map(MessageView::of).collect()
        })
    }

    /// Everything that was said and requested, in order, a line each. For people to read.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.shared.read(|state| state.transcript.render())
    }

    /// Every request of the bot and every answer to it, in full: the place to look for a secret.
    ///
    /// It holds no header, so the bot token stands here only if a body or path gives it away.
    #[must_use]
    pub fn traffic(&self) -> String {
        self.shared.read(|state| state.transcript.render_traffic())
    }

    /// Every REST call so far, in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<RestCall> {
        self.exchanges().iter().map(RestExchange::call).collect()
    }

    /// Every REST call so far with what it carried.
    #[must_use]
    pub fn exchanges(&self) -> Vec<RestExchange> {
        self.shared
            .read(|state| state.transcript.exchanges().to_vec())
    }

    /// Waits until a call with this method and route template was answered for the n-th time.
    pub async fn wait_answered(&self, method: &str, route: &str, times: usize) {
        let what = format!("{method} {route} to be answered {times} times");
        let enough = |state: &mut State| {
            let calls = state.transcript.exchanges().iter();
            let same = calls.filter(|call| call.method == method && call.route == route);
            (same.filter(|call| call.status.is_some()).count() >= times).then_some(())
        };
        self.shared.wait(&what, enough).await;
    }

    /// Calls of routes that are not served: each is a gap in the loopback or a mistake of the bot.
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

    /// Has the observer told of every answered exchange from now on.
    pub fn set_observer(&self, observer: Observer) {
        self.shared.observe(observer);
    }

    /// Counts changes of any kind: for a page that shows the chat.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }
}

impl Person {
    /// What the person sees in a channel now, own ephemeral replies included, oldest first. It does
    /// not count as read by this.
    #[must_use]
    pub fn visible_messages(&self, channel: &str) -> Vec<MessageView> {
        self.shared.read(|state| {
            let id = state.channel_named(channel).map(|channel| channel.id);
            self.views(state, id)
        })
    }

    /// What stands in the person's DMs with the bot, oldest first. It does not count as read.
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
        seen.map(MessageView::of).collect()
    }
}
