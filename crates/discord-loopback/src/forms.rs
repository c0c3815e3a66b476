//! Submitting modals as a person.

use serde_json::{Value, json};

use crate::interaction::Interaction;
use crate::interactions::NewInteraction;
use crate::model::InteractionKind;
use crate::people::Person;
use crate::view::{Input, ModalView};

impl Person {
    /// Fills in a modal by labels and submits it. Fields that are not named keep their value.
    ///
    /// # Errors
    ///
    /// If Discord's client would not submit it: a label is unknown, a required field is empty, or
    /// a text is too short or too long.
    pub async fn submit(
        &self,
        modal: &ModalView,
        fields: &[(&str, &str)],
    ) -> Result<Interaction, String> {
        if let Some((label, _)) = fields
            .iter()
            .find(|(label, _)| modal.input(label).is_none())
        {
            return Err(format!("the modal has no field {label:?}"));
        }
        let mut values = Vec::new();
        for input in &modal.inputs {
            let typed = fields.iter().find(|(label, _)| *label == input.label);
            let text = typed.map_or(input.value.as_str(), |(_, text)| text);
            check_length(input, text)?;
            values.push((input.custom_id.as_str(), text));
        }
        self.submit_raw(modal, &values).await
    }

    /// Submits a modal by custom IDs, without the client's checks.
    ///
    /// # Errors
    ///
    /// Never; the return type is the same as for the other actions.
    pub async fn submit_raw(
        &self,
        modal: &ModalView,
        values: &[(&str, &str)],
    ) -> Result<Interaction, String> {
        let row = |(at, (id, value)): (usize, &(&str, &str))| {
            let at = 2 * at + 1;
            let input = json!({ "type": 4, "id": at + 1, "custom_id": id, "value": value });
            json!({ "type": 1, "id": at, "components": [input] })
        };
        let rows: Vec<Value> = values.iter().enumerate().map(row).collect();
        let data = json!({ "custom_id": modal.custom_id, "components": rows });
        // The values may be secret, and the transcript is printed: it gets only the title.
        let words = format!("submits {:?}", modal.title);
        Ok(self.shared.change(|state| {
            let source = state
                .interactions
                .get(&modal.opened_by)
                .and_then(|interaction| interaction.source);
            let new = NewInteraction {
                kind: InteractionKind::Modal,
                person: self.id,
                channel: modal.channel,
                source,
                parent: Some(modal.opened_by),
                data,
                words,
            };
            self.create_interaction(state, new)
        }))
    }
}

/// Checks the length of a field, as Discord's client does before it submits a modal.
fn check_length(input: &Input, text: &str) -> Result<(), String> {
    let count = text.chars().count();
    if text.is_empty() && input.required {
        return Err(format!("the field {:?} is required", input.label));
    }
    if !text.is_empty() && !(input.min_length..=input.max_length).contains(&count) {
        return Err(format!(
            "the field {:?} must have {} to {} characters, not {count}",
            input.label, input.min_length, input.max_length
        ));
    }
    Ok(())
}
