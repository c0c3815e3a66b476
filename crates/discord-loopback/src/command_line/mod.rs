//! Parses a command as typed into Discord's client, with the client's checks. [`mod@line`] splits a
//! line, and nothing else does. Reads the state, no I/O.

pub(crate) mod line;
mod values;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::body::list;
use crate::config::ADMINISTRATOR;
use crate::model::PersonState;
use crate::state::State;
use line::{Line, split};

/// Purpose of parsing a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Send the command.
    Send,
    /// Request choices for the last option.
    Complete,
}

/// Command as a person typed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typed<'t> {
    /// Line such as `/duck start size:small`.
    pub line: &'t str,
    /// Further options with their texts, from fields of their own.
    pub fields: &'t [OptionText],
}

/// Text of an option that has a field of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OptionText {
    pub name: String,
    pub value: String,
}

impl<'t> From<&'t str> for Typed<'t> {
    fn from(line: &'t str) -> Self {
        Self { line, fields: &[] }
    }
}

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line)?;
        let mut fields = self.fields.iter();
        fields.try_for_each(|OptionText { name, value }| write!(f, " {name}:{value}"))
    }
}

/// Parses a command into the `data` of an interaction.
///
/// # Errors
///
/// A message that says why Discord's client would not send the command.
pub(crate) fn parse(
    state: &State,
    person: &PersonState,
    typed: Typed<'_>,
    purpose: Purpose,
) -> Result<Value, String> {
    let Line {
        path,
        mut given,
        rest,
    } = split(&state.commands, typed.line)?;
    if let Some(word) = rest.split_whitespace().next() {
        return Err(format!("{word:?} is neither a subcommand nor an option"));
    }
    for OptionText { name, value } in typed.fields {
        let option = path.option(name);
        given.push((
            option.ok_or_else(|| format!("there is no option {name:?}"))?,
            value,
        ));
    }
    check_permissions(state, person, path.command)?;
    let mut resolved = json!({});
    let mut options = Vec::new();
    for (at, (option, text)) in given.iter().enumerate() {
        let focused = purpose == Purpose::Complete && at + 1 == given.len();
        options.push(option_json(state, option, text, focused, &mut resolved)?);
    }
    if purpose == Purpose::Send {
        check_required(path.leaf(), &given)?;
    } else if !options
        .last()
        .is_some_and(|option| option["focused"] == true)
    {
        return Err("the command does not end with an option that has autocomplete".to_owned());
    }
    let options = wrap_in_subcommands(&path.steps, options);
    Ok(data(state, path.command, options, resolved))
}

/// Checks that a person sees a command: Discord hides it if its default permissions are missing.
fn check_permissions(state: &State, person: &PersonState, command: &Value) -> Result<(), String> {
    let needed = command["default_member_permissions"]
        .as_str()
        .and_then(|bits| bits.parse().ok());
    let needed: u64 = needed.unwrap_or(0);
    let hidden = command["default_member_permissions"] == "0";
    let held = state.permissions(person);
    let is_admin = held & ADMINISTRATOR != 0;
    if is_admin || (held & needed == needed && !hidden) {
        return Ok(());
    }
    Err(format!(
        "{} does not have permission to use the command {}",
        person.name, command["name"]
    ))
}

fn check_required(leaf: &Value, given: &[(&Value, &str)]) -> Result<(), String> {
    let required = list(leaf, "options")
        .iter()
        .filter(|option| option["required"] == true);
    for option in required {
        if !given
            .iter()
            .any(|(other, _)| other["name"] == option["name"])
        {
            return Err(format!("the option {} is required", option["name"]));
        }
    }
    Ok(())
}

fn option_json(
    state: &State,
    option: &Value,
    text: &str,
    focused: bool,
    resolved: &mut Value,
) -> Result<Value, String> {
    let mut filled = json!({ "name": option["name"], "type": option["type"] });
    if focused {
        if option["autocomplete"] != true {
            return Err(format!("the option {} has no autocomplete", option["name"]));
        }
        filled["focused"] = true.into();
        filled["value"] = text.into();
        return Ok(filled);
    }
    filled["value"] = values::parse(state, option, text, resolved)?;
    Ok(filled)
}

/// Wraps options into their subcommands, as in an interaction.
fn wrap_in_subcommands(path: &[&Value], options: Vec<Value>) -> Vec<Value> {
    path.iter().rev().fold(options, |inner, step| {
        vec![json!({ "name": step["name"], "type": step["type"], "options": inner })]
    })
}

fn data(state: &State, command: &Value, options: Vec<Value>, resolved: Value) -> Value {
    let mut data = Map::new();
    data.insert("id".to_owned(), command["id"].clone());
    data.insert("name".to_owned(), command["name"].clone());
    data.insert("type".to_owned(), command["type"].clone());
    data.insert("guild_id".to_owned(), state.guild.id.to_string().into());
    data.insert("options".to_owned(), options.into());
    if resolved != json!({}) {
        data.insert("resolved".to_owned(), resolved);
    }
    data.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DiscordConfig;

    fn state() -> State {
        let mut state = State::new(
            &DiscordConfig::default()
                .person("ana", &[])
                .person("bo", &[]),
        );
        let size = json!({ "type": 3, "name": "size", "description": "x", "required": true,
            "choices": [{ "name": "Small", "value": "small" }] });
        let catalog =
            json!({ "type": 3, "name": "catalog", "description": "x", "autocomplete": true });
        let owner = json!({ "type": 6, "name": "owner", "description": "x" });
        state.commands = vec![json!({ "id": "1", "name": "duck", "type": 1, "options": [
            { "type": 1, "name": "start", "description": "x", "options": [size, catalog, owner] },
        ]})];
        state
    }

    fn parsed(line: &str, purpose: Purpose) -> Result<Value, String> {
        let state = state();
        parse(&state, &state.people[0], line.into(), purpose)
    }

    #[test]
    fn a_line_becomes_nested_options() {
        let data = parsed("/duck start size:Small catalog:my lake", Purpose::Send).unwrap();
        let start = &data["options"][0];
        assert_eq!(start["name"], "start");
        assert_eq!(start["options"][0]["value"], "small");
        assert_eq!(start["options"][1]["value"], "my lake");
    }

    #[test]
    fn a_person_is_resolved() {
        let data = parsed("/duck start size:small owner:@bo", Purpose::Send).unwrap();
        let id = data["options"][0]["options"][1]["value"].as_str().unwrap();
        assert_eq!(data["resolved"]["users"][id]["username"], "bo");
    }

    #[test]
    fn input_that_the_client_would_refuse_is_an_error() {
        for line in [
            "duck start",
            "/goose",
            "/duck",
            "/duck fly",
            "/duck start",
            "/duck start size:huge",
            "/duck start size:small colour:red",
            "/duck start size:small owner:@nobody",
        ] {
            assert!(parsed(line, Purpose::Send).is_err(), "{line}");
        }
    }

    #[test]
    fn only_the_last_option_is_completed() {
        let data = parsed("/duck start size:small catalog:la", Purpose::Complete).unwrap();
        assert_eq!(data["options"][0]["options"][1]["focused"], true);
        assert!(parsed("/duck start size:sm", Purpose::Complete).is_err());
    }
}
