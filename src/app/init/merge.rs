//! Merges new answers into a file that may have been edited by hand. Pure.

use std::ops::Range;

/// Result of a merge.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// The file. Where both changed the same lines, it has the new ones.
    pub(super) text: String,
    /// Lines that were edited by hand and are lost, each with its replacement.
    pub(super) conflicts: Vec<String>,
}

/// Applies the changes from `base` to `new` to the text `edited`, which was `base` once.
///
/// A conflict is only a change of the same line. Lines beside it stay, so that no edit is lost.
pub(super) fn merge(base: &str, edited: &str, new: &str) -> Merged {
    let [base, edited, new] = [base, edited, new].map(|text| text.lines().collect::<Vec<_>>());
    let places = matches(&base, &edited);
    let mut lines: Vec<&str> = Vec::new();
    let mut conflicts: Vec<String> = Vec::new();
    let mut at = 0;
    for (old, replacement) in changes(&base, &new) {
        let replacement = &new[replacement];
        let (mut place, mut is_clean) = match unchanged(&old, &places) {
            Some(place) => (place, true),
            None => (around(&old, &places, edited.len()), false),
        };
        place = place.start.max(at)..place.end.max(at);
        is_clean |= &edited[place.clone()] == replacement;
        if !is_clean {
            let lost = edited[place.clone()]
                .iter()
                .map(|line| format!("- {line}\n"));
            let added = replacement.iter().map(|line| format!("+ {line}\n"));
            conflicts.push(lost.chain(added).collect());
        }
        lines.extend(&edited[at..place.start]);
        lines.extend(replacement);
        at = place.end;
    }
    lines.extend(&edited[at..]);
    let text = lines.join("\n") + "\n";
    Merged { text, conflicts }
}

/// Finds for each line of `a` its place in `b`, as a longest common subsequence has it.
fn matches(a: &[&str], b: &[&str]) -> Vec<Option<usize>> {
    // Length of the longest common subsequence of the rests that begin at each pair of lines.
    let mut lengths = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] = if a[i] == b[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let mut j = 0;
    let place = |i: usize| {
        while j < b.len() && a[i] != b[j] && lengths[i][j + 1] >= lengths[i + 1][j] {
            j += 1;
        }
        let is_match = j < b.len() && a[i] == b[j];
        j += usize::from(is_match);
        is_match.then(|| j - 1)
    };
    (0..a.len()).map(place).collect()
}

/// Finds the ranges of lines that differ.
fn changes(base: &[&str], new: &[&str]) -> Vec<(Range<usize>, Range<usize>)> {
    let places = matches(base, new);
    let mut changes = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < base.len() || j < new.len() {
        if places.get(i) == Some(&Some(j)) {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let kept = places[i..].iter().position(Option::is_some);
        let end = kept.map_or(base.len(), |kept| i + kept);
        let new_end = places.get(end).copied().flatten().unwrap_or(new.len());
        changes.push((i..end, j..new_end));
        (i, j) = (end, new_end);
    }
    changes
}

/// Place of lines in the edited file, if they are there, together and unchanged.
fn unchanged(old: &Range<usize>, places: &[Option<usize>]) -> Option<Range<usize>> {
    let place = |line: usize| places.get(line).copied().flatten();
    if old.is_empty() {
        let after = old.start.checked_sub(1).and_then(place).map(|it| it + 1);
        let at = after.or_else(|| place(old.start))?;
        return Some(at..at);
    }
    let start = place(old.start)?;
    let is_there = |line: usize| place(line) == Some(start + line - old.start);
    old.clone().all(is_there).then(|| start..start + old.len())
}

/// Part of the edited file between the nearest unchanged lines.
fn around(old: &Range<usize>, places: &[Option<usize>], length: usize) -> Range<usize> {
    let before = places[..old.start].iter().rev().find_map(|it| *it);
    let after = places[old.end..].iter().find_map(|it| *it);
    before.map_or(0, |it| it + 1)..after.unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "guild: 1\nroles: []\nimage:\n  registry: a\n  tag: b\n";

    fn merged(edited: &str, new: &str) -> (String, Vec<String>) {
        let Merged { text, conflicts } = merge(BASE, edited, new);
        (text, conflicts)
    }

    #[test]
    fn edits_by_hand_stay_also_beside_a_change() {
        let new = BASE.replace("tag: b", "tag: c");
        for edited in [
            BASE.replace("roles: []", "roles: [7]"),
            BASE.to_owned() + "limits: true\n",
            "# Mine\n".to_owned() + BASE,
            BASE.replace("  tag", "  pullPolicy: Always\n  tag"),
            BASE.replace("  registry: a\n", ""),
            BASE.replace("guild: 1\nroles: []\n", ""),
        ] {
            let expected = edited.replace("tag: b", "tag: c");
            assert_eq!(merged(&edited, &new), (expected, Vec::new()));
        }
    }

    #[test]
    fn new_lines_are_added_and_old_ones_removed() {
        let edited = BASE.replace("roles: []", "roles: [7]");
        let new = BASE.replace("  registry: a", "  registry: a\n  path: style");
        let expected = edited.replace("  registry: a", "  registry: a\n  path: style");
        assert_eq!(merged(&edited, &new), (expected, Vec::new()));
        let new = BASE.replace("  registry: a\n", "");
        let expected = edited.replace("  registry: a\n", "");
        assert_eq!(merged(&edited, &new), (expected, Vec::new()));
    }

    #[test]
    fn lines_that_both_changed_are_named() {
        let edited = BASE.replace("tag: b", "tag: mine");
        let new = BASE.replace("tag: b", "tag: c");
        let conflict = "-   tag: mine\n+   tag: c\n".to_owned();
        assert_eq!(merged(&edited, &new), (new, vec![conflict]));
        let edited = BASE.replace("  tag: b\n", "");
        let new = BASE.replace("tag: b", "tag: c");
        assert_eq!(
            merged(&edited, &new),
            (new, vec!["+   tag: c\n".to_owned()])
        );
    }

    #[test]
    fn an_edit_that_is_the_new_answer_is_no_conflict() {
        let new = BASE.replace("guild: 1", "guild: 2");
        assert_eq!(merged(&new, &new), (new.clone(), Vec::new()));
    }
}
