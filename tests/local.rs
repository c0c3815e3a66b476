//! Tests of the local runtime (`sessions.runtime = "local"`): differences from a cluster.
//! `runtimes` tests the common behaviour.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use discord_loopback::{MessageView, Person, RestFault};
use duckbot::duckdb::confine;
use serde_json::json;
use tempfile::TempDir;
use test_support::{
    Bot, LocalEnv, PERMANENT_CREDENTIALS, UiClient, WAIT_TIMEOUT, assert_says, duckdb_pids, lake,
    leaked_credentials, link_of, session_id_in, tools, wait_until,
};

pub async fn reply_to(person: &Person, line: &str) -> MessageView {
    person
        .run_command("#data", line)
        .await
        .unwrap()
        .reply()
        .await
}

/// Starts a session, and waits until it is ready. Returns its ID.
pub async fn ready_session(person: &Person) -> String {
    let asked = person.run_command("#data", "/duck start").await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    assert_says(&person.read("#data").await, &id);
    id
}

/// Starts a bot whose sessions save their work in the lake, with further settings.
pub async fn start_with_work(settings: &[(&str, &str)]) -> LocalEnv {
    let mut home = LocalEnv::start().await;
    let storage = lake().s3.url();
    let work = [
        ("DUCKBOT_CATALOGS__LAKE__S3_ENDPOINT", &*storage),
        ("DUCKBOT_CATALOGS__LAKE__WORK", "s3://lake/duckbot/"),
    ];
    let settings = work.iter().chain(settings);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    home.variables.extend(settings);
    home.restart_bot().await;
    home
}

pub async fn stop_session(person: &Person) {
    let question = reply_to(person, "/duck stop").await;
    let pressed = person.press(&question, "Stop it").await.unwrap();
    pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
}

#[tokio::test]
async fn credentials_are_in_a_file_that_only_the_bot_reads_and_nowhere_else() {
    let home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    let id = ready_session(&home.ana).await;
    let file = home
        .folder()
        .join("credentials")
        .join(home.ana.id().to_string());
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for entry in home.leftovers() {
        let path = home.folder().join(entry);
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(leaked_credentials(&text), [""; 0], "{}", path.display());
        }
    }
    let ui = open_ui(&home.ana).await;
    for sql in [
        format!("FROM read_text('{}')", file.display()),
        "FROM read_text('/proc/self/environ')".into(),
        "SELECT getenv('S3_SECRET_ACCESS_KEY')".into(),
        format!(
            "COPY (SELECT 1) TO '{}'",
            home.folder().join("records/x").display()
        ),
    ] {
        let why = ui.run_sql(&sql).await.unwrap_err();
        assert!(why.contains("Permission Error"), "{sql}: {why}");
    }

    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", duckdb_pids(&id)[0]));
    assert_eq!(leaked_credentials(&arguments.unwrap()), [""; 0]);
    assert_eq!(leaked_credentials(&home.bot.log()), [""; 0]);

    stop_session(&home.ana).await;
    let question = reply_to(&home.ana, "/duck forget").await;
    let pressed = home.ana.press(&question, "Delete").await.unwrap();
    pressed.reply().await;
    assert!(!file.exists());
    home.assert_clean().await;
}

