//! Splits a typed line into its command and the texts of its options. Reads the commands, no I/O.

use serde_json::Value;

use crate::body::list;

/// Type of a subcommand group. Types up to it are subcommands, all others are options.
const SUB_COMMAND_GROUP: u64 = 2;

/// A command with its subcommands, as registered by the bot.
#[derive(Debug, PartialEq)]
pub(crate) struct CommandPath<'a> {
    pub command: &'a Value,
    /// Subcommand group and subcommand, if there are any.
    pub steps: Vec<&'a Value>,
}

impl<'a> CommandPath<'a> {
    /// Definition that has the options.
    pub(crate) fn leaf(&self) -> &'a Value {
        self.steps.last().copied().unwrap_or(self.command)
    }

    /// Finds an option by its name.
    pub(crate) fn option(&self, name: &str) -> Option<&'a Value> {
        let mut options = list(self.leaf(), "options").iter();
        options.find(|option| option["name"] == name)
    }
}

/// Typed line, split into its parts.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'a, 't> {
    pub path: CommandPath<'a>,
    /// Each option with its text.
    pub given: Vec<(&'a Value, &'t str)>,
    /// Text before the first option, which belongs to none.
    pub rest: &'t str,
}

/// Splits a line such as `/duck start size:small`.
///
/// An option begins at a word `name:` with the name of an option that the line does not have yet.
/// Its text extends to the next option, without the white space before that. The text of the last
/// option is everything after its colon, unchanged.
///
/// # Errors
///
/// A message that says which command or subcommand is unknown.
pub(crate) fn split<'a, 't>(commands: &'a [Value], line: &'t str) -> Result<Line<'a, 't>, String> {
    let (first, mut after) = next_word(line);
    let name = first.strip_prefix('/');
    let name = name.ok_or_else(|| format!("{line:?} does not start with a /command"))?;
    let command = commands.iter().find(|command| command["name"] == name);
    let command = command.ok_or_else(|| format!("there is no command /{name}"))?;
    let mut path = CommandPath {
        command,
        steps: Vec::new(),
    };
    while list(path.leaf(), "options").iter().any(is_subcommand) {
        let (word, behind) = next_word(after);
        if word.is_empty() {
            return Err("a subcommand is missing".to_owned());
        }
        let found = path.option(word);
        path.steps
            .push(found.ok_or_else(|| format!("there is no subcommand {word:?}"))?);
        after = behind;
    }
    let (given, rest) = split_options(&path, after);
    Ok(Line { path, given, rest })
}

fn split_options<'a, 't>(
    path: &CommandPath<'a>,
    text: &'t str,
) -> (Vec<(&'a Value, &'t str)>, &'t str) {
    let mut given: Vec<(&Value, &str)> = Vec::new();
    let mut rest = text;
    for at in word_starts(text) {
        let Some((name, value)) = text[at..].split_once(':') else {
            break;
        };
        let Some(option) = path.option(name) else {
            continue;
        };
        if given.iter().any(|(other, _)| other["name"] == name) {
            continue;
        }
        // The text so far ends here.
        let before = given.last_mut().map_or(&mut rest, |(_, text)| text);
        *before = before[..before.len() - (text.len() - at)].trim_end();
        given.push((option, value));
    }
    (given, rest.trim())
}

/// Positions at which a word begins.
fn word_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut is_between = true;
    text.char_indices().filter_map(move |(at, c)| {
        let was_between = std::mem::replace(&mut is_between, c.is_whitespace());
        (was_between && !is_between).then_some(at)
    })
}

/// Returns the first word and the text after it.
fn next_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

fn is_subcommand(option: &Value) -> bool {
    option["type"]
        .as_u64()
        .is_some_and(|kind| kind <= SUB_COMMAND_GROUP)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn commands() -> Vec<Value> {
        let option = |name: &str| json!({ "type": 3, "name": name });
        let sub =
            |name: &str, options: &[Value]| json!({ "type": 1, "name": name, "options": options });
        let all = ["query", "share", "session"].map(option);
        let subs = [
            sub("sql", &all),
            sub("describe", &[option("table")]),
            sub("list", &[]),
        ];
        vec![
            json!({ "name": "duck", "options": subs }),
            json!({ "name": "ping" }),
        ]
    }

    /// The options of a line with their texts, and the text before them.
    fn parts(line: &str) -> (Vec<(String, String)>, String) {
        let commands = commands();
        let line = split(&commands, line).expect("the command exists");
        let plain = |(option, text): &(&Value, &str)| {
            (
                option["name"].as_str().unwrap().to_owned(),
                (*text).to_owned(),
            )
        };
        (line.given.iter().map(plain).collect(), line.rest.to_owned())
    }

    fn given(line: &str) -> Vec<(String, String)> {
        parts(line).0
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn sql_arrives_as_it_was_typed() {
        for sql in [
            "SELECT TIME '10:30'",
            "SELECT at:=10, b := 2",
            "SELECT   'a    b'   ",
            " SELECT a::DATE\n  FROM t -- size:small",
            "SELECT query: 42, colour:1",
            "query:query:1",
        ] {
            let line = format!("/duck sql query:{sql}");
            assert_eq!(given(&line), [pair("query", sql)]);
            let line = format!("/duck  sql share:True   query:{sql}");
            assert_eq!(given(&line), [pair("share", "True"), pair("query", sql)]);
        }
        let line = "/duck describe table:table:x";
        assert_eq!(given(line), [pair("table", "table:x")]);
    }

    #[test]
    fn a_text_ends_before_the_next_option() {
        let line = "/duck sql query:SELECT  1 \n share:True session:x share:no";
        let wanted = [
            pair("query", "SELECT  1"),
            pair("share", "True"),
            pair("session", "x share:no"),
        ];
        assert_eq!(given(line), wanted);
    }

    #[test]
    fn text_before_the_first_option_belongs_to_none() {
        let (given, rest) = parts("/duck sql  SELECT 1  share:True");
        assert_eq!(
            (given, rest),
            (vec![pair("share", "True")], "SELECT 1".into())
        );
        assert_eq!(parts("/ping"), (vec![], String::new()));
    }

    proptest! {
        /// Whatever is typed after the last option arrives unchanged.
        #[test]
        fn the_last_text_is_unchanged(
            first in prop::option::of("[^\\s:]{1,8}( [^\\s:]{1,8}){0,2}"),
            last in "(\\PC|[ \n\t:'\"=/]|query:|share:|session:){0,40}",
        ) {
            let before = first.as_ref().map(|text| format!("share:{text} ")).unwrap_or_default();
            // An option that is still to come would end the text.
            let mut last = last.replace("session:", "session;");
            if first.is_none() {
                last = last.replace("share:", "share;");
            }
            let line = format!("/duck sql {before}query:{last}");
            let mut wanted: Vec<_> = first.iter().map(|text| pair("share", text)).collect();
            wanted.push(pair("query", &last));
            prop_assert_eq!(given(&line), wanted);
        }

        /// A line of a command with one option has one reading.
        #[test]
        fn a_single_option_takes_everything(last in "(\\PC|[ \n\t:]|table:){0,40}") {
            let line = format!("/duck describe table:{last}");
            prop_assert_eq!(given(&line), [pair("table", &last)]);
        }
    }
}
