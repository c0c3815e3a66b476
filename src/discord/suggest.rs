//! Autocomplete suggestions. Discord asks with every key press, so most come from memory. Table names
//! are queried, at most once a minute per session. Saves and their workspaces are listed each time.

use std::{sync::Arc, time::Duration};

use serenity::all::CommandData;
use tokio::time::timeout;

use super::{
    bot::{Bot, InteractionContext},
    commands::{
        self,
        options::{OWN_SESSION, Options, QUERY_CATALOG, WORKSPACE},
        spec::Suggestions,
        start::CATALOG,
    },
    replies::{describe_save, shorten},
    table::clean,
};
use crate::{
    service::{PlaceState, Requester, Saves},
    session::{Observed, Record, Workspace},
    unicode::isolate,
};

/// Maximum time to produce suggestions. Discord waits for 3 s.
const SUGGESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of characters in a suggestion (Discord's limit).
const MAX_CHOICE_CHARS: usize = 100;
/// Characters that [`isolate`] may add.
const ISOLATE_CHARS: usize = 2;

/// Returns the name and value of each suggestion whose name contains the text typed so far. People
/// without access get none.
pub(super) async fn suggestions(
    bot: &Bot,
    context: &InteractionContext,
    data: &CommandData,
) -> Vec<(String, String)> {
    let admitted = context.member.as_ref();
    let admitted = admitted.and_then(|member| bot.admit_member(context, member).ok());
    let (Some(who), Some(focused), Some(options)) =
        (admitted, data.autocomplete(), Options::read(data))
    else {
        return Vec::new();
    };
    let command = commands::find(options.command());
    let source = command.and_then(|command| command.spec().suggestions(focused.name));
    let choices = match source {
        Some(source) => choices(bot, &who, options, source).await,
        None => Vec::new(),
    };
    let typed = focused.value.to_lowercase();
    let fits = |(name, _): &(String, String)| name.to_lowercase().contains(&typed);
    choices.into_iter().filter(fits).collect()
}

async fn choices(
    bot: &Bot,
    who: &Requester,
    options: Options<'_>,
    source: Suggestions,
) -> Vec<(String, String)> {
    let same = |name: &str| (label(name), name.to_owned());
    match source {
        Suggestions::Sizes => {
            let sizes = bot.service.sizes().iter();
            sizes
                .map(|size| (size.to_string(), size.name.clone()))
                .collect()
        }
        Suggestions::Catalogs => {
            let catalogs = bot.service.catalogs().iter();
            catalogs.map(|catalog| same(&catalog.name)).collect()
        }
        Suggestions::Sessions => sessions(bot, who, who.is_admin),
        Suggestions::OwnSessions => sessions(bot, who, false),
        Suggestions::Workspaces => workspaces(bot, who, options).await,
        Suggestions::Saves => saves(bot, who, options).await,
        Suggestions::Tables => tables(bot, who, options).await,
        Suggestions::Texts(texts) => texts.iter().map(|text| same(text)).collect(),
    }
}

/// Label of the suggestion of a name.
pub(super) fn label(name: &str) -> String {
    isolate(shorten(&clean(name), MAX_CHOICE_CHARS - ISOLATE_CHARS))
}

/// Names of the tables that the person can query, for reading and as in SQL. Starts nothing: without a
/// running session or query runner, there are none. The first query may exceed [`SUGGESTION_TIMEOUT`].
/// It then continues, and its result is there for a later key press.
async fn tables(bot: &Bot, who: &Requester, options: Options<'_>) -> Vec<(String, String)> {
    let [session, catalog] = [OWN_SESSION, QUERY_CATALOG].map(|option| options.text(option.name));
    let place = bot.service.find_ready_place(who, session, catalog);
    let Ok(Some(mut place)) = place else {
        return Vec::new();
    };
    let service = bot.service.clone();
    let asked = tokio::spawn(async move {
        match service.place_state(&mut place)? {
            PlaceState::Ready(seen) => service.tables(&seen).await,
            PlaceState::Starting(_) => Ok(Arc::default()),
        }
    });
    match timeout(SUGGESTION_TIMEOUT, asked).await {
        Ok(Ok(Ok(tables))) => {
            let choices = tables
                .names
                .iter()
                .map(|name| (name.to_string(), name.sql()));
            let is_short = |text: &str| text.chars().count() <= MAX_CHOICE_CHARS;
            let short = choices.filter(|(name, value)| is_short(name) && is_short(value));
            short.collect()
        }
        _ => Vec::new(),
    }
}

/// The person's own sessions, followed by everybody else's with `all`.
fn sessions(bot: &Bot, who: &Requester, all: bool) -> Vec<(String, String)> {
    let mut sessions = bot.service.list((!all).then_some(who.id));
    sessions.sort_by_key(|seen| seen.record.owner != who.id);
    let choice = |seen: &Observed| {
        let text = describe_session(&seen.record, &seen.phase().to_string());
        (text, seen.record.id.to_string())
    };
    sessions.iter().map(choice).collect()
}

/// The workspaces in which the person has sessions, and those with saved work if they are known in time.
async fn workspaces(bot: &Bot, who: &Requester, options: Options<'_>) -> Vec<(String, String)> {
    let sessions = bot.service.list(Some(who.id));
    let open = sessions.iter().map(|seen| {
        let Record { workspace, id, .. } = &*seen.record;
        let text = format!("{workspace} (session {id}, {})", seen.phase());
        (text, workspace.to_string())
    });
    let mut choices: Vec<_> = open.collect();
    let catalog = options.text(CATALOG.name);
    let saved = bot.service.saved_workspaces(who.id, catalog);
    if let Ok(Ok(saved)) = timeout(SUGGESTION_TIMEOUT, saved).await {
        let is_new = |it: &Workspace| sessions.iter().all(|seen| seen.record.workspace != *it);
        let saved = saved.into_iter().filter(is_new);
        choices.extend(saved.map(|it| (format!("{it} (saved)"), it.to_string())));
    }
    choices
}

/// The saves of the workspace that the options name, or of `main`.
async fn saves(bot: &Bot, who: &Requester, options: Options<'_>) -> Vec<(String, String)> {
    let workspace = options.text(WORKSPACE.name).map(str::parse).transpose();
    let Ok(workspace) = workspace.map(Option::unwrap_or_default) else {
        return Vec::new();
    };
    let saves = bot
        .service
        .saves(who.id, &workspace, options.text(CATALOG.name));
    match timeout(SUGGESTION_TIMEOUT, saves).await {
        Ok(Ok(Saves::Found(saves))) => {
            let choices = saves
                .iter()
                .map(|save| (describe_save(save), save.number.to_string()));
            choices.collect()
        }
        _ => Vec::new(),
    }
}

/// Describes a session in one line.
pub(super) fn describe_session(record: &Record, phase: &str) -> String {
    let name = isolate(shorten(&clean(&record.display_name), 40));
    let workspace = match &record.workspace {
        workspace if record.is_runner() || workspace.is_main() => String::new(),
        workspace => format!(" in {workspace}"),
    };
    format!(
        "{}{workspace} ({name}, {}, {phase})",
        record.id, record.size
    )
}
