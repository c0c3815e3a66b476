//! Answers one interaction: acknowledges it, edits the reply, or opens a form.
//!
//! Discord's rules (developer docs, "Receiving and Responding"): the first response is due within
//! 3 s and decides whether the reply is private. The reply can then be edited for 15 minutes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serenity::{
    all::{
        AutocompleteChoice, CreateActionRow, CreateAllowedMentions, CreateAutocompleteResponse,
        CreateButton, CreateInteractionResponse, CreateInteractionResponseMessage, CreateModal,
        EditInteractionResponse, InteractionId,
    },
    builder::Builder,
    http::Http,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tracing::{debug, warn};

use super::{
    errors::{code, count, is_final, status},
    message::{attachment, rows, truncate},
    replies::Reply,
};
use crate::metrics;

/// Time during which an interaction can be answered. Discord's limit is 15 minutes.
pub(super) const INTERACTION_LIFETIME: Duration = Duration::from_secs(14 * 60 + 30);
/// Time to collect changes of the view before a reply is updated. While many sessions start, the
/// view changes all the time, and each change wakes every waiting reply.
const DEBOUNCE: Duration = Duration::from_millis(25);
/// Pause after a failed edit.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// Discord's error code for an interaction that was already answered.
const ALREADY_ACKNOWLEDGED: isize = 40060;
/// Maximum number of suggestions that Discord shows.
const MAX_CHOICES: usize = 25;

/// Number of pending acknowledgements that may wait for something else.
const MANY_ACKS: usize = 8;
/// Maximum time to yield to pending acknowledgements.
const MAX_YIELD: Duration = Duration::from_millis(300);
/// Time without a pending acknowledgement after which yielding ends.
const QUIET_PERIOD: Duration = Duration::from_millis(20);

/// Number of acknowledgements in progress, over all interactions of the bot.
#[derive(Clone, Default)]
pub(super) struct PendingAcks(watch::Sender<usize>);

impl PendingAcks {
    /// Counts an acknowledgement as pending until the guard is dropped.
    pub(super) fn begin(&self) -> PendingAck<'_> {
        self.0.send_modify(|count| *count += 1);
        PendingAck(self)
    }

    /// Returns true if so many are pending that none should wait for anything.
    pub(super) fn are_many(&self) -> bool {
        *self.0.borrow() > MANY_ACKS
    }

    /// Waits until none was pending for [`QUIET_PERIOD`], at most for [`MAX_YIELD`].
    async fn yield_to_them(&self) {
        let mut pending = self.0.subscribe();
        if *pending.borrow() == 0 {
            return;
        }
        let calm = async {
            while pending.wait_for(|count| *count == 0).await.is_ok()
                && timeout(QUIET_PERIOD, pending.wait_for(|count| *count > 0))
                    .await
                    .is_ok()
            {}
        };
        let _ = timeout(MAX_YIELD, calm).await;
    }
}

/// Guard that counts as a pending acknowledgement until it is dropped.
pub(super) struct PendingAck<'a>(&'a PendingAcks);

impl Drop for PendingAck<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// Handle for answering one interaction.
pub(super) struct Responder {
    http: Arc<Http>,
    id: InteractionId,
    /// Secret: its holder can write in the bot's name for 15 minutes.
    token: SecretString,
    closes: Instant,
    /// True once Discord refused an edit for good, for example because the person dismissed the reply.
    refused: AtomicBool,
    pending_acks: PendingAcks,
}

/// Serialized form of a [`Responder`], stored for the next bot process.
#[derive(Serialize, Deserialize)]
struct SavedResponder {
    id: InteractionId,
    token: String,
    closes: DateTime<Utc>,
}

/// The interaction can't be answered, so its command must not be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InteractionClosed;

impl Responder {
    /// Creates a responder for the interaction with this ID and token.
    pub(super) fn new(
        http: Arc<Http>,
        pending_acks: PendingAcks,
        id: InteractionId,
        token: &str,
    ) -> Self {
        Self {
            http,
            id,
            token: token.into(),
            closes: Instant::now() + INTERACTION_LIFETIME,
            refused: AtomicBool::new(false),
            pending_acks,
        }
    }

