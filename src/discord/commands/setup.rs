//! `/duck setup`: shows the stored credentials, or sends a private invitation to enter some. Its
//! form stores them, and its buttons check them and restart the sessions that use old ones.

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{
    options::Options,
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::{
    credentials::{self, CredentialPart, CredentialsForm, ExpiryNote, Parsed},
    discord::{
        buttons::Button,
        call::{Answer, Answered, Call, CallOutcome, Command, log_error},
        replies::{self, Reply},
    },
    service::{ServiceError, SetupOutcome},
};

const SPEC: CommandSpec = CommandSpec {
    name: "setup",
    summary: "Enter your S3 credentials in private",
    details: "The bot sends you a direct message with a button. It opens a form for your access \
        key ID, your secret access key and, if you have them, a session token with its expiry and \
        a catalog token. You can also paste everything into the first field, as your storage's \
        tool or web page shows it: an env file of any shell, an AWS credentials file or a \
        configuration of rclone, s3cmd or mc, JSON, YAML, CSV, SQL, or lines like \
        `Access key: …`. Nothing that you enter there appears in a chat. The bot checks the credentials \
        before it saves them, and then offers to start a session. `/duck start` opens the same form if \
        you have no credentials yet. Later, this command shows your saved credentials; you can \
        replace them, check them again, or delete them.",
    options: &[CATALOG],
};

const CATALOG: OptionSpec = OptionSpec {
    name: "catalog",
    summary: "Catalog to check the credentials against",
    kind: OptionKind::Suggested(Suggestions::Catalogs),
};

pub(super) struct Setup;

#[async_trait]
impl Command for Setup {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        let service = &call.bot.service;
        let catalog = options.text(CATALOG.name);
        service.check_catalog(catalog)?;
        let catalog = catalog.map(str::to_owned);
        let can_check = service.checks_credentials();
        match service.credentials_info(call.who.id).await? {
            Some(about) => Ok(replies::credentials(&about, can_check, catalog).into()),
            None => Ok(invite(call, catalog).await),
        }
    }
}

/// Sends the invitation as a direct message, and returns a reply that links to it. If the person
/// accepts none, the reply is the invitation.
async fn invite(call: &Call<'_>, catalog: Option<String>) -> Answer {
    let required = call.bot.service.required_credentials(catalog.as_deref());
    let invitation = replies::setup_invitation(catalog.clone(), required);
    match call.bot.direct.send(call.who.id, &invitation, None).await {
        Ok(Some(channel)) => replies::setup_sent(channel, required).into(),
        Ok(None) => replies::setup_here(catalog, required).into(),
        Err(error) => {
            log_error(&error);
            Answer::Reply(replies::setup_here(catalog, required), CallOutcome::Failed)
        }
    }
}

/// Credentials of a submitted form that were stored.
pub(super) struct Stored {
    pub outcome: SetupOutcome,
    pub note: Option<ExpiryNote>,
    pub required: CredentialPart,
}

/// Stores the credentials of the submitted form.
pub(crate) async fn store(
    call: &Call<'_>,
    typed: &CredentialsForm,
    catalog: Option<String>,
) -> Answered {
    let form = Button::OpenForm(catalog.clone());
    let stored = try_to_store(call, typed, catalog.as_deref(), form).await?;
    let stored = stored.map(
        |Stored {
             outcome,
             note,
             required,
         }| { replies::stored(&outcome, note, required, catalog) },
    );
    Ok(stored.unwrap_or_else(|refused| refused).into())
}

/// Stores the credentials of the submitted form. Returns the reply with the mistakes if they can't be
/// read or don't work; its button is `form`.
pub(super) async fn try_to_store(
    call: &Call<'_>,
    typed: &CredentialsForm,
    catalog: Option<&str>,
    form: Button,
) -> Result<Result<Stored, Reply>, ServiceError> {
    let service = &call.bot.service;
    let required = service.required_credentials(catalog);
    let parsed = credentials::parse(typed, required, service.now());
    let Parsed { credentials, note } = match parsed {
        Ok(parsed) => parsed,
        Err(mistakes) => return Ok(Err(replies::not_stored(&mistakes, form, required))),
    };
    match service.set_up(call.who.id, credentials, catalog).await {
        Ok(outcome) => Ok(Ok(Stored {
            outcome,
            note,
            required,
        })),
        Err(ServiceError::UnusableCredentials(troubles)) => {
            Ok(Err(replies::not_usable(&troubles, form, required)))
        }
        Err(problem) => Err(problem),
    }
}

/// Checks the stored credentials.
pub(crate) async fn check(call: &Call<'_>, catalog: Option<String>) -> Answered {
    let service = &call.bot.service;
    let checked = service.check_credentials(call.who.id, catalog.as_deref());
    match checked.await {
        Ok(about) => {
            let saves_work = service.try_saving(call.who.id, catalog.as_deref()).await?;
            let reply = replies::credentials(&about, true, catalog);
            Ok(replies::with_save_trial(reply, saves_work.as_ref()).into())
        }
        Err(ServiceError::UnusableCredentials(troubles)) => {
            Ok(replies::no_longer_usable(&troubles, catalog).into())
        }
        Err(problem) => Err(problem),
    }
}

/// Restarts sessions that use old credentials, each with the channel of its record.
pub(crate) async fn restart(call: &Call<'_>) -> Answered {
    let service = &call.bot.service;
    let old = service.sessions_with_old_credentials(call.who.id).await?;
    if old.is_empty() {
        return Ok(replies::nothing_to_restart().into());
    }
    call.responder.try_to_edit(&replies::restarting(&old)).await;
    let restarted = old
        .iter()
        .map(|seen| service.restart(&call.who, &seen.record));
    let restarted: Result<(), ServiceError> = join_all(restarted).await.into_iter().collect();
    restarted?;
    Ok(replies::restarted(&old).into())
}
