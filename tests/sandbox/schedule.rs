//! A schedule, from the result of a query to its post in the channel.

use chrono::{TimeDelta, Utc};
use test_support::{Browser, FakeClock};

/// Puts the query of the last answer on a schedule, and moves the clock until it is due.
pub(super) async fn schedule_the_last_answer(browser: &Browser, clock: &FakeClock) {
    browser.press_button("Schedule…").await;
    browser.wait_for_text("Run a query on a schedule").await;
    browser.click("//*[@id='field-1']").await;
    // Soon, because the storage refuses requests whose time differs by a quarter of an hour.
    let soon = Utc::now() + TimeDelta::minutes(3);
    let when = soon.format("every day at %H:%M").to_string();
    browser.type_text(&when).await;
    browser.save_screenshot("schedule-1-form").await;
    browser.press_button("Submit").await;
    browser.wait_for_text("Your query is scheduled.").await;
    browser.save_screenshot("schedule-2-made").await;
    clock.set(TimeDelta::minutes(5));
    browser.wait_for_text("Scheduled query of ").await;
    browser
        .wait_for_text("They can stop it with /duck schedules")
        .await;
    browser.save_screenshot("schedule-3-posted").await;
    clock.set(TimeDelta::zero());
}
