//! Builds what serenity sends from a [`Reply`]. Pure.

use serenity::all::{
    ButtonStyle, CreateActionRow, CreateAttachment, CreateButton, CreateMessage, CreateSelectMenu,
    CreateSelectMenuKind, CreateSelectMenuOption, Nonce,
};

use super::replies::{
    Emphasis, File, LabelledButton, MAX_MESSAGE_CHARS, Menu, MenuEntry, ROW_BUTTONS, Reply, shorten,
};

/// Custom ID of a reply's menu. Discord also sends the chosen entry, whose value names a button.
const MENU: &str = "duckbot:menu";

/// Maximum length of the text for people who don't see a picture.
const MAX_ALT_CHARS: usize = 1024;

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
        .files(reply.files.iter().map(attachment));
    match nonce {
        Some(nonce) => message
            .nonce(Nonce::String(nonce.to_owned()))
            .enforce_nonce(true),
        None => message,
    }
}

pub(super) fn attachment(file: &File) -> CreateAttachment {
    let attachment = CreateAttachment::bytes(file.content.as_slice(), &file.name);
    match &file.alt {
        Some(alt) => attachment.description(shorten(alt, MAX_ALT_CHARS)),
        None => attachment,
    }
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
    let menu = reply.menu.as_ref();
    let menu = menu.map(|it| CreateActionRow::SelectMenu(select_menu(it)));
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

fn select_menu(menu: &Menu) -> CreateSelectMenu {
    let option = |entry: &MenuEntry| {
        let option = CreateSelectMenuOption::new(&entry.label, entry.button.custom_id());
        match &entry.description {
            Some(description) => option.description(description),
            None => option,
        }
    };
    let options = menu.entries.iter().map(option).collect();
    CreateSelectMenu::new(MENU, CreateSelectMenuKind::String { options }).placeholder(menu.hint)
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
