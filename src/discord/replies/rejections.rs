//! Texts of rejections and denials.

use std::{fmt::Display, num::NonZeroU32};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    format::{code, limit_text, relative_time},
    part_name,
    pausing::starts_paused,
    query_errors::{ANY_SESSION, unreadable_table},
    reply::{
        Emphasis, MAX_MESSAGE_CHARS, MAX_ROWS, RESERVE, ROW_BUTTONS, Reply, message_len, shorten,
    },
    request_failures::request_failure,
    runners::runner_ended,
    schedule_rejections::schedule_rejected,
    sessions::session_summary,
    workspaces::{unreadable_record, workspace_in_use},
};
use crate::{
    credentials::CredentialPart,
    discord::{
        access::DenialReason, buttons::Button, goals::Goal, start_options::StartOptions,
        table::clean,
    },
    service::{
        CredentialsRejection, ExtendRejection, LookupRejection, QueryRejection, Rejection,
        SessionAction, StartRejection, TablesError, UnknownCatalog,
    },
    session::{Observed, OwnerId, Record, Restore, SessionId},
    unicode::isolate,
};

/// Tells a caller why they may not use the bot.
pub(crate) fn access_denied(reason: &DenialReason) -> Reply {
    Reply::new(match reason {
        DenialReason::OtherGuild => {
            "This bot belongs to another server, so it can't be used here.".to_owned()
        }
        DenialReason::NotAMember => {
            "To use this bot, you must be a member of the server that it belongs to.".to_owned()
        }
        DenialReason::OtherChannel(allowed) => format!(
            "You can't use this bot in this channel. Use it in {}.",
            mentions(allowed, "#")
        ),
        DenialReason::NoRole(allowed) => {
            let role = match allowed.len() {
                1 => "the role",
                _ => "one of these roles:",
            };
            format!(
                "To use this bot, you need {role} {}. Ask an admin of this server for it.",
                mentions(allowed, "@&")
            )
        }
    })
}

/// Explains a rejection, with a button for the next step if there is one.
pub(crate) fn refused(rejection: &Rejection) -> Reply {
    match rejection {
        Rejection::Start(rejection) => start(rejection, "then try again"),
        Rejection::UnknownCatalog(UnknownCatalog { given, known }) => Reply::new(format!(
            "There is no catalog `{}`. Choose one of: {}.",
            quoted(given),
            names(known)
        )),
        Rejection::Credentials(CredentialsRejection::NoneStored) => {
            Reply::new("You have no saved credentials.").with_form(None)
        }
        Rejection::Credentials(CredentialsRejection::PreflightDisabled) => Reply::new(
            "Checking credentials is turned off. An admin can turn it on \
             (`credentials.preflight`).",
        ),
        Rejection::Lookup(rejection) => lookup(rejection),
        Rejection::Extend(rejection) => Reply::new(extend(rejection)),
        Rejection::Query(rejection) => query(rejection),
        Rejection::Schedule(rejection) => schedule_rejected(rejection),
        Rejection::NoSigningKey(id) => Reply::new(format!(
            "I can't create links to session `{id}` any more. Stop it with `/duck stop`, then start a new \
             one with `/duck start`."
        )),
        Rejection::AdminsOnly => Reply::new("Only admins can do that."),
    }
}

/// Reply to somebody who presses a button that belongs to this person.
pub(crate) fn not_your_button(owner: OwnerId) -> Reply {
    Reply::new(format!(
        "That button is for <@{owner}>. Start your own session with `/duck start`."
    ))
}

/// Reply to a text that is not a duration.
pub(crate) fn invalid_duration(given: &str) -> Reply {
    Reply::new(format!(
        "`{}` is not a duration. Enter one like `2h`, `1h 30m` or `1d`.",
        quoted(given)
    ))
}

/// `then` says what happens after credentials were entered.
fn start(rejection: &StartRejection, then: &str) -> Reply {
    match rejection {
        StartRejection::UnknownSize { given, known } => Reply::new(format!(
            "There is no size `{}`. Choose one of: {}.",
            quoted(given),
            names(known)
        )),
        StartRejection::CredentialsLack { part, catalog } => {
            let them = match part {
                CredentialPart::S3Keys => "them",
                CredentialPart::CatalogToken => "one",
            };
            let text = format!(
                "You have no saved {}, and the catalog `{}` requires {them}. Enter {them}, \
                 {then}.",
                part_name(*part),
                quoted(catalog),
            );
            Reply::new(text).with_form(Some(catalog.clone()))
        }
        StartRejection::OwnCredentialsNeeded => Reply::new(
            "Your saved credentials are only sent to the catalogs in my settings. Choose one of them in \
             the option `catalog`.",
        ),
        StartRejection::CredentialsExpired { part, catalog, at } => {
            let new = match part {
                CredentialPart::S3Keys => "new ones",
                CredentialPart::CatalogToken => "a new one",
            };
            let text = format!(
                "Your {} expired {}. Enter {new}, {then}.",
                part_name(*part),
                relative_time(*at)
            );
            Reply::new(text).with_form(Some(catalog.clone()))
        }
        StartRejection::QuotaReached { ids, limit } => quota_reached(ids, *limit),
        StartRejection::Paused { pause, .. } => starts_paused(pause),
        StartRejection::TotalReached {
            total,
            own,
            next_end,
        } => total_reached(*total, own, *next_end, false),
        StartRejection::WorkspaceInUse {
            workspace,
            id,
            is_stopping,
        } => workspace_in_use(workspace, id, *is_stopping, Restore::Latest),
        StartRejection::RequestReused => Reply::new(
            "This button already started a session with other options, and that session still \
             exists. `/duck list` shows it.",
        ),
    }
}

