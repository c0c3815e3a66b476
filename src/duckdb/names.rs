//! Names and texts in SQL. Pure.

use std::fmt;

/// Words that DuckDB's grammar allows as a name only in quotes, at least as the first part of a
/// qualified name.
const KEYWORDS: &str = " all analyse analyze and anti any array as asc asof asymmetric at authorization \
    binary both by case cast check collate collation column columns concurrently constraint create \
    cross default deferrable desc describe distinct do else end except false fetch for foreign freeze \
    from full generated glob group having ilike in initially inner intersect into is isnull join \
    lambda lateral leading left like limit map natural not notnull null offset on only or order outer \
    overlaps pivot pivot_longer pivot_wider placing positional primary qualify references returning \
    right select semi show similar some struct summarize symmetric table tablesample then to trailing \
    true try_cast union unique unpack unpivot using variadic verbose when where window with ";

/// Quotes a text as an SQL string.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Quotes a name as an SQL identifier.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a name as people write it in SQL: in quotes only if DuckDB needs them.
pub fn display_identifier(name: &str) -> String {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_word = name.starts_with(is_first)
        && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
        && !KEYWORDS.contains(&format!(" {} ", name.to_ascii_lowercase()));
    if is_word {
        name.to_owned()
    } else {
        identifier(name)
    }
}

/// Splits a qualified name into its parts, without their quotes. Returns `None` if a quote is open
/// or inside of a name without quotes.
pub fn split_name(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part = if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut at = quoted;
            loop {
                let (before, after) = at.split_once('"')?;
                part += before;
                match after.strip_prefix('"') {
                    Some(after) => (part.push('"'), at = after).1,
                    None => break rest = after,
                }
            }
            part
        } else {
            let (part, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
            rest = after;
            part.to_owned()
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.is_empty().then_some(parts),
        }
    }
}

/// Name of a table in a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// DuckDB's name of the namespace: its levels, joined with dots.
    pub schema: String,
    pub table: String,
}

impl TableName {
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            table: table.into(),
        }
    }

    /// Returns the name in SQL, without the catalog.
    pub fn sql(&self) -> String {
        let [schema, table] = [&self.schema, &self.table].map(|name| display_identifier(name));
        format!("{schema}.{table}")
    }

    /// Returns the whole name in SQL.
    pub fn in_catalog(&self, catalog: &str) -> String {
        format!("{}.{}", display_identifier(catalog), self.sql())
    }
}

/// Writes the name for reading, without quotes. The name of another table may look the same.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_quotes_only_if_it_needs_them() {
        for (schema, table, sql) in [
            ("sales", "orders", "lake.sales.orders"),
            ("Sales_2", "_x", "lake.Sales_2._x"),
            ("a.b", "x y", "lake.\"a.b\".\"x y\""),
            ("select", "2024", "lake.\"select\".\"2024\""),
            ("é", "q\"q", "lake.\"é\".\"q\"\"q\""),
        ] {
            let name = TableName::new(schema, table);
            assert_eq!(name.in_catalog("lake"), sql);
            let parts = split_name(sql).expect(sql);
            assert_eq!(parts, ["lake", schema, table]);
        }
        assert_eq!(display_identifier("my-lake"), "\"my-lake\"");
    }

    #[test]
    fn a_name_that_is_not_valid_is_not_split() {
        for text in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b", "\"\""] {
            assert_eq!(split_name(text), None, "{text}");
        }
        assert_eq!(split_name("a.b c").expect("two"), ["a", "b c"]);
    }
}
