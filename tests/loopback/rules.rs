//! Tests of each of Discord's refusals in the loopback.

use std::sync::Arc;
use std::time::Duration;

use super::raw::{Answer, Raw};
use discord_loopback::{Access, Discord, DiscordConfig, Interaction, Person, RestFault};
use serde_json::{Value, json};
use test_support::Contract;

pub struct Fixture {
    pub discord: Discord,
    contract: Option<Arc<Contract>>,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(DiscordConfig::default()).await
    }

    async fn with(config: DiscordConfig) -> Self {
        let config = config.channel("data").person("ana", &[]).person("bo", &[]);
        let discord = Discord::start(config.stranger("sam")).await.unwrap();
        let contract = Contract::from_env();
        if let Some(contract) = &contract {
            discord.set_observer(contract.observer());
        }
        Raw::new(&discord).register_two().await;
        Self { discord, contract }
    }

    pub fn ana(&self) -> Person {
        self.discord.person("ana")
    }

    pub async fn ping(&self) -> Interaction {
        self.ana().run_command("#data", "/ping").await.unwrap()
    }

    pub fn done(&self) {
        if let Some(contract) = &self.contract {
            assert_eq!(contract.violations(), Vec::<String>::new());
        }
    }
}

pub fn refused(answer: &Answer, status: u16, code: u32) {
    assert_eq!(
        (answer.0, &answer.1["code"]),
        (status, &json!(code)),
        "{}",
        answer.1
    );
}

fn message(content: &str) -> Value {
    json!({ "type": 4, "data": { "content": content } })
}

fn modal() -> Value {
    let input = json!({ "type": 4, "style": 1, "custom_id": "k", "label": "Key" });
    let rows = json!([{ "type": 1, "components": [input] }]);
    json!({ "type": 9, "data": { "custom_id": "m", "title": "Keys", "components": rows } })
}

#[tokio::test]
async fn a_wrong_token_is_unauthorized() {
    let fixture = Fixture::new().await;
    refused(
        &Raw::forged(&fixture.discord).get("/users/@me").await,
        401,
        0,
    );
    fixture.done();
}

#[tokio::test]
async fn the_bot_the_guild_and_its_members_can_be_looked_up() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let guild = format!("/guilds/{}", fixture.discord.guild_id());
    let data = format!("/channels/{}", fixture.discord.channel("data"));
    let ana = format!("{guild}/members/{}", fixture.ana().id());
    for path in [
        "/gateway/bot",
        "/users/@me",
        "/applications/@me",
        &guild,
        &data,
        &ana,
    ] {
        assert_eq!(raw.get(path).await.0, 200, "{path}");
    }
    let sam = fixture.discord.person("sam").id();
    refused(
        &raw.get(&format!("{guild}/members/{sam}")).await,
        404,
        10007,
    );
    refused(&raw.get("/channels/1").await, 404, 10003);
    fixture.done();
}

#[tokio::test]
async fn an_unserved_route_is_not_found_and_listed() {
    let fixture = Fixture::new().await;
    refused(
        &Raw::new(&fixture.discord).get("/voice/regions").await,
        404,
        0,
    );
    assert_eq!(fixture.discord.unknown_routes()[0].path, "/voice/regions");
}

#[tokio::test]
async fn an_interaction_is_acknowledged_once() {
    let fixture = Fixture::new().await;
    let (raw, ping) = (Raw::new(&fixture.discord), fixture.ping().await);
    assert_eq!(raw.answer(&ping, message("pong")).await.0, 204);
    refused(&raw.answer(&ping, message("pong")).await, 400, 40060);
    fixture.done();
}

#[tokio::test]
async fn a_late_answer_finds_no_interaction() {
    let fixture =
        Fixture::with(DiscordConfig::default().first_response_timeout(Duration::ZERO)).await;
    let (raw, ping) = (Raw::new(&fixture.discord), fixture.ping().await);
    refused(&raw.answer(&ping, message("pong")).await, 404, 10062);
    assert_eq!(ping.try_acknowledgement().await, None);
    fixture.done();
}

#[tokio::test]
async fn a_token_dies() {
    let fixture = Fixture::new().await;
    let (raw, ping) = (Raw::new(&fixture.discord), fixture.ping().await);
    refused(&raw.get(&raw.original(&ping)).await, 404, 10015);
    raw.answer(&ping, message("pong")).await;
    assert_eq!(raw.get(&raw.original(&ping)).await.0, 200);
    ping.expire_token();
    refused(&raw.get(&raw.original(&ping)).await, 401, 50027);
    let id = ping.reply().await.id;
    let path = format!("{}/{id}", raw.messages("data"));
    assert_eq!(
        raw.patch(&path, json!({ "content": "by the bot token" }))
            .await
            .0,
        200
    );
    fixture.done();
}

