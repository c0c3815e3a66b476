//! The pause of starts: until when no session starts, and why. The runtime stores it as a document.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    OwnerId,
    record::{Versioned, is_plausible_time},
};

/// Version of the document. A bot reads only its own.
const VERSION: u32 = 1;

/// A time in which no new session and no query runner starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartPause {
    /// End of the pause.
    pub until: DateTime<Utc>,
    /// Admin who began it.
    pub by: OwnerId,
    /// Reason that people are told, in the admin's words.
    pub reason: Option<String>,
}

impl StartPause {
    /// Returns true until the pause ends.
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        now < self.until
    }
}

/// Document with the last pause, which may be over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseDocument {
    version: u32,
    /// `None` after an admin has ended a pause.
    pub pause: Option<StartPause>,
}

impl PauseDocument {
    pub fn new(pause: Option<StartPause>) -> Self {
        Self {
            version: VERSION,
            pause,
        }
    }

    /// Parses a stored document.
    ///
    /// # Errors
    /// Returns the reason if it is of another version, or not valid.
    pub fn read(document: &str) -> Result<Self, String> {
        let invalid = |why: serde_json::Error| why.to_string();
        let Versioned { version } = serde_json::from_str(document).map_err(invalid)?;
        if version != VERSION {
            return Err(format!("version {version} is not {VERSION}"));
        }
        let read: Self = serde_json::from_str(document).map_err(invalid)?;
        let until = read.pause.as_ref().map(|pause| pause.until);
        if until.is_some_and(|until| !is_plausible_time(until)) {
            return Err("it contains a time that is out of range".to_owned());
        }
        Ok(read)
    }

    /// Serializes the document.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("all map keys are strings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause() -> StartPause {
        StartPause {
            until: "2026-11-23T18:00:00Z".parse().expect("a time"),
            by: 9.into(),
            reason: Some("We upgrade the cluster.".into()),
        }
    }

    #[test]
    fn a_pause_ends_at_its_time() {
        let pause = pause();
        let second = chrono::TimeDelta::seconds(1);
        assert!(pause.is_in_force(pause.until - second));
        assert!(!pause.is_in_force(pause.until));
    }

    #[test]
    fn the_document_keeps_its_format() {
        let document = PauseDocument::new(Some(pause()));
        let written = document.write();
        assert_eq!(
            written,
            r#"{"version":1,"pause":{"until":"2026-11-23T18:00:00Z","by":"9","reason":"We upgrade the cluster."}}"#
        );
        assert_eq!(PauseDocument::read(&written), Ok(document));
        assert_eq!(
            PauseDocument::read(r#"{"version":1,"pause":null}"#),
            Ok(PauseDocument::new(None))
        );
    }

    #[test]
    fn documents_of_other_versions_are_not_read() {
        for document in ["", "{}", r#"{"version":2,"pause":null}"#] {
            assert!(PauseDocument::read(document).is_err(), "{document}");
        }
        let far =
            r#"{"version":1,"pause":{"until":"+262142-01-01T00:00:00Z","by":"9","reason":null}}"#;
        assert!(PauseDocument::read(far).is_err());
    }
}
