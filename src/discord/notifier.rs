//! The public side: one message per session, posted when it is ready, edited
//! when it ends.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serenity::{
    all::{ChannelId, CreateAllowedMentions, CreateMessage, EditMessage, GuildId, UserId},
    builder::Builder,
    http::Http,
};
use tracing::warn;

use super::{
    code,
    direct::DirectMessages,
    replies,
    responder::{message, rows, truncate},
    status,
};
use crate::{
    error::Error,
    metrics,
    service::Notifier,
    session::{Cause, Ending, Incident, MessageId, OwnerId, ReapPause, Record, Report, Warning},
    settings::Settings,
};

/// Discord will never take it; with its own code for why.
struct PermanentError(Option<isize>);

/// The channels in which sessions were asked for.
pub struct DiscordNotifier {
    http: Arc<Http>,
    direct: Arc<DirectMessages>,
    settings: Arc<Settings>,
}

impl DiscordNotifier {
    /// Posts by this connection.
    pub fn new(http: Arc<Http>, direct: Arc<DirectMessages>, settings: Arc<Settings>) -> Self {
        Self {
            http,
            direct,
            settings,
        }
    }

    /// Posts once, also when it is tried again after a crash.
    async fn post(
        &self,
        record: &Record,
        nonce: String,
        reply: &replies::Reply,
        called: Option<OwnerId>,
    ) -> Result<Option<MessageId>, Error> {
        let Some(channel) = record.channel else {
            return Ok(None);
        };
        let message = message(reply, Some(&nonce)).allowed_mentions(mention_only(called));
        match self.send(channel.get(), message).await? {
            Ok(id) => Ok(Some(id)),
            Err(PermanentError(code)) => {
                warn!(
                    session = %record.id, %channel, code,
                    "session {}: I may not write in its channel", record.id,
                );
                Ok(None)
            }
        }
    }

    /// Posts a message, once. What Discord refuses for good is no fault.
    async fn send(
        &self,
        channel: u64,
        message: CreateMessage,
    ) -> Result<Result<MessageId, PermanentError>, Error> {
        let posted = message.execute(&*self.http, (ChannelId::new(channel), None));
        let posted = posted.await;
        count("message", &posted);
        match posted {
            Ok(message) => Ok(Ok(message.id.get().into())),
            Err(error) if is_final(&error) => Ok(Err(PermanentError(code(&error)))),
            Err(error) => Err(discord_error("posting a message", &error)),
        }
    }

    /// Tells one person, in the channel if they take no direct messages. Whether there was
    /// any way to.
    async fn tell_owner(
        &self,
        record: &Record,
        nonce: String,
        reply: &replies::Reply,
    ) -> Result<bool, Error> {
        let sent = self.direct.send(record.owner, reply, Some(&nonce)).await?;
        if sent.is_some() {
            return Ok(true);
        }
        let posted = self.post(record, nonce, reply, Some(record.owner));
        Ok(posted.await?.is_some())
    }

    /// Posts where it is for nobody in particular. Whether there is such a place.
    async fn post_in(
        &self,
        channel: Option<u64>,
        nonce: &str,
        reply: &replies::Reply,
    ) -> Result<bool, Error> {
        let Some(channel) = channel else {
            return Ok(false);
        };
        let message = message(reply, Some(nonce)).allowed_mentions(mention_only(None));
        match self.send(channel, message).await? {
            Ok(_) => Ok(true),
            Err(PermanentError(code)) => {
                warn!(
                    channel,
                    code, "I may not write in channel {channel}, which the settings name"
                );
                Ok(false)
            }
        }
    }

    async fn edit(
        &self,
        record: &Record,
        message: MessageId,
        reply: &replies::Reply,
    ) -> Result<(), Error> {
        let Some(channel) = record.channel else {
            return Ok(());
        };
        let edit = EditMessage::new()
            .content(truncate(&reply.text))
            .components(rows(reply))
            .allowed_mentions(mention_only(None));
        let place = (ChannelId::new(channel.get()), message.get().into(), None);
        let edited = edit.execute(&*self.http, place).await;
        count("edit", &edited);
        match edited {
            Ok(_) => Ok(()),
            Err(error) if is_final(&error) => Ok(()),
            Err(error) => Err(discord_error("editing a message", &error)),
        }
    }
}

#[async_trait]
impl Notifier for DiscordNotifier {
    async fn announce_ready(&self, record: &Record, url: &str) -> Result<Option<MessageId>, Error> {
        let nonce = match record.rescheduled {
            None => format!("ready-{}", record.id),
            Some(_) => format!("ready-again-{}", record.id),
        };
        let reply = replies::announcement(record, url);
        self.post(record, nonce, &reply, Some(record.owner)).await
    }

    async fn warn_credentials_expire(
        &self,
        record: &Record,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let nonce = format!("keys-{}", record.id);
        let reply = replies::credentials_expire(record, at);
        self.tell_owner(record, nonce, &reply).await.map(|_| ())
    }

    async fn warn_of_stop(&self, record: &Record, warning: &Warning) -> Result<bool, Error> {
        let extend_by = self.settings.reaper.extend_by;
        // The same for whichever bot says it, and whenever; another one after each extension.
        // (When it will be stopped is no part of it: who is told late has later.)
        let mut hasher = DefaultHasher::new();
        (
            warning.rule,
            warning.since,
            record.extended_seconds,
            record.kept_until,
        )
            .hash(&mut hasher);
        let nonce = format!("stop-{}-{:08x}", record.id, hasher.finish() as u32);
        let reply = replies::will_be_stopped(record, warning, extend_by);
        self.tell_owner(record, nonce, &reply).await
    }

