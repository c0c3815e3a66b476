//! Tests of `/duck list` and `/duck help`.

use test_support::{TestEnv, assert_says};

#[tokio::test]
async fn everyone_sees_their_own_and_can_ask_for_all() {
    let env = TestEnv::start().await;
    let id = env.ready_session(&env.ana).await;

    let mine = env.reply_to(&env.ana, "/duck list").await;
    assert!(mine.ephemeral && mine.content.starts_with("Your session:"));
    let record = &env.cluster.documents().await[0];
    let created: chrono::DateTime<chrono::Utc> =
        record["created"].as_str().unwrap().parse().unwrap();
    let line = format!(
        "- `{id}` of <@{}>: running, small, `lake`, started <t:{}:R>, activity unknown \
         (the session does not respond), stops <t:{}:R> (end of its lifetime), \
         <https://duckui-{id}.duck.example.com/>",
        env.ana.id(),
        created.timestamp(),
        (created + chrono::TimeDelta::hours(12)).timestamp(),
    );
    assert_says(&mine, &line);

    let none = env.reply_to(&env.ben, "/duck list").await;
    assert!(none.content.starts_with("You have no sessions."));
    let all = env.reply_to(&env.ben, "/duck list all:true").await;
    assert!(all.ephemeral && all.content.contains(&line));
    env.assert_clean().await;
}

#[tokio::test]
async fn a_queued_session_is_listed_as_such() {
    let env = TestEnv::start().await;
    env.cluster.store_credentials(env.ana.id()).await;
    let (asked, id) = env.start_session(&env.ana, "").await;
    let list = env.reply_to(&env.ana, "/duck list").await;
    assert!(list.content.contains(&format!("`{id}` of")) && list.content.contains(": queued,"));
    env.kubelet.mark_ready(&id).await;
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    env.ana.read("#data").await;
    env.assert_clean().await;
}

#[tokio::test]
async fn help_begins_with_the_first_steps_and_has_what_this_person_may_use() {
    let env = TestEnv::start().await;
    let help = env.reply_to(&env.ana, "/duck help").await;
    assert!(help.ephemeral);
    assert_says(
        &help,
        "in three steps:\n1. `/duck start` starts your session.",
    );
    for name in ["setup", "start", "stop", "list", "sql", "help"] {
        assert_says(&help, &format!("\n- `/duck {name}"));
    }
    assert!(!help.content.contains("/duck reap"), "{}", help.content);
    let help = env.reply_to(&env.ada, "/duck help").await;
    for name in ["reap", "report"] {
        assert_says(&help, &format!("\n- `/duck {name}"));
    }
    env.assert_clean().await;
}
