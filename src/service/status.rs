//! The use case of looking at one session closely.

use std::sync::Arc;

use super::{Rejection, Requester, Service, ServiceError, audit::audit};
use crate::{
    door::activity::Activity,
    runtime::redacted_log,
    session::{Details, Record, ScheduledStop, SessionId, TrackedSession},
};

/// How a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The session, and how it is used.
    pub watched: TrackedSession,
    /// What its door says, if it answers.
    pub activity: Option<Activity>,
    /// Where it is, and what was said about it.
    pub details: Details,
    /// When it will be stopped as things are, and why.
    pub due: Option<ScheduledStop>,
}

impl Service {
    /// How a session is, for its owner and for admins.
    ///
    /// # Errors
    /// A refusal when it is not theirs, not there, or not clear which.
    pub async fn status(&self, who: &Requester, given: Option<&str>) -> Result<Status, Rejection> {
        let seen = self.find_accessible(who, given, "status", "look into")?;
        let details = self.runtime.details(&seen);
        let (details, (watched, activity)) =
            tokio::join!(details, self.track_with_activity(seen.clone()));
        Ok(Status {
            due: self.scheduled_stop(&watched),
            watched,
            activity,
            details,
        })
    }

    /// The last lines that a session's DuckDB wrote, without its owner's keys; none if nobody
    /// can tell any more whether they stand in there.
    ///
    /// # Errors
    /// A refusal as with [`Service::status`], or if they can't be read.
    pub async fn log(
        &self,
        who: &Requester,
        id: &SessionId,
    ) -> Result<(Arc<Record>, Option<String>), ServiceError> {
        let seen = self.find_accessible(who, Some(&id.to_string()), "status", "look into")?;
        let words = redacted_log(&*self.runtime, &*self.credentials, &seen).await?;
        audit(who, "read the log of", &id.to_string());
        Ok((seen.record, words))
    }
}
