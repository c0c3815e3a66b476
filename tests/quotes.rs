//! Texts of duckbot that the documentation quotes: each one must be in the code.

use std::{fs, path::Path};

/// Quoted texts of other programs.
const OTHERS: [&str; 1] = ["The application did not respond"];

/// The code as one text, as far as it is needed to find quoted texts: without the line breaks of long literals,
/// and without markup.
fn code() -> String {
    let mut texts = Vec::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut texts,
    );
    let text = texts.join("\n").replace("\\\"", "\"");
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let text = lines.fold(first, |text, line| text + line.trim_start());
    text.replace(['*', '`'], "")
}

fn read(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, texts);
        // Snapshots have the texts as people read them.
        } else if path
            .extension()
            .is_some_and(|it| it == "rs" || it == "snap")
        {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Texts in quotation marks. A table row and a paragraph have theirs each.
fn quotes(page: &str) -> Vec<String> {
    let outside = page.split("```").step_by(2).collect::<String>();
    let mut units: Vec<String> = vec![String::new()];
    for line in outside.lines() {
        let last = units.last_mut().expect("there is always one");
        if line.is_empty() || line.starts_with('|') {
            units.push(line.to_owned());
        } else {
            last.push(' ');
            last.push_str(line.trim_start());
        }
    }
    // Code may have quotation marks of its own.
    let has_mark = |(at, part): &(usize, &str)| at % 2 == 1 && part.contains('"');
    let texts = units.iter().flat_map(|unit| {
        let parts = unit.split('`').enumerate();
        let text: String = parts.filter(|it| !has_mark(it)).map(|it| it.1).collect();
        let text = text.replace("**", "");
        assert!(
            text.matches('"').count().is_multiple_of(2),
            "a quote has no end: {unit}"
        );
        let quoted = text.split('"').skip(1).step_by(2).map(str::to_owned);
        quoted.collect::<Vec<_>>()
    });
    texts.collect()
}

/// Part of a page from a heading to the next one of the same level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(heading).expect(heading);
    rest.split("\n## ").next().unwrap_or_default()
}

#[test]
fn quoted_texts_are_those_of_the_code() {
    let code = code();
    let pages = [
        section(include_str!("../docs/runbooks.md"), "\n## Symptoms\n"),
        section(
            include_str!("../docs/operations.md"),
            "\n## Troubleshooting\n",
        ),
    ];
    let quoted: Vec<_> = pages.into_iter().flat_map(quotes).collect();
    assert!(quoted.len() > 40, "{quoted:?}");
    let is_missing = |quote: &&String| {
        // "…" stands for names, numbers and omitted text. A sentence can have parts from several places.
        let parts = quote
            .split('…')
            .flat_map(|it| it.split(": "))
            .flat_map(|it| it.split(". "));
        let mut parts = parts.map(|it| it.trim_matches([' ', '.', ',', ':', '(', ')']));
        parts.any(|part| !OTHERS.contains(&part) && !code.contains(part))
    };
    let missing: Vec<_> = quoted.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
