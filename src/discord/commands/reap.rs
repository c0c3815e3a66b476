//! `/duck extend`, `/duck report` and `/duck reap`, with the Extend and Reap buttons.

use crate::discord::interactions::{Handlers, Responder, explain, refuse};
use crate::{
    discord::replies::{self, Reply},
    service::{Rejection, Requester, ServiceError},
    settings::duration,
};

impl Handlers {
    pub(in crate::discord) async fn extend(
        &self,
        responder: &Responder,
        who: &Requester,
        session: Option<&str>,
        by: Option<&str>,
    ) {
        let reply = match self.extended(who, session, by).await {
            Ok(reply) => reply,
            Err(problem) => explain(&problem),
        };
        responder.edit(&reply).await;
    }

    async fn extended(
        &self,
        who: &Requester,
        session: Option<&str>,
        by: Option<&str>,
    ) -> Result<Reply, ServiceError> {
        let by = match by.map(|text| (text, duration(text.trim()))) {
            Some((text, None)) => return Err(Rejection::InvalidDuration(text.to_owned()).into()),
            Some((_, by)) => by,
            None => None,
        };
        let extended = self.service.extend(who, session, by).await?;
        Ok(replies::extended(&extended))
    }

    pub(in crate::discord) async fn report(&self, responder: &Responder, who: &Requester) {
        let dry_run = self.service.settings().reaper.dry_run;
        let reply = match self.service.report_to(who).await {
            Ok(report) => replies::report(&report, dry_run),
            Err(problem) => explain(&problem),
        };
        responder.edit(&reply).await;
    }

    pub(in crate::discord) async fn ask_to_reap(&self, responder: &Responder, who: &Requester) {
        let dry_run = self.service.settings().reaper.dry_run;
        let reply = match self.service.plan_for(who).await {
            Ok(plan) => replies::plan(&plan, dry_run),
            Err(rejection) => refuse(&rejection),
        };
        responder.edit(&reply).await;
    }

    pub(in crate::discord) async fn reap(
        &self,
        responder: &Responder,
        who: &Requester,
        digest: &str,
    ) {
        let dry_run = self.service.settings().reaper.dry_run;
        let reply = match self.service.reap_all(who, digest).await {
            Ok(Ok(reaped)) => replies::done(&reaped),
            Ok(Err(plan)) => replies::changed_plan(&plan, dry_run),
            Err(rejection) => refuse(&rejection),
        };
        responder.edit(&reply).await;
    }
}
