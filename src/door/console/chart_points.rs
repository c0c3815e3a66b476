//! The points of a chart of a result: all rows, or fewer rows that DuckDB makes of them. Pure.

use chart::{Choice, Kind, Note};

use super::results::StoredResult;
use crate::duckdb::names::identifier;

/// Maximum number of rows of a chart. A chart has fewer points.
pub(super) const MAX_CHART_ROWS: usize = 50_000;
/// Number of averages of a line, and of each of several lines.
const AVERAGES: u64 = 2000;
const AVERAGES_OF_SERIES: u64 = 500;
/// Maximum number of lines of which averages are made. A chart shows fewer.
pub(super) const MAX_SERIES: usize = 99;
/// Maximum length of a value in a chart, in characters.
pub(super) const MAX_VALUE_CHARS: usize = 100;

/// Rows of a chart, and the chart of these rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Points {
    pub sql: String,
    /// Name and type of each column.
    pub columns: Vec<(String, String)>,
    /// The choice, for these columns.
    pub choice: Choice,
    /// Sentences about the rows that were made fewer.
    pub notes: Vec<Note>,
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
        notes: Vec::new(),
    };
    let count = usize::try_from(result.rows).unwrap_or(usize::MAX);
    let is_whole = count <= MAX_CHART_ROWS;
    let rows = match choice.kind {
        _ if is_whole || result.hides_rowid() => {
            let page = result.page_sql(0, MAX_CHART_ROWS as u64, None);
            numbered(&points, &page.unwrap_or_default())
        }
        Kind::Number => {
            let page = result.page_sql(0, 2, None);
            numbered(&points, &page.unwrap_or_default())
        }
        Kind::Bars => {
            points.notes = vec![Note::Summed];
            sums(result, &points)
        }
        Kind::Line => {
            if choice.along.is_some() {
                points.notes.push(Note::Summed);
            }
            points.notes.push(Note::Averaged(count));
            averages(result, &mut points)
        }
        Kind::Scatter => {
            points.notes = vec![Note::Thinned(count)];
            let step = count.div_ceil(MAX_CHART_ROWS);
            let table = result.sql_name();
            numbered(
                &points,
                &format!("SELECT * FROM {table} WHERE rowid % {step} = 0"),
            )
        }
    };
    let values = (0..points.columns.len()).map(|at| {
        let text = format!("c{at}::VARCHAR");
        let is_category = points.choice.series == Some(at)
            || (choice.kind == Kind::Bars && points.choice.along == Some(at));
        // A name that is too long must not become another one, and a number without its end is another one. The
        // chart says that it leaves out what is infinite.
        let instead = if is_category {
            format!(
                "left({text}, {}) || '… ' || left(md5({text}), 8)",
                MAX_VALUE_CHARS - 10
            )
        } else {
            "'inf'".to_owned()
        };
        format!("CASE WHEN length({text}) > {MAX_VALUE_CHARS} THEN {instead} ELSE {text} END")
    });
    let values = values.collect::<Vec<_>>().join(", ");
    points.sql = format!("SELECT {values} FROM ({rows})");
    points
}

/// Returns a query for the columns of a chart as `c0`, `c1` and so on, of the rows of another query.
fn numbered(points: &Points, rows: &str) -> String {
    let names = points.columns.iter().enumerate();
    let names = names.map(|(at, (name, _))| format!("{} AS c{at}", identifier(name)));
    format!(
        "SELECT {} FROM ({rows})",
        names.collect::<Vec<_>>().join(", ")
    )
}

/// Returns a number as DOUBLE in SQL. One that is too large is infinite.
fn double(name: &str, kind: &str) -> String {
    match kind {
        // A cast of it would fail.
        "BIGNUM" => format!(
            "coalesce(TRY_CAST({name}::VARCHAR AS DOUBLE), CASE WHEN {name} IS NOT NULL THEN 'inf'::DOUBLE END)"
        ),
        _ => format!("{name}::DOUBLE"),
    }
}

