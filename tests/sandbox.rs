//! Tests of `duckbot sandbox`, as used right after its installation.

mod first_question;
mod queries;
mod schedule;
mod start;

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use test_support::{
    Browser, FakeClock, Sandbox, WAIT_TIMEOUT, query_processes, signal, tools, wait_until,
};
use tokio::time::timeout;

/// Script that presses the page's restart button, even while a form is open.
const PRESS: &str = "await (await import('/server.js')).post('trouble', { id: 'restart' });";
/// Line in the terminal after each restart of the bot.
const RESTARTED: &str = "The bot was restarted.";

/// Returns a script that sends SQL to DuckDB as its own pages do, and returns status and text.
fn duckdb_request(sql: &str) -> String {
    format!(
        r#"const answer = await fetch("/ddb/run", {{ method: "POST", body: `{sql}`,
            headers: {{ "X-DuckDB-UI-Connection-Name": "page" }} }});
        return answer.status + " " + await answer.text();"#
    )
}

/// A sandbox in a folder of its own, and Ana's browser on its page.
struct OpenSandbox {
    browser: Browser,
    sandbox: Sandbox,
    folder: TempDir,
}

impl OpenSandbox {
    async fn start() -> Self {
        Self::start_with(HashMap::new()).await
    }

    async fn start_with(variables: HashMap<String, String>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = Sandbox::command(&folder, &[]);
        command.envs(variables);
        // A machine without the internet: nothing listens there, and this machine is reached without a proxy.
        command.env("HTTPS_PROXY", "http://127.0.0.1:9");
        // npm would need the internet.
        tools::editor();
        let sandbox = Sandbox::start(command).await;
        let browser = open_page(&sandbox, "ana").await;
        Self {
            browser,
            sandbox,
            folder,
        }
    }
}

/// Opens the page of the sandbox as this person.
async fn open_page(sandbox: &Sandbox, person: &str) -> Browser {
    let browser = Browser::start_local().await;
    browser.resize(1300, 850).await;
    show_page(&browser, sandbox, person).await;
    browser
}

async fn show_page(browser: &Browser, sandbox: &Sandbox, person: &str) {
    browser.open(&format!("{}?as={person}", sandbox.url)).await;
    browser.wait_for_text("Simulate problems").await;
}

/// Types a command into the message box and sends it.
async fn run(browser: &Browser, command: &str) {
    browser.click("//*[@id='text']").await;
    browser.type_text(command).await;
    // The panel of problems may cover the button.
    let send = "document.querySelector('#composer').requestSubmit()";
    browser.run_script(send).await;
}

/// Runs a command until the page shows `text`: its answer is the state of one moment.
async fn run_until(browser: &Browser, command: &str, text: &str) {
    let answered = async || {
        run(browser, command).await;
        let shown = browser.wait_for_text(text);
        timeout(Duration::from_secs(5), shown).await.is_ok()
    };
    wait_until(answered, |shown| *shown).await;
}

