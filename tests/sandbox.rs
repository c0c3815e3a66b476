//! `duckbot sandbox`, as a person uses it who has just installed it.

use tempfile::TempDir;

use crate::support::{Browser, SOON, Sandbox, signal};

/// Asks DuckDB as its own pages do; the answer's status and text.
fn asks(sql: &str) -> String {
    format!(
        r#"const answer = await fetch("/ddb/run", {{ method: "POST", body: `{sql}`,
            headers: {{ "X-DuckDB-UI-Connection-Name": "page" }} }});
        return answer.status + " " + await answer.text();"#
    )
}

async fn goes_to_channel(browser: &Browser, name: &str) {
    browser
        .clicks(&format!("//nav[@id='channels']//a[contains(., '{name}')]"))
        .await;
}

async fn makes_trouble(browser: &Browser, label: &str) {
    browser
        .clicks(&format!("//button[@aria-label='{label}']"))
        .await;
}

#[tokio::test]
async fn ana_tries_it_from_her_keys_to_a_query_and_ben_stays_outside() {
    let folder = TempDir::new().unwrap();
    let mut sandbox = Sandbox::start_in(&folder).await;
    let browser = Browser::at_home().await;
    browser.is_sized(1200, 800).await;
    browser.goes_to(&sandbox.url).await;
    browser.reads("Make trouble").await;
    browser.is_pictured("sandbox-1-welcome").await;

    // Her keys: wrong ones first.
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck se").await;
    browser.reads("Hand in your S3 credentials").await;
    browser.is_pictured("sandbox-2-picker").await;
    browser.types("\n\n").await;
    browser.reads("I've sent you a direct message").await;
    goes_to_channel(&browser, "duckbot").await;
    browser.presses("Enter credentials").await;
    browser.reads("Access key ID").await;
    let wrong = sandbox.credentials_line().replace("2026", "1926");
    browser.types(&wrong).await;
    browser.is_pictured("sandbox-3-form").await;
    browser.presses("Submit").await;
    browser.reads("doesn't belong to this access key ID").await;
    browser.is_pictured("sandbox-4-wrong-key").await;
    browser.presses("Enter credentials").await;
    browser.reads("Access key ID").await;
    browser.types(sandbox.credentials_line()).await;
    browser.presses("Submit").await;
    browser.reads("It works.").await;

    // Her session.
    goes_to_channel(&browser, "data").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck start\n").await;
    browser.types("\n").await;
    browser.reads("Your DuckDB is ready").await;
    browser.is_pictured("sandbox-5-ready").await;

    // Ben can't open it.
    let ben = Browser::at_home().await;
    ben.goes_to(&format!("{}?as=ben", sandbox.url)).await;
    ben.presses("Open").await;
    ben.reads("can open that session").await;
    ben.is_pictured("sandbox-6-ben").await;

    // She opens it, and asks.
    browser.presses("Open").await;
    browser.reads("Open DuckDB").await;
    let link = "return [...document.querySelectorAll('a')].find((it) => \
                it.textContent.includes('Open DuckDB')).href";
    let link = browser.runs(link).await.as_str().unwrap().to_owned();
    browser.goes_to(&link).await;
    browser.reads("DuckDB").await;
    let ducklings = "SELECT 'ducklings: ' || count(*) FROM lake.pond.sightings \
                     WHERE note = 'with ducklings'";
    let mut answer = String::new();
    // The catalog is attached while the UI is up already.
    while !answer.contains("ducklings: 8055") {
        answer = browser
            .runs(&asks(ducklings))
            .await
            .as_str()
            .unwrap()
            .to_owned();
        assert!(answer.starts_with("200 "), "{answer}");
    }
    browser.is_pictured("sandbox-7-duckdb").await;

    // What runs, and its end.
    browser.goes_to(&sandbox.url).await;
    browser.reads("Make trouble").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck list\n").await;
    browser.types("\n").await;
    browser.reads("running").await;
    browser.reads("will be stopped").await;
    browser.is_pictured("sandbox-8-list").await;
    // A question from the chat, which she then shows to everybody.
    browser.clicks("//*[@id='text']").await;
    let question = "SELECT d.name, count(*) AS sightings, round(avg(birds), 2) AS flock, \
        max(seen_at)::DATE AS last FROM lake.pond.sightings s JOIN lake.pond.species d \
        ON d.id = s.species_id GROUP BY ALL ORDER BY sightings DESC LIMIT 5";
    browser
        .types(&format!("/duck sql query:{question}\n"))
        .await;
    browser.reads("5 rows in").await;
    browser.presses("Share").await;
    browser.reads("Shared in this channel.").await;
    browser.is_pictured("sandbox-8-sql").await;
    browser.clicks("//*[@id='text']").await;
    browser
        .types("/duck sql query:SELECT nam FROM lake.pond.species\n")
        .await;
    browser.reads("LINE 1").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck sql\n").await;
    browser.types("\n").await;
    browser.reads("Ask the team's tables").await;
    browser.types("FROM lake.pond.sightings LIMIT 5000").await;
    browser.is_pictured("sandbox-8-sql-form").await;
    browser.presses("Submit").await;
    browser.reads("The file has them all.").await;
    browser.is_pictured("sandbox-8-sql-file").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck status\n").await;
    browser.types("\n").await;
    browser.reads("no query runs").await;
    browser.presses("Show its log").await;
    browser.reads("The last lines that DuckDB in session").await;
    browser.reads(".log").await;
    browser.is_pictured("sandbox-8-status").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck stop\n").await;
    browser.types("\n").await;
    browser.presses("Stop it").await;
    browser.reads("is stopped").await;
    browser.is_pictured("sandbox-9-stopped").await;

    // What there was, for Ada, who is an admin.
    browser.goes_to(&format!("{}?as=ada", sandbox.url)).await;
    browser.reads("Make trouble").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck report\n").await;
    browser.types("\n").await;
    browser
        .reads("1 session, of which none is there now and 1 has ended.")
        .await;
    browser.is_pictured("sandbox-10-report").await;

    signal("INT", sandbox.bot.pid()).await;
    let ended = sandbox.bot.ends(SOON).await.expect("it ends");
    assert_eq!(ended.code(), Some(0), "{}", sandbox.bot.log());
}

