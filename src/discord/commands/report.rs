//! `/duck report`.

use async_trait::async_trait;

use super::{options::Options, spec::CommandSpec};
use crate::discord::call::{Answered, Call, Command};

const SPEC: CommandSpec = CommandSpec {
    name: "report",
    summary: "For admins: show recent sessions, why they ended, and which stop next",
    details: "Covers the time since the last report in the admin channel. A picture shows the use over time by \
        size, the use by person, and the time that the reaper saved. Only you see the answer.",
    options: &[],
};

pub(super) struct Report;

#[async_trait]
impl Command for Report {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.who.is_admin
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        let (service, drawings) = (&call.bot.service, &call.bot.drawings);
        let report = service.report_to(&call.who).await?;
        Ok(drawings.report(&report, service.is_dry_run()).await.into())
    }
}