fn quota_reached(ids: &[String], limit: u8) -> Reply {
    let plural = if ids.len() == 1 { "" } else { "s" };
    let sessions: Vec<SessionId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    let unreadable: Vec<_> = ids.iter().filter(|id| !is_session_id(id)).collect();
    let stop = match sessions.len() {
        0 => "",
        _ if ids.len() == 1 => " To start another session, first stop it.",
        _ => " To start another session, first stop one.",
    };
    // A session whose record can't be read can't be stopped by its owner.
    let tell = match unreadable.as_slice() {
        [] => String::new(),
        records => {
            let records = format!("the record {} of one of them", names(records));
            format!(" {}", unreadable_record(&records))
        }
    };
    let reply = Reply::new(format!(
        "You already have {} session{plural} ({}), and the limit is {limit}.{stop}{tell}",
        ids.len(),
        names(ids)
    ));
    with_own_sessions(reply, &sessions)
}

/// `has_button`: a button tries again.
fn total_reached(
    total: NonZeroU32,
    own: &[SessionId],
    next_end: Option<DateTime<Utc>>,
    has_button: bool,
) -> Reply {
    let all = match total.get() {
        1 => "the only session that your team can have".to_owned(),
        total => format!("all {total} sessions that your team can have"),
    };
    let verb = if total.get() == 1 { "is" } else { "are" };
    let next = next_end.map(|at| {
        let when = relative_time(at);
        format!(" The next session stops {when}, unless somebody uses or extends it.")
    });
    let then = match (own, has_button) {
        ([], false) => "Try again later.".to_owned(),
        ([], true) => "Press **Try again** later.".to_owned(),
        (own, _) => {
            let again = if has_button {
                "press **Try again**"
            } else {
                "try again"
            };
            format!(
                "To have another one now, stop one of yours ({}), then {again}.",
                names(own)
            )
        }
    };
    let reply = Reply::new(format!(
        "No session is free: {all} at a time {verb} in use.{} {then}",
        next.unwrap_or_default()
    ));
    with_own_sessions(reply, own)
}

/// Adds a row of buttons for each of the person's sessions. The last row is for other buttons.
fn with_own_sessions(reply: Reply, own: &[SessionId]) -> Reply {
    own.iter().take(MAX_ROWS - 1).fold(reply, |reply, id| {
        let open = (Emphasis::Secondary, "Open", Button::Open(id.clone()));
        let stop = (Emphasis::Danger, "Stop", Button::AskToStop(id.clone()));
        reply.with_session_row(id, own.len() > 1, [open, stop])
    })
}

/// Asks for credentials, with a button whose form goes on with `goal`.
pub(crate) fn needs_credentials(rejection: &StartRejection, goal: Goal) -> Reply {
    let then = match &goal {
        Goal::Start(_) => "and your session starts",
        Goal::Query { .. } => "and the query runs",
        Goal::Tables { .. } => "and the list of tables follows",
        Goal::Describe { .. } => "and the description follows",
    };
    let mut reply = start(rejection, then);
    reply.buttons.clear();
    reply.with_form_button(Button::OpenFormFor(goal))
}

/// Explains why a session was not started, with buttons that keep the options.
pub(crate) fn not_started(rejection: &StartRejection, options: StartOptions) -> Reply {
    if rejection.asks_for_credentials() {
        return needs_credentials(rejection, Goal::Start(options));
    }
    let reply = start(rejection, "then try again");
    match rejection {
        StartRejection::TotalReached {
            total,
            own,
            next_end,
        } => total_reached(*total, own, *next_end, true).with_start("Try again", options),
        StartRejection::Paused { .. } | StartRejection::QuotaReached { .. } => {
            reply.with_start("Try again", options)
        }
        StartRejection::WorkspaceInUse {
            workspace,
            id,
            is_stopping,
        } => {
            let reply = workspace_in_use(workspace, id, *is_stopping, options.restore);
            let is_open = !is_stopping && is_session_id(id);
            if is_open && options.restore == Restore::Latest {
                reply
            } else {
                reply.with_start("Try again", options)
            }
        }
        StartRejection::CredentialsLack { .. }
        | StartRejection::CredentialsExpired { .. }
        | StartRejection::UnknownSize { .. }
        | StartRejection::OwnCredentialsNeeded
        | StartRejection::RequestReused => reply,
    }
}

