//! Replies about S3 credentials.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::{
    credential_errors::{input_error, preflight_error},
    format::{plain, relative_time},
    rejections::refused,
    reply::{Emphasis, Reply},
};
use crate::{
    credentials::{CredentialMetadata, ExpiryNote, InputError, KeyHint, preflight::PreflightError},
    discord::buttons::Button,
    service::{CredentialsRejection, SetupOutcome},
    session::{Observed, Record, Renewal},
};

/// Direct message that asks for credentials.
pub(crate) fn setup_invitation(catalog: Option<String>) -> Reply {
    let text = "Press **Enter credentials** and paste your S3 credentials into the form, as your \
        storage's tool or web page shows them. They don't appear in any chat, and only your own \
        sessions use them. Only the last four characters of the access key ID are ever shown.";
    Reply::new(text).with_form(catalog)
}

/// Reply in the channel after [`setup_invitation`] was sent to this direct-message channel.
pub(crate) fn setup_sent(direct_messages: u64) -> Reply {
    Reply::new(format!(
        "I've sent you a direct message (<#{direct_messages}>). Press the button there to enter \
         your S3 credentials in private."
    ))
}

/// Reply in the channel if the direct message can't be sent.
pub(crate) fn setup_here(catalog: Option<String>) -> Reply {
    let mut reply = setup_invitation(catalog);
    let why = "I couldn't send you a direct message, so the button is here. Only you can see it.";
    reply.text = format!("{why}\n\n{}", reply.text);
    reply
}

/// Shows a person's stored credentials, without any secret value.
pub(crate) fn credentials(
    about: &CredentialMetadata,
    can_check: bool,
    catalog: Option<String>,
) -> Reply {
    let mut text = format!("Your S3 credentials{} ", key(&about.hint));
    match about.stored {
        Some(stored) => {
            let _ = write!(text, "were saved {}", relative_time(stored));
        }
        None => text.push_str("are saved"),
    }
    match about.checked {
        Some(checked) => {
            let _ = write!(text, ". They last worked {}.", relative_time(checked));
        }
        None => text.push_str(". They have not been checked."),
    }
    if let Some(expires) = about.expires {
        let _ = write!(text, "\nExpiry: {}.", relative_time(expires));
    }
    let mut reply = Reply::new(text);
    reply = reply.with(
        Emphasis::Primary,
        "Replace",
        Button::OpenForm(catalog.clone()),
    );
    if can_check {
        reply = reply.with(
            Emphasis::Secondary,
            "Check again",
            Button::CheckCredentials(catalog),
        );
    }
    reply.with(Emphasis::Danger, "Delete", Button::AskToForget)
}

/// Confirms that credentials were stored, and says which sessions have them.
pub(crate) fn stored(hint: &KeyHint, outcome: &SetupOutcome, note: Option<ExpiryNote>) -> Reply {
    let tried = if outcome.is_tried {
        "were checked and saved"
    } else {
        "were saved without a check"
    };
    let mut text = format!("Your S3 credentials{} {tried}.", key(hint));
    text += match note {
        Some(ExpiryNote::ReadAsUtc) => {
            " The time of expiry in your paste has no time zone, so I read it as UTC."
        }
        Some(ExpiryNote::NotUnderstood) => {
            " I didn't understand the time of expiry in your paste, so I can't warn you before it. \
             To change that, enter them again with a duration like `12h` in **Session token expires**."
        }
        None => "",
    };
    if outcome.renewals.is_empty() {
        text += " Start a session with `/duck start` in the server.";
    }
    let with = |wanted: &Renewal| {
        let renewals = outcome.renewals.iter();
        let some = renewals.filter(|(_, renewal)| renewal == wanted);
        some.map(|(seen, _)| seen.clone()).collect::<Vec<_>>()
    };
    let (done, pending) = (with(&Renewal::Done), with(&Renewal::Pending));
    match &done[..] {
        [] => {}
        [_] => text += &format!(" {} now uses them.", sessions(&done)),
        _ => text += &format!(" {} now use them.", sessions(&done)),
    }
    match &pending[..] {
        [] => {}
        [_] => text += &format!(" {} gets them when it is ready.", sessions(&pending)),
        _ => text += &format!(" {} get them when they are ready.", sessions(&pending)),
    }
    let mut has_old = false;
    for (seen, renewal) in &outcome.renewals {
        if let Some((state, is_old)) = exception(renewal) {
            has_old |= is_old;
            text += &format!("\n- Session `{}` {state}", seen.record.id);
        }
    }
    if has_old {
        offer_restart(text)
    } else {
        Reply::new(text)
    }
}

