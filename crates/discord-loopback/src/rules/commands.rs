//! Limits of application commands. Pure.
//!
//! <https://discord.com/developers/docs/interactions/application-commands#application-command-object>

use std::collections::HashSet;
use std::slice;

use serde_json::Value;

use crate::api_error::{ApiError, FieldErrors};
use crate::body::{list, number};

const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;
const STRING: u64 = 3;

/// Checks a bulk overwrite of all commands of a guild.
pub(crate) fn check(commands: &[Value]) -> FieldErrors {
    let mut form = FieldErrors::default();
    form.check_count("0", commands.len(), 100);
    unique(&mut form, "", commands);
    for (at, command) in commands.iter().enumerate() {
        check_name(&mut form, &at.to_string(), command);
        options(&mut form, &at.to_string(), command, 0);
        if weight(command) > 8000 {
            let message = "Command exceeds maximum size (8000)";
            form.add(&at.to_string(), "APPLICATION_COMMAND_TOO_LARGE", message);
        }
    }
    form
}

/// Checks a command that is created alone.
///
/// # Errors
///
/// Status 400, with paths that start in the command.
pub(crate) fn check_one(command: &Value) -> Result<(), ApiError> {
    let checked = check(slice::from_ref(command)).finish();
    checked.map_err(|mut error| {
        error.body["errors"] = error.body["errors"]["0"].take();
        error
    })
}

fn check_name(form: &mut FieldErrors, at: &str, thing: &Value) {
    let name = thing["name"].as_str();
    form.check_required(&format!("{at}.name"), name, 1, 32);
    if !name.is_some_and(is_name) {
        let message = "Command name is invalid";
        form.add(
            &format!("{at}.name"),
            "APPLICATION_COMMAND_INVALID_NAME",
            message,
        );
    }
    let description = thing["description"].as_str();
    form.check_required(&format!("{at}.description"), description, 1, 100);
}

/// Returns true if a name has only allowed characters, in lower case: `^[-_'\p{L}\p{N}]{1,32}$`.
fn is_name(name: &str) -> bool {
    name.chars()
        .all(|c| "-_'".contains(c) || c.is_alphanumeric())
        && name.to_lowercase() == name
}

fn options(form: &mut FieldErrors, at: &str, holder: &Value, depth: usize) {
    let options = list(holder, "options");
    form.check_count(&format!("{at}.options"), options.len(), 25);
    unique(form, &format!("{at}.options."), options);
    let mut optional_seen = false;
    for (index, option) in options.iter().enumerate() {
        let at = format!("{at}.options.{index}");
        check_name(form, &at, option);
        choices(form, &at, option);
        let required = option["required"] == true;
        if required && optional_seen {
            let message = "Required options must be placed before non-required options";
            form.add(&at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
        }
        optional_seen |= !required;
        nesting(form, &at, option, depth);
    }
}

fn nesting(form: &mut FieldErrors, at: &str, option: &Value, depth: usize) {
    let allowed = match number(option, "type") {
        SUB_COMMAND_GROUP => depth == 0,
        SUB_COMMAND => depth <= 1,
        _ => list(option, "options").is_empty(),
    };
    if allowed {
        options(form, at, option, depth + 1);
    } else {
        let message = "Sub-command is too deep, or an option has options";
        form.add(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message);
    }
}

fn choices(form: &mut FieldErrors, at: &str, option: &Value) {
    let choices = list(option, "choices");
    form.check_count(&format!("{at}.choices"), choices.len(), 25);
    for (index, choice) in choices.iter().enumerate() {
        let at = format!("{at}.choices.{index}");
        form.check_required(&format!("{at}.name"), choice["name"].as_str(), 1, 100);
        if number(option, "type") == STRING {
            form.check_required(&format!("{at}.value"), choice["value"].as_str(), 1, 100);
        }
    }
    if option["autocomplete"] == true && !choices.is_empty() {
        let message = "Choices and autocomplete exclude each other";
        form.add(
            at,
            "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE",
            message,
        );
    }
}

fn unique(form: &mut FieldErrors, at: &str, things: &[Value]) {
    let mut seen = HashSet::new();
    for (index, thing) in things.iter().enumerate() {
        if !seen.insert(thing["name"].as_str()) {
            let message = "Option name already exists";
            let code = "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS";
            form.add(&format!("{at}{index}"), code, message);
        }
    }
}

/// Number of characters in names, descriptions and choice values: at most 8000 per command.
fn weight(thing: &Value) -> usize {
    let own: usize = ["name", "description", "value"]
        .iter()
        .filter_map(|key| thing[*key].as_str())
        .map(|text| text.chars().count())
        .sum();
    let inner = list(thing, "options").iter().chain(list(thing, "choices"));
    own + inner.map(weight).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(command: Value) -> bool {
        check(&[command]).finish().is_err()
    }

    #[test]
    fn a_tree_of_subcommands_is_accepted() {
        assert!(!refused(
            json!({ "name": "duck", "description": "x", "options": [
                { "type": 1, "name": "start", "description": "x", "options": [
                    { "type": 3, "name": "size", "description": "x", "required": true },
                    { "type": 3, "name": "catalog", "description": "x" },
                ]},
            ]})
        ));
    }

    #[test]
    fn an_upper_case_name_is_refused() {
        assert!(refused(json!({ "name": "Duck", "description": "x" })));
    }

    #[test]
    fn a_required_option_after_an_optional_one_is_refused() {
        assert!(refused(
            json!({ "name": "duck", "description": "x", "options": [
                { "type": 3, "name": "a", "description": "x" },
                { "type": 3, "name": "b", "description": "x", "required": true },
            ]})
        ));
    }

    #[test]
    fn two_options_of_one_name_are_refused() {
        let option = json!({ "type": 3, "name": "a", "description": "x" });
        assert!(refused(json!({
            "name": "duck", "description": "x", "options": [option, option]
        })));
    }
}
