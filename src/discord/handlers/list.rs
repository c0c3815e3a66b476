//! `/duck list`.

use super::{Handlers, Responder};
use crate::{discord::replies, service::Requester};

impl Handlers {
    pub(super) async fn list(&self, responder: &Responder, who: &Requester, all: bool) {
        let sessions = self.service.list((!all).then_some(who.id));
        let stale = self.service.runtime().stale_since();
        let reply = replies::list(&self.with_urls(sessions), all, stale);
        responder.edit(&reply).await;
    }
}
