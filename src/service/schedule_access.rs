//! Access of people to the channels of their schedules. Pure.

/// Access of a person and of the bot to a channel, for posts of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleAccess {
    /// Both may post. Holds the name that the chat shows for the person.
    Allowed { display_name: String },
    /// The person is not in the Discord server.
    NotAMember,
    /// The person may not use the bot, at all or in this channel.
    NoAccess,
    /// There is no such channel in the server, or it is none for messages.
    NoChannel,
    /// The person lacks permissions there. Holds their names.
    OwnerMayNotPost(String),
    /// The bot lacks permissions there. Holds their names.
    BotMayNotPost(String),
}
