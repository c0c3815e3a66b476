//! Queries run as a person types or attaches them.

use test_support::assert_says;

use super::{LocalLakeEnv, RuntimeEnv, answer, ready_session, run_command, stop_session};

/// Query that Discord's one-line option would shorten to its first line.
const WITH_COMMENT: &str = "SELECT 41 AS n -- without the last";

#[tokio::test]
async fn a_comment_that_lost_its_line_break_opens_the_form() {
    let env = LocalLakeEnv::start().await;
    let ana = env.discord().person("ana");
    ready_session(&env, &ana, "AKIACOMMENTS", "a-secret-of-one-who-comments").await;
    let line = format!("/duck sql query:{WITH_COMMENT} , 1 AS m share:True");
    let form = run_command(&ana, &line).await.modal().await;
    assert_eq!(form.title, "Discord removed your query's line breaks");
    let input = &form.inputs[0];
    assert_eq!(input.value, format!("{WITH_COMMENT} , 1 AS m"));
    let mended = format!("{WITH_COMMENT}\n, 1 AS m");
    let typed = [(&*input.label, &*mended)];
    let sent = ana.submit(&form, &typed).await.unwrap();
    sent.until(|it| it.content.contains("Shared in this channel."))
        .await;
    assert_says(
        &ana.read("#data").await,
        "n │ INTEGER │ 41\nm │ INTEGER │ 1",
    );

    // A comment that was meant as such.
    let line = format!("/duck sql query:{WITH_COMMENT}");
    let form = run_command(&ana, &line).await.modal().await;
    let told = ana.submit(&form, &[]).await.unwrap();
    told.until(|it| it.content.contains("     41\n")).await;
    // No comments.
    for query in ["SELECT '-- a', 42 AS n", "SELECT /* -- a */ 42 AS n"] {
        assert_says(
            &answer(&ana, &format!("/duck sql query:{query}")).await,
            "42",
        );
    }
    // A form can't hold it.
    let long = format!("SELECT 42 -- {}", "x".repeat(4000));
    assert_says(
        &answer(&ana, &format!("/duck sql query:{long}")).await,
        "The query is too long for a form. Attach it as a file with the option `file`",
    );
    stop_session(&ana).await;
    env.assert_clean().await;
}

#[tokio::test]
async fn a_long_query_is_attached_as_a_file() {
    let env = LocalLakeEnv::start().await;
    let ana = env.discord().person("ana");
    ready_session(
        &env,
        &ana,
        "AKIAATTACHES",
        "a-secret-of-one-who-writes-files",
    )
    .await;
    let attach = async |name: &str, content: &[u8]| {
        let file = ana.upload(name, content);
        answer(&ana, &format!("/duck sql file:{file}")).await
    };
    let long = format!(
        "\u{feff}-- {}\r\nSELECT 'é',\r\n  42 AS n",
        "x".repeat(60_000)
    );
    assert_says(&attach("long.sql", long.as_bytes()).await, "42");

    assert_says(
        &attach("duck.png", b"\x89PNG\r\n\x1a\n").await,
        "`duck.png` is not plain text in UTF-8",
    );
    let huge = vec![b' '; (64 << 10) + 1];
    assert_says(
        &attach("huge.sql", &huge).await,
        "`huge.sql` has 65 KiB, and a file with a query has at most 64 KiB",
    );
    assert_says(&attach("empty.sql", b"").await, "The query is empty.");
    let file = ana.upload("a.sql", b"SELECT 42");
    assert_says(
        &answer(&ana, &format!("/duck sql file:{file} query:SELECT 1")).await,
        "has both `query` and `file`",
    );
    stop_session(&ana).await;
    env.assert_clean().await;
}
