//! The points of a chart of a result: all rows, or fewer rows that DuckDB makes of them. Pure.

use chart::{Choice, Kind, Note};

use super::results::StoredResult;
use crate::duckdb::names::identifier;

/// Maximum number of rows of a chart. A chart has fewer points.
pub(super) const MAX_CHART_ROWS: u64 = 50_000;
/// Number of averages of a line, and of each of several lines.
const AVERAGES: u64 = 2000;
const AVERAGES_OF_SERIES: u64 = 500;
/// Maximum length of a value in a chart, in characters.
pub(super) const MAX_VALUE_CHARS: usize = 100;

/// Names of columns that no person chooses.
const BUCKET: &str = "\"duckbot bucket\"";
const ROW: &str = "\"duckbot row\"";

/// Rows of a chart, and the chart of these rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Points {
    pub sql: String,
    /// Name and type of each column.
    pub columns: Vec<(String, String)>,
    /// The choice, for these columns.
    pub choice: Choice,
    /// Sentence about the rows that were made fewer.
    pub note: Option<Note>,
}

/// Returns a query for a chart's rows. `choice` names columns of the result that exist.
pub(super) fn points(result: &StoredResult, choice: &Choice) -> Points {
    let (places, own) = narrow(choice);
    let columns = places.iter().map(|it| &result.columns[*it]);
    let columns = columns.map(|column| (column.name.clone(), column.kind.clone()));
    let mut points = Points {
        sql: String::new(),
        columns: columns.collect(),
        choice: own,
        note: None,
    };
    let count = usize::try_from(result.rows).unwrap_or(usize::MAX);
    let is_whole = result.rows <= MAX_CHART_ROWS;
    let rows = match choice.kind {
        _ if is_whole || result.hides_rowid() => {
            let page = result.page_sql(0, MAX_CHART_ROWS, None);
            page.unwrap_or_default()
        }
        Kind::Number => result.page_sql(0, 2, None).unwrap_or_default(),
        Kind::Bars => {
            points.note = Some(Note::Summed);
            sums(result, &points)
        }
        Kind::Line => {
            points.note = Some(Note::Averaged(count));
            averages(result, &mut points)
        }
        Kind::Scatter => {
            points.note = Some(Note::Thinned(count));
            let step = result.rows.div_ceil(MAX_CHART_ROWS);
            format!(
                "SELECT * FROM {} WHERE rowid % {step} = 0",
                result.sql_name()
            )
        }
    };
    let own = places.len();
    let values = points.columns.iter().enumerate().map(|(at, (name, _))| {
        let name = if at < own {
            identifier(name)
        } else {
            ROW.to_owned()
        };
        format!("left({name}::VARCHAR, {MAX_VALUE_CHARS})")
    });
    let values = values.collect::<Vec<_>>().join(", ");
    points.sql = format!("SELECT {values} FROM ({rows}) LIMIT {MAX_CHART_ROWS}");
    points
}

/// Returns the columns that a choice needs, and the choice for only these.
fn narrow(choice: &Choice) -> (Vec<usize>, Choice) {
    let all = choice
        .along
        .iter()
        .chain(&choice.numbers)
        .chain(&choice.series);
    let mut columns: Vec<usize> = all.copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let place = |column: &usize| columns.binary_search(column).unwrap_or_default();
    let own = Choice {
        kind: choice.kind,
        along: choice.along.as_ref().map(place),
        numbers: choice.numbers.iter().map(place).collect(),
        series: choice.series.as_ref().map(place),
    };
    (columns, own)
}

/// Adds up the numbers of each category, in the order in which these come first.
fn sums(result: &StoredResult, points: &Points) -> String {
    let names = points.columns.iter().map(|(name, _)| identifier(name));
    let values = names
        .enumerate()
        .map(|(at, name)| match points.choice.along {
            Some(along) if along == at => name,
            _ if points.columns[at].1 == "BIGNUM" => format!("sum({name}::DOUBLE) AS {name}"),
            _ => format!("sum({name}) AS {name}"),
        });
    let values = values.collect::<Vec<_>>().join(", ");
    let along = points
        .choice
        .along
        .map(|it| identifier(&points.columns[it].0));
    format!(
        "SELECT {values} FROM {} GROUP BY {} ORDER BY min(rowid)",
        result.sql_name(),
        along.unwrap_or_default()
    )
}

/// Averages neighbours along a line. A line along the rows gets a column with their numbers.
fn averages(result: &StoredResult, points: &mut Points) -> String {
    let name = |at: usize| identifier(&points.columns[at].0);
    let series = points.choice.series.map(name);
    let along = points.choice.along.map(name);
    let averages = match series {
        Some(_) => AVERAGES_OF_SERIES,
        None => AVERAGES,
    };
    let mut values: Vec<_> = (0..points.columns.len())
        .map(|at| match name(at) {
            it if Some(&it) == along.as_ref() => format!("min({it}) AS {it}"),
            it if Some(&it) == series.as_ref() => it,
            it => format!("avg({it}::DOUBLE) AS {it}"),
        })
        .collect();
    let table = result.sql_name();
    let order = along.clone().unwrap_or_else(|| "rowid".to_owned());
    if along.is_none() {
        points.choice.along = Some(points.columns.len());
        points.columns.push(("row".to_owned(), "BIGINT".to_owned()));
        values.push(format!("min(rowid) + 1 AS {ROW}"));
    }
    let partition = series.as_ref().map(|it| format!("PARTITION BY {it} "));
    let group = series.map(|it| format!("{it}, ")).unwrap_or_default();
    format!(
        "SELECT {} FROM (SELECT *, rowid, ntile({averages}) OVER ({}ORDER BY {order}) AS \
         {BUCKET} FROM {table} WHERE {order} IS NOT NULL) GROUP BY {group}{BUCKET} ORDER BY min({order})",
        values.join(", "),
        partition.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::console::results::Column;

    fn result(rows: u64) -> StoredResult {
        let mut result = StoredResult::new("r7".into(), "a", "1");
        let columns = [
            ("day", "DATE"),
            ("x", "INTEGER"),
            ("g\"", "VARCHAR"),
            ("y", "DOUBLE"),
        ];
        result.columns.extend(columns.map(|(name, kind)| Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
        }));
        result.rows = rows;
        result
    }

    fn all(rows: u64) -> String {
        let choices = [
            "line.0.3.2",
            "line.-.1.-",
            "bar.2.1.-",
            "scatter.1.3.-",
            "number.-.3.-",
        ];
        let all = choices.map(|choice| {
            let points = points(&result(rows), &choice.parse().expect("a choice"));
            let note = points.note.map(|it| it.to_string()).unwrap_or_default();
            format!("{choice} as {}: {note}\n{}\n", points.choice, points.sql)
        });
        all.concat()
    }

    #[test]
    fn only_the_columns_of_a_chart_are_read() {
        insta::assert_snapshot!(all(50_000));
    }

    #[test]
    fn many_rows_are_made_fewer() {
        insta::assert_snapshot!(all(1_000_000));
    }
}
