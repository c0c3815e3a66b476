//! Queries on the page: an attached file, and the menu of past queries.

use serde_json::json;
use test_support::wait_until;

use super::{OpenSandbox, run};

#[tokio::test]
async fn a_file_is_attached_and_its_query_is_edited_later() {
    let OpenSandbox {
        browser,
        mut sandbox,
        folder: _folder,
    } = OpenSandbox::start().await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck sql ").await;
    browser.type_text("file:").await;
    let sql = format!("SELECT {}'a canary'", "1, ".repeat(200));
    let choose = format!(
        "const files = new DataTransfer();
        files.items.add(new File([{}], 'long.sql'));
        document.querySelector('#composer input[type=file]').files = files.files;",
        json!(sql)
    );
    browser.run_script(&choose).await;
    browser.save_screenshot("queries-1-file").await;
    browser.click("//*[@id='send']").await;
    browser.wait_for_text("/duck sql file:long.sql").await;
    browser
        .wait_for_text("You have no saved S3 credentials")
        .await;
    browser.press_button("Edit").await;
    let typed = "return document.querySelector('#modal textarea')?.value ?? '';";
    let typed = async || browser.run_script(typed).await;
    wait_until(typed, |text| *text == sql).await;
    browser.press_button("Cancel").await;

    run(&browser, "/duck history").await;
    browser
        .wait_for_text("Choose one of your past queries")
        .await;
    browser.click("//summary[@data-key='duckbot:menu']").await;
    browser.save_screenshot("queries-2-menu").await;
    browser.click("//button[contains(@class, 'option')]").await;
    browser.wait_for_text("Did not run, ").await;
    browser.save_screenshot("queries-3-chosen").await;
    let log = sandbox.bot.end().await;
    assert!(!log.contains("a canary"), "the log has a query");
}