#[tokio::test]
async fn trouble_can_be_made_and_is_survived() {
    let folder = TempDir::new().unwrap();
    let sandbox = Sandbox::start_in(&folder).await;
    let browser = Browser::at_home().await;
    browser.is_sized(1300, 850).await;
    browser.goes_to(&sandbox.url).await;
    browser.presses("Make trouble").await;
    browser.reads("Close my direct messages").await;
    browser.is_pictured("sandbox-trouble").await;
    makes_trouble(&browser, "Close my direct messages").await;

    // With closed messages the form comes in the channel.
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck setup\n").await;
    browser.types("\n").await;
    browser.presses("Enter credentials").await;
    browser.reads("Access key ID").await;
    browser.types(sandbox.credentials_line()).await;
    browser.presses("Submit").await;
    browser.reads("It works.").await;
    browser.clicks("//*[@id='text']").await;
    browser.types("/duck start\n").await;
    browser.types("\n").await;
    browser.reads("Your DuckDB is ready").await;

    makes_trouble(&browser, "Kill my DuckDB").await;
    browser.reads("started again").await;
    makes_trouble(&browser, "Restart the bot").await;
    browser.reads("starts again").await;
    browser.is_pictured("sandbox-survived").await;
}

#[tokio::test]
async fn a_second_one_in_the_same_folder_is_told_so() {
    let folder = TempDir::new().unwrap();
    let _first = Sandbox::start_in(&folder).await;
    let second = Sandbox::command(&folder, &[]).output().await.unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        said.starts_with("duckbot: another duckbot works in "),
        "{said}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (argument, advice) in [
        ("--port", "choose another with --port"),
        ("--sessions-port", "local.port"),
    ] {
        let mut command = Sandbox::command(&folder, &[argument, &port]);
        let failed = command.output().await.unwrap();
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(1), "{said}");
        assert!(said.contains(&port) && said.contains(advice), "{said}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let failed = Sandbox::command_in("/dev/null/sandbox", &[]).output();
    let failed = failed.await.unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    let why = "duckbot: the folder /dev/null/sandbox can't be made: Not a directory";
    assert!(said.starts_with(why), "{said}");
}