    async fn alert_unreachable(
        &self,
        silent: &[(Arc<Record>, DateTime<Utc>)],
    ) -> Result<(), Error> {
        let newest = silent.iter().map(|(_, since)| since.timestamp()).max();
        let nonce = format!("silent-{}-{}", silent.len(), newest.unwrap_or_default());
        let reply = replies::unreachable(silent);
        let channel = self.settings.discord.admin_channel;
        self.post_in(channel, &nonce, &reply).await.map(|_| ())
    }

    async fn alert_reaping_paused(&self, held_back: &ReapPause) -> Result<(), Error> {
        let channel = self.settings.discord.admin_channel;
        let channel = channel.or(self.settings.report.channel);
        let nonce = format!("held-back-{}", Utc::now().timestamp() / 3600);
        let reply = replies::held_back(held_back);
        self.post_in(channel, &nonce, &reply).await.map(|_| ())
    }

    async fn post_report(&self, report: &Report) -> Result<bool, Error> {
        let nonce = format!("report-{}", report.since.timestamp());
        let reply = replies::report(report, self.settings.reaper.dry_run);
        let channel = self.settings.report.channel;
        self.post_in(channel, &nonce, &reply).await
    }

    async fn report_restart(
        &self,
        record: &Record,
        why: &Incident,
        times: u32,
    ) -> Result<(), Error> {
        let reply = replies::came_back(
            record,
            why,
            self.settings.larger_size(&record.size, why.failure),
        );
        // One that was moved counts its restarts anew.
        let nonce = match record.rescheduled {
            None => format!("again-{}-{times}", record.id),
            Some(_) => format!("moved-again-{}-{times}", record.id),
        };
        let posted = self.post(record, nonce, &reply, Some(record.owner));
        posted.await.map(|_| ())
    }

    async fn report_rescheduling(&self, record: &Record, why: &Incident) -> Result<(), Error> {
        // The owner is called when it is ready, or when it won't be.
        match record.announcement {
            Some(message) => {
                self.edit(record, message, &replies::rescheduled(record, why))
                    .await
            }
            None => Ok(()),
        }
    }

    fn has_admin_channel(&self) -> bool {
        self.settings.discord.admin_channel.is_some()
    }

    async fn show_log_tail(&self, record: &Record, log: &str) -> Result<(), Error> {
        let Some(channel) = self.settings.discord.admin_channel else {
            return Ok(());
        };
        let nonce = format!("log-{}", record.id);
        let message = message(&replies::last_words(record, log), Some(&nonce))
            .allowed_mentions(mention_only(None));
        let posted = message.execute(&*self.http, (ChannelId::new(channel), None));
        let posted = posted.await;
        count("log", &posted);
        match posted {
            Ok(_) => Ok(()),
            Err(error) => Err(discord_error("posting a log for admins", &error)),
        }
    }

    async fn announce_end(&self, record: &Record, ending: &Ending) -> Result<(), Error> {
        let reply = replies::ended(
            record,
            ending,
            self.settings
                .larger_size(&record.size, ending.cause.failure()),
        );
        // Whoever stopped it themselves knows, and need not be called.
        let is_expected = matches!(
            ending.cause,
            Cause::Stopped { by } | Cause::Restarted { by, .. } if by == record.owner
        );
        if let Some(message) = record.announcement {
            self.edit(record, message, &reply).await?;
            // An edit notifies nobody.
            if is_expected {
                return Ok(());
            }
        }
        let nonce = format!("ended-{}", record.id);
        let called = (!is_expected).then_some(record.owner);
        self.post(record, nonce, &reply, called).await.map(|_| ())
    }

    async fn is_member(&self, person: OwnerId) -> Result<bool, Error> {
        let guild = GuildId::new(self.settings.discord.guild);
        match self.http.get_member(guild, UserId::new(person.get())).await {
            Ok(_) => Ok(true),
            // A guild that the bot itself has left says nothing about anybody.
            Err(error) if code(&error).is_some_and(|code| NOT_IN_GUILD.contains(&code)) => {
                Ok(false)
            }
            Err(error) => Err(discord_error("asking who is in the guild", &error)),
        }
    }
}

/// Discord's codes for somebody who is not in the guild, or nowhere at all.
const NOT_IN_GUILD: [isize; 2] = [10007, 10013];

/// Counts what became of a request.
pub fn count<T>(what: &'static str, answer: &serenity::Result<T>) {
    let outcome = match answer {
        Ok(_) => "done",
        Err(error) if is_final(error) => "refused",
        Err(_) => "failed",
    };
    metrics::count_discord_request(what, outcome);
}

fn mention_only(called: Option<OwnerId>) -> CreateAllowedMentions {
    CreateAllowedMentions::new().users(called.map(|owner| UserId::new(owner.get())))
}

/// Discord's code for the token of an interaction whose 15 minutes are over.
const INVALID_WEBHOOK_TOKEN: isize = 50027;

/// Refused for good: the channel, the message or the permission is gone, the
/// thread is archived, a reply is too old. Waiting mends only the bot's token (401), a slow or
/// busy moment.
pub fn is_final(error: &serenity::Error) -> bool {
    let client_error = |status: &u16| (400..500).contains(status);
    code(error) == Some(INVALID_WEBHOOK_TOKEN)
        || status(error)
            .filter(client_error)
            .is_some_and(|status| ![401, 408, 429].contains(&status))
}

/// What serenity says of a failure holds the request's URL, which is not passed on.
pub fn discord_error(action: &str, error: &serenity::Error) -> Error {
    Error::Discord {
        action: action.to_owned(),
        why: match status(error) {
            Some(status) => format!("Discord answered {status} (code {:?})", code(error)),
            None => "Discord did not answer".to_owned(),
        },
    }
}
