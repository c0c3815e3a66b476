//! The form for a schedule: its custom ID, its inputs and what was typed. Pure.

use std::collections::HashMap;

use chrono_tz::Tz;
use serenity::all::{CreateInputText, InputTextStyle};

use super::replies::{
    FORMAT_LABEL, FORMAT_PLACEHOLDER, ONLY_IF_LABEL, ONLY_IF_PLACEHOLDER, QUERY_LABEL,
    QUERY_PLACEHOLDER, WHEN_LABEL, WHEN_PLACEHOLDER, ZONE_LABEL, ZONE_PLACEHOLDER,
};
use crate::{
    schedule::{PostFormat, Schedule, ScheduleId},
    session::ChannelId,
};

/// Maximum number of characters in a query.
const MAX_QUERY_CHARS: u16 = 4000;
/// Maximum number of characters in another input.
const MAX_CHARS: u16 = 100;

/// Place of a schedule. Custom IDs hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleTarget {
    pub channel: ChannelId,
    /// Name of a catalog. `None`: the default one.
    pub catalog: Option<String>,
    /// Schedule that the submitted one replaces.
    pub replaces: Option<ScheduleId>,
}

/// Values of the form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleDraft {
    pub query: String,
    pub when: String,
    pub zone: String,
    pub format: String,
    pub condition: String,
}

impl ScheduleTarget {
    /// Writes the target for a custom ID, with at most 56 characters.
    pub fn id(&self) -> String {
        let catalog = self.catalog.as_deref().unwrap_or_default();
        let replaces = self.replaces.as_ref().map(ScheduleId::to_string);
        let replaces = replaces.unwrap_or_default();
        format!("{}:{catalog}:{replaces}", self.channel)
    }

    /// Reads the parts of [`ScheduleTarget::id`].
    pub fn parse(channel: &str, catalog: &str, replaces: &str) -> Option<Self> {
        Some(Self {
            channel: channel.parse().ok()?,
            catalog: (!catalog.is_empty()).then(|| catalog.to_owned()),
            replaces: match replaces {
                "" => None,
                id => Some(id.parse().ok()?),
            },
        })
    }
}

impl ScheduleDraft {
    /// Returns the values of a new form for this query.
    pub fn new(query: String, zone: Tz) -> Self {
        Self {
            query,
            zone: zone.name().to_owned(),
            format: PostFormat::default().name().to_owned(),
            ..Self::default()
        }
    }

    /// Returns the values of a schedule, whose query has this text.
    pub fn of(schedule: &Schedule, query: String) -> Self {
        Self {
            query,
            when: schedule.when.clone(),
            zone: schedule.zone.clone(),
            format: schedule.format.name().to_owned(),
            condition: schedule.condition.to_string(),
        }
    }

    pub(super) fn inputs(&self) -> Vec<CreateInputText> {
        let query = CreateInputText::new(InputTextStyle::Paragraph, QUERY_LABEL, "query")
            .placeholder(QUERY_PLACEHOLDER)
            .max_length(MAX_QUERY_CHARS);
        let short = |label: &str, id: &str| {
            CreateInputText::new(InputTextStyle::Short, label, id).max_length(MAX_CHARS)
        };
        let optional = |label: &str, id: &str| short(label, id).required(false);
        [
            (query, &self.query),
            (
                short(WHEN_LABEL, "when").placeholder(WHEN_PLACEHOLDER),
                &self.when,
            ),
            (
                optional(ZONE_LABEL, "zone").placeholder(ZONE_PLACEHOLDER),
                &self.zone,
            ),
            (
                optional(FORMAT_LABEL, "format").placeholder(FORMAT_PLACEHOLDER),
                &self.format,
            ),
            (
                optional(ONLY_IF_LABEL, "only_if").placeholder(ONLY_IF_PLACEHOLDER),
                &self.condition,
            ),
        ]
        .into_iter()
        .map(|(input, value)| match value.as_str() {
            "" => input,
            value => input.value(value),
        })
        .collect()
    }

    /// Takes the values of a submitted form by the custom IDs of its inputs.
    pub(super) fn read(mut values: HashMap<String, String>) -> Self {
        let mut typed = |id: &str| values.remove(id).unwrap_or_default();
        Self {
            query: typed("query"),
            when: typed("when"),
            zone: typed("zone"),
            format: typed("format"),
            condition: typed("only_if"),
        }
    }
}
