//! `/duck connect`, and the button that revokes its keys.

use async_trait::async_trait;

use super::{
    options::{OWN_SESSION, Options},
    spec::CommandSpec,
};
use crate::discord::{
    call::{Answer, Answered, Call, CallOutcome, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "connect",
    summary: "Use your session from your own DuckDB",
    details: "Shows statements for your own DuckDB, with a key that only you see. Your session runs the queries, \
        near the data, and your S3 credentials stay there. The key is valid until the session ends. **Revoke** makes \
        all keys of the session invalid, and disconnects its clients. If you have only one session, you can \
        leave out its ID. This is experimental, and works if this server's admins have turned it on.",
    options: &[OWN_SESSION],
};

pub(super) struct Connect;

#[async_trait]
impl Command for Connect {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.lets_clients_in()
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        connect(call, options.text(OWN_SESSION.name)).await
    }
}

/// Makes a key for clients of a session, and shows how to use it.
pub(crate) async fn connect(call: &Call<'_>, session: Option<&str>) -> Answered {
    let access = match call.bot.service.connect(&call.who, session).await? {
        Ok(access) => access,
        Err(why) => {
            let reply = replies::not_connected(&why);
            return Ok(Answer::Reply(reply, CallOutcome::Refused));
        }
    };
    let reply = replies::connection(&access);
    while !call
        .responder
        .try_to_show_key(&reply, replies::KEY, &access.key)
        .await
    {
        call.responder.wait_before_retry().await;
    }
    Ok(Answer::Shown)
}

/// Revokes the keys of a session's clients.
pub(crate) async fn revoke(call: &Call<'_>, session: &str) -> Answered {
    let (record, keys) = call.bot.service.revoke_clients(&call.who, session).await?;
    Ok(replies::revoked(&record, keys).into())
}
