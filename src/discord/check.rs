//! Discord's part of `duckbot check` and `duckbot invite`.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use serenity::{
    all::{ApplicationId, Channel, ChannelId, GuildId, Permissions},
    http::Http,
};

use super::{client::http, commands, errors::status};
use crate::{diagnostics::Diagnostic, settings};

/// Permissions that the bot needs in channels.
const NEEDED: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::ATTACH_FILES);

/// Link that adds an application to a server, with exactly the permissions that the bot needs.
pub fn invitation(application: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}\
         &scope=bot+applications.commands&permissions={}",
        NEEDED.bits()
    )
}

/// Reads an application's ID. Returns `None` for a number that is not an ID of Discord's: each
/// contains the time of its creation.
pub fn read_application_id(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id: u64 = text.parse().ok()?;
    if !digits || text.len() < 17 || id == 0 {
        return None;
    }
    let tomorrow = Utc::now() + TimeDelta::days(1);
    let created = ApplicationId::new(id).created_at();
    (created.unix_timestamp() < tomorrow.timestamp()).then_some(id)
}

/// Checks everything that the bot needs from Discord. Changes nothing.
pub async fn look(settings: &settings::Settings) -> Vec<Diagnostic> {
    let discord = &settings.discord;
    let http = match http(discord, &settings.outbound) {
        Ok(http) => http,
        Err(error) => {
            return vec![Diagnostic::failed(
                "Discord",
                format!("the HTTP client can't be created: {error:#}"),
            )];
        }
    };
    let application = match http.get_current_application_info().await {
        Ok(application) => {
            http.set_application_id(application.id);
            application.id
        }
        Err(error) if status(&error) == Some(401) => {
            let says = "Discord does not accept this token; get a new one in the developer portal \
                        (Bot, Reset Token)";
            return vec![Diagnostic::failed("token", says)];
        }
        Err(_) => {
            let says = "Discord can't be reached; check the connection to discord.com, port 443 \
                        (or to discord.api_proxy)";
            return vec![Diagnostic::failed("Discord", says)];
        }
    };
    let mut diagnostics = vec![Diagnostic::ok(
        "token",
        format!("belongs to application {application}"),
    )];
    let link = invitation(application.get());
    let guild = GuildId::new(discord.guild);
    let found = match http.get_guild(guild).await {
        Ok(found) => found,
        Err(error) => {
            let says = match status(&error) {
                Some(403 | 404) => {
                    format!("the bot is not in guild {guild}; add it with this link: {link}")
                }
                _ => no_answer(&error),
            };
            diagnostics.push(Diagnostic::failed("guild", says));
            return diagnostics;
        }
    };
    diagnostics.push(Diagnostic::ok("guild", format!("{} ({guild})", found.name)));
    diagnostics.push(registered(&http, guild, &link).await);
    let member = async {
        let me = http.get_current_user().await?.id;
        http.get_member(guild, me).await
    };
    let Ok(member) = member.await else {
        diagnostics.push(Diagnostic::failed(
            "guild",
            "the bot can't look up its own membership; try again in a minute",
        ));
        return diagnostics;
    };
    if discord.allowed_channels.is_empty() {
        // No channels are named in the settings. Some of them may still be closed to the bot.
        let missing = NEEDED - found.member_permissions(&member);
        diagnostics.push(permissions(
            "permissions in the guild".into(),
            missing,
            "all required permissions are granted",
        ));
    }
    let named = [
        ("discord.admin_channel", discord.admin_channel),
        ("report.channel", settings.report.channel),
    ];
    let named = named.into_iter().filter_map(|(key, id)| Some((key, id?)));
    let allowed = discord.allowed_channels.iter();
    for (key, id) in allowed
        .map(|id| ("discord.allowed_channels", *id))
        .chain(named)
    {
        let what = format!("channel {id} ({key})");
        diagnostics.push(match http.get_channel(ChannelId::new(id)).await {
            Ok(Channel::Guild(channel)) if channel.guild_id == guild => {
                let missing = NEEDED - found.user_permissions_in(&channel, &member);
                permissions(what, missing, &format!("#{}", channel.name))
            }
            Ok(_) => Diagnostic::failed(what, "not a channel of this guild; check the ID"),
            Err(error) => Diagnostic::failed(
                what,
                match status(&error) {
                    Some(403 | 404) => {
                        "the bot can't see this channel; check the ID, or give the bot's role View \
                         Channel there"
                            .to_owned()
                    }
                    _ => no_answer(&error),
                },
            ),
        });
    }
    diagnostics
}

/// Checks whether the commands of this version are registered. `link` adds the bot again.
async fn registered(http: &Http, guild: GuildId, link: &str) -> Diagnostic {
    let what = "commands";
    match http.get_guild_commands(guild).await {
        Ok(known) => {
            let root = known
                .iter()
                .find(|command| command.name == commands::spec::ROOT);
            let options = root.into_iter().flat_map(|command| &command.options);
            let known: BTreeSet<_> = options.map(|option| option.name.as_str()).collect();
            let ours: BTreeSet<_> = commands::specs().iter().map(|spec| spec.name).collect();
            if ours == known {
                Diagnostic::ok(what, "registered")
            } else {
                // The bot registers its commands at each start.
                Diagnostic::ok(
                    what,
                    "not yet those of this version; `duckbot serve` registers them",
                )
            }
        }
        Err(error) => Diagnostic::failed(
            what,
            match status(&error) {
                Some(403 | 404) => {
                    format!("the bot can't register commands; add it again with this link: {link}")
                }
                _ => no_answer(&error),
            },
        ),
    }
}

/// Reports which permissions are missing, or `fine` if there are none.
fn permissions(what: String, missing: Permissions, fine: &str) -> Diagnostic {
    if missing.is_empty() {
        Diagnostic::ok(what, fine)
    } else {
        let missing = missing.get_permission_names().join(", ");
        Diagnostic::failed(what, format!("grant to the bot's role there: {missing}"))
    }
}

/// Message for a request without a clear answer. The checked item may be fine.
fn no_answer(error: &serenity::Error) -> String {
    match status(error) {
        Some(status) => format!("Discord answered {status}; try again in a minute"),
        None => "Discord did not answer; try again in a minute".to_owned(),
    }
}
