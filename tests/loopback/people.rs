//! Tests of the actions that Discord's client would not send.

use discord_loopback::SEND_MESSAGES;

use super::rules::Fixture;

#[tokio::test]
async fn a_command_is_not_shown_to_a_stranger() {
    let fixture = Fixture::new().await;
    let sam = fixture.discord.person("sam");
    assert!(sam.run_command("#data", "/ping").await.is_err());
    fixture.done();
}

#[tokio::test]
async fn a_message_has_some_text_a_channel_and_a_member_as_its_author() {
    let fixture = Fixture::new().await;
    let (ana, sam) = (fixture.ana(), fixture.discord.person("sam"));
    assert!(ana.write("#data", " ").is_err());
    assert!(ana.write("#data", &"x".repeat(2001)).is_err());
    assert!(ana.write("#nowhere", "hello").is_err());
    assert!(sam.write("#data", "hello").is_err());
    assert_eq!(fixture.discord.history("#data"), []);
    fixture.done();
}

#[tokio::test]
async fn a_member_who_may_not_write_in_a_channel_writes_nothing() {
    let fixture = Fixture::new().await;
    fixture.discord.deny_in("#data", SEND_MESSAGES);
    assert!(fixture.ana().write("#data", "hello").is_err());
    fixture.discord.deny_in("#data", 0);
    assert!(fixture.ana().write("#data", "hello").is_ok());
    fixture.done();
}
