//! Tests of the HTTP API.

use std::collections::HashSet;

use futures_util::{StreamExt, future::join_all};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use test_support::{
    ApiEnv, ApiFault, CREDENTIALS, LocalEnv, Node, PERMANENT_CREDENTIALS, TestEnv, UiClient,
    assert_says, create_token, leaked_credentials, parse_response, session_request, tools,
    wait_until,
};
use tokio::process::Command;

/// Last part of a problem's type.
fn problem(body: &Value) -> &str {
    let kind = body["type"].as_str().unwrap_or_else(|| panic!("{body}"));
    kind.strip_prefix("urn:duckbot:problem:").unwrap()
}

#[tokio::test]
async fn credentials_of_a_request_are_its_sessions_alone_and_are_deleted_with_it() {
    let api_env = ApiEnv::start(&[]).await;
    let (status, made) = api_env
        .post("/sessions", &api_env.ana, session_request())
        .await;
    assert_eq!(status, 201, "{made}");
    let id = made["session_id"].as_str().unwrap().to_owned();
    assert_eq!(
        made["url"],
        format!("https://duckui-{id}.duck.example.com/")
    );
    assert_eq!(
        made["open_url"],
        Value::Null,
        "a session that is not ready must not have a link"
    );

    // Only one Secret contains the credentials; no other object does.
    let secrets = api_env.env.cluster.secrets();
    let name = format!("duckbot-s3-session-{id}");
    let secret = secrets.get(&name).await.unwrap();
    let stored = secret.data.unwrap()["s3-secret-access-key"].0.clone();
    assert_eq!(stored, CREDENTIALS[1].1.as_bytes());
    assert_eq!(
        secret.metadata.owner_references.unwrap()[0].kind,
        "ConfigMap"
    );
    assert!(
        api_env
            .env
            .stored_credentials(&api_env.env.ana)
            .await
            .is_none()
    );
    api_env.env.kubelet.wait_for_pod(&id).await;
    let pod = api_env
        .env
        .cluster
        .pods()
        .get(&format!("duckui-{id}"))
        .await;
    let pod = serde_json::to_string(&pod.unwrap()).unwrap();
    assert!(pod.contains(&name) && leaked_credentials(&pod).is_empty());
    let document = api_env.env.cluster.documents().await[0].to_string();
    assert!(leaked_credentials(&document).is_empty(), "{document}");

    api_env.env.kubelet.mark_ready(&id).await;
    api_env.wait_until_running(&id).await;
    let (_, shown) = api_env.get(&format!("/sessions/{id}"), &api_env.ana).await;
    assert_eq!(
        (&shown["phase"], &shown["username"]),
        (&json!("running"), &json!("ana"))
    );
    assert_eq!(shown["stops"]["rule"], "lifetime");
    let path = format!("/sessions/{id}/ticket");
    let (_, ticket) = api_env.post(&path, &api_env.ana, json!({})).await;
    let link = ticket["open_url"].as_str().unwrap();
    assert!(link.starts_with(&format!("https://duckui-{id}.duck.example.com/")));
    assert!(!api_env.env.log().contains(link.split('#').nth(1).unwrap()));

    assert_eq!(
        api_env
            .delete(&format!("/sessions/{id}"), &api_env.ana)
            .await
            .0,
        204
    );
    api_env.env.assert_nothing_left().await;
    assert!(secrets.get_opt(&name).await.unwrap().is_none());
    let (status, gone) = api_env.get(&format!("/sessions/{id}"), &api_env.ana).await;
    assert_eq!((status, problem(&gone)), (404, "no-such-session"));
    api_env.assert_clean().await;
}

