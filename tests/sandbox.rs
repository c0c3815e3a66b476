//! Tests of `duckbot sandbox`, as used right after its installation.

mod queries;

use tempfile::TempDir;
use test_support::{Browser, Sandbox, WAIT_TIMEOUT, signal, tools};

/// Returns a script that sends SQL to DuckDB as its own pages do, and returns status and text.
fn duckdb_request(sql: &str) -> String {
    format!(
        r#"const answer = await fetch("/ddb/run", {{ method: "POST", body: `{sql}`,
            headers: {{ "X-DuckDB-UI-Connection-Name": "page" }} }});
        return answer.status + " " + await answer.text();"#
    )
}

async fn open_channel(browser: &Browser, name: &str) {
    browser
        .click(&format!("//nav[@id='channels']//a[contains(., '{name}')]"))
        .await;
}

async fn toggle_fault(browser: &Browser, label: &str) {
    browser
        .click(&format!("//button[@aria-label='{label}']"))
        .await;
}

#[tokio::test]
async fn ana_goes_from_her_credentials_to_a_query_and_ben_stays_outside() {
    let folder = TempDir::new().unwrap();
    let mut sandbox = Sandbox::start_in(&folder).await;
    let browser = Browser::start_local().await;
    browser.resize(1200, 800).await;
    browser.open(&sandbox.url).await;
    browser.wait_for_text("Simulate problems").await;
    browser.save_screenshot("sandbox-1-welcome").await;

    // Ana enters credentials, wrong ones first.
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck se").await;
    browser.wait_for_text("Enter your S3 credentials").await;
    browser.save_screenshot("sandbox-2-picker").await;
    browser.type_text("\n\n").await;
    browser
        .wait_for_text("I've sent you a direct message")
        .await;
    open_channel(&browser, "duckbot").await;
    browser.press_button("Enter credentials").await;
    browser.wait_for_text("Access key ID").await;
    let wrong = sandbox.credentials_line().replace("2026", "1926");
    browser.type_text(&wrong).await;
    browser.save_screenshot("sandbox-3-form").await;
    browser.press_button("Submit").await;
    browser
        .wait_for_text("doesn't belong to this access key ID")
        .await;
    browser.save_screenshot("sandbox-4-wrong-key").await;
    browser.press_button("Enter credentials").await;
    browser.wait_for_text("Access key ID").await;
    browser.type_text(sandbox.credentials_line()).await;
    browser.press_button("Submit").await;
    browser.wait_for_text("were checked and saved").await;

    // Ana starts a session.
    open_channel(&browser, "data").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck start\n").await;
    browser.type_text("\n").await;
    browser.wait_for_text("Your DuckDB is ready").await;
    browser.save_screenshot("sandbox-5-ready").await;

    // Ben can't open it.
    let ben = Browser::start_local().await;
    ben.open(&format!("{}?as=ben", sandbox.url)).await;
    ben.press_button("Open").await;
    ben.wait_for_text("can open that session").await;
    ben.save_screenshot("sandbox-6-ben").await;

    // Ana opens the session and runs a query.
    browser.press_button("Open").await;
    browser.wait_for_text("Open DuckDB").await;
    let link = "return [...document.querySelectorAll('a')].find((it) => \
                it.textContent.includes('Open DuckDB')).href";
    let link = browser.run_script(link).await.as_str().unwrap().to_owned();
    browser.open(&link).await;
    browser.wait_for_text("DuckDB").await;
    let ducklings = "SELECT 'ducklings: ' || count(*) FROM lake.pond.sightings \
                     WHERE note = 'with ducklings'";
    let mut answer = String::new();
    // The catalog is attached after the UI is up.
    while !answer.contains("ducklings: 8055") {
        answer = browser
            .run_script(&duckdb_request(ducklings))
            .await
            .as_str()
            .unwrap()
            .to_owned();
        assert!(answer.starts_with("200 "), "{answer}");
    }
    browser.save_screenshot("sandbox-7-duckdb").await;

    // Ana lists her sessions, and later stops one.
    browser.open(&sandbox.url).await;
    browser.wait_for_text("Simulate problems").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck list\n").await;
    browser.type_text("\n").await;
    browser.wait_for_text(": running, ").await;
    browser.wait_for_text("stops in").await;
    browser.save_screenshot("sandbox-8-list").await;
    // Ana runs a query in the chat, and shares the result.
    browser.click("//*[@id='text']").await;
    let question = "SELECT d.name, count(*) AS sightings, round(avg(birds), 2) AS flock, \
        max(seen_at)::DATE AS last FROM lake.pond.sightings s JOIN lake.pond.species d \
        ON d.id = s.species_id GROUP BY ALL ORDER BY sightings DESC LIMIT 5";
    browser
        .type_text(&format!("/duck sql query:{question}\n"))
        .await;
    browser.wait_for_text("5 rows in").await;
    browser.press_button("Share").await;
    browser.wait_for_text("Shared in this channel.").await;
    browser.save_screenshot("sandbox-8-sql").await;
    browser.click("//*[@id='text']").await;
    browser
        .type_text("/duck sql query:SELECT nam FROM lake.pond.species\n")
        .await;
    browser.wait_for_text("LINE 1").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck sql\n").await;
    browser.type_text("\n").await;
    browser.wait_for_text("Query the team's tables").await;
    browser
        .type_text("FROM lake.pond.sightings LIMIT 5000")
        .await;
    browser.save_screenshot("sandbox-8-sql-form").await;
    browser.press_button("Submit").await;
    browser
        .wait_for_text("The attached file has these rows in full.")
        .await;
    browser.save_screenshot("sandbox-8-sql-file").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck status\n").await;
    browser.type_text("\n").await;
    browser.wait_for_text("no running query").await;
    browser.press_button("Show log").await;
    browser
        .wait_for_text("The last log lines of DuckDB in session")
        .await;
    browser.wait_for_text(".log").await;
    browser.save_screenshot("sandbox-8-status").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck stop\n").await;
    browser.type_text("\n").await;
    browser.press_button("Stop it").await;
    browser.wait_for_text("is stopped").await;
    browser.save_screenshot("sandbox-9-stopped").await;

    // Ada, an admin, looks at the report.
    browser.open(&format!("{}?as=ada", sandbox.url)).await;
    browser.wait_for_text("Simulate problems").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck report\n").await;
    browser.type_text("\n").await;
    browser
        .wait_for_text("1 session: 0 active now, 1 ended.")
        .await;
    browser.save_screenshot("sandbox-10-report").await;

    signal("INT", sandbox.bot.pid()).await;
    let ended = sandbox
        .bot
        .wait(WAIT_TIMEOUT)
        .await
        .expect("the sandbox ended in time");
    assert_eq!(ended.code(), Some(0), "{}", sandbox.bot.log());
}

