//! The description of a command: its name, texts and options. Pure.

/// Name of the slash command. All others are its subcommands.
pub(crate) const ROOT: &str = "duck";

/// Name, texts and options of a command.
pub(crate) struct CommandSpec {
    pub name: &'static str,
    /// Single line without a period. Discord allows at most 100 characters.
    pub summary: &'static str,
    /// Paragraph for commands.md. `{link_lifetime}` stands for
    /// [`ticket::lifetime`](crate::door::ticket::lifetime).
    pub details: &'static str,
    pub options: &'static [OptionSpec],
}

/// An option of a command.
pub(crate) struct OptionSpec {
    pub name: &'static str,
    /// Single line without a period. Discord allows at most 100 characters.
    pub summary: &'static str,
    pub kind: OptionKind,
}

/// The kind of value of an option. Only [`OptionKind::Required`] can't be left out.
#[derive(Clone, Copy)]
pub(crate) enum OptionKind {
    /// Text.
    Text,
    /// Required text, with suggestions while typing.
    Required(Suggestions),
    /// Text, with suggestions while typing.
    Suggested(Suggestions),
    /// True or false.
    Flag,
    /// A file that the person attaches.
    File,
    /// A channel of the server that messages can be posted in.
    Channel,
}

/// The source of an option's suggestions.
#[derive(Clone, Copy)]
pub(crate) enum Suggestions {
    /// Names of the sizes in the settings.
    Sizes,
    /// Names of the catalogs in the settings.
    Catalogs,
    /// IDs of the person's sessions and, for an admin, of everybody else's.
    Sessions,
    /// IDs of the person's sessions. An admin can't open or query the sessions of others.
    OwnSessions,
    /// Names of the person's workspaces.
    Workspaces,
    /// Numbers of the saves of the workspace that the options name.
    Saves,
    /// Names of the tables in the session that the options name.
    Tables,
    /// Fixed texts.
    Texts(&'static [&'static str]),
}

impl CommandSpec {
    /// Formats the command with its options, as it is typed.
    pub(crate) fn usage(&self) -> String {
        let options = self.options.iter().map(|option| match option.kind {
            OptionKind::Suggested(_)
            | OptionKind::Text
            | OptionKind::File
            | OptionKind::Channel => format!(" [{}]", option.name),
            OptionKind::Required(_) => format!(" {}", option.name),
            OptionKind::Flag => format!(" [{}:True]", option.name),
        });
        format!("/{ROOT} {}{}", self.name, options.collect::<String>())
    }

    /// Returns the source of the suggestions for the option with this name.
    pub(crate) fn suggestions(&self, option: &str) -> Option<Suggestions> {
        let option = self.options.iter().find(|it| it.name == option)?;
        option.kind.suggestions()
    }
}

impl OptionKind {
    pub(crate) fn suggestions(self) -> Option<Suggestions> {
        match self {
            Self::Required(source) | Self::Suggested(source) => Some(source),
            Self::Text | Self::Flag | Self::File | Self::Channel => None,
        }
    }
}
