//! Tests of `duckbot check` and `duckbot invite`.

pub mod gateway;

use std::fmt::Display;

use axum::{Router, extract::Path, http::StatusCode, routing::get};
use discord_loopback::{Access, RestFault};
use k8s_openapi::api::{core::v1::Secret, networking::v1::IngressClass};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use test_support::{Certificates, LocalEnv, TestEnv, WAIT_TIMEOUT, command, signal, wait_until};
use tokio::{process::Child, time::timeout};

/// Runs a subcommand with the settings of an environment. Returns the exit code and the output.
async fn run_bot(env: &TestEnv, arguments: &[&str]) -> (i32, String) {
    let output = command(arguments, &env.variables).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).unwrap() + &said;
    assert!(!text.contains(&env.discord.token()), "{text}");
    (output.status.code().unwrap(), text)
}

/// Starts a registry where the tag `works` exists, `private` needs a login, and all others are
/// missing. Returns its address.
async fn registry() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let manifest = async |Path((_, tag)): Path<(String, String)>| match &*tag {
        "works" => StatusCode::OK,
        "private" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::NOT_FOUND,
    };
    let app = Router::new().route("/v2/{name}/manifests/{tag}", get(manifest));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address.to_string()
}

async fn env() -> TestEnv {
    let mut env = TestEnv::without_bot(&[]).await;
    let registry = registry().await;
    for (name, tag) in [("IMAGE", "works"), ("DOOR_IMAGE", "private")] {
        let image = format!("{registry}/duckui:{tag}");
        env.variables
            .insert(format!("DUCKBOT_SESSIONS__{name}"), image);
    }
    let ops = env.discord.channel("ops").to_string();
    env.variables
        .insert("DUCKBOT_DISCORD__ADMIN_CHANNEL".into(), ops);
    env
}

/// Lines that report a problem, except the one about DNS.
async fn failed_checks(env: &TestEnv) -> Vec<String> {
    let (code, text) = run_bot(env, &["check"]).await;
    let lines = text.lines().filter(|line| line.starts_with("WRONG "));
    // The test domain has no DNS records.
    let others =
        lines.filter(|line| !line.starts_with("WRONG DNS: duckui-000000.duck.example.com"));
    let others: Vec<_> = others.map(str::to_owned).collect();
    assert_eq!(code, 1, "{text}");
    others
}

#[tokio::test]
async fn what_is_well_is_said_item_by_item() {
    let mut env = env().await;
    env.variables.remove("DUCKBOT_CATALOGS__POND__ENDPOINT");
    // A proxy is for neither the API server nor this machine.
    let proxy = ("HTTPS_PROXY".to_owned(), "http://127.0.0.1:9".to_owned());
    env.variables.extend([proxy]);
    env.use_lease();
    assert_eq!(failed_checks(&env).await, [""; 0]);
    let (_, text) = run_bot(&env, &["check"]).await;
    for line in [
        "ok    settings: all are valid",
        "ok    token: belongs to application ",
        "ok    guild: ",
        "ok    commands: not yet those of this version; `duckbot serve` registers them",
        "(discord.allowed_channels): #data",
        "(discord.admin_channel): #ops",
        "ok    cluster: http://",
        &format!(
            "ok    permissions in {}: all required permissions are granted",
            env.cluster.sessions
        ),
        &format!(
            "ok    permissions in {}: all required permissions are granted",
            env.cluster.bot
        ),
        "ok    routes: IngressRoute",
        "warn  leader: no bot holds the Lease duckbot; if this does not change within 10 s",
        "ok    records: 0 sessions and query runners, all of version 8",
        "/duckui:works (sessions.image): found in its registry",
        "/duckui:private (sessions.door_image): not checked, because its registry requires a login",
        "ok    catalog of lake: ",
        "ok    storage of lake: ",
        " s apart from the catalogs and storages",
        "create a wildcard DNS record *.duck.example.com",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    let (code, json) = run_bot(&env, &["check", "--json"]).await;
    let findings: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 1);
    assert_eq!(findings[0]["what"], "settings");
    assert_eq!(findings[0]["state"], "fine");
    env.start_bot().await;
    let (_, text) = run_bot(&env, &["check"]).await;
    assert!(text.contains("ok    commands: registered"), "{text}");
    assert!(text.contains("ok    leader: duckbot_"), "{text}");
    env.assert_clean().await;
}

