//! Replies about the text of a query: how it arrived, and how it is run or edited again.

use super::{
    answer::quote_query,
    format::{code, count_of, relative_time},
    query_errors::ANY_SESSION,
    reply::{Emphasis, File, Menu, MenuEntry, Reply, shorten},
};
use crate::{
    discord::{
        buttons::{Button, PastQueryRef},
        file_format::FileFormat,
        query_file::{MAX_FILE_BYTES, UnreadableFile},
        table::clean,
    },
    history::{MAX_QUERIES, PastOutcome, PastQuery},
    session::OwnerId,
    unicode::isolate,
};

/// Hint in a menu of queries before a choice.
const HISTORY_HINT: &str = "Choose a query";
/// Maximum length of a query in a menu. Discord allows 100 characters, and [`isolate`] may add two.
const MAX_ENTRY_CHARS: usize = 98;

/// Refuses a long query whose line breaks Discord has removed.
pub(crate) fn line_breaks_lost() -> Reply {
    Reply::new(
        "The query did not run, because Discord removes the line breaks in this option, so a comment \
         that begins with `--` would hide the rest. The query is too long for a form. Attach it as a \
         file with the option `file`, or write comments as `/* … */`.",
    )
}

/// Refuses a command with both a query and a file.
pub(crate) fn query_and_file() -> Reply {
    Reply::new(
        "Nothing ran, because the command has both `query` and `file`. Use only one of them.",
    )
}

/// Explains why an attached file was not read. `name` is the file's.
pub(crate) fn unreadable_file(name: &str, why: UnreadableFile) -> Reply {
    let name = code(name, 100);
    let limit = MAX_FILE_BYTES >> 10;
    Reply::new(match why {
        UnreadableFile::TooLarge(size) => format!(
            "Nothing ran, because `{name}` has {} KiB, and a file with a query has at most {limit} KiB. \
             Shorten the query, or run it in {ANY_SESSION}.",
            size.div_ceil(1024)
        ),
        UnreadableFile::NotText => format!(
            "Nothing ran, because `{name}` is not plain text in UTF-8. Save the query as UTF-8, and \
             attach it again."
        ),
        UnreadableFile::Unavailable => format!(
            "Nothing ran, because `{name}` can't be downloaded from Discord. Attach it again."
        ),
    })
}

/// Returns the query at the beginning of a reply, which may be shortened or cleaned.
pub(crate) fn quoted_query(text: &str) -> Option<&str> {
    let quoted = text.strip_prefix("```sql\n")?;
    quoted.split_once("\n```").map(|(sql, _)| sql)
}

/// Adds the query to a reply that does not have it.
pub(crate) fn with_query(sql: &str, reply: Reply) -> Reply {
    Reply {
        text: format!("{}\n{}", quote_query(sql), reply.text),
        ..reply
    }
}

/// Further forms in which a result can be had.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extras<'a> {
    pub chart: bool,
    pub downloads: &'a [FileFormat],
    /// True to offer the form for a schedule.
    pub schedule: bool,
}

/// Adds the buttons for a query that has ended.
pub(crate) fn with_query_buttons(
    reply: Reply,
    query: Option<PastQueryRef>,
    open: Option<Button>,
    extras: Extras<'_>,
) -> Reply {
    let reply = match &query {
        Some(query) => reply
            .with(
                Emphasis::Secondary,
                "Run again",
                Button::RunAgain(query.clone()),
            )
            .with(Emphasis::Secondary, "Edit", Button::Edit(query.clone())),
        None => reply,
    };
    // A custom ID must be unique in a message.
    let open = open.filter(|open| !reply.buttons.iter().any(|it| it.button == *open));
    let mut reply = match open {
        Some(open) => reply.with(Emphasis::Secondary, "Open", open),
        None => reply,
    };
    let Some(query) = query else {
        return reply;
    };
    if extras.schedule {
        let button = Button::Schedule(query.clone());
        reply = reply.with(Emphasis::Secondary, "Schedule…", button);
    }
    let first = reply.buttons.len();
    if extras.chart {
        let button = Button::Chart(query.clone());
        reply = reply.with(Emphasis::Secondary, "Chart", button);
    }
    for format in extras.downloads {
        let label = match format {
            FileFormat::Csv => "Download CSV",
            FileFormat::Parquet => "Download Parquet",
        };
        let button = Button::Download(query.clone(), *format);
        reply = reply.with(Emphasis::Secondary, label, button);
    }
    if let Some(button) = reply.buttons.get_mut(first) {
        button.starts_row = true;
    }
    reply
}

