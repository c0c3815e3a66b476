//! Tests of the loopback Discord with a bot on the real serenity client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bot::Bot;
use discord_loopback::{
    Access, BoxFuture, Discord, DiscordConfig, Interception, Interceptor, ResponseKind, RestCall,
    RestFault,
};
use serenity::Error;
use serenity::all::{ClientBuilder, GatewayError, GatewayIntents, HttpBuilder};
use test_support::Contract;

/// Loopback Discord whose exchanges are checked. Call `done` at the end of a test.
struct Fixture {
    discord: Discord,
    contract: Option<Arc<Contract>>,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(DiscordConfig::default()).await
    }

    async fn with(config: DiscordConfig) -> Self {
        let config = config
            .channel("data")
            .role("analyst")
            .person("ana", &["analyst"])
            .person("bo", &[])
            .stranger("sam")
            .wait_timeout(Duration::from_secs(60));
        let discord = Discord::start(config).await.unwrap();
        let contract = Contract::from_env();
        if let Some(contract) = &contract {
            discord.set_observer(contract.observer());
        }
        Self { discord, contract }
    }

    fn done(self, bot: &Bot) {
        let unread = self.discord.unread();
        assert!(unread.is_empty(), "{unread:?}");
        assert_eq!(self.discord.unknown_routes(), []);
        assert_eq!(*bot.unknown.lock().unwrap(), Vec::<String>::new());
        if let Some(contract) = self.contract {
            assert_eq!(contract.violations(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_command_is_deferred_edited_and_announced() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    let ana = fixture.discord.person("ana");

    let start = ana
        .run_command("#data", "/duck start size:small catalog:lake")
        .await
        .unwrap();
    assert_eq!(start.acknowledgement().await.kind, ResponseKind::Deferred);
    let first = start.reply().await;
    assert_eq!(
        (first.content.as_str(), first.ephemeral),
        ("Starting", true)
    );
    assert_eq!(start.next().await.content, "Still starting");
    let ready = start.until(|reply| reply.button("Stop it").is_some()).await;
    assert_eq!(ready.text(), "Ready\nSession\nSize\nsmall");

    let public = ana.read("#data").await;
    assert_eq!(public.mentions, [ana.id()]);
    assert_eq!(public.nonce.as_deref(), Some("n1"));
    assert_eq!(fixture.discord.history("#data").len(), 1);

    assert!(ana.press(&ready, "Later").await.is_err());
    assert!(ana.press(&ready, "Open").await.is_err());
    assert!(
        fixture
            .discord
            .person("bo")
            .press(&ready, "Stop it")
            .await
            .is_err()
    );
    let stop = ana.press(&ready, "Stop it").await.unwrap();
    let stopped = stop.reply().await;
    assert_eq!(
        (stopped.content.as_str(), stopped.id),
        ("Stopped", ready.id)
    );
    fixture.done(&bot);
}

#[tokio::test]
async fn a_modal_is_filled_in_and_answered_privately_and_by_dm() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    let ana = fixture.discord.person("ana");

    let modal = ana
        .run_command("#data", "/duck keys")
        .await
        .unwrap()
        .modal()
        .await;
    assert!(ana.submit(&modal, &[]).await.is_err());
    assert!(
        ana.submit(&modal, &[("Access key ID", "AK")])
            .await
            .is_err()
    );
    assert!(ana.submit(&modal, &[("Secret", "AKIA")]).await.is_err());
    let saved = ana
        .submit(&modal, &[("Access key ID", "AKIA1")])
        .await
        .unwrap();
    assert_eq!(saved.reply().await.content, "Saved 5 characters");
    assert_eq!(ana.read_dm().await.content, "Your keys are safe");
    assert!(!fixture.discord.transcript().contains("AKIA1"));
    fixture.done(&bot);
}

#[tokio::test]
async fn choices_are_offered() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    let ana = fixture.discord.person("ana");
    let choices = ana
        .complete("#data", "/duck start size:small catalog:la")
        .await
        .unwrap();
    assert_eq!(choices, [("lake".to_owned(), "lake".to_owned())]);
    fixture.done(&bot);
}

#[tokio::test]
async fn a_reply_is_followed_up() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    let ping = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck ping")
        .await
        .unwrap();
    assert_eq!(ping.reply().await.content, "pong");
    let more = ping.follow_up().await;
    assert_eq!(more.content, "and again");
    assert_eq!(more.files[0].name, "log.txt");
    assert!(fixture.discord.traffic().contains("quack"));
    fixture.done(&bot);
}

#[tokio::test]
async fn what_nobody_reads_is_listed() {
    let fixture = Fixture::new().await;
    let _bot = Bot::start(&fixture.discord).await;
    let ping = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck ping")
        .await
        .unwrap();
    ping.follow_up().await;
    let unread: Vec<String> = fixture
        .discord
        .unread()
        .into_iter()
        .map(|m| m.content)
        .collect();
    assert_eq!(unread, ["pong"]);
}

#[tokio::test]
async fn a_dm_is_heard_and_answered_in_the_dm() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    let ana = fixture.discord.person("ana");
    ana.write_dm("hello");
    assert_eq!(ana.read_dm().await.content, "\"hello\" in a DM");
    fixture.done(&bot);
}

#[tokio::test]
async fn a_message_is_heard_and_answered_in_its_channel() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    let ana = fixture.discord.person("ana");
    fixture.discord.set_access("#data", Access::Hidden);
    ana.write("#data", "unseen").unwrap();
    fixture.discord.set_access("#data", Access::Full);
    ana.write("#data", "hello").unwrap();
    assert_eq!(ana.read("#data").await.content, "\"hello\" in the guild");
    fixture.done(&bot);
}

