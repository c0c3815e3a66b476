//! `/duck list`.

use crate::discord::interactions::{Handlers, Responder};
use crate::{
    discord::replies::{self, ListEntry},
    service::Requester,
};

impl Handlers {
    pub(in crate::discord) async fn list(&self, responder: &Responder, who: &Requester, all: bool) {
        let sessions = self.service.list((!all).then_some(who.id));
        let dry_run = self.service.settings().reaper.dry_run;
        let stale = self.service.runtime().stale_since();
        let sessions = self.service.track(sessions).await;
        let sessions = sessions.into_iter().map(|watched| ListEntry {
            url: self.service.runtime().url(&watched.seen.record.id),
            due: self.service.scheduled_stop(&watched),
            watched,
        });
        let sessions: Vec<_> = sessions.collect();
        let reply = replies::list(&sessions, all, stale, dry_run);
        responder.edit(&reply).await;
    }
}
