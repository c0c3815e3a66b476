//! The use cases of schedules: making, listing, pausing and deleting them.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tracing::warn;
use uuid::Uuid;

use super::{
    Requester, ScheduleAccess, ScheduleRejection, Service, ServiceError, audit::audit,
    reaping::admins_only, sql::validate_sql,
};
use crate::{
    error::Error,
    schedule::{
        Book, BookPause, Condition, MAX_SCHEDULES, PauseReason, PostFormat, Recurrence, Schedule,
        ScheduleId, ScheduleText, Seen, parse_when,
    },
    session::{ChannelId, OwnerId, RequestId},
    settings::Schedules,
};

/// Number of future times that are checked for being too close to each other.
const CHECKED_TIMES: usize = 100;

/// A schedule that a person asks for, as they typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule {
    /// Request ID. A repeated request makes no second schedule.
    pub request: RequestId,
    pub sql: String,
    pub when: String,
    /// Name of the time zone. The default is `report.time_zone`.
    pub zone: String,
    pub channel: ChannelId,
    pub format: String,
    pub condition: String,
    /// Name of a catalog. The default is `sessions.default_catalog`.
    pub catalog: Option<String>,
    /// Schedule of the same person that it replaces, if that is still there.
    pub replaces: Option<ScheduleId>,
}

/// The schedules that a person may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleList {
    /// Pause of all schedules.
    pub paused: Option<BookPause>,
    /// Their own ones, or all for an admin, with the next run first.
    pub schedules: Vec<(ScheduleId, Schedule)>,
}

impl Service {
    /// Returns true if people can make schedules.
    pub fn allows_schedules(&self) -> bool {
        self.schedule_settings().is_ok()
    }

    fn schedule_settings(&self) -> Result<&Schedules, ScheduleRejection> {
        let runners = self.settings.sql.as_ref().map_or(0, |sql| sql.runners);
        let settings = Some(&self.settings.schedules).filter(|it| it.per_user > 0 && runners > 0);
        settings.ok_or(ScheduleRejection::Disabled)
    }

    /// Makes a schedule, in place of the one that it replaces. Returns its ID and the schedule.
    ///
    /// # Errors
    /// Returns a rejection if a value can't be used, a limit is reached, or the query could not run or its
    /// result not be posted. Then nothing is stored.
    pub async fn create_schedule(
        &self,
        who: &Requester,
        ask: &NewSchedule,
    ) -> Result<(ScheduleId, Schedule), ServiceError> {
        let limit = self.schedule_settings()?.per_user;
        let id = ScheduleId::of_request(&ask.request);
        let sql = validate_sql(&ask.sql)?;
        let schedule = self.parse_schedule(who, ask, &id)?;
        let book = self.read_book().await?;
        if let Some(made) = book.schedules.get(&id) {
            return Ok((id, made.clone()));
        }
        let without_old = |book: &Book| match &ask.replaces {
            Some(old) if book.of(who.id).any(|(id, _)| id == old) => book.without(old),
            _ => book.clone(),
        };
        check_room(&without_old(&book), who.id, limit)?;
        self.check_channel(who, &schedule).await?;
        let credentials_stored = self.credentials_for_next_run(&schedule).await?;
        let schedule = Schedule {
            credentials_stored,
            ..schedule
        };
        let text = ScheduleText {
            sql: sql.to_owned(),
            salt: Uuid::new_v4().simple().to_string(),
        };
        // A text without a schedule does no harm, and the next change removes it.
        self.schedule_texts.put(who.id, &id, &text).await?;
        let mut full = Ok(());
        let stored = self.book.replace(|stored| {
            let book = stored.cloned().unwrap_or_default();
            let rest = without_old(&book);
            full = check_room(&rest, who.id, limit);
            match full {
                Ok(()) => rest.with_new(&id, &schedule),
                Err(_) => book,
            }
        });
        let book = stored.await?;
        full?;
        if ask.replaces.is_some()
            && let Err(error) = self.remove_unused_texts(&book, who.id).await
        {
            let owner = who.id;
            warn!(%owner, %error, "the text of a changed schedule of {owner} could not be removed");
        }
        // Their schedules are deleted when they leave the server.
        self.remember_owner(who.id).await;
        let instead = ask.replaces.as_ref();
        let instead = instead.map_or_else(String::new, |old| format!(", instead of {old}"));
        let about = format!("{id} in {}{instead}", schedule.channel);
        audit(who, "made schedule", &about);
        self.schedules_changed.notify_one();
        Ok((id, schedule))
    }

