//! The manifest of a save: its last file, which makes it complete. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{SaveSummary, WorkKey};
use crate::session::{OwnerId, SessionId, Workspace};

/// Name of the manifest in a save's folder.
pub(super) const MANIFEST: &str = "manifest.json";

/// Files of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileName {
    /// The session's database.
    #[serde(rename = "work.duckdb")]
    Database,
    /// The notebooks of DuckDB's UI.
    #[serde(rename = "ui.duckdb")]
    Notebooks,
}

impl FileName {
    /// Returns the name in the save's folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "work.duckdb",
            Self::Notebooks => "ui.duckdb",
        }
    }
}

/// A file of a save.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    pub name: FileName,
    /// Number of the save whose folder has the file. It is an earlier one if only the notebooks were
    /// saved.
    pub number: u32,
    pub bytes: u64,
    /// SHA-256 in hex digits.
    pub sha256: String,
}

/// Content of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`Self::VERSION`] of the program that wrote the manifest.
    pub version: u32,
    pub owner: OwnerId,
    pub workspace: Workspace,
    pub number: u32,
    /// Session that made the save.
    pub session: SessionId,
    /// Run of the session's entry point that made the save. A session may be started again.
    pub run: String,
    pub at: DateTime<Utc>,
    /// Version of the DuckDB that made the files.
    pub duckdb: DuckDbVersion,
    pub files: Vec<SavedFile>,
    pub tables: u32,
    pub notebooks: u32,
    /// True if the database is that of an earlier save.
    pub is_partial: bool,
}

impl Manifest {
    /// Version of the manifests that this program writes. It reads no other one.
    pub const VERSION: u32 = 1;

    /// Writes the document, with its authentication.
    pub fn write(&self, key: &WorkKey) -> String {
        let manifest = serde_json::to_string(self).expect("a manifest is valid JSON");
        let hmac = key.sign(&manifest);
        let sealed = Sealed { manifest, hmac };
        serde_json::to_string(&sealed).expect("a manifest is valid JSON")
    }

    /// Reads the document of a save. Returns `None` if it was not made with this key for this place, or
    /// has another version.
    pub fn read(document: &[u8], place: Place<'_>, key: &WorkKey) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(document).ok()?;
        if !key.verify(&sealed.manifest, &sealed.hmac) {
            return None;
        }
        let manifest: Self = serde_json::from_str(&sealed.manifest).ok()?;
        let is_here = manifest.version == Self::VERSION
            && manifest.owner == place.owner
            && manifest.workspace == *place.workspace
            && manifest.number == place.number
            && manifest
                .files
                .iter()
                .all(|file| file.number <= manifest.number);
        is_here.then_some(manifest)
    }

    /// Returns the place of a save in the same workspace.
    pub fn place_of(&self, number: u32) -> Place<'_> {
        Place {
            owner: self.owner,
            workspace: &self.workspace,
            number,
        }
    }

    /// Returns the file with this name.
    pub fn file(&self, name: FileName) -> Option<&SavedFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Returns what people are told about the save.
    pub fn summary(&self) -> SaveSummary {
        SaveSummary {
            number: self.number,
            at: self.at,
            tables: self.tables,
            notebooks: self.notebooks,
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            is_partial: self.is_partial,
        }
    }
}

/// The place of a save. Its manifest must name it, so that nobody can move one.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub owner: OwnerId,
    pub workspace: &'a Workspace,
    pub number: u32,
}

/// A manifest's text with its authentication. It is a text, so its bytes are certain.
#[derive(Serialize, Deserialize)]
struct Sealed {
    manifest: String,
    hmac: String,
}

/// Version of DuckDB, like `v1.5.5`. A newer DuckDB's files can't be opened in an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DuckDbVersion([u32; 3]);

impl DuckDbVersion {
    /// Reads the version at the beginning of a text, such as the output of `duckdb --version`.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.split_whitespace().next()?.strip_prefix('v')?;
        // A development version continues with "-dev123".
        let word = word.split('-').next()?;
        let mut numbers = word.split('.').map(str::parse);
        let version = [
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        ];
        numbers.next().is_none().then_some(Self(version))
    }
}

impl std::fmt::Display for DuckDbVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "v{major}.{minor}.{patch}")
    }
}

impl TryFrom<String> for DuckDbVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a version of DuckDB")
    }
}

impl From<DuckDbVersion> for String {
    fn from(version: DuckDbVersion) -> Self {
        version.to_string()
    }
}

/// Number of the newest saves that people can choose from.
const NEWEST: usize = 3;

/// Returns the saves that people can choose from, of all, which are sorted from the newest to the oldest: the
/// three newest, and the newest one of an earlier run.
pub(super) fn to_list(saves: &[Manifest]) -> Vec<&Manifest> {
    newest(saves, NEWEST)
}