/// Asks which session is meant, with a button for each. `by` is the wanted extension.
pub(crate) fn which_session(
    sessions: &[Observed],
    action: SessionAction,
    by: Option<TimeDelta>,
) -> Reply {
    let mut text = format!(
        "You have {} sessions. Which one do you want to {}?",
        sessions.len(),
        verb(action)
    );
    for seen in sessions {
        let line = format!("\n- {}", session_summary(seen));
        if message_len(&text) + message_len(&line) > MAX_MESSAGE_CHARS - RESERVE {
            break;
        }
        text += &line;
    }
    let button = |id: SessionId| match (action, by) {
        (SessionAction::Inspect, _) => Button::Status(id),
        (SessionAction::Examine, _) => Button::Examine(Some(id)),
        (SessionAction::Open | SessionAction::Query, _) => Button::Open(id),
        (SessionAction::Connect, _) => Button::Connect(id),
        (SessionAction::Save, _) => Button::Save(id),
        (SessionAction::Extend, None) => Button::Extend(id),
        (SessionAction::Extend, Some(by)) => Button::ExtendBy(id, by.num_seconds()),
        (SessionAction::Stop, _) => Button::AskToStop(id),
    };
    let shown = sessions.iter().take(MAX_ROWS * ROW_BUTTONS);
    shown.fold(Reply::new(text), |reply, seen| {
        let Record { id, workspace, .. } = &*seen.record;
        let label = if workspace.is_main() {
            id.to_string()
        } else {
            format!("{id} in {workspace}")
        };
        reply.with(Emphasis::Primary, label, button(id.clone()))
    })
}

fn lookup(rejection: &LookupRejection) -> Reply {
    Reply::new(match rejection {
        LookupRejection::InvalidId(given) => format!(
            "`{}` is not a session ID. A session ID has six characters, like `977a26`. `/duck \
             list` shows yours.",
            quoted(given)
        ),
        LookupRejection::NoSuchSession(id) => format!(
            "There is no session `{id}`. It may have ended. `/duck list` shows your sessions."
        ),
        LookupRejection::NoSession(action) => return no_session(*action),
        LookupRejection::Ambiguous { sessions, action } => {
            return which_session(sessions, *action, None);
        }
        LookupRejection::NotYours { id, owner, action } => match action {
            SessionAction::Inspect
            | SessionAction::Examine
            | SessionAction::Extend
            | SessionAction::Stop => format!(
                "Session `{id}` belongs to someone else. Only its owner or an admin can {} it.",
                verb(*action)
            ),
            SessionAction::Open => {
                let text = format!("Only <@{owner}> can open session `{id}`. Start your own.");
                return Reply::new(text).with_start("Start a session", StartOptions::default());
            }
            SessionAction::Connect => format!(
                "Session `{id}` belongs to someone else. Only its owner can connect clients to it."
            ),
            SessionAction::Save => {
                format!("Session `{id}` belongs to someone else. Only its owner can save it.")
            }
            SessionAction::Query => format!(
                "Session `{id}` belongs to someone else, and a query would use their credentials. \
                 Only its owner can query it."
            ),
        },
        LookupRejection::IsRunner(id) => format!(
            "`{id}` is a query runner. It has no page to open, and it ends by itself some minutes \
             after its last query."
        ),
        LookupRejection::NotReady(id) => format!(
            "Session `{id}` is not ready right now. Try again in a minute; `/duck doctor` finds \
             out why."
        ),
    })
}

fn no_session(action: SessionAction) -> Reply {
    match action {
        SessionAction::Stop => Reply::new("You have no session to stop."),
        SessionAction::Inspect
        | SessionAction::Examine
        | SessionAction::Open
        | SessionAction::Connect
        | SessionAction::Save
        | SessionAction::Extend => {
            let text = format!(
                "You have no session to {}. `/duck start` starts one.",
                verb(action)
            );
            Reply::new(text).with_start("Start a session", StartOptions::default())
        }
        SessionAction::Query => Reply::new(
            "You have no running session for queries. Start one, or wait until yours is ready.",
        )
        .with_start("Start a session", StartOptions::default()),
    }
}