#[tokio::test]
async fn sessions_of_another_record_version_are_named_before_they_are_left_alone() {
    let mut env = env().await;
    env.variables.remove("DUCKBOT_CATALOGS__POND__ENDPOINT");
    let created = "2026-11-26T12:00:00Z";
    for (id, number) in [("977a26", 0), ("51b2c3", 1)] {
        env.create_record(id, env.ana.id(), number, created).await;
    }
    let older = env.record_name(&env.ana, 1);
    let cluster = &env.cluster;
    cluster
        .edit_record(&older, |it| it["version"] = 6.into())
        .await;
    let wrong = failed_checks(&env).await;
    assert_eq!(
        wrong,
        [format!(
            "WRONG records: 1 of 2 can't be read, so this version leaves their sessions alone (the \
             first one: it has version 6; this bot reads version 8 only). Run the version that wrote \
             them until these sessions have ended, or end them: kubectl delete configmap -n {} {older}",
            cluster.sessions
        )]
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let mut env = env().await;
    env.variables.remove("DUCKBOT_CATALOGS__POND__ENDPOINT");
    env.discord.set_access("ops", Access::Hidden);
    env.discord.set_access("random", Access::ReadOnly);
    let random = env.discord.channel("random").to_string();
    let nowhere = "http://127.0.0.1:9/catalog";
    let missing = env.variables["DUCKBOT_SESSIONS__IMAGE"].replace("works", "missing");
    for (name, value) in [
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", nowhere),
        ("DUCKBOT_ROUTING__TLS_SECRET", "wildcard"),
        ("DUCKBOT_SESSIONS__IMAGE", &missing),
        ("DUCKBOT_REPORT__CHANNEL", "1029384756102938475"),
        ("DUCKBOT_DISCORD__ALLOWED_CHANNELS", &random),
    ] {
        env.variables.insert(name.into(), value.into());
    }
    let params = DeleteParams::default();
    env.cluster
        .roles()
        .delete("duckbot-sessions", &params)
        .await
        .unwrap();
    env.cluster.wait_until_forbidden("create", "pods").await;
    env.use_lease();
    let leases = env.cluster.leases();
    leases.delete("duckbot", &params).await.unwrap();
    let wrong = failed_checks(&env).await.join("\n");
    let ops = env.discord.channel("ops");
    for line in [
        &format!("WRONG channel {ops} (discord.admin_channel): the bot can't see this channel"),
        "WRONG channel 1029384756102938475 (report.channel): the bot can't see this channel",
        &format!(
            "WRONG permissions in {}: the bot's service account lacks",
            env.cluster.sessions
        ),
        &format!(
            "WRONG channel {random} (discord.allowed_channels): grant to the bot's role there: Send Messages"
        ),
        &format!(
            "WRONG leader: there is no Lease duckbot in namespace {}, so no bot leads; apply deploy/, which \
             creates it",
            env.cluster.bot
        ),
        "create pods",
        "Apply the Role in deploy/, which grants them",
        "/duckui:missing (sessions.image): not found in its registry",
        "WRONG certificate: not allowed to get secrets",
        "WRONG catalog of lake: http://127.0.0.1:9/catalog does not answer (no connection)",
        "check the setting catalogs.lake.endpoint",
    ] {
        assert!(wrong.contains(line), "{line:?} in\n{wrong}");
    }
    env.assert_clean().await;
}

/// Creates or replaces the Secret of the wildcard certificate, with one for `name`.
async fn store_certificate(env: &TestEnv, name: &str, days: u32) {
    let certificates = Certificates::valid_for(&[name], days);
    let text = |file: &str| std::fs::read_to_string(certificates.file(file)).unwrap();
    let secret = json!({
        "metadata": { "name": "wildcard" },
        "type": "kubernetes.io/tls",
        "stringData": { "tls.crt": text("leaf.pem"), "tls.key": text("leaf.key") },
    });
    let secrets: Api<Secret> = Api::namespaced(env.cluster.admin.clone(), &env.cluster.sessions);
    let _ = secrets.delete("wildcard", &DeleteParams::default()).await;
    let secret = serde_json::from_value(secret).unwrap();
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_objects_in_the_settings_are_read() {
    let mut env = env().await;
    env.variables.remove("DUCKBOT_CATALOGS__POND__ENDPOINT");
    for (name, value) in [
        ("DUCKBOT_ROUTING__TLS_SECRET", "wildcard"),
        ("DUCKBOT_POD__IMAGE_PULL_SECRETS", "wildcard,registry"),
        ("DUCKBOT_POD__INIT_SQL", "team-sql"),
        ("DUCKBOT_CATALOGS__LAKE__OAUTH2_SECRET", "wildcard"),
        ("DUCKBOT_ROUTING__KIND", "ingress"),
    ] {
        env.variables.insert(name.into(), value.into());
    }
    store_certificate(&env, "*.other.example.com", 90).await;
    let sessions = env.cluster.sessions.clone();
    let wrong = failed_checks(&env).await.join("\n");
    for line in [
        "WRONG certificate: Secret wildcard (routing.tls_secret) is for *.other.example.com, not for \
         *.duck.example.com; get a certificate for *.duck.example.com",
        "WRONG login of lake: Secret wildcard (catalogs.lake.oauth2_secret) has no client-id and no \
         client-secret; add it",
        "WRONG pull secret: Secret wildcard (pod.image_pull_secrets) is of type kubernetes.io/tls",
        &format!(
            "WRONG pull secret: Secret registry (pod.image_pull_secrets) not found in {sessions}; \
             create it"
        ),
        &format!(
            "WRONG init.sql: ConfigMap team-sql (pod.init_sql) not found in {sessions}; create it"
        ),
    ] {
        assert!(wrong.contains(line), "{line:?} in\n{wrong}");
    }
    store_certificate(&env, "*.duck.example.com", 10).await;
    let (_, text) = run_bot(&env, &["check"]).await;
    assert!(
        text.contains("warn  certificate: Secret wildcard expires on "),
        "{text}"
    );
    store_certificate(&env, "*.duck.example.com", 90).await;
    let (_, text) = run_bot(&env, &["check"]).await;
    for line in [
        "ok    certificate: Secret wildcard is for *.duck.example.com, until ",
        "ok    ingress class: not checked: this account may not list IngressClasses; use --session",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
    env.assert_clean().await;
}

#[tokio::test]
async fn exec_is_needed_only_where_people_may_ask() {
    let mut env = env().await;
    let roles = env.cluster.roles();
    let mut role = roles.get("duckbot-sessions").await.unwrap();
    let rules = role.rules.as_mut().unwrap();
    rules.retain(|rule| rule.resources != Some(vec!["pods/exec".to_owned()]));
    roles
        .replace("duckbot-sessions", &PostParams::default(), &role)
        .await
        .unwrap();
    let lacks = async |env: &TestEnv| failed_checks(env).await.join("\n").contains("pods/exec");
    wait_until(async || lacks(&env).await, |it| *it).await;
    let off = ("DUCKBOT_SQL__ENABLED".to_owned(), "false".to_owned());
    env.variables.extend([off]);
    assert!(!lacks(&env).await);
    env.assert_clean().await;
}

#[tokio::test]
async fn a_token_or_a_guild_that_is_wrong_is_named_alone() {
    let mut env = env().await;
    env.variables.remove("DUCKBOT_CATALOGS__POND__ENDPOINT");
    let right = env
        .variables
        .insert("DUCKBOT_DISCORD__GUILD".into(), "7".into())
        .unwrap();
    let link = invitation(env.discord.application_id());
    let says = format!("WRONG guild: the bot is not in guild 7; add it with this link: {link}");
    assert_eq!(failed_checks(&env).await, [says]);
    env.variables.insert("DUCKBOT_DISCORD__GUILD".into(), right);
    let file = env.file("token", "not-a-token");
    env.variables
        .insert("DUCKBOT_DISCORD__TOKEN_FILE".into(), file);
    let says = "WRONG token: Discord does not accept this token; get a new one in the developer \
                portal (Bot, Reset Token)";
    assert_eq!(failed_checks(&env).await, [says]);
    env.assert_clean().await;
}

/// Runs `duckbot invite` without settings. Returns the exit code and the output.
async fn invite(application: &str) -> (i32, String) {
    let output = command(&["invite", application], &[].into()).output();
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &said;
    (output.status.code().unwrap(), text)
}

/// Link that asks for what the bot does, and no more.
fn invitation(application: impl Display) -> String {
    // View channels, send messages, attach files, send messages in threads.
    let bits = (1_u64 << 10) + (1 << 11) + (1 << 15) + (1 << 38);
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={bits}"
    )
}

#[tokio::test]
async fn the_invitation_needs_only_the_applications_id_and_asks_for_no_more_than_the_bot_does() {
    for id in ["81384788765712384", " 1575462837550055428 "] {
        let link = invitation(id.trim());
        assert_eq!(invite(id).await, (0, link + "\n"));
    }
    // For people who have no program yet.
    let manual = include_str!("../docs/operations.md");
    assert!(manual.contains(&invitation("<Application ID>")));
}

#[tokio::test]
async fn what_is_no_applications_id_is_not_invited_and_not_repeated() {
    let token = "MTU3NTQ2MjgzNzU1MDA1NTQyOA.GquACk.not-a-real-token-but-as-long-as-one";
    for wrong in [
        "42",
        "0",
        "",
        "duckbot",
        token,
        "00000000000000000",
        "18446744073709551615",
        "99999999999999999999",
    ] {
        let (code, text) = invite(wrong).await;
        assert_eq!(code, 2, "{text}");
        assert!(
            text.starts_with("duckbot: this is no application ID"),
            "{text}"
        );
        assert!(!text.contains(token), "{text}");
    }
}

#[tokio::test]
async fn discord_that_does_not_answer_is_not_taken_for_a_wrong_setting() {
    let mut env = env().await;
    env.variables.remove("DUCKBOT_CATALOGS__POND__ENDPOINT");
    let silent = RestFault::cut_before("GET", "/guilds/{guild}").times(99);
    env.discord.inject_fault(silent);
    let says = "WRONG guild: Discord did not answer; try again in a minute";
    assert_eq!(failed_checks(&env).await, [says]);
    env.assert_clean().await;
}

#[tokio::test]
async fn without_named_channels_the_guilds_permissions_are_looked_at_and_wrong_settings_are_json() {
    let mut env = TestEnv::without_bot(&[("DUCKBOT_DISCORD__ALLOWED_CHANNELS", "")]).await;
    let (_, text) = run_bot(&env, &["check"]).await;
    let line = "ok    permissions in the guild: all required permissions are granted";
    assert!(text.contains(line), "{text}");
    env.variables
        .insert("DUCKBOT_SESSIONS__PER_USER".into(), "many".into());
    let (code, json) = run_bot(&env, &["check", "--json"]).await;
    let findings: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &findings[0]["state"]), (2, &"wrong".into()));
    let says = findings[0]["says"].as_str().unwrap();
    assert!(
        says.contains("sessions.per_user: \"many\" is not a number"),
        "{says}"
    );
    env.assert_clean().await;
}

