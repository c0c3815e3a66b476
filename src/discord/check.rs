//! What `duckbot check` and `duckbot invite` ask Discord.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serenity::{
    all::{Channel, ChannelId, GuildId, Permissions},
    http::Http,
};

use super::{commands, http, status};
use crate::{finding::Finding, settings};

/// What the bot does in channels.
const NEEDED: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::ATTACH_FILES);

/// The address that adds the bot to a server, with what it needs and nothing else.
///
/// # Errors
/// If Discord does not say who the bot is.
pub async fn invitation(settings: &settings::Discord) -> anyhow::Result<String> {
    let asked = http(settings)?.get_current_application_info().await;
    let application = asked.context("Discord does not say who the bot is; is the token right?")?;
    Ok(format!(
        "https://discord.com/oauth2/authorize?client_id={}&scope=bot+applications.commands&permissions={}",
        application.id,
        NEEDED.bits()
    ))
}

/// Looks at everything that the bot needs of Discord. Changes nothing.
pub async fn look(settings: &settings::Settings) -> Vec<Finding> {
    let discord = &settings.discord;
    let http = match http(discord) {
        Ok(http) => http,
        Err(error) => return vec![Finding::wrong("Discord", format!("no client: {error:#}"))],
    };
    let application = match http.get_current_application_info().await {
        Ok(application) => {
            http.set_application_id(application.id);
            application.id
        }
        Err(error) if status(&error) == Some(401) => {
            let says = "Discord does not know this token; copy it again from the developer portal \
                        (Bot, Reset Token)";
            return vec![Finding::wrong("token", says)];
        }
        Err(_) => {
            let says = "Discord can't be reached at discord.com, port 443 (or discord.api_proxy)";
            return vec![Finding::wrong("Discord", says)];
        }
    };
    let mut findings = vec![Finding::fine(
        "token",
        format!("it is that of application {application}"),
    )];
    let guild = GuildId::new(discord.guild);
    let Ok(found) = http.get_guild(guild).await else {
        let says = format!("the bot is not in guild {guild}; `duckbot invite` prints the way in");
        findings.push(Finding::wrong("guild", says));
        return findings;
    };
    findings.push(Finding::fine("guild", format!("{} ({guild})", found.name)));
    findings.push(registered(&http, guild).await);
    let member = async {
        let me = http.get_current_user().await?.id;
        http.get_member(guild, me).await
    };
    let Ok(member) = member.await else {
        findings.push(Finding::wrong(
            "guild",
            "the bot does not find itself there",
        ));
        return findings;
    };
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
        findings.push(match http.get_channel(ChannelId::new(id)).await {
            Ok(Channel::Guild(channel)) if channel.guild_id == guild => {
                let missing = NEEDED - found.user_permissions_in(&channel, &member);
                match missing.is_empty() {
                    true => Finding::fine(what, format!("#{}", channel.name)),
                    false => {
                        let missing = missing.get_permission_names().join(", ");
                        Finding::wrong(what, format!("give the bot's role there: {missing}"))
                    }
                }
            }
            Ok(_) => Finding::wrong(what, "is not a channel of that guild"),
            Err(_) => Finding::wrong(
                what,
                "the bot does not see it: no such channel, or its role lacks View Channel there",
            ),
        });
    }
    findings
}

/// Whether Discord knows the commands of this version.
async fn registered(http: &Http, guild: GuildId) -> Finding {
    let what = "commands";
    match http.get_guild_commands(guild).await {
        Ok(known) => {
            let root = known.iter().find(|command| command.name == commands::ROOT);
            let options = root.into_iter().flat_map(|command| &command.options);
            let known: BTreeSet<_> = options.map(|option| option.name.as_str()).collect();
            let ours: BTreeSet<_> = commands::Kind::EVERY.map(|kind| kind.spec().name).into();
            match ours == known {
                true => Finding::fine(what, "registered"),
                // It does that at each start.
                false => Finding::fine(
                    what,
                    "not those of this version yet; `duckbot serve` registers them",
                ),
            }
        }
        Err(_) => Finding::wrong(
            what,
            "the bot may register none: invite it again with the scope applications.commands (`duckbot invite`)",
        ),
    }
}