#[tokio::test]
async fn not_even_another_program_gets_out_of_a_session() {
    if !confine::is_supported() {
        eprintln!("skipped: this system has no Landlock");
        return;
    }
    let mut home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    let (outside, programs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let duckdb = outside.path().join("duckdb");
    link_extensions(programs.path());
    let real = programs.path().join("duckdb");
    symlink(tools::duckdb().join("duckdb"), &real).unwrap();
    let stored = home.folder().join("credentials");
    let stored = stored.join(home.ana.id().to_string());
    // It runs in DuckDB's place: first it tries what SQL can't.
    let script = format!(
        "#!/bin/sh\n\
         {{ cat {}; echo >{}/written-$SESSION_ID; }} >\"$HOME/read\" 2>&1\n\
         exec {} \"$@\"\n",
        stored.display(),
        outside.path().display(),
        real.display(),
    );
    fs::write(&duckdb, script).unwrap();
    fs::set_permissions(&duckdb, fs::Permissions::from_mode(0o755)).unwrap();
    let duckdb = duckdb.to_str().unwrap().to_owned();
    let extensions = programs.path().to_str().unwrap().to_owned();
    home.variables.extend([
        ("DUCKBOT_LOCAL__DUCKDB".to_owned(), duckdb),
        ("DUCKBOT_LOCAL__EXTENSIONS".to_owned(), extensions),
    ]);
    home.restart_bot().await;
    let id = ready_session(&home.ana).await;
    let read = fs::read_to_string(home.folder().join("sessions").join(&id).join("read")).unwrap();
    assert_eq!(read.matches("Permission denied").count(), 2, "{read}");
    assert_eq!(leaked_credentials(&read), [""; 0]);
    assert!(!outside.path().join(format!("written-{id}")).exists());
    stop_session(&home.ana).await;
    home.assert_clean().await;
}

/// Opens the UI of a person's only session.
pub async fn open_ui(person: &Person) -> UiClient {
    let link = link_of(&reply_to(person, "/duck open").await, "Open DuckDB");
    let port = link.split(':').nth(2).unwrap().split('/').next().unwrap();
    UiClient::enter(&link, &format!("http://127.0.0.1:{port}")).await
}

#[tokio::test]
async fn work_is_there_again_after_a_restart_of_the_bot_and_after_a_stop() {
    const BIRDS: &str = "SELECT name FROM birds";
    let mut home = start_with_work(&[]).await;
    let (key, secret) = ("AKIAWORKONTHISMACHINE", "a-secret-for-work-on-this-machine");
    lake().s3.add_key(key, secret);
    let reply = home.try_key_pair(&home.ana, key, secret).await;
    assert_says(&reply, "Your notebooks and tables are saved with them.");

    ready_session(&home.ana).await;
    let ui = open_ui(&home.ana).await;
    ui.run_sql("CREATE TABLE birds AS SELECT 'teal' AS name")
        .await
        .unwrap();
    let status = reply_to(&home.ana, "/duck status").await;
    assert_says(&status, "Its work is not saved yet.");
    home.restart_bot().await;
    let back = home.ana.read("#data").await;
    assert_says(&back, "Your notebooks and tables are still here.");
    let teal = json!([{ "name": "teal" }]);
    assert_eq!(open_ui(&home.ana).await.rows(BIRDS).await, Ok(teal.clone()));

    let question = reply_to(&home.ana, "/duck stop").await;
    assert_says(&question, "Its notebooks and tables are saved first");
    let pressed = home.ana.press(&question, "Stop it").await.unwrap();
    let stopped = pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
    assert_says(&stopped, "Your work is saved (1 table, ");
    assert_eq!(home.leftovers(), [""; 0]);

    let asked = home.ana.run_command("#data", "/duck start").await.unwrap();
    asked
        .until(|reply| reply.content.contains("is ready"))
        .await;
    assert_says(&home.ana.read("#data").await, " is here: 1 table.");
    let ui = open_ui(&home.ana).await;
    assert_eq!(ui.rows(BIRDS).await, Ok(teal));

    ui.run_sql("INSERT INTO birds VALUES ('smew')")
        .await
        .unwrap();
    lake().s3.forget(key);
    let question = reply_to(&home.ana, "/duck stop").await;
    let pressed = home.ana.press(&question, "Stop it").await.unwrap();
    let stopped = pressed
        .until(|reply| reply.content.contains("is stopped"))
        .await;
    assert_says(
        &stopped,
        "**The last save failed:** the storage refused your S3 credentials",
    );
    assert_says(&stopped, "What changed since <t:");

    for (is_known, says) in [
        (
            false,
            "could be deleted: the storage refused your S3 credentials",
        ),
        (true, "Your saved notebooks and tables were deleted ("),
    ] {
        if is_known {
            lake().s3.add_key(key, secret);
        }
        let question = reply_to(&home.ana, "/duck forget").await;
        let pressed = home
            .ana
            .press(&question, "Delete saved notebooks and tables");
        let deleted = pressed.await.unwrap();
        let deleted = deleted.until(|reply| !reply.content.contains('…')).await;
        assert_says(&deleted, says);
        assert_says(&deleted, "Your credentials are still saved.");
    }
    home.assert_clean().await;
}

#[tokio::test]
async fn work_is_saved_before_an_idle_session_is_stopped() {
    let settings = [
        ("DUCKBOT_REAPER__EVERY", "1s"),
        ("DUCKBOT_REAPER__IDLE", "25s"),
        ("DUCKBOT_REAPER__WARN_BEFORE", "12s"),
    ];
    let home = start_with_work(&settings).await;
    let (key, secret) = ("AKIAIDLEWITHWORK", "a-secret-for-idle-work");
    lake().s3.add_key(key, secret);
    home.enter_key_pair(&home.ana, key, secret).await;
    ready_session(&home.ana).await;
    let ui = open_ui(&home.ana).await;
    ui.run_sql("CREATE TABLE birds AS SELECT 'teal' AS name")
        .await
        .unwrap();
    let warning = home.ana.read_dm().await;
    assert_says(&warning, "Your notebooks and tables are saved before that.");
    let told = home.ana.read("#data").await;
    assert_says(&told, "was stopped for being idle");
    assert_says(&told, "Your work is saved (1 table, ");
    home.assert_clean().await;
}

#[tokio::test]
async fn work_is_saved_before_the_keys_expire() {
    // The warning comes half a minute after the keys were entered.
    let home = start_with_work(&[("DUCKBOT_CREDENTIALS__WARN_BEFORE", "19m 30s")]).await;
    let (key, secret, token) = (
        "ASIAEXPIRING",
        "a-secret-that-expires",
        "a-token-that-expires",
    );
    let expires = chrono::Utc::now() + chrono::TimeDelta::minutes(20);
    lake().s3.add_temporary_key(key, secret, token, expires);
    let asked = home.ana.run_command("#data", "/duck setup").await.unwrap();
    asked.reply().await;
    let invitation = home.ana.read_dm().await;
    let pressed = home.ana.press(&invitation, "Enter credentials").await;
    let form = pressed.unwrap().modal().await;
    let typed = [
        (PERMANENT_CREDENTIALS[0].0, key),
        (PERMANENT_CREDENTIALS[1].0, secret),
        ("Session token", token),
        ("Session token expires", "20 min"),
    ];
    let sent = home.ana.submit(&form, &typed).await.unwrap();
    assert_says(&sent.reply().await, "were checked and saved");
    ready_session(&home.ana).await;
    let ui = open_ui(&home.ana).await;
    ui.run_sql("CREATE TABLE birds AS SELECT 'teal' AS name")
        .await
        .unwrap();
    assert_says(&home.ana.read_dm().await, "**expire <t:");
    let is_saved = |status: &MessageView| status.content.contains("Its work was saved <t:");
    wait_until(async || reply_to(&home.ana, "/duck status").await, is_saved).await;
    home.assert_clean().await;
}

#[tokio::test]
async fn processes_end_with_the_bot() {
    let mut home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    let id = ready_session(&home.ana).await;
    let status = home
        .bot
        .terminate(WAIT_TIMEOUT)
        .await
        .expect("the bot ended in time");
    assert_eq!(status.code(), Some(0));
    wait_until(async || duckdb_pids(&id), Vec::is_empty).await;
    home.assert_clean().await;
}

#[tokio::test]
async fn processes_end_with_a_bot_that_is_killed() {
    let mut home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    let id = ready_session(&home.ana).await;
    home.bot.kill().await;
    wait_until(async || duckdb_pids(&id), Vec::is_empty).await;
    home.assert_clean().await;
}

#[tokio::test]
async fn a_failing_disk_is_reported_and_nothing_is_half_made() {
    let home = LocalEnv::start().await;
    home.enter_credentials(&home.ana).await;
    let records = home.folder().join("records");
    std::fs::remove_dir(&records).unwrap();
    std::fs::write(&records, "in the way").unwrap();
    let refused = reply_to(&home.ana, "/duck start").await;
    assert_says(
        &refused,
        "I can't read or write a file on my disk (Not a directory",
    );
    assert_says(&refused, "(Reference: `");

    std::fs::remove_file(&records).unwrap();
    std::fs::create_dir(&records).unwrap();
    ready_session(&home.ana).await;
    stop_session(&home.ana).await;
    home.assert_clean().await;
}

#[tokio::test]
async fn a_second_bot_in_the_same_folder_gives_up() {
    let home = LocalEnv::start().await;
    let mut second = Bot::start(&home.variables);
    let status = second
        .wait(WAIT_TIMEOUT)
        .await
        .expect("the bot exited in time");
    assert_eq!(status.code(), Some(1));
    assert!(
        second.log().contains("another duckbot uses the folder "),
        "{}",
        second.log()
    );
    home.assert_clean().await;
}

#[tokio::test]
async fn a_duckdb_that_is_not_there_is_named_at_the_start() {
    let mut home = LocalEnv::start().await;
    home.bot.kill().await;
    let nowhere = "/nowhere/duckdb".to_owned();
    home.variables
        .insert("DUCKBOT_LOCAL__DUCKDB".into(), nowhere);
    let log = refused_start(&home).await;
    let said = "can't run /nowhere/duckdb; install DuckDB's command line, or correct local.duckdb";
    assert!(log.contains(said), "{log}");
    home.assert_clean().await;
}

/// Starts the bot, which must give up. Returns its log.
async fn refused_start(home: &LocalEnv) -> String {
    let mut bot = Bot::start(&home.variables);
    let status = bot.wait(WAIT_TIMEOUT).await;
    assert_eq!(status.expect("the bot exited in time").code(), Some(1));
    bot.log()
}

#[tokio::test]
async fn a_duckdb_without_its_extensions_is_named_at_the_start() {
    let mut home = LocalEnv::start().await;
    home.bot.kill().await;
    let nowhere = "DUCKBOT_LOCAL__EXTENSIONS";
    home.variables.insert(nowhere.into(), "/nowhere".into());
    let log = refused_start(&home).await;
    let said = "duckdb can't load its extensions; install them, or set local.extensions to the \
                folder that contains them: IO Error: Extension \"/nowhere/v";
    assert!(log.contains(said), "{log}");
    home.assert_clean().await;
}

#[tokio::test]
async fn another_version_of_duckdb_is_named_at_the_start() {
    let mut home = LocalEnv::start().await;
    home.bot.kill().await;
    let folder = TempDir::new().unwrap();
    let old = folder.path().join("duckdb");
    fs::write(&old, "#!/bin/sh\necho v1.4.4\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let path = old.to_str().unwrap().to_owned();
    home.variables.insert("DUCKBOT_LOCAL__DUCKDB".into(), path);
    let log = refused_start(&home).await;
    let said = "/duckdb is DuckDB v1.4.4; install DuckDB 1.5, or set local.duckdb to its path";
    assert!(log.contains(said), "{log}");
    home.assert_clean().await;
}

/// Links DuckDB's extensions into a folder, and returns the link of the extension `ui`.
fn link_extensions(folder: &Path) -> PathBuf {
    let from = tools::duckdb().join("extensions");
    let version = fs::read_dir(&from).unwrap().next().unwrap().unwrap();
    let platform = fs::read_dir(version.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let to = folder.join(platform.path().strip_prefix(&from).unwrap());
    fs::create_dir_all(&to).unwrap();
    for file in fs::read_dir(platform.path()).unwrap() {
        let file = file.unwrap();
        symlink(file.path(), to.join(file.file_name())).unwrap();
    }
    to.join("ui.duckdb_extension")
}

#[tokio::test]
async fn the_extensions_of_the_bots_user_are_found() {
    let mut home = LocalEnv::start().await;
    let user = TempDir::new().unwrap();
    link_extensions(&user.path().join(".duckdb/extensions"));
    let path = user.path().to_str().unwrap().to_owned();
    home.variables.insert("HOME".into(), path);
    home.variables.remove("DUCKBOT_LOCAL__EXTENSIONS");
    home.restart_bot().await;
    home.enter_credentials(&home.ana).await;
    ready_session(&home.ana).await;
    stop_session(&home.ana).await;
    home.assert_clean().await;
}

#[tokio::test]
async fn the_log_and_admins_are_told_why_duckdb_does_not_start() {
    let mut home = LocalEnv::start().await;
    let folder = TempDir::new().unwrap();
    let ui = link_extensions(folder.path());
    let ops = home.discord.channel("data").to_string();
    for (name, value) in [
        ("DUCKBOT_LOCAL__EXTENSIONS", folder.path().to_str().unwrap()),
        ("DUCKBOT_DISCORD__ADMIN_CHANNEL", &ops),
    ] {
        home.variables.insert(name.into(), value.into());
    }
    home.restart_bot().await;
    home.enter_credentials(&home.ana).await;
    fs::remove_file(&ui).unwrap();
    let asked = home.ana.run_command("#data", "/duck start").await.unwrap();
    let told = asked
        .until(|it| it.content.contains("crashed repeatedly"))
        .await;

    let why = format!(
        "Loading DuckDB's UI failed: IO Error: Extension \"{}\" not found.",
        ui.display()
    );
    assert_says(&home.ana.read("#data").await, &why);
    assert!(!told.content.contains("ui.duckdb_extension"), "{told:?}");
    let log = home.bot.log();
    let line = log
        .lines()
        .find(|line| line.contains("DuckDB keeps crashing"));
    assert!(line.is_some_and(|line| line.contains(&why)), "{log}");
    home.assert_clean().await;
}

/// Replaces the stored credentials of `person` through `/duck setup`.
pub(crate) async fn replace_credentials(
    person: &Person,
    key_id: &str,
    secret: &str,
) -> MessageView {
    let shown = reply_to(person, "/duck setup").await;
    let pressed = person.press(&shown, "Replace").await.unwrap();
    let form = pressed.modal().await;
    let typed = [("Access key ID", key_id), ("Secret access key", secret)];
    person.submit(&form, &typed).await.unwrap().reply().await
}

#[tokio::test]
async fn credentials_that_are_replaced_during_a_start_reach_the_session() {
    let home = LocalEnv::start().await;
    let ana = &home.ana;
    home.s3.add_key("AKIAPREVIOUS", "the-previous-secret");
    home.enter_key_pair(ana, "AKIAPREVIOUS", "the-previous-secret")
        .await;
    // DuckDB has read the credentials, and the session is not announced yet.
    let messages = "/channels/{channel}/messages";
    let later = RestFault::respond("POST", messages, 500, 0, "later");
    home.discord.inject_fault(later.times(usize::MAX));
    let asked = ana.run_command("#data", "/duck start").await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    wait_until(async || duckdb_pids(&id).len(), |count| *count == 1).await;
    let [(_, key_id), (_, secret)] = PERMANENT_CREDENTIALS;
    let stored = replace_credentials(ana, key_id, secret).await;
    let told = format!("Session `{id}` gets them when it is ready.");
    assert_says(&stored, &told);
    home.discord.clear_faults();
    assert_says(&ana.read("#data").await, &id);
    let renewed = format!("renewed the credentials of {id}: done");
    wait_until(async || home.bot.log(), |log| log.contains(&renewed)).await;
    home.assert_clean().await;
}

#[tokio::test]
async fn the_owner_is_told_if_a_session_keeps_its_credentials_when_it_is_ready() {
    let home = LocalEnv::start().await;
    let ana = &home.ana;
    home.s3.add_key("AKIAPREVIOUS", "the-previous-secret");
    home.enter_key_pair(ana, "AKIAPREVIOUS", "the-previous-secret")
        .await;
    let messages = "/channels/{channel}/messages";
    let later = RestFault::respond("POST", messages, 500, 0, "later");
    home.discord.inject_fault(later.times(usize::MAX));
    let asked = ana.run_command("#data", "/duck start").await.unwrap();
    let id = session_id_in(&asked.reply().await.content);
    wait_until(async || duckdb_pids(&id).len(), |count| *count == 1).await;
    let [(_, key_id), (_, secret)] = PERMANENT_CREDENTIALS;
    replace_credentials(ana, key_id, secret).await;
    // A session of an older version has no socket.
    let session = home.folder().join("sessions").join(&id);
    fs::remove_file(session.join(".duckdb/control.sock")).unwrap();
    home.discord.clear_faults();
    assert_says(&ana.read("#data").await, &id);
    let told = ana.read_dm().await;
    let text = format!("Your session `{id}` still uses your previous credentials");
    assert_says(&told, &text);
    assert!(told.button("Restart with the new credentials").is_some());
    home.assert_clean().await;
}

#[tokio::test]
async fn a_running_session_takes_new_credentials() {
    let home = LocalEnv::start().await;
    let ana = &home.ana;
    home.s3.add_key("AKIAPREVIOUS", "the-previous-secret");
    home.enter_key_pair(ana, "AKIAPREVIOUS", "the-previous-secret")
        .await;
    let id = ready_session(ana).await;
    let [(_, key_id), (_, secret)] = PERMANENT_CREDENTIALS;
    let stored = replace_credentials(ana, key_id, secret).await;
    assert_says(&stored, &format!("Session `{id}` now uses them."));
    assert!(stored.button("Restart with the new credentials").is_none());
    assert!(
        home.bot
            .log()
            .contains(&format!("renewed the credentials of {id}"))
    );
    home.assert_clean().await;
}
