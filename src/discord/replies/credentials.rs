//! Replies about a person's credentials.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::{
    credential_errors::{input_error, preflight_error},
    expiry_label,
    format::{count_of, relative_time, session_name},
    kept::if_some_are_stopped,
    part_name,
    rejections::refused,
    reply::{Emphasis, Reply},
    schedules::with_list_button,
    work::not_saved,
};
use crate::{
    credentials::{
        CredentialMetadata, CredentialPart, InputError,
        preflight::{ErrorOrigin, PreflightError},
    },
    discord::{buttons::Button, start_options::StartOptions},
    service::{CredentialsRejection, WorkDeletion},
    session::{Observed, Record},
};

/// Direct message that asks for credentials.
pub(crate) fn setup_invitation(catalog: Option<String>, required: CredentialPart) -> Reply {
    let text = match required {
        CredentialPart::S3Keys => {
            "Press **Enter credentials** and paste your S3 credentials into the form, as your \
             storage's tool or web page shows them. They don't appear in any chat, and only your \
             own sessions use them. Only the last four characters of the access key ID are ever \
             shown."
        }
        CredentialPart::CatalogToken => {
            "Press **Enter credentials** and paste your token for the catalog into the form. You \
             need no S3 credentials: the catalog gives your sessions access to the tables' files. The \
             token doesn't appear in any chat, and only your own sessions use it."
        }
    };
    Reply::new(text).with_form(catalog)
}

/// Answer to a direct message of a person without stored credentials.
pub(crate) fn direct_invitation(required: CredentialPart) -> Reply {
    let mut reply = setup_invitation(None, required);
    reply.text = format!("{IN_THE_SERVER}\n{}", reply.text);
    reply
}

const IN_THE_SERVER: &str =
    "My commands work only in the server, not in direct messages. There, `/duck help` lists them.";

/// Reply in the channel after [`setup_invitation`] was sent to this direct-message channel.
pub(crate) fn setup_sent(direct_messages: u64, required: CredentialPart) -> Reply {
    Reply::new(format!(
        "I've sent you a direct message (<#{direct_messages}>). Press the button there to enter \
         your {} in private.",
        part_name(required)
    ))
}

