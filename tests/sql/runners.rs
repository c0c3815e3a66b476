//! Queries of people who have no running session.

use test_support::{assert_says, lake, wait_until};

use super::{DUCKS, RuntimeEnv, answer, everywhere, run_command, start_session};
use crate::runtimes::stop_session;

everywhere!(
    queries_without_a_session_run_in_a_query_runner,
    credentials_that_are_deleted_end_the_query_runner,
);

async fn queries_without_a_session_run_in_a_query_runner(mut env: impl RuntimeEnv) {
    let (ana, secret) = (
        env.discord().person("ana"),
        "a-secret-of-one-without-a-session",
    );
    let told = answer(&ana, DUCKS).await;
    assert_says(
        &told,
        "You have no saved S3 credentials, and the catalog `lake` requires them.",
    );
    let key = format!("AKIARUNS{}", ana.id());
    lake().s3.add_key(&key, secret);
    env.store_credentials(&ana, &key, secret).await;
    let suggested = async || {
        ana.complete("#data", "/duck describe table:du")
            .await
            .unwrap()
    };
    assert_eq!(suggested().await, []);
    assert_eq!(
        env.records().await,
        [""; 0],
        "a suggestion must start nothing"
    );

    let told = answer(&ana, DUCKS).await;
    assert_says(&told, "mallard │   1100\nteal    │    330\n");
    assert_says(&told, ", from catalog `lake`.");
    let runner = env.records().await;
    assert!(
        matches!(&*runner, [name] if name.ends_with("-query-0")),
        "{runner:?}"
    );

    // The next queries run in the same one, also two at the same time.
    let both = [
        run_command(&ana, DUCKS).await,
        run_command(&ana, DUCKS).await,
    ];
    for asked in both {
        asked.until(|it| it.content.contains("mallard")).await;
    }
    let tables = answer(&ana, "/duck tables pattern:zoo.*").await;
    assert_says(&tables, "as seen with your credentials");
    assert_says(&tables, "zoo.ducks\n");
    let columns = answer(&ana, "/duck describe table:ducks").await;
    assert_says(&columns, "name   │ VARCHAR │ YES");
    assert_eq!(suggested().await[0].1, "zoo.ducks");
    assert_eq!(env.records().await, runner);
    assert_says(&answer(&ana, "/duck list").await, "You have no sessions.");
    assert!(env.discord().unread().is_empty(), "nothing may be posted");

    // A session starts beside it, and then runs the queries.
    let session = start_session(&ana).await;
    let told = answer(&ana, DUCKS).await;
    assert_says(&told, &format!("from session `{session}`"));
    stop_session(&ana).await;

    env.restart_bot_with(&[
        ("DUCKBOT_SQL__LINGER", "2s"),
        ("DUCKBOT_REAPER__EVERY", "1s"),
    ])
    .await;
    wait_until(async || env.records().await, Vec::is_empty).await;
    assert_says(&answer(&ana, DUCKS).await, "mallard");
    wait_until(async || env.records().await, Vec::is_empty).await;
    let ended = "the reaper stopped query runner ";
    wait_until(async || env.log(), |log| log.contains(ended)).await;
    assert!(env.log().contains(" started query runner "));
    assert!(env.discord().unread().is_empty(), "nothing may be posted");
    env.assert_clean().await;
}

async fn credentials_that_are_deleted_end_the_query_runner(env: impl RuntimeEnv) {
    let (ana, secret) = (
        env.discord().person("ana"),
        "a-secret-of-one-who-is-forgotten",
    );
    let key = format!("AKIAFORGETS{}", ana.id());
    lake().s3.add_key(&key, secret);
    env.store_credentials(&ana, &key, secret).await;
    assert_says(&answer(&ana, DUCKS).await, "mallard");
    let question = answer(&ana, "/duck forget").await;
    let pressed = ana.press(&question, "Delete").await.unwrap();
    pressed
        .until(|it| it.content.contains("were deleted"))
        .await;
    wait_until(async || env.records().await, Vec::is_empty).await;
    assert_says(
        &answer(&ana, DUCKS).await,
        "You have no saved S3 credentials, and the catalog `lake` requires them.",
    );
    env.assert_clean().await;
}