#[tokio::test]
async fn a_token_sees_its_owners_sessions_and_an_admins_all() {
    let api_env = ApiEnv::start(&[]).await;
    let id = api_env.ready_session().await;
    let path = format!("/sessions/{id}");
    for (token, status) in [("", 401), ("duckbot_quack", 401), (&*api_env.ben, 404)] {
        assert_eq!(api_env.get(&path, token).await.0, status);
        assert_eq!(api_env.delete(&path, token).await.0, status);
        let ticket = format!("{path}/ticket");
        assert_eq!(api_env.post(&ticket, token, json!({})).await.0, status);
    }
    let bare = api_env.client.get(format!("{}{path}", api_env.url)).send();
    let bare = bare.await.unwrap();
    assert_eq!(bare.headers()["www-authenticate"], "Bearer");
    assert_eq!(problem(&parse_response(bare).await.1), "unauthorized");
    assert_eq!(
        api_env.get("/sessions", &api_env.ben).await.1["sessions"],
        json!([])
    );

    let (_, all) = api_env.get("/sessions", &api_env.ada).await;
    assert_eq!(all["sessions"][0]["session_id"], *id);
    assert_eq!(
        all["sessions"][0]["owner"],
        api_env.env.ana.id().to_string()
    );
    let ticket = format!("{path}/ticket");
    let (status, refused) = api_env.post(&ticket, &api_env.ada, json!({})).await;
    assert_eq!((status, problem(&refused)), (403, "forbidden"));

    // The session is also visible in the chat.
    let listed = api_env.env.reply_to(&api_env.env.ana, "/duck list").await;
    assert_says(&listed, &format!("`{id}` of "));
    assert_eq!(api_env.delete(&path, &api_env.ada).await.0, 204);
    api_env.env.assert_nothing_left().await;
    api_env.env.mark_all_read().await;
    assert_revoked_without_a_restart(&api_env).await;
    api_env.assert_clean().await;
}

/// Revokes Ben's token, and then makes a mistake in the file.
async fn assert_revoked_without_a_restart(api_env: &ApiEnv) {
    let env = &api_env.env;
    let file = &env.variables["DUCKBOT_API__TOKENS_FILE"];
    // As the kubelet does it, so that the bot never reads half a file.
    let replace = |text: &str| std::fs::rename(env.file("tokens.new", text), file).unwrap();
    let status = async |token| api_env.get("/sessions", token).await.0;
    let tokens = std::fs::read_to_string(file).unwrap();
    let of_ben = env.ben.id().to_string();
    let others: Vec<_> = tokens.lines().filter(|it| !it.contains(&of_ben)).collect();
    replace(&others.join("\n"));
    wait_until(async || status(&api_env.ben).await, |it| *it == 401).await;
    assert_eq!(status(&api_env.ada).await, 200);

    replace("of-nobody\n");
    let says = "so the earlier tokens stay valid: line 1 is not a token";
    env.wait_for_log(says).await;
    assert_eq!(status(&api_env.ada).await, 200);
    assert_eq!(status(&api_env.ben).await, 401);
}

