//! The bot's memory while many people ask for large results.

use discord_loopback::{MessageView, Person};
use futures_util::future::join_all;
use test_support::LocalEnv;

use crate::local::ready_session;

/// Memory limit of the bot in `deploy/base/duckbot.yaml`.
const LIMIT: u64 = 256 << 20;

/// Result of 200,000 values with 4 MB, just below both maximums. In a CSV file, each value gets quotes
/// and an apostrophe.
fn large() -> String {
    let columns: Vec<_> = (0..20)
        .map(|it| format!("'=1,2345678901234' AS c{it}"))
        .collect();
    format!(
        "/duck sql query:SELECT {} FROM range(10000)",
        columns.join(", ")
    )
}

async fn answer(person: &Person, line: &str) -> MessageView {
    let asked = person.run_command("#data", line).await.unwrap();
    let is_last = |it: &MessageView| !it.thinking && it.button("Cancel").is_none();
    asked.until(is_last).await
}

/// Peak of a process's resident memory in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib << 10
}

#[tokio::test]
async fn large_results_of_several_people_at_once_fit_into_the_bot() {
    let mut home = LocalEnv::start().await;
    for (name, value) in [
        // The log at level trace would take memory of its own.
        ("DUCKBOT_LOG__FILTER", "info"),
        // An eighth of it is for a query.
        ("DUCKBOT_SIZES__SMALL__MEMORY", "4Gi"),
    ] {
        home.variables.insert(name.into(), value.into());
    }
    home.restart_bot().await;
    let people = ["ana", "ben"].map(|name| home.discord.person(name));
    for person in &people {
        home.enter_credentials(person).await;
        ready_session(person).await;
    }
    let (large, pid) = (large(), home.bot.pid());
    let twice = people.iter().chain(&people);
    let answers = join_all(twice.map(|person| answer(person, &large))).await;
    for answer in answers {
        assert!(
            answer.content.contains("The file has"),
            "{}",
            answer.content
        );
    }
    let peak = peak(pid);
    // A session that breaks the rules can make an answer take twice as much.
    assert!(peak < LIMIT / 4 * 3, "{} MiB", peak >> 20);
    home.assert_clean().await;
}
