//! The reply that shows what a person typed in the form for a schedule, so that it can be corrected.

use super::{
    FORMAT_LABEL, ONLY_IF_LABEL, WHEN_LABEL, ZONE_LABEL,
    reply::{Emphasis, File, MAX_MESSAGE_CHARS, Reply, message_len, shorten},
};
use crate::{
    discord::{
        buttons::Button,
        schedule_buttons::ScheduleButton,
        schedule_form::{ScheduleDraft, ScheduleTarget},
        table::clean,
    },
    history::QueryId,
};

/// Maximum length of the part of a long query that is shown.
const MAX_PART_CHARS: usize = 350;
/// Characters kept free for the code fences and the sentences below them.
const FRAME_CHARS: usize = 250;
const QUERY_FENCE: &str = "```sql\n";

/// Adds to a reply what was typed, with a button that opens the form again. A query that the message
/// can't show whole is in the person's history if `is_kept`, or else in a file.
pub(crate) fn with_draft(
    why: Reply,
    draft: &ScheduleDraft,
    target: ScheduleTarget,
    is_kept: bool,
) -> Reply {
    let fields = fields(draft);
    let used = message_len(&why.text) + message_len(&fields) + FRAME_CHARS;
    let room = MAX_MESSAGE_CHARS.saturating_sub(used);
    let is_shown = shows_whole(&draft.query, room);
    let query = shorten(
        &cleaned(&draft.query),
        if is_shown {
            room
        } else {
            room.min(MAX_PART_CHARS)
        },
    );
    let (note, files) = match (is_shown, is_kept) {
        (true, _) => ("", Vec::new()),
        (false, true) => (" The form has the whole query.", Vec::new()),
        (false, false) => (
            " The query is in the attached file. Paste it into the form again.",
            vec![File::new("query.sql", draft.query.as_str())],
        ),
    };
    let not_done = match target.replaces {
        None => "Nothing was scheduled yet.",
        Some(_) => "Nothing was changed yet.",
    };
    let button = ScheduleButton::EditForm {
        target,
        stored: (!is_shown && is_kept).then(|| QueryId::of(draft.query.trim())),
    };
    let text = format!(
        "{}\n{QUERY_FENCE}{query}\n```\n```\n{fields}```\n{not_done} Press **Edit** to \
         change this and to send it again.{note}",
        why.text
    );
    Reply { text, files, ..why }.with(Emphasis::Primary, "Edit", Button::Schedules(button))
}

/// Returns true if [`with_draft`] can't show this query whole after `why`, and without a history has it
/// as a file.
pub(crate) fn is_long_draft(why: &Reply, draft: &ScheduleDraft) -> bool {
    let used = message_len(&why.text) + message_len(&fields(draft)) + FRAME_CHARS;
    !shows_whole(&draft.query, MAX_MESSAGE_CHARS.saturating_sub(used))
}

/// Reads the draft that a message of [`with_draft`] shows. The query may be a part only.
pub(crate) fn draft_in(text: &str) -> Option<ScheduleDraft> {
    // Typed texts are cleaned of backticks, so only the fences can match.
    let (_, rest) = text.split_once(QUERY_FENCE)?;
    let (query, rest) = rest.split_once("\n```\n```\n")?;
    let (fields, _) = rest.split_once("```")?;
    let value = |label: &str| {
        let mut lines = fields.lines();
        let value = lines.find_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_owned()
    };
    Some(ScheduleDraft {
        query: query.to_owned(),
        when: value(WHEN_LABEL),
        zone: value(ZONE_LABEL),
        format: value(FORMAT_LABEL),
        condition: value(ONLY_IF_LABEL),
    })
}

fn fields(draft: &ScheduleDraft) -> String {
    let lines = [
        (WHEN_LABEL, &draft.when),
        (ZONE_LABEL, &draft.zone),
        (FORMAT_LABEL, &draft.format),
        (ONLY_IF_LABEL, &draft.condition),
    ];
    let lines = lines.map(|(label, value)| format!("{label}: {}\n", clean(value.trim())));
    lines.concat()
}

fn shows_whole(query: &str, room: usize) -> bool {
    cleaned(query) == query.trim() && message_len(query) <= room
}

fn cleaned(query: &str) -> String {
    let lines: Vec<_> = query.trim().lines().map(clean).collect();
    lines.join("\n")
}

/// Tells a person that no form for a schedule opens in direct messages.
pub(crate) fn schedule_needs_channel() -> Reply {
    Reply::new(
        "A schedule posts in a channel of the server. Run `/duck schedule` in that channel, or with the \
         option `channel`.",
    )
}

/// Tells a person that a query is too long for the form for a schedule.
pub(crate) fn too_long_to_schedule() -> Reply {
    Reply::new(
        "This query is too long for a schedule, which can have up to 4,000 characters. Shorten it, for \
         example with a view in your catalog, then run `/duck schedule`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(query: &str) -> ScheduleDraft {
        ScheduleDraft {
            query: query.into(),
            when: "every full moon".into(),
            zone: String::new(),
            format: "table".into(),
            condition: "> 100".into(),
        }
    }

    fn target() -> ScheduleTarget {
        ScheduleTarget {
            channel: 7.into(),
            catalog: None,
            replaces: None,
        }
    }

    fn button(reply: &Reply) -> Option<QueryId> {
        match &reply.buttons.last().expect("a button").button {
            Button::Schedules(ScheduleButton::EditForm { stored, .. }) => stored.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_draft_is_read_back_from_its_reply() {
        let typed = draft("SELECT day,\n  total -- all\nFROM orders");
        let reply = with_draft(Reply::new("No."), &typed, target(), true);
        assert!(button(&reply).is_none() && reply.files.is_empty());
        assert_eq!(draft_in(&reply.text), Some(typed));
        assert_eq!(draft_in("```sql\nSELECT 1\n```\n1 row"), None);
    }

    #[test]
    fn a_query_that_is_not_shown_whole_is_in_the_history_or_in_a_file() {
        for query in ["1, ".repeat(1300), "SELECT '`'".to_owned()] {
            let typed = draft(&query);
            let why = || Reply::new("é".repeat(500));
            assert!(is_long_draft(&why(), &typed));
            let kept = with_draft(why(), &typed, target(), true);
            assert_eq!(button(&kept), Some(QueryId::of(query.trim())));
            let in_file = with_draft(why(), &typed, target(), false);
            assert_eq!(in_file.files[0].content, query.as_bytes());
            for reply in [kept, in_file] {
                assert!(message_len(&reply.text) <= MAX_MESSAGE_CHARS);
                let read = draft_in(&reply.text).expect("a draft");
                assert_eq!(
                    (read.when, read.condition),
                    (typed.when.clone(), typed.condition.clone())
                );
            }
        }
    }
}
