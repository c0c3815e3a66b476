//! `/duck extend`, and the Extend button of a warning.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::{
    options::{Options, SESSION},
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::{
    discord::{
        call::{Answer, Answered, Call, CallOutcome, Command},
        replies,
    },
    service::{LookupRejection, Rejection, ServiceError},
    settings::any_duration,
};

const SPEC: CommandSpec = CommandSpec {
    name: "extend",
    summary: "Keep a session running longer",
    details: "Sessions are stopped when they are idle for a long time, or when they are too old. \
        The bot warns you in a direct message, which has a button that does the same as this \
        command. This server's admins decide by how much you can extend a session, and how old it \
        can get.",
    options: &[DURATION, SESSION],
};

const DURATION: OptionSpec = OptionSpec {
    name: "duration",
    summary: "Extra time, such as 2h or 1h 30m",
    kind: OptionKind::Suggested(Suggestions::Texts(&["1h", "2h", "4h", "8h", "1d"])),
};

pub(super) struct Extend;

#[async_trait]
impl Command for Extend {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let by = options.text(DURATION.name);
        let by = match by.map(|text| (text, any_duration(text.trim()))) {
            Some((text, None)) => {
                let reply = replies::invalid_duration(text);
                return Ok(Answer::Reply(reply, CallOutcome::Refused));
            }
            Some((_, by)) => by,
            None => None,
        };
        extend(call, options.text(SESSION.name), by).await
    }
}

pub(crate) async fn extend(
    call: &Call<'_>,
    session: Option<&str>,
    by: Option<TimeDelta>,
) -> Answered {
    let extended = call.bot.service.extend(&call.who, session, by).await;
    match extended {
        Err(ServiceError::Rejected(Rejection::Lookup(LookupRejection::Ambiguous {
            sessions,
            action,
        }))) => {
            let reply = replies::which_session(&sessions, action, by);
            Ok(Answer::Reply(reply, CallOutcome::Refused))
        }
        extended => Ok(replies::extended(&extended?).into()),
    }
}
