//! A minimal bot: acknowledges commands, and optionally creates what `/duck start` creates. Or it answers each with a
//! link.

use duckbot::{runtime::kubernetes::build, session::CredentialSource};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::PartialObjectMeta};
use serenity::{
    all::{
        ClientBuilder, CommandOptionType, Context, CreateButton, CreateCommand,
        CreateCommandOption, CreateInteractionResponse, CreateInteractionResponseMessage,
        EventHandler, GatewayIntents, GuildId, Interaction,
    },
    async_trait,
    builder::Builder,
    http::{Http, HttpBuilder},
};

use super::floor::Floor;

/// Work of the bot for each command.
pub enum Work {
    Acknowledge,
    /// Creates what `/duck start` creates.
    Create(Box<Floor>),
    /// Answers with this link.
    Link(String),
}

struct BareBot {
    http: Http,
    work: Work,
}

#[async_trait]
impl EventHandler for BareBot {
    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        let asked = interaction.command().unwrap();
        let private = CreateInteractionResponseMessage::new().ephemeral(true);
        let answer = match &self.work {
            Work::Link(link) => {
                let button = CreateButton::new_link(link).label("Open DuckDB");
                CreateInteractionResponse::Message(private.content("Your link.").button(button))
            }
            Work::Acknowledge | Work::Create(_) => CreateInteractionResponse::Defer(private),
        };
        answer
            .execute(&self.http, (asked.id, &asked.token))
            .await
            .unwrap();
        let Work::Create(floor) = &self.work else {
            return;
        };
        let owner = asked.user.id.get();
        let known: Api<PartialObjectMeta<Secret>> = floor.api();
        known.get(&build::secret_name(owner.into())).await.unwrap();
        let (record, uid, _) = floor.claim(owner, CredentialSource::Owner).await;
        let reply = build::reply(&floor.settings, &record, &uid, &asked.token);
        tokio::join!(
            floor.apply_secret(&reply),
            floor.create_objects(&record, &uid)
        );
    }
}

/// Runs the bot until it is killed.
pub async fn serve(work: Work) {
    let variable = |name: &str| std::env::var(name).unwrap();
    let token = std::fs::read_to_string(variable("DUCKBOT_DISCORD__TOKEN_FILE")).unwrap();
    let http = || {
        let proxy = variable("DUCKBOT_DISCORD__API_PROXY");
        HttpBuilder::new(&token)
            .proxy(proxy)
            .ratelimiter_disabled(true)
            .build()
    };
    let own = http();
    let me = own.get_current_application_info().await.unwrap();
    own.set_application_id(me.id);
    let option = |name| CreateCommandOption::new(CommandOptionType::SubCommand, name, "One");
    let duck = CreateCommand::new("duck")
        .description("A duck")
        .set_options(["start", "open"].map(option).into());
    let guild = GuildId::new(variable("DUCKBOT_DISCORD__GUILD").parse().unwrap());
    own.create_guild_commands(guild, &[duck]).await.unwrap();
    let bare = BareBot { http: own, work };
    let client = ClientBuilder::new_with_http(http(), GatewayIntents::DIRECT_MESSAGES);
    client
        .event_handler(bare)
        .await
        .unwrap()
        .start()
        .await
        .unwrap();
}
