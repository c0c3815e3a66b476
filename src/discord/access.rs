//! Access rules: who may use the bot, and in which channels. Pure.

use chrono::{DateTime, Utc};
use serenity::all::{ChannelType, GuildChannel, Member, PartialGuild, Permissions};

use crate::{service::Requester, settings::Discord};

/// The people who may use a command or a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Members of the guild whom [`admit`] lets in.
    Members,
    /// Everybody, with rights to nothing but what they own.
    Everybody,
    /// Same, but members whom [`admit`] lets in have their rights, so that admins can act for others.
    Owners,
}

/// The person who uses the bot, and where they do it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Discord user ID.
    pub id: u64,
    /// Display name in the guild.
    pub display_name: String,
    /// Role IDs in the guild.
    pub roles: Vec<u64>,
    /// IDs of the channel in the guild and, for a thread, of its parent channel. Empty in direct
    /// messages.
    pub channels: Vec<u64>,
}

/// The reason why a caller may not use the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DenialReason {
    /// The bot serves another guild.
    OtherGuild,
    /// The caller is not, or no longer, a member of the guild.
    NotAMember,
    /// The bot may only be used in these channels.
    OtherChannel(Vec<u64>),
    /// The caller has none of these roles, and needs one.
    NoRole(Vec<u64>),
}

/// Checks the channel and roles of a member of the guild.
///
/// # Errors
///
/// Returns the reason why the caller may not use the bot here.
pub(super) fn admit(rules: &Discord, caller: &Caller) -> Result<Requester, DenialReason> {
    let has_one_of = |roles: &[u64]| caller.roles.iter().any(|role| roles.contains(role));
    let is_admin = has_one_of(&rules.admin_roles);
    let allowed = &rules.allowed_channels;
    let is_elsewhere = !caller
        .channels
        .iter()
        .any(|channel| allowed.contains(channel));
    if !allowed.is_empty() && !caller.channels.is_empty() && is_elsewhere {
        return Err(DenialReason::OtherChannel(rules.allowed_channels.clone()));
    }
    if !is_admin && !rules.allowed_roles.is_empty() && !has_one_of(&rules.allowed_roles) {
        return Err(DenialReason::NoRole(rules.allowed_roles.clone()));
    }
    Ok(Requester {
        id: caller.id.into(),
        display_name: caller.display_name.clone(),
        is_admin,
    })
}

/// Kinds of channels that results of schedules can be posted in. Nobody looks up who is in a private thread.
pub(super) const POSTING_CHANNELS: [ChannelType; 4] = [
    ChannelType::Text,
    ChannelType::News,
    ChannelType::PublicThread,
    ChannelType::NewsThread,
];

/// Returns true for threads, whose posts need another permission than those of channels.
pub(super) fn is_thread(kind: ChannelType) -> bool {
    matches!(
        kind,
        ChannelType::PublicThread | ChannelType::PrivateThread | ChannelType::NewsThread
    )
}

/// Returns a member's permissions in a channel, for people who don't act there at this moment. For a
/// thread, `channel` is its parent, whose overwrites hold for it (developer docs, "Permissions").
pub(super) fn permissions_in(
    guild: &PartialGuild,
    channel: &GuildChannel,
    member: &Member,
    now: DateTime<Utc>,
) -> Permissions {
    let held = guild.user_permissions_in(channel, member);
    let timeout = member.communication_disabled_until;
    let is_silenced = timeout.is_some_and(|until| until.unix_timestamp() > now.timestamp());
    // A timeout takes all other permissions of a member who is no administrator.
    if is_silenced && !held.administrator() {
        held & (Permissions::VIEW_CHANNEL | Permissions::READ_MESSAGE_HISTORY)
    } else {
        held
    }
}

