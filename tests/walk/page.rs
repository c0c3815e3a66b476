//! The console blocks of docs/operations.md.

/// Marks a section, or the paragraph before a block, that no test runs.
const MARK: &str = "(not tested here)";

/// Ways to install, as the titles of their sections name them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Helm,
    Kustomize,
}

/// Console block of the page.
pub struct Block {
    pub section: String,
    pub commands: Vec<String>,
    pub is_marked: bool,
}

impl Block {
    /// Reads the blocks of the page.
    pub fn all() -> Vec<Self> {
        let mut blocks: Vec<Self> = Vec::new();
        let (mut section, mut paragraph) = (String::new(), String::new());
        let (mut is_open, mut is_new_paragraph) = (false, true);
        for line in include_str!("../../docs/operations.md").lines() {
            match line {
                "```console" => {
                    is_open = true;
                    blocks.push(Self {
                        section: section.clone(),
                        commands: Vec::new(),
                        is_marked: section.contains(MARK) || paragraph.contains(MARK),
                    });
                }
                // Settings and policies, not commands.
                "```toml" | "```json" => {}
                "```" => is_open = false,
                _ if line.starts_with("```") => panic!("neither run nor marked: {line}"),
                _ if is_open => {
                    let commands = &mut blocks.last_mut().unwrap().commands;
                    match commands
                        .last_mut()
                        .and_then(|it| it.strip_suffix('\\').map(str::len))
                    {
                        Some(length) => {
                            let last = commands.last_mut().unwrap();
                            last.truncate(length);
                            last.push_str(line.trim_start());
                        }
                        None => commands.push(line.to_owned()),
                    }
                }
                "" => is_new_paragraph = true,
                _ => {
                    if let Some(title) = line.strip_prefix("## ") {
                        section = title.to_owned();
                    }
                    if is_new_paragraph {
                        paragraph.clear();
                    }
                    is_new_paragraph = false;
                    paragraph.push_str(line);
                    paragraph.push(' ');
                }
            }
        }
        blocks
    }

    /// Returns true if the block belongs to a way. Those about no way belong to Kustomize, and what
    /// every installation needs to both.
    pub fn is_of(&self, way: Way) -> bool {
        match way {
            Way::Helm => {
                let both = ["Describe the installation", "Check"];
                self.section.contains("with Helm")
                    || both.iter().any(|it| self.section.ends_with(it))
            }
            Way::Kustomize => !self.section.contains("with Helm"),
        }
    }
}
