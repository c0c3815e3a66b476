//! Sharing a result in the channel, with the option of `/duck sql` or the button of its reply.

use serenity::{
    all::{ChannelId, CreateAllowedMentions, Message},
    builder::Builder,
};

use super::again::keep_buttons;
use crate::discord::{
    call::{Answer, Answered, Call, CallOutcome, log_error},
    errors::{code, count, discord_error, is_final},
    message::message,
    query_file,
    replies::{self, File, Reply},
};

/// A file of a result can't be downloaded from Discord any more.
struct FileGone;

/// Posts the result in `shown`, one of the bot's private replies, in the channel.
pub(crate) async fn share(call: &Call<'_>, shown: &Message) -> Answered {
    let _room = match shown.attachments.as_slice() {
        [] => None,
        _ => Some(call.bot.service.large_answer_room().await?),
    };
    let text = replies::strip_private_lines(&shown.content);
    let request = format!("share-{}", shown.id);
    let (reply, outcome) = match files_of(call, shown).await {
        Ok(files) => post_shared(call, text, files, &request).await,
        Err(FileGone) => (replies::share_without_file(text), CallOutcome::Done),
    };
    Ok(Answer::Reply(keep_buttons(reply, shown), outcome))
}

/// Posts a result in the channel, if the person may post there themselves. Returns the new content
/// of the private reply.
pub(super) async fn post_shared(
    call: &Call<'_>,
    text: &str,
    files: Vec<File>,
    request: &str,
) -> (Reply, CallOutcome) {
    let missing = call.context.missing_to_post(!files.is_empty());
    if !missing.is_empty() {
        let denied = replies::share_denied(text, &missing.get_permission_names());
        return (denied, CallOutcome::Refused);
    }
    let reply = replies::shared(call.who.id.get(), text, files);
    // Mentions in the result must not notify anybody.
    let message = message(&reply, Some(request)).allowed_mentions(CreateAllowedMentions::new());
    let posted = message
        .execute(
            call.bot.client.http(),
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

/// Downloads the files that are attached to a message.
async fn files_of(call: &Call<'_>, message: &Message) -> Result<Vec<File>, FileGone> {
    let mut files = Vec::new();
    for attached in &message.attachments {
        let content = query_file::download(&call.bot.files, attached).await;
        files.push(File {
            name: attached.filename.clone(),
            content: content.map_err(|_| FileGone)?,
            alt: attached.description.clone(),
        });
    }
    Ok(files)
}
