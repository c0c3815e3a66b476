//! Replies after credentials were stored, and about the sessions that take them.

use super::{
    credentials::{Subject, sessions, subject},
    expiry_label,
    format::{count_of, plain, session_name},
    kept::{all_keep_work, save_trial},
    reply::{Emphasis, Reply},
    schedules::with_list_button,
};
use crate::{
    credentials::{CredentialPart, ExpiryNote},
    discord::{buttons::Button, start_options::StartOptions},
    service::SetupOutcome,
    session::{Record, Renewal},
};

/// Confirms that credentials were stored, and says which sessions have them. If no session has, a
/// button starts one.
pub(crate) fn stored(
    outcome: &SetupOutcome,
    note: Option<ExpiryNote>,
    required: CredentialPart,
    catalog: Option<String>,
) -> Reply {
    let mut reply = saved(outcome, note, required);
    if outcome.renewals.is_empty() {
        let options = StartOptions {
            catalog,
            ..StartOptions::default()
        };
        reply = reply.with_start("Start a session", options);
    }
    if outcome.paused_schedules > 0 {
        reply = with_list_button(reply);
    }
    reply
}

/// Confirms that credentials were stored, and says which sessions have them.
pub(crate) fn saved(
    outcome: &SetupOutcome,
    note: Option<ExpiryNote>,
    required: CredentialPart,
) -> Reply {
    let Subject { name, were, .. } = subject(&outcome.entered);
    let tried = if outcome.is_tried {
        "checked and saved"
    } else {
        "saved without a check"
    };
    let mut text = format!("Your {name} {were} {tried}.");
    text += &save_trial(outcome.saves_work.as_ref());
    text += &match note {
        Some(ExpiryNote::ReadAsUtc) => {
            " The time of expiry in your paste has no time zone, so I read it as UTC.".to_owned()
        }
        Some(ExpiryNote::NotUnderstood) => format!(
            " I didn't understand the time of expiry in your paste, so I can't warn you before it. \
             To change that, paste again with a duration like `12h` in **{}**.",
            expiry_label(required)
        ),
        None => String::new(),
    };
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
    text += &paused_schedules(outcome.paused_schedules);
    let mut has_old = false;
    for (seen, renewal) in &outcome.renewals {
        if let Some((state, is_old)) = exception(renewal) {
            has_old |= is_old;
            text += &format!("\n- Session {} {state}", session_name(&seen.record));
        }
    }
    if has_old {
        let live = outcome.renewals.iter().map(|(seen, _)| &*seen.record);
        offer_restart(text, live)
    } else {
        Reply::new(text)
    }
}

/// Says that schedules were paused, after another sentence. Empty if there were none.
fn paused_schedules(count: usize) -> String {
    let (are, they, them) = match count {
        0 => return String::new(),
        1 => ("is", "it", "it"),
        _ => ("are", "they", "them"),
    };
    format!(
        "\n**{} {are} paused,** because {they} ran with your previous credentials. `/duck schedules` lets \
         {them} run with the new ones.",
        count_of(count, "schedule")
    )
}

/// Tells the owner that a session, now ready, keeps its previous credentials or lost its catalog.
/// Returns `None` if it simply uses the new ones.
pub(crate) fn not_renewed(record: &Record, renewal: &Renewal) -> Option<Reply> {
    let (state, is_old) = exception(renewal)?;
    let name = session_name(record);
    let text = format!("<@{}> Your session {name} {state}", record.owner);
    Some(if is_old {
        offer_restart(text, [record])
    } else {
        Reply::new(text)
    })
}

pub(super) fn offer_restart<'a>(
    text: String,
    records: impl IntoIterator<Item = &'a Record>,
) -> Reply {
    let text = text
        + if all_keep_work(records) {
            "\nA restart switches to the new credentials. Notebooks and tables are saved before it."
        } else {
            "\nA restart switches to the new credentials, but **tables and notebooks that are not \
             saved elsewhere will be lost.**"
        };
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
                "has your new credentials, but could not attach its catalog again: {}. In the session, run \
                 `FROM memory.problems`, then the statement that it shows. Or enter the credentials again.",
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
        Renewal::Incomplete => Some((
            "still uses your previous credentials: the new ones lack what its catalog requires."
                .to_owned(),
            false,
        )),
    }
}