    /// Serializes the responder, so that [`Responder::restore`] can continue in another process.
    pub(super) fn save(&self) -> SecretString {
        let saved = SavedResponder {
            id: self.id,
            token: self.token.expose_secret().to_owned(),
            closes: Utc::now() + self.closes.saturating_duration_since(Instant::now()),
        };
        let text = serde_json::to_string(&saved).expect("a plain struct is valid JSON");
        text.into()
    }

    /// Restores a saved responder. Returns `None` if it is invalid, or its reply can't be edited
    /// any more.
    pub(super) fn restore(
        http: Arc<Http>,
        pending_acks: PendingAcks,
        saved: &SecretString,
    ) -> Option<Self> {
        let saved: SavedResponder = serde_json::from_str(saved.expose_secret()).ok()?;
        let left = (saved.closes - Utc::now()).to_std().ok()?;
        Some(Self {
            http,
            id: saved.id,
            token: saved.token.into(),
            closes: Instant::now() + left.min(INTERACTION_LIFETIME),
            refused: AtomicBool::new(false),
            pending_acks,
        })
    }

    /// Waits until the view changes. Returns false if the reply can't be edited any more, or no
    /// more changes will come.
    pub(super) async fn wait_for_change(&self, news: &mut watch::Receiver<u64>) -> bool {
        let together = async {
            let is_news = news.changed().await.is_ok();
            tokio::time::sleep(DEBOUNCE).await;
            is_news
        };
        tokio::select! {
            is_news = together => is_news,
            () = tokio::time::sleep_until(self.closes) => false,
        }
    }

    /// Acknowledges with a private "thinking…" reply. Later edits are private, too.
    pub(super) async fn acknowledge(&self) -> Result<(), InteractionClosed> {
        let private = CreateInteractionResponseMessage::new().ephemeral(true);
        self.acknowledge_and_yield(CreateInteractionResponse::Defer(private))
            .await
    }

    /// Acknowledges a button. Later edits change the message that the button is on.
    pub(super) async fn acknowledge_press(&self) -> Result<(), InteractionClosed> {
        self.acknowledge_and_yield(CreateInteractionResponse::Acknowledge)
            .await
    }

    /// Acknowledges, then yields to other pending acknowledgements. Those are due within 3 s; the
    /// rest of this command can wait.
    async fn acknowledge_and_yield(
        &self,
        acknowledgement: CreateInteractionResponse,
    ) -> Result<(), InteractionClosed> {
        let pending = self.pending_acks.begin();
        let done = self.respond(acknowledgement).await;
        drop(pending);
        self.pending_acks.yield_to_them().await;
        done
    }

    /// Sends a private reply as the first response.
    pub(super) async fn say(&self, reply: &Reply) -> Result<(), InteractionClosed> {
        let message = CreateInteractionResponseMessage::new()
            .ephemeral(true)
            .content(truncate(&reply.text))
            .allowed_mentions(CreateAllowedMentions::new())
            .components(rows(reply));
        self.respond(CreateInteractionResponse::Message(message))
            .await
    }

    /// Opens a form as the first response.
    pub(super) async fn open_form(&self, form: CreateModal) -> Result<(), InteractionClosed> {
        self.respond(CreateInteractionResponse::Modal(form)).await
    }

    /// Answers an autocomplete interaction with suggestions, as pairs of name and value.
    pub(super) async fn suggest(
        &self,
        choices: Vec<(String, String)>,
    ) -> Result<(), InteractionClosed> {
        let choices = choices.into_iter().take(MAX_CHOICES);
        let choices = choices.map(|(name, value)| AutocompleteChoice::new(name, value));
        let answer = CreateAutocompleteResponse::new().set_choices(choices.collect());
        self.respond(CreateInteractionResponse::Autocomplete(answer))
            .await
    }

