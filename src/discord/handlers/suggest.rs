//! Suggestions while somebody types. From memory: they come with every key press.

use serenity::all::{CommandData, Member};

use super::{Handlers, visitor};
use crate::discord::{
    access::admit,
    commands::{CATALOG, DURATION, Kind, SESSION, SIZE},
};

impl Handlers {
    /// Name and value of what fits to what was typed so far.
    pub(super) fn suggestions(
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
                let command = data.options.first().map(|it| it.name.as_str());
                // Nobody opens what is not theirs.
                let member = member.filter(|_| command != Some(Kind::Open.spec().name));
                self.sessions(user, member)
            }
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

    /// The person's own sessions; if the member is an admin, then everybody else's.
    fn sessions(&self, user: u64, member: Option<&Member>) -> Vec<(String, String)> {
        let who = member.and_then(|it| admit(&self.settings, &visitor(it, Vec::new())).ok());
        let is_admin = who.is_some_and(|who| who.is_admin);
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
