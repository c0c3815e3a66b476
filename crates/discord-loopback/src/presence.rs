//! The bot's presence: its status, and what it shows beside its name. No I/O.
//!
//! <https://discord.com/developers/docs/events/gateway-events#update-presence>. Discord's OpenAPI document
//! has no gateway payloads, so the rules are written here by hand.

use std::fmt;

use serde_json::Value;

/// Statuses that a client can set.
const STATUSES: [&str; 5] = ["online", "dnd", "idle", "invisible", "offline"];
/// Type of an activity that shows its state as it is: a custom status.
const CUSTOM: u64 = 4;
/// Highest type of an activity.
const LAST_TYPE: u64 = 5;
/// Maximum number of characters of an activity's name and state.
const MAX_CHARS: usize = 128;

/// The bot's presence, as other people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// `online`, `idle`, `dnd`, `invisible` or `offline`.
    pub status: String,
    /// Text beside the bot's name.
    pub activity: Option<String>,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            status: "online".to_owned(),
            activity: None,
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status)?;
        match &self.activity {
            Some(activity) => write!(f, " ({activity})"),
            None => Ok(()),
        }
    }
}

impl Presence {
    /// Reads the data of a presence update. `since` is not checked: serenity sends an object where Discord's
    /// documents have a number, and Discord accepts it.
    pub(crate) fn read(data: &Value) -> Result<Self, String> {
        let status = data["status"].as_str().unwrap_or_default();
        if !STATUSES.contains(&status) {
            return Err(format!("the status {} is unknown", data["status"]));
        }
        if !data["afk"].is_boolean() {
            return Err("afk is required".to_owned());
        }
        let activities = data["activities"].as_array();
        let activities = activities.ok_or("activities must be a list")?;
        let shown = activities.iter().map(activity);
        let shown: Vec<_> = shown.collect::<Result<_, _>>()?;
        Ok(Self {
            status: status.to_owned(),
            activity: shown.into_iter().next(),
        })
    }
}

/// Returns the text of an activity.
fn activity(data: &Value) -> Result<String, String> {
    let text = |key: &str| {
        let text = data[key].as_str().unwrap_or_default();
        if text.chars().count() > MAX_CHARS {
            return Err(format!(
                "{key} of an activity has more than {MAX_CHARS} characters"
            ));
        }
        Ok(text.to_owned())
    };
    let (name, state) = (text("name")?, text("state")?);
    let kind = data["type"].as_u64().filter(|kind| *kind <= LAST_TYPE);
    let kind = kind.ok_or("the type of an activity is unknown")?;
    match (kind, name.is_empty(), state.is_empty()) {
        (_, true, _) => Err("an activity requires a name".to_owned()),
        (CUSTOM, _, true) => Err("a custom status requires a state".to_owned()),
        (CUSTOM, ..) => Ok(state),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_presence_shows_its_status_and_activity() {
        let custom = json!({ "name": "~", "type": 4, "state": "Starts are paused", "url": null });
        let data = |activities| json!({ "status": "idle", "afk": false, "since": null, "activities": activities });
        let read = |activities| Presence::read(&data(activities)).map(|it| it.to_string());
        assert_eq!(
            read(json!([custom])).as_deref(),
            Ok("idle (Starts are paused)")
        );
        assert_eq!(read(json!([])).as_deref(), Ok("idle"));
        assert_eq!(
            read(json!([{ "name": "chess", "type": 0 }])).as_deref(),
            Ok("idle (chess)")
        );
    }

    #[test]
    fn invalid_presences_are_refused() {
        let long = "a".repeat(129);
        for data in [
            json!({}),
            json!({ "status": "away", "afk": false, "activities": [] }),
            json!({ "status": "idle", "activities": [] }),
            json!({ "status": "idle", "afk": false }),
            json!({ "status": "idle", "afk": false, "activities": [{ "type": 0 }] }),
            json!({ "status": "idle", "afk": false, "activities": [{ "name": "~", "type": 4 }] }),
            json!({ "status": "idle", "afk": false, "activities": [{ "name": "a", "type": 9 }] }),
            json!({ "status": "idle", "afk": false, "activities": [{ "name": "~", "type": 4, "state": long }] }),
        ] {
            assert!(Presence::read(&data).is_err(), "{data}");
        }
    }
}
