//! Builds what serenity sends from a [`Reply`]. Pure.

use serenity::all::{
    ButtonStyle, CreateActionRow, CreateAttachment, CreateButton, CreateMessage, Nonce,
};

use super::replies::{Emphasis, File, LabelledButton, MAX_MESSAGE_CHARS, Reply, shorten};

/// Shortens a text to the maximum length of a message.
pub(super) fn truncate(text: &str) -> String {
    shorten(text, MAX_MESSAGE_CHARS)
}

/// Builds a separate message from a reply. For a few minutes, Discord answers a repeated nonce with
/// the existing message, so a retry posts nothing twice.
pub(super) fn message(reply: &Reply, nonce: Option<&str>) -> CreateMessage {
    let message = CreateMessage::new()
        .content(truncate(&reply.text))
        .components(rows(reply))
        .files(reply.file.as_ref().map(attachment));
    match nonce {
        Some(nonce) => message
            .nonce(Nonce::String(nonce.to_owned()))
            .enforce_nonce(true),
        None => message,
    }
}

pub(super) fn attachment(file: &File) -> CreateAttachment {
    CreateAttachment::bytes(file.text.as_bytes(), &file.name)
}

/// Builds Discord's components from a reply's buttons.
pub(super) fn rows(reply: &Reply) -> Vec<CreateActionRow> {
    let button = |labelled: &LabelledButton| {
        let style = match labelled.emphasis {
            Emphasis::Primary => ButtonStyle::Primary,
            Emphasis::Secondary => ButtonStyle::Secondary,
            Emphasis::Danger => ButtonStyle::Danger,
        };
        CreateButton::new(labelled.button.custom_id())
            .label(labelled.label)
            .style(style)
    };
    if reply.buttons.is_empty() {
        Vec::new()
    } else {
        vec![CreateActionRow::Buttons(
            reply.buttons.iter().map(button).collect(),
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::replies::message_len;

    #[test]
    fn a_text_is_cut_where_a_message_ends() {
        let most = "é".repeat(MAX_MESSAGE_CHARS);
        assert_eq!(truncate(&most), most);
        let cut = truncate(&format!("{most}é"));
        assert_eq!(message_len(&cut), MAX_MESSAGE_CHARS);
        assert!(cut.ends_with("é…"));
    }
}
