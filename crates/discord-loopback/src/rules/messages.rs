//! Limits of a message: text, embeds, rows of components. Pure.
//!
//! <https://discord.com/developers/docs/resources/message#create-message> and
//! <https://discord.com/developers/docs/components/reference>

use std::collections::HashSet;

use serde_json::Value;

use crate::api_error::FieldErrors;
use crate::body::{list, number};

const ACTION_ROW: u64 = 1;
const BUTTON: u64 = 2;
const MENU: u64 = 3;
const LINK: u64 = 5;
/// `IS_COMPONENTS_V2`: another message format, which the loopback does not support.
const COMPONENTS_V2: u64 = 1 << 15;

/// Checks a message body. `at` is its path in the request with a final dot, such as `data.`.
pub(crate) fn check(at: &str, body: &Value) -> FieldErrors {
    let mut form = FieldErrors::default();
    if let Some(content) = body["content"].as_str() {
        form.check_length(&format!("{at}content"), content, 0, 2000);
    }
    if number(body, "flags") & COMPONENTS_V2 != 0 {
        let message = "The loopback does not support components v2";
        form.add(&format!("{at}flags"), "LOOPBACK_UNSUPPORTED", message);
    }
    nonce(&mut form, at, body);
    embeds(&mut form, at, list(body, "embeds"));
    rows(&mut form, at, list(body, "components"));
    form
}

fn nonce(form: &mut FieldErrors, at: &str, body: &Value) {
    if let Some(nonce) = body["nonce"].as_str() {
        form.check_length(&format!("{at}nonce"), nonce, 0, 25);
    }
}

fn embeds(form: &mut FieldErrors, at: &str, embeds: &[Value]) {
    form.check_count(&format!("{at}embeds"), embeds.len(), 10);
    let total: usize = embeds.iter().map(weight).sum();
    if total > 6000 {
        let message = "Embed size exceeds maximum size of 6000";
        form.add(&format!("{at}embeds"), "MAX_EMBED_SIZE_EXCEEDED", message);
    }
    for (index, embed) in embeds.iter().enumerate() {
        let at = format!("{at}embeds.{index}");
        let text = |key: &str| embed[key].as_str().unwrap_or("");
        form.check_length(&format!("{at}.title"), text("title"), 0, 256);
        form.check_length(&format!("{at}.description"), text("description"), 0, 4096);
        let footer = embed["footer"]["text"].as_str().unwrap_or("");
        form.check_length(&format!("{at}.footer.text"), footer, 0, 2048);
        fields(form, &at, list(embed, "fields"));
    }
}

fn fields(form: &mut FieldErrors, at: &str, fields: &[Value]) {
    form.check_count(&format!("{at}.fields"), fields.len(), 25);
    for (index, field) in fields.iter().enumerate() {
        let at = format!("{at}.fields.{index}");
        form.check_required(&format!("{at}.name"), field["name"].as_str(), 1, 256);
        form.check_required(&format!("{at}.value"), field["value"].as_str(), 1, 1024);
    }
}

/// Number of characters of an embed that count towards the limit of 6000 per message.
fn weight(embed: &Value) -> usize {
    let own = [
        &embed["title"],
        &embed["description"],
        &embed["footer"]["text"],
        &embed["author"]["name"],
    ];
    let fields = list(embed, "fields").iter();
    own.into_iter()
        .chain(fields.flat_map(|field| [&field["name"], &field["value"]]))
        .filter_map(Value::as_str)
        .map(|text| text.chars().count())
        .sum()
}

fn rows(form: &mut FieldErrors, at: &str, rows: &[Value]) {
    form.check_count(&format!("{at}components"), rows.len(), 5);
    let mut seen = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let at = format!("{at}components.{index}");
        if number(row, "type") != ACTION_ROW {
            let message = "Value of field \"type\" must be one of (1,).";
            form.add(&format!("{at}.type"), "UNION_TYPE_CHOICES", message);
        }
        let components = list(row, "components");
        form.check_count(&format!("{at}.components"), components.len(), 5);
        let menus = components.iter().filter(|it| number(it, "type") == MENU);
        if components.len() > 1 && menus.count() > 0 {
            let message = "A select menu needs a row of its own";
            form.add(
                &format!("{at}.components"),
                "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                message,
            );
        }
        if components.is_empty() {
            let message = "Must be between 1 and 5 in length.";
            form.add(&format!("{at}.components"), "BASE_TYPE_BAD_LENGTH", message);
        }
        for (index, component) in components.iter().enumerate() {
            let at = format!("{at}.components.{index}");
            one_component(form, &at, component);
            if let Some(id) = component["custom_id"].as_str()
                && !seen.insert(id)
            {
                let message = "Component custom id cannot be duplicated";
                form.add(
                    &format!("{at}.custom_id"),
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    message,
                );
            }
        }
    }
}

