//! Small bot on the real serenity client, to test the loopback.

use std::sync::{Arc, Mutex};

use discord_loopback::Discord;
use serenity::all::*;
use serenity::async_trait;
use tokio::runtime::{Builder, Runtime};

/// Running bot. On drop it disappears without closing its connections, like a killed process.
pub struct Bot {
    /// Own runtime, because serenity's shards are tasks that outlive the client's future. Only the
    /// end of their runtime ends them like a killed process.
    runtime: Option<Runtime>,
    shards: Arc<ShardManager>,
    /// Events that serenity could not decode.
    pub unknown: Arc<Mutex<Vec<String>>>,
}

impl Bot {
    pub async fn start(discord: &Discord) -> Self {
        let http = HttpBuilder::new(discord.token())
            .proxy(discord.url())
            .ratelimiter_disabled(true)
            .application_id(ApplicationId::new(discord.application_id()))
            .build();
        let intents = GatewayIntents::GUILDS
            | GatewayIntents::GUILD_MESSAGES
            | GatewayIntents::DIRECT_MESSAGES;
        let unknown = Arc::new(Mutex::new(Vec::new()));
        let handler = Handler {
            guild: GuildId::new(discord.guild_id()),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("the runtime starts");
        let watch = Watch(Arc::clone(&unknown));
        let client = runtime.spawn(async move {
            let client = ClientBuilder::new_with_http(http, intents);
            client.event_handler(handler).raw_event_handler(watch).await
        });
        let mut client = client
            .await
            .expect("building the client does not panic")
            .expect("serenity builds a client");
        let shards = Arc::clone(&client.shard_manager);
        runtime.spawn(async move {
            let _ = client.start().await;
        });
        discord.wait_connected().await;
        discord.wait_for_commands().await;
        Self {
            runtime: Some(runtime),
            shards,
            unknown,
        }
    }

    /// Stops the bot cleanly.
    pub async fn stop(&self) {
        self.shards.shutdown_all().await;
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Watch(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl RawEventHandler for Watch {
    async fn raw_event(&self, _: Context, event: Event) {
        if let Event::Unknown(event) = event {
            self.0.lock().unwrap().push(event.kind);
        }
    }
}

struct Handler {
    guild: GuildId,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, context: Context, _: Ready) {
        self.guild
            .set_commands(&context.http, vec![tree()])
            .await
            .expect("the commands can be registered");
    }

    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let done = match interaction {
            Interaction::Command(command) => command_typed(&context, &command).await,
            Interaction::Autocomplete(command) => completed(&context, &command).await,
            Interaction::Component(press) => pressed(&context, &press).await,
            Interaction::Modal(modal) => submitted(&context, &modal).await,
            _ => Ok(()),
        };
        if let Err(error) = done {
            eprintln!("the bot failed: {error}");
        }
    }

    async fn message(&self, context: Context, message: Message) {
        if !message.author.bot {
            let place = message.member.as_ref().map_or("a DM", |_| "the guild");
            message
                .channel_id
                .say(&context.http, format!("{:?} in {place}", message.content))
                .await
                .expect("the message can be posted");
        }
    }
}

fn tree() -> CreateCommand {
    let size = CreateCommandOption::new(CommandOptionType::String, "size", "How large")
        .required(true)
        .add_string_choice("small", "small");
    let catalog = CreateCommandOption::new(CommandOptionType::String, "catalog", "Which one")
        .set_autocomplete(true);
    let sub = |name| CreateCommandOption::new(CommandOptionType::SubCommand, name, "Does it");
    CreateCommand::new("duck")
        .description("Ducks")
        .default_member_permissions(Permissions::SEND_MESSAGES)
        .add_option(sub("start").add_sub_option(size).add_sub_option(catalog))
        .add_option(sub("keys"))
        .add_option(
            sub("say")
                .add_sub_option(CreateCommandOption::new(
                    CommandOptionType::String,
                    "text",
                    "What to say",
                ))
                .add_sub_option(CreateCommandOption::new(
                    CommandOptionType::Boolean,
                    "loud",
                    "How to say it",
                )),
        )
        .add_option(
            sub("show").add_sub_option(
                CreateCommandOption::new(CommandOptionType::String, "table", "What to show")
                    .required(true),
            ),
        )
        .add_option(sub("ping"))
        .add_option(sub("sleep"))
}

async fn command_typed(context: &Context, command: &CommandInteraction) -> serenity::Result<()> {
    match command.data.options[0].name.as_str() {
        "start" => start(context, command).await,
        "say" | "show" => {
            let said = command.data.options().into_iter().next().map(|it| it.value);
            let Some(ResolvedValue::SubCommand(options)) = said else {
                return Ok(());
            };
            let value = |option: &ResolvedOption<'_>| match option.value {
                ResolvedValue::String(text) => format!("{}={text}", option.name),
                _ => option.name.to_owned(),
            };
            let said: Vec<_> = options.iter().map(value).collect();
            let message = CreateInteractionResponseMessage::new().content(said.join(" & "));
            let response = CreateInteractionResponse::Message(message);
            command.create_response(&context.http, response).await
        }
        "keys" => {
            let input = CreateInputText::new(InputTextStyle::Short, "Access key ID", "key")
                .min_length(3)
                .max_length(20);
            let modal = CreateModal::new("keys", "Your keys")
                .components(vec![CreateActionRow::InputText(input)]);
            command
                .create_response(&context.http, CreateInteractionResponse::Modal(modal))
                .await
        }
        "ping" => {
            let message = CreateInteractionResponseMessage::new().content("pong");
            let response = CreateInteractionResponse::Message(message);
            command.create_response(&context.http, response).await?;
            let more = CreateInteractionResponseFollowup::new()
                .content("and again")
                .add_file(CreateAttachment::bytes(b"quack".as_slice(), "log.txt"));
            command.create_followup(&context.http, more).await.map(drop)
        }
        _ => Ok(()),
    }
}

async fn start(context: &Context, command: &CommandInteraction) -> serenity::Result<()> {
    let http = &context.http;
    command.defer_ephemeral(http).await?;
    for text in ["Starting", "Still starting"] {
        command
            .edit_response(http, EditInteractionResponse::new().content(text))
            .await?;
    }
    let embed = CreateEmbed::new()
        .title("Session")
        .field("Size", "small", true);
    let buttons = vec![
        CreateButton::new("stop")
            .label("Stop it")
            .style(ButtonStyle::Danger),
        CreateButton::new("later").label("Later").disabled(true),
        CreateButton::new_link("https://example.test").label("Open"),
    ];
    let row = CreateActionRow::Buttons(buttons);
    let ready = EditInteractionResponse::new()
        .content("Ready")
        .embed(embed)
        .components(vec![row]);
    command.edit_response(http, ready).await?;
    let text = format!("<@{}> is ready", command.user.id);
    let message = CreateMessage::new()
        .content(text)
        .nonce(Nonce::String("n1".to_owned()))
        .enforce_nonce(true);
    command
        .channel_id
        .send_message(http, message)
        .await
        .map(drop)
}

async fn completed(context: &Context, command: &CommandInteraction) -> serenity::Result<()> {
    let typed = command
        .data
        .autocomplete()
        .map_or("", |option| option.value)
        .to_owned();
    let choices = CreateAutocompleteResponse::new().add_string_choice(format!("{typed}ke"), "lake");
    command
        .create_response(
            &context.http,
            CreateInteractionResponse::Autocomplete(choices),
        )
        .await
}

async fn pressed(context: &Context, press: &ComponentInteraction) -> serenity::Result<()> {
    let message = CreateInteractionResponseMessage::new()
        .content("Stopped")
        .embeds(Vec::new())
        .components(Vec::new());
    press
        .create_response(
            &context.http,
            CreateInteractionResponse::UpdateMessage(message),
        )
        .await
}

async fn submitted(context: &Context, modal: &ModalInteraction) -> serenity::Result<()> {
    let ActionRowComponent::InputText(input) = &modal.data.components[0].components[0] else {
        return Ok(());
    };
    let length = input.value.as_deref().unwrap_or("").len();
    let message = CreateInteractionResponseMessage::new()
        .content(format!("Saved {length} characters"))
        .ephemeral(true);
    modal
        .create_response(&context.http, CreateInteractionResponse::Message(message))
        .await?;
    modal
        .user
        .direct_message(
            &context.http,
            CreateMessage::new().content("Your keys are safe"),
        )
        .await
        .map(drop)
}
