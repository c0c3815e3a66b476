//! Parses a command as typed into Discord's client, with the client's checks. Reads the state, no
//! I/O.

mod values;

use serde_json::{Map, Value, json};

use crate::body::list;
use crate::config::ADMINISTRATOR;
use crate::model::PersonState;
use crate::state::State;

/// Purpose of parsing a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Send the command.
    Send,
    /// Request choices for the last option.
    Complete,
}

const SUB_COMMAND_GROUP: u64 = 2;

/// Parses a line such as `/duck start size:small` into the `data` of an interaction.
///
/// # Errors
///
/// A message that says why Discord's client would not send the line.
pub(crate) fn parse(
    state: &State,
    person: &PersonState,
    line: &str,
    purpose: Purpose,
) -> Result<Value, String> {
    let mut words = line.split_whitespace();
    let name = words.next().and_then(|word| word.strip_prefix('/'));
    let name = name.ok_or_else(|| format!("{line:?} does not start with a /command"))?;
    let command = state
        .commands
        .iter()
        .find(|command| command["name"] == name);
    let command = command.ok_or_else(|| format!("there is no command /{name}"))?;
    check_permissions(state, person, command)?;

    let path = parse_subcommands(command, &mut words)?;
    let leaf = path.last().copied().unwrap_or(command);
    let typed = parse_options(words, leaf)?;
    let mut resolved = json!({});
    let mut options = Vec::new();
    for (at, (option, text)) in typed.iter().enumerate() {
        let focused = purpose == Purpose::Complete && at + 1 == typed.len();
        options.push(option_json(state, option, text, focused, &mut resolved)?);
    }
    if purpose == Purpose::Send {
        check_required(leaf, &typed)?;
    } else if !options
        .last()
        .is_some_and(|option| option["focused"] == true)
    {
        return Err(format!(
            "{line:?} does not end with an option that has autocomplete"
        ));
    }
    Ok(data(
        state,
        command,
        wrap_in_subcommands(&path, options),
        resolved,
    ))
}

/// Parses the subcommands that come next in the line.
fn parse_subcommands<'a, 'w>(
    command: &'a Value,
    words: &mut impl Iterator<Item = &'w str>,
) -> Result<Vec<&'a Value>, String> {
    let mut path = Vec::new();
    let mut leaf = command;
    while list(leaf, "options").iter().any(is_subcommand) {
        let word = words.next().ok_or("a subcommand is missing")?;
        let found = list(leaf, "options")
            .iter()
            .find(|option| option["name"] == word);
        leaf = found.ok_or_else(|| format!("there is no subcommand {word:?}"))?;
        path.push(leaf);
    }
    Ok(path)
}

fn is_subcommand(option: &Value) -> bool {
    option["type"]
        .as_u64()
        .is_some_and(|kind| kind <= SUB_COMMAND_GROUP)
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

/// Splits `name:value name:value`. A value extends to the next option and may contain spaces.
fn parse_options<'a, 'w>(
    words: impl Iterator<Item = &'w str>,
    leaf: &'a Value,
) -> Result<Vec<(&'a Value, String)>, String> {
    let mut typed: Vec<(&Value, String)> = Vec::new();
    for word in words {
        let named = word.split_once(':');
        let option = named.and_then(|(name, _)| {
            list(leaf, "options")
                .iter()
                .find(|option| option["name"] == name)
        });
        match (option, named, typed.last_mut()) {
            (Some(option), Some((name, value)), _) => {
                if typed.iter().any(|(other, _)| other["name"] == name) {
                    return Err(format!("the option {name:?} is given twice"));
                }
                typed.push((option, value.to_owned()));
            }
            // Words with a colon in URLs and SQL (`day::DATE`) belong to the value; any other was
            // meant as an option.
            (None, Some((name, rest)), last) if last.is_none() || is_option_name(name, rest) => {
                return Err(format!("there is no option {name:?}"));
            }
            (_, _, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            _ => return Err(format!("{word:?} is neither a subcommand nor an option")),
        }
    }
    Ok(typed)
}

/// Returns true if `name:value` looks like an option.
fn is_option_name(name: &str, value: &str) -> bool {
    let is_letter = |c: char| c.is_lowercase() || c.is_numeric() || matches!(c, '_' | '-');
    name.chars().all(is_letter) && !value.starts_with("//") && !value.starts_with(':')
}

fn check_required(leaf: &Value, typed: &[(&Value, String)]) -> Result<(), String> {
    let required = list(leaf, "options")
        .iter()
        .filter(|option| option["required"] == true);
    for option in required {
        if !typed
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
        parse(&state, &state.people[0], line, purpose)
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