/// Tells the owner that a session, now ready, keeps its previous credentials or lost its catalog.
/// Returns `None` if it simply uses the new ones.
pub(crate) fn not_renewed(record: &Record, renewal: &Renewal) -> Option<Reply> {
    let (state, is_old) = exception(renewal)?;
    let text = format!("<@{}> Your session `{}` {state}", record.owner, record.id);
    Some(if is_old {
        offer_restart(text)
    } else {
        Reply::new(text)
    })
}

fn offer_restart(text: String) -> Reply {
    let text = text
        + "\nA restart switches to the new credentials, but **tables and notebooks that are not \
           saved elsewhere will be lost.**";
    Reply::new(text).with(
        Emphasis::Danger,
        "Restart with the new credentials",
        Button::Restart,
    )
}

/// Returns the state of a session that does not simply use the new credentials, as a sentence
/// without its subject, and whether it may use the previous ones.
fn exception(renewal: &Renewal) -> Option<(String, bool)> {
    let keeps = |why: &str| {
        Some((
            format!("still uses your previous credentials: {why}."),
            true,
        ))
    };
    match renewal {
        Renewal::Done | Renewal::Pending => None,
        Renewal::Detached(error) => Some((
            format!(
                "has your new credentials, but could not attach its catalog again: {}. Run the \
                 statement in its table `problems`, or enter the credentials again.",
                plain(error)
            ),
            false,
        )),
        Renewal::NotSupported => keeps("it was started before an upgrade of the bot"),
        Renewal::Unreachable => Some((
            "may still use your previous credentials: it did not answer.".to_owned(),
            true,
        )),
        Renewal::Refused(why) => keeps(&plain(why)),
    }
}

/// Lists the mistakes in the form. Nothing was stored.
pub(crate) fn not_stored(mistakes: &[InputError], catalog: Option<String>) -> Reply {
    let mistakes = mistakes.iter().map(input_error);
    points("Your S3 credentials were not saved:", mistakes).with_form(catalog)
}

/// Lists the results of a failed check of new credentials. Nothing was stored.
pub(crate) fn not_usable(troubles: &[PreflightError], catalog: Option<String>) -> Reply {
    points(
        "The check of your S3 credentials failed, so they were not saved:",
        troubles.iter().map(preflight_error),
    )
    .with_form(catalog)
}

/// Lists the results of a failed check of stored credentials.
pub(crate) fn no_longer_usable(troubles: &[PreflightError], catalog: Option<String>) -> Reply {
    let troubles = troubles.iter().map(preflight_error);
    points("The check of your saved S3 credentials failed:", troubles).with_form(catalog)
}

/// Asks for confirmation before credentials are deleted. `live` are sessions that use them.
pub(crate) fn confirm_forget(about: &CredentialMetadata, live: &[Observed]) -> Reply {
    let text = format!("Delete your saved S3 credentials{}?", key(&about.hint));
    let reply = match live {
        [] => Reply::new(text).with(Emphasis::Danger, "Delete", Button::Forget { stop: false }),
        live => Reply::new(format!(
            "{text}\n{}If a session is stopped, **tables and notebooks that are not saved elsewhere \
             will be lost.**",
            after_deletion(live),
        ))
        .with(
            Emphasis::Danger,
            match live.len() {
                1 => "Delete and stop the session",
                _ => "Delete and stop the sessions",
            },
            Button::Forget { stop: true },
        )
        .with(
            Emphasis::Secondary,
            "Delete only",
            Button::Forget { stop: false },
        ),
    };
    reply.with(
        Emphasis::Secondary,
        "Keep credentials",
        Button::KeepCredentials,
    )
}

/// Confirms that credentials were deleted. `live` are sessions that still use them.
pub(crate) fn credentials_deleted(live: &[Observed]) -> Reply {
    Reply::new(match live {
        [] => DELETED.to_owned(),
        live => format!("{DELETED} {}.", keep_using(live)),
    })
}

/// Progress while sessions are stopped after their owner's credentials were deleted.
pub(crate) fn stopping_all(live: &[Observed]) -> Reply {
    Reply::new(format!("{DELETED} Stopping {}…", named(live)))
}

/// Confirms that credentials were not deleted.
pub(crate) fn credentials_kept() -> Reply {
    Reply::new("Your S3 credentials were not deleted.")
}