    /// Returns the access of a schedule's owner and of the bot to its channel.
    pub(super) async fn access_to_channel(
        &self,
        schedule: &Schedule,
    ) -> Result<ScheduleAccess, Error> {
        let has_file = schedule.format != PostFormat::Table;
        let (owner, channel) = (schedule.owner, schedule.channel);
        self.notifier
            .schedule_access(owner, channel, has_file)
            .await
    }

    async fn check_channel(
        &self,
        who: &Requester,
        schedule: &Schedule,
    ) -> Result<(), ServiceError> {
        match self.access_to_channel(schedule).await? {
            ScheduleAccess::Allowed { .. } => Ok(()),
            access => {
                let is_owner = schedule.owner == who.id;
                Err(ScheduleRejection::Channel { access, is_owner }.into())
            }
        }
    }

    fn parse_schedule(
        &self,
        who: &Requester,
        ask: &NewSchedule,
        id: &ScheduleId,
    ) -> Result<Schedule, ServiceError> {
        let settings = self.schedule_settings()?;
        let given = || ask.when.trim().to_owned();
        let cron = parse_when(&ask.when).map_err(|why| ScheduleRejection::InvalidWhen {
            given: given(),
            why,
        })?;
        let zone = ask.zone.trim();
        let zone = if zone.is_empty() {
            self.settings.report.schedule.zone()
        } else {
            find_zone(zone).ok_or_else(|| ScheduleRejection::UnknownZone(zone.to_owned()))?
        };
        let condition = ask.condition.parse::<Condition>();
        let condition =
            condition.map_err(|_| ScheduleRejection::InvalidCondition(ask.condition.clone()))?;
        let format = PostFormat::find(&ask.format);
        let format = format.ok_or_else(|| ScheduleRejection::UnknownFormat(ask.format.clone()))?;
        self.check_catalog(ask.catalog.as_deref())?;
        let now = self.now();
        let recurrence = Recurrence::new(cron.clone(), zone);
        if shortest_gap(&recurrence, now).is_some_and(|gap| gap < settings.shortest) {
            return Err(ScheduleRejection::TooOften(settings.shortest).into());
        }
        let schedule = Schedule {
            owner: who.id,
            display_name: who.display_name.clone(),
            channel: ask.channel,
            catalog: self.catalog(ask.catalog.as_deref())?,
            when: given(),
            cron: cron.pattern.to_string(),
            zone: zone.name().to_owned(),
            format,
            condition,
            created: now,
            credentials_stored: None,
            next: None,
            is_asked: false,
            run: None,
            last: None,
            failures: 0,
            paused: None,
            seen: Seen::default(),
        };
        let next = schedule.next_after(id, now);
        next.ok_or(ScheduleRejection::Never)?;
        Ok(Schedule { next, ..schedule })
    }

    /// Returns the time at which the credentials were stored that the next run uses.
    ///
    /// # Errors
    /// Returns a rejection if there are none, or if they expire before it.
    async fn credentials_for_next_run(
        &self,
        schedule: &Schedule,
    ) -> Result<Option<DateTime<Utc>>, ServiceError> {
        let expire = self
            .usable_credentials(schedule.owner, &schedule.catalog)
            .await?;
        if let (Some(expire), Some(next)) = (expire, schedule.next)
            && expire <= next
        {
            return Err(ScheduleRejection::CredentialsExpireBefore { expire, next }.into());
        }
        let about = self.credentials_info(schedule.owner).await?;
        Ok(about.and_then(|about| about.stored))
    }

