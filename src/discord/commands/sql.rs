//! `/duck sql`, its form, and the buttons of its replies.

use std::{borrow::Cow, time::Duration};

use async_trait::async_trait;
use serenity::{
    all::{Attachment, ChannelId, CreateAllowedMentions, Message},
    builder::Builder,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    again::{keep_buttons, offer_again},
    first_form::{ask_for_credentials, form_for},
    options::{OWN_SESSION, Options, QUERY_CATALOG},
    place::wait_until_ready,
    spec::{CommandSpec, OptionKind, OptionSpec},
};
use crate::{
    discord::{
        bot::{Bot, InteractionContext},
        buttons::Button,
        call::{Answer, Answered, Call, CallOutcome, Command, explain, log_error},
        comments::ends_in_comment,
        errors::{code, count, discord_error, is_final},
        forms::{Draft, Form, SqlOptions},
        goals::Goal,
        message::message,
        query_file,
        replies::{self, File, QueryContext, Reply},
    },
    history::{PastOutcome, QueryId},
    runtime::QueryResponse,
    service::{AskedQuery, QueryRejection, Rejection, ReplyRoom, ServiceError},
    session::{OwnerId, SessionId},
};

const SPEC: CommandSpec = CommandSpec {
    name: "sql",
    summary: "Query the team's tables with SQL",
    details: "Without a query, a form opens for one of several lines, with up to 4,000 characters. \
        Attach a longer one as a file. Discord turns line breaks in `query` into spaces, so a comment \
        that begins with `--` also opens the form. The query runs in a separate DuckDB with your \
        credentials: next to your session if one runs, or else in a query runner, which starts within \
        seconds and ends by itself. If you have not entered credentials yet, a form for them opens \
        first, and then the query runs. It does not see the session's own tables and \
        settings, and does not slow it down. Only you see the result until you press **Share**. \
        To share it, you need the permission to post here yourself. Results that are too \
        long or wide for a message come as a CSV file. In it, an apostrophe begins each text that a \
        spreadsheet would take for a formula. Send one statement at a time. \
        It must be one that reads, such as `SELECT`, `DESCRIBE`, `SUMMARIZE` or `EXPLAIN`, unless this \
        server's admins allow you more. Names of tables need no catalog, and no schema if there is only \
        one.",
    options: &[QUERY, FILE, SHARE, OWN_SESSION, QUERY_CATALOG],
};

const QUERY: OptionSpec = OptionSpec {
    name: "query",
    summary: "One statement that reads; without it, a form opens",
    kind: OptionKind::Text,
};

const FILE: OptionSpec = OptionSpec {
    name: "file",
    summary: "Text file with the statement, for a long one",
    kind: OptionKind::File,
};

const SHARE: OptionSpec = OptionSpec {
    name: "share",
    summary: "Show the result to everybody in the channel",
    kind: OptionKind::Flag,
};

/// Time after which the reply shows that the query is running, with a button to cancel it.
const PROGRESS_DELAY: Duration = Duration::from_secs(1);

/// The file of a result can't be downloaded from Discord any more.
struct FileGone;

pub(super) struct Sql;

#[async_trait]
impl Command for Sql {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.answers_queries()
    }

    fn form(&self, options: Options<'_>) -> Option<Form> {
        if options.file(FILE.name).is_some() {
            return None;
        }
        let draft = match options.text(QUERY.name) {
            None => Draft::Empty,
            Some(sql) if ends_in_comment(sql) && Draft::fits(sql) => {
                Draft::WithoutLineBreaks(sql.to_owned())
            }
            Some(_) => return None,
        };
        Some(Form::Sql(sql_options(options), draft))
    }

    async fn first_form(
        &self,
        bot: &Bot,
        context: &InteractionContext,
        options: Options<'_>,
    ) -> Option<Form> {
        let how = sql_options(options);
        // Without a history, the query would be lost.
        if how.session.is_some() || !bot.service.keeps_history() {
            return None;
        }
        let goal = Goal::Query {
            stored: Some(QueryId::of(query_to_keep(options)?)),
            catalog: how.catalog,
            share: how.share,
        };
        form_for(bot, context, goal).await
    }

    async fn form_opened(&self, bot: &Bot, who: OwnerId, options: Options<'_>) {
        if let Some(sql) = query_to_keep(options) {
            let query = AskedQuery {
                sql: sql.to_owned(),
                catalog: None,
                since: bot.service.now(),
                outcome: PastOutcome::NotRun,
            };
            bot.service.remember_query(who, query).await;
        }
    }

    async fn run(&self, call: &Call<'_>, options: Options<'_>) -> Answered {
        match typed(options).await {
            Ok(sql) => query(call, &sql, &sql_options(options)).await,
            Err(reply) => Ok(Answer::Reply(reply, CallOutcome::Refused)),
        }
    }
}

