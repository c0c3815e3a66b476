//! `/duck open`, and the button under a session's link.

use super::{Handlers, Responder, explain};
use crate::{discord::replies, service::Requester};

impl Handlers {
    pub(super) async fn open(&self, responder: &Responder, who: &Requester, given: Option<&str>) {
        match self.service.open(who, given).await {
            Ok((record, link)) => {
                let reply = replies::opening(&record);
                responder.show_link(&reply, "Open DuckDB", &link).await;
            }
            Err(problem) => responder.edit(&explain(&problem)).await,
        }
    }
}
