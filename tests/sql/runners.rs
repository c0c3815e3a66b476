//! Queries of people who have no running session.

use discord_loopback::{MessageView, Person};
use test_support::{assert_says, lake, wait_until};

use super::{
    DUCKS, ENDLESS, RuntimeEnv, answer, assert_parquet, everywhere, is_last, run_command,
    start_session,
};
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
    let key = format!("AKIARUNS{}", ana.id());
    lake().s3.add_key(&key, secret);
    // Credentials are entered first. Then the query runs as it was asked, also after a restart.
    let form = run_command(&ana, DUCKS).await.modal().await;
    wait_until(
        async || answer(&ana, "/duck history").await.menus.len(),
        |count| *count == 1,
    )
    .await;
    env.restart_bot_with(&[]).await;
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

    let typed = [("Access key ID", &*key), ("Secret access key", secret)];
    let sent = ana.submit(&form, &typed).await.unwrap();
    let told = sent.until(is_last).await;
    assert_says(&told, "mallard │   1100\nteal    │    330\n");
    assert_says(&told, ", from catalog `lake`.");
    assert_says(&told, "were checked and saved.");
    let shared = ana.press(&told, "Share").await.unwrap();
    assert_says(&shared.reply().await, "Shared in this channel.");
    let shared = ana.read("#data").await;
    assert!(!shared.content.contains("saved"), "{}", shared.content);
    assert!(
        !env.log().contains("ORDER BY name"),
        "the log has the query"
    );
    let runner = env.records().await;
    assert!(
        matches!(&*runner, [name] if name.ends_with("-query-0")),
        "{runner:?}"
    );

    // The query also runs on a schedule, in the same runner, and its result is for the channel.
    let form = ana.press(&told, "Schedule…").await.unwrap().modal().await;
    let typed = [("When", "every weekday at 9:00"), ("Show as", "chart")];
    let made = ana.submit(&form, &typed).await.unwrap().reply().await;
    assert_says(&made, "**Your query is scheduled.**");
    let asked = ana.press(&made, "Run now").await.unwrap().reply().await;
    assert_says(&asked, "**It runs now.**");
    let post = ana.read("#data").await;
    let lead = format!(
        "**Scheduled query** of {}, `every weekday at 9:00` (UTC).",
        ana.mention()
    );
    assert_says(&post, &lead);
    assert!(has_picture(&post) && post.mentions.is_empty(), "{post:?}");
    let list = async || answer(&ana, "/duck schedules").await;
    let list = wait_until(list, |it| it.content.contains("posted")).await;
    assert_says(&list, "every weekday at 9:00");
    let asked = ana.press(&made, "Delete").await.unwrap().reply().await;
    ana.press(&asked, "Delete").await.unwrap().reply().await;
    assert_says(
        &answer(&ana, "/duck schedules").await,
        "You have no schedules.",
    );

    // The result comes as a file in the same way.
    let answered = || env.log().matches(": answered, 2 rows").count();
    let before = answered();
    let pressed = ana.press(&told, "Download CSV").await.unwrap();
    let csv = pressed.until(|it| !it.files.is_empty()).await;
    assert_says(
        &csv,
        "The query ran again for this file. The file has all rows in full.",
    );
    assert_eq!(csv.files[0].name, "from-lake-zoo-ducks-order-by-name.csv");
    assert_eq!(
        csv.files[0].text(),
        "name,grams\r\nmallard,1100\r\nteal,330\r\n"
    );
    assert!(csv.button("Download CSV").is_none());
    let pressed = ana.press(&csv, "Download Parquet").await.unwrap();
    let parquet = pressed.until(|it| !it.files.is_empty()).await;
    assert_eq!(
        parquet.files[0].name,
        "from-lake-zoo-ducks-order-by-name.parquet"
    );
    assert_parquet(&parquet.files[0].content);
    wait_until(async || answered(), |count| *count == before + 2).await;

    // So does a chart, and another one of the same rows.
    let pressed = ana.press(&parquet, "Chart").await.unwrap();
    let drawn = pressed.until(has_picture).await;
    assert_says(&drawn, "The query ran again for this chart.");
    let alt = "Bars of grams by name: mallard 1,100, teal 330.";
    assert_eq!(drawn.files[0].description.as_deref(), Some(alt));
    let chosen = ana.choose(&drawn, "Number: grams").await.unwrap();
    let other = chosen.until(has_picture).await;
    let alt = "grams: 1,100, +770 (+233.3 %) compared with 330 in the next row.";
    assert_eq!(other.files[0].description.as_deref(), Some(alt));
    let pressed = ana.press(&other, "Share").await.unwrap();
    let told = pressed.reply().await;
    assert_says(&told, "Shared in this channel.");
    assert_eq!((&told.files, &told.menus), (&other.files, &other.menus));
    let shared = ana.read("#data").await;
    assert_says(&shared, "mallard");
    assert_eq!(shared.files, other.files);

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
    // The menu of a chart from before the restart works, and so does the option.
    let chosen = ana.choose(&drawn, "Number: grams").await.unwrap();
    assert_says(&chosen.until(has_picture).await, "mallard");
    let line = format!("{DUCKS} chart:scatter");
    let refused = run_command(&ana, &line).await;
    let refused = refused
        .until(|it| it.content.contains("There is no chart"))
        .await;
    let why = "There is no chart, because a scatter chart needs two columns with numbers.";
    assert_says(&refused, why);
    assert_says(&refused, "mallard");
    wait_until(async || env.records().await, Vec::is_empty).await;
    let ended = "the reaper stopped query runner ";
    wait_until(async || env.log(), |log| log.contains(ended)).await;
    assert!(env.log().contains(" started query runner "));
    assert!(env.discord().unread().is_empty(), "nothing may be posted");
    env.assert_clean().await;
}

