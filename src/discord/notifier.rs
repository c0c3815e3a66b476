//! The [`Notifier`] for Discord: public messages, and notices to owners and admins.
//!
//! A session has one public message, which is posted when the session is ready and edited when it
//! ends.

mod scheduled;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serenity::{
    all::{ChannelId, CreateAllowedMentions, CreateMessage, EditMessage, GuildId, UserId},
    builder::Builder,
};
use tracing::warn;

use super::{
    client::Client,
    direct::DirectMessages,
    drawing::DrawingQueue,
    errors::{code, count, discord_error, is_final},
    followed::FollowedStarts,
    message::{message, rows, truncate},
    replies,
};
use crate::{
    error::Error,
    runtime::Rows,
    schedule::{ClaimedRun, PauseReason},
    service::{Notifier, RunProblem, ScheduleAccess},
    session::{
        self, Cause, Ending, Incident, MessageId, OwnerId, ReapPause, Record, Renewal, Report,
        Warning, WorkReport, fingerprint,
    },
    settings::Settings,
};

/// Time after which people may no longer look at the reply to their command.
const ATTENTION: TimeDelta = TimeDelta::minutes(1);

/// Discord's answer to a message.
enum Posted {
    Message(MessageId),
    /// Discord refused for good, with this error code.
    Refused(Option<isize>),
}

/// Posts in channels, and sends direct messages.
pub struct DiscordNotifier {
    client: Arc<Client>,
    direct: Arc<DirectMessages>,
    followed: FollowedStarts,
    drawings: Arc<DrawingQueue>,
    settings: Arc<Settings>,
}