#[tokio::test]
async fn an_unanswered_interaction_fails_in_time() {
    let soon = Duration::from_millis(200);
    let fixture = Fixture::with(DiscordConfig::default().first_response_timeout(soon)).await;
    let _bot = Bot::start(&fixture.discord).await;
    let sleep = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck sleep")
        .await
        .unwrap();
    assert_eq!(sleep.try_acknowledgement().await, None);
}

#[tokio::test]
async fn a_cut_gateway_is_resumed_and_nothing_is_lost() {
    let fixture = Fixture::new().await;
    let bot = Bot::start(&fixture.discord).await;
    fixture.discord.drop_gateway();
    let ping = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck ping")
        .await
        .unwrap();
    assert_eq!(ping.reply().await.content, "pong");
    ping.follow_up().await;
    assert!(fixture.discord.transcript().contains("has resumed"));
    fixture.done(&bot);
}

#[tokio::test]
async fn after_a_refused_resume_the_bot_identifies_again() {
    let fixture = Fixture::new().await;
    let _bot = Bot::start(&fixture.discord).await;
    fixture.discord.refuse_next_resume();
    fixture.discord.drop_gateway();
    fixture.discord.wait_connected().await;
    assert_eq!(
        fixture.discord.transcript().matches("is connected").count(),
        2
    );
}

#[tokio::test]
async fn a_second_bot_takes_over_from_one_that_stopped() {
    let fixture = Fixture::new().await;
    let first = Bot::start(&fixture.discord).await;
    first.stop().await;
    fixture.discord.wait_disconnected().await;
    let second = Bot::start(&fixture.discord).await;
    let ping = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck ping")
        .await
        .unwrap();
    assert_eq!(ping.reply().await.content, "pong");
    ping.follow_up().await;
    fixture.done(&second);
}

#[tokio::test]
async fn a_killed_bot_is_gone() {
    let fixture = Fixture::new().await;
    drop(Bot::start(&fixture.discord).await);
    fixture.discord.wait_disconnected().await;
}

#[tokio::test]
async fn an_interaction_is_delivered_twice_and_answered_once() {
    let fixture = Fixture::new().await;
    let _bot = Bot::start(&fixture.discord).await;
    fixture.discord.deliver_twice(1);
    let ping = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck ping")
        .await
        .unwrap();
    let route = "/interactions/{interaction}/{token}/callback";
    fixture.discord.wait_answered("POST", route, 2).await;
    ping.reply().await;
    let exchanges = fixture.discord.exchanges();
    let callbacks = exchanges.iter().filter(|exchange| exchange.route == route);
    let mut statuses: Vec<_> = callbacks.filter_map(|callback| callback.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400]);
}

#[tokio::test]
async fn a_fault_hits_the_call_that_it_names() {
    let fixture = Fixture::new().await;
    let _bot = Bot::start(&fixture.discord).await;
    let route = "/channels/{channel}/messages";
    fixture.discord.inject_fault(RestFault::respond(
        "POST",
        route,
        500,
        0,
        "Internal Server Error",
    ));
    let start = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck start size:small")
        .await
        .unwrap();
    start.until(|reply| reply.content == "Ready").await;
    fixture.discord.wait_answered("POST", route, 1).await;
    assert_eq!(fixture.discord.history("#data"), []);
}

/// Drops the response to the first call after it took effect.
#[derive(Default)]
struct DropFirst(Mutex<Vec<String>>);

impl Interceptor for DropFirst {
    fn before<'a>(&'a self, _: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async { Interception::Continue })
    }

    fn after<'a>(&'a self, call: &'a RestCall) -> BoxFuture<'a, Interception> {
        Box::pin(async {
            let mut seen = self.0.lock().unwrap();
            seen.push(call.route.clone());
            if seen.len() == 1 {
                Interception::Drop
            } else {
                Interception::Continue
            }
        })
    }
}

#[tokio::test]
async fn an_interceptor_drops_a_response_after_the_call_took_effect() {
    let fixture = Fixture::new().await;
    let _bot = Bot::start(&fixture.discord).await;
    fixture
        .discord
        .set_interceptor(Arc::new(DropFirst::default()));
    let ping = fixture
        .discord
        .person("ana")
        .run_command("#data", "/duck ping")
        .await
        .unwrap();
    assert_eq!(ping.reply().await.content, "pong");
    let lost = fixture
        .discord
        .exchanges()
        .into_iter()
        .filter(|one| one.status.is_none());
    assert_eq!(lost.count(), 1);
}

#[tokio::test]
#[should_panic(expected = "loopback Discord")]
async fn a_wait_without_end_shows_the_transcript() {
    let config = DiscordConfig::default().channel("data").person("ana", &[]);
    let discord = Discord::start(config.wait_timeout(Duration::from_millis(50)))
        .await
        .unwrap();
    discord.person("ana").read("#data").await;
}

#[tokio::test]
async fn a_wrong_token_is_turned_away_for_good() {
    let fixture = Fixture::new().await;
    let http = HttpBuilder::new("wrong")
        .proxy(fixture.discord.url())
        .ratelimiter_disabled(true);
    let client = ClientBuilder::new_with_http(http.build(), GatewayIntents::empty());
    let ended = client.await.unwrap().start().await;
    assert!(matches!(
        ended,
        Err(Error::Gateway(GatewayError::InvalidAuthentication))
    ));
}