#[tokio::test]
async fn sessions_on_this_machine_are_looked_at_too() {
    let mut home = LocalEnv::start().await;
    home.bot.kill().await;
    let looked = async |home: &LocalEnv| {
        let output = command(&["check"], &home.variables).output().await.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = looked(&home).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("ok    DuckDB: ") && text.contains("ok    folder: "),
        "{text}"
    );
    let tried = command(&["check", "--session"], &home.variables).output();
    let text = String::from_utf8(tried.await.unwrap().stdout).unwrap();
    assert!(text.contains("ok    session: http://duckui-"), "{text}");
    assert_eq!(home.leftovers(), [""; 0]);
    let further = "DUCKBOT_DUCKDB__EXTENSIONS";
    home.variables.insert(further.into(), "spatial".into());
    let (code, text) = looked(&home).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("can't load its extensions; install them, or set local.extensions")
            && text.contains("spatial.duckdb_extension\" not found"),
        "{text}"
    );
    home.variables.remove(further);
    home.variables
        .insert("DUCKBOT_LOCAL__DUCKDB".into(), "/nowhere/duckdb".into());
    let (code, text) = looked(&home).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains(
            "WRONG DuckDB: can't run /nowhere/duckdb; install DuckDB's command line, or correct \
             local.duckdb"
        ),
        "{text}"
    );
    home.assert_clean().await;
}