    /// Returns the schedules that a person may see.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn schedules(&self, who: &Requester) -> Result<ScheduleList, ServiceError> {
        let book = self.read_book().await?;
        let is_visible = |schedule: &Schedule| who.is_admin || schedule.owner == who.id;
        let mut schedules: Vec<_> = book
            .schedules
            .into_iter()
            .filter(|(_, it)| is_visible(it))
            .collect();
        schedules.sort_by_key(|(_, it)| (it.paused.is_some(), it.next.is_none(), it.next));
        Ok(ScheduleList {
            paused: book.paused,
            schedules,
        })
    }

    /// Returns the number of a person's schedules, for notes in other replies. Zero if it is not known.
    pub async fn schedule_count(&self, who: OwnerId) -> usize {
        match self.book.read().await {
            Ok(Some(book)) => book.of(who).count(),
            _ => 0,
        }
    }

    async fn remove_unused_texts(&self, book: &Book, owner: OwnerId) -> Result<(), Error> {
        let keep: Vec<_> = book.of(owner).map(|(id, _)| id.clone()).collect();
        self.schedule_texts.retain(owner, &keep).await
    }

    /// Returns a schedule of this person, with the text of its query.
    ///
    /// # Errors
    /// Returns a rejection if the schedule belongs to someone else or does not exist. A text that is gone
    /// is empty.
    pub async fn schedule_to_change(
        &self,
        owner: OwnerId,
        id: &ScheduleId,
    ) -> Result<(Schedule, String), ServiceError> {
        let book = self.read_book().await?;
        let found = book.schedules.get(id);
        let schedule = found.ok_or_else(|| ScheduleRejection::NoSuchSchedule(id.clone()))?;
        if schedule.owner != owner {
            return Err(ScheduleRejection::NotYours(schedule.owner).into());
        }
        let text = self.schedule_texts.read(owner, id).await?;
        Ok((schedule.clone(), text.map_or_else(String::new, |it| it.sql)))
    }

    /// Returns the text of a schedule's query to its owner. `None` if it is gone.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn schedule_sql(
        &self,
        who: &Requester,
        id: &ScheduleId,
    ) -> Result<Option<String>, ServiceError> {
        let text = self.schedule_texts.read(who.id, id).await?;
        Ok(text.map(|text| text.sql))
    }

    /// Pauses a schedule. A run that is under way posts nothing.
    ///
    /// # Errors
    /// Returns a rejection if there is none of the caller with this ID.
    pub async fn pause_schedule(
        &self,
        who: &Requester,
        id: &ScheduleId,
    ) -> Result<Schedule, ServiceError> {
        let pause = |schedule: &mut Schedule| {
            schedule.paused.get_or_insert(PauseReason::By(who.id));
        };
        let paused = self.change_schedule(who, id, |_| Ok(()), pause).await?;
        audit(who, "paused schedule", &id.to_string());
        Ok(paused)
    }

    /// Resumes a schedule, with its owner's present credentials. Only its owner can resume one that was
    /// paused for another reason than that somebody asked for it.
    ///
    /// # Errors
    /// Returns a rejection if there is none of the caller with this ID, or it could not run.
    pub async fn resume_schedule(
        &self,
        who: &Requester,
        id: &ScheduleId,
    ) -> Result<Schedule, ServiceError> {
        self.schedule_settings()?;
        let schedule = self.find_schedule(who, id).await?;
        let now = self.now();
        let next = schedule.next_after(id, now);
        next.ok_or(ScheduleRejection::Never)?;
        let planned = Schedule { next, ..schedule };
        self.check_channel(who, &planned).await?;
        let stored = self.credentials_for_next_run(&planned).await?;
        let is_owner = planned.owner == who.id;
        let check = |schedule: &Schedule| match &schedule.paused {
            // With other credentials, the query may see more than its owner meant to post.
            Some(why) if !is_owner && !matches!(why, PauseReason::By(_)) => {
                Err(ScheduleRejection::NotYours(schedule.owner))
            }
            _ => Ok(()),
        };
        let resume = |schedule: &mut Schedule| {
            if schedule.paused.take().is_some() {
                (schedule.next, schedule.failures) = (next, 0);
                schedule.is_asked = false;
            }
            if is_owner {
                schedule.credentials_stored = stored;
            }
        };
        let resumed = self.change_schedule(who, id, check, resume).await?;
        audit(who, "resumed schedule", &id.to_string());
        self.schedules_changed.notify_one();
        Ok(resumed)
    }

    /// Lets a schedule run at once. The result is posted whatever its condition says.
    ///
    /// # Errors
    /// Returns a rejection if there is none of the caller with this ID, or it is paused or running.
    pub async fn run_schedule_now(
        &self,
        who: &Requester,
        id: &ScheduleId,
    ) -> Result<Schedule, ServiceError> {
        self.schedule_settings()?;
        if let Some(pause) = self.read_book().await?.paused {
            return Err(ScheduleRejection::AllPaused(pause).into());
        }
        self.check_pause(self.pause().await?)?;
        let check = |schedule: &Schedule| match (&schedule.paused, &schedule.run) {
            (Some(why), _) => Err(ScheduleRejection::Paused(why.clone())),
            (None, Some(_)) => Err(ScheduleRejection::Running),
            (None, None) => Ok(()),
        };
        let now = self.now();
        let run = |schedule: &mut Schedule| {
            (schedule.next, schedule.is_asked) = (Some(now), true);
        };
        let asked = self.change_schedule(who, id, check, run).await?;
        audit(who, "ran schedule", &id.to_string());
        self.schedules_changed.notify_one();
        Ok(asked)
    }

    /// Deletes a schedule and its text. A run that is under way posts nothing.
    ///
    /// # Errors
    /// Returns a rejection if there is none of the caller with this ID.
    pub async fn delete_schedule(
        &self,
        who: &Requester,
        id: &ScheduleId,
    ) -> Result<Schedule, ServiceError> {
        let schedule = self.find_schedule(who, id).await?;
        let stored = self
            .book
            .replace(|stored| stored.cloned().unwrap_or_default().without(id));
        let book = stored.await?;
        self.remove_unused_texts(&book, schedule.owner).await?;
        audit(who, "deleted schedule", &id.to_string());
        Ok(schedule)
    }

    /// Pauses all schedules, or lets them run again. Runs that are under way post nothing.
    ///
    /// # Errors
    /// Returns [`Rejection::AdminsOnly`](super::Rejection::AdminsOnly) if the caller is not an admin.
    pub async fn pause_all_schedules(
        &self,
        who: &Requester,
        is_paused: bool,
    ) -> Result<ScheduleList, ServiceError> {
        admins_only(who)?;
        let (by, at) = (who.id, self.now());
        let pause = is_paused.then_some(BookPause { by, at });
        let stored = self.book.replace(|stored| {
            let book = stored.cloned().unwrap_or_default();
            book.with_all_paused(pause.clone())
        });
        stored.await?;
        let act = if is_paused { "paused" } else { "resumed" };
        audit(who, act, "all schedules");
        self.schedules_changed.notify_one();
        self.schedules(who).await
    }

    /// Pauses a person's schedules, because their credentials changed. Returns the number of schedules that
    /// were not paused before. A failure is only logged: a run with other credentials is paused, too.
    pub(super) async fn pause_schedules_of(&self, owner: OwnerId, why: &PauseReason) -> usize {
        let mut count = 0;
        let paused = async {
            let runs = |book: &Book| book.of(owner).filter(|(_, it)| it.paused.is_none()).count();
            if runs(&self.read_book().await?) == 0 {
                return Ok(());
            }
            let stored = self.book.replace(|stored| {
                let book = stored.cloned().unwrap_or_default();
                count = runs(&book);
                book.with_owner_paused(owner, why)
            });
            stored.await.map(|_| ())
        };
        let paused: Result<(), Error> = paused.await;
        match paused {
            Ok(()) => count,
            Err(error) => {
                warn!(%owner, %error, "the schedules of {owner} could not be paused; each is when it is due");
                0
            }
        }
    }

    /// Deletes the schedules of a person, with their texts.
    ///
    /// # Errors
    /// If they can't be deleted.
    pub(super) async fn delete_schedules_of(&self, owner: OwnerId) -> Result<(), Error> {
        if let Some(book) = self.book.read().await?
            && book.of(owner).next().is_some()
        {
            let without = |stored: Option<&Book>| {
                let book = stored.cloned().unwrap_or_default();
                book.without_owner(owner)
            };
            self.book.replace(without).await?;
        }
        self.schedule_texts.retain(owner, &[]).await
    }

    pub(super) async fn read_book(&self) -> Result<Book, Error> {
        Ok(self.book.read().await?.unwrap_or_default())
    }

    /// Returns a schedule that the caller may change.
    async fn find_schedule(
        &self,
        who: &Requester,
        id: &ScheduleId,
    ) -> Result<Schedule, ServiceError> {
        let book = self.read_book().await?;
        Ok(find(&book, who, id)?.clone())
    }

    /// Changes a schedule that the caller may change and that passes `check`.
    async fn change_schedule(
        &self,
        who: &Requester,
        id: &ScheduleId,
        check: impl Fn(&Schedule) -> Result<(), ScheduleRejection>,
        change: impl Fn(&mut Schedule),
    ) -> Result<Schedule, ServiceError> {
        let mut checked = Ok(());
        let stored = self.book.replace(|stored| {
            let book = stored.cloned().unwrap_or_default();
            checked = find(&book, who, id).and_then(&check);
            match checked {
                Ok(()) => book.with_changed(id, &change),
                Err(_) => book,
            }
        });
        let book = stored.await?;
        checked?;
        let schedule = book.schedules.get(id).cloned();
        schedule.ok_or_else(|| ScheduleRejection::NoSuchSchedule(id.clone()).into())
    }
}