fn has_picture(message: &MessageView) -> bool {
    let is_png =
        |content: &[u8]| content.starts_with(b"\x89PNG") && content.ends_with(b"IEND\xaeB`\x82");
    message
        .files
        .first()
        .is_some_and(|file| file.name == "chart.png" && is_png(&file.content))
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
    let running = run_command(&ana, &format!("/duck sql query:{ENDLESS}")).await;
    running.until(|it| it.button("Cancel").is_some()).await;
    forget(&ana).await;
    let ended = running.until(|it| it.button("Cancel").is_none()).await;
    assert_says(
        &ended,
        "The query has no result, because its DuckDB was stopped.",
    );
    wait_until(async || env.records().await, Vec::is_empty).await;
    // The form goes on with the list of tables, and with a query in a form only a button can.
    lake().s3.add_key(&key, secret);
    let typed = [("Access key ID", &*key), ("Secret access key", secret)];
    let form = run_command(&ana, "/duck tables pattern:zoo.*").await;
    let wrong = [
        ("Access key ID", &*key),
        ("Secret access key", "a-wrong-secret-of-nobody"),
    ];
    let sent = ana.submit(&form.modal().await, &wrong).await.unwrap();
    let refused = sent.until(is_last).await;
    let pressed = ana.press(&refused, "Enter credentials").await.unwrap();
    let sent = ana.submit(&pressed.modal().await, &typed).await.unwrap();
    assert_says(&sent.until(is_done).await, "zoo.ducks\n");
    forget(&ana).await;
    let form = run_command(&ana, "/duck sql").await.modal().await;
    let query = [("One statement that reads", "FROM zoo.ducks\nORDER BY name")];
    let sent = ana.submit(&form, &query).await.unwrap();
    let refused = sent.until(is_last).await;
    assert_says(&refused, "Enter them, and the query runs.");
    let pressed = ana.press(&refused, "Enter credentials").await.unwrap();
    let sent = ana.submit(&pressed.modal().await, &typed).await.unwrap();
    assert_says(&sent.until(is_last).await, "mallard");
    forget(&ana).await;
    wait_until(async || env.records().await, Vec::is_empty).await;
    env.assert_clean().await;
}

/// Deletes the person's credentials.
async fn forget(person: &Person) {
    let question = answer(person, "/duck forget").await;
    let pressed = person.press(&question, "Delete").await.unwrap();
    pressed
        .until(|it| it.content.contains("were deleted"))
        .await;
}

fn is_done(reply: &MessageView) -> bool {
    is_last(reply) && !reply.content.contains("No session of yours is running")
}
