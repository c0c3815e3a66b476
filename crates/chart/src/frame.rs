//! The rows of a result, and what their columns hold.

use crate::{exact::Amount, numbers, times};

/// Rows of a result, with values as DuckDB writes them.
pub struct Frame<'a> {
    pub(crate) columns: Vec<Column<'a>>,
    /// Rows with one value per column; `None` for NULL.
    pub(crate) rows: &'a [Vec<Option<String>>],
    /// True if the last row is the sum of rows that are not here.
    pub(crate) has_rest: bool,
    /// True if the result has more rows than these.
    pub(crate) is_part: bool,
}

pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) holds: Holds,
    /// True for floating-point numbers.
    is_float: bool,
    /// True if bars stay in the order of these values: dates, timestamps, and times of a day.
    pub(crate) is_ordered: bool,
}

/// Content of a column, as far as it matters for charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Numbers,
    /// Dates, or timestamps.
    Times,
    /// Values that name something.
    Categories,
    /// Nested values and others that no chart shows.
    Other,
}

impl Holds {
    /// Reads DuckDB's name of a type.
    fn of(kind: &str) -> Self {
        if kind.ends_with(']') {
            return Self::Other;
        }
        match kind.split('(').next().unwrap_or_default().trim_end() {
            "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "HUGEINT" | "UTINYINT"
            | "USMALLINT" | "UINTEGER" | "UBIGINT" | "UHUGEINT" | "BIGNUM" | "FLOAT" | "DOUBLE"
            | "DECIMAL" => Self::Numbers,
            "DATE"
            | "TIMESTAMP"
            | "TIMESTAMP_S"
            | "TIMESTAMP_MS"
            | "TIMESTAMP_NS"
            | "TIMESTAMP WITH TIME ZONE" => Self::Times,
            // Workers don't know the type of each result.
            "" | "VARCHAR" | "BOOLEAN" | "ENUM" | "UUID" | "TIME" => Self::Categories,
            _ => Self::Other,
        }
    }
}

impl<'a> Frame<'a> {
    /// Takes the name and DuckDB's type of each column, and rows with a value for each of them.
    pub fn new(
        columns: impl IntoIterator<Item = (&'a str, &'a str)>,
        rows: &'a [Vec<Option<String>>],
    ) -> Self {
        let columns = columns.into_iter().map(|(name, kind)| {
            let kind = kind.to_ascii_uppercase();
            let holds = Holds::of(&kind);
            Column {
                name,
                holds,
                is_float: matches!(&*kind, "FLOAT" | "DOUBLE"),
                is_ordered: holds == Holds::Times || kind == "TIME",
            }
        });
        Self {
            columns: columns.collect(),
            rows,
            has_rest: false,
            is_part: false,
        }
    }

    /// Marks the last row as the sum of rows that are not in the frame. Its bar is the last one, whatever
    /// its size.
    #[must_use]
    pub fn with_rest(self) -> Self {
        Self {
            has_rest: true,
            ..self
        }
    }

    /// Marks the rows as the first ones of more. The picture and its text say so.
    #[must_use]
    pub fn as_part(self) -> Self {
        Self {
            is_part: true,
            ..self
        }
    }

    pub(crate) fn name(&self, column: usize) -> &'a str {
        self.columns[column].name
    }

    /// Returns the value in a row and a column as DuckDB writes it, or `None` for NULL.
    pub(crate) fn text(&self, row: usize, column: usize) -> Option<&'a str> {
        self.rows[row].get(column)?.as_deref()
    }

    /// Returns the number in a row and a column, if it can be drawn.
    pub(crate) fn number(&self, row: usize, column: usize) -> Option<f64> {
        numbers::parse(self.text(row, column)?)
    }

    /// Returns the number in a row and a column with all its digits, if it can be drawn.
    pub(crate) fn amount(&self, row: usize, column: usize) -> Option<Amount> {
        let text = self.text(row, column)?;
        let exact = (!self.columns[column].is_float).then_some(text);
        Some(Amount::new(numbers::parse(text)?, exact))
    }

    /// Writes the number in a row and a column. Floating-point numbers have only as many decimals as needed.
    pub(crate) fn number_text(&self, row: usize, column: usize) -> Option<String> {
        let text = self.text(row, column)?;
        Some(if self.columns[column].is_float {
            numbers::shortened(text)
        } else {
            numbers::grouped(text)
        })
    }

    /// Returns the place on an axis of the value in a row and a column: a number, or seconds since 1970. Without a
    /// column, the place is the number of the row.
    pub(crate) fn place(&self, row: usize, column: Option<usize>) -> Option<f64> {
        let Some(column) = column else {
            return Some((row + 1) as f64);
        };
        match self.columns[column].holds {
            Holds::Times => times::parse(self.text(row, column)?),
            _ => self.number(row, column),
        }
    }

    /// Columns that hold this, from left to right.
    pub(crate) fn columns_of(&self, holds: Holds) -> impl Iterator<Item = usize> {
        let columns = self.columns.iter().enumerate();
        columns.filter_map(move |(at, column)| (column.holds == holds).then_some(at))
    }
}
