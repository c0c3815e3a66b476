//! The way of a new person to the first answer, with its steps counted.

use test_support::Browser;

use super::{OpenSandbox, open_channel, run};

/// Steps that a person takes.
#[derive(Default)]
struct Steps {
    commands: u32,
    clicks: u32,
    pastes: u32,
}

impl Steps {
    async fn run(&mut self, browser: &Browser, command: &str) {
        self.commands += 1;
        browser.click("//*[@id='text']").await;
        browser.type_text(&format!("{command}\n")).await;
    }

    async fn press(&mut self, browser: &Browser, label: &str) {
        self.clicks += 1;
        browser.press_button(label).await;
    }

    /// Pastes a text into the first field of the open form, which has the focus.
    async fn paste(&mut self, browser: &Browser, text: &str) {
        self.pastes += 1;
        browser.wait_for_text("Access key ID").await;
        browser.type_text(text).await;
    }
}

#[tokio::test]
async fn the_first_answer_takes_as_many_steps_as_the_readme_says() {
    let OpenSandbox {
        browser, sandbox, ..
    } = &OpenSandbox::start().await;

    let mut steps = Steps::default();
    let question = "SELECT count(*) FROM lake.pond.sightings WHERE note = 'with ducklings'";
    steps
        .run(browser, &format!("/duck sql query:{question}"))
        .await;
    steps.paste(browser, sandbox.credentials_line()).await;
    browser.save_screenshot("first-question-1-form").await;
    steps.press(browser, "Submit").await;
    browser.wait_for_text("8055").await;
    browser.wait_for_text("were checked and saved.").await;
    browser.save_screenshot("first-question-2-answer").await;

    let Steps {
        commands,
        clicks,
        pastes,
    } = steps;
    let told = format!(
        "From an empty chat to the first answer: {commands} command, {clicks} click, {pastes} paste."
    );
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&told), "the README does not say: {told}");
}

#[tokio::test]
async fn a_direct_message_offers_no_command_and_the_answer_says_where_they_work() {
    let OpenSandbox { browser, .. } = &OpenSandbox::start().await;
    run(browser, "/duck setup").await;
    browser
        .wait_for_text("I've sent you a direct message")
        .await;
    open_channel(browser, "duckbot").await;
    browser.wait_for_text("Enter credentials").await;
    browser.click("//*[@id='text']").await;
    browser.type_text("/duck st").await;
    let is_hidden = "return document.querySelector('#picker').hidden";
    assert_eq!(browser.run_script(is_hidden).await, true);
    browser.type_text("art\n").await;
    browser
        .wait_for_text("My commands work only in the server")
        .await;
    browser.save_screenshot("direct-message").await;
}
