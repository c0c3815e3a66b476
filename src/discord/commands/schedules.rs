//! `/duck schedules`, and the buttons that act on schedules.

use async_trait::async_trait;
use futures_util::future::try_join_all;

use super::{options::Options, spec::CommandSpec};
use crate::{
    discord::{
        access::Access,
        call::{Answer, Answered, Call, CallOutcome, Command, explain},
        replies::{self, PAGE_SCHEDULES, ScheduleView},
        schedule_buttons::ScheduleAction,
    },
    schedule::{Schedule, ScheduleId},
    service::{ScheduleList, ScheduleRejection, ServiceError},
};

const SPEC: CommandSpec = CommandSpec {
    name: "schedules",
    summary: "List your schedules, to run, pause or delete them",
    details: "Shows each schedule with its next run and the outcome of its last one. Choose one to see its \
        query, to run it now, to pause it, to change it, or to delete it. Admins see those of all people, without their \
        queries, and can pause all of them.",
    options: &[],
};

pub(super) struct Schedules;

#[async_trait]
impl Command for Schedules {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    /// Everybody may see and delete what is stored about them, with or without a role.
    fn access(&self) -> Access {
        Access::Owners
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.allows_schedules()
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        list(call, 0).await
    }
}

/// Lists the schedules that the person may see, after the first `after` ones.
pub(crate) async fn list(call: &Call<'_>, after: usize) -> Answered {
    let list = call.bot.service.schedules(&call.who).await?;
    show_list(call, &list, after).await
}

/// Pauses all schedules, or lets them run again.
pub(crate) async fn pause_all(call: &Call<'_>, is_paused: bool) -> Answered {
    let service = &call.bot.service;
    let list = service.pause_all_schedules(&call.who, is_paused).await?;
    show_list(call, &list, 0).await
}

async fn show_list(call: &Call<'_>, list: &ScheduleList, after: usize) -> Answered {
    let all = &list.schedules;
    // Some may have been deleted since the list was shown.
    let after = if after < all.len() { after } else { 0 };
    let page = || all.iter().skip(after).take(PAGE_SCHEDULES);
    let texts = page().map(|(id, schedule)| text(call, id, schedule));
    let texts = try_join_all(texts).await?;
    let views = page()
        .zip(&texts)
        .map(|((id, schedule), sql)| ScheduleView {
            id,
            schedule,
            sql: sql.as_deref(),
            is_owner: schedule.owner == call.who.id,
        });
    let views: Vec<_> = views.collect();
    let (place, paused) = ((after, all.len()), list.paused.as_ref());
    Ok(replies::schedule_list(&views, place, paused, call.who.is_admin).into())
}

/// Returns the text of a query to its owner. Nobody else sees it.
async fn text(
    call: &Call<'_>,
    id: &ScheduleId,
    schedule: &Schedule,
) -> Result<Option<String>, ServiceError> {
    if schedule.owner == call.who.id {
        call.bot.service.schedule_sql(&call.who, id).await
    } else {
        Ok(None)
    }
}

/// Acts on a schedule, and shows it.
pub(crate) async fn act(call: &Call<'_>, action: ScheduleAction, id: &ScheduleId) -> Answered {
    let (service, who) = (&call.bot.service, &call.who);
    let done = match action {
        ScheduleAction::Show | ScheduleAction::AskToDelete => find(call, id).await,
        ScheduleAction::Run => service.run_schedule_now(who, id).await,
        ScheduleAction::Pause => service.pause_schedule(who, id).await,
        ScheduleAction::Resume => service.resume_schedule(who, id).await,
        ScheduleAction::Delete => service.delete_schedule(who, id).await,
    };
    let (schedule, refused) = match done {
        Ok(schedule) if action == ScheduleAction::Delete => {
            return Ok(replies::schedule_deleted(&schedule).into());
        }
        Ok(schedule) => (schedule, None),
        // The person may still see it, and do something else with it.
        Err(problem @ ServiceError::Rejected(_)) => match find(call, id).await {
            Ok(schedule) => (schedule, Some(explain(&problem).0)),
            Err(_) => return Err(problem),
        },
        Err(problem) => return Err(problem),
    };
    let sql = text(call, id, &schedule).await?;
    let view = ScheduleView {
        id,
        schedule: &schedule,
        sql: sql.as_deref(),
        is_owner: schedule.owner == who.id,
    };
    Ok(match refused {
        Some(why) => {
            let mut reply = replies::schedule_card(&why.text, &view);
            reply.buttons.extend(why.buttons);
            Answer::Reply(reply, CallOutcome::Refused)
        }
        None if action == ScheduleAction::AskToDelete => replies::ask_to_delete(&view).into(),
        None => replies::schedule_card(&replies::schedule_done(action, &schedule), &view).into(),
    })
}

async fn find(call: &Call<'_>, id: &ScheduleId) -> Result<Schedule, ServiceError> {
    let list = call.bot.service.schedules(&call.who).await?;
    let mut all = list.schedules.into_iter();
    let found = all.find(|(found, _)| found == id);
    let found = found.map(|(_, schedule)| schedule);
    found.ok_or_else(|| ScheduleRejection::NoSuchSchedule(id.clone()).into())
}
