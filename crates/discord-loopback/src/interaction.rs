//! Handle of an interaction for the person who started it: waits for the response and its changes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::model::ResponseKind;
use crate::shared::Shared;
use crate::snowflake::Snowflake;
use crate::state::State;
use crate::view::{MessageView, ModalView};

/// Interaction, as seen by the person who started it.
#[derive(Debug, Clone)]
pub struct Interaction {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: Snowflake,
}

/// First response to an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Kind that the bot chose.
    pub kind: ResponseKind,
    /// Time from the interaction to its first response.
    pub elapsed: Duration,
}

impl Interaction {
    /// ID of the interaction.
    #[must_use]
    pub fn id(&self) -> Snowflake {
        self.id
    }

    /// Token of the interaction, for tests that respond themselves or search for it in logs.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared
            .read(|state| state.interactions[&self.id].token.clone())
    }

    /// Waits for the first response. Returns `None` if the bot does not respond within Discord's
    /// limit, when the person reads "The application did not respond".
    pub async fn try_acknowledgement(&self) -> Option<Acknowledgement> {
        let left = self.shared.read(|state| {
            let passed = state.interactions[&self.id].created.elapsed();
            state.first_response_timeout.saturating_sub(passed)
        });
        let found = self
            .shared
            .wait_for(left, |state| self.current_acknowledgement(state))
            .await;
        // The response may have come at the last moment.
        found.or_else(|| {
            self.shared
                .read(|state| self.current_acknowledgement(state))
        })
    }

    /// Waits for the first response.
    pub async fn acknowledgement(&self) -> Acknowledgement {
        match self.try_acknowledgement().await {
            Some(acknowledgement) => acknowledgement,
            None => self.shared.fail("The application did not respond"),
        }
    }

    /// Waits for the first version of the reply with content, after "thinking". For a button that
    /// edits its own message, returns the edited message.
    pub async fn reply(&self) -> MessageView {
        self.next().await
    }

    /// Waits for the next version of the reply. Versions are queued, so none is missed.
    pub async fn next(&self) -> MessageView {
        self.expect_reply().await;
        self.shared
            .wait("the reply to change", |state| {
                unread_version(state, self.id)
            })
            .await
    }

    /// Waits for a version that matches `wanted`, starting at the version that was read last.
    pub async fn until(&self, wanted: impl Fn(&MessageView) -> bool) -> MessageView {
        self.expect_reply().await;
        if let Some(current) = self.shared.read(|state| last_read_version(state, self.id))
            && wanted(&current)
        {
            return current;
        }
        let found = self.shared.wait("the reply to match", |state| {
            while let Some(version) = unread_version(state, self.id) {
                if wanted(&version) {
                    return Some(version);
                }
            }
            None
        });
        found.await
    }

    /// Waits for the next follow-up message.
    pub async fn follow_up(&self) -> MessageView {
        let found = self.shared.wait("a follow-up", |state| {
            let interaction = state.interactions.get_mut(&self.id)?;
            let id = *interaction.followups.get(interaction.followups_read)?;
            interaction.followups_read += 1;
            let message = state.messages.get_mut(&id)?;
            message.seen = true;
            message.versions.first().cloned()
        });
        found.await
    }

    /// Waits for the modal that the bot opens.
    pub async fn modal(&self) -> ModalView {
        let acknowledgement = self.acknowledgement().await;
        let failure = || format!("expected a modal, got {:?}", acknowledgement.kind);
        self.modal_if_any()
            .unwrap_or_else(|| self.shared.fail(&failure()))
    }

    /// Returns the modal if the bot has opened one. Does not wait.
    #[must_use]
    pub fn modal_if_any(&self) -> Option<ModalView> {
        self.shared
            .read(|state| state.interactions[&self.id].modal.clone())
    }

    /// Expires the token now, as if its 15 minutes were over.
    pub fn expire_token(&self) {
        self.shared.change(|state| {
            if let Some(interaction) = state.interactions.get_mut(&self.id) {
                interaction.expired = true;
            }
        });
    }

    /// Waits for the choices of an autocomplete. Returns `None` if they came too late.
    pub(crate) async fn choices(&self) -> Option<Vec<Value>> {
        self.try_acknowledgement().await?;
        Some(
            self.shared
                .read(|state| state.interactions[&self.id].choices.clone()),
        )
    }

    fn current_acknowledgement(&self, state: &State) -> Option<Acknowledgement> {
        let answer = state.interactions[&self.id].response;
        answer.map(|(kind, elapsed)| Acknowledgement { kind, elapsed })
    }

    /// Fails immediately if the first response rules out a reply, instead of after the time limit.
    async fn expect_reply(&self) {
        let acknowledgement = self.acknowledgement().await;
        if matches!(
            acknowledgement.kind,
            ResponseKind::Modal | ResponseKind::Choices
        ) {
            self.shared
                .fail(&format!("expected a reply, got {:?}", acknowledgement.kind));
        }
    }
}

/// Takes the next version of the reply with content.
fn unread_version(state: &mut State, id: Snowflake) -> Option<MessageView> {
    let interaction = state.interactions.get_mut(&id)?;
    let message = state.messages.get_mut(&interaction.original?)?;
    let unread = message.versions.iter().skip(interaction.read_to);
    let at = unread
        .take_while(|version| version.thinking && !version.deleted)
        .count()
        + interaction.read_to;
    let version = message.versions.get(at)?.clone();
    interaction.read_to = at + 1;
    message.seen = true;
    Some(version)
}

/// Returns the version that was read last through this interaction, if any.
fn last_read_version(state: &State, id: Snowflake) -> Option<MessageView> {
    let interaction = state.interactions.get(&id)?;
    let message = state.messages.get(&interaction.original?)?;
    let at = (interaction.read_to > interaction.read_from).then(|| interaction.read_to - 1)?;
    message
        .versions
        .get(at)
        .filter(|version| !version.thinking)
        .cloned()
}
