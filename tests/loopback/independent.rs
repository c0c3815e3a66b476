//! Tests the loopback Discord with an independent client, discord.py.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use discord_loopback::{Discord, DiscordConfig, ResponseKind};
use test_support::{Contract, tools};

#[tokio::test]
async fn discord_py_completes_the_story() {
    let config = DiscordConfig::default().channel("pond").person("ana", &[]);
    let config = config.wait_timeout(Duration::from_secs(120));
    let discord = Discord::start(config).await.unwrap();
    let contract = Contract::from_env();
    if let Some(contract) = &contract {
        discord.set_observer(contract.observer());
    }
    let mut bot = bot(&discord);
    discord.wait_for_commands().await;
    discord.wait_connected().await;
    let ana = discord.person("ana");

    let offered = ana.complete("#pond", "/feed pond:la").await.unwrap();
    let offered: Vec<_> = offered.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(offered, ["The lake", "The lagoon"]);

    let feed = ana.run_command("#pond", "/feed pond:lake").await.unwrap();
    assert_eq!(feed.acknowledgement().await.kind, ResponseKind::Deferred);
    let looking = feed.reply().await;
    assert_eq!(looking.content, "Looking for ducks");
    assert!(looking.ephemeral);
    assert_eq!(feed.next().await.content, "Found ducks in the lake");
    let notice = ana.read("#pond").await;
    assert_eq!(notice.content, format!("{} feeds the ducks", ana.mention()));
    assert_eq!(notice.mentions, [ana.id()]);

    let menu = feed.follow_up().await;
    assert_eq!(menu.content, "What do they get?");
    let order = ana.press(&menu, "Choose").await.unwrap().modal().await;
    assert_eq!(order.title, "Your order");
    assert!(ana.submit(&order, &[("Food", "x")]).await.is_err());
    let order = ana.submit(&order, &[("Food", "oats")]).await.unwrap();
    let menu_now = order.reply().await;
    assert_eq!(
        (menu_now.id, &*menu_now.content),
        (menu.id, "They get oats")
    );
    assert_eq!(menu_now.button("Choose"), None);
    assert_eq!(order.follow_up().await.content, "Thank you");
    let notice = discord.wait_edited(notice.id, |notice| notice.edited).await;
    assert!(notice.content.ends_with("feeds the ducks: oats"));

    drop(bot.stdin.take());
    let ended = tokio::time::timeout(Duration::from_secs(60), bot.wait()).await;
    assert!(
        ended.expect("the bot ended in time").unwrap().success(),
        "the bot reported a failure"
    );
    discord.wait_disconnected().await;
    assert_eq!(discord.unread(), []);
    assert_eq!(discord.unknown_routes(), []);
    if let Some(contract) = contract {
        assert_eq!(contract.violations(), Vec::<String>::new());
    }
}

/// Starts the bot. It ends when this process ends, because its standard input then closes.
fn bot(discord: &Discord) -> Child {
    Command::new(tools::discordpy().join("python/bin/python"))
        .arg(tools::script("discordpy/bot.py"))
        .env("DISCORD_URL", discord.url())
        .env("DISCORD_TOKEN", discord.token())
        .env("DISCORD_GUILD", discord.guild_id().to_string())
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
