//! The whole path of a person: button, link, browser, TLS, Traefik, door, DuckDB, and back with the
//! team's tables.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_support::{
    Browser, Certificates, TestEnv, Traefik, UiClient, WAIT_TIMEOUT, assert_says, lake, link_of,
    wait_until,
};

use super::tables::{DUCKS, LakeEnv};
use crate::deploy::kubectl;

/// Returns a script that sends SQL to DuckDB as its own pages do, and returns status and body.
fn fetch_script(sql: &str) -> String {
    format!(
        r#"const answer = await fetch("/ddb/run", {{ method: "POST", body: `{sql}`,
            headers: {{ "X-DuckDB-UI-Connection-Name": "page" }} }});
        return answer.status + " " + await answer.text();"#
    )
}

/// Script that loads a file into a table by the console, and downloads a query's result as a file.
const FILES: &str = r#"
    const { call, upload, tab } = await import("/.duckbot/console/api.js");
    const { table, rows } = await upload(new File(["name,grams\nswan,9000\n"], "big ducks.csv"), () => {});
    const { result } = await call("run", { tab, cell: "files", sql: `FROM ${table}` });
    const { url, name } = await call("download", { result, format: "csv" });
    const file = await (await fetch(url)).text();
    return JSON.stringify({ table, rows, name: name.split(".").at(-1), file });
"#;

/// Types a query over the lake into the console and runs it, as a person does. Pods of the node reach only the
/// storage and the catalog.
async fn query_in_the_console(browser: &Browser, url: &str) {
    browser.wait_for_text("Run all").await;
    // The list of tables has come.
    browser.wait_for_text("zoo").await;
    browser.click("//*[@aria-label='Text of SQL cell 1']").await;
    browser.type_text(DUCKS).await;
    // Ctrl-Enter.
    browser.type_text("\u{E009}\n").await;
    browser.wait_for_text("2 rows").await;
    browser.wait_for_text("mallard").await;
    browser.press_button("Chart").await;
    browser.click("//img[contains(@alt, 'grams')]").await;
    browser.save_screenshot("console").await;
    let files = browser.run_script(FILES).await;
    let files: Value = serde_json::from_str(files.as_str().unwrap_or_default()).unwrap();
    let file = "name,grams\nswan,9000\n";
    assert_eq!(
        (&files["rows"], &files["name"], &files["file"]),
        (&json!(1), &json!("csv"), &json!(file)),
        "{files}"
    );

    let mut requests = browser.requested_urls().await;
    // Others, such as those of the chart's picture, are in the page itself.
    requests.retain(|it| it.starts_with("http"));
    let of_console = |it: &&String| it.contains("/.duckbot/console/");
    assert!(
        requests.iter().filter(of_console).count() > 10,
        "{requests:#?}"
    );
    let elsewhere: Vec<_> = requests.iter().filter(|it| !it.starts_with(url)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[tokio::test]
async fn ana_opens_her_session_and_nobody_else_does() {
    let console = ("DUCKBOT_DUCKDB__UI", "console");
    let Some(lake_env) = LakeEnv::start_with(&[console]).await else {
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
    let ui = lake_env.ui(&env.ana, &id).await;
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
    query_in_the_console(&browser, &url).await;
    let outside = ui.run_sql("FROM read_text('https://ui.duckdb.org/')").await;
    assert!(outside.is_err(), "the Pod can reach others than the lake");
    let address = browser.address().await;
    assert_eq!(address.split('#').next(), Some(&*url));

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

/// Classes that Traefik serves.
const CLASSES: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: traefik }
spec: { controllerName: traefik.io/gateway-controller }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: traefik }
spec: { controller: traefik.io/ingress-controller }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: k8s.io/ingress-nginx }
"#;

/// Applies a manifest.
async fn apply(manifest: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, manifest).unwrap();
    let path = file.path().display();
    kubectl(&format!(
        "apply --server-side --validate=strict --filename {path}"
    ))
    .await;
}

/// Queries the session until Traefik forwards the query by a route of this provider.
async fn query_by(traefik: &Traefik, ui: &UiClient, provider: &str) {
    let router = async || {
        let answer = ui.raw_answer("SELECT 'duck' || 42").await;
        let is_ok = answer.status() == 200;
        let text = answer.text().await.unwrap();
        let router = traefik.access_log();
        let router = router.lines().rev().find(|line| line.contains("/ddb/run"));
        (is_ok && text.contains("duck42")).then(|| router.unwrap_or_default().to_owned())
    };
    let is_by_it = |router: &Option<String>| {
        let router = router.as_ref();
        router.is_some_and(|router| router.contains(&format!("@{provider}\"")))
    };
    wait_until(router, is_by_it).await;
}

/// Creates the Secret with the wildcard certificate.
async fn create_certificate(namespace: &str, certificates: &Certificates) {
    let file = |name| certificates.file(name);
    kubectl(&format!(
        "create secret tls duckui-wildcard-tls --namespace {namespace} --cert={} --key={}",
        file("leaf.pem").display(),
        file("leaf.key").display()
    ))
    .await;
}

