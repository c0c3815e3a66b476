//! The notifier's part for schedules: access to channels, posts of results, and notices to owners.

use chrono::{TimeDelta, Utc};
use serenity::all::{Channel, GuildChannel, GuildId, Member, UserId};
use tracing::{info, warn};

use super::{ChannelId, DiscordNotifier, Posted, is_not_in_guild, mention_only};
use crate::{
    discord::{
        access::{Caller, POSTING_CHANNELS, admit, is_thread, missing_to_post, permissions_in},
        charts::{self, WantedChart},
        errors::{code, discord_error},
        file_format::FileFormat,
        message::message,
        replies::{self, QueryContext, Reply},
    },
    error::Error,
    runtime::{QueryResponse, Rows},
    schedule::{ClaimedRun, PauseReason, PostFormat},
    service::{RunProblem, ScheduleAccess},
    session::{self, MessageId, OwnerId},
};

/// Time after which a post says when it was due.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// Discord's error code for an unknown channel.
const UNKNOWN_CHANNEL: isize = 10003;
/// Discord's error code for a channel that the bot can't see.
const MISSING_ACCESS: isize = 50001;

/// Result of looking up a channel.
enum FoundChannel {
    Channel(Box<GuildChannel>),
    /// Not a channel of the guild.
    Unknown,
    /// The bot can't see it.
    Hidden,
}

impl DiscordNotifier {
    pub(super) async fn check_schedule(
        &self,
        owner: OwnerId,
        channel: session::ChannelId,
        has_file: bool,
    ) -> Result<ScheduleAccess, Error> {
        let http = self.client.http();
        let failed = |error| discord_error("checking the access to a channel", &error);
        let member = match http
            .get_member(self.guild(), UserId::new(owner.get()))
            .await
        {
            Ok(member) => member,
            Err(error) if is_not_in_guild(&error) => return Ok(ScheduleAccess::NotAMember),
            Err(error) => return Err(failed(error)),
        };
        let mut place = match self.find_channel(ChannelId::new(channel.get())).await? {
            FoundChannel::Channel(place) if POSTING_CHANNELS.contains(&place.kind) => place,
            FoundChannel::Channel(_) | FoundChannel::Unknown => {
                return Ok(ScheduleAccess::NoChannel);
            }
            FoundChannel::Hidden => return Ok(hidden()),
        };
        let Ok(admitted) = admit(&self.settings.discord, &caller(&member, &place)) else {
            return Ok(ScheduleAccess::NoAccess);
        };
        let is_thread = is_thread(place.kind);
        if is_thread && let Some(parent) = place.parent_id {
            // A thread has no overwrites of its own.
            place = match self.find_channel(parent).await? {
                FoundChannel::Channel(parent) => parent,
                FoundChannel::Unknown => return Ok(ScheduleAccess::NoChannel),
                FoundChannel::Hidden => return Ok(hidden()),
            };
        }
        let guild = http.get_guild(self.guild()).await.map_err(failed)?;
        let me = http.get_current_user().await.map_err(failed)?.id;
        let me = http.get_member(self.guild(), me).await.map_err(failed)?;
        let missing = |member: &Member| {
            let held = permissions_in(&guild, &place, member, Utc::now());
            let missing = missing_to_post(held, is_thread, has_file);
            let names = missing.get_permission_names().join(", ");
            Some(names).filter(|names| !names.is_empty())
        };
        Ok(match (missing(&me), missing(&member)) {
            (Some(names), _) => ScheduleAccess::BotMayNotPost(names),
            (None, Some(names)) => ScheduleAccess::OwnerMayNotPost(names),
            (None, None) => ScheduleAccess::Allowed {
                display_name: admitted.display_name,
            },
        })
    }

    fn guild(&self) -> GuildId {
        GuildId::new(self.settings.discord.guild)
    }

    async fn find_channel(&self, id: ChannelId) -> Result<FoundChannel, Error> {
        match self.client.http().get_channel(id).await {
            Ok(Channel::Guild(channel)) if channel.guild_id == self.guild() => {
                Ok(FoundChannel::Channel(Box::new(channel)))
            }
            Ok(_) => Ok(FoundChannel::Unknown),
            Err(error) => match code(&error) {
                Some(UNKNOWN_CHANNEL) => Ok(FoundChannel::Unknown),
                Some(MISSING_ACCESS) => Ok(FoundChannel::Hidden),
                _ => Err(discord_error("looking up a channel", &error)),
            },
        }
    }