/// Starts `duckbot check --session`. Returns it and the ID of its session, whose Pod exists.
async fn start_trial(env: &TestEnv) -> (Child, String) {
    let trial = command(&["check", "--session"], &env.variables)
        .spawn()
        .unwrap();
    let look = async || {
        let all = env.cluster.objects().await;
        let pod = all.iter().find_map(|it| it.strip_prefix("pods/duckui-"));
        pod.map(str::to_owned)
    };
    let id = wait_until(look, Option::is_some).await;
    (trial, id.unwrap())
}

/// Waits until the check ends. Returns its output.
async fn output_of(trial: Child) -> String {
    let output = timeout(WAIT_TIMEOUT, trial.wait_with_output());
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_trial_session_that_can_not_run_is_named_and_removed() {
    let env = TestEnv::start().await;
    let (trial, id) = start_trial(&env).await;
    env.kubelet.mark_failed(&id, "The node is broken.").await;
    let text = output_of(trial).await;
    assert!(text.contains("WRONG session: it can't run: "), "{text}");
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn ctrl_c_removes_the_trial_session() {
    let env = TestEnv::start().await;
    let (trial, _) = start_trial(&env).await;
    signal("INT", trial.id().unwrap()).await;
    let text = output_of(trial).await;
    assert!(text.contains("WRONG session: interrupted"), "{text}");
    env.assert_nothing_left().await;
    env.assert_clean().await;
}

#[tokio::test]
async fn shells_complete_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let run = command(&["completions", shell], &Default::default());
        let output = { run }.output().await.unwrap();
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("sandbox")
        );
    }
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_named_to_whoever_may_see_that() {
    let mut env = env().await;
    let admin = test_support::Cluster::shared().kubeconfig();
    env.variables
        .insert("KUBECONFIG".into(), admin.to_str().unwrap().into());
    env.variables
        .insert("DUCKBOT_KUBERNETES__NAMESPACE".into(), "nowhere".into());
    let (_, text) = run_bot(&env, &["check"]).await;
    let line = "WRONG namespace nowhere: not found; apply deploy/, which creates it";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("WRONG namespace default"), "{text}");

    // So is the IngressClass.
    let class = env.cluster.sessions.clone();
    for (name, value) in [("KIND", "ingress"), ("INGRESS_CLASS", &class)] {
        let name = format!("DUCKBOT_ROUTING__{name}");
        env.variables.insert(name, value.into());
    }
    let (_, text) = run_bot(&env, &["check"]).await;
    let line =
        format!("WRONG ingress class: {class} (routing.ingress_class) not found; the cluster");
    assert!(text.contains(&line), "{text}");
    let classes: Api<IngressClass> = Api::all(env.cluster.admin.clone());
    let new = json!({ "metadata": { "name": class }, "spec": { "controller": "test.dev/nobody" } });
    let new = serde_json::from_value(new).unwrap();
    classes.create(&PostParams::default(), &new).await.unwrap();
    let (_, text) = run_bot(&env, &["check"]).await;
    let line = format!("ok    ingress class: {class}\n");
    assert!(text.contains(&line), "{text}");
    classes
        .delete(&class, &DeleteParams::default())
        .await
        .unwrap();
    env.assert_clean().await;
}
