//! The console blocks of docs/operations.md and docs/runbooks.md.

/// Marks a section, or the paragraph before a block, that no test runs.
const MARK: &str = "(not tested here)";

/// Ways to install, as the titles of their sections name them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Helm,
    Kustomize,
}

/// Number of commands up to the first session, by the table of docs/operations.md.
pub fn stated_commands() -> usize {
    let page = include_str!("../../docs/operations.md");
    let (_, table) = page.split_once("| step | commands |").unwrap();
    let rows = table.split("\n\n").next().unwrap().lines();
    let counts = rows.filter_map(|row| row.split('|').nth(2)?.trim().parse::<usize>().ok());
    counts.sum()
}

/// Console block of a page.
pub struct Block {
    pub section: String,
    pub commands: Vec<String>,
    /// Lines that the page shows as the output of the block. "…" stands for any text.
    pub output: Vec<String>,
    pub is_marked: bool,
}

impl Block {
    /// Reads the blocks of docs/operations.md.
    pub fn all() -> Vec<Self> {
        Self::read(include_str!("../../docs/operations.md"), "## ")
    }

    /// Reads the blocks of README.md.
    pub fn of_readme() -> Vec<Self> {
        Self::read(include_str!("../../README.md"), "## ")
    }

    /// Reads the blocks of the chart's page.
    pub fn of_chart() -> Vec<Self> {
        Self::read(include_str!("../../deploy/chart/README.md"), "## ")
    }

    /// Reads the blocks about symptoms in docs/runbooks.md.
    pub fn of_symptoms() -> Vec<Self> {
        let (_, page) = include_str!("../../docs/runbooks.md")
            .split_once("\n## Symptoms\n")
            .unwrap();
        Self::read(page.split("\n## ").next().unwrap(), "### ")
    }

    fn read(page: &str, heading: &str) -> Vec<Self> {
        let mut blocks: Vec<Self> = Vec::new();
        let (mut section, mut paragraph) = (String::new(), String::new());
        let (mut is_open, mut is_output, mut is_new_paragraph) = (false, false, true);
        for line in page.lines() {
            match line {
                "```console" => {
                    is_open = true;
                    blocks.push(Self {
                        section: section.clone(),
                        commands: Vec::new(),
                        output: Vec::new(),
                        is_marked: section.contains(MARK) || paragraph.contains(MARK),
                    });
                }
                // Settings and policies, not commands.
                "```toml" | "```json" | "```yaml" => {}
                "```text" => is_output = true,
                "```" => (is_open, is_output) = (false, false),
                _ if line.starts_with("```") => panic!("neither run nor marked: {line}"),
                _ if is_output => blocks.last_mut().unwrap().output.push(line.to_owned()),
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
                    if let Some(title) = line.strip_prefix(heading) {
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
