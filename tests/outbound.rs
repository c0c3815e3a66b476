//! Servers with certificates of a private CA, and servers behind a forward proxy.

use serde_json::json;
use test_support::{
    Certificates, ForwardProxy, LocalEnv, TestEnv, TlsFront, UiClient, assert_says, command, lake,
    link_of,
};

use crate::local::{ready_session, reply_to};

const KEY: [&str; 2] = ["AKIAPRIVATECA", "a-secret-behind-tls"];
const DUCKS: &str = "FROM lake.zoo.ducks ORDER BY name";

/// Sets a setting or another variable from the bot's next start on.
fn set(env: &mut LocalEnv, name: &str, value: &str) {
    env.variables.insert(name.into(), value.into());
}

/// Names the catalog and the storage by this host from the bot's next start on.
fn set_host(env: &mut LocalEnv, host: &str, catalog: &TlsFront, s3: &TlsFront) {
    for (name, front) in [("ENDPOINT", catalog), ("S3_ENDPOINT", s3)] {
        let url = format!("https://{host}:{}", front.port);
        set(env, &format!("DUCKBOT_CATALOGS__LAKE__{name}"), &url);
    }
}

async fn check(env: &LocalEnv) -> String {
    let output = command(&["check"], &env.variables).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Reads the lake in a session and with `/duck sql`, and ends the session.
async fn assert_lake_is_readable(env: &LocalEnv) {
    ready_session(&env.ana).await;
    let query = format!("/duck sql query:{DUCKS}");
    let asked = env.ana.run_command("#data", &query).await.unwrap();
    asked.until(|it| it.content.contains("mallard")).await;
    let link = link_of(&reply_to(&env.ana, "/duck open").await, "Open DuckDB");
    let port = link.split(':').nth(2).unwrap().split('/').next().unwrap();
    let ui = UiClient::enter(&link, &format!("http://127.0.0.1:{port}")).await;
    let ducks = json!([{"name": "mallard", "grams": 1100}, {"name": "teal", "grams": 330}]);
    assert_eq!(ui.rows(DUCKS).await, Ok(ducks));
    let problems = ui.rows("FROM problems").await;
    assert!(problems.is_err(), "{problems:?}");
    let question = reply_to(&env.ana, "/duck stop").await;
    let pressed = env.ana.press(&question, "Stop it").await.unwrap();
    pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
}

/// Enters the same credentials again, so that they are checked.
async fn replace_key_pair(env: &LocalEnv) {
    let stored = reply_to(&env.ana, "/duck setup").await;
    let pressed = env.ana.press(&stored, "Replace").await.unwrap();
    let form = pressed.modal().await;
    let typed = [("Access key ID", KEY[0]), ("Secret access key", KEY[1])];
    let sent = env.ana.submit(&form, &typed).await.unwrap();
    sent.until(|it| it.content.contains("were checked and saved"))
        .await;
}

#[tokio::test]
async fn a_private_ca_is_named_and_trusted_and_a_proxy_is_used() {
    lake().s3.add_key(KEY[0], KEY[1]);
    let certificates = Certificates::valid_for(&["lake.test", "gateway.test"], 1);
    let catalog = TlsFront::start(&lake().catalog, &certificates).await;
    let s3 = TlsFront::start(&lake().s3.url(), &certificates).await;
    let mut env = LocalEnv::start().await;
    set_host(&mut env, "127.0.0.1", &catalog, &s3);
    env.restart_bot().await;

    let refused = env.try_key_pair(&env.ana, KEY[0], KEY[1]).await;
    for server in ["storage", "catalog `lake`"] {
        let says = format!(
            "I don't trust the certificate of the {server}, so your credentials could not be \
             checked. It was issued by `CN=Test authority`. An admin has to add the certificate of \
             this CA with the setting `tls.ca_file`."
        );
        assert_says(&refused, &says);
    }
    let checked = check(&env).await;
    let says = "its certificate was issued by an unknown CA, CN=Test authority";
    assert_eq!(checked.matches(says).count(), 2, "{checked}");

    let file = certificates.file("ca.pem");
    set(&mut env, "DUCKBOT_TLS__CA_FILE", file.to_str().unwrap());
    env.restart_bot().await;
    env.enter_key_pair(&env.ana, KEY[0], KEY[1]).await;
    assert_lake_is_readable(&env).await;

    let proxy = ForwardProxy::start().await;
    set_host(&mut env, "lake.test", &catalog, &s3);
    set(
        &mut env,
        "HTTPS_PROXY",
        &format!("http://{}", proxy.address),
    );
    set(&mut env, "HTTP_PROXY", "http://127.0.0.1:9");
    let gateway = TlsFront::start(&env.discord.url(), &certificates).await;
    let url = format!("wss://gateway.test:{}/gateway", gateway.port);
    env.discord.set_gateway_front(&url);
    env.restart_bot().await;
    replace_key_pair(&env).await;
    let by_bot = proxy.take_requests();
    assert_lake_is_readable(&env).await;
    let by_session = proxy.take_requests();
    for (requests, front) in [
        (&by_bot, &catalog),
        (&by_bot, &s3),
        (&by_session, &catalog),
        (&by_session, &s3),
    ] {
        let target = format!("CONNECT lake.test:{} ", front.port);
        assert!(
            requests.iter().any(|head| head.starts_with(&target)),
            "{target} in {requests:?}"
        );
    }
    let target = format!("CONNECT gateway.test:{} ", gateway.port);
    assert!(
        by_bot.iter().any(|head| head.starts_with(&target)),
        "{by_bot:?}"
    );
    let own = |head: &String| head.contains(".test") || head.contains("ui.duckdb.org");
    let all = || by_bot.iter().chain(&by_session);
    assert!(all().all(own), "{:?}", all().collect::<Vec<_>>());

    // The bot uses a proxy with a password, and keeps it to itself.
    let with_password = format!("http://duck:hidden-in-the-reeds@{}", proxy.address);
    set(&mut env, "HTTPS_PROXY", &with_password);
    env.restart_bot().await;
    replace_key_pair(&env).await;
    let login = "proxy-authorization: basic zhvjazpoawrkzw4taw4tdghllxjlzwrz";
    let sent = proxy.take_requests().join("").to_lowercase();
    assert!(sent.contains(login), "{sent}");
    let checked = check(&env).await;
    let says = "HTTPS_PROXY has a password, so sessions don't get it";
    assert!(checked.contains(says), "{checked}");
    for text in [checked, env.log()] {
        assert!(!text.contains("hidden-in-the-reeds"), "{text}");
    }

    // A session for the check, with Ana's credentials, which needs no proxy.
    env.bot.kill().await;
    env.variables.remove("HTTPS_PROXY");
    set_host(&mut env, "127.0.0.1", &catalog, &s3);
    let ana = env.ana.id().to_string();
    let arguments = ["check", "--session", "--as", &ana];
    let output = command(&arguments, &env.variables).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("answered a query after"), "{text}");
    assert!(text.contains("; the catalog lake is attached"), "{text}");
    assert_eq!(env.leftovers(), [""; 0]);
    env.assert_clean().await;
}

