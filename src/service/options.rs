//! Sizes, catalogs and switches from the settings.

use std::num::NonZeroU32;

use chrono_tz::Tz;

use super::{Requester, Service};
use crate::{
    session::{Failure, Record, Size},
    settings::Catalog,
};

impl Service {
    /// Returns the sizes, smallest first.
    pub fn sizes(&self) -> &[Size] {
        &self.settings.sizes
    }

    /// Returns the catalogs, by name.
    pub fn catalogs(&self) -> &[Catalog] {
        &self.settings.catalogs
    }

    /// Returns a session's size, if the settings still have it.
    pub fn size_of(&self, session: &Record) -> Option<&Size> {
        self.settings.size_of(session)
    }

    /// Returns the name of a size that has more of what a session lacked when it failed.
    pub fn larger_size(&self, session: &Record, failure: Failure) -> Option<&str> {
        self.settings.larger_size(&session.size, failure)
    }

    /// Returns true if credentials can be checked.
    pub fn checks_credentials(&self) -> bool {
        self.settings.credentials.preflight
    }

    /// Returns true if the rules only show what they would stop.
    pub fn is_dry_run(&self) -> bool {
        self.settings.reaper.dry_run
    }

    /// Returns the time zone of times that admins type.
    pub fn time_zone(&self) -> Tz {
        self.settings.report.schedule.zone()
    }

    /// Returns the maximum number of sessions of all people, for an admin.
    pub fn total_for(&self, who: &Requester) -> Option<NonZeroU32> {
        self.settings.sessions.total.filter(|_| who.is_admin)
    }

    /// Returns true if sessions answer queries from the chat.
    pub fn answers_queries(&self) -> bool {
        self.settings.sql.is_some()
    }

    /// Returns true if one of these roles may run statements other than SELECT.
    pub fn may_write(&self, mut roles: impl Iterator<Item = u64>) -> bool {
        let sql = self.settings.sql.as_ref();
        sql.is_some_and(|sql| roles.any(|role| sql.write_roles.contains(&role)))
    }
}
