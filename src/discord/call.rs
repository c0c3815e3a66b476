//! A call of a command, button or form: the handler's input and result.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;
use tracing::warn;

use super::{
    access::Access,
    bot::{AccessDenied, Bot, InteractionContext},
    commands::{options::Options, spec::CommandSpec},
    forms::Form,
    replies::{self, Reply},
    responder::Responder,
};
use crate::{
    error::{Error, new_reference},
    service::{AskedQuery, ReplyRoom, Requester, ServiceError},
    session::{OwnerId, RequestId},
};

/// Time for handlers to finish after the bot was told to end.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// A command: `/duck <name>`.
#[async_trait]
pub(super) trait Command: Sync {
    fn spec(&self) -> &'static CommandSpec;

    /// People who may use the command.
    fn access(&self) -> Access {
        Access::Members
    }

    /// Form that opens instead of [`Command::run`]. Access is checked when it is submitted.
    fn form(
        &self,
        _bot: &Bot,
        _context: &InteractionContext,
        _options: Options<'_>,
    ) -> Option<Form> {
        None
    }

    /// Form that the person must fill in first. The command is not acknowledged yet, so the answer
    /// must be fast.
    async fn first_form(
        &self,
        _bot: &Bot,
        _context: &InteractionContext,
        _options: Options<'_>,
    ) -> Option<Form> {
        None
    }

    /// Keeps what [`Command::first_form`] can't hold, after it opened for this person.
    async fn form_opened(&self, _bot: &Bot, _who: OwnerId, _options: Options<'_>) {}

    /// Returns true if this person can use the command with these settings.
    fn is_for(&self, _call: &Call<'_>) -> bool {
        true
    }

    /// Carries out the command.
    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered;
}

/// A command, button or form that was acknowledged, of a person who has access.
pub(super) struct Call<'a> {
    pub bot: &'a Bot,
    pub responder: Responder,
    pub who: Requester,
    pub context: InteractionContext,
    /// Request ID. A repeated request has no second effect.
    pub request: RequestId,
}

/// Result of a handler. The dispatch explains the error.
pub(super) type Answered = Result<Answer, ServiceError>;

/// The end of a call.
pub(super) enum Answer {
    /// The final reply, which is still to be shown, and the outcome.
    Reply(Reply, CallOutcome),
    /// Same, for the result of a query. Holds the room for it until it is shown.
    QueryResult(Reply, CallOutcome, ReplyRoom),
    /// Same, for a query that its owner typed. It is added to their history.
    Query {
        reply: Reply,
        outcome: CallOutcome,
        room: Option<ReplyRoom>,
        query: AskedQuery,
    },
    /// The handler has shown the final reply, or nothing more is to be shown.
    Shown,
}

/// CallOutcome of a call, for its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallOutcome {
    Done,
    Refused,
    Failed,
}

impl CallOutcome {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply, CallOutcome::Done)
    }
}

impl Call<'_> {
    /// Runs the handler and shows the final reply. A handler that is not done soon after the bot was told
    /// to end is dropped, and the reply says so.
    pub(super) async fn run(&self, handler: impl Future<Output = Answered>) -> CallOutcome {
        let shutdown = async {
            self.bot.shutdown.cancelled().await;
            sleep(SHUTDOWN_GRACE).await;
        };
        let answered = tokio::select! {
            answered = handler => answered,
            () = shutdown => Ok(Answer::Reply(replies::bot_restarted(), CallOutcome::Failed)),
        };
        self.finish(answered).await
    }

    /// Shows the final reply.
    async fn finish(&self, answered: Answered) -> CallOutcome {
        let mut typed = None;
        let ((reply, outcome), room) = match answered {
            Ok(Answer::Reply(reply, outcome)) => ((reply, outcome), None),
            Ok(Answer::QueryResult(reply, outcome, room)) => ((reply, outcome), Some(room)),
            Ok(Answer::Query {
                reply,
                outcome,
                room,
                query,
            }) => {
                typed = Some(query);
                ((reply, outcome), room)
            }
            Ok(Answer::Shown) => return CallOutcome::Done,
            Err(problem) => (explain(&problem), None),
        };
        let remember = async {
            if let Some(query) = typed {
                self.bot.service.remember_query(self.who.id, query).await;
            }
        };
        let show = async {
            self.responder.edit(&reply).await;
            drop((reply, room));
        };
        // An answer does not wait for the history.
        tokio::join!(show, remember);
        outcome
    }
}

/// Reply for a failed use case. Logs an [`Error`].
pub(super) fn explain(problem: &ServiceError) -> (Reply, CallOutcome) {
    match problem {
        ServiceError::Rejected(rejection) => (replies::refused(rejection), CallOutcome::Refused),
        ServiceError::UnusableCredentials(troubles) => {
            let reply = replies::no_longer_usable(troubles, None);
            (reply, CallOutcome::Refused)
        }
        ServiceError::Failed(error) => {
            let reply = replies::failed(error, &log_error(error));
            (reply, CallOutcome::Failed)
        }
    }
}

/// Reply to a person without access. Logs an [`Error`].
pub(super) fn deny(denied: &AccessDenied) -> (Reply, CallOutcome) {
    match denied {
        AccessDenied::Reason(why) => (replies::access_denied(why), CallOutcome::Refused),
        AccessDenied::CheckFailed(error) => {
            let reply = replies::failed(error, &log_error(error));
            (reply, CallOutcome::Failed)
        }
    }
}

/// Logs an error, and returns its reference.
pub(super) fn log_error(error: &Error) -> String {
    let reference = new_reference();
    warn!(reference, %error, "a command failed [{reference}]");
    reference
}
