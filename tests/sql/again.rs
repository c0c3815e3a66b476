//! The buttons under an answer: Run again, Edit and Open.

use std::time::Duration;

use test_support::{assert_says, lake, wait_until};

use super::{
    DUCKS, ENDLESS, LocalLakeEnv, RuntimeEnv, answer, everywhere, is_last, ready_session,
    run_command, stop_session,
};

everywhere!(an_answer_is_run_again_edited_and_opened);

async fn an_answer_is_run_again_edited_and_opened(mut env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    let id = ready_session(&env, &ana, "AKIAASKSAGAIN", "a-secret-of-one-who-repeats").await;
    let told = answer(&ana, &format!("{DUCKS} session:{id}")).await;
    let shared = ana.press(&told, "Share").await.unwrap().reply().await;
    assert_says(&shared, "Shared in this channel.");
    let public = ana.read("#data").await;
    assert!(public.components.is_empty(), "{:?}", public.components);
    let wrong = answer(&ana, "/duck sql query:SELECT gram FROM lake.zoo.ducks").await;

    let kept = async || {
        let told = answer(&ana, "/duck history").await;
        let options = told.menus.into_iter().flat_map(|menu| menu.options);
        options.collect::<Vec<_>>()
    };
    wait_until(kept, |kept| kept.len() == 2).await;

    env.restart_bot_with(&[]).await;
    let list = async || answer(&ana, "/duck list").await.content;
    wait_until(list, |list| list.contains(": running, ")).await;
    let pressed = ana.press(&shared, "Run again").await.unwrap();
    let again = pressed.until(is_last).await;
    assert_says(&again, "mallard │   1100");
    assert_ne!(again.id, told.id, "the first answer stays");
    let form = ana.press(&wrong, "Edit").await.unwrap().modal().await;
    let input = &form.inputs[0];
    assert_eq!(input.value, "SELECT gram FROM lake.zoo.ducks");
    let mended = input.value.replace("gram", "grams");
    let sent = ana.submit(&form, &[(&input.label, &mended)]).await.unwrap();
    assert_says(&sent.until(is_last).await, "1100");
    let opened = ana.press(&again, "Open").await.unwrap().reply().await;
    assert!(opened.ephemeral, "{}", opened.content);
    assert!(
        opened
            .components
            .iter()
            .flatten()
            .any(|it| it.url.is_some())
    );

    // The newest comes first.
    let past = wait_until(kept, |kept| kept.len() == 3).await;
    let starts = [
        ("SELECT grams FROM lake.zoo.ducks", "2 rows, "),
        ("FROM lake.zoo.ducks ORDER BY name", "2 rows, "),
        ("SELECT gram FROM lake.zoo.ducks", "Error, "),
    ];
    for (option, (query, outcome)) in past.iter().zip(starts) {
        assert_eq!(option.label, query);
        assert!(option.description.starts_with(outcome), "{option:?}");
    }
    assert!(!env.log().contains("FROM lake.zoo"), "the log has a query");
    while !env.discord().unread().is_empty() {
        // With the local runtime the session was restarted, which is announced.
        ana.read("#data").await;
    }
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_query_that_a_restart_interrupts_says_so_and_runs_again() {
    let mut env = LocalLakeEnv::start().await;
    let ana = env.discord().person("ana");
    let (key, secret) = ("AKIAISINTERRUPTED", "a-secret-of-one-who-is-interrupted");
    lake().s3.add_key(key, secret);
    env.store_credentials(&ana, key, secret).await;

    // The bot is told to end.
    let endless = format!("/duck sql query:{ENDLESS} catalog:lake");
    let asked = run_command(&ana, &endless).await;
    asked
        .until(|it| it.content.contains("Running, started"))
        .await;
    let ended = env.0.bot.terminate(Duration::from_secs(20)).await;
    assert!(
        ended.is_some_and(|status| status.success()),
        "{}",
        env.log()
    );
    let told = asked.until(is_last).await;
    assert_says(&told, "The bot was restarted while this query ran");
    env.restart_bot_with(&[]).await;
    let again = ana.press(&told, "Run again").await.unwrap();
    let shown = again
        .until(|it| it.content.contains("Running, started"))
        .await;

    // The bot is killed. Query runners end soon.
    let settings = [
        ("DUCKBOT_SQL__LINGER", "2s"),
        ("DUCKBOT_REAPER__EVERY", "1s"),
    ];
    env.restart_bot_with(&settings).await;
    let pressed = ana.press(&shown, "Cancel").await.unwrap();
    let told = pressed.reply().await;
    assert_says(&told, "This query is no longer running");
    let again = ana.press(&told, "Run again").await.unwrap();
    let shown = again
        .until(|it| it.content.contains("Running, started"))
        .await;
    ana.press(&shown, "Cancel").await.unwrap();
    again.until(|it| it.content.contains("Cancelled.")).await;
    wait_until(async || env.records().await, Vec::is_empty).await;
    env.assert_clean().await;
}