/// Returns the sum of a column in SQL, exact unless it might be too large for DuckDB.
fn sum(name: &str, kind: &str) -> String {
    let width = kind
        .strip_prefix("DECIMAL(")
        .and_then(|it| it.split(',').next())
        .and_then(|it| it.parse::<u8>().ok());
    let is_exact = width.is_none_or(|it| it <= 32) && !kind.contains("HUGEINT") && kind != "BIGNUM";
    if is_exact {
        format!("sum({name})")
    } else {
        format!("sum({})", double(name, kind))
    }
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

/// Adds up the numbers of each category, the largest sums first: a chart shows these.
fn sums(result: &StoredResult, points: &Points) -> String {
    let along = points.choice.along.unwrap_or_default();
    let number = points.choice.numbers[0];
    let columns = points.columns.iter().enumerate();
    let (inner, outer): (Vec<_>, Vec<_>) = columns
        .map(|(at, (name, kind))| {
            let outer = if at == along {
                format!("v{at} AS c{at}")
            } else {
                format!("{} AS c{at}", sum(&format!("v{at}"), kind))
            };
            (format!("t.{} AS v{at}", identifier(name)), outer)
        })
        .unzip();
    // One category more tells that there are more.
    format!(
        "SELECT {} FROM (SELECT {}, t.rowid AS place FROM {} t) GROUP BY v{along} \
         ORDER BY c{number} DESC NULLS LAST, min(place) ASC LIMIT {}",
        outer.join(", "),
        inner.join(", "),
        result.sql_name(),
        MAX_CHART_ROWS + 1
    )
}

/// Averages neighbours along a line. Numbers of the same place are added up before, as in a chart of fewer rows. A
/// line along the rows gets a column with their numbers.
fn averages(result: &StoredResult, points: &mut Points) -> String {
    let name = |at: usize| format!("t.{}", identifier(&points.columns[at].0));
    let (along, series) = (points.choice.along, points.choice.series);
    let order = along.map_or_else(|| "t.rowid".to_owned(), name);
    let columns = points.columns.iter().enumerate();
    let (mut inner, mut outer): (Vec<_>, Vec<_>) = columns
        .map(|(at, (_, kind))| {
            if Some(at) == along {
                (
                    format!("{} AS v{at}", name(at)),
                    format!("min(v{at}) AS c{at}"),
                )
            } else if Some(at) == series {
                (format!("{} AS v{at}", name(at)), format!("v{at} AS c{at}"))
            } else {
                let value = double(&name(at), kind);
                let value = if along.is_some() {
                    format!("sum({value})")
                } else {
                    value
                };
                (format!("{value} AS v{at}"), format!("avg(v{at}) AS c{at}"))
            }
        })
        .unzip();
    let table = result.sql_name();
    let (kept, partition, group, most) = match series.map(name) {
        Some(series) => {
            let number = points.choice.numbers[0];
            let size = format!("abs({})", double(&name(number), &points.columns[number].1));
            let kept = format!(
                " SEMI JOIN (SELECT {series} AS series FROM {table} t GROUP BY ALL \
                 ORDER BY max({size}) FILTER (isfinite({size})) DESC NULLS LAST, min(t.rowid) ASC LIMIT {}) k \
                 ON {series} IS NOT DISTINCT FROM k.series",
                MAX_SERIES + 1
            );
            let group = format!("v{}, ", points.choice.series.unwrap_or_default());
            (
                kept,
                format!("PARTITION BY {series} "),
                group,
                AVERAGES_OF_SERIES,
            )
        }
        None => (String::new(), String::new(), String::new(), AVERAGES),
    };
    let same_place = match (along, series) {
        (None, _) => String::new(),
        (Some(_), None) => format!(" GROUP BY {order}"),
        (Some(_), Some(series)) => format!(" GROUP BY {order}, {}", name(series)),
    };
    let place = along.unwrap_or(points.columns.len());
    if along.is_none() {
        points.choice.along = Some(place);
        points.columns.push(("row".to_owned(), "BIGINT".to_owned()));
        inner.push(format!("t.rowid + 1 AS v{place}"));
        outer.push(format!("min(v{place}) AS c{place}"));
    }
    for number in points.choice.numbers.clone() {
        points.columns[number].1 = "DOUBLE".to_owned();
    }
    format!(
        "SELECT {} FROM (SELECT {}, ntile({most}) OVER ({partition}ORDER BY {order} ASC NULLS LAST) AS bucket \
         FROM {table} t{kept} WHERE {order} IS NOT NULL{same_place}) GROUP BY {group}bucket \
         ORDER BY c{place} ASC NULLS LAST LIMIT {MAX_CHART_ROWS}",
        outer.join(", "),
        inner.join(", "),
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
            let notes = points.notes.iter().map(ToString::to_string);
            let notes = notes.collect::<Vec<_>>().join(" ");
            format!("{choice} as {}: {notes}\n{}\n", points.choice, points.sql)
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
