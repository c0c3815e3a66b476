//! Interactions from Discord.

use duckbot::discord::buttons;
use duckbot::discord::buttons::{Button, Command};
use secrecy::ExposeSecret;
use serenity::all::{CommandDataOption, CommandDataOptionValue, Interaction};

/// An interaction, or a custom ID of a button or form.
///
/// A parsed custom ID survives a round trip and does not grow. Each text of a command is the value
/// of one of its options. Each text of a form is the value of one of its inputs.
pub fn interactions(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        custom_id(text);
    }
    let Ok(interaction) = serde_json::from_slice::<Interaction>(data) else {
        return;
    };
    match interaction {
        Interaction::Command(it) => {
            let Some(command) = buttons::command(&it.data) else {
                return;
            };
            assert!(buttons::kind(&it.data).is_some());
            let options = it.data.options.first().map(|chosen| &chosen.value);
            let Some(CommandDataOptionValue::SubCommand(options)) = options else {
                panic!("{command:?} without a subcommand");
            };
            let has = |text: &String| {
                let is_it = |it: &CommandDataOption| it.value.as_str() == Some(text);
                options.iter().any(is_it)
            };
            assert!(texts_of(&command).into_iter().all(has), "{command:?}");
        }
        Interaction::Autocomplete(it) => {
            buttons::command(&it.data);
            buttons::kind(&it.data);
        }
        Interaction::Component(it) => custom_id(&it.data.custom_id),
        Interaction::Modal(it) => {
            custom_id(&it.data.custom_id);
            let sent = serde_json::to_string(&it.data.components).expect("serializes to JSON");
            let typed = buttons::form(it.data.components);
            for text in typed.secrets.iter().map(|it| it.expose_secret()) {
                let json = serde_json::to_string(text).expect("serializes to JSON");
                assert!(text.is_empty() || sent.contains(&json));
            }
        }
        _ => {}
    }
}

fn custom_id(text: &str) {
    if let Some(catalog) = buttons::form_catalog(text) {
        assert_eq!(buttons::form_id(catalog.as_deref()), text);
        assert_eq!(Button::from_custom_id(text), None);
    }
    if let Some(how) = buttons::sql_form(text) {
        assert!(buttons::sql_form_id(&how).chars().count() <= 100);
    }
    if let Some(button) = Button::from_custom_id(text) {
        let id = button.custom_id();
        assert!(id.len() <= text.len(), "{id}");
        assert_eq!(Button::from_custom_id(&id), Some(button));
    }
}

/// Texts in a command.
fn texts_of(command: &Command) -> Vec<&String> {
    let texts = match command {
        Command::Sql { query, how } => [query, &how.session],
        Command::Tables { pattern, session } => [pattern, session],
        Command::Describe { table, session } => {
            return std::iter::once(table).chain(session).collect();
        }
        Command::Setup { catalog } => [catalog, &None],
        Command::Start { size, catalog } => [size, catalog],
        Command::Open { session } | Command::Stop { session } | Command::Status { session } => {
            [session, &None]
        }
        Command::Extend { session, by } => [session, by],
        Command::Forget
        | Command::List { .. }
        | Command::Report
        | Command::Reap
        | Command::Help => [&None, &None],
    };
    texts.into_iter().flatten().collect()
}
