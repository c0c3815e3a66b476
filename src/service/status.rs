//! The use cases behind `/duck status`: a session's details, and its log.

use std::sync::Arc;

use super::{
    LookupRejection, Requester, Service, ServiceError, SessionAction, audit::audit,
    saving::describe_work,
};
use crate::{
    door::activity::Activity,
    runtime::redacted_log,
    session::{Details, Record, ScheduledStop, SessionId, TrackedSession, WorkReport},
};

/// The details of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub watched: TrackedSession,
    /// Activity that its door reported, if the door answered.
    pub activity: Option<Activity>,
    pub details: Details,
    /// State of its work, if it is saved and the session answered.
    pub work: Option<WorkReport>,
    /// The next stop by a rule, if nothing changes before.
    pub due: Option<ScheduledStop>,
}

impl Service {
    /// Returns the details of a session, for its owner and for admins.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else, does not exist or is ambiguous.
    pub async fn status(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Status, LookupRejection> {
        let seen = self.find_accessible(who, given, SessionAction::Inspect)?;
        let details = self.runtime.details(&seen);
        let work = describe_work(&*self.runtime, &seen);
        let (details, work, (watched, activity)) =
            tokio::join!(details, work, self.track_with_activity(seen.clone()));
        Ok(Status {
            due: self.scheduled_stop(&watched),
            watched,
            activity,
            details,
            work,
        })
    }

    /// Returns the end of DuckDB's log, with the owner's credentials removed. Returns `None` if the
    /// session has others than those that are stored: they can't be recognised.
    ///
    /// # Errors
    /// Returns a rejection as [`Service::status`], or an error if the log can't be read.
    pub async fn log(
        &self,
        who: &Requester,
        id: &SessionId,
    ) -> Result<(Arc<Record>, Option<String>), ServiceError> {
        let seen = self.find_accessible(who, Some(&id.to_string()), SessionAction::Inspect)?;
        let words = redacted_log(&*self.runtime, &*self.credentials, &seen).await?;
        audit(who, "read the log of", &id.to_string());
        Ok((seen.record, words))
    }
}
