//! The runs of schedules: claiming those that are due, and carrying them out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{
    PlaceState, QueryPlace, QueryRejection, Rejection, Requester, RunOptions, RunProblem,
    ScheduleAccess, Service, ServiceError, StartRejection,
};
use crate::{
    error::Error,
    metrics,
    runtime::{Examination, Findings, QueryResponse, Rows},
    schedule::{
        Carried, ClaimedRun, Condition, MAX_FAILURES, PauseReason, RunOutcome, ScheduleText, Seen,
    },
    session::{MessageId, Observed},
};

/// Number of times that a post is sent before its outcome counts as unknown. Discord takes posts with one
/// nonce for the same for a few minutes.
const MAX_POSTS: u32 = 4;
/// Pause before a post is sent again.
const POST_PAUSE: Duration = Duration::from_secs(5);

/// The end of a run before anything was posted.
enum Ended {
    Paused(PauseReason),
    Problem(RunProblem),
    /// A part that the run needs does not answer, or is full. Another attempt may succeed.
    Later(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Later(error)
    }
}

impl Service {
    /// Waits until a run may be due earlier than the last claim said.
    pub async fn schedules_changed(&self) {
        self.schedules_changed.notified().await;
    }

    /// Claims the runs that are due, at most `max`, besides those that are carried out. Returns them, and the
    /// time of the next one.
    ///
    /// # Errors
    /// If the book can't be read or written.
    pub async fn claim_scheduled_runs(
        &self,
        carried: &Carried,
        max: usize,
    ) -> Result<(Vec<ClaimedRun>, Option<DateTime<Utc>>), Error> {
        let now = self.now();
        let next = self.read_book().await?.next_run(carried);
        if next.is_none_or(|next| next > now) {
            return Ok((Vec::new(), next));
        }
        // No query runner can start. A claimed run would only keep others from their turn afterwards.
        if let Some(pause) = self.pause().await? {
            return Ok((Vec::new(), Some(pause.until)));
        }
        let mut claimed = Vec::new();
        let stored = self.book.replace(|stored| {
            let book = stored.cloned().unwrap_or_default();
            let (book, runs) = book.with_claims(now, carried, max);
            claimed = runs;
            book
        });
        let book = stored.await?;
        let mut carried = carried.clone();
        carried.runs.extend(claimed.iter().map(ClaimedRun::key));
        Ok((claimed, book.next_run(&carried)))
    }

    /// Carries out a claimed run to its end.
    ///
    /// # Errors
    /// If a part that it needs does not answer. Then nothing was posted, and the run can be carried out again.
    pub async fn carry_out_scheduled_run(&self, run: &ClaimedRun) -> Result<(), Error> {
        if run.run.is_posting {
            self.end_unknown_run(run, None).await?;
            metrics::count_scheduled_run("unknown");
            return Ok(());
        }
        let text = self
            .schedule_texts
            .read(run.schedule.owner, &run.id)
            .await?;
        let ended = match &text {
            _ if run.run.was_begun_too_often() => Err(Ended::Problem(RunProblem::Interrupted)),
            Some(text) => match self.query_scheduled(run, text).await {
                Ok((rows, findings)) => self.post_scheduled(run, text, rows, findings).await,
                Err(ended) => Err(ended),
            },
            None => Err(Ended::Problem(RunProblem::TextGone)),
        };
        let why = match ended {
            Ok(outcome) => {
                metrics::count_scheduled_run(outcome);
                return Ok(());
            }
            Err(Ended::Paused(why)) => {
                self.pause_instead(run, why).await?;
                metrics::count_scheduled_run("paused");
                return Ok(());
            }
            Err(Ended::Later(error)) if error.is_permanent() => RunProblem::failed(error),
            Err(Ended::Later(error)) => return Err(error),
            Err(Ended::Problem(why)) => why,
        };
        let sql = text.as_ref().map(|text| &*text.sql);
        self.end_failed_run(run, sql, &why).await?;
        metrics::count_scheduled_run("failed");
        Ok(())
    }

