//! Places of saved work. Pure.

use std::{fmt, path::PathBuf};

use crate::{
    catalog::values::ValueError,
    session::{OwnerId, Workspace},
};

/// Place below which all work on a catalog is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkLocation {
    S3 {
        bucket: String,
        /// Prefix without slashes at its ends, or empty.
        prefix: String,
    },
    /// Folder on this machine, for the local runtime.
    Folder(PathBuf),
}

impl WorkLocation {
    /// Parses `s3://bucket/prefix/` or an absolute path.
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        const INVALID: ValueError = "must be a place for saved work like s3://lake/duckbot/, or a folder with an absolute path";
        if text.contains(|c: char| c.is_control() || c == '\\') {
            return Err(INVALID);
        }
        if text.starts_with('/') {
            return Ok(Self::Folder(text.into()));
        }
        let rest = text.strip_prefix("s3://").ok_or(INVALID)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_bucket = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let prefix = prefix.trim_matches('/');
        // Other characters are encoded differently by different clients.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._=".contains(c);
        let is_step = |step: &str| !["", ".", ".."].contains(&step) && step.chars().all(is_plain);
        let is_prefix = prefix.is_empty() || prefix.split('/').all(is_step);
        if bucket.is_empty() || !bucket.chars().all(is_bucket) || !is_prefix {
            return Err(INVALID);
        }
        Ok(Self::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// Returns the path of a person's work below the bucket or the folder, without slashes at its ends.
    pub(super) fn path_of(&self, owner: OwnerId) -> String {
        match self {
            Self::S3 { prefix, .. } if !prefix.is_empty() => format!("{prefix}/{owner}"),
            _ => owner.to_string(),
        }
    }

    /// Returns the path of a workspace's saves, as [`Self::path_of`] does.
    pub(super) fn path_of_workspace(&self, owner: OwnerId, workspace: &Workspace) -> String {
        format!("{}/{workspace}", self.path_of(owner))
    }
}

impl fmt::Display for WorkLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}/"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}/"),
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        let read = |text: &str| WorkLocation::parse(text).map(|it| it.to_string());
        assert_eq!(
            read("s3://lake/duckbot").as_deref(),
            Ok("s3://lake/duckbot/")
        );
        assert_eq!(read("s3://lake").as_deref(), Ok("s3://lake/"));
        assert_eq!(read("/var/lib/duckbot").as_deref(), Ok("/var/lib/duckbot"));
        for bad in [
            "",
            "lake",
            "s3://",
            "s3:///x",
            "s3://a b/",
            "s3://lake/../x",
            "s3://lake/a//b",
            "gs://lake",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_person_and_workspace_has_a_path() {
        let place = WorkLocation::parse("s3://lake/duckbot/").expect("a place");
        let workspace = Workspace::unnamed(0);
        assert_eq!(
            place.path_of_workspace(7.into(), &workspace),
            "duckbot/7/main"
        );
        let bucket = WorkLocation::parse("s3://lake").expect("a place");
        assert_eq!(bucket.path_of(7.into()), "7");
    }
}
