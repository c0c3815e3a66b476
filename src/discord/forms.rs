//! The forms (Discord calls them modals): their custom IDs, their inputs and what was typed.

use std::collections::HashMap;

use secrecy::SecretString;
use serenity::all::{
    ActionRow, ActionRowComponent, CreateActionRow, CreateInputText, CreateModal, InputTextStyle,
};

use super::{
    charts::WantedChart,
    file_format::FileFormat,
    goals::Goal,
    replies::{
        EXPIRY_PLACEHOLDER, LINES_LABEL, LINES_TITLE, QUERY_LABEL, QUERY_PLACEHOLDER, QUERY_TITLE,
        SCHEDULE_TITLE, credentials_title, expiry_label, field_label, field_placeholder,
        paste_placeholder,
    },
    schedule_form::{ScheduleDraft, ScheduleTarget},
};
use crate::credentials::{CredentialField, CredentialPart, CredentialsForm};

/// Maximum number of characters in a form input.
const MAX_INPUT_CHARS: u16 = 4000;
const SQL_PREFIX: &str = "duckbot:sql:";
const SCHEDULE_PREFIX: &str = "duckbot:new-schedule:";
const CREDENTIALS_PREFIX: &str = "duckbot:credentials:";
/// Custom ID of the query form's input.
const QUERY: &str = "query";
/// Custom ID of the credentials form's last input.
const EXPIRES: &str = "expires";

/// A form. Its custom ID holds all its data but the draft, which the person sends back, so it works
/// after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Takes credentials, which are then checked against this catalog.
    Credentials(Option<String>),
    /// Takes credentials, then goes on with this goal.
    CredentialsFor(Goal),
    /// Takes a query.
    Sql(SqlOptions, Draft),
    /// Takes a query with its times and its condition.
    Schedule(ScheduleTarget, ScheduleDraft),
}

/// Text in the query form when it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Draft {
    #[default]
    Empty,
    /// A query to change.
    Query(String),
    /// A query whose line breaks Discord has removed.
    WithoutLineBreaks(String),
}

impl Draft {
    /// Returns true if the form can hold this text.
    pub fn fits(text: &str) -> bool {
        text.encode_utf16().count() <= MAX_INPUT_CHARS.into()
    }
}

/// Options of `/duck sql` other than the query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlOptions {
    /// Session ID as typed.
    pub session: Option<String>,
    /// Name of a catalog as typed.
    pub catalog: Option<String>,
    /// True to post the result in the channel for everybody.
    pub share: bool,
    /// File to attach, even if the message shows the whole result.
    pub file: Option<FileFormat>,
    /// Chart to attach.
    pub chart: Option<WantedChart>,
    /// True if the query ran before, and runs again only for the file or the chart. Then it must not change
    /// anything.
    pub is_rerun: bool,
}

impl Form {
    /// Custom ID of the form, which Discord sends back. At most 100 characters.
    pub fn custom_id(&self) -> String {
        match self {
            Self::Credentials(catalog) => {
                format!(
                    "{CREDENTIALS_PREFIX}{}",
                    catalog.as_deref().unwrap_or_default()
                )
            }
            Self::CredentialsFor(goal) => goal.form_id(),
            Self::Sql(how, _) => {
                // Discord limits custom IDs to 100 characters. A valid session ID has six, and the
                // name of a catalog 28.
                let short = |text: &Option<String>| {
                    let text = text.iter().flat_map(|it| it.chars());
                    text.filter(|it| *it != ':').take(32).collect::<String>()
                };
                let share = if how.share { "share" } else { "" };
                let [session, catalog] = [short(&how.session), short(&how.catalog)];
                let format = how.file.map_or("", FileFormat::name);
                let chart = how.chart.as_ref().map_or("", WantedChart::name);
                format!("{SQL_PREFIX}{share}:{session}:{catalog}:{format}:{chart}")
            }
            Self::Schedule(target, _) => format!("{SCHEDULE_PREFIX}{}", target.id()),
        }
    }

