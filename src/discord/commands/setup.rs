//! `/duck setup`: shows the stored credentials, or sends a private invitation to enter some. Stores
//! the submitted form.

use crate::discord::interactions::{
    Handlers, InteractionClosed, InteractionContext, Responder, ServiceError, deny, explain,
    log_error, refuse,
};
use crate::{
    credentials::{self, CredentialsForm},
    discord::replies::{self, Reply},
    service::{Requester, SetupOutcome},
};

impl Handlers {
    pub(in crate::discord) async fn setup(
        &self,
        responder: &Responder,
        who: &Requester,
        catalog: Option<String>,
    ) {
        if let Err(unknown) = self.service.check_catalog(catalog.as_deref()) {
            responder.edit(&refuse(&unknown)).await;
            return;
        }
        let can_check = self.service.settings().credentials.preflight;
        let reply = match self.service.credentials_info(who.id).await {
            Ok(Some(about)) => replies::credentials(&about, can_check, catalog),
            Ok(None) => self.invite(who, catalog).await,
            Err(error) => replies::failed(&error, &log_error(&error)),
        };
        responder.edit(&reply).await;
    }

    /// Sends the invitation as a direct message, and returns a reply that links to it. If the
    /// person accepts none, the reply is the invitation.
    async fn invite(&self, who: &Requester, catalog: Option<String>) -> Reply {
        let invitation = replies::setup_invitation(catalog.clone());
        match self.direct.send(who.id, &invitation, None).await {
            Ok(Some(channel)) => replies::setup_sent(channel),
            Ok(None) => replies::setup_here(catalog),
            Err(error) => {
                log_error(&error);
                replies::setup_here(catalog)
            }
        }
    }

    pub(in crate::discord) async fn form(
        &self,
        responder: &Responder,
        context: &InteractionContext,
        typed: CredentialsForm,
        catalog: Option<String>,
    ) -> Result<(), InteractionClosed> {
        responder.acknowledge().await?;
        let reply = match self.admit(context).await {
            Ok(who) => self.store(&who, &typed, catalog).await,
            Err(denied) => deny(denied),
        };
        responder.edit(&reply).await;
        Ok(())
    }

    async fn store(
        &self,
        who: &Requester,
        typed: &CredentialsForm,
        catalog: Option<String>,
    ) -> Reply {
        let credentials = match credentials::parse(typed, self.service.now()) {
            Ok(credentials) => credentials,
            Err(mistakes) => return replies::not_stored(&mistakes, catalog),
        };
        match self
            .service
            .set_up(who.id, &credentials, catalog.as_deref())
            .await
        {
            Ok(SetupOutcome { is_tried, old }) => {
                replies::stored(&credentials.hint(), is_tried, &old)
            }
            Err(ServiceError::UnusableCredentials(troubles)) => {
                replies::not_usable(&troubles, catalog)
            }
            Err(problem) => explain(&problem),
        }
    }
}
