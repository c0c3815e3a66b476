//! `/duck reap`, and the buttons of its list.

use async_trait::async_trait;

use super::{options::Options, spec::CommandSpec};
use crate::{
    discord::{
        call::{Answered, Call, Command},
        replies,
    },
    service::ReapOutcome,
};

const SPEC: CommandSpec = CommandSpec {
    name: "reap",
    summary: "For admins: show sessions that are due to be stopped, and stop them",
    details: "First, the bot lists what it would stop or remove, and why. It stops and removes \
        nothing until you confirm. This also works while reaping is paused because too many \
        sessions are due at once.",
    options: &[],
};

pub(super) struct Reap;

#[async_trait]
impl Command for Reap {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.who.is_admin
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        let service = &call.bot.service;
        let plan = service.plan_for(&call.who).await?;
        Ok(replies::plan(&plan, service.is_dry_run()).into())
    }
}

/// Stops and removes everything that is due, if the list still has this digest.
pub(crate) async fn reap(call: &Call<'_>, digest: &str) -> Answered {
    let service = &call.bot.service;
    let dry_run = service.is_dry_run();
    let reply = match service.reap_all(&call.who, digest).await? {
        ReapOutcome::Done(reaped) => replies::done(&reaped),
        ReapOutcome::PlanChanged(plan) => replies::changed_plan(&plan, dry_run),
    };
    Ok(reply.into())
}

pub(crate) fn leave_all() -> Answered {
    Ok(replies::nothing_reaped().into())
}
