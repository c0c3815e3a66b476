//! Answers one interaction: acknowledge, edit, or open a form.
//!
//! Discord's rules (developer docs, "Receiving and Responding"): the first
//! answer is due within 3 s and fixes whether the reply is private; then it can
//! be edited for 15 minutes.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serenity::{
    all::{
        AutocompleteChoice, ButtonStyle, CreateActionRow, CreateAllowedMentions, CreateAttachment,
        CreateAutocompleteResponse, CreateButton, CreateInputText, CreateInteractionResponse,
        CreateInteractionResponseMessage, CreateMessage, CreateModal, EditInteractionResponse,
        InputTextStyle, InteractionId, Nonce,
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
    code,
    commands::QUERY,
    notifier::{count, is_final},
    parse::{EXPIRES, SqlOptions, form_id, input_id, sql_form_id},
    replies::{Emphasis, File, LabelledButton, MAX_MESSAGE_CHARS, Reply},
    status,
};
use crate::{credentials::CredentialField, metrics};

/// How long an interaction can be answered; Discord says 15 minutes.
pub const INTERACTION_LIFETIME: Duration = Duration::from_secs(14 * 60 + 30);
/// How long news are gathered: while many sessions start, each has news all the time, and all who
/// wait look at each.
const DEBOUNCE: Duration = Duration::from_millis(25);
/// How long to wait after an edit that failed.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// Discord's code for an interaction that was answered before.
const ALREADY_ACKNOWLEDGED: isize = 40060;
/// The most characters that an input of a form takes.
const MAX_INPUT_CHARS: u16 = 4000;
/// The most that Discord shows of suggestions.
pub const MAX_CHOICES: usize = 25;

/// How many acknowledgements are under way, of all interactions.
static PENDING_ACKS: LazyLock<watch::Sender<usize>> = LazyLock::new(watch::Sender::default);
/// How long others are let go first at most.
const MAX_YIELD: Duration = Duration::from_millis(300);
/// After so long without another one, no more are expected.
const QUIET_PERIOD: Duration = Duration::from_millis(20);

/// One of them, until it is dropped.
struct PendingAck;

impl PendingAck {
    fn new() -> Self {
        PENDING_ACKS.send_modify(|count| *count += 1);
        Self
    }
}

impl Drop for PendingAck {
    fn drop(&mut self) {
        PENDING_ACKS.send_modify(|count| *count -= 1);
    }
}

/// One interaction that wants an answer.
pub struct Responder {
    http: Arc<Http>,
    id: InteractionId,
    /// Whoever has it can write in the bot's name for 15 minutes.
    token: SecretString,
    closes: Instant,
}

/// A responder as it is kept over a restart.
#[derive(Serialize, Deserialize)]
struct SavedResponder {
    id: InteractionId,
    token: String,
    closes: DateTime<Utc>,
}

/// The interaction can't be answered (any more), so nothing must be done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InteractionClosed;

impl Responder {
    /// Answers the interaction with this id and token.
    pub fn new(http: Arc<Http>, id: InteractionId, token: &str) -> Self {
        Self {
            http,
            id,
            token: token.into(),
            closes: Instant::now() + INTERACTION_LIFETIME,
        }
    }

    /// What [`Responder::restore`] goes on with in another process.
    pub fn save(&self) -> SecretString {
        let saved = SavedResponder {
            id: self.id,
            token: self.token.expose_secret().to_owned(),
            closes: Utc::now() + self.closes.saturating_duration_since(Instant::now()),
        };
        let text = serde_json::to_string(&saved).expect("it is plain JSON");
        text.into()
    }

    /// Goes on with a reply, if it is one and can still be edited.
    pub fn restore(http: Arc<Http>, saved: &SecretString) -> Option<Self> {
        let saved: SavedResponder = serde_json::from_str(saved.expose_secret()).ok()?;
        let left = (saved.closes - Utc::now()).to_std().ok()?;
        Some(Self {
            http,
            id: saved.id,
            token: saved.token.into(),
            closes: Instant::now() + left.min(INTERACTION_LIFETIME),
        })
    }

