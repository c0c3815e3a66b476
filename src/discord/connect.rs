//! The requests before the gateway is opened: token, commands, and the gateway's address.

use std::time::Duration;

use anyhow::anyhow;
use serenity::all::{ApplicationId, GuildId, SessionStartLimit};
use tokio::time::timeout;
use tracing::warn;

use super::{
    check::invitation,
    client::Client,
    commands,
    errors::{discord_error, status},
};

/// Maximum time for the check at the start of the bot.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Failure of a request to Discord.
pub(super) enum ConnectError {
    /// Discord refuses until a person changes something.
    Refused(anyhow::Error),
    /// Discord can't be reached, or does not answer as it should. The text is the reason.
    Unavailable(String),
}

/// Discord's gateway.
pub(super) struct GatewayInfo {
    pub url: String,
    pub limit: SessionStartLimit,
}

/// Checks the token and the membership in the guild. Changes nothing.
///
/// # Errors
/// If Discord refuses one of them. An outage is no error.
pub(super) async fn check(client: &Client, guild: u64) -> anyhow::Result<()> {
    let checked = async {
        let application = look_up_application(client).await?;
        let known = client.http().get_guild_commands(GuildId::new(guild)).await;
        known.map_err(|error| guild_error(guild, application, &error))
    };
    match timeout(CHECK_TIMEOUT, checked).await {
        Ok(Err(ConnectError::Refused(error))) => Err(error),
        Ok(Ok(_) | Err(ConnectError::Unavailable(_))) | Err(_) => Ok(()),
    }
}

/// Registers the commands.
///
/// # Errors
/// If Discord can't be reached or refuses.
pub(super) async fn register_commands(client: &Client, guild: u64) -> Result<(), ConnectError> {
    let application = look_up_application(client).await?;
    let (http, commands) = (client.http(), commands::registration());
    let registered = http.create_guild_commands(GuildId::new(guild), &commands);
    let registered = registered.await;
    registered.map_err(|error| guild_error(guild, application, &error))?;
    Ok(())
}

/// Looks up the gateway, and how many sessions the bot may open there. Without this, serenity would
/// use a public address if the lookup fails.
///
/// # Errors
/// If Discord can't be reached or refuses.
pub(super) async fn look_up_gateway(client: &Client) -> Result<GatewayInfo, ConnectError> {
    match client.http().get_bot_gateway().await {
        Ok(found) => Ok(GatewayInfo {
            url: found.url,
            limit: found.session_start_limit,
        }),
        Err(error) => Err(connect_error("looking up the gateway", &error)),
    }
}

/// Looks up the bot's application once, because interactions are answered with its ID.
async fn look_up_application(client: &Client) -> Result<ApplicationId, ConnectError> {
    let http = client.http();
    if let Some(known) = http.application_id() {
        return Ok(known);
    }
    match http.get_current_application_info().await {
        Ok(found) => {
            http.set_application_id(found.id);
            Ok(found.id)
        }
        Err(error) => Err(connect_error("looking up the application", &error)),
    }
}

fn guild_error(guild: u64, application: ApplicationId, error: &serenity::Error) -> ConnectError {
    match status(error) {
        Some(403 | 404) => ConnectError::Refused(anyhow!(
            "Discord does not let the bot register commands in guild {guild}; add the bot with this \
             link: {}",
            invitation(application.get())
        )),
        _ => connect_error("registering the commands", error),
    }
}

fn connect_error(action: &str, error: &serenity::Error) -> ConnectError {
    match status(error) {
        Some(401) => refused_token(),
        _ => ConnectError::Unavailable(discord_error(action, error).to_string()),
    }
}

/// Discord does not accept the token.
pub(super) fn refused_token() -> ConnectError {
    ConnectError::Refused(anyhow!(
        "Discord does not accept the bot's token; get a new one in the developer portal (Bot, Reset \
         Token)"
    ))
}

/// Tells the log about an outage of Discord once, and once more whenever the reason changes.
#[derive(Default)]
pub(super) struct OutageLog {
    reason: String,
}

impl OutageLog {
    pub(super) fn report(&mut self, reason: String) {
        if reason != self.reason {
            warn!(
                "Discord can't be reached: {reason}. Check the connection to discord.com, port 443 \
                 (or to discord.api_proxy). Until it is back, commands get no answer and messages \
                 wait; sessions and the API go on"
            );
            self.reason = reason;
        }
    }

    pub(super) fn end(&mut self) {
        self.reason.clear();
    }
}
