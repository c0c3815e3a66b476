//! Lists the tables of a catalog within a time limit, with several requests at a time. Does I/O.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};

use super::client::{CatalogClient, ListedCatalog, ListingError};

/// Maximum number of requests at a time.
const MAX_CONCURRENT: usize = 16;
/// Maximum number of namespaces and of tables to list.
const MAX_NAMESPACES: usize = 20_000;
const MAX_TABLES: usize = 50_000;
/// Maximum number of levels of a namespace.
const MAX_LEVELS: usize = 32;

/// Tables of a catalog.
#[derive(Debug, Default)]
pub struct Listing {
    /// Levels of the namespace, and name of each table. Sorted.
    pub tables: Vec<(Vec<String>, String)>,
    /// True if these are all tables that the person may list.
    pub is_complete: bool,
    /// True if DuckDB can list the namespaces in namespaces. If the catalog ignores or refuses the
    /// question, DuckDB would list none at all, or never end.
    pub nests: bool,
    /// True if a table or a namespace has an empty name. It is not listed. DuckDB 1.5.5 can't list it either:
    /// it fails, and is unusable from then on.
    pub has_empty_name: bool,
    /// Time that DuckDB would need to list the namespaces, one request after the other. It is
    /// computed from the fastest answer.
    pub namespaces_take: Duration,
}

/// Lists the tables of `catalog`. After the time `within`, returns those found so far.
///
/// # Errors
/// If not even the first namespaces can be listed.
pub async fn list(catalog: &ListedCatalog<'_>, within: Duration) -> Result<Listing, ListingError> {
    let deadline = Instant::now() + within;
    let connected = timeout_at(deadline, CatalogClient::connect(catalog)).await;
    let client = connected.map_err(|_| ListingError::Unreachable)??;
    let begin = Instant::now();
    let first = timeout_at(deadline, client.namespaces(&[])).await;
    let first = match first.map_err(|_| ListingError::Unreachable)? {
        Ok(first) => first,
        Err(error) => match client.moved_to {
            Some(uri) => return Err(ListingError::Moved(uri)),
            None if is_hidden(&error) => Vec::new(),
            None => return Err(error),
        },
    };
    let mut search = Search {
        listing: Listing {
            is_complete: true,
            nests: true,
            ..Listing::default()
        },
        fastest: begin.elapsed(),
        seen: HashSet::new(),
        open: VecDeque::new(),
    };
    search.add_namespaces(&[], first);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < MAX_CONCURRENT
            && let Some(task) = search.open.pop_front()
        {
            if search.listing.nests || matches!(task, Task::Tables(_)) {
                running.push(carry_out(&client, task));
            }
        }
        match timeout_at(deadline, running.next()).await {
            Ok(Some(done)) => search.add(done),
            Ok(None) => break,
            Err(_) => {
                search.listing.is_complete = false;
                break;
            }
        }
    }
    let namespaces = u32::try_from(search.seen.len()).unwrap_or(u32::MAX);
    let mut listing = search.listing;
    listing.namespaces_take = search.fastest.saturating_mul(namespaces.saturating_add(1));
    listing.tables.sort();
    Ok(listing)
}

/// Request for the children or the tables of a namespace.
enum Task {
    Children(Vec<String>),
    Tables(Vec<String>),
}

enum Done {
    Children(
        Vec<String>,
        Result<Vec<Vec<String>>, ListingError>,
        Duration,
    ),
    Tables(Vec<String>, Result<Vec<String>, ListingError>),
}

/// Carries out a request.
async fn carry_out(client: &CatalogClient, task: Task) -> Done {
    let begin = Instant::now();
    match task {
        Task::Children(parent) => {
            let children = client.namespaces(&parent).await;
            Done::Children(parent, children, begin.elapsed())
        }
        Task::Tables(namespace) => {
            let tables = client.tables(&namespace).await;
            Done::Tables(namespace, tables)
        }
    }
}

struct Search {
    listing: Listing,
    /// Time of the fastest answer about namespaces.
    fastest: Duration,
    seen: HashSet<Vec<String>>,
    open: VecDeque<Task>,
}

impl Search {
    fn add(&mut self, done: Done) {
        match done {
            Done::Children(parent, answer, took) => {
                self.fastest = self.fastest.min(took);
                match answer {
                    Ok(children) => self.add_namespaces(&parent, children),
                    Err(error) if is_hidden(&error) => {}
                    Err(
                        ListingError::Unreachable | ListingError::Status(_, 401 | 419 | 429 | 503),
                    ) => {
                        self.listing.is_complete = false;
                    }
                    Err(_) => self.listing.nests = false,
                }
            }
            Done::Tables(namespace, Ok(mut names)) => {
                let count = names.len();
                names.retain(|name| !name.is_empty());
                self.listing.has_empty_name |= names.len() < count;
                let room = MAX_TABLES.saturating_sub(self.listing.tables.len());
                self.listing.is_complete &= names.len() <= room;
                let tables = names.into_iter().take(room);
                let tables = tables.map(|name| (namespace.clone(), name));
                self.listing.tables.extend(tables);
            }
            Done::Tables(_, Err(error)) if is_hidden(&error) => {}
            Done::Tables(_, Err(_)) => self.listing.is_complete = false,
        }
    }

    fn add_namespaces(&mut self, parent: &[String], children: Vec<Vec<String>>) {
        for levels in children {
            // SeaweedFS lists the whole tree below the parent, not only the next level.
            let is_below = levels.len() > parent.len() && levels.starts_with(parent);
            if !is_below || levels.len() > MAX_LEVELS {
                // The catalog ignored the question, so DuckDB would ask for ever.
                self.listing.nests = false;
            } else if levels == [""] {
                self.listing.has_empty_name = true;
            } else if self.seen.len() >= MAX_NAMESPACES {
                self.listing.is_complete = false;
            } else if self.seen.insert(levels.clone()) {
                self.open.push_back(Task::Tables(levels.clone()));
                self.open.push_back(Task::Children(levels));
            }
        }
    }
}

/// Returns true for errors that DuckDB takes for an empty list. It also takes 401 for one, but then the login
/// is not accepted, and an empty list would hide that.
fn is_hidden(error: &ListingError) -> bool {
    matches!(error, ListingError::Status(_, 403 | 404))
}
