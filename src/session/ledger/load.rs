//! The use of sessions over time, by size.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::report::{LoadPart, UsageTotal};
use crate::session::record::{MAX_SECONDS, is_plausible_time};

/// Maximum number of parts. A week has 168 hours.
const MAX_PARTS: i64 = 200;
/// Lengths of parts in seconds. Each is a multiple of the one before, and longer ones are twice as long.
const WIDTHS: [i64; 6] = [60, 300, 900, 3600, 14_400, 86_400];
/// Maximum number of sizes with their own totals. The rest share one.
const MAX_SIZES: usize = 12;
/// Name of the sizes that share a total.
const OTHER_SIZES: &str = "other";

/// Times in which sessions were ready, by size, in parts of equal length. Parts get longer with the
/// period, so that their number stays bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Load {
    /// Length of a part in seconds.
    width: i64,
    sizes: BTreeMap<String, SizeLoad>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct SizeLoad {
    sessions: u32,
    /// Parts with use, in their order: the number of the part since 1970, and the seconds of all
    /// sessions together.
    parts: Vec<(i64, i64)>,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            width: WIDTHS[0],
            sizes: BTreeMap::new(),
        }
    }
}

impl Load {
    pub(super) fn is_plausible(&self) -> bool {
        let is_plausible_part = |(part, seconds): &(i64, i64)| {
            let begin = part.checked_mul(self.width);
            let begin = begin.and_then(|it| DateTime::from_timestamp(it, 0));
            *part >= 0
                && begin.is_some_and(is_plausible_time)
                && (0..=MAX_SECONDS).contains(seconds)
        };
        let is_plausible_size = |size: &SizeLoad| {
            let is_sorted = size.parts.windows(2).all(|it| it[0].0 < it[1].0);
            is_sorted && size.parts.iter().all(is_plausible_part)
        };
        (1..=MAX_SECONDS).contains(&self.width) && self.sizes.values().all(is_plausible_size)
    }

    /// Adds a session of a period that began at `since`. The session was ready for `seconds` from
    /// `from` on.
    pub(super) fn add(
        &mut self,
        size: &str,
        since: DateTime<Utc>,
        from: DateTime<Utc>,
        seconds: i64,
    ) {
        let from = from.timestamp();
        let until = from.saturating_add(seconds);
        // Parts are numbered from 1970 on.
        let [since, from] = [since.timestamp(), from].map(|it| it.max(0));
        self.fit(since, until);
        let is_new = !self.sizes.contains_key(size) && self.sizes.len() >= MAX_SIZES;
        let size = if is_new { OTHER_SIZES } else { size };
        let size = self.sizes.entry(size.to_owned()).or_default();
        size.sessions = size.sessions.saturating_add(1);
        let mut at = from;
        while at < until {
            let part = at.div_euclid(self.width);
            let end = until.min((part + 1) * self.width);
            size.add(part, end - at);
            at = end;
        }
    }

    /// Makes parts so long that there are few enough between two times.
    fn fit(&mut self, since: i64, until: i64) {
        while until.div_euclid(self.width) - since.div_euclid(self.width) >= MAX_PARTS {
            let mut wider = WIDTHS.into_iter();
            let wider = wider.find(|it| *it > self.width).unwrap_or(self.width * 2);
            for size in self.sizes.values_mut() {
                for (part, seconds) in std::mem::take(&mut size.parts) {
                    size.add((part * self.width).div_euclid(wider), seconds);
                }
            }
            self.width = wider;
        }
    }

    /// Returns the use by size, most time first, and its course over a period.
    pub(super) fn report(
        mut self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> (Vec<(String, UsageTotal)>, Vec<LoadPart>) {
        let end = until.timestamp().max(since.timestamp());
        self.fit(since.timestamp(), end);
        let mut sizes: Vec<_> = self.sizes.iter().collect();
        sizes.sort_by_key(|(name, size)| (-size.seconds(), *name));
        // The last part does not begin at the end.
        let last = (end - 1).max(since.timestamp());
        let parts = since.timestamp().div_euclid(self.width)..=last.div_euclid(self.width);
        let time = |part: i64| DateTime::from_timestamp(part * self.width, 0);
        let parts = parts.map(|part| LoadPart {
            from: time(part).map_or(since, |it| it.max(since)),
            until: time(part + 1).map_or(until, |it| it.min(until)),
            seconds: sizes.iter().map(|(_, size)| size.in_part(part)).collect(),
        });
        let totals = sizes.iter().map(|(name, size)| {
            let total = UsageTotal {
                seconds: size.seconds(),
                sessions: size.sessions,
            };
            ((*name).clone(), total)
        });
        (totals.collect(), parts.collect())
    }
}

impl SizeLoad {
    fn add(&mut self, part: i64, seconds: i64) {
        match self.parts.binary_search_by_key(&part, |(it, _)| *it) {
            Ok(at) => {
                let sum = &mut self.parts[at].1;
                *sum = sum.saturating_add(seconds).min(MAX_SECONDS);
            }
            Err(at) => self.parts.insert(at, (part, seconds)),
        }
    }

    fn in_part(&self, part: i64) -> i64 {
        let found = self.parts.binary_search_by_key(&part, |(it, _)| *it);
        found.map_or(0, |at| self.parts[at].1)
    }

    fn seconds(&self) -> i64 {
        let seconds = self.parts.iter().map(|(_, seconds)| *seconds);
        seconds.fold(0, i64::saturating_add)
    }
}
