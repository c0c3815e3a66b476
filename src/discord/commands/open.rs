//! `/duck open`, and the Open button of a session's message.

use async_trait::async_trait;

use super::{
    options::{OWN_SESSION, Options},
    spec::CommandSpec,
};
use crate::discord::{
    call::{Answer, Answered, Call, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "open",
    summary: "Get a link that opens your session",
    details: "Only you see the link. It is valid for {link_lifetime} and works in one browser, \
        which then stays signed in until the session ends. The **Open** button under a session's \
        message does the same. A second link opens the console, where DuckDB's own UI may open \
        instead. If you have only one session, you can leave out its ID. Nobody \
        else can open your session, not even an admin.",
    options: &[OWN_SESSION],
};

pub(super) struct Open;

#[async_trait]
impl Command for Open {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        open(call, options.text(OWN_SESSION.name)).await
    }
}

pub(crate) async fn open(call: &Call<'_>, session: Option<&str>) -> Answered {
    // A link is valid for a short time, so each attempt creates a new one.
    loop {
        let opened = call.bot.service.open(&call.who, session).await?;
        let reply = replies::opening(&opened.record);
        let console = opened.console.map(|link| (replies::CONSOLE_LABEL, link));
        let links = [Some((replies::LINK_LABEL, opened.link)), console];
        if call.responder.try_to_show_links(&reply, links).await {
            return Ok(Answer::Shown);
        }
        call.responder.wait_before_retry().await;
    }
}
