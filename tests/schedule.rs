//! Tests of schedules with the local runtime: the form, the posts, and the messages to their owners. The
//! bot's clock is moved; nothing waits for a due time.

mod crashes;
mod owners;

use chrono::{TimeDelta, Utc};
use discord_loopback::{MessageView, Person, SEND_MESSAGES};
use test_support::{LocalEnv, PERMANENT_CREDENTIALS, assert_says, wait_until};

use crate::local::reply_to;

const QUERY: &str = "One statement that reads";
const WEEKDAYS: (&str, &str) = ("When", "every weekday at 9:00");
/// Time within which each weekday comes.
const WEEK: TimeDelta = TimeDelta::days(7);

/// Sends the form of `/duck schedule` with these values, and returns the reply.
async fn schedule(person: &Person, values: &[(&str, &str)]) -> MessageView {
    let asked = person.run_command("#data", "/duck schedule").await;
    let form = asked.unwrap().modal().await;
    let sent = person.submit(&form, values).await.unwrap();
    sent.reply().await
}

async fn press(person: &Person, message: &MessageView, label: &str) -> MessageView {
    let pressed = person.press(message, label).await.unwrap();
    pressed.reply().await
}

/// Custom ID of a button that acts on the schedule of `made`.
fn action(made: &MessageView, action: &str) -> String {
    let delete = made.button("Delete").unwrap().custom_id.clone().unwrap();
    let (_, id) = delete.rsplit_once(':').unwrap();
    format!("duckbot:schedule-notice:{action}:{id}")
}

/// Acts on the schedule of `made`, as a button of a notice does.
async fn act(person: &Person, made: &MessageView, name: &str) -> MessageView {
    let id = action(made, name);
    let pressed = person.press_custom_id(made.id, &id).await.unwrap();
    pressed.reply().await
}

