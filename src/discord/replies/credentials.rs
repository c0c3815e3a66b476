//! What the bot says about keys.

use std::fmt::{Display, Write};

use chrono::{DateTime, Utc};

use super::{Emphasis, Reply, ago};
use crate::{
    credentials::{CredentialMetadata, InputError, KeyHint, preflight::PreflightError},
    discord::parse::Button,
    service::Rejection,
    session::{Observed, Record},
};

/// Under whatever asks for credentials.
pub(super) fn with_form(reply: Reply, catalog: Option<String>) -> Reply {
    reply.with(
        Emphasis::Main,
        "Enter credentials",
        Button::OpenForm(catalog),
    )
}

/// The direct message that asks for credentials.
pub fn setup_invitation(catalog: Option<String>) -> Reply {
    let text = "Press the button and paste your S3 keys into the form that opens. What you type \
        there stands in no chat. I keep it for your own sessions alone, and \
        show nothing of it but the last four characters of the key ID.";
    with_form(Reply::new(text), catalog)
}

/// In the channel, after that was sent.
pub fn setup_sent(direct_messages: u64) -> Reply {
    Reply::new(format!(
        "I've sent you a direct message (<#{direct_messages}>). Press the button there to hand in \
         your S3 credentials in private."
    ))
}

/// In the channel, when a direct message can't be sent.
pub fn setup_here(catalog: Option<String>) -> Reply {
    let mut reply = setup_invitation(catalog);
    let why = "I couldn't send you a direct message, so here is the button. Only you can see it.";
    reply.text = format!("{why}\n\n{}", reply.text);
    reply
}

/// What is kept of somebody.
pub fn credentials(about: &CredentialMetadata, can_check: bool, catalog: Option<String>) -> Reply {
    let mut text = format!("I have {}", key(&about.hint));
    if let Some(stored) = about.stored {
        let _ = write!(text, ", stored {}", ago(stored));
    }
    match about.checked {
        Some(checked) => {
            let _ = write!(text, ". It worked when I last tried it, {}.", ago(checked));
        }
        None => text.push_str(". I haven't tried it."),
    }
    if let Some(expires) = about.expires {
        let _ = write!(text, "\nIt expires {}.", ago(expires));
    }
    let mut reply = Reply::new(text);
    reply = reply.with(Emphasis::Main, "Replace", Button::OpenForm(catalog.clone()));
    if can_check {
        reply = reply.with(Emphasis::Quiet, "Check again", Button::CheckKeys(catalog));
    }
    reply.with(Emphasis::Danger, "Forget", Button::AskToForget)
}

/// After the form was handed in. `old` are sessions with the keys of before.
pub fn stored(hint: &KeyHint, is_tried: bool, old: &[Observed]) -> Reply {
    let tried = if is_tried { " It works." } else { "" };
    let which = key(hint);
    let text = format!("Stored: {which}.{tried} You can use `/duck start` in the server now.");
    match old {
        [] => Reply::new(text),
        old => Reply::new(format!(
            "{text}\n\nSessions with the keys of before: {}. They keep those until they end. \
             Starting them again loses what is only in them.",
            ids(old),
        ))
        .with(
            Emphasis::Danger,
            "Start them again with the new keys",
            Button::Restart,
        ),
    }
}

/// When the form was not filled in right.
pub fn not_stored(mistakes: &[InputError], catalog: Option<String>) -> Reply {
    with_form(points("Nothing was stored:", mistakes), catalog)
}

/// When the keys don't work.
pub fn not_usable(troubles: &[PreflightError], catalog: Option<String>) -> Reply {
    with_form(points("Nothing was stored:", troubles), catalog)
}

/// When keys that are kept don't work.
pub fn no_longer_usable(troubles: &[PreflightError], catalog: Option<String>) -> Reply {
    with_form(points("I tried your keys again:", troubles), catalog)
}

