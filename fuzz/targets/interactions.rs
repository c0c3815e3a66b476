//! Interactions from Discord.

use duckbot::discord::{
    buttons::Button,
    commands::options::Options,
    forms::{Draft, Form, SqlOptions, Submitted},
    schedule_form::{ScheduleDraft, ScheduleTarget},
};
use secrecy::ExposeSecret;
use serenity::all::{CommandData, CommandDataOptionValue, Interaction};

/// An interaction, or a custom ID of a button or form.
///
/// A parsed custom ID survives a round trip and does not grow. Each option has the value
/// that was sent under its name. Each text of a form is the value of one of its inputs.
pub fn interactions(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        custom_id(text);
    }
    let Ok(interaction) = serde_json::from_slice::<Interaction>(data) else {
        return;
    };
    match interaction {
        Interaction::Command(it) | Interaction::Autocomplete(it) => options(&it.data),
        Interaction::Component(it) => custom_id(&it.data.custom_id),
        Interaction::Modal(it) => {
            custom_id(&it.data.custom_id);
            let sent = serde_json::to_string(&it.data.components).expect("serializes to JSON");
            let assert_sent = |text: &str| {
                let json = serde_json::to_string(text).expect("serializes to JSON");
                assert!(text.is_empty() || sent.contains(&json));
            };
            let sql = Form::Sql(SqlOptions::default(), Draft::Empty);
            if let Submitted::Sql(query, _) = Submitted::read(sql, it.data.components.clone()) {
                assert_sent(&query);
            }
            let target = ScheduleTarget {
                channel: 7.into(),
                catalog: None,
                replaces: None,
            };
            let schedule = Form::Schedule(target, ScheduleDraft::default());
            let submitted = Submitted::read(schedule, it.data.components.clone());
            if let Submitted::Schedule(typed, _) = submitted {
                let ScheduleDraft {
                    query,
                    when,
                    zone,
                    format,
                    condition,
                } = typed;
                [query, when, zone, format, condition]
                    .iter()
                    .for_each(|it| assert_sent(it));
            }
            let credentials = Form::Credentials(None);
            if let Submitted::Credentials(typed, _) =
                Submitted::read(credentials, it.data.components)
            {
                typed
                    .secrets
                    .iter()
                    .for_each(|it| assert_sent(it.expose_secret()));
            }
        }
        _ => {}
    }
}

fn options(data: &CommandData) {
    let Some(options) = Options::read(data) else {
        return;
    };
    let chosen = data.options.first().map(|chosen| &chosen.value);
    let Some(CommandDataOptionValue::SubCommand(sent)) = chosen else {
        panic!("options of {} without a subcommand", options.command());
    };
    for name in sent.iter().map(|option| &option.name) {
        let named = || sent.iter().filter(|option| option.name == *name);
        if let Some(text) = options.text(name) {
            assert!(named().any(|option| option.value.as_str() == Some(text)));
        }
        if options.flag(name) {
            assert!(named().any(|option| option.value.as_bool() == Some(true)));
        }
    }
}

fn custom_id(text: &str) {
    if let Some(form) = Form::from_custom_id(text) {
        let id = form.custom_id();
        match &form {
            Form::Credentials(_) | Form::CredentialsFor(_) => assert_eq!(id, text),
            Form::Sql(..) => assert!(id.chars().count() <= 100),
            Form::Schedule(..) => assert!(id.len() <= text.len()),
        }
        // A session ID that is too long to be one is cut.
        if text.chars().count() <= 40 {
            assert_eq!(Form::from_custom_id(&id).as_ref(), Some(&form));
        }
        assert_eq!(Button::from_custom_id(&id), None);
    }
    if let Some(button) = Button::from_custom_id(text) {
        let id = button.custom_id();
        assert!(id.len() <= text.len(), "{id}");
        assert_eq!(Button::from_custom_id(&id), Some(button));
    }
}