    /// Replaces the reply, and repeats the edit until Discord accepts it or refuses it for good.
    pub(super) async fn edit(&self, reply: &Reply) {
        while !self.try_to_edit(reply).await {
            self.wait_before_retry().await;
        }
    }

    /// Waits between two attempts to edit a reply.
    pub(super) async fn wait_before_retry(&self) {
        tokio::time::sleep(RETRY_DELAY).await;
    }

    /// Returns true if Discord refused an edit of the reply for good.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Replaces the reply in a single attempt, for states that are soon replaced and must not delay
    /// the command. Returns true if Discord accepted the edit, or refused it for good.
    pub(super) async fn try_to_edit(&self, reply: &Reply) -> bool {
        self.send_edit(reply, rows(reply)).await
    }

    async fn send_edit(&self, reply: &Reply, rows: Vec<CreateActionRow>) -> bool {
        if Instant::now() >= self.closes {
            // Discord would count the edit as an invalid request.
            return true;
        }
        let mut edit = EditInteractionResponse::new()
            .content(truncate(&reply.text))
            .allowed_mentions(CreateAllowedMentions::new())
            .components(rows);
        // Without one, the message keeps those that it has.
        for file in &reply.files {
            edit = edit.new_attachment(attachment(file));
        }
        let done = edit.execute(&*self.http, self.token.expose_secret()).await;
        count("reply", &done);
        match done {
            Ok(_) => true,
            Err(error) => {
                warn!(interaction = %self.id, code = code(&error), "a reply could not be edited");
                let is_refused = is_final(&error);
                self.refused.fetch_or(is_refused, Ordering::Relaxed);
                is_refused
            }
        }
    }

    /// Replaces the reply in a single attempt, as [`Responder::try_to_edit`] does, and adds link
    /// buttons with secret addresses.
    pub(super) async fn try_to_show_links(
        &self,
        reply: &Reply,
        links: impl IntoIterator<Item = Option<(&'static str, SecretString)>>,
    ) -> bool {
        let button = |(label, address): (_, SecretString)| {
            CreateButton::new_link(address.expose_secret()).label(label)
        };
        let row = links.into_iter().flatten().map(button).collect();
        self.send_edit(reply, vec![CreateActionRow::Buttons(row)])
            .await
    }

    /// Replaces the reply in a single attempt, as [`Responder::try_to_edit`] does, with a secret in each place
    /// `place` of its text.
    pub(super) async fn try_to_show_key(
        &self,
        reply: &Reply,
        place: &str,
        key: &SecretString,
    ) -> bool {
        let mut reply = reply.clone();
        reply.text = reply.text.replace(place, key.expose_secret());
        self.send_edit(&reply, rows(&reply)).await
    }

    async fn respond(&self, answer: CreateInteractionResponse) -> Result<(), InteractionClosed> {
        let token = self.token.expose_secret();
        let begin = Instant::now();
        let again = answer.clone();
        let mut done = answer.execute(&*self.http, (self.id, token)).await;
        if done.as_ref().is_err_and(may_have_arrived) {
            // Discord may have accepted the first attempt. Without a second one, the command would
            // be dropped while the person sees "thinking…" until it expires.
            done = match again.execute(&*self.http, (self.id, token)).await {
                Err(error) if code(&error) == Some(ALREADY_ACKNOWLEDGED) => Ok(()),
                done => done,
            };
        }
        metrics::record_acknowledgement(begin.elapsed());
        count("acknowledge", &done);
        done.map_err(|error| {
            // The deadline has passed, or the interaction came twice and is already answered.
            debug!(interaction = %self.id, code = code(&error), "an interaction could not be answered");
            InteractionClosed
        })
    }
}

/// Returns true if Discord may have acted: it did not answer, or answered with a server error.
fn may_have_arrived(error: &serenity::Error) -> bool {
    status(error).is_none_or(|status| status >= 500)
}