#[tokio::test]
async fn a_result_is_posted_when_it_is_due_and_only_its_owner_decides() {
    let env = LocalEnv::start_with_clock().await;
    let (ana, ben) = (&env.ana, env.discord.person("ben"));
    let sql = "SELECT 42 AS canary, '@everyone' AS who";
    let values = [(QUERY, sql), ("When", "every full moon"), ("Only if", "")];

    // Nothing that was typed is lost.
    let refused = schedule(ana, &values).await;
    assert_says(&refused, "`every full moon` is not a recurring time.");
    let form = ana.press(&refused, "Edit").await.unwrap().modal().await;
    let typed = |label: &str| form.input(label).unwrap().value.clone();
    assert_eq!(
        (typed(QUERY), typed("When")),
        (sql.into(), values[1].1.into())
    );
    assert_eq!(
        (typed("Time zone"), typed("Show as")),
        ("UTC".into(), "table".into())
    );
    let refused = ana.submit(&form, &[WEEKDAYS]).await.unwrap().reply().await;
    assert_says(&refused, "You have no saved S3 credentials");
    env.enter_credentials(ana).await;
    let form = ana.press(&refused, "Edit").await.unwrap().modal().await;
    let made = ana.submit(&form, &[]).await.unwrap().reply().await;
    assert_says(&made, "**Your query is scheduled.**");
    assert_says(&made, "Runs `every weekday at 9:00` (UTC) and posts in <#");
    let quiet = [
        (QUERY, "SELECT 1 WHERE false"),
        WEEKDAYS,
        ("Only if", "rows"),
    ];
    let loud = schedule(ana, &[(QUERY, "SELECT 1 WHERE false"), WEEKDAYS]).await;

    // A changed schedule takes the place of the old one.
    let form = ana.press(&loud, "Change…").await.unwrap().modal().await;
    let typed = |label: &str| form.input(label).unwrap().value.clone();
    assert_eq!(
        (typed(QUERY), typed("When")),
        (quiet[0].1.into(), WEEKDAYS.1.into())
    );
    let never = [("When", "0 0 30 2 *")];
    let refused = ana.submit(&form, &never).await.unwrap().reply().await;
    assert_says(&refused, "Nothing was changed yet.");
    let form = ana.press(&refused, "Edit").await.unwrap().modal().await;
    let changed = ana.submit(&form, &quiet).await.unwrap().reply().await;
    assert_says(&changed, "**Your schedule is changed.**");
    assert_says(&changed, "only if there are rows.");
    assert_says(
        &reply_to(ana, "/duck schedules").await,
        "You have 2 schedules:",
    );

    // The bot posts for nobody who could not post themselves.
    env.discord.deny_in("data", SEND_MESSAGES);
    let refused = schedule(&ben, &[(QUERY, "SELECT 1"), WEEKDAYS]).await;
    assert_says(&refused, "You lack: **Send Messages**.");
    env.discord.deny_in("data", 0);

    // Nobody else can act on it.
    let acts = ["show", "run", "pause", "resume", "delete"].map(|act| action(&made, act));
    let change = made.button("Change…").unwrap().custom_id.clone().unwrap();
    for id in acts.into_iter().chain([change]) {
        let refused = ben
            .press_custom_id(made.id, &id)
            .await
            .unwrap()
            .reply()
            .await;
        assert!(!refused.content.contains("canary"), "{}", refused.content);
        assert!(refused.button("Delete").is_none(), "{}", refused.content);
    }
    assert_says(
        &reply_to(&ben, "/duck schedules").await,
        "You have no schedules.",
    );

    // The new schedule lets the bot look at its clock.
    env.set_clock(WEEK);
    let broken = schedule(ana, &[(QUERY, "SELECT * FROM no_such_table"), WEEKDAYS]).await;
    let post = ana.read("#data").await;
    let lead = format!(
        "**Scheduled query** of {}, `every weekday at 9:00` (UTC).",
        ana.mention()
    );
    assert_says(&post, &lead);
    assert_says(&post, "It was due <t:");
    assert_says(&post, "│ @everyone");
    assert!(post.mentions.is_empty() && post.components.is_empty());
    assert!(post.nonce.is_some_and(|nonce| nonce.starts_with("run-")));
    let list = async || reply_to(ana, "/duck schedules").await.content;
    let has_both = |list: &String| list.contains(": nothing to post") && list.contains(": posted");
    wait_until(list, has_both).await;

    // A failure is told to nobody but its owner, and three pause the schedule.
    let mut message = broken;
    for _ in 0..2 {
        press(ana, &message, "Run now").await;
        message = ana.read_dm().await;
        assert_says(&message, "**Your scheduled query failed.**");
        assert_says(&message, "no_such_table");
    }
    press(ana, &message, "Run now").await;
    let last = ana.read_dm().await;
    assert_says(&last, "**3 runs in a row have failed, so it is paused.**");
    assert!(last.button("Resume").is_some() && last.button("Run now").is_none());
    press(ana, &last, "Delete").await;

    // New credentials may see more than the schedule was made for. The storage refuses requests of another week.
    env.set_clock(TimeDelta::zero());
    let shown = reply_to(ana, "/duck setup").await;
    let form = ana.press(&shown, "Replace").await.unwrap().modal().await;
    let [id, secret] = PERMANENT_CREDENTIALS;
    let typed = [id, secret, ("Session token expires", "20 min")];
    let saved = ana.submit(&form, &typed).await.unwrap().reply().await;
    assert_says(&saved, "**2 schedules are paused,**");
    let list = press(ana, &saved, "All schedules").await;
    assert_says(&list, "**paused**");

    // These end before the next run, so it could not take place.
    let tonight = (Utc::now() + TimeDelta::hours(12)).format("every day at %H:%M");
    let values = [(QUERY, sql), ("When", &*tonight.to_string())];
    let refused = schedule(ana, &values).await;
    assert_says(&refused, "which is before the next run (<t:");
    env.assert_clean().await;
}
