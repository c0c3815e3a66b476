//! Sentences about what becomes of a session's tables and notebooks.

use super::{
    format::{plain, relative_time},
    reply::Reply,
    work::{contents, not_restored, not_saved, saved, wrong_save},
};
use crate::{
    service::SaveTrial,
    session::{
        Failure, PutAside, Record, Restore, Restored, SaveFailureReason, WorkOutcome, WorkReport,
    },
};

/// Says that work is gone, of a session whose work is not saved.
const LOST: &str =
    "Tables and notebooks that were not saved elsewhere are lost. Data in S3 is safe.";

/// Says what a stop loses, before it.
pub(super) fn before_a_stop(record: &Record) -> &'static str {
    if record.keeps_work {
        "Your notebooks and tables are saved before that."
    } else {
        "Tables and notebooks that are not saved elsewhere will be lost. Data in S3 is safe."
    }
}

/// Returns true if the work of all these sessions is saved.
pub(super) fn all_keep_work<'a>(records: impl IntoIterator<Item = &'a Record>) -> bool {
    records.into_iter().all(|record| record.keeps_work)
}

/// Says what it loses if some of these sessions are stopped.
pub(super) fn if_some_are_stopped<'a>(
    records: impl IntoIterator<Item = &'a Record>,
) -> &'static str {
    if all_keep_work(records) {
        "Notebooks and tables are saved before a session is stopped."
    } else {
        "If a session is stopped, **tables and notebooks that are not saved elsewhere will be lost.**"
    }
}

/// Says what a stop loses, to a person who has to confirm it.
pub(super) fn if_stopped(record: &Record) -> String {
    let workspace = &record.workspace;
    if !record.keeps_work {
        "**Tables and notebooks that are not saved elsewhere will be lost.** Data in S3 is safe."
            .to_owned()
    } else if workspace.is_main() {
        "Its notebooks and tables are saved first, and the owner's next session begins with them."
            .to_owned()
    } else {
        format!(
            "Its notebooks and tables are saved first. The next session in the workspace **{workspace}** \
             begins with them."
        )
    }
}

/// Says what is kept of a session that starts again, because its Pod is gone for this reason.
pub(super) fn while_rescheduled(record: &Record, why: Failure) -> &'static str {
    match why {
        // The next process has the same folder.
        Failure::BotEnded => "Its notebooks and tables are kept.",
        _ if record.keeps_work => "It begins with its last save.",
        _ => LOST,
    }
}

/// Says what a session has that is ready: the restored work, or why there is none. Empty if there is
/// nothing to say.
pub(super) fn when_ready(record: &Record, report: Option<&WorkReport>) -> String {
    let moved = record.rescheduled.as_ref().filter(|_| record.was_ready());
    let Some(report) = report else {
        let moved = moved.map(|it| while_rescheduled(record, it.incident.failure));
        return moved.unwrap_or_default().to_owned();
    };
    let restored = match &report.restored {
        Restored::Nothing if moved.is_some() => {
            "It begins empty, because nothing was saved yet.".to_owned()
        }
        Restored::Nothing if record.restore == Restore::Nothing => {
            "It begins empty, as you asked. Your saved work is still there.".to_owned()
        }
        Restored::Nothing => String::new(),
        // What could not be opened is not here.
        Restored::Kept | Restored::Save(_) if !report.put_aside.is_empty() => String::new(),
        Restored::Kept => "Your notebooks and tables are still here.".to_owned(),
        Restored::Save(save) => format!(
            "Your work of {} is here: {}.",
            relative_time(save.at),
            contents(save)
        ),
        Restored::Failed { failure, .. } => {
            let (why, again) = match wrong_save(failure.reason) {
                Some(why) => (why.to_owned(), "To restore another save"),
                None => {
                    let why = format!("{} The save is still there.", not_restored(failure));
                    (why, "To try it again")
                }
            };
            format!(
                "**Your saved work could not be restored:** {why} {again}, stop this session first, then \
                 run `/duck restore`. Or continue here without it."
            )
        }
    };
    let mut sentences: Vec<_> = Some(restored)
        .filter(|it| !it.is_empty())
        .into_iter()
        .collect();
    for PutAside { is_notebooks, path } in &report.put_aside {
        let (what, without) = if *is_notebooks {
            ("notebooks", "the UI begins without them")
        } else {
            ("tables", "it begins with none")
        };
        sentences.push(format!(
            "**Your {what} could not be opened,** so {without}. The file is still in the session's \
             folder, as {}.",
            plain(path)
        ));
    }
    if !report.put_aside.is_empty() {
        sentences.push(
            "To go back to saved work, stop this session first, then run `/duck restore`."
                .to_owned(),
        );
    }
    if let Some(failure) = report
        .failure
        .as_ref()
        .filter(|it| it.reason == SaveFailureReason::NoKey)
    {
        sentences.push(format!("**Its work is not saved:** {}", not_saved(failure)));
    }
    sentences.join(" ")
}

