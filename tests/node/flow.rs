//! More than DuckDB's threads can do at once, in a Pod.

use futures_util::future::join_all;
use test_support::{TestEnv, assert_says, wait_until};

use super::{pod, restart_count};
use crate::door::flow::Query;

#[tokio::test]
async fn a_busy_session_stays_ready_and_each_query_can_be_interrupted() {
    let Some(env) = TestEnv::start_on_node(&[]).await else {
        return;
    };
    let id = env.ready_session(&env.ana).await;
    env.wait_until_prepared(&id).await;
    let ui = env.open_ui(&env.ana, &id).await;
    let _tabs = join_all((0..8).map(|_| ui.open_tab())).await;
    let mut queries: Vec<_> = (0..12).map(|it| Query::send(&ui, it)).collect();

    let status = async || env.reply_to(&env.ana, "/duck status").await.content;
    let full = "4 running queries, 8 waiting, 8 open browser tabs.";
    wait_until(status, |it| it.contains(full)).await;
    assert_eq!(ui.tokenize("SELECT 42").await, 200);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let address = pod(&env, &id).await.status.unwrap().pod_ip.unwrap();
    let ready = || client.get(format!("http://{address}:8081/ready")).send();
    for query in &mut queries {
        assert_eq!(ready().await.unwrap().status(), 200);
        query.interrupt().await;
    }
    ui.run_sql("SELECT 42").await.unwrap();
    assert_eq!(restart_count(&env, &id).await, 0);

    let status = env.reply_to(&env.ana, "/duck status").await;
    assert_says(&status, "Activity: no running query (last query ended <t:");
    env.assert_clean().await;
}
