//! Queries on the page: an attached file, and the menu of past queries.

use serde_json::json;
use tempfile::TempDir;
use test_support::{Browser, Sandbox, wait_until};

#[tokio::test]
async fn a_file_is_attached_and_its_query_is_edited_later() {
    let folder = TempDir::new().unwrap();
    let mut sandbox = Sandbox::start_in(&folder).await;
    let browser = Browser::start_local().await;
    browser.resize(1200, 800).await;
    browser.open(&sandbox.url).await;
    browser.wait_for_text("Simulate problems").await;
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

    browser.click("//*[@id='text']").await;
    browser.type_text("/duck history\n").await;
    browser.type_text("\n").await;
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
