//! The runbooks of docs/runbooks.md: every console block about a symptom, in its order, on an installation that
//! works. The outputs that the page shows are those of such an installation.

use std::fs;

use test_support::assert_says;

use super::{Block, Walk};
use crate::{deploy::kubectl, doctor};

impl Walk {
    /// Runs the blocks. The last ones remove all that the installation knows of Ana.
    pub(super) async fn follow_runbooks(&self) {
        self.trust_sessions();
        let variables = format!(
            "session={}\nperson={}\n",
            self.next_session().await,
            self.ana.id()
        );
        for block in Block::of_symptoms().iter().filter(|it| !it.is_marked) {
            // The page's values of the variables are examples.
            let is_own =
                |line: &&String| !line.starts_with("session=") && !line.starts_with("person=");
            let lines: Vec<_> = block.commands.iter().filter(is_own).cloned().collect();
            let script = variables.clone() + &lines.join("\n");
            let is_about_quota = script.contains("describe quota");
            if is_about_quota {
                self.use_up_quota().await;
            }
            let (succeeded, text) = self.execute(&script).await;
            assert!(succeeded, "{}\n{script}\n{text}", block.section);
            assert_shows(&text, block);
            if is_about_quota {
                assert!(words_of(&text).any(|it| it == "pods 1 1"), "{text}");
                kubectl("delete quota full -n duckbot-sessions").await;
            }
        }
        let asked = self.ana.run_command("#data", "/duck start").await.unwrap();
        asked.modal().await;
    }

    /// Lets the sessions namespace have only the Pod that Ana's session has, and starts another session.
    async fn use_up_quota(&self) {
        kubectl("create quota full -n duckbot-sessions --hard=pods=1").await;
        // A quota applies only after the cluster has computed its usage.
        let counted = "wait --for=jsonpath={.status.used.pods}=1 quota/full -n duckbot-sessions";
        kubectl(&format!("{counted} --timeout=120s")).await;
        let another = self.ana.run_command("#data", "/duck start").await.unwrap();
        let another = another.reply().await;
        let pressed = self.ana.press(&another, "Start another").await.unwrap();
        let told = pressed
            .until(|it| it.content.contains("share of the cluster"))
            .await;
        assert_says(&told, "could not be created");
        assert_says(&told, "The team's share of the cluster is used up");
        let examined = doctor::examine(&self.ben, "/duck doctor").await;
        assert_says(&examined, "❌ Cluster's rules: the team's share is used up");
    }

    /// Makes curl find the sessions, and trust their certificate.
    fn trust_sessions(&self) {
        let folder = self.folder.path();
        let address = self.traefik.address.split_once(':').unwrap().0;
        let options = format!(
            "cacert = \"{}\"\nresolve = \"*:443:{address}\"\n",
            folder.join("ca.crt").display()
        );
        fs::write(folder.join(".curlrc"), options).unwrap();
    }
}

/// Words of each line, with one space between them.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words)
}

/// Asserts that a text has the lines that the page shows, in their order. Only words count, not the spaces
/// between them.
fn assert_shows(text: &str, block: &Block) {
    let mut printed = words_of(text);
    for shown in &block.output {
        let shown = words_of(shown).next().unwrap_or_default();
        let fits = |line: String| {
            let mut rest = line.as_str();
            shown.split('…').all(|part| {
                let found = rest.split_once(part.trim());
                found.inspect(|(_, after)| rest = after).is_some()
            })
        };
        assert!(
            printed.any(fits),
            "{}: no line like {shown:?} in\n{text}",
            block.section
        );
    }
}
