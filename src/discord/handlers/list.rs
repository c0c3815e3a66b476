//! `/duck list`.

use super::{Handlers, Responder};
use crate::{discord::replies, service::Requester};

impl Handlers {
    pub(super) async fn list(&self, responder: &Responder, who: &Requester, all: bool) {
        let sessions = self.service.list((!all).then_some(who.id));
        responder
            .edit(&replies::list(&self.with_urls(sessions), all))
            .await;
    }
}
