//! The runbooks of docs/runbooks.md: every console block about a symptom, in its order, on an installation that
//! works. The outputs that the page shows are those of such an installation.

use std::fs;

use super::{Block, Walk};

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
            let (succeeded, text) = self.execute(&script).await;
            assert!(succeeded, "{}\n{script}\n{text}", block.section);
            assert_shows(&text, block);
        }
        let asked = self.ana.run_command("#data", "/duck start").await.unwrap();
        asked.modal().await;
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

/// Asserts that a text has the lines that the page shows, in their order. Only words count, not the spaces
/// between them.
fn assert_shows(text: &str, block: &Block) {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut printed = text.lines().map(words);
    for shown in &block.output {
        let shown = words(shown);
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
