//! The whole path of a person: button, link, browser, TLS, Traefik, door, DuckDB, and back with the
//! team's tables.

use test_support::{Browser, Traefik, assert_says, lake, link_of};

use super::tables::{DUCKS, LakeEnv};

/// Returns a script that sends SQL to DuckDB as its own pages do, and returns status and body.
fn fetch_script(sql: &str) -> String {
    format!(
        r#"const answer = await fetch("/ddb/run", {{ method: "POST", body: `{sql}`,
            headers: {{ "X-DuckDB-UI-Connection-Name": "page" }} }});
        return answer.status + " " + await answer.text();"#
    )
}

#[tokio::test]
async fn ana_opens_her_session_and_nobody_else_does() {
    let Some(lake_env) = LakeEnv::start().await else {
        return;
    };
    let env = &lake_env.env;
    lake()
        .s3
        .add_key("AKIAANAATTHEDOOR", "anas-secret-at-the-door");
    let (key, secret) = ("AKIAANAATTHEDOOR", "anas-secret-at-the-door");
    env.cluster.store_key_pair(env.ana.id(), key, secret).await;
    let traefik = Traefik::start(&env.cluster);
    let id = env.ready_session(&env.ana).await;
    lake_env.ui(&env.ana, &id).await;
    let browser = Browser::at(&traefik).await;

    // The link in the channel alone opens nothing.
    let announced = &env.discord.history("#data")[0];
    let url = format!("https://duckui-{id}.duck.example.com/");
    assert_says(announced, &url);
    browser.open(&url).await;
    browser.wait_for_text("ana's DuckDB").await;
    browser
        .wait_for_text("press Open under the message about session")
        .await;
    browser.save_screenshot("stranger").await;

    // The button gives only the owner access, not even an admin.
    for other in [&env.ben, &env.ada] {
        let pressed = other.press(announced, "Open").await.unwrap();
        let refused = pressed.reply().await;
        assert!(refused.ephemeral);
        assert_says(&refused, "can open session");
    }
    let pressed = env.ana.press(announced, "Open").await.unwrap();
    let reply = pressed.reply().await;
    assert!(reply.ephemeral);
    let link = link_of(&reply, "Open DuckDB");
    let (page, ticket) = link.split_once('#').unwrap();
    assert_eq!(page, format!("{url}.duckbot/enter"));
    browser.open(&link).await;
    // DuckDB's pages can't be fetched in this test. The door explains that.
    browser
        .wait_for_text("The pages of DuckDB's UI can't be loaded")
        .await;
    browser.save_screenshot("no-assets").await;
    assert_eq!(browser.address().await, url);

    let answer = browser.run_script(&fetch_script(DUCKS)).await;
    let answer = answer.as_str().unwrap();
    assert!(
        answer.starts_with("200 ") && answer.contains("mallard"),
        "{answer}"
    );
    let cookies = browser.cookies().await;
    let cookie = &cookies[0];
    assert_eq!(cookie["name"], "__Host-duckbot");
    assert_eq!(
        (&cookie["secure"], &cookie["httpOnly"]),
        (&true.into(), &true.into())
    );
    assert_eq!(browser.run_script("return document.cookie").await, "");

    let listed = env.reply_to(&env.ana, "/duck list").await;
    assert_says(&listed, ", last active <t:");

    // The same link does not work in a second browser.
    let thief = Browser::at(&traefik).await;
    thief.open(&link).await;
    thief.wait_for_text("This link was already used").await;
    thief.save_screenshot("used").await;
    assert_eq!(
        thief
            .run_script(&fetch_script("SELECT 1"))
            .await
            .as_str()
            .unwrap()[..4],
        *"401 "
    );
    assert!(
        !thief.address().await.contains('#'),
        "the ticket must not stay in the browser's history"
    );

    assert!(traefik.access_log().contains("/.duckbot/enter"));
    for log in [traefik.access_log(), env.log()] {
        assert!(!log.contains(ticket), "a log contains a ticket");
    }
    lake_env.env.assert_clean().await;
}

#[tokio::test]
async fn a_session_is_opened_by_command_too() {
    let Some(lake_env) = LakeEnv::start().await else {
        return;
    };
    let env = &lake_env.env;
    let none = env.reply_to(&env.ana, "/duck open").await;
    assert_says(&none, "You have no session to open.");
    let id = env.ready_session(&env.ana).await;
    let reply = env.reply_to(&env.ana, "/duck open").await;
    assert!(reply.ephemeral);
    let link = link_of(&reply, "Open DuckDB");
    assert!(link.starts_with(&format!(
        "https://duckui-{id}.duck.example.com/.duckbot/enter#"
    )));
    let line = format!("/duck open session:{id}");
    let refused = env.reply_to(&env.ben, &line).await;
    assert_says(&refused, "can open session");
    lake_env.env.assert_clean().await;
}
