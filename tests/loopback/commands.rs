//! Tests of the registration of commands.

use super::raw::Raw;
use super::rules::{Fixture, refused};
use serde_json::json;

#[tokio::test]
async fn a_bad_command_is_refused_and_the_old_ones_stay() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let bad = json!([{ "name": "PING", "description": "x" }]);
    refused(&raw.register(bad).await, 400, 50035);
    fixture.ping().await;
    fixture.done();
}

#[tokio::test]
async fn one_command_is_created_and_then_overwritten() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let feed = |description: &str| json!({ "name": "feed", "description": description });
    let (status, created) = raw.create_command(feed("once")).await;
    assert_eq!(status, 201, "{created}");
    let (status, overwritten) = raw.create_command(feed("twice")).await;
    assert_eq!(status, 200, "{overwritten}");
    assert_eq!(created["id"], overwritten["id"]);
    let commands = fixture.discord.commands();
    assert_eq!((commands.len(), &commands[2]), (3, &overwritten));
    fixture.done();
}

#[tokio::test]
async fn a_bad_command_alone_is_refused_with_the_path_of_its_field() {
    let fixture = Fixture::new().await;
    let raw = Raw::new(&fixture.discord);
    let bad = json!({ "name": "Feed", "description": "x" });
    let answer = raw.create_command(bad).await;
    refused(&answer, 400, 50035);
    let mistakes = &answer.1["errors"]["name"]["_errors"];
    assert_eq!(mistakes[0]["code"], "APPLICATION_COMMAND_INVALID_NAME");
    fixture.done();
}
