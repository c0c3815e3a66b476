//! DuckDB clients of a session in a Pod, through Traefik with TLS.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use serde_json::json;
use test_support::{
    Certificates, OwnMachine, Traefik, WAIT_TIMEOUT, assert_says, lake, wait_until,
};

use super::{restart_count, tables::LakeEnv};
use crate::clients::{assert_failed, assert_ran, key_in, snippets};

/// Address of Traefik. Tests of other files use others, because the port is always 443.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 37, 1));

/// Query whose result has 192 MB. The door has 64 MiB of memory.
const LARGE: &str = "SELECT count(*), max(b) > 0 FROM duck.query('SELECT range a, hash(range) b, \
                     hash(range + 1) c FROM range(8000000)');";

/// Examples in docs/clients.md, with the host and the key of a session.
fn documented(language: &str, host: &str, key: &str) -> Vec<String> {
    let page = include_str!("../../docs/clients.md");
    let page = page
        .replace("duckui-977a26.duck.example.com", host)
        .replace("YOUR-KEY", key);
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn ana_queries_the_lake_from_her_own_machine() {
    let connect = ("DUCKBOT_SESSIONS__CONNECT", "true");
    let Some(lake_env) = LakeEnv::start_with(&[connect]).await else {
        return;
    };
    let env = &lake_env.env;
    let (key, secret) = ("AKIAANASOWNDUCK", "anas-secret-for-clients");
    lake().s3.add_key(key, secret);
    env.cluster.store_key_pair(env.ana.id(), key, secret).await;
    let certificates = Certificates::of("*.duck.example.com");
    // With its usual proxy, Traefik cuts off some large results (docs/operations.md).
    let fast = "--experimental.fastproxy=true";
    let traefik = Traefik::start_with(fast, ADDRESS, &env.cluster.sessions, certificates);
    let id = env.ready_session(&env.ana).await;
    let ui = lake_env.ui(&env.ana, &id).await;
    assert_eq!(ui.rows("FROM quack_server_list()").await, Ok(json!([])));

    let reply = env.reply_to(&env.ana, "/duck connect").await;
    assert!(reply.ephemeral);
    let (sql, python) = snippets(&reply);
    let host = format!("duckui-{id}.duck.example.com");
    assert!(
        sql.contains(&format!("ATTACH 'quack:{host}:443' AS duck;")),
        "{sql}"
    );
    let authority = traefik.certificates.file("ca.pem");
    let machine = OwnMachine::reaching(&host, ADDRESS, &authority);
    // Traefik takes a moment to learn a route.
    let routed = async || machine.run_sql(&sql).await;
    let listed = wait_until(routed, |it| !it.said.contains("Not Found")).await;
    assert_ran(&listed, &["lake,zoo,ducks"]);
    // The examples of the documentation.
    let [connect, queries, tables] = &documented("sql", &host, key_in(&sql))[..] else {
        panic!("docs/clients.md has other examples");
    };
    assert!(sql.starts_with(connect), "{connect}\nin\n{sql}");
    let ran = machine
        .run_sql(&[connect, queries, tables].map(String::as_str).concat())
        .await;
    assert_ran(
        &ran,
        &["lake,zoo,ducks", "mallard,1100\n", "teal,330,green"],
    );
    let again = &documented("python", &host, "")[0];
    let ran = machine.run_python(&format!("{python}{again}")).await;
    assert_ran(
        &ran,
        &["ducks", "notes", "[('teal', 330), ('mallard', 1100)]"],
    );
    let notes = ui.rows("SELECT count(*) AS rows FROM notes").await;
    assert_eq!(notes, Ok(json!([{ "rows": 2 }])));

    // Several clients at once, with results that don't fit into the door's memory. The UI answers beside them.
    let large = format!("{sql}\n{LARGE}");
    let (all, beside) = tokio::join!(
        join_all((0..3).map(|_| machine.run_sql(&large))),
        ui.rows("SELECT 42 AS answer")
    );
    for ran in all {
        assert_ran(&ran, &["8000000,true"]);
    }
    assert_eq!(beside, Ok(json!([{ "answer": 42 }])));
    assert_eq!(restart_count(env, &id).await, 0);
    let status = env.reply_to(&env.ana, "/duck status").await;
    assert_says(&status, "Activity: no running query (last query ended <t:");

    // A query that runs is cut off when the key is revoked, and DuckDB listens no more.
    let endless = format!("{sql}\nSELECT count(*) FROM duck.query('FROM range(100000000000)');");
    let running = machine.run_sql(&endless);
    let revoking = async {
        let status = async || env.reply_to(&env.ana, "/duck status").await.content;
        wait_until(status, |it| it.contains("1 running query")).await;
        let pressed = env.ana.press(&reply, "Revoke").await.unwrap();
        pressed.until(|it| it.content.contains("are revoked")).await
    };
    let cut_off = async { tokio::time::timeout(WAIT_TIMEOUT, running).await.unwrap() };
    let (cut_off, _) = tokio::join!(cut_off, revoking);
    assert!(!cut_off.is_ok, "{}", cut_off.said);
    assert_failed(
        &machine.run_sql(&sql).await,
        "or not any more. Type /duck connect",
    );
    let servers = async || ui.rows("FROM quack_server_list()").await;
    assert_eq!(
        wait_until(servers, |it| *it == Ok(json!([]))).await,
        Ok(json!([]))
    );

    env.stop_session(&env.ana).await;
    let stopped = async || machine.run_sql(&sql).await.said;
    wait_until(stopped, |it| it.contains("Not Found")).await;
    assert!(!env.log().contains(key_in(&sql)));
    lake_env.env.assert_clean().await;
}