/// Returns the numbers of the saves to keep: those of [`to_list`], one more, and those whose files they
/// use. A person who chooses a save first ends the session, which makes another save.
///
/// Without the one of an earlier run, a session that could not restore it would soon have replaced it
/// with saves of an empty database.
pub(super) fn to_keep(saves: &[Manifest]) -> Vec<u32> {
    let with_files = |save: &Manifest| {
        let files = save.files.iter().map(|file| file.number);
        files.chain([save.number]).collect::<Vec<_>>()
    };
    let kept = newest(saves, NEWEST + 1).into_iter();
    kept.flat_map(with_files).collect()
}

fn newest(saves: &[Manifest], count: usize) -> Vec<&Manifest> {
    let (first, others) = saves.split_at(count.min(saves.len()));
    let run = saves.first().map(|newest| &newest.run);
    let is_earlier = |save: &&Manifest| Some(&save.run) != run;
    let earlier = if first.iter().any(|save| is_earlier(&save)) {
        None
    } else {
        others.iter().find(is_earlier)
    };
    first.iter().chain(earlier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> WorkKey {
        WorkKey::derive(&[7; WorkKey::BYTES], 7.into())
    }

    fn manifest(number: u32, run: u32) -> Manifest {
        Manifest {
            files: vec![SavedFile {
                name: FileName::Database,
                number,
                bytes: 14 << 20,
                sha256: "ab".into(),
            }],
            tables: 2,
            notebooks: 3,
            is_partial: false,
            version: Manifest::VERSION,
            owner: 7.into(),
            workspace: Workspace::unnamed(0),
            number,
            session: "977a26".parse().expect("an ID"),
            run: run.to_string(),
            at: DateTime::UNIX_EPOCH,
            duckdb: DuckDbVersion::parse("v1.5.5").expect("a version"),
        }
    }

    fn place(number: u32, workspace: &Workspace) -> Place<'_> {
        Place {
            owner: 7.into(),
            workspace,
            number,
        }
    }

    #[test]
    fn a_manifest_counts_only_in_its_place_and_with_its_key() {
        let (main, second) = (Workspace::unnamed(0), Workspace::unnamed(1));
        let written = manifest(3, 1).write(&key());
        let read = |document: &str, place| Manifest::read(document.as_bytes(), place, &key());
        assert_eq!(read(&written, place(3, &main)), Some(manifest(3, 1)));
        assert_eq!(read(&written, place(4, &main)), None);
        assert_eq!(read(&written, place(3, &second)), None);
        let other = WorkKey::derive(&[7; WorkKey::BYTES], 8.into());
        assert_eq!(
            Manifest::read(written.as_bytes(), place(3, &main), &other),
            None
        );
        for end in 0..written.len() {
            assert_eq!(read(&written[..end], place(3, &main)), None, "cut at {end}");
        }
        let forged = written.replace("14680064", "14680065");
        assert_ne!(forged, written);
        assert_eq!(read(&forged, place(3, &main)), None);
    }

    #[test]
    fn the_version_of_duckdb_is_compared_by_numbers() {
        let version = |text| DuckDbVersion::parse(text);
        assert!(version("v1.10.0 (Name) abc") > version("v1.9.9"));
        assert_eq!(
            version("v1.5.5-dev12").map(|it| it.to_string()).as_deref(),
            Some("v1.5.5")
        );
        for bad in ["", "1.5.5", "v1.5", "v1.5.5.5", "vx.y.z"] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_run_never_replaces_the_last_save_of_the_run_before() {
        let saves = [(9, 2), (8, 2), (7, 2), (6, 2), (5, 2), (4, 1), (3, 1)];
        let saves = saves.map(|(number, run)| manifest(number, run));
        let mut kept = to_keep(&saves);
        kept.sort_unstable();
        kept.dedup();
        assert_eq!(kept, [4, 6, 7, 8, 9]);
        let listed = |saves: &[Manifest]| -> Vec<u32> {
            to_list(saves).iter().map(|save| save.number).collect()
        };
        assert_eq!(listed(&saves), [9, 8, 7, 4]);
        // Each of these is still there after the next save.
        let next = [&[manifest(10, 2)], &saves[..]].concat();
        let kept = to_keep(&next);
        assert!(listed(&saves).iter().all(|number| kept.contains(number)));
        assert_eq!(to_keep(&[]), Vec::<u32>::new());
    }

    #[test]
    fn a_save_keeps_the_database_that_it_uses() {
        let mut saves: Vec<_> = (3..9).rev().map(|number| manifest(number, 1)).collect();
        saves[0].files[0].number = 3;
        let kept = to_keep(&saves);
        assert!(kept.contains(&3) && !kept.contains(&4));
    }
}
