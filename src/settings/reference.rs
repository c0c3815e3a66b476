//! The reference of all settings (docs/settings.md), made from the defaults, which say of each
//! what it is for. Pure.

use std::fmt::Write;

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
    // What was said since the last setting, as one paragraph.
    let mut said = Vec::new();
    for line in DEFAULTS.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            said.push(comment.strip_prefix(' ').unwrap_or(comment));
        } else if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            // Writing to a String can't fail.
            let _ = write!(text, "\n## `[{section}]`\n\n");
            if !said.is_empty() {
                let _ = write!(text, "{}\n\n", said.join("\n"));
            }
            text.push_str("```toml\n");
            said.clear();
        } else if line.is_empty() {
            if text.matches("```").count() % 2 == 1 {
                text.push_str("```\n");
            }
            // What stands alone before the first section is about the file itself.
            if text.matches("\n## ").count() == 0 {
                said.clear();
            }
            // An example, with words between its lines.
            if !said.is_empty() {
                text.push_str("\n```toml\n");
                for line in said.drain(..) {
                    let is_toml = line.starts_with('[') || line.contains(" = ");
                    let _ = writeln!(text, "{}{line}", if is_toml { "" } else { "# " });
                }
                text.push_str("```\n");
            }
        } else {
            for comment in said.drain(..) {
                let _ = writeln!(text, "# {comment}");
            }
            let _ = writeln!(text, "{line}");
        }
    }
    if text.matches("```").count() % 2 == 1 {
        text.push_str("```\n");
    }
    text
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
