//! `/duck sql`, `/duck tables` and `/duck describe`.

use std::time::Duration;

use serenity::{
    all::{Attachment, ChannelId, CreateAllowedMentions, Message},
    builder::Builder,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::discord::interactions::{
    Handlers, InteractionContext, Responder, explain, log_error, set_outcome,
};
use crate::{
    discord::{
        buttons::SqlOptions,
        errors::{code, count, discord_error, is_final},
        replies::{self, File, QueryContext, Reply},
        responder::message,
    },
    runtime::QueryResponse,
    service::{Requester, ServiceError},
};

/// Time after which the reply shows that the query is running, with a button to cancel it.
const PROGRESS_DELAY: Duration = Duration::from_secs(1);

impl Handlers {
    /// Answers a query. `request` identifies it, so that its result is shared only once.
    pub(in crate::discord) async fn sql(
        &self,
        responder: &Responder,
        who: &Requester,
        context: &InteractionContext,
        sql: &str,
        how: &SqlOptions,
        request: &str,
    ) {
        let told = self
            .run_query(responder, who, context, sql.trim(), how)
            .await;
        let mut reply = told.unwrap_or_else(|problem| explain(&problem));
        if how.share && reply.is_answer() {
            let file = reply.file.take();
            let shared = self.post_shared(who, context, &reply.text, file.clone(), request);
            reply = shared.await;
            // If the result could not be shared, the private reply keeps its file.
            reply.file = file.filter(|_| reply.is_answer());
        }
        responder.edit(&reply).await;
    }

    async fn run_query(
        &self,
        responder: &Responder,
        who: &Requester,
        context: &InteractionContext,
        sql: &str,
        how: &SqlOptions,
    ) -> Result<Reply, ServiceError> {
        let seen = self
            .service
            .find_session_to_query(who, how.session.as_deref())?;
        let turn = self.service.acquire_query_permit(who.id)?;
        let since = self.service.now();
        let is_over = CancellationToken::new();
        let answered = async {
            let writes = self.may_write(context);
            let answered = self.service.run_query(who, &seen, sql, writes, &turn).await;
            is_over.cancel();
            answered
        };
        let shows = async {
            if is_over
                .run_until_cancelled(sleep(PROGRESS_DELAY))
                .await
                .is_some()
            {
                responder
                    .try_to_edit(&replies::query_running(sql, &turn.id, since))
                    .await;
            }
        };
        let (answered, ()) = tokio::join!(answered, shows);
        let Some(answer) = answered? else {
            return Ok(replies::cancelled(sql));
        };
        if !matches!(answer, QueryResponse::Rows(_) | QueryResponse::Done { .. }) {
            set_outcome("refused");
        }
        let missing = match &answer {
            QueryResponse::Error(wrong) => wrong.missing_table(),
            _ => None,
        };
        drop(turn);
        let nearest = match missing {
            Some(table) => self.service.suggest_tables(&seen, table).await,
            None => Vec::new(),
        };
        let question = QueryContext {
            sql,
            session: &seen.record.id,
            catalog: &self.service.catalog_name(&seen),
            nearest: &nearest,
        };
        Ok(replies::answer(&question, &answer))
    }

    pub(in crate::discord) async fn cancel(
        &self,
        responder: &Responder,
        who: &Requester,
        question: &str,
    ) {
        // The handler that waits for the result edits its reply.
        if !self.service.cancel_query(who, question) {
            responder.edit(&replies::query_over()).await;
        }
    }

    pub(in crate::discord) async fn tables(
        &self,
        who: &Requester,
        pattern: Option<&str>,
        session: Option<&str>,
    ) -> Result<Reply, ServiceError> {
        let seen = self.service.find_session_to_query(who, session)?;
        let all = self.service.tables(&seen).await?;
        let catalog = self.service.catalog_name(&seen);
        Ok(replies::tables(&seen.record, &catalog, &all, pattern))
    }

    pub(in crate::discord) async fn describe(
        &self,
        who: &Requester,
        table: &str,
        session: Option<&str>,
    ) -> Result<Reply, ServiceError> {
        let seen = self.service.find_session_to_query(who, session)?;
        let (name, rows) = self.service.describe(&seen, table).await?;
        let catalog = self.service.catalog_name(&seen);
        Ok(replies::table_columns(&name, &catalog, &rows))
    }

    /// Posts the result in `shown`, one of the bot's private replies, in the channel.
    pub(in crate::discord) async fn share(
        &self,
        responder: &Responder,
        who: &Requester,
        context: &InteractionContext,
        shown: &Message,
    ) {
        let text = replies::strip_share_error(&shown.content);
        let request = format!("share-{}", shown.id);
        let reply = match self.file_of(shown).await {
            Ok(file) => self.post_shared(who, context, text, file, &request).await,
            Err(why) => replies::share_failed(text, &why),
        };
        responder.edit(&reply).await;
    }

    /// Posts a result in the channel. Returns the new content of the private reply.
    async fn post_shared(
        &self,
        who: &Requester,
        context: &InteractionContext,
        text: &str,
        file: Option<File>,
        request: &str,
    ) -> Reply {
        let reply = replies::shared(who.id.get(), text, file);
        // Mentions in the result must not notify anybody.
        let message = message(&reply, Some(request)).allowed_mentions(CreateAllowedMentions::new());
        let posted = message
            .execute(&*self.http, (ChannelId::new(context.channel), None))
            .await;
        count("message", &posted);
        let why = match posted {
            Ok(_) => return replies::share_done(text),
            Err(error) if is_final(&error) => format!(
                "Discord does not let me post in this channel (error {}), so nobody else sees the \
                 result. An admin can grant the permission.",
                code(&error).map_or_else(|| "unknown".to_owned(), |code| code.to_string())
            ),
            Err(error) => {
                let error = discord_error("posting a result", &error);
                replies::failed(&error, &log_error(&error)).text
            }
        };
        replies::share_failed(text, &why)
    }

    /// Downloads the file that is attached to a message.
    async fn file_of(&self, message: &Message) -> Result<Option<File>, String> {
        let Some(attached) = message.attachments.first() else {
            return Ok(None);
        };
        let fetched = Attachment::download(attached).await;
        match fetched.map(String::from_utf8) {
            Ok(Ok(text)) => Ok(Some(File {
                name: attached.filename.clone(),
                text,
            })),
            _ => Err(
                "The result's file can't be downloaded from Discord any more. Run the query again \
                 with `share:True`."
                    .into(),
            ),
        }
    }

    /// Returns true if the person may run statements other than SELECT. Always false in direct
    /// messages, which contain no roles.
    fn may_write(&self, context: &InteractionContext) -> bool {
        let sql = self.service.settings().sql.as_ref();
        let roles = sql.map_or(&[][..], |sql| &sql.write_roles);
        let theirs = context.member.iter().flat_map(|member| &member.roles);
        theirs.into_iter().any(|role| roles.contains(&role.get()))
    }
}