fn find<'a>(
    book: &'a Book,
    who: &Requester,
    id: &ScheduleId,
) -> Result<&'a Schedule, ScheduleRejection> {
    match book.schedules.get(id) {
        Some(found) if who.is_admin || found.owner == who.id => Ok(found),
        Some(found) => Err(ScheduleRejection::NotYours(found.owner)),
        None => Err(ScheduleRejection::NoSuchSchedule(id.clone())),
    }
}

fn check_room(book: &Book, owner: OwnerId, limit: u8) -> Result<(), ScheduleRejection> {
    if book.of(owner).count() >= usize::from(limit) {
        return Err(ScheduleRejection::LimitReached(limit));
    }
    if book.schedules.len() >= MAX_SCHEDULES {
        return Err(ScheduleRejection::BookFull);
    }
    Ok(())
}

/// Finds a time zone by its name, in any case.
fn find_zone(name: &str) -> Option<Tz> {
    let mut all = chrono_tz::TZ_VARIANTS.iter();
    all.find(|zone| zone.name().eq_ignore_ascii_case(name))
        .copied()
}

/// Returns the shortest time between two of the next runs.
fn shortest_gap(recurrence: &Recurrence, now: DateTime<Utc>) -> Option<TimeDelta> {
    let times = std::iter::successors(recurrence.next_after(now), |at| recurrence.next_after(*at));
    let times: Vec<_> = times.take(CHECKED_TIMES).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).min()
}
