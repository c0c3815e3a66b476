//! Tests of the page in Chromium, with a bot on the real serenity client.

use std::net::SocketAddr;

use discord_loopback::{Discord, DiscordConfig};
use test_support::{Browser, wait_until};

use super::bot::Bot;

/// Text that is wider than a phone and than the page.
const WIDE: &str = "| a column | another column | yet another | and so on | and on | to the end |";

async fn start_discord(listen: SocketAddr) -> Discord {
    let config = DiscordConfig::default()
        .channel("data")
        .channel("random")
        .person("ana", &[])
        .person("ben", &[])
        .listen(listen);
    Discord::start(config).await.unwrap()
}

struct Fixture {
    discord: Discord,
    _bot: Bot,
    browser: Browser,
}

impl Fixture {
    async fn start() -> Self {
        let discord = start_discord(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let bot = Bot::start(&discord).await;
        let fixture = Self {
            browser: Browser::start_local().await,
            discord,
            _bot: bot,
        };
        fixture.open(&fixture.browser).await;
        fixture
    }

    async fn open(&self, browser: &Browser) {
        browser.open(&self.discord.url()).await;
        // The commands are loaded, too.
        browser.wait_for_text("/duck say").await;
    }

    /// Waits for the bot's next public message.
    async fn answer(&self) -> String {
        let answer = self.discord.person("ana").clone();
        answer.read("#data").await.content
    }
}

async fn focus(browser: &Browser) {
    browser.click("//*[@id='text']").await;
}

/// Pastes a text into the focused field.
async fn paste(browser: &Browser, text: &str) {
    let text = serde_json::to_string(text).unwrap();
    let script = format!(
        "const clipboard = new DataTransfer();
         clipboard.setData('text', {text});
         const props = {{ clipboardData: clipboard, bubbles: true, cancelable: true }};
         const event = new ClipboardEvent('paste', props);
         if (document.activeElement.dispatchEvent(event)) document.execCommand('insertText', false, {text});"
    );
    browser.run_script(&script).await;
}

/// Content of the message box: the command, its options and the text.
async fn written(browser: &Browser) -> String {
    let script = "return [...document.querySelectorAll('#line > :not([hidden])')].map((node) => \
        (node.value ?? node.innerText) + (node.querySelector('input')?.value ?? '')).join('|')";
    let written = browser.run_script(script).await;
    written
        .as_str()
        .expect("the page has a message box")
        .to_owned()
}

#[tokio::test]
async fn what_is_typed_after_the_last_option_arrives_unchanged() {
    let fixture = Fixture::start().await;
    let browser = &fixture.browser;
    for text in [
        "SELECT TIME '10:30' AS t",
        "SELECT a:=1, b := 2",
        "SELECT   'two   spaces'   FROM t",
        "text:text:x",
        "SELECT size:1, colour:2",
        "SELECT day::DATE FROM 's3://lake/x'",
    ] {
        focus(browser).await;
        browser.type_text(&format!("/duck say text:{text}\n")).await;
        assert_eq!(fixture.answer().await, format!("text={text}"));
    }
    // What is typed while a command is being sent stays.
    let hold = "const send = window.fetch;
        window.fetch = async (...all) => {
          window.fetch = send;
          await new Promise((go) => { window.release = go; });
          return send(...all);
        };";
    browser.run_script(hold).await;
    focus(browser).await;
    browser.type_text("/duck say text:first\n").await;
    browser.type_text("next").await;
    assert_eq!(written(browser).await, "next");
    browser.run_script("window.release()").await;
    assert_eq!(fixture.answer().await, "text=first");
    assert_eq!(written(browser).await, "next");
}

#[tokio::test]
async fn options_are_told_by_their_names_wherever_they_are_typed() {
    let fixture = Fixture::start().await;
    let browser = &fixture.browser;
    for (line, answer) in [
        // The next option, from within the text of the one before.
        (
            "/duck say text:one  two loud:True\n",
            "text=one  two & loud",
        ),
        // The option whose field is there already.
        ("/duck show table:lake.pond\n", "table=lake.pond"),
        ("/duck show table:table:x\n", "table=table:x"),
        ("/duck show lake.pond\n", "table=lake.pond"),
    ] {
        focus(browser).await;
        browser.type_text(line).await;
        assert_eq!(fixture.answer().await, answer, "{line}");
    }
}

#[tokio::test]
async fn a_pasted_line_is_split_as_a_typed_one_and_its_line_breaks_become_spaces() {
    let fixture = Fixture::start().await;
    let browser = &fixture.browser;
    for (start, pasted, answer) in [
        (
            "",
            "/duck say loud:True text:SELECT 1\nFROM a:b",
            "loud & text=SELECT 1 FROM a:b",
        ),
        (
            "/duck say text:",
            "SELECT 1\r\nFROM  t",
            "text=SELECT 1 FROM  t",
        ),
        ("/duck say ", "text:x  y loud:True", "text=x  y & loud"),
        ("", "/duck show table:table:x", "table=table:x"),
    ] {
        focus(browser).await;
        if !start.is_empty() {
            browser.type_text(start).await;
        }
        paste(browser, pasted).await;
        browser.type_text("\n").await;
        assert_eq!(fixture.answer().await, answer, "{start}{pasted}");
    }
}

#[tokio::test]
async fn text_that_belongs_to_no_option_is_explained() {
    let fixture = Fixture::start().await;
    focus(&fixture.browser).await;
    fixture.browser.type_text("/duck say SELECT 1\n").await;
    let says = "“SELECT 1” belongs to no option. Put it into one of these: text, loud.";
    fixture.browser.wait_for_text(says).await;
}

#[tokio::test]
async fn a_draft_stays_in_its_channel() {
    let fixture = Fixture::start().await;
    let browser = &fixture.browser;
    let go = async |name: &str| {
        let link = format!("//nav[@id='channels']//a[contains(., '{name}')]");
        browser.click(&link).await;
        browser.wait_for_text(&format!("Welcome to #{name}!")).await;
    };
    focus(browser).await;
    browser.type_text("/duck say text:SELECT  1 loud:Tr").await;
    let command = "/duck say|textSELECT  1|loudTr|";
    assert_eq!(written(browser).await, command);
    go("random").await;
    assert_eq!(written(browser).await, "");
    focus(browser).await;
    browser.type_text("hello").await;
    go("data").await;
    assert_eq!(written(browser).await, command);
    go("random").await;
    assert_eq!(written(browser).await, "hello");
}

#[tokio::test]
async fn a_form_opens_only_in_the_tab_that_asked_for_it() {
    let fixture = Fixture::start().await;
    let (tab, other) = (&fixture.browser, Browser::start_local().await);
    fixture.open(&other).await;
    focus(tab).await;
    tab.type_text("/duck keys\n\n").await;
    tab.wait_for_text("Access key ID").await;
    // The other tab has the state of after that.
    fixture
        .discord
        .person("ana")
        .write("#data", "later")
        .unwrap();
    other.wait_for_text("later").await;
    assert!(!other.page().await.contains("Access key ID"));
    // Both can have one, and each sends its own.
    focus(&other).await;
    other.type_text("/duck keys\n\n").await;
    other.wait_for_text("Access key ID").await;
    for (browser, typed) in [(tab, "quack"), (&other, "quackquack")] {
        browser.type_text(typed).await;
        browser.press_button("Submit").await;
        let said = format!("Saved {} characters", typed.len());
        browser.wait_for_text(&said).await;
    }
}

#[tokio::test]
async fn an_error_about_the_connection_goes_away_with_its_cause() {
    // Its own runtime, because an end of it closes all connections, as the end of a process does.
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let discord = first.spawn(start_discord(any)).await.unwrap();
    let url = discord.url();
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let browser = Browser::start_local().await;
    browser.open(&url).await;
    browser.wait_for_text("Welcome to #data!").await;
    focus(&browser).await;
    browser.type_text("hello").await;
    drop(discord);
    first.shutdown_background();
    browser
        .wait_for_text("Connection lost. Reconnecting…")
        .await;
    let unreachable = "Could not reach the sandbox.";
    browser.type_text("\n").await;
    browser.wait_for_text(unreachable).await;

    let second = runtime();
    let again = wait_until(
        async || {
            second
                .spawn(async move { start_discord(address).await })
                .await
        },
        |started| started.is_ok(),
    );
    let discord = again.await.unwrap();
    wait_until(
        async || browser.page().await,
        |page| !page.contains("Connection lost") && !page.contains(unreachable),
    )
    .await;
    assert_eq!(written(&browser).await, "hello", "nothing is lost");
    drop(discord);
    second.shutdown_background();
}

#[tokio::test]
async fn the_last_message_stays_visible_when_the_window_becomes_narrow() {
    let fixture = Fixture::start().await;
    let browser = &fixture.browser;
    let ana = fixture.discord.person("ana");
    for number in 0..40 {
        let text = format!(
            "{number}: {}",
            "a line that wraps in a narrow window ".repeat(4)
        );
        ana.write("#data", &text).unwrap();
    }
    browser.wait_for_text("39: a line").await;
    let below = async || {
        let script = "const all = document.querySelector('#scroller');
            return innerWidth + ' ' + (all.scrollHeight - all.scrollTop - all.clientHeight < 2)";
        let below = browser.run_script(script).await;
        below.as_str().unwrap().to_owned()
    };
    wait_until(below, |below| below.ends_with(" true")).await;
    browser.emulate_phone().await;
    wait_until(below, |below| below == "375 true").await;
}

#[tokio::test]
async fn on_a_phone_names_stay_whole_and_a_wide_table_shows_that_it_goes_on() {
    let fixture = Fixture::start().await;
    let browser = &fixture.browser;
    browser.emulate_phone().await;
    let table = format!("```\n{WIDE}\n{WIDE}\n```");
    fixture
        .discord
        .person("ana")
        .write("#data", &table)
        .unwrap();
    browser.wait_for_text("to the end").await;
    focus(browser).await;
    let long = "SELECT species, count(*) AS sightings FROM lake.pond.sightings GROUP BY ALL";
    browser.type_text(&format!("/duck say text:{long}")).await;
    browser.save_screenshot("page-phone").await;
    let lines = "const name = document.querySelector('.pill-name');
        return name.getClientRects().length === 1
            && name.offsetHeight < 2 * parseFloat(getComputedStyle(name).lineHeight || 22)";
    assert_eq!(browser.run_script(lines).await, true, "a name is broken");
    let wider = "return document.documentElement.scrollWidth > innerWidth";
    assert_eq!(
        browser.run_script(wider).await,
        false,
        "the page is too wide"
    );
    // The sign is at the edge where the table goes on.
    let signs = async || {
        let script = "return document.querySelector('#log pre').className";
        browser
            .run_script(script)
            .await
            .as_str()
            .unwrap()
            .to_owned()
    };
    wait_until(signs, |signs| signs == "goes-on").await;
    let scroll = "document.querySelector('#log pre').scrollLeft = 1e6";
    browser.run_script(scroll).await;
    wait_until(signs, |signs| signs == "goes-back").await;
    browser.save_screenshot("page-phone-table-end").await;
}
