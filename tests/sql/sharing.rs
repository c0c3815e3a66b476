//! Sharing a result in a channel where its owner lacks a permission.

use discord_loopback::{ATTACH_FILES, SEND_MESSAGES};
use test_support::assert_says;

use super::{LocalLakeEnv, RuntimeEnv, answer, assert_parquet, ready_session, stop_session};

#[tokio::test]
async fn a_result_stays_private_where_its_owner_may_not_write() {
    let env = LocalLakeEnv::start().await;
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIASHARESNOT", "a-secret-of-one-who-shares").await;
    env.discord().deny_in("#data", SEND_MESSAGES);
    let told = answer(&ana, "/duck sql query:SELECT 41 + 1 AS n share:True").await;
    assert_says(&told, "42");
    assert_says(
        &told,
        "you don't have the permission **Send Messages** here",
    );
    let pressed = ana.press(&told, "Share").await.unwrap();
    let still = pressed.reply().await;
    assert_says(
        &still,
        "you don't have the permission **Send Messages** here",
    );
    assert!(told.ephemeral && env.discord().unread().is_empty());

    // The same button shares the result once the person may write.
    env.discord().deny_in("#data", 0);
    let pressed = ana.press(&still, "Share").await.unwrap();
    let shared = pressed.reply().await;
    assert_says(&shared, "Shared in this channel.");
    assert!(
        !shared.content.contains("Send Messages"),
        "{}",
        shared.content
    );
    assert_says(&ana.read("#data").await, "42");
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_file_stays_private_where_its_owner_may_not_attach_one() {
    let env = LocalLakeEnv::start().await;
    let ana = env.discord().person("ana");
    ready_session(
        &env,
        &ana,
        "AKIAATTACHESNOT",
        "a-secret-of-one-who-attaches",
    )
    .await;
    env.discord().deny_in("#data", ATTACH_FILES);
    let long = "/duck sql query:SELECT repeat('x', 300) AS long share:True";
    let told = answer(&ana, long).await;
    assert_says(&told, "you don't have the permission **Attach Files** here");
    assert_eq!(told.files.len(), 1);
    let pressed = ana.press(&told, "Share").await.unwrap();
    assert_says(&pressed.reply().await, "**Attach Files**");
    assert!(env.discord().unread().is_empty());

    // A file can be asked for.
    let wish = "/duck sql query:SELECT 41 + 1 AS n share:True format:";
    let told = answer(&ana, &format!("{wish}xlsx")).await;
    assert_says(
        &told,
        "Nothing ran, because `xlsx` is not a format of files here.",
    );
    env.discord().deny_in("#data", 0);
    assert_says(
        &answer(&ana, &format!("{wish}Parquet")).await,
        "Shared in this channel.",
    );
    let shared = ana.read("#data").await;
    assert_eq!(shared.files[0].name, "select-41-1-as-n.parquet");
    assert_parquet(&shared.files[0].content);
    env.discord().deny_in("#data", ATTACH_FILES);

    // A result without a file needs no such permission.
    let told = answer(&ana, "/duck sql query:SELECT 41 + 1 AS n share:True").await;
    assert_says(&told, "Shared in this channel.");
    assert_says(&ana.read("#data").await, "42");
    stop_session(&ana).await;
    env.assert_clean().await;
}