#[tokio::test]
async fn a_session_is_opened_by_command_through_an_ingress_or_a_gateway_too() {
    let ingress = [
        ("DUCKBOT_ROUTING__KIND", "ingress"),
        ("DUCKBOT_ROUTING__INGRESS_CLASS", "traefik"),
    ];
    let Some(mut env) = TestEnv::start_on_node(&ingress).await else {
        return;
    };
    let none = env.reply_to(&env.ana, "/duck open").await;
    assert_says(&none, "You have no session to open.");
    apply(CLASSES).await;
    let traefik = Traefik::start(&env.cluster);
    let id = env.ready_session(&env.ana).await;
    env.wait_until_prepared(&id).await;
    let refused = env
        .reply_to(&env.ben, &format!("/duck open session:{id}"))
        .await;
    assert_says(&refused, "can open session");
    let client = traefik.client(&id);
    let url = format!("https://duckui-{id}.duck.example.com");
    let status = async || client.get(&url).send().await.unwrap().status();
    wait_until(status, |it| *it != 404).await;
    let reply = env.reply_to(&env.ana, "/duck open").await;
    assert!(reply.ephemeral);
    let link = link_of(&reply, "Open DuckDB");
    assert!(link.starts_with(&format!("{url}/.duckbot/enter#")));
    let ui = UiClient::enter_through(client, &link).await;
    query_by(&traefik, &ui, "kubernetes").await;

    // The certificate moves to the controller's namespace, where the bot can't read its key.
    let moved = Certificates::of("*.duck.example.com");
    create_certificate(&env.cluster.bot, &moved).await;
    let store = include_str!("../../deploy/examples/tls-store.yaml");
    let namespace = format!("namespace: {}", env.cluster.bot);
    apply(&store.replace("namespace: traefik", &namespace)).await;
    let serves = async |certificates: &Certificates| {
        let client = traefik.client_with(&id, certificates);
        wait_until(async || client.get(&url).send().await.is_ok(), |it| *it).await;
    };
    serves(&moved).await;
    kubectl(&format!("delete tlsstore default -n {}", env.cluster.bot)).await;
    kubectl(&format!(
        "delete secret duckui-wildcard-tls -n {}",
        env.cluster.bot
    ))
    .await;
    serves(&traefik.certificates).await;

    // The annotations for ingress-nginx, at Traefik's provider for them.
    let overlay = include_str!("../../deploy/overlays/ingress/kustomization.yaml");
    let annotations = overlay
        .lines()
        .filter_map(|line| line.trim().split_once(" = "));
    let annotations = annotations.filter(|(name, _)| name.starts_with("\"nginx."));
    let text = |quoted: &str| quoted.trim_matches('"').to_owned();
    let annotations: BTreeMap<_, _> = annotations
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    assert_eq!(annotations.len(), 5);
    let nginx = json!({
        "metadata": { "annotations": annotations }, "spec": { "ingressClassName": "nginx" },
    });
    let (ingresses, name) = (env.cluster.ingresses(), format!("duckui-{id}"));
    let params = PatchParams::default();
    ingresses
        .patch(&name, &params, &Patch::Merge(nginx))
        .await
        .unwrap();
    query_by(&traefik, &ui, "kubernetesingressnginx").await;

    // The team moves to a Gateway. A running session gets a route there.
    let (bot, sessions) = (&env.cluster.bot, &env.cluster.sessions);
    create_certificate(bot, &traefik.certificates).await;
    let (_, port) = traefik.address.split_once(':').unwrap();
    let gateway = include_str!("../../deploy/examples/gateway.yaml")
        .replace("duckbot-sessions", sessions)
        .replace(" gateways\n", &format!(" {bot}\n"))
        .replace("port: 8443", &format!("port: {port}"));
    apply(&gateway).await;
    let namespace = bot.clone();
    env.kill_bot().await;
    for (setting, value) in [
        ("KIND", "gateway"),
        ("GATEWAY", "duckui"),
        ("GATEWAY_LISTENER", "https"),
        ("GATEWAY_NAMESPACE", &namespace),
    ] {
        let name = format!("DUCKBOT_ROUTING__{setting}");
        env.variables.insert(name, value.into());
    }
    env.start_bot().await;
    ingresses.delete(&name, &Default::default()).await.unwrap();
    query_by(&traefik, &ui, "kubernetesgateway").await;
    // Events arrive while the stream stays open.
    let mut tab = ui.open_tab().await;
    ui.run_sql("CREATE TABLE pond (duck TEXT)").await.unwrap();
    let event = tokio::time::timeout(WAIT_TIMEOUT, tab.chunk()).await;
    let event = event.expect("an event in time").unwrap().unwrap();
    assert!(event.starts_with(b"event: "), "{event:?}");
    env.clean_up().await;
    env.assert_clean().await;
}