    /// Runs the query of a schedule, with its owner's credentials.
    async fn query_scheduled(
        &self,
        run: &ClaimedRun,
        text: &ScheduleText,
    ) -> Result<(Rows, Option<Findings>), Ended> {
        let schedule = &run.schedule;
        let owner = self.admit_owner(run).await?;
        let runners = self.settings.sql.as_ref().map_or(0, |sql| sql.runners);
        let rejected = |problem: ServiceError| match problem {
            ServiceError::Rejected(Rejection::Query(
                QueryRejection::TooMany(_)
                | QueryRejection::NoRoom
                | QueryRejection::RunnersBusy(_),
            )) => {
                let action = "running a scheduled query".into();
                let why = "too many queries are running".into();
                Ended::Later(Error::Unavailable { action, why })
            }
            ServiceError::Rejected(Rejection::Start(StartRejection::Paused { left, .. })) => {
                let action = "running a scheduled query".into();
                let why = format!("starts are paused for {} more seconds", left.num_seconds());
                Ended::Later(Error::Unavailable { action, why })
            }
            ServiceError::Rejected(why) => Ended::Problem(RunProblem::Rejected(Box::new(why))),
            ServiceError::Failed(error) => Ended::Problem(RunProblem::failed(error)),
            ServiceError::UnusableCredentials(_) => Ended::Paused(PauseReason::CredentialsGone),
        };
        let permit = self.acquire_internal_permit(owner.id);
        let mut permit = permit.map_err(|why| rejected(why.into()))?;
        let place = self.find_or_start_runner(&owner, &schedule.catalog, runners);
        let mut place = place.await.map_err(rejected)?;
        let seen = self.until_ready(&mut place).await.map_err(rejected)?;
        let options = RunOptions {
            examine: examination(&schedule.condition),
            ..RunOptions::default()
        };
        let answered = self.run_query(&owner, &seen, &text.sql, options, &mut permit);
        match answered.await.map_err(rejected)? {
            Some(QueryResponse::Rows(mut rows)) => {
                let findings = rows.findings.take();
                Ok((rows, findings))
            }
            // Only its owner can cancel a query, and this one has no button.
            None => Err(Ended::Problem(RunProblem::Answer(Box::new(
                QueryResponse::Exited,
            )))),
            Some(answer) => Err(Ended::Problem(RunProblem::Answer(Box::new(answer)))),
        }
    }

    /// Checks that a run may take place: its owner has access, and the credentials that they had when they
    /// made the schedule.
    async fn admit_owner(&self, run: &ClaimedRun) -> Result<Requester, Ended> {
        let schedule = &run.schedule;
        let display_name = match self.access_to_channel(schedule).await? {
            ScheduleAccess::Allowed { display_name } => display_name,
            ScheduleAccess::NotAMember => return Err(Ended::Paused(PauseReason::OwnerLeft)),
            ScheduleAccess::NoAccess => return Err(Ended::Paused(PauseReason::OwnerLostAccess)),
            ScheduleAccess::NoChannel | ScheduleAccess::OwnerMayNotPost(_) => {
                return Err(Ended::Paused(PauseReason::OwnerLostChannel));
            }
            ScheduleAccess::BotMayNotPost(_) => {
                return Err(Ended::Problem(RunProblem::ChannelRefused));
            }
        };
        let about = self.credentials_info(schedule.owner).await?;
        match self
            .usable_credentials(schedule.owner, &schedule.catalog)
            .await
        {
            Ok(_) => {}
            Err(ServiceError::Rejected(Rejection::Start(StartRejection::CredentialsExpired {
                at,
                ..
            }))) => return Err(Ended::Paused(PauseReason::CredentialsExpired(at))),
            Err(ServiceError::Failed(error)) => return Err(Ended::Later(error)),
            Err(_) => return Err(Ended::Paused(PauseReason::CredentialsGone)),
        }
        if about.and_then(|about| about.stored) != schedule.credentials_stored {
            return Err(Ended::Paused(PauseReason::CredentialsReplaced));
        }
        Ok(Requester {
            id: schedule.owner,
            display_name,
            is_admin: false,
        })
    }