/// Before keys are forgotten.
pub fn confirm_forget(about: &CredentialMetadata, live: &[Observed]) -> Reply {
    let text = format!("I will forget {}.", key(&about.hint));
    let reply = match live {
        [] => Reply::new(text).with(
            Emphasis::Danger,
            "Forget it",
            Button::Forget { stop: false },
        ),
        live => Reply::new(format!(
            "{text} Sessions that hold it: {}. They keep it until they end; \
             **what is only in a session is lost** when it is stopped.",
            ids(live),
        ))
        .with(
            Emphasis::Danger,
            "Forget it and stop them",
            Button::Forget { stop: true },
        )
        .with(
            Emphasis::Quiet,
            "Forget it only",
            Button::Forget { stop: false },
        ),
    };
    reply.with(Emphasis::Quiet, "Keep it", Button::KeepKeys)
}

/// After keys were forgotten. `live` are sessions that still hold them.
pub fn forgotten(live: &[Observed]) -> Reply {
    Reply::new(match live {
        [] => "Your keys are forgotten: I have none of yours any more.".to_owned(),
        live => format!(
            "Your keys are forgotten. Until they end, these sessions still hold them: {}.",
            ids(live)
        ),
    })
}

/// While sessions are stopped after that.
pub fn stopping_all(live: &[Observed]) -> Reply {
    Reply::new(format!("Your keys are forgotten. Stopping {}…", ids(live)))
}

/// When they thought better of it.
pub fn keys_kept() -> Reply {
    Reply::new("Your keys stay as they are.")
}

/// When there is nothing to forget.
pub fn nothing_kept() -> Reply {
    with_form(Reply::new(Rejection::NothingKept.to_string()), None)
}

/// While sessions are started again.
pub fn restarting(old: &[Observed]) -> Reply {
    Reply::new(format!("Starting {} again with the new keys…", ids(old)))
}

/// When keys are forgotten, but something after that went wrong.
pub fn forgotten_but(trouble: Reply) -> Reply {
    Reply {
        text: format!("Your keys are forgotten. But: {}", trouble.text),
        ..trouble
    }
}

/// To somebody who may no longer use the bot, but whose keys are kept.
pub fn with_forget_button(rejection: Reply) -> Reply {
    let text = format!("{}\nI still have keys of yours.", rejection.text);
    Reply { text, ..rejection }.with(Emphasis::Danger, "Forget them", Button::AskToForget)
}

/// After that.
pub fn restarted(old: &[Observed]) -> Reply {
    Reply::new(format!(
        "Stopped {}; in their place new sessions start with the new keys. Their links will be \
         posted where you asked for the old ones.",
        ids(old)
    ))
}

/// When no session has old keys.
pub fn nothing_to_restart() -> Reply {
    Reply::new("No session of yours holds old keys.")
}

/// Before the keys of a running session expire.
pub fn credentials_expire(record: &Record, at: DateTime<Utc>) -> Reply {
    let text = format!(
        "<@{}> The S3 keys of your session `{}` expire {}. After that it can't read the tables \
         any more. Hand in new keys, then start it again.",
        record.owner,
        record.id,
        ago(at),
    );
    with_form(Reply::new(text), Some(record.catalog.clone()))
}

/// Before the answer to a direct message with a key in it.
pub fn with_key_warning(answer: Reply) -> Reply {
    let text = format!(
        "**That looks like a key.** I did not keep it, but a bot can't delete your message: it \
         stays in this chat's history until you delete it. Please delete it, and have that key \
         replaced by a new one.\n\n{}",
        answer.text
    );
    Reply { text, ..answer }
}

fn points(lead: &str, points: &[impl Display]) -> Reply {
    let points = points.iter().map(|point| format!("\n- {point}"));
    Reply::new(format!("{lead}{}", points.collect::<String>()))
}

fn key(hint: &KeyHint) -> String {
    match hint.0.as_str() {
        "" => "your key".to_owned(),
        last => format!("your key ending in `{last}`"),
    }
}

fn ids(sessions: &[Observed]) -> String {
    let ids = sessions.iter().map(|seen| format!("`{}`", seen.record.id));
    ids.collect::<Vec<_>>().join(", ")
}