/// Returns the permissions that a member lacks to post in a channel themselves. `held` are their
/// permissions there, with the channel's overwrites.
pub(super) fn missing_to_post(held: Permissions, is_thread: bool, has_file: bool) -> Permissions {
    if held.administrator() {
        return Permissions::empty();
    }
    let send = if is_thread {
        Permissions::SEND_MESSAGES_IN_THREADS
    } else {
        Permissions::SEND_MESSAGES
    };
    let mut needed = Permissions::VIEW_CHANNEL | send;
    needed.set(Permissions::ATTACH_FILES, has_file);
    needed - held
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn to_post_a_member_needs_the_permissions_of_the_place_and_the_content() {
        let all = Permissions::all() - Permissions::ADMINISTRATOR;
        let (send, in_threads, attach) = (
            Permissions::SEND_MESSAGES,
            Permissions::SEND_MESSAGES_IN_THREADS,
            Permissions::ATTACH_FILES,
        );
        for (held, is_thread, has_file, missing) in [
            (all, false, true, Permissions::empty()),
            (all - send, false, false, send),
            (all - send, true, false, Permissions::empty()),
            (all - in_threads, true, false, in_threads),
            (all - in_threads, false, false, Permissions::empty()),
            (all - attach, false, false, Permissions::empty()),
            (all - attach, true, true, attach),
            (
                Permissions::empty(),
                false,
                false,
                Permissions::VIEW_CHANNEL | send,
            ),
            (Permissions::ADMINISTRATOR, true, true, Permissions::empty()),
        ] {
            assert_eq!(
                missing_to_post(held, is_thread, has_file),
                missing,
                "{held}"
            );
        }
    }

    /// Permissions of member 7 with role 5 in channel 10 of guild 1, with these overwrites as kind, ID,
    /// allowed and denied permissions. Roles are 0, members 1.
    fn held(
        overwrites: &[(u8, u64, Permissions, Permissions)],
        timeout: Option<&str>,
    ) -> Permissions {
        let overwrites = overwrites.iter().map(|(kind, id, allow, deny)| {
            json!({ "type": kind, "id": id.to_string(), "allow": allow, "deny": deny })
        });
        let role = |id: &str, permissions: Permissions| {
            json!({
                "id": id, "name": "r", "permissions": permissions, "position": 0, "color": 0,
                "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
                "hoist": false, "managed": false, "mentionable": false, "icon": null,
                "unicode_emoji": null, "flags": 0,
            })
        };
        let everyone = Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES;
        let guild = json!({
            "id": "1", "name": "g", "icon": null, "description": null, "splash": null,
            "discovery_splash": null, "features": [], "banner": null, "owner_id": "2",
            "application_id": null, "afk_channel_id": null, "afk_timeout": 300,
            "system_channel_id": null, "system_channel_flags": 0, "widget_enabled": false,
            "widget_channel_id": null, "verification_level": 0,
            "roles": [role("1", everyone), role("5", Permissions::ATTACH_FILES)],
            "default_message_notifications": 0, "mfa_level": 0, "explicit_content_filter": 0,
            "vanity_url_code": null, "premium_tier": 0, "premium_subscription_count": 0,
            "preferred_locale": "en-US", "rules_channel_id": null, "public_updates_channel_id": null,
            "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0, "emojis": [],
            "stickers": [],
        });
        let channel = json!({
            "id": "10", "guild_id": "1", "type": 0, "flags": 0, "name": "data", "position": 0,
            "last_message_id": null,
            "permission_overwrites": overwrites.collect::<Vec<_>>(),
        });
        let member = json!({
            "user": { "id": "7", "username": "ana", "global_name": "Ana", "discriminator": "0",
                "avatar": null, "public_flags": 0 },
            "guild_id": "1", "roles": ["5"], "nick": null, "avatar": null, "premium_since": null,
            "joined_at": "2026-01-01T00:00:00Z", "deaf": false, "mute": false, "flags": 0,
            "pending": false, "communication_disabled_until": timeout,
        });
        permissions_in(
            &serde_json::from_value(guild).expect("a guild"),
            &serde_json::from_value(channel).expect("a channel"),
            &serde_json::from_value(member).expect("a member"),
            "2026-11-27T12:00:00Z".parse().expect("a time"),
        )
    }

    #[test]
    fn overwrites_of_everyone_roles_and_the_member_apply_in_this_order() {
        let (none, send, attach) = (
            Permissions::empty(),
            Permissions::SEND_MESSAGES,
            Permissions::ATTACH_FILES,
        );
        let all = Permissions::VIEW_CHANNEL | send | attach;
        let (role, member) = (0, 1);
        for (overwrites, expected) in [
            (&[][..], all),
            (&[(role, 1, none, send)], all - send),
            (&[(role, 1, none, send), (role, 5, send, none)], all),
            (
                &[(role, 5, none, send), (member, 7, send, attach)],
                all - attach,
            ),
            (&[(role, 6, none, all), (member, 8, none, all)], all),
        ] {
            assert_eq!(held(overwrites, None), expected, "{overwrites:?}");
        }
    }

    #[test]
    fn a_member_in_a_timeout_may_only_read() {
        let only_read = Permissions::VIEW_CHANNEL;
        assert_eq!(held(&[], Some("2026-11-27T12:00:01Z")), only_read);
        assert!(held(&[], Some("2026-11-27T11:59:59Z")).send_messages());
    }

    fn rules() -> Discord {
        Discord {
            token: String::new().into(),
            token_file: None,
            guild: 1,
            allowed_channels: vec![10],
            allowed_roles: vec![20],
            admin_roles: vec![30],
            admin_channel: None,
            api_proxy: None,
        }
    }

    fn caller(roles: &[u64], channels: &[u64]) -> Caller {
        Caller {
            id: 7,
            display_name: "Ana".into(),
            roles: roles.to_vec(),
            channels: channels.to_vec(),
        }
    }

    #[test]
    fn channel_and_role_decide_and_an_admin_needs_no_other_role() {
        let is_admin = |roles: &[u64], channels: &[u64]| {
            admit(&rules(), &caller(roles, channels)).map(|requester| requester.is_admin)
        };
        assert_eq!(is_admin(&[20], &[10]), Ok(false));
        assert_eq!(is_admin(&[30], &[10]), Ok(true));
        assert_eq!(is_admin(&[20], &[]), Ok(false));
        assert_eq!(
            is_admin(&[20], &[11]),
            Err(DenialReason::OtherChannel(vec![10]))
        );
        assert_eq!(is_admin(&[21], &[10]), Err(DenialReason::NoRole(vec![20])));
    }

    #[test]
    fn a_thread_counts_as_its_channel() {
        assert!(admit(&rules(), &caller(&[20], &[99, 10])).is_ok());
    }

    #[test]
    fn without_lists_everyone_may_everywhere() {
        let mut open = rules();
        open.allowed_channels.clear();
        open.allowed_roles.clear();
        assert!(admit(&open, &caller(&[], &[99])).is_ok());
    }
}
