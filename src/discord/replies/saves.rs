//! Replies to saving work, and lists of saves.

use std::fmt::Write;

use super::{
    format::{code, relative_time, session_name},
    reply::{Emphasis, MAX_ROWS, ROW_BUTTONS, Reply},
    work::{contents, not_saved, saved, size},
};
use crate::{
    discord::{buttons::Button, start_options::StartOptions},
    service::Saves,
    session::{Record, Restore, SaveSummary, WorkOutcome, Workspace},
};

/// Progress of `/duck save`.
pub(crate) fn saving(record: &Record) -> Reply {
    Reply::new(format!(
        "Saving the work of session {}…",
        session_name(record)
    ))
}

/// Reply to `/duck save`, and true if all work is saved. `outcome` is `None` if the work of the session
/// is not kept.
pub(crate) fn save_outcome(record: &Record, outcome: Option<&WorkOutcome>) -> (Reply, bool) {
    let name = session_name(record);
    let again = Button::Save(record.id.clone());
    let with_again = |text| Reply::new(text).with(Emphasis::Secondary, "Try again", again);
    match outcome {
        None => {
            let set_up = setting_advice(&record.catalog);
            let text = format!(
                "The work of session {name} is not saved: its tables and notebooks are lost when it ends. \
                 Write what you want to keep to the catalog, or to files in S3.{set_up}"
            );
            (Reply::new(text), false)
        }
        Some(WorkOutcome::Saved(save)) if record.workspace.is_main() => {
            (Reply::new(saved(save)), true)
        }
        Some(WorkOutcome::Saved(save)) => {
            let text = format!("Session {name}: {}", saved(save));
            (Reply::new(text), true)
        }
        Some(WorkOutcome::Nothing) => {
            let text = format!("Session {name} has no notebooks or tables of its own to save yet.");
            (Reply::new(text), true)
        }
        Some(WorkOutcome::NotSaved { failure, last }) => {
            let last = last.map_or_else(String::new, |at| {
                format!("\nIts last save is of {}.", relative_time(at))
            });
            let text = format!(
                "The work of session {name} **could not be saved:** {}{last}",
                not_saved(failure)
            );
            (with_again(text), false)
        }
        Some(WorkOutcome::NoAnswer) => {
            let text = format!(
                "Session {name} did not answer, so I don't know whether its work is saved. Try again in a \
                 minute. If this happens again, tell an admin."
            );
            (with_again(text), false)
        }
    }
}

/// Names the setting with which work is saved, after another sentence. A URL as a catalog has none.
fn setting_advice(catalog: &str) -> String {
    if catalog.contains(':') {
        String::new()
    } else {
        format!(" An admin can set that up (`catalogs.{catalog}.work`).")
    }
}

/// Reply to a text that is not the number of a save.
pub(crate) fn invalid_save(given: &str) -> Reply {
    Reply::new(format!(
        "`{}` is not the number of a save. `/duck restore` without a number shows your saves.",
        code(given, 41)
    ))
}

/// Lists the saves of a workspace, each with a button that starts a session with it. `wanted` is the
/// number of a save that does not exist.
pub(crate) fn saves(
    saves: &Saves,
    workspace: &Workspace,
    wanted: Option<u32>,
    options: &StartOptions,
) -> Reply {
    let saves = match saves {
        Saves::Found(saves) => saves,
        Saves::NotKept(catalog) => {
            return Reply::new(format!(
                "Work on the catalog `{catalog}` is not saved, so there is nothing to restore.{}",
                setting_advice(catalog)
            ));
        }
        Saves::Failed(failure) => {
            return Reply::new(format!("I can't read your saves: {}", not_saved(failure)));
        }
    };
    let missing = wanted.map_or_else(String::new, |number| format!("There is no save {number}. "));
    if saves.is_empty() {
        return Reply::new(format!(
            "{missing}Your workspace **{workspace}** has no saved work."
        ));
    }
    let mut text = format!("{missing}The saves of your workspace **{workspace}**, newest first:");
    for save in saves {
        let _ = write!(
            text,
            "\n- {}: {}, {}, {}",
            save.number,
            relative_time(save.at),
            contents(save),
            size(save.bytes)
        );
    }
    let shown = saves.iter().take(MAX_ROWS * ROW_BUTTONS);
    shown.fold(Reply::new(text), |reply, save| {
        let options = StartOptions {
            restore: Restore::Save(save.number),
            ..options.clone()
        };
        let label = format!("Restore {}", save.number);
        reply.with(Emphasis::Secondary, label, Button::StartAnother(options))
    })
}

/// Describes a save in one line without Markdown.
pub(crate) fn describe_save(save: &SaveSummary) -> String {
    format!(
        "{}: {}, {}, {}",
        save.number,
        save.at.format("%Y-%m-%d %H:%M UTC"),
        contents(save),
        size(save.bytes)
    )
}