/// Types into the form that opens, in its first field, and submits it.
async fn fill_form(browser: &Browser, text: &str) {
    let focused = "return !!document.querySelector('#modal')?.contains(document.activeElement)";
    wait_until(async || browser.run_script(focused).await, |it| *it == true).await;
    browser.type_text(text).await;
    browser.press_button("Submit").await;
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

/// Script that returns the alternative texts of the pictures that are loaded.
const PICTURES: &str = "return [...document.querySelectorAll('img.picture')]
    .filter((it) => it.naturalWidth > 0).map((it) => it.alt);";

#[tokio::test]
async fn ana_goes_from_her_credentials_to_a_query_and_ben_stays_outside() {
    let clock = FakeClock::create();
    let OpenSandbox {
        browser,
        mut sandbox,
        folder,
    } = OpenSandbox::start_with(clock.variables()).await;
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
    let wrong = sandbox.credentials_line().replace("2026", "1926");
    fill_form(&browser, &wrong).await;
    browser
        .wait_for_text("doesn't belong to this access key ID")
        .await;
    browser.save_screenshot("sandbox-4-wrong-key").await;
    browser.press_button("Enter credentials").await;
    fill_form(&browser, sandbox.credentials_line()).await;
    browser.wait_for_text("were checked and saved").await;

    // Ana starts a session.
    open_channel(&browser, "data").await;
    run(&browser, "/duck start").await;
    browser.wait_for_text("Your DuckDB is ready").await;
    browser.save_screenshot("sandbox-5-ready").await;

    // Ben can't open it.
    let ben = open_page(&sandbox, "ben").await;
    ben.press_button("Open").await;
    ben.wait_for_text("can open session").await;
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
    // Without the internet, the page is the console. Its cells are CodeMirror's.
    let cell = "//*[@aria-label='Text of SQL cell 1'][contains(@class, 'cm-content')]";
    browser.click(cell).await;
    let notes =
        "SELECT note, count(*) AS sightings FROM lake.pond.sightings GROUP BY ALL ORDER BY 2";
    browser.type_text(notes).await;
    // Ctrl-Enter.
    browser.type_text("\u{E009}\n").await;
    browser.wait_for_text("with ducklings").await;
    browser.wait_for_text("8055").await;
    browser.save_screenshot("sandbox-7-console").await;
    browser.press_button("Chart").await;
    browser.click("//img[contains(@alt, 'sightings')]").await;
    browser.save_screenshot("sandbox-7-console-chart").await;
    // The notebook is saved by itself.
    browser
        .click("//*[@id='saved'][normalize-space()='saved']")
        .await;
    let nest = duckdb_request("CREATE TABLE nest AS SELECT 7 AS eggs");
    let answer = browser.run_script(&nest).await;
    assert!(answer.as_str().unwrap().starts_with("200 "), "{answer}");

    // Ana lists her sessions, and later stops one.
    show_page(&browser, &sandbox, "ana").await;
    run_until(&browser, "/duck list", ": running, ").await;
    browser.wait_for_text("stops in").await;
    browser.save_screenshot("sandbox-8-list").await;
    // Ana runs a query in the chat, and shares the result.
    let question = "SELECT d.name, count(*) AS sightings, round(avg(birds), 2) AS flock, \
        max(seen_at)::DATE AS last FROM lake.pond.sightings s JOIN lake.pond.species d \
        ON d.id = s.species_id GROUP BY ALL ORDER BY sightings DESC LIMIT 5";
    run(&browser, &format!("/duck sql query:{question}")).await;
    browser.wait_for_text("5 rows in").await;
    browser.save_screenshot("sandbox-8-sql").await;
    schedule::schedule_the_last_answer(&browser, &clock).await;
    // She draws it, chooses another chart, and shares that one.
    browser.press_button("Chart").await;
    let again = "The query ran again for this chart.";
    browser.wait_for_text(again).await;
    let shown = async || browser.run_script(PICTURES).await;
    let first = wait_until(shown, |it| it[0].is_string()).await;
    assert_eq!(
        first[0].as_str().unwrap().split(':').next(),
        Some("Bars of sightings by name")
    );
    browser.save_screenshot("sandbox-8-chart").await;
    browser.click("//summary[@data-key='duckbot:menu']").await;
    browser.save_screenshot("sandbox-8-chart-menu").await;
    browser
        .click("//button[contains(., 'Scatter: flock by sightings')]")
        .await;
    let is_scatter = |it: &Value| {
        let other = it[1].as_str();
        other.is_some_and(|it| it.starts_with("Scatter chart"))
    };
    wait_until(shown, is_scatter).await;
    browser.save_screenshot("sandbox-8-chart-changed").await;
    browser.press_button("Share").await;
    browser.wait_for_text("Shared in this channel.").await;
    let is_shared = |it: &Value| it[2].is_string() && it[2] == it[1];
    wait_until(shown, is_shared).await;
    browser.save_screenshot("sandbox-8-chart-shared").await;
    let wrong = "/duck sql query:SELECT nam FROM lake.pond.species";
    run(&browser, wrong).await;
    browser.wait_for_text("LINE 1").await;
    run(&browser, "/duck sql").await;
    fill_form(&browser, "FROM lake.pond.sightings LIMIT 5000").await;
    browser.wait_for_text("5,000 rows in").await;
    browser.save_screenshot("sandbox-8-sql-file").await;
    browser.press_button("Download Parquet").await;
    browser
        .wait_for_text("The query ran again for this file.")
        .await;
    let read = "return (async () => {
            const links = [...document.querySelectorAll('a.download')];
            const link = links.find((it) => it.download.endsWith('.parquet'));
            return link && (await (await fetch(link.href)).text()).slice(0, 4);
        })();";
    let read = async || browser.run_script(read).await;
    wait_until(read, |begin| *begin == "PAR1").await;
    browser.save_screenshot("sandbox-8-sql-parquet").await;
    run_until(&browser, "/duck status", "no running query").await;
    browser.press_button("Show log").await;
    browser
        .wait_for_text("The last log lines of DuckDB in session")
        .await;
    browser.wait_for_text(".log").await;
    browser.save_screenshot("sandbox-8-status").await;
    run(&browser, "/duck doctor").await;
    browser.wait_for_text("Saved work: ").await;
    browser.save_screenshot("sandbox-8-doctor").await;
    run(&browser, "/duck stop").await;
    browser.press_button("Stop it").await;
    browser
        .wait_for_text("Your work is saved (1 notebook, 1 table,")
        .await;
    browser.save_screenshot("sandbox-9-stopped").await;

    // Ada, an admin, looks at the report.
    show_page(&browser, &sandbox, "ada").await;
    let ended = "1 session: 0 active now, 1 ended.";
    run_until(&browser, "/duck report", ended).await;
    let has_picture = |it: &Value| {
        let mut texts = it.as_array().unwrap().iter();
        texts.any(|it| it.as_str().unwrap().starts_with("Sessions from "))
    };
    wait_until(async || browser.run_script(PICTURES).await, has_picture).await;
    browser
        .run_script("[...document.querySelectorAll('img.picture')].at(-1).scrollIntoView()")
        .await;
    browser.save_screenshot("sandbox-10-report").await;

    signal("INT", sandbox.bot.pid()).await;
    let ended = sandbox
        .bot
        .wait(WAIT_TIMEOUT)
        .await
        .expect("the sandbox ended in time");
    let log = sandbox.bot.log();
    assert_eq!(ended.code(), Some(0), "{log}");
    for noise in ["audit", "ERROR"] {
        assert!(!log.contains(noise), "the terminal has {noise}:\n{log}");
    }

    // The next start of the sandbox still has her table.
    let sandbox = Sandbox::start_in(&folder).await;
    show_page(&browser, &sandbox, "ana").await;
    run(&browser, "/duck start").await;
    fill_form(&browser, sandbox.credentials_line()).await;
    browser.wait_for_text("is here: 1 notebook, 1 table.").await;
}

