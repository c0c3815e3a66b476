//! The file under a result, and the sentences about it.

use super::{
    format::code,
    query_errors::QueryContext,
    reply::{File, Reply},
};
use crate::{
    discord::{charts, file_format::FileFormat, table},
    runtime::{Parquet, QueryResponse, Rows},
};

/// Maximum length of the words in the name of a file.
const MAX_FILE_NAME_CHARS: usize = 48;
/// Maximum number of columns in the sentence about types.
const MAX_CHANGED: usize = 3;
/// Maximum length of a name or type in that sentence.
const MAX_TYPE_CHARS: usize = 30;

/// Returns the formats in which an answer can still be had. `reply` is the reply with it.
pub(crate) fn downloads(answer: &QueryResponse, reply: &Reply) -> Vec<FileFormat> {
    let QueryResponse::Rows(rows) = answer else {
        return Vec::new();
    };
    // A statement with effects must not run again for a file.
    if rows.has_effects || !reply.is_answer() {
        return Vec::new();
    }
    let has_csv = reply.files.iter().any(|file| file.name.ends_with(".csv"));
    let is_left = |format: &FileFormat| match format {
        FileFormat::Csv => !has_csv,
        FileFormat::Parquet => rows.parquet.is_none(),
    };
    FileFormat::ALL.into_iter().filter(is_left).collect()
}

/// Returns true if an answer can be had as a chart. `reply` is the reply with it.
pub(crate) fn has_chart(answer: &QueryResponse, reply: &Reply) -> bool {
    match answer {
        QueryResponse::Rows(rows) => {
            !rows.has_effects && reply.is_answer() && charts::can_draw(rows)
        }
        _ => false,
    }
}

/// Returns the file with the rows, named after the query.
pub(super) fn result_file(sql: &str, rows: &Rows) -> File {
    match &rows.parquet {
        Some(Parquet::File(file)) => File::new(
            file_name(sql, rows, FileFormat::Parquet),
            file.content.clone(),
        ),
        _ => File::new(file_name(sql, rows, FileFormat::Csv), table::csv(rows)),
    }
}

/// Returns what the person should know about the file that they asked for.
pub(super) fn wanted_file_note(question: &QueryContext<'_>, rows: &Rows) -> String {
    if question.file != Some(FileFormat::Parquet) {
        return String::new();
    }
    let mut note = String::new();
    let reason = match &rows.parquet {
        Some(Parquet::File(file)) => {
            let changed = file.changed.iter().take(MAX_CHANGED).map(|it| {
                let [column, kind, in_file] =
                    [&it.column, &it.kind, &it.in_file].map(|text| code(text, MAX_TYPE_CHARS));
                format!("`{column}` is `{in_file}` instead of `{kind}`")
            });
            let changed: Vec<_> = changed.collect();
            if !changed.is_empty() {
                let others = match file.changed.len().saturating_sub(MAX_CHANGED) {
                    0 => String::new(),
                    count => format!(", and {count} more"),
                };
                note += &format!(
                    " Parquet lacks some types, so {}{others}.",
                    changed.join(", ")
                );
            }
            return note;
        }
        Some(Parquet::Failed(error)) => {
            format!(
                "DuckDB can't write these rows as Parquet: `{}`",
                code(error, 200)
            )
        }
        Some(Parquet::TooLarge) => {
            "a Parquet file with these rows is too large for the chat".to_owned()
        }
        Some(Parquet::HasSecrets) => {
            "the rows contain your credentials, which I can remove only from text".to_owned()
        }
        Some(Parquet::NotSelect) => "Parquet works only for a `SELECT`".to_owned(),
        None => {
            "this session is from before an upgrade of the bot, and can't write Parquet (a new \
            one can: `/duck start`)"
                .to_owned()
        }
    };
    note + &format!(" The file is CSV, because {reason}.")
}

/// Returns what the person should know about the values of a CSV file, if anything.
pub(super) fn formula_note(rows: &Rows) -> &'static str {
    if !has_parquet(rows) && table::has_formula(rows) {
        " In it, `'` begins each text that a spreadsheet would take for a formula."
    } else {
        ""
    }
}

fn has_parquet(rows: &Rows) -> bool {
    matches!(rows.parquet, Some(Parquet::File(_)))
}

/// Names the file after the query, and after the number of its rows if the result has more.
fn file_name(sql: &str, rows: &Rows, format: FileFormat) -> String {
    let words = sql.split(|c: char| !c.is_ascii_alphanumeric());
    let mut name = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        if name.len() + word.len() > MAX_FILE_NAME_CHARS {
            break;
        }
        name += &word;
        name.push('-');
    }
    if rows.more {
        name += &format!("first-{}-rows", rows.count());
    }
    let name = match name.trim_end_matches('-') {
        "" => "answer",
        name => name,
    };
    format!("{name}.{}", format.name())
}
