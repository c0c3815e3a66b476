//! Texts of scheduled queries as files, one for each schedule.

use async_trait::async_trait;

use super::files::Folder;
use crate::{
    error::Error,
    schedule::{ScheduleId, ScheduleText, ScheduleTexts},
    session::OwnerId,
};

/// Texts in a folder that this bot has locked.
pub struct ScheduleFiles(pub(super) Folder);

fn name(owner: OwnerId, id: &ScheduleId) -> String {
    format!("{owner}-{id}")
}

#[async_trait]
impl ScheduleTexts for ScheduleFiles {
    async fn read(&self, owner: OwnerId, id: &ScheduleId) -> Result<Option<ScheduleText>, Error> {
        let text = self.0.read(&name(owner, id))?;
        Ok(text.and_then(|text| ScheduleText::read(&String::from_utf8_lossy(&text))))
    }

    async fn put(&self, owner: OwnerId, id: &ScheduleId, text: &ScheduleText) -> Result<(), Error> {
        self.0.write(&name(owner, id), text.write().as_bytes())
    }

    async fn retain(&self, owner: OwnerId, keep: &[ScheduleId]) -> Result<(), Error> {
        let keep: Vec<_> = keep.iter().map(|id| name(owner, id)).collect();
        let of_owner = format!("{owner}-");
        let names = self.0.names().map_err(|error| Error::Disk {
            action: "listing the texts of schedules".into(),
            why: error.to_string(),
        })?;
        for file in names {
            if file.starts_with(&of_owner) && !keep.contains(&file) {
                self.0.remove(&file)?;
            }
        }
        Ok(())
    }
}