/// Says when the work of a running session was last saved. Reasons of failures are about the owner's
/// credentials, so only the owner reads them.
pub(super) fn state_of_work(report: &WorkReport, is_owner: bool) -> String {
    let to_owner = |why: String| {
        if is_owner {
            why
        } else {
            "its owner reads why with `/duck status`.".to_owned()
        }
    };
    let changed = if report.is_changed {
        ", and has changed since"
    } else {
        ""
    };
    let state = match (&report.saved, &report.restored) {
        (Some(save), _) => format!(
            "Its work was saved {} ({}){changed}.",
            relative_time(save.at),
            contents(save)
        ),
        (None, Restored::Save(save)) => format!(
            "Its work was restored from the save of {} ({}){changed}.",
            relative_time(save.at),
            contents(save)
        ),
        (None, Restored::Failed { failure, .. }) => format!(
            "The saved work could not be restored: {} Changes in this session are not saved yet.",
            to_owner(not_restored(failure))
        ),
        (None, _) if report.is_changed => "Its work is not saved yet.".to_owned(),
        (None, _) => "It has no work to save.".to_owned(),
    };
    match &report.failure {
        Some(failure) => {
            let why = to_owner(not_saved(failure));
            format!("{state} The last save failed: {why}")
        }
        None => state,
    }
}

/// Says what is saved of a session that has ended, and what is lost. Empty if there is nothing to say.
pub(super) fn after_the_end(record: &Record) -> String {
    if !record.was_ready() {
        return String::new();
    }
    if !record.keeps_work {
        return LOST.to_owned();
    }
    match record.work_outcome() {
        Some(WorkOutcome::Saved(save)) => saved(save),
        Some(WorkOutcome::Nothing) => String::new(),
        Some(WorkOutcome::NotSaved { failure, last }) => {
            let since = last.map_or_else(
                || "What changed in this session is lost.".to_owned(),
                |last| format!("What changed since {} is lost.", relative_time(last)),
            );
            format!("**The last save failed:** {} {since}", not_saved(failure))
        }
        // Its Pod may have saved by itself when it ended.
        Some(WorkOutcome::NoAnswer) | None => {
            "What changed since its last save may be lost.".to_owned()
        }
    }
}

/// Says whether work can be saved with a person's credentials, after another sentence. Empty if that was
/// not tried.
pub(super) fn save_trial(trial: Option<&SaveTrial>) -> String {
    match trial {
        None => String::new(),
        Some(Err(failure)) if failure.reason == SaveFailureReason::Unavailable => format!(
            "\nI could not check whether your notebooks and tables can be saved: {}",
            not_saved(failure)
        ),
        Some(Ok(())) => " Your notebooks and tables are saved with them.".to_owned(),
        Some(Err(failure)) => format!(
            "\n**Your notebooks and tables can't be saved with them:** {} Everything else works.",
            not_saved(failure)
        ),
    }
}

/// Adds whether work can be saved to a reply about stored credentials.
pub(crate) fn with_save_trial(reply: Reply, trial: Option<&SaveTrial>) -> Reply {
    let text = format!("{}{}", reply.text, save_trial(trial));
    Reply { text, ..reply }
}

/// Returns a sentence after a space, or nothing.
pub(super) fn spaced(sentence: &str) -> String {
    match sentence {
        "" => String::new(),
        sentence => format!(" {sentence}"),
    }
}
