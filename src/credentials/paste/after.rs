//! The text after a value without quotes: is it the second half of the value?

use super::names;

/// Names of services, as the first word of a label.
const SERVICES: [&str; 6] = ["ceph", "garage", "lake", "minio", "s3", "storage"];

/// Maximum number of words up to a name that belong to a label.
const MAX_LABEL_WORDS: usize = 4;

/// Words that stand between values in commands, on web pages and in sentences.
const ORDINARY: &[&str] = &[
    "account",
    "active",
    "alias",
    "also",
    "and",
    "anzeigen",
    "api",
    "applicationid",
    "authorized",
    "auto",
    "aws",
    "best",
    "bitte",
    "browser",
    "bucket",
    "bye",
    "cheers",
    "click",
    "close",
    "console",
    "copy",
    "created",
    "createdat",
    "date",
    "declare",
    "default",
    "description",
    "done",
    "download",
    "duckdb",
    "einen",
    "end",
    "endpoint",
    "env",
    "expires",
    "expiresat",
    "export",
    "false",
    "for",
    "from",
    "gruß",
    "grüße",
    "hallo",
    "here",
    "hide",
    "hope",
    "host",
    "http",
    "https",
    "inactive",
    "it",
    "keep",
    "key",
    "keys",
    "label",
    "let",
    "lg",
    "liebe",
    "mfg",
    "mit",
    "name",
    "not",
    "note",
    "off",
    "only",
    "path",
    "please",
    "profile",
    "projectid",
    "properties",
    "provider",
    "regards",
    "region",
    "s3v4",
    "save",
    "secret",
    "sent",
    "service",
    "set",
    "setenv",
    "setx",
    "show",
    "status",
    "step",
    "tags",
    "tenantid",
    "thanks",
    "that",
    "the",
    "then",
    "this",
    "true",
    "type",
    "und",
    "unset",
    "uri",
    "url",
    "use",
    "user",
    "userid",
    "username",
    "valid",
    "version",
    "viele",
    "with",
    "yes",
    "you",
    "your",
];

/// Returns true if the text after a value begins with a word that may be the rest of the value: a
/// terminal or an e-mail broke the value into two lines.
pub(crate) fn continues(after: &str) -> bool {
    let line = without_quote_mark(after.trim_start());
    let is_next_line = after[..after.len() - line.len()].contains('\n');
    let mut words = line.split_whitespace();
    let Some(word) = words.next() else {
        return false;
    };
    let bare = word.trim_end_matches([',', ';', ')', '}', ']', '"', '\'']);
    let may_be_part = |c: char| c.is_ascii_alphanumeric() || "/+=_.-".contains(c);
    if bare.is_empty() || !bare.chars().all(may_be_part) {
        return false;
    }
    if !bare.contains(|c: char| c.is_ascii_alphanumeric() || "=+/".contains(c)) || is_option(bare) {
        return false;
    }
    if is_ordinary(bare) || is_assignment(line) || is_label(line) || is_command(word) {
        return false;
    }
    let line = line.lines().next().unwrap_or_default();
    if is_next_line && is_labelled(line) || is_prefix_of_label(line) {
        return false;
    }
    let is_word = |word: &str| {
        let word = word.trim_end_matches(['.', ',', '!', '?', ':', ';']);
        !word.is_empty() && word.chars().all(char::is_alphabetic)
    };
    let is_sentence = is_next_line
        && word == bare
        && line.split_whitespace().count() > 2
        && line.split_whitespace().all(is_word);
    let has_dots_or_bars = bare.contains('_') || bare.matches('.').count() > 1;
    let is_name = has_dots_or_bars && is_property(bare) && words.next().is_some();
    !is_sentence && !is_name
}

