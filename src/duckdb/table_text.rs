//! Tables as text, as DuckDB's command line writes them between marks. Pure.

/// Rows of values; `None` for NULL.
pub(super) type Table = Vec<Vec<Option<String>>>;

/// Texts that no value can contain.
pub(super) struct Marks {
    /// Text before each table.
    pub(super) table: String,
    row: String,
    column: String,
    null: String,
}

impl Marks {
    /// Creates marks with a random text, which no statement contains.
    pub(super) fn new(random: &str) -> Self {
        let [table, row, column, null] = ["t", "r", "c", "n"].map(|kind| format!("{kind}{random}"));
        Self {
            table,
            row,
            column,
            null,
        }
    }

    /// Returns the commands after which the command line writes these marks.
    pub(super) fn set(&self) -> String {
        let Self {
            row, column, null, ..
        } = self;
        format!(".mode list\n.separator {column} {row}\n.nullvalue {null}")
    }

    /// Reads the text that follows the mark of a table. `clean` is applied to each value.
    pub(super) fn read(&self, text: &str, clean: impl Fn(&str) -> String) -> Table {
        let rows = text.strip_prefix('\n').unwrap_or(text);
        // The last part was cut off, or is a line break.
        let rows = rows.rsplit_once(&self.row).map(|(rows, _)| rows);
        let value = |value: &str| (value != self.null).then(|| clean(value));
        let rows = rows.into_iter().flat_map(|rows| rows.split(&self.row));
        rows.map(|row| row.split(&self.column).map(value).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_between_its_marks() {
        let marks = Marks::new("7");
        let table = marks.read("\na\n\nc7n7r7c7\nr7cut o", str::to_owned);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(table, [[text("a\n\n"), None], [text(""), text("\n")]]);
        for empty in ["", "\n", "\n\n"] {
            assert!(marks.read(empty, str::to_owned).is_empty());
        }
    }
}