    /// Parses a custom ID. Returns `None` if this version has no such form.
    pub fn from_custom_id(text: &str) -> Option<Self> {
        let non_empty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        if let Some(catalog) = text.strip_prefix(CREDENTIALS_PREFIX) {
            return Some(Self::Credentials(non_empty(catalog)));
        }
        if let Some(target) = text.strip_prefix(SCHEDULE_PREFIX) {
            let mut parts = target.split(':');
            let mut next = || parts.next().unwrap_or_default();
            let target = ScheduleTarget::parse(next(), next(), next())?;
            return Some(Self::Schedule(target, ScheduleDraft::default()));
        }
        let Some(query) = text.strip_prefix(SQL_PREFIX) else {
            return Goal::from_form_id(text).map(Self::CredentialsFor);
        };
        let (share, rest) = query.split_once(':')?;
        // Earlier versions have no catalog, no format or no chart.
        let mut rest = rest.split(':');
        let mut next = || rest.next().unwrap_or_default();
        let how = SqlOptions {
            session: non_empty(next()),
            catalog: non_empty(next()),
            share: share == "share",
            file: FileFormat::find(next()),
            chart: WantedChart::find(next()),
            is_rerun: false,
        };
        Some(Self::Sql(how, Draft::Empty))
    }

    /// Returns the catalog whose credentials the form takes. `None` for the default catalog, and for
    /// forms that take none.
    pub(super) fn catalog(&self) -> Option<&str> {
        match self {
            Self::Credentials(catalog) => catalog.as_deref(),
            Self::CredentialsFor(goal) => goal.catalog(),
            Self::Sql(..) | Self::Schedule(..) => None,
        }
    }

    /// Builds the form that Discord shows. `required` is the part of the credentials that the form's
    /// catalog requires.
    pub(super) fn modal(&self, required: CredentialPart) -> CreateModal {
        let (title, inputs) = match self {
            Self::Credentials(_) | Self::CredentialsFor(_) => {
                (credentials_title(required), credential_inputs(required))
            }
            Self::Sql(_, Draft::WithoutLineBreaks(text)) => {
                (LINES_TITLE, vec![query_input(LINES_LABEL).value(text)])
            }
            Self::Sql(_, Draft::Query(text)) => {
                (QUERY_TITLE, vec![query_input(QUERY_LABEL).value(text)])
            }
            Self::Sql(_, Draft::Empty) => (QUERY_TITLE, vec![query_input(QUERY_LABEL)]),
            Self::Schedule(_, draft) => (SCHEDULE_TITLE, draft.inputs()),
        };
        let rows = inputs.into_iter().map(CreateActionRow::InputText);
        CreateModal::new(self.custom_id(), title).components(rows.collect())
    }
}

fn credential_inputs(required: CredentialPart) -> Vec<CreateInputText> {
    // Only the first input is required: text pasted into it may contain the values of the others.
    let input = |style, label, id| {
        CreateInputText::new(style, label, id)
            .required(false)
            .max_length(MAX_INPUT_CHARS)
    };
    let fields = match required {
        CredentialPart::S3Keys => &CredentialField::ALL[..],
        CredentialPart::CatalogToken => &[CredentialField::CatalogToken],
    };
    // Only an input of several lines keeps the line breaks of a file.
    let secrets = fields.iter().enumerate().map(|(place, field)| match place {
        0 => input(
            InputTextStyle::Paragraph,
            field_label(*field),
            input_id(*field),
        )
        .required(true)
        .placeholder(paste_placeholder(required)),
        _ => input(InputTextStyle::Short, field_label(*field), input_id(*field))
            .placeholder(field_placeholder(*field)),
    });
    let expires = input(InputTextStyle::Short, expiry_label(required), EXPIRES);
    let expires = expires.placeholder(EXPIRY_PLACEHOLDER);
    secrets.chain([expires]).collect()
}

fn query_input(label: &str) -> CreateInputText {
    CreateInputText::new(InputTextStyle::Paragraph, label, QUERY)
        .placeholder(QUERY_PLACEHOLDER)
        .max_length(MAX_INPUT_CHARS)
}

/// A submitted form, with its options.
pub enum Submitted {
    /// Credentials, and the catalog to check them against.
    Credentials(CredentialsForm, Option<String>),
    /// Credentials, and the goal to go on with.
    CredentialsFor(CredentialsForm, Goal),
    /// A query.
    Sql(String, SqlOptions),
    /// A schedule, and its place.
    Schedule(ScheduleDraft, ScheduleTarget),
}