#[tokio::test]
async fn trouble_can_be_made_and_is_survived() {
    let OpenSandbox {
        browser, sandbox, ..
    } = &OpenSandbox::start().await;
    browser.press_button("Simulate problems").await;
    browser.wait_for_text("Close my direct messages").await;
    browser.save_screenshot("sandbox-trouble").await;
    toggle_fault(browser, "Close my direct messages").await;

    // With direct messages closed, the form opens in the channel.
    run(browser, "/duck setup").await;
    browser.press_button("Enter credentials").await;
    fill_form(browser, sandbox.credentials_line()).await;
    browser.wait_for_text("were checked and saved").await;
    run(browser, "/duck start").await;
    browser.wait_for_text("Your DuckDB is ready").await;

    toggle_fault(browser, "Kill my DuckDB").await;
    browser.wait_for_text("was restarted").await;
    toggle_fault(browser, "Restart the bot").await;
    let told = "The bot was restarted, and your DuckDB with it.";
    browser.wait_for_text(told).await;
    browser.save_screenshot("sandbox-survived").await;
}

/// Restarts the bot ten times in a row with the page's button.
async fn restart_ten_times(sandbox: &mut Sandbox, browser: &Browser) {
    for _ in 0..10 {
        let before = sandbox.bot.log().matches(RESTARTED).count();
        browser.run_script(PRESS).await;
        sandbox.bot.wait_for_log_times(RESTARTED, before + 1).await;
    }
}

