use discord_loopback::{Discord, DiscordConfig};
use serenity::all::*;

struct Bot;

#[async_trait]
impl EventHandler for Bot {
    async fn ready(&self, context: Context, ready: Ready) {
        let ping = CreateCommand::new("ping").description("Answers");
        let registered = ready.guilds[0].id.set_commands(&context.http, vec![ping]);
        registered.await.expect("the command can be registered");
    }

    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let Interaction::Command(command) = interaction else {
            return;
        };
        let pong = CreateInteractionResponseMessage::new().content("pong");
        let pong = CreateInteractionResponse::Message(pong);
        let answered = command.create_response(&context.http, pong);
        answered.await.expect("the command can be answered");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = DiscordConfig::default()
        .channel("general")
        .person("ana", &[]);
    let discord = Discord::start(config).await?;

    // serenity uses the proxy only if its own rate limiter is off.
    let http = HttpBuilder::new(discord.token())
        .proxy(discord.url())
        .ratelimiter_disabled(true)
        .build();
    let bot = ClientBuilder::new_with_http(http, GatewayIntents::empty()).event_handler(Bot);
    let mut bot = bot.await?;
    tokio::spawn(async move { bot.start().await.expect("the bot runs") });
    discord.wait_for_commands().await;

    let ana = discord.person("ana");
    let reply = ana.run_command("#general", "/ping").await?.reply().await;
    println!("{}", reply.content);
    assert_eq!(reply.content, "pong");
    Ok(())
}
