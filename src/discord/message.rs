//! Builds what serenity sends from a [`Reply`]. Pure.

use serenity::all::{
    ButtonStyle, CreateActionRow, CreateAttachment, CreateButton, CreateMessage, CreateSelectMenu,
    CreateSelectMenuKind, CreateSelectMenuOption, Nonce,
};

use super::replies::{
    Emphasis, File, LabelledButton, MAX_MESSAGE_CHARS, MENU_PLACEHOLDER, MenuEntry, ROW_BUTTONS,
    Reply, shorten,
};

/// Custom ID of a reply's menu. Discord also sends the chosen entry, whose value names a button.
const MENU: &str = "duckbot:menu";

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
    CreateAttachment::bytes(file.content.as_slice(), &file.name)
}

/// Builds Discord's components from a reply's menu and buttons.
pub(super) fn rows(reply: &Reply) -> Vec<CreateActionRow> {
    let button = |labelled: &LabelledButton| {
        let style = match labelled.emphasis {
            Emphasis::Primary => ButtonStyle::Primary,
            Emphasis::Secondary => ButtonStyle::Secondary,
            Emphasis::Danger => ButtonStyle::Danger,
        };
        CreateButton::new(labelled.button.custom_id())
            .label(&*labelled.label)
            .style(style)
    };
    let menu = (!reply.menu.is_empty()).then(|| CreateActionRow::SelectMenu(menu(&reply.menu)));
    let mut rows: Vec<Vec<CreateButton>> = Vec::new();
    for labelled in &reply.buttons {
        match rows.last_mut() {
            Some(row) if row.len() < ROW_BUTTONS && !labelled.starts_row => {
                row.push(button(labelled));
            }
            _ => rows.push(vec![button(labelled)]),
        }
    }
    let rows = rows.into_iter().map(CreateActionRow::Buttons);
    menu.into_iter().chain(rows).collect()
}

fn menu(entries: &[MenuEntry]) -> CreateSelectMenu {
    let option = |entry: &MenuEntry| {
        CreateSelectMenuOption::new(&entry.label, entry.button.custom_id())
            .description(&entry.description)
    };
    let options = entries.iter().map(option).collect();
    CreateSelectMenu::new(MENU, CreateSelectMenuKind::String { options })
        .placeholder(MENU_PLACEHOLDER)
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