#[tokio::test]
async fn trouble_can_be_made_and_is_survived() {
    let folder = TempDir::new().unwrap();
    let sandbox = Sandbox::start_in(&folder).await;
    let browser = Browser::start_local().await;
    browser.resize(1300, 850).await;
    browser.open(&sandbox.url).await;
    browser.press_button("Simulate problems").await;
    browser.wait_for_text("Close my direct messages").await;
    browser.save_screenshot("sandbox-trouble").await;
    toggle_fault(&browser, "Close my direct messages").await;

    // With direct messages closed, the form opens in the channel.
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck setup\n").await;
    browser.type_text("\n").await;
    browser.press_button("Enter credentials").await;
    browser.wait_for_text("Access key ID").await;
    browser.type_text(sandbox.credentials_line()).await;
    browser.press_button("Submit").await;
    browser.wait_for_text("were checked and saved").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck start\n").await;
    browser.type_text("\n").await;
    browser.wait_for_text("Your DuckDB is ready").await;

    toggle_fault(&browser, "Kill my DuckDB").await;
    browser.wait_for_text("was restarted").await;
    toggle_fault(&browser, "Restart the bot").await;
    browser.wait_for_text("is restarting").await;
    browser.save_screenshot("sandbox-survived").await;
}

#[tokio::test]
async fn a_second_one_in_the_same_folder_is_told_so() {
    let folder = TempDir::new().unwrap();
    let _first = Sandbox::start_in(&folder).await;
    let second = Sandbox::command(&folder, &[]).output().await.unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        said.starts_with("duckbot: another duckbot uses the folder "),
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
    let why = "duckbot: can't create the folder /dev/null/sandbox: Not a directory";
    assert!(said.starts_with(why), "{said}");
}

#[tokio::test]
async fn a_duckdb_without_its_extensions_is_named_with_what_to_do() {
    let (folder, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let duckdb = tools::duckdb().join("duckdb");
    let mut command = Sandbox::command(&folder, &["--duckdb", duckdb.to_str().unwrap()]);
    let failed = command.env("HOME", home.path()).output().await.unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    for part in [
        "can't be used as DuckDB: it can't load its extensions: IO Error: Extension \"",
        "/ui.duckdb_extension\" not found",
        "or omit --duckdb to download DuckDB",
    ] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}
