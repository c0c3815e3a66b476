//! Finds tables by the names that people type. Pure.

use crate::runtime::{TableName, split_name};

/// Maximum number of suggestions for an unknown table.
const MAX_SUGGESTIONS: usize = 3;
/// Minimum similarity of a suggestion (Jaro-Winkler), from 0 to 1.
const MIN_SIMILARITY: f64 = 0.75;

/// Finds a table by its name, with or without the catalog and quotes, or by the name of the table
/// alone if only one schema has it.
pub(super) fn find_table<'a>(
    tables: &'a [TableName],
    catalog: &str,
    given: &str,
) -> Option<&'a TableName> {
    let parts = split_name(given).unwrap_or_default();
    let given = given.trim();
    let is_exact = |it: &&TableName| {
        let name = [&*it.schema, &*it.table];
        parts == name
            || parts
                .strip_prefix(&[catalog.to_owned()][..])
                .is_some_and(|it| it == name)
    };
    let is_alike = |it: &&TableName| {
        let forms = [it.to_string(), it.sql()];
        let whole = |form: &String| format!("{catalog}.{form}");
        let alike = |form: &str| form.eq_ignore_ascii_case(given);
        forms.iter().any(|form| alike(form) || alike(&whole(form)))
            || it.in_catalog(catalog).eq_ignore_ascii_case(given)
    };
    let is_named = |it: &&TableName| {
        let alone = it.table.eq_ignore_ascii_case(given);
        alone || matches!(&*parts, [name] if name.eq_ignore_ascii_case(&it.table))
    };
    let exact = tables.iter().find(is_exact);
    exact.or_else(|| tables.iter().find(is_alike)).or_else(|| {
        let mut named = tables.iter().filter(is_named);
        named.next().filter(|_| named.next().is_none())
    })
}

/// Reads the name of a table that is not in the list: the last part is the table's name, and all
/// before it the schema's.
pub(super) fn parse_table(catalog: &str, given: &str) -> Option<TableName> {
    let mut parts = split_name(given)?;
    if parts.len() > 2 && parts[0] == catalog {
        parts.remove(0);
    }
    let table = parts.pop()?;
    let schema = if parts.is_empty() {
        "main".to_owned()
    } else {
        parts.join(".")
    };
    Some(TableName { schema, table })
}

/// Returns the tables with the most similar names as in SQL, best first.
pub(super) fn nearest(tables: &[TableName], name: &str) -> Vec<String> {
    let parts = split_name(name).unwrap_or_default();
    let wanted = parts.last().map_or(name, String::as_str).to_lowercase();
    let mut alike: Vec<_> = tables
        .iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&name.table.to_lowercase(), &wanted),
                name,
            )
        })
        .filter(|(alike, _)| *alike >= MIN_SIMILARITY)
        .collect();
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = alike.into_iter().take(MAX_SUGGESTIONS);
    best.map(|(_, name)| name.sql()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Vec<TableName> {
        [
            ("sales", "orders"),
            ("sales", "customers"),
            ("old", "orders"),
            ("web", "visits"),
            ("a.b", "places"),
            ("a", "b.places"),
            ("Web", "Visits"),
        ]
        .map(|(schema, table)| TableName::new(schema, table))
        .into()
    }

    #[test]
    fn a_table_is_found_by_each_form_of_its_name() {
        let tables = tables();
        let found =
            |given| find_table(&tables, "my-lake", given).map(|name| (&*name.schema, &*name.table));
        for given in [
            "sales.orders",
            "SALES.orders",
            "my-lake.sales.orders",
            "\"my-lake\".sales.\"orders\"",
            " sales.\"orders\" ",
        ] {
            assert_eq!(found(given), Some(("sales", "orders")), "{given}");
        }
        for given in [
            "a.b.places",
            "\"a.b\".places",
            "my-lake.a.b.places",
            "places",
        ] {
            assert_eq!(found(given), Some(("a.b", "places")), "{given}");
        }
        assert_eq!(found("a.\"b.places\""), Some(("a", "b.places")));
        assert_eq!(found("Web.Visits"), Some(("Web", "Visits")));
        assert_eq!(found("customers"), Some(("sales", "customers")));
        assert_eq!(found("orders"), None, "two schemas have it");
        assert_eq!(found("order"), None);
    }

    #[test]
    fn a_table_that_is_not_listed_is_read_from_its_name() {
        let parsed = |given| parse_table("lake", given).map(|name| name.in_catalog("lake"));
        for (given, name) in [
            ("a.b.c", "lake.\"a.b\".c"),
            ("lake.a.b", "lake.a.b"),
            ("lake.\"a.b\".\"c.d\"", "lake.\"a.b\".\"c.d\""),
            ("b", "lake.main.b"),
        ] {
            assert_eq!(parsed(given).as_deref(), Some(name), "{given}");
        }
        assert_eq!(parsed("a."), None);
    }

    #[test]
    fn similar_names_are_suggested_best_first() {
        assert_eq!(
            nearest(&tables(), "sales.ordrs"),
            ["sales.orders", "old.orders"]
        );
        assert_eq!(nearest(&tables(), "custmers"), ["sales.customers"]);
        assert_eq!(nearest(&tables(), "a.b.place")[0], "\"a.b\".places");
        assert!(nearest(&tables(), "xyz").is_empty());
    }
}
