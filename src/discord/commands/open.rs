//! `/duck open`, and the Open button of a session's message.

use crate::discord::interactions::{Handlers, Responder, explain};
use crate::{discord::replies, service::Requester};

impl Handlers {
    pub(in crate::discord) async fn open(
        &self,
        responder: &Responder,
        who: &Requester,
        given: Option<&str>,
    ) {
        // A link is valid for one minute, so each attempt creates a new one.
        loop {
            let (record, link) = match self.service.open(who, given).await {
                Ok(opened) => opened,
                Err(problem) => return responder.edit(&explain(&problem)).await,
            };
            let reply = replies::opening(&record);
            if responder
                .try_to_show_link(&reply, "Open DuckDB", &link)
                .await
            {
                return;
            }
            responder.wait_before_retry().await;
        }
    }
}