/// Returns the query in the options, unless they have a file, too.
fn query_to_keep(options: Options<'_>) -> Option<&str> {
    let sql = options.text(QUERY.name)?.trim();
    (!sql.is_empty() && options.file(FILE.name).is_none()).then_some(sql)
}

/// Returns the query in the options or in their file, or a reply that refuses it.
async fn typed(options: Options<'_>) -> Result<Cow<'_, str>, Reply> {
    match (options.text(QUERY.name), options.file(FILE.name)) {
        (Some(_), Some(_)) => Err(replies::query_and_file()),
        (None, Some(file)) => match query_file::read(file).await {
            Ok(sql) => Ok(sql.into()),
            Err(why) => Err(replies::unreadable_file(&file.filename, why)),
        },
        (Some(sql), None) if ends_in_comment(sql) => Err(replies::line_breaks_lost()),
        (sql, None) => Ok(sql.unwrap_or_default().into()),
    }
}

fn sql_options(options: Options<'_>) -> SqlOptions {
    SqlOptions {
        session: options.text(OWN_SESSION.name).map(str::to_owned),
        catalog: options.text(QUERY_CATALOG.name).map(str::to_owned),
        share: options.flag(SHARE.name),
    }
}

/// Answers a query.
pub(crate) async fn query(call: &Call<'_>, sql: &str, how: &SqlOptions) -> Answered {
    let sql = sql.trim();
    let since = call.bot.service.now();
    let Asked {
        mut reply,
        mut outcome,
        room,
        session,
        catalog,
        past,
    } = match call
        .bot
        .shutdown
        .run_until_cancelled(run_query(call, sql, how))
        .await
    {
        Some(Ok(asked)) => asked,
        None => Asked::cancelled(replies::interrupted(sql)),
        // Nothing was asked.
        Some(Err(ServiceError::Rejected(Rejection::Query(
            why @ (QueryRejection::Empty | QueryRejection::Disabled),
        )))) => return Err(why.into()),
        Some(Err(ServiceError::Rejected(Rejection::Start(why)))) if why.asks_for_credentials() => {
            let reply = ask_for_credentials(call, sql, how, &why);
            Asked::new(reply, CallOutcome::Refused, PastOutcome::NotRun)
        }
        Some(Err(problem)) => Asked::failed(sql, &problem),
    };
    if how.share && reply.is_answer() {
        let file = reply.file.take();
        let shared = post_shared(call, &reply.text, file.clone(), &call.request.0);
        (reply, outcome) = shared.await;
        // If the result could not be shared, the private reply keeps its file.
        reply.file = file.filter(|_| reply.is_answer());
    }
    Ok(Answer::Query {
        reply: {
            let catalog = catalog.clone().or_else(|| how.catalog.clone());
            let place = SqlOptions {
                catalog,
                ..how.clone()
            };
            offer_again(call, reply, sql, &place, session.map(Button::Open))
        },
        outcome,
        room,
        query: AskedQuery {
            sql: sql.to_owned(),
            catalog,
            since,
            outcome: past,
        },
    })
}

/// A query that has ended.
struct Asked {
    reply: Reply,
    outcome: CallOutcome,
    room: Option<ReplyRoom>,
    /// Running session that was asked.
    session: Option<SessionId>,
    /// Catalog that was asked, as in a record.
    catalog: Option<String>,
    past: PastOutcome,
}

impl Asked {
    fn new(reply: Reply, outcome: CallOutcome, past: PastOutcome) -> Self {
        Self {
            reply,
            outcome,
            room: None,
            session: None,
            catalog: None,
            past,
        }
    }

    fn cancelled(reply: Reply) -> Self {
        Self::new(reply, CallOutcome::Done, PastOutcome::Cancelled)
    }

    fn failed(sql: &str, problem: &ServiceError) -> Self {
        let (reply, outcome) = explain(problem);
        let past = match problem {
            ServiceError::Rejected(_) | ServiceError::UnusableCredentials(_) => PastOutcome::NotRun,
            ServiceError::Failed(_) => PastOutcome::Failed,
        };
        Self::new(replies::with_query(sql, reply), outcome, past)
    }
}

async fn run_query(call: &Call<'_>, sql: &str, how: &SqlOptions) -> Result<Asked, ServiceError> {
    let Call { bot, who, .. } = call;
    let mut permit = bot.service.acquire_query_permit(who.id)?;
    let cancel = Button::Cancel {
        query: permit.id().to_owned(),
        text: Some(QueryId::of(sql)),
        session: how.session.as_ref().and_then(|id| id.trim().parse().ok()),
        catalog: how.catalog.clone(),
    };
    let [session, catalog] = [&how.session, &how.catalog].map(Option::as_deref);
    let found = async {
        let place = bot.service.find_query_place(who, session, catalog).await?;
        wait_until_ready(call, place, |pod| {
            replies::query_starting(sql, &cancel, pod)
        })
        .await
    };
    let Some(place) = permit.until_cancelled(found).await else {
        return Ok(Asked::cancelled(replies::cancelled(sql)));
    };
    let place = place?;
    let seen = &place.seen;
    let since = bot.service.now();
    let is_over = CancellationToken::new();
    let answered = async {
        let writes = may_write(call);
        let answered = bot
            .service
            .run_query(who, seen, sql, writes, &mut permit)
            .await;
        is_over.cancel();
        answered
    };
    let shows = async {
        if is_over
            .run_until_cancelled(sleep(PROGRESS_DELAY))
            .await
            .is_some()
        {
            call.responder
                .try_to_edit(&replies::query_running(sql, &cancel, since))
                .await;
        }
    };
    let (answered, ()) = tokio::join!(answered, shows);
    let asked = |reply, outcome, past| Asked {
        reply,
        outcome,
        room: Some(permit.end_query()),
        session: (!seen.record.is_runner()).then(|| seen.record.id.clone()),
        catalog: Some(seen.record.catalog.clone()),
        past,
    };
    let Some(answer) = answered? else {
        let reply = replies::cancelled(sql);
        return Ok(asked(reply, CallOutcome::Done, PastOutcome::Cancelled));
    };
    let outcome = match &answer {
        QueryResponse::Rows(_) | QueryResponse::Done { .. } => CallOutcome::Done,
        _ => CallOutcome::Refused,
    };
    let missing = match &answer {
        QueryResponse::Error(wrong) => bot.service.look_up_table(seen, wrong).await,
        _ => None,
    };
    let question = QueryContext {
        sql,
        session: (!seen.record.is_runner()).then_some(&seen.record.id),
        catalog: &bot.service.catalog_name(seen),
        missing: missing.as_ref(),
    };
    let reply = replies::answer(&question, &answer);
    Ok(asked(reply, outcome, past_outcome(&answer)))
}

fn past_outcome(answer: &QueryResponse) -> PastOutcome {
    match answer {
        QueryResponse::Rows(rows) => PastOutcome::Rows {
            count: rows.rows.len(),
            more: rows.more,
        },
        QueryResponse::Done { .. } => PastOutcome::Done,
        QueryResponse::Error(_) => PastOutcome::Error,
        QueryResponse::TimedOut => PastOutcome::TimedOut,
        QueryResponse::NoAccess { .. } | QueryResponse::Exited => PastOutcome::Failed,
        _ => PastOutcome::NotRun,
    }
}

/// Posts the result in `shown`, one of the bot's private replies, in the channel.
pub(crate) async fn share(call: &Call<'_>, shown: &Message) -> Answered {
    let _room = match shown.attachments.as_slice() {
        [] => None,
        _ => Some(call.bot.service.large_answer_room().await?),
    };
    let text = replies::strip_private_lines(&shown.content);
    let request = format!("share-{}", shown.id);
    let (reply, outcome) = match file_of(shown).await {
        Ok(file) => post_shared(call, text, file, &request).await,
        Err(FileGone) => (replies::share_without_file(text), CallOutcome::Done),
    };
    Ok(Answer::Reply(keep_buttons(reply, shown), outcome))
}

/// Posts a result in the channel, if the person may post there themselves. Returns the new content
/// of the private reply.
async fn post_shared(
    call: &Call<'_>,
    text: &str,
    file: Option<File>,
    request: &str,
) -> (Reply, CallOutcome) {
    let missing = call.context.missing_to_post(file.is_some());
    if !missing.is_empty() {
        let denied = replies::share_denied(text, &missing.get_permission_names());
        return (denied, CallOutcome::Refused);
    }
    let reply = replies::shared(call.who.id.get(), text, file);
    // Mentions in the result must not notify anybody.
    let message = message(&reply, Some(request)).allowed_mentions(CreateAllowedMentions::new());
    let posted = message
        .execute(
            &*call.bot.http,
            (ChannelId::new(call.context.channel), None),
        )
        .await;
    count("message", &posted);
    match posted {
        Ok(_) => (replies::share_done(text), CallOutcome::Done),
        Err(error) if is_final(&error) => (
            replies::share_refused(text, code(&error)),
            CallOutcome::Done,
        ),
        Err(error) => {
            let error = discord_error("posting a result", &error);
            let why = replies::failed(&error, &log_error(&error)).text;
            (replies::share_failed(text, &why), CallOutcome::Failed)
        }
    }
}

/// Downloads the file that is attached to a message.
async fn file_of(message: &Message) -> Result<Option<File>, FileGone> {
    let Some(attached) = message.attachments.first() else {
        return Ok(None);
    };
    let fetched = Attachment::download(attached).await;
    match fetched.map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Some(File {
            name: attached.filename.clone(),
            text,
        })),
        _ => Err(FileGone),
    }
}

/// Returns true if the person may run statements other than SELECT. Always false in direct
/// messages, which contain no roles.
fn may_write(call: &Call<'_>) -> bool {
    let member = call.context.member.iter();
    let roles = member.flat_map(|member| &member.roles);
    call.bot.service.may_write(roles.map(|role| role.get()))
}