#[tokio::test]
async fn a_modal_comes_first_and_never_after_a_modal() {
    let fixture = Fixture::new().await;
    let (raw, ping) = (Raw::new(&fixture.discord), fixture.ping().await);
    assert_eq!(raw.answer(&ping, modal()).await.0, 204);
    let shown = ping.modal().await;
    let sent = fixture.ana().submit(&shown, &[("Key", "x")]).await.unwrap();
    refused(&raw.answer(&sent, modal()).await, 400, 50035);
    refused(&raw.answer(&sent, json!({ "type": 6 })).await, 400, 50035);
    assert_eq!(raw.answer(&sent, json!({ "type": 5 })).await.0, 204);

    let mut long = modal();
    long["data"]["title"] = "x".repeat(46).into();
    refused(&raw.answer(&fixture.ping().await, long).await, 400, 50035);
    fixture.done();
}

#[tokio::test]
async fn a_defer_decides_who_sees_the_reply() {
    let fixture = Fixture::new().await;
    let (raw, ping) = (Raw::new(&fixture.discord), fixture.ping().await);
    raw.answer(&ping, json!({ "type": 5, "data": { "flags": 64 } }))
        .await;
    assert!(fixture.discord.unread()[0].thinking);
    let (_, shown) = raw
        .post(&raw.hook(&ping), json!({ "content": "public?" }))
        .await;
    let reply = ping.reply().await;
    assert!(reply.ephemeral && !reply.thinking);
    assert_eq!(shown["id"], reply.id.to_string());

    assert_eq!(fixture.discord.history("#data"), []);
    assert_eq!(fixture.ana().visible_messages("#data").len(), 1);
    assert_eq!(fixture.discord.person("bo").visible_messages("#data"), []);
    let path = format!("{}/{}", raw.messages("data"), reply.id);
    refused(&raw.get(&path).await, 404, 10008);
    refused(
        &raw.patch(&path, json!({ "content": "x" })).await,
        404,
        10008,
    );
    fixture.done();
}

#[tokio::test]
async fn autocomplete_takes_only_choices_and_nothing_else_takes_them() {
    let fixture = Fixture::new().await;
    let choices = json!({ "type": 8, "data": { "choices": [] } });
    let raw = Raw::new(&fixture.discord);
    refused(
        &raw.answer(&fixture.ping().await, choices).await,
        400,
        50035,
    );
    let offered = fixture.ana().complete("#data", "/find what:x").await;
    assert!(offered.is_err(), "no bot is connected");
    fixture.done();
}

#[tokio::test]
async fn bad_messages_are_refused_wherever_they_are_sent() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let ping = fixture.ping().await;
    refused(&raw.answer(&ping, message("")).await, 400, 50006);
    refused(
        &raw.answer(&ping, message(&"x".repeat(2001))).await,
        400,
        50035,
    );
    assert_eq!(raw.answer(&ping, message("pong")).await.0, 204);

    let button = json!({ "type": 2, "style": 1, "label": "x", "custom_id": "same" });
    let twice = json!([{ "type": 1, "components": [button, button] }]);
    let twice = json!({ "content": "x", "components": twice });
    refused(
        &raw.patch(&raw.original(&ping), twice.clone()).await,
        400,
        50035,
    );
    refused(&raw.post(&raw.hook(&ping), twice.clone()).await, 400, 50035);
    refused(&raw.post(&raw.messages("data"), twice).await, 400, 50035);
    refused(
        &raw.patch(&raw.original(&ping), json!({ "content": "" }))
            .await,
        400,
        50006,
    );
    assert_eq!(ping.reply().await.content, "pong");
    fixture.done();
}

#[tokio::test]
async fn an_enforced_nonce_posts_once() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let path = raw.messages("data");
    let body = |text| json!({ "content": text, "nonce": "n", "enforce_nonce": true });
    let (_, first) = raw.post(&path, body("one")).await;
    let (_, second) = raw.post(&path, body("two")).await;
    assert_eq!(first["id"], second["id"]);
    raw.post(&path, json!({ "content": "three", "nonce": "n" }))
        .await;
    assert_eq!(fixture.discord.history("#data").len(), 2);
    fixture.done();
}

