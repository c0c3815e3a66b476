//! Handles the commands that a person types on the page.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::actions::{ActionError, ActionResult, action_error, parse_id, person, sent};
use crate::command_line::line::split;
use crate::command_line::{OptionText, Typed};
use crate::shared::Shared;

#[derive(Deserialize)]
struct CommandBody {
    r#as: String,
    channel: String,
    /// Line with the command.
    text: String,
    /// Options that have a field of their own on the page.
    options: Vec<OptionText>,
}

impl CommandBody {
    fn typed(&self) -> Typed<'_> {
        Typed {
            line: &self.text,
            fields: &self.options,
        }
    }
}

#[derive(Deserialize)]
struct LineBody {
    text: String,
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/chat/split", post(split_line))
        .route("/chat/type", post(run_command))
        .route("/chat/complete", post(complete))
}

/// Splits a line into its options, for the page's fields.
async fn split_line(State(shared): State<Arc<Shared>>, Json(body): Json<LineBody>) -> ActionResult {
    let parts = shared.read(|state| {
        let line = split(&state.commands, &body.text)?;
        let given = line.given.iter();
        let given = given.map(|(option, value)| json!({ "name": option["name"], "value": value }));
        Ok(json!({ "options": given.collect::<Vec<_>>(), "rest": line.rest }))
    });
    parts.map(Json).map_err(|why: String| action_error(why))
}

async fn run_command(
    State(shared): State<Arc<Shared>>,
    Json(body): Json<CommandBody>,
) -> ActionResult {
    let (me, channel) = (person(&shared, &body.r#as)?, guild_channel(&shared, &body)?);
    let interaction = me.send_command(&channel, body.typed());
    sent(interaction.map_err(action_error)?.id)
}

async fn complete(
    State(shared): State<Arc<Shared>>,
    Json(body): Json<CommandBody>,
) -> ActionResult {
    let (me, channel) = (person(&shared, &body.r#as)?, guild_channel(&shared, &body)?);
    let choices = me.request_choices(&channel, body.typed()).await;
    let choice = |(name, value)| json!({ "name": name, "value": value });
    let choices = choices.map_err(action_error)?.into_iter().map(choice);
    Ok(Json(json!({ "choices": choices.collect::<Vec<_>>() })))
}

/// Returns the name of a guild channel; commands work only there.
fn guild_channel(shared: &Shared, body: &CommandBody) -> Result<String, ActionError> {
    let id = parse_id(&body.channel)?;
    let found = shared.read(|state| {
        let channel = state.channel(id)?;
        channel.recipient.is_none().then(|| channel.name.clone())
    });
    found.ok_or_else(|| action_error("Commands work only in the server's channels."))
}
