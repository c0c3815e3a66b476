//! Storage of the catalog: one file lists the namespaces, the tables and the locations of their
//! metadata; the metadata files are in the bucket. The file is replaced atomically, so a commit of
//! several tables is atomic too.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use anyhow::Context;
use chrono::Utc;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    commit::{self, Requirement, Update},
    error::{CatalogError, CatalogResult},
    table::Table,
};

/// Namespaces by name.
type Namespaces = BTreeMap<String, Namespace>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Namespace {
    properties: BTreeMap<String, String>,
    /// Metadata location of each table, by table name.
    tables: BTreeMap<String, String>,
}

/// Namespace and name of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableName {
    pub namespace: String,
    pub table: String,
}

/// A table with the location of its metadata.
#[derive(Debug)]
pub(crate) struct StoredTable {
    pub metadata_location: String,
    pub table: Table,
}

/// Requirements and updates of a commit for one table.
#[derive(Debug)]
pub(crate) struct TableChange {
    pub name: TableName,
    pub requirements: Vec<Requirement>,
    pub updates: Vec<Update>,
}

/// The catalog's data, in memory and on disk.
#[derive(Debug)]
pub(crate) struct Store {
    file: PathBuf,
    bucket: PathBuf,
    /// `s3://`, the bucket's name and a slash.
    prefix: String,
    /// Content of the file. A change holds the lock until it is written: one writer at a time.
    namespaces: Mutex<Namespaces>,
}

impl Store {
    /// Opens the catalog in `file`, which is empty if the file does not exist. `bucket` is the
    /// folder of the bucket called `name`.
    pub(crate) fn open(file: PathBuf, bucket: PathBuf, name: &str) -> anyhow::Result<Self> {
        let namespaces = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is damaged", file.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Namespaces::new(),
            Err(error) => {
                let message = format!("Can't read {}", file.display());
                return Err(error).context(message);
            }
        };
        Ok(Self {
            file,
            bucket,
            prefix: format!("s3://{name}/"),
            namespaces: Mutex::new(namespaces),
        })
    }

    pub(crate) fn namespaces(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn properties(&self, namespace: &str) -> CatalogResult<BTreeMap<String, String>> {
        Ok(get(&self.lock(), namespace)?.properties.clone())
    }

    pub(crate) fn create(
        &self,
        name: &str,
        properties: BTreeMap<String, String>,
    ) -> CatalogResult<()> {
        check_name(name)?;
        self.change(|namespaces| {
            if namespaces.contains_key(name) {
                return Err(CatalogError::exists(format!("The namespace {name}")));
            }
            let tables = BTreeMap::new();
            namespaces.insert(name.into(), Namespace { properties, tables });
            Ok(())
        })
    }

    pub(crate) fn drop_namespace(&self, name: &str) -> CatalogResult<()> {
        self.change(|namespaces| {
            if !get(namespaces, name)?.tables.is_empty() {
                return Err(CatalogError::not_empty(name));
            }
            namespaces.remove(name);
            Ok(())
        })
    }

    /// Removes a namespace with its tables and all their files, if it exists.
    pub(crate) fn clear(&self, namespace: &str) -> anyhow::Result<()> {
        let cleared = self.change(|namespaces| {
            namespaces.remove(namespace);
            Ok(())
        });
        cleared.map_err(|error| anyhow::anyhow!(error.message))?;
        remove_folder(&self.bucket.join(namespace))
    }

    /// Names of the tables in a namespace.
    pub(crate) fn tables(&self, namespace: &str) -> CatalogResult<Vec<String>> {
        let namespaces = self.lock();
        Ok(get(&namespaces, namespace)?
            .tables
            .keys()
            .cloned()
            .collect())
    }

    pub(crate) fn load(&self, name: &TableName) -> CatalogResult<StoredTable> {
        self.find(&self.lock(), name)?
            .ok_or_else(|| CatalogError::no_table(&name.namespace, &name.table))
    }

    /// Removes a table from the catalog. With `purge`, also deletes its files.
    pub(crate) fn drop_table(&self, name: &TableName, purge: bool) -> CatalogResult<()> {
        let metadata = self.change(|namespaces| {
            let namespace = namespaces.get_mut(&name.namespace);
            namespace
                .and_then(|namespace| namespace.tables.remove(&name.table))
                .ok_or_else(|| CatalogError::no_table(&name.namespace, &name.table))
        })?;
        // A location chosen by a client may also contain other tables.
        if purge && metadata.starts_with(&format!("{}/metadata/", self.location(name))) {
            let folder = self.bucket.join(&name.namespace).join(&name.table);
            remove_folder(&folder)?;
        }
        Ok(())
    }

    /// Default location of a table.
    pub(crate) fn location(&self, name: &TableName) -> String {
        format!("{}{}/{}", self.prefix, name.namespace, name.table)
    }

    /// Returns the table that `updates` create, without storing it.
    pub(crate) fn stage(&self, name: &TableName, updates: Vec<Update>) -> CatalogResult<Table> {
        let namespaces = self.lock();
        check_new(&namespaces, name)?;
        commit::apply(Table::empty(), updates, now())
    }

    /// Creates a table from `updates` and stores it.
    pub(crate) fn create_table(
        &self,
        name: TableName,
        updates: Vec<Update>,
    ) -> CatalogResult<StoredTable> {
        // An existing table is "already exists" here, not the conflict that a commit reports.
        check_new(&self.lock(), &name)?;
        self.commit_one(TableChange {
            name,
            requirements: vec![Requirement::Create],
            updates,
        })
    }

    /// Applies a change to one table.
    pub(crate) fn commit_one(&self, change: TableChange) -> CatalogResult<StoredTable> {
        let name = change.name.clone();
        self.commit(vec![change])?;
        self.load(&name)
    }

    /// Applies all changes or none.
    pub(crate) fn commit(&self, changes: Vec<TableChange>) -> CatalogResult<()> {
        self.change(|namespaces| {
            let mut after = BTreeMap::new();
            for change in changes {
                let name = change.name.clone();
                let table = self.apply_change(namespaces, change)?;
                if after.insert(name, table).is_some() {
                    let message = "The transaction changes a table twice";
                    return Err(CatalogError::bad_request(message));
                }
            }
            // Write only after all changes are valid.
            for (name, table) in after {
                let location = self.write(&table)?;
                let namespace = namespaces.entry(name.namespace).or_default();
                namespace.tables.insert(name.table, location);
            }
            Ok(())
        })
    }

    fn apply_change(&self, namespaces: &Namespaces, change: TableChange) -> CatalogResult<Table> {
        let TableChange {
            name,
            requirements,
            updates,
        } = change;
        let before = self.find(namespaces, &name)?;
        let table = before.as_ref().map(|stored| &stored.table);
        let creates = requirements.iter().any(Requirement::is_create);
        if table.is_none() && !creates {
            return Err(CatalogError::no_table(&name.namespace, &name.table));
        }
        if creates {
            check_name(&name.table)?;
        }
        commit::check(&requirements, table)?;
        match before {
            None => commit::apply(Table::empty(), updates, now()),
            Some(StoredTable {
                metadata_location,
                mut table,
            }) => {
                table.log_metadata_file(&metadata_location);
                commit::apply(table, updates, now())
            }
        }
    }

    /// Reads a table, if it exists.
    ///
    /// # Errors
    /// If the namespace does not exist, or if the metadata can't be read.
    fn find(
        &self,
        namespaces: &Namespaces,
        name: &TableName,
    ) -> CatalogResult<Option<StoredTable>> {
        let Some(location) = get(namespaces, &name.namespace)?.tables.get(&name.table) else {
            return Ok(None);
        };
        let file = self.path(location)?;
        let read = || -> anyhow::Result<Table> { Ok(serde_json::from_slice(&fs::read(&file)?)?) };
        let table = read().with_context(|| format!("Can't read {location}"))?;
        Ok(Some(StoredTable {
            metadata_location: location.clone(),
            table,
        }))
    }

    /// Writes the metadata file and returns its location.
    fn write(&self, table: &Table) -> CatalogResult<String> {
        let place = table.location.trim_end_matches('/');
        let version = table.metadata_log.len();
        let id = Uuid::new_v4();
        let location = format!("{place}/metadata/{version:05}-{id}.metadata.json");
        let file = self.path(&location)?;
        let text = serde_json::to_vec(table).context("Can't write a table's metadata")?;
        replace_file(&file, &text)?;
        Ok(location)
    }

    /// Path of the file behind a location in the bucket.
    fn path(&self, location: &str) -> CatalogResult<PathBuf> {
        let key = location.strip_prefix(&self.prefix).map(Path::new);
        let inside = key.filter(|key| {
            let mut parts = key.components();
            parts.all(|part| matches!(part, Component::Normal(_)))
        });
        let inside = inside.ok_or_else(|| {
            let prefix = &self.prefix;
            CatalogError::bad_request(format!("{location:?} is not a location in {prefix}"))
        })?;
        Ok(self.bucket.join(inside))
    }

    /// Applies `change` to the file, then to the memory. Nothing changes if `change` fails.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Namespaces) -> CatalogResult<T>,
    ) -> CatalogResult<T> {
        let mut stored = self.lock();
        let mut next = stored.clone();
        let result = change(&mut next)?;
        let text = serde_json::to_vec_pretty(&next).context("Can't write the catalog")?;
        replace_file(&self.file, &text)?;
        *stored = next;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, Namespaces> {
        self.namespaces.lock()
    }
}

