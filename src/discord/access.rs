//! Access rules: who may use the bot, and in which channels. Pure.

use serenity::all::Permissions;

use crate::{service::Requester, settings::Discord};

/// The people who may use a command or a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Members of the guild whom [`admit`] lets in.
    Members,
    /// Everybody, with rights to nothing but what they own.
    Everybody,
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
