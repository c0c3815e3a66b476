//! `/duck stop`: asks for confirmation, stops the session, and reports when it is gone.

use crate::discord::interactions::{Handlers, Responder, explain, refuse};
use crate::{discord::replies, service::Requester, session::SessionId};

impl Handlers {
    pub(in crate::discord) async fn ask_to_stop(
        &self,
        responder: &Responder,
        who: &Requester,
        given: Option<&str>,
    ) {
        let reply = match self.service.find_to_stop(who, given) {
            Ok(seen) if seen.record.is_stopping() => replies::stopping(&seen.record.id),
            Ok(seen) => replies::confirm_stop(&seen.record),
            Err(rejection) => refuse(&rejection),
        };
        responder.edit(&reply).await;
    }

    pub(in crate::discord) async fn stop(
        &self,
        responder: &Responder,
        who: &Requester,
        id: &SessionId,
    ) {
        if let Err(problem) = self.service.stop(who, id).await {
            responder.edit(&explain(&problem)).await;
            return;
        }
        responder.try_to_edit(&replies::stopping(id)).await;
        let runtime = self.service.runtime();
        let mut changes = runtime.changes();
        while runtime.session(id).is_some() {
            if !responder.wait_for_change(&mut changes).await {
                return;
            }
        }
        responder.edit(&replies::stopped(id)).await;
    }
}