    pub(super) async fn post_result(
        &self,
        run: &ClaimedRun,
        sql: &str,
        rows: Rows,
    ) -> Result<Option<MessageId>, Error> {
        let schedule = &run.schedule;
        let (rows, chart) = match schedule.format {
            PostFormat::Chart => {
                let draw = |rows: &Rows| charts::draw(rows, &WantedChart::Best);
                let (rows, chart) = self.drawings.chart(rows, draw).await;
                (rows, Some(chart))
            }
            PostFormat::Table | PostFormat::File => (rows, None),
        };
        let is_late = Utc::now() - run.run.due > LATE;
        let answer = QueryResponse::Rows(rows);
        let mut question = QueryContext {
            sql,
            catalog: &schedule.catalog,
            file: (schedule.format == PostFormat::File).then_some(FileFormat::Csv),
            chart: chart.as_ref(),
            ..QueryContext::default()
        };
        let mut reply = replies::scheduled_result(run, is_late, &question, &answer);
        if schedule.format == PostFormat::Table && !reply.files.is_empty() {
            // A long result has a file only where its owner could attach one. If that can't be found out, the
            // result is posted nevertheless: it is under way, so a failure would leave its outcome unknown.
            let access = self.check_schedule(schedule.owner, schedule.channel, true);
            if !matches!(access.await, Ok(ScheduleAccess::Allowed { .. })) {
                question.no_file = true;
                reply = replies::scheduled_result(run, is_late, &question, &answer);
            }
        }
        let nonce = nonce("run", run);
        let message = message(&reply, Some(&nonce)).allowed_mentions(mention_only(None));
        match self.send(schedule.channel.get(), message).await? {
            Posted::Message(id) => Ok(Some(id)),
            Posted::Refused(code) => {
                let (id, channel) = (&run.id, schedule.channel);
                warn!(schedule = %id, %channel, code, "schedule {id}: Discord does not let me post in its channel");
                Ok(None)
            }
        }
    }

    pub(super) async fn tell_of_failed_run(
        &self,
        run: &ClaimedRun,
        sql: Option<&str>,
        why: &RunProblem,
        is_last: bool,
    ) -> Result<(), Error> {
        let reply = replies::run_failed(run, sql, why, is_last);
        self.tell_owner_of_run(run, &reply, "fail").await
    }

    pub(super) async fn tell_of_unknown_run(&self, run: &ClaimedRun) -> Result<(), Error> {
        let reply = replies::run_unknown(run);
        self.tell_owner_of_run(run, &reply, "lost").await
    }

    /// Sends a direct message to the owner only: the channel must not see the query's errors.
    async fn tell_owner_of_run(
        &self,
        run: &ClaimedRun,
        reply: &Reply,
        kind: &str,
    ) -> Result<(), Error> {
        let nonce = nonce(kind, run);
        let sent = self.direct.send(run.schedule.owner, reply, Some(&nonce));
        if sent.await?.is_none() {
            let id = &run.id;
            info!(schedule = %id, "schedule {id}: its owner accepts no direct messages, so they were not told how a run ended");
        }
        Ok(())
    }

    pub(super) async fn tell_of_pause(
        &self,
        run: &ClaimedRun,
        why: &PauseReason,
    ) -> Result<(), Error> {
        let schedule = &run.schedule;
        let (reply, nonce) = (
            replies::schedule_paused_notice(run, why),
            nonce("pause", run),
        );
        let sent = self.direct.send(schedule.owner, &reply, Some(&nonce));
        if sent.await?.is_some() {
            return Ok(());
        }
        let message = message(&reply, Some(&nonce));
        let message = message.allowed_mentions(mention_only(Some(schedule.owner)));
        if let Posted::Refused(code) = self.send(schedule.channel.get(), message).await? {
            let id = &run.id;
            info!(schedule = %id, code, "schedule {id}: neither its owner nor its channel could be told of the pause");
        }
        Ok(())
    }
}

fn hidden() -> ScheduleAccess {
    ScheduleAccess::BotMayNotPost("View Channel".into())
}

fn caller(member: &Member, place: &GuildChannel) -> Caller {
    let parent = place.parent_id.map(|id| id.get());
    Caller {
        id: member.user.id.get(),
        display_name: member.display_name().to_owned(),
        roles: member.roles.iter().map(|role| role.get()).collect(),
        channels: [place.id.get()].into_iter().chain(parent).collect(),
    }
}

/// Nonce of a message about a run, the same for each attempt. At most 25 characters. Two runs that a person
/// asks for can be due in the same second.
fn nonce(what: &str, run: &ClaimedRun) -> String {
    format!("{what}-{}-{:x}", run.id, run.run.due.timestamp_millis())
}