/// Returns true if the text after a value that is shorter than it has to be begins with its rest:
/// a word that is no name of another value, also an ordinary one.
pub(crate) fn continues_short(after: &str) -> bool {
    let line = without_quote_mark(after.trim_start());
    let line = line.strip_prefix("// ").unwrap_or(line);
    let word = line.split_whitespace().next().unwrap_or_default();
    let starters = ["export", "set", "setenv", "setx", "declare", "env", "unset"];
    word.starts_with(|c: char| c.is_ascii_alphanumeric() || "/+".contains(c))
        && !starters.contains(&word)
        && !is_assignment(line)
        && names::at(line, 0).is_none_or(|it| it.is_weak)
        && !is_labelled(line.lines().next().unwrap_or_default())
        && !is_property(word.trim_end_matches(':'))
}

/// Returns true if the next row of a table goes on with a value: its first cell is empty.
pub(crate) fn continues_in_cell(after: &str) -> bool {
    let rest = after.trim_start_matches(|c: char| c == '|' || c.is_whitespace());
    let cells = after[..after.len() - rest.len()].split('|').skip(1);
    // The last piece is the space before the text.
    let count = cells.clone().count().saturating_sub(1);
    let cells: Vec<_> = cells.take(count).filter(|cell| !cell.is_empty()).collect();
    // One piece is the end of the row. Borders may be double.
    let is_gap = |cell: &&str| cell.len() > 1 && !cell.contains('\n');
    (cells.len() > 1 || cells.iter().any(is_gap)) && continues(rest)
}

/// Text without the mark of a quoted line, whose line break became a space.
fn without_quote_mark(text: &str) -> &str {
    let marks = ["> ", "| ", "+ "];
    let mark = marks.iter().find(|it| text.starts_with(**it));
    mark.map_or(text, |it| text[it.len()..].trim_start())
}

/// Returns true if a text begins with a known name, and not with a word that contains one.
fn is_label(text: &str) -> bool {
    let end = names::at(text, 0).map(|found| found.end);
    let ends = |c: char| c.is_whitespace() || "\"'`*])|>,:=".contains(c);
    end.is_some_and(|end| text[end..].starts_with(ends) && !text[end..].starts_with("=="))
}

/// Returns true if a known name with its separator is among the first words of a line: `MinIO secret
/// key: `, `2. Secret key: `.
fn is_labelled(line: &str) -> bool {
    let mut starts = vec![0];
    let spaces = line.match_indices(char::is_whitespace);
    starts.extend(spaces.map(|(at, space)| at + space.len()));
    starts.into_iter().take(MAX_LABEL_WORDS).any(|at| {
        let text = &line[at..];
        let text = text.trim_start_matches(['+', '-', '*', '$', '"', '\'', '(']);
        names::at(text, 0).is_some_and(|found| {
            let after = text[found.end..].trim_start_matches(['"', '\'', '*', ')', ' ']);
            after.starts_with([':', '=']) && !after.starts_with("==")
        })
    })
}

/// Returns true for the number of a list, the sign of a diff or the name of a container before a
/// label.
fn is_prefix_of_label(line: &str) -> bool {
    let mut words = line.splitn(2, char::is_whitespace);
    let (word, rest) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let number = word.trim_end_matches(['.', ')', ':']);
    let is_number = number.len() <= 2 && number.chars().all(|c| c.is_ascii_digit());
    let is_service = SERVICES.contains(&word.to_lowercase().as_str());
    let is_diff = word.starts_with('+') && is_assignment(&word[1..]);
    let is_container = rest.trim_start().starts_with("| ");
    let rest = rest.trim_start().trim_start_matches(['|', ' ']);
    is_diff
        || (is_number || is_container || is_service)
            && (is_label(rest) || is_assignment(rest) || rest.starts_with('['))
}

/// A program in the folder, as the end of a line that sets variables for it.
fn is_command(word: &str) -> bool {
    word.starts_with("./")
}

/// Returns true if a text begins with `NAME=value`, `name = value` or `name: value`.
pub(crate) fn is_assignment(text: &str) -> bool {
    let name = names::identifier(text);
    let after = text[name.len()..].strip_prefix('=');
    // Base64 has `=` only at its end.
    let is_glued = after.is_some_and(|it| it.starts_with(|c: char| c != '=' && !c.is_whitespace()));
    let is_variable = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    !name.is_empty() && is_glued && is_variable || is_named_assignment(text)
}