fn one_component(form: &mut FieldErrors, at: &str, component: &Value) {
    if number(component, "type") != BUTTON {
        form.check_required(
            &format!("{at}.custom_id"),
            component["custom_id"].as_str(),
            1,
            100,
        );
        if number(component, "type") == MENU {
            menu(form, at, component);
        }
        return;
    }
    if component["emoji"].is_null() {
        form.check_required(&format!("{at}.label"), component["label"].as_str(), 1, 80);
    }
    if number(component, "style") == LINK {
        form.check_required(&format!("{at}.url"), component["url"].as_str(), 1, 512);
        link(form, at, component);
    } else {
        form.check_required(
            &format!("{at}.custom_id"),
            component["custom_id"].as_str(),
            1,
            100,
        );
    }
}

fn menu(form: &mut FieldErrors, at: &str, menu: &Value) {
    let placeholder = menu["placeholder"].as_str().unwrap_or("");
    form.check_length(&format!("{at}.placeholder"), placeholder, 0, 150);
    let options = list(menu, "options");
    form.check_count(&format!("{at}.options"), options.len(), 25);
    let mut seen = HashSet::new();
    for (index, option) in options.iter().enumerate() {
        let at = format!("{at}.options.{index}");
        let text = |key: &str| option[key].as_str();
        form.check_required(&format!("{at}.label"), text("label"), 1, 100);
        form.check_required(&format!("{at}.value"), text("value"), 1, 100);
        let description = text("description").unwrap_or("");
        form.check_length(&format!("{at}.description"), description, 0, 100);
        if !seen.insert(text("value")) {
            let message = "The specified option value is already used";
            form.add(
                &format!("{at}.value"),
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                message,
            );
        }
    }
    if options.is_empty() {
        let message = "Must be between 1 and 25 in length.";
        form.add(&format!("{at}.options"), "BASE_TYPE_BAD_LENGTH", message);
    }
}

fn link(form: &mut FieldErrors, at: &str, button: &Value) {
    if !button["custom_id"].is_null() {
        let message = "A custom id and url cannot both be specified";
        form.add(
            at,
            "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
            message,
        );
    }
    let url = button["url"].as_str().unwrap_or("");
    let schemes = ["http://", "https://", "discord://"];
    if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
        let message = "Scheme must be one of ('http', 'https', 'discord').";
        form.add(&format!("{at}.url"), "URL_TYPE_INVALID_SCHEME", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(body: Value) -> bool {
        check("", &body).finish().is_err()
    }

    fn button(id: &str) -> Value {
        json!({ "type": 2, "style": 1, "label": "Stop", "custom_id": id })
    }

    fn row(components: &[Value]) -> Value {
        json!({ "type": 1, "components": components })
    }

    #[test]
    fn text_may_have_2000_characters_and_no_more() {
        assert!(!refused(json!({ "content": "ä".repeat(2000) })));
        assert!(refused(json!({ "content": "ä".repeat(2001) })));
    }

    #[test]
    fn a_custom_id_stands_once_in_a_message() {
        let rows = [row(&[button("a")]), row(&[button("a")])];
        assert!(refused(json!({ "components": rows })));
        let rows = [row(&[button("a"), button("b")])];
        assert!(!refused(json!({ "components": rows })));
    }

    #[test]
    fn a_row_has_at_most_five_buttons_and_a_message_five_rows() {
        let six: Vec<Value> = (0..6).map(|n| button(&n.to_string())).collect();
        assert!(refused(json!({ "components": [row(&six)] })));
        let rows: Vec<Value> = six
            .iter()
            .map(|one| row(std::slice::from_ref(one)))
            .collect();
        assert!(refused(json!({ "components": rows })));
    }

    #[test]
    fn a_menu_has_a_row_of_its_own_and_different_values() {
        let option = |value: &str| json!({ "label": "A duck", "value": value });
        let menu = |options: &[Value]| json!({ "type": 3, "custom_id": "m", "options": options });
        let ducks = menu(&[option("a"), option("b")]);
        assert!(!refused(
            json!({ "components": [row(std::slice::from_ref(&ducks))] })
        ));
        assert!(refused(
            json!({ "components": [row(&[ducks, button("a")])] })
        ));
        let many: Vec<Value> = (0..26).map(|n| option(&n.to_string())).collect();
        for options in [&[][..], &[option("a"), option("a")], &many] {
            assert!(refused(json!({ "components": [row(&[menu(options)])] })));
        }
    }

    #[test]
    fn a_link_button_needs_a_url_and_no_custom_id() {
        let link = json!({ "type": 2, "style": 5, "label": "Open", "url": "https://a.example" });
        assert!(!refused(json!({ "components": [row(&[link])] })));
        let both =
            json!({ "type": 2, "style": 5, "label": "Open", "url": "https://a", "custom_id": "x" });
        assert!(refused(json!({ "components": [row(&[both])] })));
    }

    #[test]
    fn all_embeds_together_have_at_most_6000_characters() {
        let embed = json!({ "description": "x".repeat(3001) });
        assert!(!refused(json!({ "embeds": [embed] })));
        assert!(refused(json!({ "embeds": [embed, embed] })));
    }
}
