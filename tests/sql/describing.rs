//! Tests of `/duck describe`.

use test_support::assert_says;

use super::{RuntimeEnv, answer, everywhere, ready_session, run_command, stop_session};

everywhere!(a_table_is_shown_with_its_size_some_rows_and_statistics);

async fn a_table_is_shown_with_its_size_some_rows_and_statistics(env: impl RuntimeEnv) {
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIADESCRIBES", "a-secret-of-one-who-looks").await;
    let line = "/duck describe table:zoo.ducks";
    let asked = run_command(&ana, line).await;
    let shown = asked.until(|it| it.content.contains("Some of them")).await;
    assert_says(&shown, "`lake.zoo.ducks`, ");
    assert_says(
        &shown,
        "\n- `grams`: `weight of the bird`\n2 rows. Some of them:\n```\n",
    );
    assert_says(&shown, "mallard");
    let pressed = ana.press(&shown, "Statistics").await.unwrap();
    let statistics = pressed.reply().await;
    assert_says(&statistics, "Statistics of `lake.zoo.ducks`.");
    assert_says(&statistics, "null %");
    assert_says(&statistics, "mallard");
    assert_says(
        &answer(&ana, "/duck describe table:zoo.dukcs").await,
        "Did you mean `zoo.ducks`?",
    );
    stop_session(&ana).await;
    env.assert_clean().await;
}