#[tokio::test]
async fn sessions_on_a_cluster_get_the_cas_and_can_not_change_them() {
    let certificates = Certificates::of("lake.test");
    let file = certificates.file("ca.pem");
    let settings = [("DUCKBOT_TLS__CA_FILE", file.to_str().unwrap())];
    let env = TestEnv::start_with(&settings).await;
    let id = env.ready_session(&env.ana).await;

    let maps = env.cluster.records();
    let map = maps.get("duckbot-ca").await.unwrap();
    let bundle = &map.data.unwrap()["ca.crt"];
    let own = std::fs::read_to_string(&file).unwrap();
    assert!(bundle.contains(own.trim()), "{bundle}");
    let all = bundle.matches("BEGIN CERTIFICATE").count();
    assert!(
        all > 10,
        "{all} certificates; those of the system are missing"
    );

    let pod = env.cluster.pods().get(&format!("duckui-{id}")).await;
    let pod = serde_json::to_value(pod.unwrap()).unwrap();
    let container = &pod["spec"]["containers"][0];
    let find = |list: &str, name: &str| {
        let items = container[list].as_array().unwrap().iter();
        { items }.find(|it| it["name"] == name).unwrap().clone()
    };
    let path = "/etc/duckbot-ca";
    let mount = json!({"name": "duckbot-ca", "mountPath": path, "readOnly": true});
    assert_eq!(find("volumeMounts", "duckbot-ca"), mount);
    let variable = find("env", "SSL_CERT_FILE");
    assert_eq!(variable["value"], format!("{path}/ca.crt"));
    env.assert_clean().await;
}
