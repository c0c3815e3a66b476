//! The steps from the credentials to the tables: attaches the catalog, and tries whether its tables
//! can be read. [`list_tables`] lists them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    environment::{self, Catalog, CatalogAuth, SessionConfig, secret},
    names::TableName,
    script::{self, tables},
    shell::{Answer, Exited, Shell},
    steps::{record_problem, run_optional},
};
use crate::{
    catalog::{
        client::{ListedCatalog, ListingError, Login},
        listing::{self, Listing},
    },
    outbound::Outbound,
};

/// Maximum time to list tables while a session starts.
const LISTING_TIME: Duration = Duration::from_secs(5);
/// Maximum number of tables to try, of failures of the storage that say enough, and the time after
/// which no further table is tried.
const MAX_TRIED: usize = 16;
const MAX_NOT_READ: usize = 3;
const TRYING_TIME: Duration = Duration::from_secs(10);
/// Maximum time that DuckDB may need to list the namespaces while a session starts.
const NAMESPACES_TIME: Duration = Duration::from_secs(10);

/// Problem of a catalog that DuckDB can't list.
const EMPTY_NAME: &str = "A table or a namespace of the catalog has an empty name. When DuckDB 1.5 lists it, for \
                          example for SHOW ALL TABLES, DuckDB fails and has to be restarted. Tables can be \
                          read by their full names. The catalog's admin should rename or drop it.";

/// Runs the steps, and stores failures in the table `memory.problems`. Returns their number. Adds what it
/// learns about the catalog to `variables`, the session's environment.
pub(super) async fn prepare_access(
    shell: &mut Shell,
    config: &SessionConfig,
    variables: &mut HashMap<String, String>,
) -> Result<usize, Exited> {
    let listed = list_tables(config, variables, LISTING_TIME).await;
    let mut config = config.clone();
    config.catalog.nested |= listed.as_ref().is_ok_and(|listing| listing.nests);
    if config.catalog.nested {
        variables.insert(environment::NESTED.into(), "true".into());
    }
    let problems = run_optional(shell, [&script::access_steps(&config)[..]]).await?;
    if problems > 0 {
        return Ok(problems);
    }
    let catalog = &config.catalog.name;
    match listed {
        Ok(listing) => {
            let is_slow = listing.namespaces_take > NAMESPACES_TIME;
            let lists_none = is_slow || listing.has_empty_name;
            let statement = if lists_none {
                tables::NO_SUGGESTIONS.to_owned()
            } else {
                tables::list_namespaces(catalog)
            };
            if lists_none || has_dots(&listing) || !listing.is_complete {
                // A failure shows when the tables are tried.
                let _ = shell.execute(&statement).await?;
            }
            let mut problems = try_tables(shell, &config.catalog, &listing).await?;
            if listing.has_empty_name {
                record_problem(shell, &tables::no_suggestions(catalog), EMPTY_NAME).await?;
                problems += 1;
            }
            Ok(problems)
        }
        Err(ListingError::Unsigned) => {
            run_optional(shell, [&[tables::list_tables(catalog)][..]]).await
        }
        Err(error) => {
            let step = tables::list_tables(catalog);
            record_problem(shell, &step, &format!("{error}.")).await?;
            Ok(1)
        }
    }
}

/// Lists the tables of a session's catalog, with the credentials in `variables`.
///
/// # Errors
/// If not even the first namespaces can be listed.
pub(super) async fn list_tables(
    config: &SessionConfig,
    variables: &HashMap<String, String>,
    within: Duration,
) -> Result<Listing, ListingError> {
    let value = |name: &str| variables.get(name).map_or("", String::as_str);
    let catalog = &config.catalog;
    let login = match &catalog.auth {
        CatalogAuth::None => Login::None,
        CatalogAuth::Token => Login::Token(value(secret::CATALOG_TOKEN)),
        CatalogAuth::OAuth2 { server, scope } => Login::OAuth2 {
            server: server.as_deref(),
            scope: scope.as_deref(),
            id: value(secret::CLIENT_ID),
            secret: value(secret::CLIENT_SECRET),
        },
        CatalogAuth::Signature { .. } => return Err(ListingError::Unsigned),
    };
    let listed = ListedCatalog {
        endpoint: &catalog.endpoint,
        warehouse: &catalog.warehouse,
        login,
        outbound: &Outbound::from_variables(variables),
    };
    listing::list(&listed, within).await
}

/// Returns true if the levels of a namespace contain a dot. DuckDB takes it for the end of a level,
/// until it has listed the namespaces.
fn has_dots(listing: &Listing) -> bool {
    let mut namespaces = listing.tables.iter().map(|(namespace, _)| namespace);
    namespaces.any(|levels| levels.iter().any(|level| level.contains('.')))
}