#[tokio::test]
async fn the_bot_restarts_in_every_state_ten_times_in_a_row() {
    let OpenSandbox {
        browser,
        mut sandbox,
        folder,
    } = OpenSandbox::start().await;

    // Nothing runs.
    restart_ten_times(&mut sandbox, &browser).await;
    // The button is pressed again and again, without waiting.
    browser.run_script(&PRESS.repeat(10)).await;
    restart_ten_times(&mut sandbox, &browser).await;

    // A form is open. The bot after the restarts receives it.
    browser.press_button("Simulate problems").await;
    toggle_fault(&browser, "Close my direct messages").await;
    browser.click("//*[@id='hide-trouble']").await;
    run(&browser, "/duck setup").await;
    browser.press_button("Enter credentials").await;
    browser.wait_for_text("Access key ID").await;
    restart_ten_times(&mut sandbox, &browser).await;
    fill_form(&browser, sandbox.credentials_line()).await;
    browser.wait_for_text("were checked and saved").await;

    // A start is in progress. The bot after the restarts completes it.
    run(&browser, "/duck start").await;
    let records = async || {
        let listed = std::fs::read_dir(folder.path().join("team/records"));
        let names = listed
            .into_iter()
            .flatten()
            .map(|it| it.unwrap().file_name());
        // A record that is being written has another name first.
        names
            .filter(|name| !name.to_str().unwrap().ends_with(".new"))
            .collect::<Vec<_>>()
    };
    let session = wait_until(&records, |records| !records.is_empty()).await;
    restart_ten_times(&mut sandbox, &browser).await;
    browser.wait_for_text("Your DuckDB is ready").await;

    // A session runs, and is the same after each restart.
    restart_ten_times(&mut sandbox, &browser).await;
    assert_eq!(records().await, session);

    // A query runs. It ends with the bot.
    let long = "SELECT sum(a.range) FROM range(1000000) a, range(1000000) b";
    // Until the session has started again, queries are refused.
    let refusal = "You have no running session for queries.";
    for refused in 0.. {
        run(&browser, &format!("/duck sql query:{long}")).await;
        let answered = |page: &String| {
            page.contains("Running, started") || page.matches(refusal).count() > refused
        };
        let page = wait_until(async || browser.page().await, answered).await;
        if page.contains("Running, started") {
            break;
        }
    }
    restart_ten_times(&mut sandbox, &browser).await;
    let home = folder.path().to_str().unwrap();
    let left = async || {
        let all = query_processes().into_iter();
        all.filter(|(_, text)| text.contains(home)).count()
    };
    wait_until(left, |left| *left == 0).await;

    signal("INT", sandbox.bot.pid()).await;
    let ended = sandbox.bot.wait(WAIT_TIMEOUT).await;
    let ended = ended.expect("the sandbox ended in time");
    assert_eq!(ended.code(), Some(0), "{}", sandbox.bot.log());
}

#[tokio::test]
async fn the_bot_restarts_while_discord_is_down() {
    let OpenSandbox {
        browser,
        mut sandbox,
        folder: _folder,
    } = OpenSandbox::start().await;
    browser.press_button("Simulate problems").await;
    toggle_fault(&browser, "Discord is down").await;
    toggle_fault(&browser, "Restart the bot").await;
    sandbox.bot.wait_for_log(RESTARTED).await;
    let failed = "Discord can't be reached: ";
    sandbox.bot.wait_for_log(failed).await;
    toggle_fault(&browser, "Discord is down").await;
    run_until(&browser, "/duck stop", "You have no session to stop.").await;
    let log = sandbox.bot.log();
    assert_eq!(
        log.matches(failed).count(),
        1,
        "told again and again:\n{log}"
    );
}
