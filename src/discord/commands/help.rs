//! `/duck help`.

use async_trait::async_trait;

use super::{options::Options, spec::CommandSpec};
use crate::discord::{
    call::{Answered, Call, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "help",
    summary: "Show all commands",
    details: "",
    options: &[],
};

pub(super) struct Help {
    /// Returns the descriptions of all commands. A field, because the list contains this command.
    pub commands: fn() -> Vec<&'static CommandSpec>,
}

#[async_trait]
impl Command for Help {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, _: &Call<'_>, _: Options<'_>) -> Answered {
        Ok(replies::help(&(self.commands)()).into())
    }
}