#[tokio::test]
async fn stored_credentials_are_used_by_tokens_that_may() {
    let api_env = ApiEnv::start(&[]).await;
    let stored = || json!({ "use_stored_credentials": true });
    let (status, none) = api_env.post("/sessions", &api_env.ana, stored()).await;
    assert_eq!((status, problem(&none)), (409, "no-stored-credentials"));
    api_env
        .env
        .cluster
        .store_credentials(api_env.env.ana.id())
        .await;
    api_env
        .env
        .cluster
        .store_credentials(api_env.env.ben.id())
        .await;
    let (status, refused) = api_env.post("/sessions", &api_env.ben, stored()).await;
    assert_eq!((status, problem(&refused)), (403, "forbidden"));
    let (status, made) = api_env.post("/sessions", &api_env.ana, stored()).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/sessions/{}", made["session_id"].as_str().unwrap());
    assert_eq!(api_env.delete(&path, &api_env.ana).await.0, 204);
    api_env.env.assert_nothing_left().await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn of_fifty_requests_at_once_as_many_get_a_session_as_the_quota_allows() {
    let api_env = ApiEnv::start(&[("DUCKBOT_CREDENTIALS__PREFLIGHT", "false")]).await;
    let asked = (0..50).map(|_| api_env.post("/sessions", &api_env.ana, session_request()));
    let answers = join_all(asked).await;
    let made: HashSet<_> = answers
        .iter()
        .filter(|(status, _)| *status == 201)
        .collect();
    let made: Vec<_> = made
        .into_iter()
        .map(|(_, body)| &body["session_id"])
        .collect();
    assert_eq!(made.len(), 2);
    for (status, body) in answers.iter().filter(|(status, _)| *status != 201) {
        assert_eq!((*status, problem(body)), (409, "quota-reached"));
    }
    assert_eq!(api_env.env.cluster.documents().await.len(), 2);
    for id in made {
        let path = format!("/sessions/{}", id.as_str().unwrap());
        assert_eq!(api_env.delete(&path, &api_env.ana).await.0, 204);
    }
    api_env.env.assert_nothing_left().await;

    // The names of workspaces don't bound the number of sessions. The first two starts get the places.
    let asked = (0..20).map(|number| {
        let mut body = session_request();
        body["workspace"] = json!(format!("w{}", number / 2));
        body["restore"] = json!("nothing");
        api_env.post("/sessions", &api_env.ana, body)
    });
    let answers = join_all(asked).await;
    let (made, rejected): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 201);
    assert_eq!(made.len(), 2, "{made:?}");
    for (status, body) in rejected {
        let kind = problem(body);
        assert!(
            *status == 409 && ["quota-reached", "workspace-in-use"].contains(&kind),
            "{body}"
        );
    }
    let documents = async || api_env.env.cluster.documents().await;
    let kept = wait_until(documents, |all| all.len() == made.len()).await;
    for (_, body) in made {
        let same = kept.iter().find(|it| it["id"] == body["session_id"]);
        assert_eq!(same.expect("the record is kept")["restore"], "nothing");
        let path = format!("/sessions/{}", body["session_id"].as_str().unwrap());
        let shown = api_env.get(&path, &api_env.ana).await.1;
        assert_eq!(Some(&shown["workspace"]), same.map(|it| &it["workspace"]));
        assert_eq!(api_env.delete(&path, &api_env.ana).await.0, 204);
    }
    api_env.env.assert_nothing_left().await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_session_and_another_request_with_it_is_rejected() {
    let api_env = ApiEnv::start(&[]).await;
    let post = |body: Value| {
        let asked = api_env.request(Method::POST, "/sessions", &api_env.ana);
        let asked = asked.header("Idempotency-Key", "the-report-of-today");
        async move { parse_response(asked.json(&body).send().await.unwrap()).await }
    };
    let answers = join_all((0..5).map(|_| post(session_request()))).await;
    let ids: HashSet<_> = answers
        .iter()
        .map(|(_, body)| body["session_id"].to_string())
        .collect();
    assert!(
        answers.iter().all(|(status, _)| *status == 201),
        "{answers:?}"
    );
    assert_eq!(ids.len(), 1);
    assert_eq!(api_env.env.cluster.documents().await.len(), 1);

    // Credentials are part of the request, so other ones conflict.
    let mut others = session_request();
    others["s3_key"] = json!(PERMANENT_CREDENTIALS[0].1);
    let (status, refused) = post(others).await;
    assert_eq!((status, problem(&refused)), (409, "idempotency-key-reused"));
    let name = format!(
        "duckbot-s3-session-{}",
        answers[0].1["session_id"].as_str().unwrap()
    );
    let kept = api_env.env.cluster.secrets().get(&name).await.unwrap();
    assert_eq!(
        kept.data.unwrap()["s3-access-key-id"].0,
        CREDENTIALS[0].1.as_bytes()
    );

    for (option, value) in [("size", "large"), ("workspace", "sales")] {
        let mut other = session_request();
        other[option] = json!(value);
        let (status, refused) = post(other).await;
        assert_eq!((status, problem(&refused)), (409, "idempotency-key-reused"));
    }
    api_env.assert_clean().await;
}

#[tokio::test]
async fn who_waits_is_told_how_it_goes_until_it_is_ready() {
    let api_env = ApiEnv::start(&[]).await;
    let asked = api_env.request(Method::POST, "/sessions?wait=ready", &api_env.ana);
    let answer = asked.json(&session_request()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut chunks = answer.bytes_stream();
    let mut told = String::new();
    let mut is_ready = false;
    while let Some(chunk) = chunks.next().await {
        told += std::str::from_utf8(&chunk.unwrap()).unwrap();
        if !is_ready && told.contains("\"phase\":\"queued\"") {
            is_ready = true;
            let id = told.split("\"session_id\":\"").nth(1).unwrap()[..6].to_owned();
            api_env.env.kubelet.mark_ready(&id).await;
        }
    }
    let last = told.trim().rsplit("\n\n").next().unwrap();
    let data = last
        .strip_prefix("event: ready\ndata: ")
        .unwrap_or_else(|| panic!("{told}"));
    let ready: Value = serde_json::from_str(data).unwrap();
    assert!(ready["open_url"].as_str().unwrap().contains('#'), "{ready}");
    api_env.assert_clean().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_field_by_field_and_nothing_is_made() {
    let api_env = ApiEnv::start(&[]).await;
    let mut wrong = session_request();
    for (field, value) in [
        ("s3_kay", json!(CREDENTIALS[0].1)),
        ("s3_secret", json!("two words")),
        ("size", json!(4)),
        ("username", json!("a\u{92}b")),
        ("workspace", json!("query-0")),
        ("restore", json!("oldest")),
    ] {
        wrong[field] = value;
    }
    let (status, body) = api_env.post("/sessions", &api_env.ana, wrong).await;
    assert_eq!((status, problem(&body)), (422, "invalid-fields"));
    let errors = body["errors"].as_array().unwrap();
    let mut fields: Vec<_> = errors
        .iter()
        .map(|it| it["field"].as_str().unwrap())
        .collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "restore",
            "s3_kay",
            "s3_secret",
            "size",
            "username",
            "workspace"
        ]
    );
    assert!(leaked_credentials(&body.to_string()).is_empty(), "{body}");

    for (change, kind) in [
        (json!({ "size": "huge" }), "unknown-size"),
        (json!({ "catalog": "sea" }), "unknown-catalog"),
        (json!({ "catalog": "http://elsewhere/" }), "unknown-catalog"),
        (json!({ "s3_secret": "wrong" }), "keys-rejected"),
        (json!({ "use_stored_credentials": true }), "invalid-fields"),
    ] {
        let mut body = session_request();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (_, body) = api_env.post("/sessions", &api_env.ana, body).await;
        assert_eq!(problem(&body), kind, "{body}");
        assert!(leaked_credentials(&body.to_string()).is_empty(), "{body}");
    }
    let long = "x".repeat(20_000);
    let (_, body) = api_env
        .post("/sessions", &api_env.ana, json!({ "username": long }))
        .await;
    assert_eq!(problem(&body), "too-large");
    let text = api_env
        .request(Method::POST, "/sessions", &api_env.ana)
        .body("{}");
    assert_eq!(
        problem(&parse_response(text.send().await.unwrap()).await.1),
        "unsupported-media-type"
    );
    let no_json = api_env.request(Method::POST, "/sessions", &api_env.ana);
    let no_json = no_json.header("Content-Type", "application/json").body("[");
    assert_eq!(
        problem(&parse_response(no_json.send().await.unwrap()).await.1),
        "invalid-request"
    );
    assert_eq!(api_env.get("/quack", &api_env.ana).await.1["status"], 404);
    let (_, no_text) = api_env.get("/sessions/%ff", &api_env.ana).await;
    assert_eq!(problem(&no_text), "no-such-session");
    let put = api_env
        .request(Method::PUT, "/sessions", &api_env.ana)
        .send()
        .await
        .unwrap();
    assert!(put.headers()["allow"].to_str().unwrap().contains("POST"));
    assert_eq!(problem(&parse_response(put).await.1), "method-not-allowed");
    api_env.env.assert_nothing_left().await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn by_its_exact_url_a_catalog_is_meant_too_and_in_a_lab_any() {
    let mut api_env = ApiEnv::start(&[]).await;
    let mut body = session_request();
    body["catalog"] = json!(api_env.env.variables["DUCKBOT_CATALOGS__LAKE__ENDPOINT"]);
    let (status, made) = api_env.post("/sessions", &api_env.ana, body).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(api_env.env.cluster.documents().await[0]["catalog"], "lake");

    api_env.env.kill_bot().await;
    api_env
        .env
        .variables
        .insert("DUCKBOT_API__ANY_CATALOG".into(), "true".into());
    api_env.env.variables.insert(
        "DUCKBOT_API__ANONYMOUS_OWNER".into(),
        api_env.env.ben.id().to_string(),
    );
    api_env.start_bot().await;
    api_env
        .env
        .wait_for_log("THE API IS OPEN TO EVERYBODY")
        .await;
    let mut body = session_request();
    body["catalog"] = json!("http://elsewhere:8181/catalog/");
    let asked = api_env
        .client
        .post(format!("{}/sessions", api_env.url))
        .json(&body);
    let (status, made) = parse_response(asked.send().await.unwrap()).await;
    assert_eq!(status, 201, "{made}");
    let id = made["session_id"].as_str().unwrap();
    api_env.env.kubelet.wait_for_pod(id).await;
    let pod = api_env
        .env
        .cluster
        .pods()
        .get(&format!("duckui-{id}"))
        .await
        .unwrap();
    let pod = serde_json::to_value(&pod).unwrap();
    let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let endpoint = variables
        .iter()
        .find(|it| it["name"] == "CATALOG_ENDPOINT")
        .unwrap();
    assert_eq!(endpoint["value"], "http://elsewhere:8181/catalog");
    assert_eq!(
        pod["metadata"]["labels"]["duckbot.dev/owner"],
        api_env.env.ben.id().to_string()
    );
    api_env.assert_clean().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let api_env = ApiEnv::start(&[("DUCKBOT_API__REQUESTS_PER_MINUTE", "3")]).await;
    for _ in 0..3 {
        assert_eq!(api_env.get("/sessions", &api_env.ana).await.0, 200);
    }
    let slower = api_env
        .request(Method::GET, "/sessions", &api_env.ana)
        .send()
        .await
        .unwrap();
    let after: u64 = slower.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=21).contains(&after), "{after}");
    assert_eq!(
        problem(&parse_response(slower).await.1),
        "too-many-requests"
    );
    assert_eq!(
        api_env.get("/sessions", &api_env.ben).await.0,
        200,
        "the limit of one token must not affect another one"
    );
    api_env.assert_clean().await;
}

