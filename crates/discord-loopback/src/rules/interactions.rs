//! Limits of the responses to an interaction that are not messages: modals and choices. Pure.
//!
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object>

use std::collections::HashSet;

use serde_json::Value;

use crate::api_error::FieldErrors;
use crate::body::list;

/// Checks the `data` of a modal response.
pub(crate) fn modal(data: &Value) -> FieldErrors {
    let mut form = FieldErrors::default();
    form.check_required("data.custom_id", data["custom_id"].as_str(), 1, 100);
    form.check_required("data.title", data["title"].as_str(), 1, 45);
    let rows = list(data, "components");
    form.check_count("data.components", rows.len(), 5);
    if rows.is_empty() {
        form.add(
            "data.components",
            "BASE_TYPE_REQUIRED",
            "This field is required",
        );
    }
    let mut seen = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let inputs = list(row, "components");
        let at = format!("data.components.{index}");
        match inputs {
            [one] => input(&mut form, &format!("{at}.components.0"), one),
            _ => form.add(
                &at,
                "BASE_TYPE_BAD_LENGTH",
                "Must be between 1 and 1 in length.",
            ),
        }
        if let Some(id) = inputs.first().and_then(|input| input["custom_id"].as_str())
            && !seen.insert(id)
        {
            let message = "Component custom id cannot be duplicated";
            form.add(&at, "COMPONENT_CUSTOM_ID_DUPLICATED", message);
        }
    }
    form
}

fn input(form: &mut FieldErrors, at: &str, input: &Value) {
    if input["type"] != 4 {
        form.add(
            &format!("{at}.type"),
            "UNION_TYPE_CHOICES",
            "Value of field \"type\" must be one of (4,).",
        );
    }
    form.check_required(
        &format!("{at}.custom_id"),
        input["custom_id"].as_str(),
        1,
        100,
    );
    form.check_required(&format!("{at}.label"), input["label"].as_str(), 1, 45);
    form.check_length(
        &format!("{at}.placeholder"),
        input["placeholder"].as_str().unwrap_or(""),
        0,
        100,
    );
    let (least, most) = value_lengths(input);
    if most > 4000 || most == 0 || least > most {
        let message = "Must be at most 4000, and at least min_length.";
        form.add(&format!("{at}.max_length"), "NUMBER_TYPE_MAX", message);
    }
    if let Some(value) = input["value"].as_str().filter(|value| !value.is_empty()) {
        form.check_length(&format!("{at}.value"), value, least, most);
    }
}

/// Minimum and maximum length of an input's text, in characters.
pub(crate) fn value_lengths(input: &Value) -> (usize, usize) {
    let length = |key: &str| input[key].as_u64().and_then(|n| usize::try_from(n).ok());
    (
        length("min_length").unwrap_or(0),
        length("max_length").unwrap_or(4000),
    )
}

/// Checks the `data` of an autocomplete response.
pub(crate) fn choices(data: &Value) -> FieldErrors {
    let mut form = FieldErrors::default();
    let choices = list(data, "choices");
    form.check_count("data.choices", choices.len(), 25);
    for (index, choice) in choices.iter().enumerate() {
        let at = format!("data.choices.{index}");
        form.check_required(&format!("{at}.name"), choice["name"].as_str(), 1, 100);
        if let Some(text) = choice["value"].as_str() {
            form.check_length(&format!("{at}.value"), text, 1, 100);
        } else if !choice["value"].is_number() {
            form.add(
                &format!("{at}.value"),
                "BASE_TYPE_REQUIRED",
                "This field is required",
            );
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with_input(input: Value) -> Value {
        let rows = json!([{ "type": 1, "components": [input] }]);
        json!({ "custom_id": "m", "title": "Keys", "components": rows })
    }

    #[test]
    fn a_modal_with_one_input_is_accepted() {
        let input = json!({ "type": 4, "style": 1, "custom_id": "k", "label": "Key" });
        assert!(modal(&with_input(input)).finish().is_ok());
    }

    #[test]
    fn a_label_over_45_is_refused() {
        let label = "x".repeat(46);
        let input = json!({ "type": 4, "style": 1, "custom_id": "k", "label": label });
        assert!(modal(&with_input(input)).finish().is_err());
    }

    #[test]
    fn a_choice_without_a_name_is_refused() {
        let data = json!({ "choices": [{ "name": "", "value": "x" }] });
        assert!(choices(&data).finish().is_err());
    }
}