/// Returns true if a text is an assignment, and no value that contains an equals sign.
pub(crate) fn is_named_assignment(text: &str) -> bool {
    let name = names::identifier(text);
    let rest = text[name.len()..].trim_start_matches(['"', '\'', ']', '*']);
    if name.is_empty() {
        return false;
    }
    let spaced = rest.trim_start_matches([' ', '\t']);
    if let Some(after) = spaced.strip_prefix(['=', ':']) {
        let is_glued = spaced.len() == rest.len();
        let is_known = names::at(text, 0).is_some() || is_ordinary(name) || is_property(name);
        let is_followed = !after.is_empty() && !after.starts_with('=');
        return if is_glued && spaced.starts_with('=') {
            // A single word with an equals sign may be a value with its padding.
            is_known && !after.starts_with('=')
        } else if is_glued {
            is_known || after.starts_with(char::is_whitespace) || after.starts_with("//")
        } else {
            is_followed && after.starts_with(char::is_whitespace)
        };
    }
    false
}

/// Returns true if a word stands between values in commands and sentences.
pub(crate) fn is_ordinary(word: &str) -> bool {
    ORDINARY
        .binary_search(&word.to_lowercase().as_str())
        .is_ok()
}

/// `--profile`, `-e` or the hyphen of a list.
fn is_option(word: &str) -> bool {
    let short = word.strip_prefix('-');
    word.starts_with("--") || short.is_some_and(|it| it.len() <= 2)
}

/// A name as only programs write it: `spark.hadoop.fs.s3a.endpoint`, `AWS_REGION`.
fn is_property(word: &str) -> bool {
    let has_case = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let is_mixed = has_case(char::is_ascii_lowercase) && has_case(char::is_ascii_uppercase);
    let parts = word.split(['.', '_', '-']);
    let are_words = parts
        .clone()
        .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()));
    are_words && !is_mixed && parts.count() > 1 && !word.contains(['/', '+', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(ORDINARY.is_sorted());
    }

    #[test]
    fn the_second_half_of_a_value_is_noticed() {
        for text in [
            "\nquack/2026",
            " quack/2026",
            " abc",
            "\nAbCd==\nAWS_REGION=eu",
            " == export A=b",
            " x export A=b",
            "\n/rest",
            "\ntherSecretKey+47",
            "\ntheSessionToken==",
        ] {
            assert!(continues(text), "{text:?}");
        }
    }

    #[test]
    fn a_row_whose_first_cell_is_empty_goes_on() {
        for text in [
            " |\n|      | quack/2026 |",
            " | |      | quack2026 |",
            " ||\n||      | quack2026 ||",
            " |\n| | quack/2026 |",
            " | | | quack/2026 |",
        ] {
            assert!(continues_in_cell(text), "{text:?}");
        }
        for text in [" |\n| quack | 2026 |", " | | quack | 2026", " |\n+---+---+"] {
            assert!(!continues_in_cell(text), "{text:?}");
        }
    }

    #[test]
    fn other_text_is_not_part_of_the_value() {
        for text in [
            "",
            "\n",
            " export A=b",
            "\naws_secret_access_key = x",
            " region = eu",
            "\n  region: eu",
            " AWS_REGION=eu",
            " AWS_PROFILE=",
            " Secret access key wJal",
            " # comment",
            " [other] region = eu",
            " -e A=b",
            " --profile x",
            " && duckdb",
            " \\ A=b",
            " ana@host:~$ export A=b",
            " C:\\>set A=b",
            " and the secret key: x",
            "\nHave fun with them!",
            " spark.hadoop.fs.s3a.endpoint http://x",
            " uri: http://x",
            " \u{276f} export A=b",
        ] {
            assert!(!continues(text), "{text:?}");
        }
    }
}
