//! `/duck help`.

use async_trait::async_trait;

use super::{options::Options, spec::CommandSpec};
use crate::discord::{
    call::{Answered, Call, Command},
    replies,
};

const SPEC: CommandSpec = CommandSpec {
    name: "help",
    summary: "Show the first steps and your commands",
    details: "",
    options: &[],
};

pub(super) struct Help {
    /// Returns all commands. A field, because the list contains this command.
    pub commands: fn() -> &'static [&'static dyn Command],
}

#[async_trait]
impl Command for Help {
    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    async fn run(&self, call: &Call<'_>, _: Options<'_>) -> Answered {
        let commands = (self.commands)().iter().filter(|it| it.is_for(call));
        let specs: Vec<_> = commands.map(|it| it.spec()).collect();
        let pause = call.bot.service.known_pause();
        Ok(replies::with_pause(replies::help(&specs), pause.as_ref()).into())
    }
}
