//! What `duckbot check` and `duckbot invite` ask Discord.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serenity::{
    all::{Channel, ChannelId, GuildId, Permissions},
    http::Http,
};

use super::{commands, http, status};
use crate::{diagnostics::Diagnostic, settings};

/// What the bot does in channels.
const NEEDED: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::ATTACH_FILES);

/// The address that adds an application to a server, with what it needs and nothing else.
pub fn invitation(application: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}\
         &scope=bot+applications.commands&permissions={}",
        NEEDED.bits()
    )
}

/// The application that the token belongs to.
///
/// # Errors
/// If Discord does not say.
pub async fn application(settings: &settings::Discord) -> anyhow::Result<u64> {
    let asked = http(settings)?.get_current_application_info().await;
    let found = asked.context("Discord does not say who the bot is; is the token right?")?;
    Ok(found.id.get())
}

/// Looks at everything that the bot needs of Discord. Changes nothing.
pub async fn look(settings: &settings::Settings) -> Vec<Diagnostic> {
    let discord = &settings.discord;
    let http = match http(discord) {
        Ok(http) => http,
        Err(error) => {
            return vec![Diagnostic::failed(
                "Discord",
                format!("no client: {error:#}"),
            )];
        }
    };
    let application = match http.get_current_application_info().await {
        Ok(application) => {
            http.set_application_id(application.id);
            application.id
        }
        Err(error) if status(&error) == Some(401) => {
            let says = "Discord does not know this token; copy it again from the developer portal \
                        (Bot, Reset Token)";
            return vec![Diagnostic::failed("token", says)];
        }
        Err(_) => {
            let says = "Discord can't be reached at discord.com, port 443 (or discord.api_proxy)";
            return vec![Diagnostic::failed("Discord", says)];
        }
    };
    let mut diagnostics = vec![Diagnostic::ok(
        "token",
        format!("it is that of application {application}"),
    )];
    let guild = GuildId::new(discord.guild);
    let found = match http.get_guild(guild).await {
        Ok(found) => found,
        Err(error) => {
            let says = match status(&error) {
                Some(403 | 404) => {
                    format!("the bot is not in guild {guild}; `duckbot invite` prints the way in")
                }
                _ => no_answer(&error),
            };
            diagnostics.push(Diagnostic::failed("guild", says));
            return diagnostics;
        }
    };
    diagnostics.push(Diagnostic::ok("guild", format!("{} ({guild})", found.name)));
    diagnostics.push(registered(&http, guild).await);
    let member = async {
        let me = http.get_current_user().await?.id;
        http.get_member(guild, me).await
    };
    let Ok(member) = member.await else {
        diagnostics.push(Diagnostic::failed(
            "guild",
            "the bot does not find itself there",
        ));
        return diagnostics;
    };
    if discord.allowed_channels.is_empty() {
        // Some channels may still be closed to it; nobody named any.
        let missing = NEEDED - found.member_permissions(&member);
        diagnostics.push(permissions(
            "permissions in the guild".into(),
            missing,
            "all that are needed",
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
            Ok(_) => Diagnostic::failed(what, "is not a channel of that guild"),
            Err(error) => Diagnostic::failed(
                what,
                match status(&error) {
                    Some(403 | 404) => {
                        "the bot does not see it: no such channel, or its role lacks View Channel \
                         there"
                            .to_owned()
                    }
                    _ => no_answer(&error),
                },
            ),
        });
    }
    diagnostics
}

/// Whether Discord knows the commands of this version.
async fn registered(http: &Http, guild: GuildId) -> Diagnostic {
    let what = "commands";
    match http.get_guild_commands(guild).await {
        Ok(known) => {
            let root = known.iter().find(|command| command.name == commands::ROOT);
            let options = root.into_iter().flat_map(|command| &command.options);
            let known: BTreeSet<_> = options.map(|option| option.name.as_str()).collect();
            let ours: BTreeSet<_> = commands::CommandKind::ALL
                .map(|kind| kind.spec().name)
                .into();
            match ours == known {
                true => Diagnostic::ok(what, "registered"),
                // It does that at each start.
                false => Diagnostic::ok(
                    what,
                    "not those of this version yet; `duckbot serve` registers them",
                ),
            }
        }
        Err(error) => Diagnostic::failed(
            what,
            match status(&error) {
                Some(403 | 404) => "the bot may register none: invite it again with the scope \
                                    applications.commands (`duckbot invite`)"
                    .to_owned(),
                _ => no_answer(&error),
            },
        ),
    }
}

/// What to do about these permissions, if the bot lacks any.
fn permissions(what: String, missing: Permissions, fine: &str) -> Diagnostic {
    match missing.is_empty() {
        true => Diagnostic::ok(what, fine),
        false => {
            let missing = missing.get_permission_names().join(", ");
            Diagnostic::failed(what, format!("give the bot's role there: {missing}"))
        }
    }
}

/// It may be fine: Discord does not say.
fn no_answer(error: &serenity::Error) -> String {
    match status(error) {
        Some(status) => format!("Discord answered {status}; try again in a minute"),
        None => "Discord did not answer; try again in a minute".to_owned(),
    }
}
