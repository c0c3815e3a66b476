//! Replies about workspaces.

use super::{
    format::code,
    reply::{Emphasis, Reply},
};
use crate::{
    discord::buttons::Button,
    session::{InvalidId, Restore, SessionId, Workspace},
};

/// Reply to a text that can't be the name of a workspace.
pub(crate) fn invalid_workspace(given: &str, why: &InvalidId) -> Reply {
    Reply::new(format!(
        "`{}` can't be the name of a workspace: {why}.",
        code(given, 41)
    ))
}

/// Says that the record of a session can't be read. `record` names it.
pub(super) fn unreadable_record(record: &str) -> String {
    format!("I can't read {record}. Try again in a minute. If this happens again, tell an admin.")
}

/// Explains that a workspace has a session. `id` is the name of an object if its record can't be read.
pub(super) fn workspace_in_use(
    workspace: &Workspace,
    id: &str,
    is_stopping: bool,
    restore: Restore,
) -> Reply {
    let Ok(session) = id.parse::<SessionId>() else {
        let why = unreadable_record(&format!("its record `{id}`"));
        return Reply::new(format!(
            "Your workspace **{workspace}** has a session, but {why}"
        ));
    };
    if is_stopping {
        return Reply::new(format!(
            "Session `{session}` in your workspace **{workspace}** is still being stopped. Try again \
             in a minute."
        ));
    }
    let next = match restore {
        Restore::Latest => " Open it, stop it, or choose another `workspace`.",
        Restore::Nothing => " To start it without saved work, first stop that session.",
        Restore::Save(_) => " To restore a save, first stop that session.",
    };
    let text = format!("Your workspace **{workspace}** is open in session `{session}`.{next}");
    let open = (Emphasis::Primary, "Open", Button::Open(session.clone()));
    let stop = (Emphasis::Danger, "Stop", Button::AskToStop(session.clone()));
    Reply::new(text).with_session_row(&session, false, [open, stop])
}
