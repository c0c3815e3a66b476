//! `/duck list`.

use super::{Handlers, Responder};
use crate::{discord::replies, service::Requester};

impl Handlers {
    pub(super) async fn list(&self, responder: &Responder, who: &Requester, all: bool) {
        let sessions = self.service.list((!all).then_some(who.id));
        let stale = self.service.runtime().stale_since();
        let used = self.service.activities(&sessions).await;
        let sessions: Vec<_> = self.with_urls(sessions).into_iter().zip(used).collect();
        let reply = replies::list(&sessions, all, stale);
        responder.edit(&reply).await;
    }
}