    /// Waits until a query runner is ready.
    async fn until_ready(&self, place: &mut QueryPlace) -> Result<Observed, ServiceError> {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let PlaceState::Ready(seen) = self.place_state(place)? {
                return Ok(*seen);
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = place.timeout() => {}
            }
        }
    }

    /// Posts the result if the condition holds, and ends the run. Returns the label of the outcome.
    async fn post_scheduled(
        &self,
        run: &ClaimedRun,
        text: &ScheduleText,
        rows: Rows,
        findings: Option<Findings>,
    ) -> Result<&'static str, Ended> {
        let schedule = &run.schedule;
        let (holds, seen) = judge(
            schedule.condition.clone(),
            &schedule.seen,
            &rows,
            findings,
            text,
        )
        .map_err(Ended::Problem)?;
        if !holds && !run.run.is_asked {
            self.end_run(run, RunOutcome::Quiet, Some(seen)).await?;
            return Ok("quiet");
        }
        let mut is_mine = false;
        let stored = self.book.replace(|stored| {
            let book = stored.cloned().unwrap_or_default();
            let posting = book.with_posting(run);
            is_mine = posting.is_some();
            posting.unwrap_or(book)
        });
        stored.await?;
        if !is_mine {
            info!(schedule = %run.id, "schedule {}: its result is not posted, because it was deleted, paused or taken over", run.id);
            let cancelled = self
                .book
                .replace(|stored| stored.cloned().unwrap_or_default().with_run_dropped(run));
            cancelled.await?;
            return Ok("dropped");
        }
        // From here on, nothing may be done twice.
        let id = &run.id;
        let message = match self.try_to_post(run, text, rows).await {
            Ok(Some(message)) => message,
            Ok(None) => {
                let why = RunProblem::ChannelRefused;
                let end = || self.end_failed_run(run, Some(&text.sql), &why);
                until_recorded(run, end).await;
                return Ok("failed");
            }
            Err(error) => {
                warn!(schedule = %id, %error, "schedule {id}: the post of its result failed");
                let end = || self.end_unknown_run(run, Some(seen.clone()));
                until_recorded(run, end).await;
                return Ok("unknown");
            }
        };
        let end = || self.end_run(run, RunOutcome::Posted(message), Some(seen.clone()));
        until_recorded(run, end).await;
        info!(schedule = %id, "schedule {id}: its result was posted");
        Ok("posted")
    }

    /// Tells the owner that nobody knows whether the result was posted, and ends the run.
    async fn end_unknown_run(&self, run: &ClaimedRun, seen: Option<Seen>) -> Result<(), Error> {
        let id = &run.id;
        warn!(schedule = %id, "schedule {id}: nobody knows whether its result was posted; it is not posted again");
        self.notifier.report_unknown_run(run).await?;
        self.end_run(run, RunOutcome::Unknown, seen).await
    }

    /// Posts a result, again if it is not known whether it arrived. All attempts have the same nonce.
    async fn try_to_post(
        &self,
        run: &ClaimedRun,
        text: &ScheduleText,
        rows: Rows,
    ) -> Result<Option<MessageId>, Error> {
        let mut attempts = 1..=MAX_POSTS;
        loop {
            attempts.next();
            match self
                .notifier
                .post_scheduled(run, &text.sql, rows.clone())
                .await
            {
                Err(_) if !attempts.is_empty() => sleep(POST_PAUSE).await,
                posted => return posted,
            }
        }
    }

    async fn end_run(
        &self,
        run: &ClaimedRun,
        outcome: RunOutcome,
        seen: Option<Seen>,
    ) -> Result<(), Error> {
        let now = self.now();
        let ended = self.book.replace(|stored| {
            let book = stored.cloned().unwrap_or_default();
            book.with_outcome(run, now, outcome.clone(), seen.clone())
        });
        ended.await.map(|_| ())
    }

    /// Tells the owner that their schedule is paused, and pauses it.
    async fn pause_instead(&self, run: &ClaimedRun, why: PauseReason) -> Result<(), Error> {
        let id = &run.id;
        // First, because a repeated notice is better than none. Its nonce makes it one message.
        self.notifier.report_paused_schedule(run, &why).await?;
        let paused = self.book.replace(|stored| {
            stored
                .cloned()
                .unwrap_or_default()
                .with_run_paused(run, why.clone())
        });
        paused.await?;
        info!(schedule = %id, ?why, "schedule {id} was paused instead of run");
        Ok(())
    }

    async fn end_failed_run(
        &self,
        run: &ClaimedRun,
        sql: Option<&str>,
        why: &RunProblem,
    ) -> Result<(), Error> {
        let (id, summary) = (&run.id, why.summary());
        if let RunProblem::Failed { error, reference } = why {
            warn!(schedule = %id, reference, %error, "schedule {id}: a run failed [{reference}]");
        } else {
            info!(schedule = %id, ?summary, "schedule {id}: a run failed");
        }
        let is_last = run.schedule.failures + 1 >= MAX_FAILURES;
        self.notifier
            .report_failed_run(run, sql, why, is_last)
            .await?;
        self.end_run(run, RunOutcome::Failed(summary), None).await
    }
}