/// Reply in the channel if the direct message can't be sent.
pub(crate) fn setup_here(catalog: Option<String>, required: CredentialPart) -> Reply {
    let mut reply = setup_invitation(catalog, required);
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
    let Subject {
        name,
        were,
        they,
        have,
    } = subject(about);
    let mut text = format!("Your {name} {were} saved");
    if let Some(stored) = about.stored {
        let _ = write!(text, " {}", relative_time(stored));
    }
    match about.checked {
        Some(checked) => {
            let _ = write!(text, ". {they} last worked {}.", relative_time(checked));
        }
        None => {
            let _ = write!(text, ". {they} {have} not been checked.");
        }
    }
    for part in [CredentialPart::S3Keys, CredentialPart::CatalogToken] {
        if let Some(expires) = about.expiry(part) {
            let _ = write!(text, "\n{} {}.", expiry_label(part), relative_time(expires));
        }
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

/// Answer to a direct message of a person with stored credentials.
pub(crate) fn direct_answer(about: &CredentialMetadata, can_check: bool) -> Reply {
    let reply = credentials(about, can_check, None);
    let start = Reply::new(format!("{IN_THE_SERVER}\n{}", reply.text))
        .with_start("Start a session", StartOptions::default());
    Reply {
        buttons: [start.buttons, reply.buttons].concat(),
        ..start
    }
}

/// Lists the mistakes in the form. Nothing was stored. `form` opens it again.
pub(crate) fn not_stored(mistakes: &[InputError], form: Button, required: CredentialPart) -> Reply {
    let mistakes = mistakes.iter().map(input_error);
    let lead = match required {
        CredentialPart::S3Keys => "Your S3 credentials were not saved:",
        CredentialPart::CatalogToken => "Your catalog token was not saved:",
    };
    points(lead, mistakes).with_form_button(form)
}

/// Lists the results of a failed check of new credentials. Nothing was stored. `form` opens the form
/// again.
pub(crate) fn not_usable(
    troubles: &[PreflightError],
    form: Button,
    required: CredentialPart,
) -> Reply {
    let lead = match required {
        CredentialPart::S3Keys => {
            "The check of your S3 credentials failed, so they were not saved:"
        }
        CredentialPart::CatalogToken => {
            "The check of your catalog token failed, so it was not saved:"
        }
    };
    points(lead, troubles.iter().map(preflight_error)).with_form_button(form)
}

/// Lists the results of a failed check of stored credentials.
pub(crate) fn no_longer_usable(troubles: &[PreflightError], catalog: Option<String>) -> Reply {
    let texts = troubles.iter().map(preflight_error);
    let is_wrong = |it: &PreflightError| it.origin() == ErrorOrigin::Credentials;
    if troubles.iter().any(is_wrong) {
        points("The check of your saved credentials failed:", texts).with_form(catalog)
    } else {
        points("Your saved credentials could not be checked:", texts).with(
            Emphasis::Secondary,
            "Check again",
            Button::CheckCredentials(catalog),
        )
    }
}

/// Asks for confirmation before credentials are deleted. `live` are sessions that use them. With
/// `saves_work`, offers to delete saved work, too.
pub(crate) fn confirm_forget(
    about: &CredentialMetadata,
    live: &[Observed],
    saves_work: bool,
) -> Reply {
    let mut text = format!(
        "Delete your saved {}, and your past queries?",
        subject(about).name
    );
    if saves_work {
        text += " Your saved notebooks and tables stay. To delete them too, do that first, because it \
                 needs these credentials.";
    }
    let reply = match live {
        [] => Reply::new(text).with(Emphasis::Danger, "Delete", Button::Forget { stop: false }),
        live => Reply::new(format!(
            "{text}\n{}{}",
            after_deletion(live),
            if_some_are_stopped(live.iter().map(|seen| &*seen.record)),
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
    let reply = if saves_work {
        reply.with(
            Emphasis::Danger,
            "Delete saved notebooks and tables",
            Button::ForgetWork,
        )
    } else {
        reply
    };
    reply.with(
        Emphasis::Secondary,
        "Keep credentials",
        Button::KeepCredentials,
    )
}

/// Adds that the person's schedules stay, and are paused, or with `is_asked` will be.
pub(crate) fn with_kept_schedules(reply: Reply, count: usize, is_asked: bool) -> Reply {
    let (subject, are, them) = match count {
        0 => return reply,
        1 => ("Your schedule".to_owned(), "is", "it"),
        count => (
            format!("Your {}", count_of(count, "schedule")),
            "are",
            "them",
        ),
    };
    let are = if is_asked { "will be" } else { are };
    let text = format!(
        "{}\n{subject} {are} paused, because queries need credentials. `/duck schedules` deletes {them}.",
        reply.text
    );
    with_list_button(Reply { text, ..reply })
}

/// Confirms that credentials were deleted. `live` are sessions that still use them.
pub(crate) fn credentials_deleted(live: &[Observed]) -> Reply {
    Reply::new(match live {
        [] => DELETED.to_owned(),
        live => format!("{DELETED} {}.", keep_using(live)),
    })
}

/// Progress while saved work is deleted.
pub(crate) fn deleting_work() -> Reply {
    Reply::new("Deleting your saved notebooks and tables…")
}

/// Outcome of a request to delete saved work.
pub(crate) fn work_deletion(deletion: &WorkDeletion) -> Reply {
    let reply = match deletion {
        WorkDeletion::Deleted(0) => Reply::new("You had no saved notebooks or tables."),
        WorkDeletion::Deleted(count) => Reply::new(format!(
            "Your saved notebooks and tables were deleted ({}).",
            count_of(*count, "file")
        )),
        WorkDeletion::InUse(live) => {
            return Reply::new(format!(
                "Nothing was deleted, because {} would save again. Stop it first with `/duck stop`.",
                named(live)
            ));
        }
        WorkDeletion::NoKeys => {
            return Reply::new(
                "Nothing was deleted: that needs your S3 credentials, and none are saved. Enter them with \
                 `/duck setup`, then run `/duck forget` again.",
            );
        }
        WorkDeletion::Failed(failure) => Reply::new(format!(
            "Not all of your saved notebooks and tables could be deleted: {}",
            not_saved(failure)
        )),
    };
    let text = format!("{} Your credentials are still saved.", reply.text);
    Reply { text, ..reply }.with(Emphasis::Danger, "Delete credentials", Button::AskToForget)
}

/// Progress while sessions are stopped after their owner's credentials were deleted.
pub(crate) fn stopping_all(live: &[Observed]) -> Reply {
    Reply::new(format!("{DELETED} Stopping {}…", named(live)))
}

/// Confirms that credentials were not deleted.
pub(crate) fn credentials_kept() -> Reply {
    Reply::new("Your credentials were not deleted.")
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
        text: format!("{DELETED} A session could not be stopped. {}", trouble.text),
        ..trouble
    }
}

/// Adds a button to delete stored credentials, for a person who may no longer use the bot.
pub(crate) fn with_forget_button(rejection: Reply) -> Reply {
    let text = format!("{}\nYour credentials are still saved.", rejection.text);
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
    Reply::new("None of your sessions uses previous credentials, so nothing was restarted.")
}

/// Warns the owner before the credentials of a running session expire.
pub(crate) fn credentials_expire(record: &Record, at: DateTime<Utc>) -> Reply {
    let also = if record.keeps_work {
        " and can't save your work"
    } else {
        ""
    };
    let text = format!(
        "<@{}> The credentials of your session {} **expire {}**. After that, the session \
         can't read any tables{also}. Enter new credentials: a running session usually takes them \
         without a restart.",
        record.owner,
        session_name(record),
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

const DELETED: &str = "Your saved credentials were deleted.";

/// Credentials as the subject of a sentence.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) were: &'static str,
    pub(super) they: &'static str,
    pub(super) have: &'static str,
}

pub(super) fn subject(about: &CredentialMetadata) -> Subject {
    let Some(keys) = &about.s3 else {
        return Subject {
            name: part_name(CredentialPart::CatalogToken).to_owned(),
            were: "was",
            they: "It",
            have: "has",
        };
    };
    let mut name = part_name(CredentialPart::S3Keys).to_owned();
    if !keys.hint.0.is_empty() {
        let _ = write!(name, " (access key ID ending in `{}`)", keys.hint.0);
    }
    if about.catalog_token.is_some() {
        name += " and your catalog token";
    }
    Subject {
        name,
        were: "were",
        they: "They",
        have: "have",
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

pub(super) fn sessions(sessions: &[Observed]) -> String {
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
