//! `/duck doctor`, and its button to check again.

use std::time::Duration;

use async_trait::async_trait;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    options::{Options, SESSION},
    spec::CommandSpec,
};
use crate::discord::{
    call::{Answered, Call, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "doctor",
    summary: "Find out why a session or a start does not work, and what to do",
    details: "Checks your session: its DuckDB, the door that checks who opens it, its address, your \
        credentials, the storage, the catalog, its tables and its saved work. Without a session, it checks what a start needs. Each \
        check has a mark, and the answer begins with the next step. Admins can check any session, \
        and see more details. Only you see the answer.",
    options: &[SESSION],
};

/// Time after which the reply shows what is known so far. Most examinations take less.
const FIRST_EDIT: Duration = Duration::from_millis(600);
/// Time between two edits of the reply.
const EDIT_INTERVAL: Duration = Duration::from_millis(1500);

pub(super) struct Doctor;

#[async_trait]
impl Command for Doctor {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        examine(call, options.text(SESSION.name)).await
    }
}

/// Examines a session or the next start. Shows what is known so far while it waits for the rest.
pub(crate) async fn examine(call: &Call<'_>, session: Option<&str>) -> Answered {
    let service = &call.bot.service;
    let begun = service.begin_examination(&call.who, session)?;
    let (facts, known) = watch::channel(begun);
    let is_admin = call.who.is_admin;
    let reply = || replies::examination(&known.borrow(), is_admin);
    let done = CancellationToken::new();
    let examined = async {
        service.examine(&facts).await;
        done.cancel();
    };
    // An edit that has begun is waited for: it must not arrive after the last one.
    let progress = async {
        let mut shown = None;
        let mut next_edit = Instant::now() + FIRST_EDIT;
        while timeout_at(next_edit, done.cancelled()).await.is_err() {
            next_edit = Instant::now() + EDIT_INTERVAL;
            let reply = reply();
            if shown.as_ref() != Some(&reply) && call.responder.try_to_edit(&reply).await {
                shown = Some(reply);
            }
        }
    };
    tokio::join!(Box::pin(examined), progress);
    Ok(reply().into())
}