fn now() -> i64 {
    Utc::now().timestamp_millis()
}

fn get<'a>(namespaces: &'a Namespaces, name: &str) -> CatalogResult<&'a Namespace> {
    let found = namespaces.get(name);
    found.ok_or_else(|| CatalogError::no_namespace(name))
}

fn check_new(namespaces: &Namespaces, name: &TableName) -> CatalogResult<()> {
    check_name(&name.table)?;
    let TableName { namespace, table } = name;
    if get(namespaces, namespace)?.tables.contains_key(table) {
        Err(CatalogError::exists(format!(
            "The table {namespace}.{table}"
        )))
    } else {
        Ok(())
    }
}

/// Checks that `name` is valid as a folder name.
fn check_name(name: &str) -> CatalogResult<()> {
    let fine = |letter: char| !letter.is_control() && !"/\\%?#".contains(letter);
    // s3s_fs stores each object key as one file name of at most 255 bytes: both names in base64, and
    // 77 bytes that DuckDB adds.
    let short = (1..=40).contains(&name.len());
    if short && !name.starts_with('.') && name.chars().all(fine) {
        return Ok(());
    }
    Err(CatalogError::bad_request(format!(
        "{name:?} is not a valid name: it must have 1 to 40 bytes, not start with a dot, and contain \
         none of / \\ % ? # or control characters"
    )))
}

/// Writes a file atomically, so that no reader sees half of it.
pub(crate) fn replace_file(file: &Path, text: &[u8]) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = file.with_added_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, file)
    };
    write().with_context(|| format!("Can't write {}", file.display()))
}

/// Removes a folder, if it exists.
fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Can't remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
