//! Autocomplete suggestions. Discord asks with every key press, so they come from memory. Only
//! table names are queried, at most once a minute per session.

use std::time::Duration;

use serenity::all::{CommandData, Member};

use super::interactions::{Handlers, caller};
use crate::{
    discord::{
        access::admit,
        buttons,
        commands::{CATALOG, CommandKind, DURATION, SESSION, SIZE, TABLE},
    },
    service::Requester,
};

/// Maximum time to produce suggestions. Discord waits for 3 s.
const SUGGESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of characters in a suggestion (Discord's limit).
const MAX_CHOICE_CHARS: usize = 100;

impl Handlers {
    /// Name and value of each suggestion whose name contains the text typed so far.
    pub(in crate::discord) async fn suggestions(
        &self,
        user: u64,
        member: Option<&Member>,
        data: &CommandData,
    ) -> Vec<(String, String)> {
        let Some(focused) = data.autocomplete() else {
            return Vec::new();
        };
        let settings = self.service.settings();
        let choices = match focused.name {
            SIZE => {
                let sizes = settings.sizes.iter();
                sizes
                    .map(|size| (size.to_string(), size.name.clone()))
                    .collect()
            }
            CATALOG => {
                let names = settings.catalogs.iter().map(|catalog| catalog.name.clone());
                names.map(|name| (name.clone(), name)).collect()
            }
            SESSION => {
                // Only its owner can open or query a session, not even an admin.
                let own = [
                    CommandKind::Open,
                    CommandKind::Sql,
                    CommandKind::Tables,
                    CommandKind::Describe,
                ];
                let is_own = buttons::kind(data).is_some_and(|kind| own.contains(&kind));
                self.sessions(user, member.filter(|_| !is_own))
            }
            TABLE => self.tables_of(member, data).await,
            DURATION => {
                let lengths = ["1h", "2h", "4h", "8h", "1d"].map(str::to_owned);
                lengths.map(|length| (length.clone(), length)).into()
            }
            _ => Vec::new(),
        };
        let typed = focused.value.to_lowercase();
        let fits = |(name, _): &(String, String)| name.to_lowercase().contains(&typed);
        choices.into_iter().filter(fits).collect()
    }

    /// Names of the tables in the person's session. The first query may exceed
    /// [`SUGGESTION_TIMEOUT`]. It then continues, and its result is there for the next key press.
    async fn tables_of(
        &self,
        member: Option<&Member>,
        data: &CommandData,
    ) -> Vec<(String, String)> {
        let Some(who) = self.requester_of(member) else {
            return Vec::new();
        };
        let session = buttons::session(data);
        let Ok(seen) = self.service.find_session_to_query(&who, session.as_deref()) else {
            return Vec::new();
        };
        let service = self.service.clone();
        let asked = tokio::spawn(async move { service.tables(&seen).await });
        match tokio::time::timeout(SUGGESTION_TIMEOUT, asked).await {
            Ok(Ok(Ok(tables))) => {
                let short = tables
                    .names
                    .iter()
                    .filter(|name| name.chars().count() <= MAX_CHOICE_CHARS);
                short.map(|name| (name.clone(), name.clone())).collect()
            }
            _ => Vec::new(),
        }
    }

    fn requester_of(&self, member: Option<&Member>) -> Option<Requester> {
        admit(&self.settings, &caller(member?, Vec::new())).ok()
    }

    /// The person's own sessions, followed by everybody else's if `member` is an admin.
    fn sessions(&self, user: u64, member: Option<&Member>) -> Vec<(String, String)> {
        let is_admin = self.requester_of(member).is_some_and(|who| who.is_admin);
        let is_mine = |owner: u64| owner == user;
        let mut sessions = self.service.list(None);
        sessions.retain(|seen| is_admin || is_mine(seen.record.owner.get()));
        sessions.sort_by_key(|seen| !is_mine(seen.record.owner.get()));
        let choice = |seen: &crate::session::Observed| {
            let record = &seen.record;
            let name: String = record.display_name.chars().take(40).collect();
            let text = format!("{} ({name}, {}, {})", record.id, record.size, seen.phase());
            (text, record.id.to_string())
        };
        sessions.iter().map(choice).collect()
    }
}
