//! `/duck sql`, its form, and the buttons of its replies.

use std::{borrow::Cow, time::Duration};

use async_trait::async_trait;
use reqwest::Client;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    again::offer_again,
    first_form::{ask_for_credentials, form_for},
    options::{OWN_SESSION, Options, QUERY_CATALOG},
    place::wait_until_ready,
    share::post_shared,
    spec::{CommandSpec, OptionKind, OptionSpec, Suggestions},
};
use crate::{
    discord::{
        bot::{Bot, InteractionContext},
        buttons::Button,
        call::{Answer, Answered, Call, CallOutcome, Command, explain},
        charts::{self, ChartError, Picture, WantedChart},
        comments::ends_in_comment,
        drawing::DrawingQueue,
        file_format::FileFormat,
        forms::{Draft, Form, SqlOptions},
        goals::Goal,
        query_file,
        replies::{self, Extras, QueryContext, Reply},
    },
    history::{PastOutcome, QueryId},
    runtime::{QueryResponse, Rows},
    service::{AskedQuery, QueryRejection, Rejection, ReplyRoom, RunOptions, ServiceError},
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
        spreadsheet would take for a formula. **Download CSV** and **Download Parquet** run the query again \
        and attach the file; with `format` it comes at once. A Parquet file has DuckDB's types. **Chart** runs the query \
        again and draws the result, and `chart` does so at once. The menu under the picture has other charts of \
        the same columns. Send one statement at a time. \
        It must be one that reads, such as `SELECT`, `DESCRIBE`, `SUMMARIZE` or `EXPLAIN`, unless this \
        server's admins allow you more. Names of tables need no catalog, and no schema if there is only \
        one.",
    options: &[
        QUERY,
        FILE,
        CHART,
        FORMAT,
        SHARE,
        OWN_SESSION,
        QUERY_CATALOG,
    ],
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

const FORMAT: OptionSpec = OptionSpec {
    name: "format",
    summary: "Also attach all rows as a file: csv or parquet",
    kind: OptionKind::Suggested(Suggestions::Texts(&[
        FileFormat::Csv.name(),
        FileFormat::Parquet.name(),
    ])),
};

const CHART: OptionSpec = OptionSpec {
    name: "chart",
    summary: "Also draw the result: auto, line, bar, scatter or number",
    kind: OptionKind::Suggested(Suggestions::Texts(WantedChart::NAMES)),
};

const SHARE: OptionSpec = OptionSpec {
    name: "share",
    summary: "Show the result to everybody in the channel",
    kind: OptionKind::Flag,
};

/// Time after which the reply shows that the query is running, with a button to cancel it.
const PROGRESS_DELAY: Duration = Duration::from_secs(1);

pub(super) struct Sql;

#[async_trait]
impl Command for Sql {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn is_for(&self, call: &Call<'_>) -> bool {
        call.bot.service.answers_queries()
    }

    fn form(&self, _: &Bot, _: &InteractionContext, options: Options<'_>) -> Option<Form> {
        if options.file(FILE.name).is_some() || refuse_unknown(options).is_some() {
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
            format: how.file,
            chart: how.chart,
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
        if let Some(reply) = refuse_unknown(options) {
            return Ok(Answer::Reply(reply, CallOutcome::Refused));
        }
        match typed(&call.bot.files, options).await {
            Ok(sql) => query(call, &sql, &sql_options(options)).await,
            Err(reply) => Ok(Answer::Reply(reply, CallOutcome::Refused)),
        }
    }
}

/// Returns the query in the options, unless it may be a part only, or they have a file, too.
fn query_to_keep(options: Options<'_>) -> Option<&str> {
    let sql = options.text(QUERY.name)?.trim();
    let is_whole = !sql.is_empty() && !ends_in_comment(sql);
    (is_whole && options.file(FILE.name).is_none()).then_some(sql)
}

/// Returns the query in the options or in their file, or a reply that refuses it.
async fn typed<'a>(client: &Client, options: Options<'a>) -> Result<Cow<'a, str>, Reply> {
    match (options.text(QUERY.name), options.file(FILE.name)) {
        (Some(_), Some(_)) => Err(replies::query_and_file()),
        (None, Some(file)) => match query_file::read(client, file).await {
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
        file: options.text(FORMAT.name).and_then(FileFormat::find),
        chart: options.text(CHART.name).and_then(WantedChart::find),
        is_rerun: false,
    }
}

/// Refuses a typed format or kind of chart if there is no such one.
fn refuse_unknown(options: Options<'_>) -> Option<Reply> {
    let [format, chart] = [FORMAT.name, CHART.name].map(|name| options.text(name));
    let format = format.filter(|typed| FileFormat::find(typed).is_none());
    let chart = chart.filter(|typed| WantedChart::find(typed).is_none());
    format
        .map(replies::unknown_format)
        .or(chart.map(replies::unknown_chart))
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
        has_chart,
        has_schedule,
        downloads,
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
        let files = std::mem::take(&mut reply.files);
        let menu = reply.menu.take();
        let shared = post_shared(call, &reply.text, files.clone(), &call.request.0);
        (reply, outcome) = shared.await;
        // If the result could not be shared, the private reply keeps its files.
        if reply.is_answer() {
            reply = Reply {
                files,
                menu,
                ..reply
            };
        }
    }
    Ok(Answer::Query {
        reply: {
            let catalog = catalog.clone().or_else(|| how.catalog.clone());
            let place = SqlOptions {
                catalog,
                ..how.clone()
            };
            let open = session.map(Button::Open);
            let extras = Extras {
                chart: has_chart,
                downloads: &downloads,
                schedule: has_schedule && call.bot.service.allows_schedules(),
            };
            offer_again(call, reply, sql, &place, open, extras)
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
    /// True if the result can be had as a chart.
    has_chart: bool,
    /// True if the query can run on a schedule.
    has_schedule: bool,
    /// Formats in which the result can be had.
    downloads: Vec<FileFormat>,
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
            has_chart: false,
            has_schedule: false,
            downloads: Vec::new(),
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
        let options = RunOptions {
            allow_writes: may_write(call) && !how.is_rerun,
            parquet: how.file == Some(FileFormat::Parquet),
            examine: None,
        };
        let answered = bot
            .service
            .run_query(who, seen, sql, options, &mut permit)
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
    // Drawing does not count against the person's queries.
    let room = permit.end_query();
    let asked = |reply, outcome, (has_chart, has_schedule, downloads), past| Asked {
        reply,
        outcome,
        room: Some(room),
        session: (!seen.record.is_runner()).then(|| seen.record.id.clone()),
        catalog: Some(seen.record.catalog.clone()),
        has_chart,
        has_schedule,
        downloads,
        past,
    };
    let Some(answer) = answered? else {
        let reply = replies::cancelled(sql);
        let past = PastOutcome::Cancelled;
        let extras = (false, false, Vec::new());
        return Ok(asked(reply, CallOutcome::Done, extras, past));
    };
    let outcome = match &answer {
        QueryResponse::Rows(_) | QueryResponse::Done { .. } => CallOutcome::Done,
        _ => CallOutcome::Refused,
    };
    let missing = match &answer {
        QueryResponse::Error(wrong) => bot.service.look_up_table(seen, wrong).await,
        _ => None,
    };
    let (answer, chart) = draw(&bot.drawings, answer, how.chart.clone()).await;
    let question = QueryContext {
        sql,
        session: (!seen.record.is_runner()).then_some(&seen.record.id),
        catalog: &bot.service.catalog_name(seen),
        missing: missing.as_ref(),
        file: how.file,
        chart: chart.as_ref(),
        is_rerun: how.is_rerun,
        ..QueryContext::default()
    };
    let reply = replies::answer(&question, &answer);
    let extras = (
        !matches!(chart, Some(Ok(_))) && replies::has_chart(&answer, &reply),
        matches!(&answer, QueryResponse::Rows(rows) if !rows.has_effects),
        replies::downloads(&answer, &reply),
    );
    Ok(asked(reply, outcome, extras, past_outcome(&answer)))
}

/// Draws the wanted chart of an answer with rows. Returns the answer again.
async fn draw(
    drawings: &DrawingQueue,
    answer: QueryResponse,
    wanted: Option<WantedChart>,
) -> (QueryResponse, Option<Result<Picture, ChartError>>) {
    match (answer, wanted) {
        (QueryResponse::Rows(rows), Some(wanted)) => {
            let draw = move |rows: &Rows| charts::draw(rows, &wanted);
            let (rows, chart) = drawings.chart(rows, draw).await;
            (QueryResponse::Rows(rows), Some(chart))
        }
        (answer, _) => (answer, None),
    }
}

fn past_outcome(answer: &QueryResponse) -> PastOutcome {
    match answer {
        QueryResponse::Rows(rows) => PastOutcome::Rows {
            count: rows.count(),
            more: rows.more,
        },
        QueryResponse::Done { .. } => PastOutcome::Done,
        QueryResponse::Error(_) => PastOutcome::Error,
        QueryResponse::TimedOut => PastOutcome::TimedOut,
        QueryResponse::NoAccess { .. } | QueryResponse::Exited => PastOutcome::Failed,
        _ => PastOutcome::NotRun,
    }
}

/// Returns true if the person may run statements other than SELECT. Always false in direct
/// messages, which contain no roles.
fn may_write(call: &Call<'_>) -> bool {
    let member = call.context.member.iter();
    let roles = member.flat_map(|member| &member.roles);
    call.bot.service.may_write(roles.map(|role| role.get()))
}