/// Outcome of trying a table.
enum Tried {
    Read,
    /// The table has no rows, so nothing was read from the storage.
    Empty,
    /// The catalog's answer about the table can't be used, with DuckDB's error.
    NotLoaded(String),
    /// The table's files can't be read, with DuckDB's error.
    NotRead(String),
}

impl Tried {
    fn is_of_storage(&self) -> bool {
        matches!(self, Self::NotRead(_))
    }
}

/// Tries tables until one can be read. If none can, stores what is known. Returns the number of
/// problems.
async fn try_tables(
    shell: &mut Shell,
    catalog: &Catalog,
    listing: &Listing,
) -> Result<usize, Exited> {
    let name = &catalog.name;
    let begin = Instant::now();
    let mut failures: Vec<(TableName, Tried)> = Vec::new();
    for table in sample(&listing.tables) {
        match try_table(shell, name, &table).await? {
            Tried::Read => {
                for (table, _) in failures {
                    eprintln!("duckbot: {} can't be read", table.in_catalog(name));
                }
                return Ok(0);
            }
            Tried::Empty => {}
            failure => failures.push((table, failure)),
        }
        let not_read = failures.iter().filter(|(_, tried)| tried.is_of_storage());
        if not_read.count() >= MAX_NOT_READ || begin.elapsed() > TRYING_TIME {
            break;
        }
    }
    // The storage says more about the credentials than the catalog does.
    let of_storage = failures.iter().find(|(_, tried)| tried.is_of_storage());
    let worst = of_storage.or(failures.first());
    let Some((table, tried)) = worst else {
        return Ok(0);
    };
    let step = match tried {
        Tried::NotRead(_) => tables::read_table(name, table, catalog.vended),
        _ => tables::load_table(name, table),
    };
    let lines = failures.iter().filter_map(|(table, tried)| match tried {
        Tried::NotRead(error) | Tried::NotLoaded(error) => {
            Some(format!("{}: {error}", table.in_catalog(name)))
        }
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    record_problem(shell, &step, &lines.join("\n")).await?;
    Ok(1)
}

async fn try_table(shell: &mut Shell, catalog: &str, table: &TableName) -> Result<Tried, Exited> {
    let error = match shell.execute(&tables::read_row(catalog, table)).await? {
        Answer::Done(()) => return Ok(Tried::Read),
        Answer::Failed(error) if error.contains(tables::NO_ROW) => return Ok(Tried::Empty),
        Answer::Failed(error) => error,
    };
    Ok(
        match shell.execute(&tables::describe(catalog, table)).await? {
            Answer::Done(()) => Tried::NotRead(error),
            Answer::Failed(_) => Tried::NotLoaded(error),
        },
    )
}

/// Selects some tables: the first ones of namespaces that are spread over all of them.
fn sample(listed: &[(Vec<String>, String)]) -> Vec<TableName> {
    let mut namespaces: Vec<&[(Vec<String>, String)]> =
        listed.chunk_by(|(a, _), (b, _)| a == b).collect();
    if namespaces.len() > MAX_TRIED {
        let count = namespaces.len();
        let spread = |at| namespaces[at * (count - 1) / (MAX_TRIED - 1)];
        namespaces = (0..MAX_TRIED).map(spread).collect();
    }
    // One table of each namespace, then the next one of each.
    let in_turn = (0..MAX_TRIED).flat_map(|at| namespaces.iter().filter_map(move |it| it.get(at)));
    let name = |(levels, table): &(Vec<String>, String)| TableName::new(levels.join("."), table);
    in_turn.take(MAX_TRIED).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(all: &[(&str, &str)]) -> Vec<(Vec<String>, String)> {
        let table =
            |(schema, table): &(&str, &str)| (vec![(*schema).to_owned()], (*table).to_owned());
        all.iter().map(table).collect()
    }

    #[test]
    fn tables_of_different_namespaces_are_tried_first() {
        let some = listed(&[("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2")]);
        let names: Vec<_> = sample(&some).iter().map(TableName::sql).collect();
        assert_eq!(names[..3], ["a.\"1\"", "b.\"1\"", "a.\"2\""]);
        let many: Vec<_> = (0..100)
            .map(|at| (vec![format!("n{at:02}")], "t".to_owned()))
            .collect();
        let names: Vec<_> = sample(&many).iter().map(TableName::sql).collect();
        assert_eq!(names.len(), MAX_TRIED);
        assert_eq!(
            [&*names[0], &*names[1], &*names[15]],
            ["n00.t", "n06.t", "n99.t"]
        );
        assert!(sample(&[]).is_empty());
    }
}