/// Returns what the caller wanted to do, after "can" or "to".
fn verb(action: SessionAction) -> &'static str {
    match action {
        SessionAction::Inspect => "look at",
        SessionAction::Examine => "check",
        SessionAction::Open => "open",
        SessionAction::Connect => "connect clients to",
        SessionAction::Query => "query",
        SessionAction::Save => "save",
        SessionAction::Extend => "extend",
        SessionAction::Stop => "stop",
    }
}

fn extend(rejection: &ExtendRejection) -> String {
    match rejection {
        ExtendRejection::NothingStopsIt => {
            "Idle and old sessions are not stopped here, so there is nothing to extend.".to_owned()
        }
        ExtendRejection::LimitReached { id, at, limit } => {
            let at = at.map(|at| format!(" It stops {}.", relative_time(at)));
            format!(
                "Session `{id}` can't be extended any further: {}.{} Start a new session afterwards.",
                limit_text(*limit),
                at.unwrap_or_default()
            )
        }
    }
}

fn query(rejection: &QueryRejection) -> Reply {
    Reply::new(match rejection {
        QueryRejection::Disabled => {
            format!("Queries from the chat are turned off. Run the query in {ANY_SESSION}.")
        }
        QueryRejection::Empty => "The query is empty. Enter one like `SELECT 42`.".to_owned(),
        QueryRejection::InvisibleCharacter(character) => format!(
            "The query contains an invisible character (U+{:04X}). Remove it, then try again.",
            u32::from(*character)
        ),
        QueryRejection::TooMany(limit) => format!(
            "You already have {limit} queries running, and the limit is {limit}. Wait for one to \
             finish, or cancel it."
        ),
        QueryRejection::NoRoom => "Other large results are being sent right now, so there is no \
            room for this one. Try again in a minute, or ask for fewer rows or columns."
            .to_owned(),
        QueryRejection::UnknownTable { given, nearest } => {
            let nearest = match nearest.as_slice() {
                [] => String::new(),
                nearest => format!(" Did you mean {}?", names(nearest)),
            };
            format!(
                "There is no table `{}`.{nearest} `/duck tables` shows all tables.",
                quoted(given)
            )
        }
        QueryRejection::UnreadableTable(table) => unreadable_table(&format!("`{}`", quoted(table))),
        QueryRejection::CredentialsGone => {
            let text = "Your saved credentials were deleted, and queries need them. Enter new ones with \
                        `/duck setup`, then try again.";
            return Reply::new(text).with_form(None);
        }
        QueryRejection::TablesUnavailable(error) => tables_error(error),
        QueryRejection::OtherCatalog { id, catalog } => format!(
            "Session `{id}` is attached to the catalog `{}`. Leave out one of the options `session` \
             and `catalog`.",
            quoted(catalog)
        ),
        QueryRejection::RunnersBusy(limit) => format!(
            "Your queries of other catalogs are still running in {limit} query runner{}, which is \
             the limit. Wait for one to finish, or cancel it.",
            if *limit == 1 { "" } else { "s" }
        ),
        QueryRejection::RunnerEnded(cause) => return runner_ended(cause),
    })
}

fn tables_error(error: &TablesError) -> String {
    let (why, failure) = match error {
        TablesError::NoAccess {
            what,
            error,
            failure,
        } => {
            let what = lower_first(what);
            (format!("{what} failed: {error}"), failure.as_ref())
        }
        TablesError::Query(error) => (error.to_string(), error.failure.as_ref()),
        TablesError::TimedOut => ("DuckDB took too long".to_owned(), None),
        TablesError::Exited => ("DuckDB exited without an answer".to_owned(), None),
    };
    match failure {
        Some(failure) => format!(
            "{} DuckDB's error: {}",
            request_failure(failure),
            without_markdown(&why)
        ),
        None => format!(
            "I can't read the tables: {}. Try again in a minute. If this happens again, tell an \
             admin.",
            without_markdown(why.trim_end_matches('.'))
        ),
    }
}

/// Returns a text that goes on after a colon.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// Formats mentions, which Discord shows as names: `<#1>`, `<@&1>`.
fn mentions(ids: &[u64], sigil: &str) -> String {
    let mentions: Vec<_> = ids.iter().map(|id| format!("<{sigil}{id}>")).collect();
    mentions.join(", ")
}

fn names(names: &[impl Display]) -> String {
    let names = names.iter().map(|name| quoted(&name.to_string()));
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn is_session_id(text: &str) -> bool {
    text.parse::<SessionId>().is_ok()
}

/// Returns a foreign text for a code span, shortened.
fn quoted(text: &str) -> String {
    code(text, 41)
}

/// Removes Markdown from a foreign text, and what could turn the message. Shortens it.
fn without_markdown(text: &str) -> String {
    let is_plain = |c: &char| !"*_~|<>[]@#ˋ".contains(*c);
    let plain: String = clean(text).chars().filter(is_plain).collect();
    isolate(shorten(&plain, 300))
}
