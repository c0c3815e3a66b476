//! The reference of all settings (docs/settings.md), made from the defaults, which say of each
//! what it is for. Pure.

use super::DEFAULTS;

/// The text.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         <!-- Made by `duckbot settings`; a test compares them. -->\n\n\
         A file of yours (TOML), named with `--config`, says what differs from these. A variable\n\
         overrides both: `DUCKBOT_SESSIONS__PER_USER=3` sets `sessions.per_user`; lists are\n\
         written with commas. What is misspelt or can't be used is named at the start, all of it\n\
         at once. `duckbot check` looks whether what they name is there.\n",
    );
    // The first one is about the file itself.
    for block in DEFAULTS.split("\n\n").skip(1) {
        text.push_str(&section(block).unwrap_or_else(|| example(block)));
    }
    text
}

/// A section: what is said before its name, then its settings as they stand.
fn section(block: &str) -> Option<String> {
    let lines: Vec<_> = block.lines().collect();
    let at = lines.iter().position(|line| line.starts_with('['))?;
    let mut text = format!("\n## `{}`\n\n", lines[at]);
    if at > 0 {
        let said: Vec<_> = lines[..at].iter().map(|line| uncomment(line)).collect();
        text += &format!("{}\n\n", said.join("\n"));
    }
    Some(text + &format!("```toml\n{}\n```\n", lines[at + 1..].join("\n")))
}

/// An example: what is no TOML stays a comment.
fn example(block: &str) -> String {
    let lines = block.lines().map(|line| match uncomment(line) {
        toml if toml.starts_with('[') || toml.contains(" = ") => toml,
        _ => line,
    });
    let lines: Vec<_> = lines.collect();
    format!("\n```toml\n{}\n```\n", lines.join("\n"))
}

fn uncomment(comment: &str) -> &str {
    comment.trim_start_matches('#').trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_md_is_what_the_defaults_say() {
        let written = include_str!("../../docs/settings.md");
        assert_eq!(
            written,
            reference(),
            "run: cargo run -- settings > docs/settings.md"
        );
    }

    #[test]
    fn every_default_is_in_it_in_a_whole_block() {
        let text = reference();
        for line in DEFAULTS.lines().filter(|line| line.contains(" = ")) {
            assert!(text.contains(line.trim_start_matches("# ")), "{line}");
        }
        assert_eq!(text.matches("```").count() % 2, 0);
    }
}
