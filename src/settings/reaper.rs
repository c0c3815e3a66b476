//! Reads `[reaper]`, `[report]` and `[schedules]`.

use chrono::TimeDelta;

use super::{
    reader::{Invalid, SettingsReader},
    sections::{Reaper, Report, Schedules, Sql},
    values::{DURATION, ID, duration, id, parse},
};
use crate::{schedule::Recurrence, session::Limits};

pub(super) fn read_reaper(
    reader: &mut SettingsReader,
    sql: &Result<Option<Sql>, Invalid>,
) -> Result<Reaper, Invalid> {
    const OR_OFF: &str = "a duration, like 8h, or off";
    let or_off = |text: &str| match text {
        "off" => Some(None),
        text => duration(text).map(Some),
    };
    let lifetime = reader.required("reaper.lifetime", OR_OFF, or_off);
    let max_age = reader.required("reaper.max_age", OR_OFF, or_off);
    let idle = reader.required("reaper.idle", OR_OFF, or_off);
    let left_guild = reader.required("reaper.left_guild", OR_OFF, or_off);
    let orphans = reader.required("reaper.orphans", OR_OFF, or_off);
    let warn_before = reader.required("reaper.warn_before", DURATION, duration);
    let extend_by = reader.required("reaper.extend_by", DURATION, duration);
    let extend_budget = reader.required("reaper.extend_budget", DURATION, duration);
    let unreachable = reader.required("reaper.unreachable", DURATION, duration);
    let every = reader.required("reaper.every", DURATION, duration);
    let stops_per_sweep = reader.required("reaper.stops_per_sweep", "a number above 0", |text| {
        text.parse().ok().filter(|n| *n > 0)
    });
    let largest_share = reader.required(
        "reaper.largest_share",
        "a percentage from 1 to 100",
        |text| text.parse().ok().filter(|n| (1..=100).contains(n)),
    );
    let failed = reader.required("reaper.failed", "true or false", parse);
    let late = reader.required("reaper.late", "true or false", parse);
    let dry_run = reader.required("reaper.dry_run", "true or false", parse);
    // Without queries from the chat, runners from before end at once.
    let sql = sql.as_ref().ok().and_then(Option::as_ref);
    let linger = sql.and_then(|sql| TimeDelta::from_std(sql.linger).ok());
    let limits = Limits {
        linger: linger.unwrap_or_default(),
        lifetime: lifetime?,
        max_age: max_age?,
        idle: idle?,
        warn_before: warn_before?,
        extend_budget: extend_budget?,
        left_guild: left_guild?,
        orphans: orphans?,
        unreachable: unreachable?,
        stops_per_sweep: stops_per_sweep?,
        largest_share: largest_share?,
    };
    for (key, length) in [
        ("reaper.lifetime", limits.lifetime),
        ("reaper.max_age", limits.max_age),
        ("reaper.idle", limits.idle),
    ] {
        if length.is_some_and(|length| length <= limits.warn_before) {
            let why = "must be longer than reaper.warn_before, so that owners are warned first";
            return reader.reject(key, why);
        }
    }
    Ok(Reaper {
        limits,
        failed: failed?,
        late: late?,
        every: every?,
        extend_by: extend_by?,
        dry_run: dry_run?,
    })
}

pub(super) fn read_report(reader: &mut SettingsReader) -> Result<Report, Invalid> {
    const CRON: &str = "a cron expression, like 0 9 * * MON";
    let channel = reader.optional("report.channel", ID, id);
    let times = reader.required("report.schedule", CRON, parse);
    let zone = reader.required("report.time_zone", "a time zone, like Europe/Berlin", parse);
    let when_quiet = reader.required("report.when_quiet", "line or silence", |text| match text {
        "line" => Some(true),
        "silence" => Some(false),
        _ => None,
    });
    Ok(Report {
        channel: channel?,
        schedule: Recurrence::new(times?, zone?),
        when_quiet: when_quiet?,
    })
}

pub(super) fn read_schedules(reader: &mut SettingsReader) -> Result<Schedules, Invalid> {
    let per_user = reader.required("schedules.per_user", "a number from 0 to 50", |text| {
        text.parse().ok().filter(|n| *n <= 50)
    });
    let shortest = reader.required("schedules.shortest", DURATION, duration);
    let at_once = reader.required("schedules.at_once", "a number from 1 to 20", |text| {
        text.parse().ok().filter(|n| (1..=20).contains(n))
    });
    Ok(Schedules {
        per_user: per_user?,
        shortest: shortest?,
        at_once: at_once?,
    })
}
