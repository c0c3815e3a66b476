//! The options of a command, as a person sent them, and options that several commands share.

use serenity::all::{Attachment, CommandData, CommandDataOption, CommandDataOptionValue};

use super::spec::{OptionKind, OptionSpec, Suggestions};
use crate::{
    discord::replies::{self, Reply},
    session::{ChannelId, Workspace},
};

/// Session of the person or, for an admin, of anybody.
pub(super) const SESSION: OptionSpec = OptionSpec {
    name: "session",
    summary: "Session ID, if you have several sessions",
    kind: OptionKind::Suggested(Suggestions::Sessions),
};

/// Session of the person, even for an admin.
pub(crate) const OWN_SESSION: OptionSpec = OptionSpec {
    kind: OptionKind::Suggested(Suggestions::OwnSessions),
    ..SESSION
};

/// Catalog of the tables to query.
pub(crate) const QUERY_CATALOG: OptionSpec = OptionSpec {
    name: "catalog",
    summary: "Catalog of the tables, if there are several",
    kind: OptionKind::Suggested(Suggestions::Catalogs),
};

/// Workspace of the person.
pub(crate) const WORKSPACE: OptionSpec = OptionSpec {
    name: "workspace",
    summary: "Name of a workspace, to keep work apart, such as sales",
    kind: OptionKind::Suggested(Suggestions::Workspaces),
};

/// Reads the option for a workspace.
pub(super) fn read_workspace(options: Options<'_>) -> Result<Option<Workspace>, Reply> {
    let parse = |given: &str| {
        let parsed = given.trim().parse();
        parsed.map_err(|why| replies::invalid_workspace(given, &why))
    };
    options.text(WORKSPACE.name).map(parse).transpose()
}

/// A command's name and its options.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    command: &'a str,
    given: &'a [CommandDataOption],
    data: &'a CommandData,
}

impl<'a> Options<'a> {
    /// Returns `None` if the data names no subcommand.
    pub fn read(data: &'a CommandData) -> Option<Self> {
        let chosen = data.options.first()?;
        match &chosen.value {
            CommandDataOptionValue::SubCommand(given) => Some(Self {
                command: &chosen.name,
                given,
                data,
            }),
            _ => None,
        }
    }

    /// Name of the command.
    pub fn command(&self) -> &'a str {
        self.command
    }

    /// Value of a text option. `None` if it was left out.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    /// Value of a flag. False if it was left out.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(CommandDataOptionValue::as_bool) == Some(true)
    }

    /// File of an option. `None` if it was left out.
    pub fn file(&self, name: &str) -> Option<&'a Attachment> {
        let id = self.value(name)?.as_attachment_id()?;
        self.data.resolved.attachments.get(&id)
    }

    /// Channel of an option. `None` if it was left out.
    pub fn channel(&self, name: &str) -> Option<ChannelId> {
        let id = self.value(name)?.as_channel_id()?;
        Some(id.get().into())
    }

    fn value(&self, name: &str) -> Option<&'a CommandDataOptionValue> {
        let option = self.given.iter().find(|option| option.name == name)?;
        Some(&option.value)
    }
}
