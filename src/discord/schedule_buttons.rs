//! Buttons of schedules and their custom IDs. Pure.

use super::{access::Access, schedule_form::ScheduleTarget};
use crate::{history::QueryId, schedule::ScheduleId};

/// A button about schedules. Its custom ID holds all its data, so it works after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleButton {
    /// Opens the form for a schedule again, with what its message shows.
    EditForm {
        target: ScheduleTarget,
        /// Query in the person's history. `None`: the message shows it whole, or has it as a file.
        stored: Option<QueryId>,
    },
    /// Opens the form with the values of a schedule, to change them.
    Change(ScheduleId),
    /// Lists schedules, after this many.
    List(usize),
    /// Pauses all schedules.
    PauseAll,
    /// Lets all schedules run again.
    ResumeAll,
    /// Acts on a schedule.
    Act {
        action: ScheduleAction,
        id: ScheduleId,
        /// True if the message with the button is a notice, which stays as it is.
        is_notice: bool,
    },
}

/// An action on a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleAction {
    Show,
    Run,
    Pause,
    Resume,
    /// Asks whether to delete it.
    AskToDelete,
    Delete,
}

impl ScheduleAction {
    const ALL: [Self; 6] = [
        Self::Show,
        Self::Run,
        Self::Pause,
        Self::Resume,
        Self::AskToDelete,
        Self::Delete,
    ];

    /// Name in custom IDs.
    const fn name(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Run => "run",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::AskToDelete => "ask-to-delete",
            Self::Delete => "delete",
        }
    }
}

impl ScheduleButton {
    /// Custom ID of the button. At most 100 characters.
    pub fn custom_id(&self) -> String {
        match self {
            Self::EditForm { target, stored } => {
                let stored = stored.as_ref().map(QueryId::to_string);
                let stored = stored.unwrap_or_default();
                format!("duckbot:edit-schedule:{}:{stored}", target.id())
            }
            Self::Change(id) => format!("duckbot:change-schedule:{id}"),
            Self::List(after) => format!("duckbot:schedules:{after}"),
            Self::PauseAll => "duckbot:pause-schedules".into(),
            Self::ResumeAll => "duckbot:resume-schedules".into(),
            Self::Act {
                action,
                id,
                is_notice,
            } => {
                let kind = if *is_notice { "notice" } else { "card" };
                format!("duckbot:schedule-{kind}:{}:{id}", action.name())
            }
        }
    }

    /// Parses the parts of a custom ID.
    pub(super) fn parse(parts: &[&str]) -> Option<Self> {
        Some(match *parts {
            [
                "duckbot",
                "edit-schedule",
                channel,
                catalog,
                replaces,
                stored,
            ] => Self::EditForm {
                target: ScheduleTarget::parse(channel, catalog, replaces)?,
                stored: match stored {
                    "" => None,
                    stored => Some(stored.parse().ok()?),
                },
            },
            ["duckbot", "change-schedule", id] => Self::Change(id.parse().ok()?),
            ["duckbot", "schedules", after] => Self::List(after.parse().ok()?),
            ["duckbot", "pause-schedules"] => Self::PauseAll,
            ["duckbot", "resume-schedules"] => Self::ResumeAll,
            [
                "duckbot",
                kind @ ("schedule-card" | "schedule-notice"),
                name,
                id,
            ] => Self::Act {
                action: ScheduleAction::ALL
                    .into_iter()
                    .find(|it| it.name() == name)?,
                id: id.parse().ok()?,
                is_notice: kind == "schedule-notice",
            },
            _ => return None,
        })
    }

    /// Returns true if the message with the button stays as it is.
    pub(super) fn has_separate_reply(&self) -> bool {
        match self {
            Self::EditForm { .. } | Self::Change(_) => true,
            Self::Act { is_notice, .. } => *is_notice,
            Self::List(_) | Self::PauseAll | Self::ResumeAll => false,
        }
    }

    /// People who may press the button. Everybody may see, pause and delete what is theirs.
    pub(super) fn access(&self) -> Access {
        match self {
            Self::Act { action, .. } => match action {
                ScheduleAction::Run | ScheduleAction::Resume => Access::Members,
                ScheduleAction::Show
                | ScheduleAction::Pause
                | ScheduleAction::AskToDelete
                | ScheduleAction::Delete => Access::Owners,
            },
            Self::List(_) => Access::Owners,
            Self::EditForm { .. } | Self::Change(_) | Self::PauseAll | Self::ResumeAll => {
                Access::Members
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::MAX_NAME_BYTES;

    #[test]
    fn a_button_is_read_back_from_its_id() {
        let target = |catalog| ScheduleTarget {
            channel: u64::MAX.into(),
            catalog,
            replaces: Some("977a26".parse().expect("an ID")),
        };
        let act = |is_notice| {
            move |action| ScheduleButton::Act {
                action,
                id: "977a26".parse().expect("an ID"),
                is_notice,
            }
        };
        let acts = ScheduleAction::ALL.into_iter();
        let acts = acts.clone().map(act(true)).chain(acts.map(act(false)));
        let others = [
            ScheduleButton::EditForm {
                target: target(Some("n".repeat(MAX_NAME_BYTES))),
                stored: Some(QueryId::of("SELECT 1")),
            },
            ScheduleButton::EditForm {
                target: target(None),
                stored: None,
            },
            ScheduleButton::Change("977a26".parse().expect("an ID")),
            ScheduleButton::List(usize::MAX),
            ScheduleButton::PauseAll,
            ScheduleButton::ResumeAll,
        ];
        for button in others.into_iter().chain(acts) {
            let id = button.custom_id();
            assert!(id.len() <= 100, "{id}");
            let parts: Vec<_> = id.split(':').collect();
            assert_eq!(ScheduleButton::parse(&parts), Some(button));
        }
    }
}
