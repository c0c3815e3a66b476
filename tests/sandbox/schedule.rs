//! A schedule, from the result of a query to its post in the channel.

use test_support::Browser;

/// Puts the query of the last answer on a schedule, and has it run at once.
pub(super) async fn schedule_the_last_answer(browser: &Browser) {
    browser.press_button("Schedule…").await;
    browser.wait_for_text("Run a query on a schedule").await;
    browser.click("//*[@id='field-1']").await;
    browser.type_text("every weekday at 9:00").await;
    browser.save_screenshot("schedule-1-form").await;
    browser.press_button("Submit").await;
    browser.wait_for_text("Your query is scheduled.").await;
    browser.save_screenshot("schedule-2-made").await;
    browser.press_button("Run now").await;
    browser.wait_for_text("Scheduled query of ").await;
    browser
        .wait_for_text("They can stop it with /duck schedules")
        .await;
    browser.save_screenshot("schedule-3-posted").await;
}
