//! `/duck pause` and `/duck resume`: no sessions start during maintenance.

use async_trait::async_trait;
use tracing::warn;

use super::{
    options::Options,
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::{
    discord::{
        call::{Answer, Answered, Call, CallOutcome, Command},
        replies::{self, Reply},
        until,
    },
    service::displayable_name,
    session::{OwnerId, StartPause},
};

/// Maximum number of characters in a reason.
pub(crate) const MAX_REASON_CHARS: usize = 200;

const PAUSE: CommandSpec = CommandSpec {
    name: "pause",
    summary: "For admins: let nobody start sessions for a while",
    details: "Sessions that run go on, can be extended, and start again if they lose their node. Queries go \
        on where a DuckDB is ready for them. Everybody who tries to start a session reads until when, and \
        your reason. The bot's status in Discord shows it too. The pause ends by itself, or with `/duck \
        resume`. A second pause replaces the first one, and its admin is told.",
    options: &[UNTIL, REASON],
};

const RESUME: CommandSpec = CommandSpec {
    name: "resume",
    summary: "For admins: end the pause",
    details: "",
    options: &[],
};

const UNTIL: OptionSpec = OptionSpec {
    name: "until",
    summary: "End, such as 18:00, 2h, tomorrow 8:00 or 2026-11-28 18:00",
    kind: OptionKind::Required(Suggestions::Texts(&[
        "30m",
        "1h",
        "2h",
        "4h",
        "18:00",
        "tomorrow 8:00",
    ])),
};

const REASON: OptionSpec = OptionSpec {
    name: "reason",
    summary: "Sentence for people who want to start a session",
    kind: OptionKind::Text,
};

pub(super) struct Pause;

#[async_trait]
impl Command for Pause {
    fn spec(&self) -> &'static CommandSpec {
        &PAUSE
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.who.is_admin
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let service = &call.bot.service;
        let given = options.text(UNTIL.name).unwrap_or_default();
        let zone = service.time_zone();
        let until = match until::parse(given, service.now(), zone) {
            Ok(until) => until,
            Err(why) => {
                let reply = replies::invalid_time(given, why, zone);
                return Ok(Answer::Reply(reply, CallOutcome::Refused));
            }
        };
        let reason = options.text(REASON.name).map(displayable_name);
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        if reason
            .as_ref()
            .is_some_and(|it| it.chars().count() > MAX_REASON_CHARS)
        {
            let reply = replies::reason_too_long(MAX_REASON_CHARS);
            return Ok(Answer::Reply(reply, CallOutcome::Refused));
        }
        let (pause, replaced) = service.pause_starts(&call.who, until, reason).await?;
        let is_told = match &replaced {
            Some(replaced) => {
                let notice = replies::pause_replaced(call.who.id, Some(&pause));
                tell(call, replaced.by, &notice).await
            }
            None => true,
        };
        Ok(replies::paused(&pause, replaced.as_ref(), is_told).into())
    }
}

pub(super) struct Resume;

#[async_trait]
impl Command for Resume {
    fn spec(&self) -> &'static CommandSpec {
        &RESUME
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.who.is_admin
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        let ended: Option<StartPause> = call.bot.service.resume_starts(&call.who).await?;
        if let Some(ended) = &ended {
            let notice = replies::pause_replaced(call.who.id, None);
            tell(call, ended.by, &notice).await;
        }
        Ok(replies::resumed(ended.as_ref()).into())
    }
}

/// Tells the admin of an earlier pause what has become of it. Returns false if they accept no direct
/// messages.
async fn tell(call: &Call<'_>, admin: OwnerId, notice: &Reply) -> bool {
    if admin == call.who.id {
        return true;
    }
    match call.bot.direct.send(admin, notice, None).await {
        Ok(sent) => sent.is_some(),
        Err(error) => {
            warn!(%error, "could not tell an admin that their pause was changed");
            false
        }
    }
}
