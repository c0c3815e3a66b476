//! `/duck status`, and its button for the session's log.

use crate::discord::interactions::{Handlers, Responder, explain, refuse};
use crate::{discord::replies, service::Requester, session::SessionId};

impl Handlers {
    pub(in crate::discord) async fn status(
        &self,
        responder: &Responder,
        who: &Requester,
        given: Option<&str>,
    ) {
        let reply = match self.service.status(who, given).await {
            Ok(status) => {
                let settings = self.service.settings();
                let size = settings.size(&status.watched.seen.record.size);
                replies::status(&status, size, settings.reaper.dry_run)
            }
            Err(rejection) => refuse(&rejection),
        };
        responder.edit(&reply).await;
    }

    pub(in crate::discord) async fn log(
        &self,
        responder: &Responder,
        who: &Requester,
        id: &SessionId,
    ) {
        let reply = match self.service.log(who, id).await {
            Ok((record, words)) => replies::log(&record, words),
            Err(problem) => explain(&problem),
        };
        responder.edit(&reply).await;
    }
}