/// Reply if there are no credentials to delete.
pub(crate) fn no_credentials() -> Reply {
    refused(&CredentialsRejection::NoneStored.into())
}

/// Progress while sessions are restarted.
pub(crate) fn restarting(old: &[Observed]) -> Reply {
    Reply::new(format!(
        "Restarting {} with the new credentials…",
        named(old)
    ))
}

/// Reply if credentials were deleted, but a session could not be stopped.
pub(crate) fn credentials_deleted_but(trouble: Reply) -> Reply {
    Reply {
        text: format!("{DELETED} A session could not be stopped: {}", trouble.text),
        ..trouble
    }
}

/// Adds a button to delete stored credentials, for a person who may no longer use the bot.
pub(crate) fn with_forget_button(rejection: Reply) -> Reply {
    let text = format!("{}\nYour S3 credentials are still saved.", rejection.text);
    Reply { text, ..rejection }.with(Emphasis::Danger, "Delete them", Button::AskToForget)
}

/// Confirms that sessions were restarted with new credentials.
pub(crate) fn restarted(old: &[Observed]) -> Reply {
    Reply::new(format!(
        "Stopped {}. {}",
        named(old),
        match old.len() {
            1 =>
                "A new session is starting with the new credentials. Its link will be posted in \
                 the same channel.",
            _ =>
                "New sessions are starting with the new credentials. Their links will be posted \
                 in the same channels.",
        }
    ))
}

/// Reply if no session uses old credentials.
pub(crate) fn nothing_to_restart() -> Reply {
    Reply::new("None of your sessions uses old credentials, so nothing was restarted.")
}

/// Warns the owner before the credentials of a running session expire.
pub(crate) fn credentials_expire(record: &Record, at: DateTime<Utc>) -> Reply {
    let text = format!(
        "<@{}> The S3 credentials of your session `{}` **expire {}**. After that, the session \
         can't read any tables. Enter new credentials: a running session usually takes them \
         without a restart.",
        record.owner,
        record.id,
        relative_time(at),
    );
    Reply::new(text).with_form(Some(record.catalog.clone()))
}

/// Adds a warning to the answer to a direct message that may contain credentials.
pub(crate) fn with_leak_warning(answer: Reply) -> Reply {
    let text = format!(
        "**Your message may contain credentials.** I did not save it. Delete your message (a bot \
         can't do that for you), then replace those credentials with new ones.\n\n{}",
        answer.text
    );
    Reply { text, ..answer }
}

fn points(lead: &str, points: impl Iterator<Item = String>) -> Reply {
    let points = points.map(|point| format!("\n- {point}"));
    Reply::new(format!("{lead}{}", points.collect::<String>()))
}

const DELETED: &str = "Your saved S3 credentials were deleted.";

fn key(hint: &KeyHint) -> String {
    match hint.0.as_str() {
        "" => String::new(),
        last => format!(" (access key ID ending in `{last}`)"),
    }
}

/// Says what happens to sessions when the credentials that they use are deleted.
fn after_deletion(live: &[Observed]) -> String {
    let live = live.iter().cloned();
    let (starting, running): (Vec<_>, Vec<_>) = live.partition(|seen| seen.record.is_to_start());
    let mut text = String::new();
    if !running.is_empty() {
        let _ = write!(text, "{}. ", keep_using(&running));
    }
    if !starting.is_empty() {
        let are = match starting.len() {
            1 => "is",
            _ => "are",
        };
        let _ = write!(
            text,
            "{} {are} still starting and will be stopped. ",
            sessions(&starting)
        );
    }
    text
}

fn keep_using(live: &[Observed]) -> String {
    match live.len() {
        1 => format!("{} keeps using them until it is stopped", sessions(live)),
        _ => format!("{} keep using them until they are stopped", sessions(live)),
    }
}

fn sessions(sessions: &[Observed]) -> String {
    match sessions.len() {
        1 => format!("Session {}", ids(sessions)),
        _ => format!("Sessions {}", ids(sessions)),
    }
}

/// The same as [`sessions`], within a sentence.
fn named(sessions: &[Observed]) -> String {
    match sessions.len() {
        1 => format!("session {}", ids(sessions)),
        _ => format!("sessions {}", ids(sessions)),
    }
}

fn ids(sessions: &[Observed]) -> String {
    let ids = sessions.iter().map(|seen| format!("`{}`", seen.record.id));
    ids.collect::<Vec<_>>().join(", ")
}
