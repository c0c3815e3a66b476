//! The whole thing on one machine, to try it out: a loopback Discord in this
//! terminal, a real Kubernetes cluster, and the bot as in production.
//!
//! Where a node can run (as root on Linux), sessions are real; elsewhere nothing
//! runs in the Pods, and a stand-in reports them ready.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unused_imports)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use duckbot::sandbox::discord::{Discord, MessageView, Person};
use support::{Node, PERMANENT, Team};
use tokio::io::{AsyncBufReadExt, BufReader};

const PEOPLE: [&str; 4] = ["ana", "ben", "ada", "gil"];

const WELCOME: &str = "
You are ana, an analyst, in #data. Type commands as in Discord, or:

  press <label>   press a button of the latest message
  as <name>       be somebody else: ana, ben (analysts), ada (admin), gil (may not)
  objects         what is on the cluster now
  log             what the bot has logged
  quit            end everything (also Ctrl-C)

Try: /duck setup, then press Enter credentials, then /duck start, /duck list, /duck stop.
A key that the storage here knows, to paste into the form's first field:
";

#[tokio::main]
async fn main() {
    eprintln!("Starting a Kubernetes cluster and the bot…");
    let settings = [("DUCKBOT_LOG__FILTER", "info")];
    let node = Node::shared();
    let team = match node {
        Some(node) => Team::on(node, &settings).await,
        None => Team::with(&settings).await,
    };
    let stand_in = node.is_none().then(|| team.kubelet.is_quick());
    println!("{WELCOME}");
    let [(_, id), (_, secret)] = PERMANENT;
    println!("  aws_access_key_id={id} aws_secret_access_key={secret}\n");

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut screen = Screen::default();
    let mut me = team.ana.clone();
    let mut changes = team.discord.changes();
    loop {
        screen.show(&team.discord, &me);
        let line = tokio::select! {
            line = lines.next_line() => line.unwrap(),
            changed = changes.changed() => {
                changed.unwrap();
                continue;
            }
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(line) = line else { break };
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match word {
            "" => {}
            "quit" | "exit" => break,
            "objects" => println!("{}", team.cluster.objects().await.join("\n")),
            "as" => match somebody(&team, rest) {
                Some(person) => me = person,
                None => println!("! There is no {rest:?} here."),
            },
            "log" => print!("{}", team.log()),
            "press" => press(&team.discord, &me, &screen, rest, &mut lines).await,
            _ => {
                if let Err(why) = me.types("#data", line.trim()).await {
                    println!("! {why}");
                }
            }
        }
    }
    if let Some(stand_in) = stand_in {
        stand_in.abort();
    }
    team.reads_everything().await;
}

fn somebody(team: &Team, name: &str) -> Option<Person> {
    PEOPLE.contains(&name).then(|| team.discord.person(name))
}

/// Presses a button; if a form pops up, asks for what it wants.
async fn press(
    discord: &Discord,
    me: &Person,
    screen: &Screen,
    label: &str,
    lines: &mut tokio::io::Lines<BufReader<tokio::io::Stdin>>,
) {
    let latest = screen.shown.keys().rev().find_map(|id| {
        let message = discord.message(*id)?;
        message.button(label).is_some().then_some(message)
    });
    let Some(message) = latest else {
        println!("! There is no button {label:?}.");
        return;
    };
    let pressed = match me.presses(&message, label).await {
        Ok(pressed) => pressed,
        Err(why) => return println!("! {why}"),
    };
    pressed.acknowledged().await;
    let Some(form) = pressed.modal_if_any() else {
        return;
    };
    println!("┌ {}", form.title);
    let mut typed = Vec::new();
    for input in &form.inputs {
        println!(
            "│ {}{}",
            input.label,
            if input.required {
                ""
            } else {
                " (may be empty)"
            }
        );
        let value = lines.next_line().await.unwrap().unwrap_or_default();
        typed.push((input.label.as_str(), value));
    }
    let typed: Vec<_> = typed
        .iter()
        .map(|(label, value)| (*label, value.as_str()))
        .collect();
    if let Err(why) = me.submits(&form, &typed).await {
        println!("! {why}");
    }
}

/// What was printed so far: each message as it stood then.
#[derive(Default)]
struct Screen {
    shown: BTreeMap<u64, MessageView>,
}

impl Screen {
    /// Prints what is new or has changed for this person.
    fn show(&mut self, discord: &Discord, me: &Person) {
        let channel = me
            .sees("#data")
            .into_iter()
            .map(|message| ("#data", message));
        let private = me
            .sees_dms()
            .into_iter()
            .map(|message| ("direct message", message));
        for (place, message) in channel.chain(private) {
            if message.thinking || self.shown.get(&message.id) == Some(&message) {
                continue;
            }
            let mark = if self.shown.contains_key(&message.id) {
                "~"
            } else {
                ">"
            };
            println!("{mark} {}", rendered(discord, place, &message));
            self.shown.insert(message.id, message);
        }
    }
}

/// A message as Discord would show it: names instead of ids, buttons in brackets.
fn rendered(discord: &Discord, place: &str, message: &MessageView) -> String {
    let mut text = message.text();
    for name in PEOPLE {
        let person = discord.person(name);
        text = text.replace(&person.mention(), &format!("@{name}"));
    }
    let now = chrono::Utc::now().timestamp();
    while let Some(start) = text.find("<t:") {
        let length = text[start..].find('>').expect("a timestamp ends");
        let seconds: i64 = text[start + 3..start + length - 2]
            .parse()
            .expect("it is a number");
        text.replace_range(
            start..=start + length,
            &format!("{} seconds ago", now - seconds),
        );
    }
    let place = if message.ephemeral {
        "only you see this"
    } else {
        place
    };
    let buttons = message.components.iter().flatten();
    let buttons: String = buttons.map(|it| format!("\n  [{}]", it.label)).collect();
    format!("duckbot ({place}): {text}{buttons}")
}