#[tokio::test]
async fn whatever_the_cluster_does_the_answer_is_true_and_nothing_remains() {
    let api_env = ApiEnv::start(&[("DUCKBOT_CREDENTIALS__PREFLIGHT", "false")]).await;
    for (method, route) in [("POST", "configmaps"), ("PATCH", "secrets/{name}")] {
        for (status, kind, wanted) in [(403, "cluster-refused", 502), (500, "unavailable", 503)] {
            let first = std::sync::atomic::AtomicBool::new(true);
            api_env.env.api.set_faults(move |call| {
                let is_it = call.method == method && call.route == route;
                let is_first = is_it && first.swap(false, std::sync::atomic::Ordering::Relaxed);
                is_first.then(|| ApiFault::Answer(status, "forbidden: not now".into()))
            });
            let (said, body) = api_env
                .post("/sessions", &api_env.ana, session_request())
                .await;
            assert_eq!(
                (said, problem(&body)),
                (wanted, kind),
                "{method} {route}: {body}"
            );
            let id = body["request_id"].as_str().unwrap();
            assert!(
                api_env
                    .env
                    .log()
                    .contains(&format!("a request failed [{id}]"))
            );
            api_env.env.api.clear_faults();
            let objects = async || api_env.env.cluster.objects().await;
            wait_until(objects, Vec::is_empty).await;
        }
    }
    assert_eq!(
        api_env.get("/sessions", &api_env.ana).await.1["sessions"],
        json!([])
    );
    api_env.env.mark_all_read().await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn a_session_whose_credentials_were_never_stored_ends() {
    let mut api_env = ApiEnv::start(&[("DUCKBOT_CREDENTIALS__PREFLIGHT", "false")]).await;
    // The bot that claimed the record died before it stored the credentials.
    api_env.env.kill_bot().await;
    api_env
        .env
        .create_record(
            "abc123",
            api_env.env.ana.id(),
            0,
            &chrono::Utc::now().to_rfc3339(),
        )
        .await;
    let record = api_env.env.record_name(&api_env.env.ana, 0);
    let long_ago = (chrono::Utc::now() - chrono::TimeDelta::minutes(2)).to_rfc3339();
    let awaited = |document: &mut Value| {
        document["credentials"] = json!("awaited");
        document["created"] = json!(long_ago);
    };
    api_env.env.cluster.edit_record(&record, awaited).await;
    api_env.start_bot().await;
    let told = api_env.env.ana.read("#data").await;
    assert_says(
        &told,
        "the credentials that were sent with its request are gone",
    );
    assert!(
        told.components.is_empty(),
        "there must be no button to try again"
    );
    api_env.env.wait_until_nothing_left(&api_env.env.ana).await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn sessions_of_the_api_are_announced_where_the_settings_say() {
    let mut api_env = ApiEnv::start(&[]).await;
    api_env.env.kill_bot().await;
    let channel = api_env.env.discord.channel("data").to_string();
    api_env
        .env
        .variables
        .insert("DUCKBOT_API__CHANNEL".into(), channel);
    api_env.start_bot().await;
    let id = api_env.ready_session().await;
    let told = api_env.env.ana.read("#data").await;
    assert_says(&told, &format!("https://duckui-{id}.duck.example.com/"));
    assert_eq!(told.mentions, [api_env.env.ana.id()]);
    let (status, extended) = api_env
        .post(
            &format!("/sessions/{id}/extend"),
            &api_env.ana,
            json!({ "by": "2h" }),
        )
        .await;
    assert_eq!(
        (status, &extended["extended_by_seconds"]),
        (200, &json!(7200))
    );
    let body = json!({ "by": "two ducks" });
    let (status, body) = api_env
        .post(&format!("/sessions/{id}/extend"), &api_env.ana, body)
        .await;
    assert_eq!((status, problem(&body)), (422, "invalid-fields"));
    api_env.assert_clean().await;
}

/// Shell blocks of docs/api.md.
fn examples() -> Vec<String> {
    let text = include_str!("../docs/api.md");
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_example_of_the_manual_works_in_its_order() {
    let api_env = ApiEnv::start(&[("DUCKBOT_SESSIONS__PER_USER", "3")]).await;
    let quick = api_env.env.kubelet.ready_all_pods();
    let mut id = None;
    for example in examples() {
        let script = example.replace("977a26", id.as_deref().unwrap_or("977a26"));
        let ran = Command::new("bash")
            .args(["-ec", &script])
            .env("DUCKBOT", &api_env.url)
            .env("TOKEN", &api_env.ana)
            .env("S3_KEY", PERMANENT_CREDENTIALS[0].1)
            .env("S3_SECRET", PERMANENT_CREDENTIALS[1].1)
            .env("no_proxy", "*")
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{script}\n{text}\n{said}");
        if id.is_none() {
            let made: Value = serde_json::from_str(&text).unwrap();
            let made = made["session_id"].as_str().unwrap().to_owned();
            api_env.wait_until_running(&made).await;
            id = Some(made);
        }
    }
    assert_eq!(
        api_env.get("/sessions", &api_env.ana).await.1["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    quick.abort();
    api_env.assert_clean().await;
}

#[tokio::test]
async fn schemathesis_finds_nothing() {
    let api_env = ApiEnv::start(&[
        ("DUCKBOT_CREDENTIALS__PREFLIGHT", "false"),
        ("DUCKBOT_SESSIONS__PER_USER", "20"),
        ("DUCKBOT_REAPER__LATE", "false"),
    ])
    .await;
    api_env
        .env
        .cluster
        .store_credentials(api_env.env.ana.id())
        .await;
    let quick = api_env.env.kubelet.ready_all_pods();
    let ran = Command::new(tools::schemathesis().join("python/bin/python"))
        .args([
            "-m",
            "schemathesis.cli",
            "run",
            "--checks",
            "all",
            "--max-examples",
            "15",
        ])
        .args([
            "--seed",
            "1",
            "--header",
            &format!("Authorization: Bearer {}", api_env.ana),
        ])
        .args([
            "--generation-database",
            "none",
            "--no-color",
            "--warnings",
            "off",
        ])
        .args([
            "--request-timeout",
            "60",
            &format!("{}/openapi.json", api_env.url),
        ])
        .env("no_proxy", "*")
        .current_dir(std::env::temp_dir())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let refused = api_env.env.log();
    let refused: Vec<_> = refused.lines().filter(|it| it.contains("WARN")).collect();
    assert!(
        ran.status.success(),
        "{said}\n{}\n{refused:#?}",
        String::from_utf8_lossy(&ran.stderr)
    );
    quick.abort();
    api_env.assert_clean().await;
}

/// Last event of a stream.
async fn last_event(answer: Response) -> (String, Value) {
    let told = answer.text().await.unwrap();
    let last = told.trim().rsplit("\n\n").next().unwrap();
    let (name, data) = last
        .split_once("\ndata: ")
        .unwrap_or_else(|| panic!("{told}"));
    (
        name.replace("event: ", ""),
        serde_json::from_str(data).unwrap(),
    )
}

#[tokio::test]
async fn on_a_node_a_program_gets_a_duckdb_that_reads_its_credentials_and_opens_it() {
    let Some(node) = Node::shared() else {
        return;
    };
    let settings = [
        ("DUCKBOT_SESSIONS__IMAGE", "duckbot.test/duckui:works"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot.test/duckbot:test"),
        ("DUCKBOT_SIZES__SMALL__CPU", "50m"),
        ("DUCKBOT_SIZES__SMALL__MEMORY", "256Mi"),
        ("DUCKBOT_SIZES__SMALL__REQUESTS__DISK", "1Gi"),
    ];
    let api_env =
        ApiEnv::start_with_env(TestEnv::without_bot_on(&node.name, &settings).await).await;
    let asked = api_env.request(Method::POST, "/sessions?wait=ready", &api_env.ana);
    let (name, ready) = last_event(asked.json(&session_request()).send().await.unwrap()).await;
    assert_eq!(name, "ready", "{ready}");
    let id = ready["session_id"].as_str().unwrap();
    let pod = api_env
        .env
        .cluster
        .pods()
        .get(&format!("duckui-{id}"))
        .await
        .unwrap();
    let door = format!("http://{}:8080", pod.status.unwrap().pod_ip.unwrap());
    let ui = UiClient::enter(ready["open_url"].as_str().unwrap(), &door).await;
    let told = ui
        .rows("SELECT length(getenv('S3_ACCESS_KEY_ID'))")
        .await
        .unwrap();
    assert!(
        told.to_string()
            .contains(&CREDENTIALS[0].1.len().to_string()),
        "{told}"
    );
    assert_eq!(
        api_env
            .delete(&format!("/sessions/{id}"), &api_env.ana)
            .await
            .0,
        204
    );
    api_env.env.assert_nothing_left().await;
    api_env.assert_clean().await;
}

#[tokio::test]
async fn on_this_machine_its_credentials_are_a_file_that_is_deleted_with_it() {
    let mut home = LocalEnv::start().await;
    let (line, token) = create_token("ci", &home.ana.id().to_string(), &[]).await;
    let tokens = home.folder().join("tokens");
    std::fs::write(&tokens, line).unwrap();
    for (name, value) in [
        ("DUCKBOT_API__LISTEN", "127.0.0.1:0"),
        ("DUCKBOT_API__TOKENS_FILE", tokens.to_str().unwrap()),
    ] {
        home.variables.insert(name.into(), value.into());
    }
    home.restart_bot().await;
    const SAYS: &str = "the API is at ";
    home.bot.wait_for_log(SAYS).await;
    let log = home.bot.log();
    let url = log
        .split(SAYS)
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let body =
        json!({ "s3_key": PERMANENT_CREDENTIALS[0].1, "s3_secret": PERMANENT_CREDENTIALS[1].1 });
    let asked = client
        .post(format!("{url}/sessions?wait=ready"))
        .bearer_auth(&token);
    let (name, ready) = last_event(asked.json(&body).send().await.unwrap()).await;
    assert_eq!(name, "ready", "{ready}");
    let id = ready["session_id"].as_str().unwrap();
    let file = home.folder().join(format!("credentials/session-{id}"));
    assert!(file.exists());
    let deleted = client
        .delete(format!("{url}/sessions/{id}"))
        .bearer_auth(&token);
    assert_eq!(parse_response(deleted.send().await.unwrap()).await.0, 204);
    assert!(!file.exists());
    home.wait_until_empty().await;
    home.assert_clean().await;
}

#[tokio::test]
async fn without_a_token_only_programs_on_this_machine_and_named_hosts_are_served() {
    let mut api_env = ApiEnv::start(&[]).await;
    api_env.env.kill_bot().await;
    let ben = api_env.env.ben.id().to_string();
    for (name, value) in [
        ("DUCKBOT_API__ANONYMOUS_OWNER", &*ben),
        ("DUCKBOT_API__HOSTS", "duckbot.lab.example"),
    ] {
        api_env.env.variables.insert(name.into(), value.into());
    }
    api_env.start_bot().await;
    let list = |host: &str| {
        let asked = api_env.client.get(format!("{}/sessions", api_env.url));
        asked.header("host", host)
    };
    for host in [
        "localhost",
        "localhost:8080",
        "duck.localhost",
        "127.0.0.1:1",
        "127.8.9.10",
        "[::1]:8080",
        "duckbot.lab.example",
        "Duckbot.Lab.example:8080",
    ] {
        assert_eq!(list(host).send().await.unwrap().status(), 200, "{host}");
    }
    // A page whose owner lets its name lead to this machine, after the browser has loaded it.
    for host in [
        "rebound.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.7",
        "[::2]",
        "duckbot.lab.example.evil.example",
        "",
    ] {
        let (status, said) = parse_response(list(host).send().await.unwrap()).await;
        assert_eq!((status, problem(&said)), (403, "forbidden"), "{host}");
        let asked = list(host).bearer_auth(&api_env.ana);
        assert_eq!(asked.send().await.unwrap().status(), 200, "{host}");
    }
    // Another page on this machine.
    let asked = list("localhost").header("origin", "http://localhost:3000");
    assert_eq!(parse_response(asked.send().await.unwrap()).await.0, 403);
    // A page's request for an image or script has no `Origin`.
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
        ("none", 200),
    ] {
        let asked = list("localhost").header("sec-fetch-site", site);
        assert_eq!(asked.send().await.unwrap().status(), status, "{site}");
    }
    api_env.assert_clean().await;
}

#[tokio::test]
async fn stored_credentials_never_go_to_an_address_that_a_request_names() {
    let api_env = ApiEnv::start(&[("DUCKBOT_API__ANY_CATALOG", "true")]).await;
    api_env
        .env
        .cluster
        .store_credentials(api_env.env.ana.id())
        .await;
    let elsewhere = json!({"use_stored_credentials": true, "catalog": "http://elsewhere:8181"});
    let (status, said) = api_env.post("/sessions", &api_env.ana, elsewhere).await;
    assert_eq!((status, problem(&said)), (403, "forbidden"), "{said}");
    api_env.env.assert_nothing_left().await;
    let command = "/duck start catalog:http://elsewhere:8181";
    let refused = api_env.env.reply_to(&api_env.env.ana, command).await;
    assert!(refused.content.contains("elsewhere"), "{}", refused.content);
    api_env.env.assert_nothing_left().await;

    let known = json!({"use_stored_credentials": true, "catalog": "lake"});
    let (status, made) = api_env.post("/sessions", &api_env.ana, known).await;
    assert_eq!(status, 201, "{made}");
    api_env.assert_clean().await;
}
