//! `/duck setup`: an invitation in private, a form, and what comes back.

use secrecy::SecretString;
use serde_json::json;
use serenity::{all::CreateMessage, builder::Builder};

use super::{Handlers, Responder, Scene, Unanswerable, logged, turned_away};
use crate::{
    credentials,
    discord::{herald::fault, replies, responder::rows, status},
    fault::Fault,
    service::Requester,
};

impl Handlers {
    pub(super) async fn setup(&self, responder: &Responder, who: &Requester) {
        let reply = match self.invite(who).await {
            Ok(Some(channel)) => replies::setup_sent(channel),
            Ok(None) => replies::setup_here(),
            Err(fault) => {
                logged(&fault);
                replies::setup_here()
            }
        };
        responder.edit(&reply).await;
    }

    /// Sends the invitation as a direct message. `None` when the person takes none.
    async fn invite(&self, who: &Requester) -> Result<Option<u64>, Fault> {
        let recipient = json!({ "recipient_id": who.id });
        let opened = self.http.create_private_channel(&recipient).await;
        let channel = opened
            .map_err(|error| fault("opening a direct message", &error))?
            .id;
        let invitation = replies::setup_invitation();
        let message = CreateMessage::new()
            .content(&invitation.text)
            .components(rows(&invitation));
        match message.execute(&*self.http, (channel, None)).await {
            Ok(_) => Ok(Some(channel.get())),
            Err(error) if status(&error) == Some(403) => Ok(None),
            Err(error) => Err(fault("sending a direct message", &error)),
        }
    }

    pub(super) async fn form(
        &self,
        responder: &Responder,
        scene: &Scene,
        typed: [SecretString; 4],
    ) -> Result<(), Unanswerable> {
        responder.acknowledge().await?;
        let reply = match self.admit(scene).await {
            Err(turned) => turned_away(turned),
            Ok(who) => match credentials::parse(typed) {
                Err(mistakes) => replies::not_stored(&mistakes),
                Ok(keys) => match self.service.set_up(who.id, &keys).await {
                    Ok(hint) => replies::stored(&hint),
                    Err(fault) => replies::failed(&fault, &logged(&fault)),
                },
            },
        };
        responder.edit(&reply).await;
        Ok(())
    }
}