impl Submitted {
    /// Reads the inputs of a form. Moves the values out, so that no copy of them remains.
    pub fn read(form: Form, rows: Vec<ActionRow>) -> Self {
        match form {
            Form::Credentials(catalog) => Self::Credentials(credentials(rows), catalog),
            Form::CredentialsFor(goal) => Self::CredentialsFor(credentials(rows), goal),
            Form::Sql(how, _) => Self::Sql(query(rows), how),
            Form::Schedule(target, _) => Self::Schedule(ScheduleDraft::read(typed(rows)), target),
        }
    }
}

fn credentials(rows: Vec<ActionRow>) -> CredentialsForm {
    let mut values = typed(rows);
    let mut typed = |id: &str| values.remove(id).unwrap_or_default();
    CredentialsForm {
        secrets: CredentialField::ALL.map(|field| SecretString::from(typed(input_id(field)))),
        expires: typed(EXPIRES),
    }
}

fn query(rows: Vec<ActionRow>) -> String {
    typed(rows).remove(QUERY).unwrap_or_default()
}

fn typed(rows: Vec<ActionRow>) -> HashMap<String, String> {
    let inputs = rows.into_iter().flat_map(|row| row.components);
    let typed = inputs.filter_map(|component| match component {
        ActionRowComponent::InputText(input) => Some((input.custom_id, input.value?)),
        _ => None,
    });
    typed.collect()
}

/// Custom ID of the credentials form's input for a credential.
fn input_id(field: CredentialField) -> &'static str {
    match field {
        CredentialField::KeyId => "key_id",
        CredentialField::SecretKey => "secret_key",
        CredentialField::SessionToken => "session_token",
        CredentialField::CatalogToken => "catalog_token",
    }
}

#[cfg(test)]
mod tests {
    use chart::Kind;

    use super::*;
    use crate::{discord::start_options::StartOptions, settings::MAX_NAME_BYTES};

    #[test]
    fn query_options_are_read_back_from_the_forms_id() {
        let read_back = |how: &SqlOptions| {
            let id = Form::Sql(how.clone(), Draft::Empty).custom_id();
            assert!(id.chars().count() <= 100);
            Form::from_custom_id(&id)
        };
        let how = SqlOptions {
            session: Some("977a26".into()),
            catalog: Some("lake".into()),
            share: true,
            file: Some(FileFormat::Parquet),
            chart: Some(WantedChart::Kind(Kind::Scatter)),
            is_rerun: false,
        };
        assert_eq!(read_back(&how), Some(Form::Sql(how.clone(), Draft::Empty)));
        let plain = SqlOptions::default();
        assert_eq!(read_back(&plain), Some(Form::Sql(plain, Draft::Empty)));
        let long = SqlOptions {
            session: Some("é".repeat(4000)),
            catalog: Some("é".repeat(4000)),
            ..how.clone()
        };
        assert!(matches!(read_back(&long), Some(Form::Sql(..))));
        let earlier = |id: &str| Form::from_custom_id(id);
        let how = SqlOptions { chart: None, ..how };
        let expected = Form::Sql(how.clone(), Draft::Empty);
        assert_eq!(
            earlier("duckbot:sql:share:977a26:lake:parquet"),
            Some(expected)
        );
        let how = SqlOptions { file: None, ..how };
        let expected = Form::Sql(how.clone(), Draft::Empty);
        assert_eq!(earlier("duckbot:sql:share:977a26:lake"), Some(expected));
        let how = SqlOptions {
            catalog: None,
            ..how
        };
        let expected = Form::Sql(how, Draft::Empty);
        assert_eq!(earlier("duckbot:sql:share:977a26"), Some(expected));
        let other = Form::Credentials(Some("lake".into()));
        assert_eq!(Form::from_custom_id(&other.custom_id()), Some(other));
        let start = Form::CredentialsFor(Goal::Start(StartOptions {
            catalog: Some("n".repeat(MAX_NAME_BYTES)),
            ..StartOptions::default()
        }));
        assert_eq!(Form::from_custom_id(&start.custom_id()), Some(start));
        let target = ScheduleTarget {
            channel: u64::MAX.into(),
            catalog: Some("n".repeat(MAX_NAME_BYTES)),
            replaces: Some("977a26".parse().expect("an ID")),
        };
        let schedule = Form::Schedule(target, ScheduleDraft::default());
        assert_eq!(Form::from_custom_id(&schedule.custom_id()), Some(schedule));
    }
}