#[tokio::test]
async fn an_edit_pings_nobody_and_a_post_only_whom_it_may() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let (ana, bo) = (fixture.ana(), fixture.discord.person("bo"));
    let text = format!("{} and {}", ana.mention(), bo.mention());
    let allowed = json!({ "parse": [], "users": [bo.id().to_string()] });
    let body = json!({ "content": text, "allowed_mentions": allowed });
    raw.post(&raw.messages("data"), body).await;
    let posted = ana.read("#data").await;
    assert_eq!(posted.mentions, [bo.id()]);

    let path = format!("{}/{}", raw.messages("data"), posted.id);
    raw.patch(&path, json!({ "content": ana.mention() })).await;
    let edited = fixture
        .discord
        .wait_edited(posted.id, |message| message.edited)
        .await;
    assert!(edited.mentions.is_empty());
    assert_eq!(raw.delete(&path).await.0, 204);
    refused(&raw.get(&path).await, 404, 10008);
    fixture.done();
}

#[tokio::test]
async fn a_dm_may_be_refused_but_its_channel_opens() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    for (name, code) in [("ana", 50007), ("sam", 50278)] {
        let person = fixture.discord.person(name);
        let to = json!({ "recipient_id": person.id().to_string() });
        let (status, channel) = raw.post("/users/@me/channels", to).await;
        assert_eq!(status, 200);
        person.close_dms();
        let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
        refused(
            &raw.post(&path, json!({ "content": "psst" })).await,
            403,
            code,
        );
        if name == "ana" {
            person.open_dms();
            assert_eq!(raw.post(&path, json!({ "content": "psst" })).await.0, 200);
            assert_eq!(person.read_dm().await.content, "psst");
        }
    }
    fixture.done();
}

#[tokio::test]
async fn a_button_in_a_dm_is_pressed_by_a_user_who_is_no_member() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let to = json!({ "recipient_id": fixture.ana().id().to_string() });
    let (_, channel) = raw.post("/users/@me/channels", to).await;
    let button = json!({ "type": 2, "style": 1, "label": "Keep", "custom_id": "keep" });
    let rows = json!([{ "type": 1, "components": [button] }]);
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    raw.post(
        &path,
        json!({ "content": "Still there?", "components": rows }),
    )
    .await;

    let asked = fixture.ana().read_dm().await;
    assert!(
        fixture
            .discord
            .person("bo")
            .press(&asked, "Keep")
            .await
            .is_err()
    );
    let keep = fixture.ana().press(&asked, "Keep").await.unwrap();
    assert_eq!(raw.answer(&keep, json!({ "type": 6 })).await.0, 204);
    raw.patch(
        &raw.original(&keep),
        json!({ "content": "Kept", "components": [] }),
    )
    .await;
    assert_eq!(keep.reply().await.content, "Kept");
    assert!(fixture.ana().press(&asked, "Keep").await.is_err());
    assert!(
        fixture
            .ana()
            .press_custom_id(asked.id, "keep")
            .await
            .is_ok()
    );
    fixture.done();
}

#[tokio::test]
async fn a_channel_out_of_reach_is_refused() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let hello = json!({ "content": "hello" });
    fixture.discord.set_access("data", Access::Hidden);
    refused(
        &raw.post(&raw.messages("data"), hello.clone()).await,
        403,
        50001,
    );
    fixture.discord.set_access("data", Access::ReadOnly);
    refused(
        &raw.post(&raw.messages("data"), hello.clone()).await,
        403,
        50013,
    );
    refused(&raw.post("/channels/1/messages", hello).await, 404, 10003);
    fixture.done();
}

#[tokio::test]
async fn a_rate_limit_comes_when_told() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    fixture.discord.inject_fault(RestFault::rate_limited(
        "GET",
        "*",
        Duration::from_millis(250),
    ));
    let limited = raw.get("/users/@me").await;
    refused(&limited, 429, 0);
    assert_eq!(limited.1["retry_after"], 0.25);
    assert_eq!(raw.get("/users/@me").await.0, 200);
    fixture.done();
}

#[tokio::test]
async fn the_contract_sees_what_the_loopback_lets_pass() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let body = json!({ "content": "x", "embeds": [{ "title": "x", "color": -1 }] });
    assert_eq!(raw.post(&raw.messages("data"), body).await.0, 200);
    if let Some(contract) = &fixture.contract {
        let violations = contract.violations();
        assert!(
            violations.iter().any(|one| one.contains("request")),
            "{violations:?}"
        );
    }
}

#[tokio::test]
async fn an_outage_cuts_every_connection() {
    let fixture = Fixture::new().await;
    let gateway = format!("{}/api/v10/gateway", fixture.discord.url());
    assert!(reqwest::get(&gateway).await.is_ok());
    fixture.discord.set_offline(true);
    assert!(reqwest::get(&gateway).await.is_err());
    fixture.discord.set_offline(false);
    assert!(reqwest::get(&gateway).await.is_ok());
}