    /// Waits for news. False when there is no telling them here any more.
    pub async fn wait_for_change(&self, news: &mut watch::Receiver<u64>) -> bool {
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

    /// Acknowledges with a private "thinking…"; what is edited in later is private, too.
    pub async fn acknowledge(&self) -> Result<(), InteractionClosed> {
        let private = CreateInteractionResponseMessage::new().ephemeral(true);
        self.acknowledge_and_yield(CreateInteractionResponse::Defer(private))
            .await
    }

    /// Acknowledges a button; what is edited later is the message that it is on.
    pub async fn acknowledge_press(&self) -> Result<(), InteractionClosed> {
        self.acknowledge_and_yield(CreateInteractionResponse::Acknowledge)
            .await
    }

    /// Acknowledges, and then lets those go first who are about to: theirs is due within 3 s, and
    /// what comes after it has time.
    async fn acknowledge_and_yield(
        &self,
        acknowledgement: CreateInteractionResponse,
    ) -> Result<(), InteractionClosed> {
        let mut others = PENDING_ACKS.subscribe();
        let one = PendingAck::new();
        let done = self.respond(acknowledgement).await;
        drop(one);
        if *others.borrow() > 0 {
            let calm = async {
                while others.wait_for(|count| *count == 0).await.is_ok()
                    && timeout(QUIET_PERIOD, others.wait_for(|count| *count > 0))
                        .await
                        .is_ok()
                {}
            };
            let _ = timeout(MAX_YIELD, calm).await;
        }
        done
    }

    /// Answers at once, in private.
    pub async fn say(&self, reply: &Reply) -> Result<(), InteractionClosed> {
        let message = CreateInteractionResponseMessage::new()
            .ephemeral(true)
            .content(truncate(&reply.text))
            .allowed_mentions(CreateAllowedMentions::new())
            .components(rows(reply));
        self.respond(CreateInteractionResponse::Message(message))
            .await
    }

    /// Opens the form for credentials.
    pub async fn open_form(&self, catalog: Option<&str>) -> Result<(), InteractionClosed> {
        // None is required here: a paste into one field may fill the others.
        let input = |label: String, id| {
            CreateInputText::new(InputTextStyle::Short, label, id)
                .required(false)
                .max_length(MAX_INPUT_CHARS)
        };
        let secrets = CredentialField::ALL.map(|field| input(field.to_string(), input_id(field)));
        let expires = input("Session token expires".into(), EXPIRES)
            .placeholder("12h, or a time in UTC: 2026-11-23 18:00");
        let inputs = secrets.into_iter().chain([expires]);
        let inputs = inputs.map(CreateActionRow::InputText).collect();
        let modal = CreateModal::new(form_id(catalog), "Your S3 credentials").components(inputs);
        self.respond(CreateInteractionResponse::Modal(modal)).await
    }

    /// Opens the form for a question.
    pub async fn open_sql_form(&self, how: &SqlOptions) -> Result<(), InteractionClosed> {
        let input = CreateInputText::new(InputTextStyle::Paragraph, "One SELECT", QUERY)
            .placeholder("SELECT day, sum(total) FROM lake.sales.orders GROUP BY day")
            .max_length(MAX_INPUT_CHARS);
        let modal = CreateModal::new(sql_form_id(how), "Ask the team's tables");
        let modal = modal.components(vec![CreateActionRow::InputText(input)]);
        self.respond(CreateInteractionResponse::Modal(modal)).await
    }

    /// Answers with suggestions.
    pub async fn suggest(&self, choices: Vec<(String, String)>) -> Result<(), InteractionClosed> {
        let choices = choices.into_iter().take(MAX_CHOICES);
        let choices = choices.map(|(name, value)| AutocompleteChoice::new(name, value));
        let answer = CreateAutocompleteResponse::new().set_choices(choices.collect());
        self.respond(CreateInteractionResponse::Autocomplete(answer))
            .await
    }

    /// Puts `reply` in place of what stands there, however often Discord must be asked.
    pub async fn edit(&self, reply: &Reply) {
        while !self.try_to_edit(reply).await {
            self.wait_before_retry().await;
        }
    }

    /// Waits as long as one should before Discord is asked again.
    pub async fn wait_before_retry(&self) {
        tokio::time::sleep(RETRY_DELAY).await;
    }

    /// Asks once: for what is soon replaced, and must keep nothing from being done. Says
    /// whether `reply` stands there now, or never will.
    pub async fn try_to_edit(&self, reply: &Reply) -> bool {
        self.send_edit(reply, rows(reply)).await
    }

    async fn send_edit(&self, reply: &Reply, rows: Vec<CreateActionRow>) -> bool {
        if Instant::now() >= self.closes {
            // Discord would count it as an invalid request.
            return true;
        }
        let mut edit = EditInteractionResponse::new()
            .content(truncate(&reply.text))
            .allowed_mentions(CreateAllowedMentions::new())
            .components(rows);
        if let Some(file) = &reply.file {
            edit = edit.new_attachment(attachment(file));
        }
        let done = edit.execute(&*self.http, self.token.expose_secret()).await;
        count("reply", &done);
        match done {
            Ok(_) => true,
            Err(error) => {
                warn!(interaction = %self.id, code = code(&error), "a reply could not be edited");
                is_final(&error)
            }
        }
    }

    /// Asks once, as [`Responder::try_to_edit`], for a reply with a button that leads to an
    /// address, which nobody else is to see.
    pub async fn try_to_show_link(
        &self,
        reply: &Reply,
        label: &str,
        address: &SecretString,
    ) -> bool {
        let link = CreateButton::new_link(address.expose_secret()).label(label);
        let row = CreateActionRow::Buttons(vec![link]);
        self.send_edit(reply, vec![row]).await
    }

    async fn respond(&self, answer: CreateInteractionResponse) -> Result<(), InteractionClosed> {
        let token = self.token.expose_secret();
        let begin = Instant::now();
        let again = answer.clone();
        let mut done = answer.execute(&*self.http, (self.id, token)).await;
        if done.as_ref().is_err_and(may_have_arrived) {
            // Otherwise nothing would be done, and the person look at "thinking" until it ends.
            done = match again.execute(&*self.http, (self.id, token)).await {
                Err(error) if code(&error) == Some(ALREADY_ACKNOWLEDGED) => Ok(()),
                done => done,
            };
        }
        metrics::record_acknowledgement(begin.elapsed());
        count("acknowledge", &done);
        done.map_err(|error| {
            // Too late, or answered already: the same interaction delivered twice.
            debug!(interaction = %self.id, code = code(&error), "an interaction could not be answered");
            InteractionClosed
        })
    }
}

/// Whether nobody knows if Discord acted: it did not answer, or with a failure of its own.
fn may_have_arrived(error: &serenity::Error) -> bool {
    status(error).is_none_or(|status| status >= 500)
}

/// As much of a text as a message holds.
pub fn truncate(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE_CHARS - 1) {
        Some((end, _)) if text.chars().count() > MAX_MESSAGE_CHARS => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

/// A reply as a message of its own. Discord answers a repeated nonce with the
/// message that it has (for a few minutes), so trying again doubles nothing.
pub fn message(reply: &Reply, nonce: Option<&str>) -> CreateMessage {
    let message = CreateMessage::new()
        .content(truncate(&reply.text))
        .components(rows(reply))
        .files(reply.file.as_ref().map(attachment));
    match nonce {
        Some(nonce) => message
            .nonce(Nonce::String(nonce.to_owned()))
            .enforce_nonce(true),
        None => message,
    }
}

fn attachment(file: &File) -> CreateAttachment {
    CreateAttachment::bytes(file.text.as_bytes(), &file.name)
}

/// A reply's buttons, as Discord wants them.
pub fn rows(reply: &Reply) -> Vec<CreateActionRow> {
    let button = |labelled: &LabelledButton| {
        let style = match labelled.emphasis {
            Emphasis::Main => ButtonStyle::Primary,
            Emphasis::Quiet => ButtonStyle::Secondary,
            Emphasis::Danger => ButtonStyle::Danger,
        };
        CreateButton::new(labelled.button.custom_id())
            .label(labelled.label)
            .style(style)
    };
    match reply.buttons.is_empty() {
        true => Vec::new(),
        false => vec![CreateActionRow::Buttons(
            reply.buttons.iter().map(button).collect(),
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_a_message_ends() {
        let most = "é".repeat(MAX_MESSAGE_CHARS);
        assert_eq!(truncate(&most), most);
        let cut = truncate(&format!("{most}é"));
        assert_eq!(cut.chars().count(), MAX_MESSAGE_CHARS);
        assert!(cut.ends_with("é…"));
    }
}