impl DiscordNotifier {
    pub fn new(
        client: Arc<Client>,
        direct: Arc<DirectMessages>,
        followed: FollowedStarts,
        drawings: Arc<DrawingQueue>,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            client,
            direct,
            followed,
            drawings,
            settings,
        }
    }

    /// Posts in the session's channel, only once even if repeated after a crash. Returns `None` if
    /// the session has no channel, or if Discord refuses for good.
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
            Posted::Message(id) => Ok(Some(id)),
            Posted::Refused(code) => {
                warn!(
                    session = %record.id, %channel, code,
                    "session {}: Discord does not let me post in its channel", record.id,
                );
                Ok(None)
            }
        }
    }

    /// Posts a message. A permanent refusal is not an [`Error`].
    async fn send(&self, channel: u64, message: CreateMessage) -> Result<Posted, Error> {
        let posted = message.execute(self.client.http(), (ChannelId::new(channel), None));
        let posted = posted.await;
        count("message", &posted);
        match posted {
            Ok(message) => Ok(Posted::Message(message.id.get().into())),
            Err(error) if is_final(&error) => Ok(Posted::Refused(code(&error))),
            Err(error) => Err(discord_error("posting a message", &error)),
        }
    }

    /// Sends the owner a direct message, or mentions them in the session's channel if they accept
    /// none. Returns true if one of the two worked.
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

    /// Posts in a channel of the settings, without a mention. Returns false if none is set, or if
    /// Discord refuses for good.
    async fn post_in(
        &self,
        channel: Option<u64>,
        nonce: &str,
        reply: &replies::Reply,
    ) -> Result<bool, Error> {
        let Some(channel) = channel else {
            return Ok(false);
        };
        let build = |reply| message(reply, Some(nonce)).allowed_mentions(mention_only(None));
        let mut posted = self.send(channel, build(reply)).await?;
        if !reply.files.is_empty() && matches!(posted, Posted::Refused(_)) {
            // The bot may lack the permission to attach files only.
            let text = replies::Reply {
                files: Vec::new(),
                ..reply.clone()
            };
            posted = self.send(channel, build(&text)).await?;
            if matches!(posted, Posted::Message(_)) {
                warn!(
                    channel,
                    "Discord does not let me attach a picture in channel {channel}; grant the \
                     permission Attach Files to the bot's role there"
                );
            }
        }
        match posted {
            Posted::Message(_) => Ok(true),
            Posted::Refused(code) => {
                warn!(
                    channel,
                    code,
                    "Discord does not let me post in channel {channel}; check the channel in the \
                     settings, and the bot's permissions there"
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
        let target = (ChannelId::new(channel.get()), message.get().into(), None);
        let edited = edit.execute(self.client.http(), target).await;
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
    async fn announce_ready(
        &self,
        record: &Record,
        url: &str,
        work: Option<&WorkReport>,
    ) -> Result<Option<MessageId>, Error> {
        let nonce = match &record.rescheduled {
            None => format!("ready-{}", record.id),
            Some(it) => format!("ready-{}-{:x}", record.id, it.at.timestamp()),
        };
        let reply = replies::announcement(record, url, work);
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

    async fn report_renewal(&self, record: &Record, renewal: &Renewal) -> Result<(), Error> {
        let Some(reply) = replies::not_renewed(record, renewal) else {
            return Ok(());
        };
        let outcome = fingerprint(&format!("{renewal:?}"));
        let nonce = format!("renewal-{}-{}", record.id, &outcome[..8]);
        self.tell_owner(record, nonce, &reply).await.map(|_| ())
    }

    async fn warn_of_stop(&self, record: &Record, warning: &Warning) -> Result<bool, Error> {
        let extend_by = self.settings.reaper.extend_by;
        // Every bot and every attempt uses the same nonce, until the session is extended. The stop
        // time is not part of it, because a late warning delays the stop.
        let extended = (record.extended_seconds, record.kept_until);
        let cause = format!("{:?} {} {extended:?}", warning.rule, warning.since);
        let nonce = format!("stop-{}-{}", record.id, &fingerprint(&cause)[..8]);
        let reply = replies::stop_warning(record, warning, extend_by);
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
        let dry_run = self.settings.reaper.dry_run;
        let reply = self.drawings.report(report, dry_run).await;
        let channel = self.settings.report.channel;
        self.post_in(channel, &nonce, &reply).await
    }

    async fn report_restart(
        &self,
        record: &Record,
        why: &Incident,
        times: u32,
    ) -> Result<(), Error> {
        let reply = replies::restart_notice(
            record,
            why,
            self.settings.larger_size(&record.size, why.failure),
        );
        // A rescheduled session counts its restarts from zero.
        let nonce = match &record.rescheduled {
            None => format!("again-{}-{times}", record.id),
            Some(it) => format!("again-{}-{:x}-{times}", record.id, it.at.timestamp()),
        };
        let posted = self.post(record, nonce, &reply, Some(record.owner));
        posted.await.map(|_| ())
    }

    async fn report_rescheduling(&self, record: &Record, why: &Incident) -> Result<(), Error> {
        // The owner is mentioned later: when the session is ready, or when it has failed.
        match record.announcement {
            Some(message) => {
                self.edit(record, message, &replies::rescheduled(record, why))
                    .await
            }
            None => Ok(()),
        }
    }

    async fn show_log_tail(&self, record: &Record, why: &str, log: &str) -> Result<(), Error> {
        let Some(channel) = self.settings.discord.admin_channel else {
            return Ok(());
        };
        let nonce = format!("log-{}", record.id);
        let message = message(&replies::crash_log(record, why, log), Some(&nonce))
            .allowed_mentions(mention_only(None));
        let posted = message.execute(self.client.http(), (ChannelId::new(channel), None));
        let posted = posted.await;
        count("log", &posted);
        match posted {
            Ok(_) => Ok(()),
            Err(error) => Err(discord_error("posting a log for admins", &error)),
        }
    }

    async fn announce_end(&self, record: &Record, ending: &Ending) -> Result<(), Error> {
        let mut reply = replies::ended(
            record,
            ending,
            self.settings
                .larger_size(&record.size, ending.cause.failure()),
        );
        // An owner who ended the session themselves knows, and is not mentioned.
        let is_expected = matches!(
            ending.cause,
            Cause::Stopped { by } | Cause::Restarted { by, .. } if by == record.owner
        );
        if let Some(message) = record.announcement
            && is_expected
        {
            return self.edit(record, message, &reply).await;
        }
        // The owner reads in the reply to their command why a start failed.
        if !record.was_ready() && self.followed.leave_end(record) {
            if is_expected || ending.at - record.created < ATTENTION {
                return Ok(());
            }
            reply = replies::start_failed_notice(record);
        }
        let nonce = format!("ended-{}", record.id);
        let called = (!is_expected).then_some(record.owner);
        // An edit notifies nobody, so the cause is in a new message.
        let posted = self.post(record, nonce, &reply, called).await?;
        let Some(message) = record.announcement else {
            return Ok(());
        };
        if posted.is_some() {
            reply = replies::ended_briefly(record);
        }
        self.edit(record, message, &reply).await
    }

    async fn schedule_access(
        &self,
        owner: OwnerId,
        channel: session::ChannelId,
        has_file: bool,
    ) -> Result<ScheduleAccess, Error> {
        self.check_schedule(owner, channel, has_file).await
    }

    async fn post_scheduled(
        &self,
        run: &ClaimedRun,
        sql: &str,
        rows: Rows,
    ) -> Result<Option<MessageId>, Error> {
        self.post_result(run, sql, rows).await
    }

    async fn report_failed_run(
        &self,
        run: &ClaimedRun,
        sql: Option<&str>,
        why: &RunProblem,
        is_last: bool,
    ) -> Result<(), Error> {
        self.tell_of_failed_run(run, sql, why, is_last).await
    }

    async fn report_unknown_run(&self, run: &ClaimedRun) -> Result<(), Error> {
        self.tell_of_unknown_run(run).await
    }

    async fn report_paused_schedule(
        &self,
        run: &ClaimedRun,
        why: &PauseReason,
    ) -> Result<(), Error> {
        self.tell_of_pause(run, why).await
    }

    async fn is_member(&self, person: OwnerId) -> Result<bool, Error> {
        let guild = GuildId::new(self.settings.discord.guild);
        let http = self.client.http();
        match http.get_member(guild, UserId::new(person.get())).await {
            Ok(_) => Ok(true),
            // Other codes say nothing about the person, such as that the bot itself left the guild.
            Err(error) if is_not_in_guild(&error) => Ok(false),
            Err(error) => Err(discord_error("checking a guild membership", &error)),
        }
    }
}

fn is_not_in_guild(error: &serenity::Error) -> bool {
    code(error).is_some_and(|code| NOT_IN_GUILD.contains(&code))
}

/// Discord's error codes for an unknown member and an unknown user.
const NOT_IN_GUILD: [isize; 2] = [10007, 10013];

fn mention_only(called: Option<OwnerId>) -> CreateAllowedMentions {
    CreateAllowedMentions::new().users(called.map(|owner| UserId::new(owner.get())))
}
