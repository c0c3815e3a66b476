//! The picture under a result, its menu, and the sentences about it.

use chart::Choice;

use super::{
    format::{code, count_of},
    reply::{File, Menu, MenuEntry, Reply, shorten},
};
use crate::{
    discord::{
        buttons::Button,
        charts::{ChartError, Picture, WantedChart},
    },
    runtime::Rows,
};

/// Hint of the menu under a picture.
const MENU_HINT: &str = "Another chart";
/// Maximum length of an entry's label.
const MAX_LABEL_CHARS: usize = 100;

/// Adds a picture below a result.
pub(super) fn with_picture(mut reply: Reply, picture: &Picture) -> Reply {
    reply.files.push(File {
        alt: Some(picture.drawing.alt.clone()),
        ..File::new("chart.png", picture.png.clone())
    });
    let choices = picture.choices.iter().cloned();
    let others = choices.filter(|(choice, _)| *choice != picture.choice);
    reply.menu = chart_menu(others);
    reply
}

/// Offers charts, each with its label.
pub(crate) fn chart_menu(choices: impl Iterator<Item = (Choice, String)>) -> Option<Menu> {
    let entries = choices.map(|(choice, label)| MenuEntry {
        button: Button::DrawAs(choice),
        label: shorten(&label, MAX_LABEL_CHARS),
        description: None,
    });
    let entries: Vec<_> = entries.collect();
    (!entries.is_empty()).then_some(Menu {
        hint: MENU_HINT,
        entries,
    })
}

/// Returns sentences about the differences between a picture and the rows.
pub(super) fn chart_notes(picture: &Picture, rows: &Rows) -> String {
    let held = rows.rows.len();
    let part = if rows.more {
        format!(
            " The chart shows the first {}; the result has more.",
            count_of(held, "row")
        )
    } else if held < rows.count() {
        // All rows are only in the Parquet file.
        format!(" The chart shows the first {}.", count_of(held, "row"))
    } else {
        String::new()
    };
    let notes = picture.drawing.notes.iter().map(|note| format!(" {note}"));
    part + &notes.collect::<String>()
}

/// Says why there is no chart.
pub(super) fn no_chart(why: &ChartError) -> String {
    let why = match why {
        ChartError::NoChart(why) => why,
        ChartError::Failed { reference } => {
            return format!(
                " The chart could not be drawn; the result is complete. (Reference: `{reference}`)"
            );
        }
    };
    format!(" There is no chart, because {why}.")
}

/// Refuses a chart of another kind.
pub(crate) fn unknown_chart(typed: &str) -> Reply {
    let names: Vec<_> = WantedChart::NAMES
        .iter()
        .map(|it| format!("`{it}`"))
        .collect();
    let (last, first) = names.split_last().expect("there are names");
    Reply::new(format!(
        "Nothing ran, because `{}` is not a kind of chart here. Use {} or {last}.",
        code(typed, 40),
        first.join(", ")
    ))
}