/// Repeats `end` until the end of a run is recorded. Its result was sent, so nothing else may be done again, and without
/// a record the schedule would count as running.
async fn until_recorded<F: Future<Output = Result<(), Error>>>(
    run: &ClaimedRun,
    end: impl Fn() -> F,
) {
    while let Err(error) = end().await {
        let id = &run.id;
        warn!(schedule = %id, %error, "schedule {id}: the end of its run can't be recorded; trying again");
        sleep(POST_PAUSE).await;
    }
}

fn examination(condition: &Condition) -> Option<Examination> {
    match condition {
        Condition::Always | Condition::Rows => None,
        Condition::Above(limit) => Some(Examination::Above(limit.as_sql().to_owned())),
        Condition::Below(limit) => Some(Examination::Below(limit.as_sql().to_owned())),
        Condition::Changed => Some(Examination::Fingerprint),
    }
}

/// Returns whether the condition holds for a result, and what it remembers of this one.
///
/// # Errors
/// Returns the problem if the condition can't be applied to the result.
fn judge(
    condition: Condition,
    before: &Seen,
    rows: &Rows,
    findings: Option<Findings>,
    text: &ScheduleText,
) -> Result<(bool, Seen), RunProblem> {
    match (condition, findings) {
        (Condition::Always, _) => Ok((true, before.clone())),
        (Condition::Rows, _) => Ok((rows.count() > 0, before.clone())),
        (_, Some(Findings::IsBeyond(is_beyond))) => {
            let seen = Seen {
                was_beyond: is_beyond,
                ..before.clone()
            };
            Ok((is_beyond && !before.was_beyond, seen))
        }
        (_, Some(Findings::Fingerprint(fingerprint))) => {
            let digest = Some(text.digest(&fingerprint));
            let seen = Seen {
                digest,
                ..before.clone()
            };
            Ok((seen.digest != before.digest, seen))
        }
        (_, Some(Findings::NotANumber(kind))) => Err(RunProblem::NotANumber(kind)),
        (_, Some(Findings::Failed(error))) => Err(RunProblem::NotComparable(error)),
        (_, None) => Err(RunProblem::NotComparable(String::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_news_only_when_it_crosses_the_limit() {
        let text = ScheduleText {
            sql: "SELECT 1".into(),
            salt: "salt".into(),
        };
        let above: Condition = "> 100".parse().expect("a condition");
        let mut seen = Seen::default();
        for (is_beyond, is_posted) in [
            (false, false),
            (true, true),
            (true, false),
            (false, false),
            (true, true),
        ] {
            let found = Some(Findings::IsBeyond(is_beyond));
            let judged = judge(above.clone(), &seen, &Rows::default(), found, &text);
            let (holds, next) = judged.expect("a number");
            assert_eq!(holds, is_posted);
            seen = next;
        }
    }

    #[test]
    fn a_result_is_news_only_when_it_differs_from_the_last_one() {
        let text = ScheduleText {
            sql: "SELECT 1".into(),
            salt: "salt".into(),
        };
        let mut seen = Seen::default();
        for (fingerprint, is_posted) in [("a", true), ("a", false), ("b", true), ("a", true)] {
            let found = Some(Findings::Fingerprint(fingerprint.into()));
            let judged = judge(Condition::Changed, &seen, &Rows::default(), found, &text);
            let (holds, next) = judged.expect("a fingerprint");
            assert_eq!(holds, is_posted);
            seen = next;
        }
    }
}