/// Refuses a file of another format.
pub(crate) fn unknown_format(typed: &str) -> Reply {
    let names: Vec<_> = FileFormat::ALL.map(|it| format!("`{}`", it.name())).into();
    Reply::new(format!(
        "Nothing ran, because `{}` is not a format of files here. Use {}.",
        code(typed, 40),
        names.join(" or ")
    ))
}

/// Tells a person that a query is another person's.
pub(crate) fn not_your_query(owner: OwnerId) -> Reply {
    Reply::new(format!(
        "Only <@{owner}> can run or edit this query with these buttons. Copy it into `/duck sql` to run \
         it yourself."
    ))
}

/// Tells a person that the text of a query is not stored any more.
pub(crate) fn query_gone() -> Reply {
    Reply::new(format!(
        "This query is not saved any more. `/duck history` has your last {MAX_QUERIES} queries."
    ))
}

/// Tells a person that a query was not read before Discord's deadline.
pub(crate) fn query_not_read_in_time() -> Reply {
    Reply::new("The query could not be read in time. Press **Edit** again.")
}

/// Gives a person the query that does not fit into a form, as a file.
pub(crate) fn too_long_to_edit(sql: &str) -> Reply {
    Reply {
        files: vec![File::new("query.sql", sql)],
        ..Reply::new(
            "This query is too long for a form. Edit the attached file, and run it with `/duck sql` and \
             the option `file`.",
        )
    }
}

/// Shows a person's past queries as a menu, and the chosen one with its buttons. `is_kept` says
/// that new ones are stored.
pub(crate) fn history(
    owner: OwnerId,
    queries: &[PastQuery],
    chosen: Option<&PastQuery>,
    is_kept: bool,
) -> Reply {
    let off = if is_kept {
        ""
    } else {
        " New queries are not saved, because an admin turned that off."
    };
    if queries.is_empty() {
        return Reply::new(format!(
            "You have no past queries.{off} Ask something with `/duck sql`."
        ));
    }
    let reply = match chosen {
        None => Reply::new(format!(
            "Choose one of your past queries to see it, and to run or edit it again. The newest comes \
             first.{off}"
        )),
        Some(query) => {
            let text = format!(
                "{}\n{}, {}.",
                quote_query(&query.sql),
                past_outcome(query.outcome),
                relative_time(query.at)
            );
            let is_shown = quoted_query(&text) == Some(&query.sql);
            let buttons = PastQueryRef {
                owner,
                stored: (!is_shown).then(|| query.id()),
                session: None,
                catalog: query.catalog.clone(),
            };
            with_query_buttons(Reply::new(text), Some(buttons), None, Extras::default())
        }
    };
    let entry = |query: &PastQuery| MenuEntry {
        button: Button::ShowPastQuery(query.id()),
        label: isolate(shorten(&clean(&one_line(&query.sql)), MAX_ENTRY_CHARS)),
        description: Some(format!(
            "{}, {}",
            past_outcome(query.outcome),
            query.at.format("%Y-%m-%d %H:%M UTC")
        )),
    };
    let entries: Vec<_> = queries.iter().take(MAX_QUERIES).map(entry).collect();
    Reply {
        menu: (!entries.is_empty()).then_some(Menu {
            hint: HISTORY_HINT,
            entries,
        }),
        ..reply.with(Emphasis::Danger, "Delete all", Button::DeleteHistory)
    }
}

/// Confirms that a person's past queries were deleted.
pub(crate) fn history_deleted() -> Reply {
    Reply::new("Your past queries are deleted.")
}

/// Offers to delete past queries to a person who has no credentials to delete.
pub(crate) fn only_queries() -> Reply {
    Reply::new("You have no saved credentials. Delete your past queries?").with(
        Emphasis::Danger,
        "Delete all",
        Button::DeleteHistory,
    )
}

/// Adds a button to delete past queries, for a person who may no longer use the bot.
pub(crate) fn with_delete_button(rejection: Reply) -> Reply {
    let text = format!("{}\nYour past queries are still saved.", rejection.text);
    Reply { text, ..rejection }.with(Emphasis::Danger, "Delete them", Button::DeleteHistory)
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn past_outcome(outcome: PastOutcome) -> String {
    match outcome {
        PastOutcome::Rows { count, more: false } => count_of(count, "row"),
        PastOutcome::Rows { count, more: true } => format!("More than {}", count_of(count, "row")),
        PastOutcome::Done => "Done".to_owned(),
        PastOutcome::Cancelled => "Cancelled".to_owned(),
        PastOutcome::TimedOut => "Time limit reached".to_owned(),
        PastOutcome::NotRun => "Did not run".to_owned(),
        PastOutcome::Error => "Error".to_owned(),
        PastOutcome::Failed => "Failed".to_owned(),
    }
}
