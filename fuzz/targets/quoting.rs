//! SQL that prepares a session.

use duckbot::duckdb::environment;
use duckbot::duckdb::names::{TableName, identifier, literal, split_name};
use duckbot::duckdb::script::{Script, access_steps, record_problem};
use std::collections::HashMap;

use super::texts;

/// A token of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A string in single quotes.
    Text(String),
    /// An identifier in double quotes.
    Name(String),
    /// A word, a number or a symbol.
    Other(String),
}

/// Splits SQL into tokens by DuckDB's grammar. `None` if a quote is left open, or SQL contains a
/// comment block, a dollar quote or an escape string.
fn lex(sql: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '\'' | '"' => {
                let mut inner = String::new();
                loop {
                    match rest.next()? {
                        it if it != first => inner.push(it),
                        quote if rest.peek() == Some(&quote) => inner.extend(rest.next()),
                        _ => break,
                    }
                }
                pieces.push(match first {
                    '"' => Piece::Name(inner),
                    // E'…' has escapes, and x'…' is another kind of literal.
                    _ if matches!(pieces.last(), Some(Piece::Other(it)) if it == "E" || it == "x") => {
                        return None;
                    }
                    _ => Piece::Text(inner),
                });
            }
            '-' if rest.peek() == Some(&'-') => while rest.next().is_some_and(|it| it != '\n') {},
            '/' if rest.peek() == Some(&'*') => return None,
            '$' => return None,
            it if it.is_whitespace() => {}
            it if it.is_alphanumeric() || it == '_' => {
                let mut word = it.to_string();
                while let Some(it) = rest.next_if(|it| it.is_alphanumeric() || *it == '_') {
                    word.push(it);
                }
                pieces.push(Piece::Other(word));
            }
            sign => pieces.push(Piece::Other(sign.to_string())),
        }
    }
    Some(pieces)
}

/// Texts that are inserted into a session's SQL.
///
/// Each quoted text is exactly one token with the same value. So every statement has the same
/// structure as with plain words.
pub fn quoting(data: &[u8]) {
    let given: [String; 10] = texts(data);
    for text in &given {
        assert_eq!(lex(&literal(text)), Some(vec![Piece::Text(text.clone())]));
        assert_eq!(
            lex(&identifier(text)),
            Some(vec![Piece::Name(text.clone())])
        );
    }
    let [schema, table, ..] = &given;
    if !schema.is_empty() && !table.is_empty() {
        let name = TableName::new(schema, table).in_catalog("my-lake");
        let parts = split_name(&name).expect("a qualified name");
        assert_eq!(parts, ["my-lake", schema, table]);
    }
    let plain = given.each_ref().map(|text| match text.as_str() {
        "" => String::new(),
        text => vec!["x"; text.split(',').count()].join(","),
    });
    let (Some(wild), Some(plain)) = (script(&given), script(&plain)) else {
        return;
    };
    let mut texts = Vec::new();
    assert_eq!(wild.len(), plain.len());
    for (wild, plain) in wild.iter().zip(&plain) {
        let pieces = lex(wild).expect("no quote is left open");
        assert_eq!(
            shape(&pieces),
            shape(&lex(plain).expect("no quote is left open")),
            "{wild}"
        );
        texts.extend(pieces.into_iter().filter_map(|piece| match piece {
            Piece::Text(text) | Piece::Name(text) => Some(text),
            Piece::Other(_) => None,
        }));
    }
    let [_, warehouse, region, ..] = &given;
    for text in [warehouse, region] {
        assert!(texts.contains(text), "{text:?}");
    }
}

fn shape(pieces: &[Piece]) -> Vec<Piece> {
    let blank = |piece: &Piece| match piece {
        Piece::Text(_) => Piece::Text(String::new()),
        Piece::Name(_) => Piece::Name(String::new()),
        other => other.clone(),
    };
    pieces.iter().map(blank).collect()
}

/// Builds the statements of a session with these texts. Returns `None` if the environment rejects
/// one of them.
fn script(texts: &[String; 10]) -> Option<Vec<String>> {
    let [
        _,
        warehouse,
        region,
        _,
        scope,
        _,
        proxy,
        folders,
        home,
        error,
    ] = texts;
    let variables = HashMap::from([
        ("HOME", home.as_str()),
        ("DUCKDB_MEMORY", "1024"),
        ("DUCKDB_THREADS", "1"),
        ("DUCKDB_DISK", "1"),
        ("DUCKDB_HTTP_PROXY", proxy.as_str()),
        ("DUCKDB_FOLDERS", folders.as_str()),
        ("DUCKDB_EXTENSIONS", home.as_str()),
        ("S3_REGION", region.as_str()),
        ("S3_ENDPOINT", "https://s3.example/v1/s3"),
        ("S3_PATH_STYLE", "true"),
        ("S3_ACCESS_KEY_ID", "x"),
        ("S3_SECRET_ACCESS_KEY", "x"),
        ("CATALOG_NAME", "lake"),
        ("CATALOG_WAREHOUSE", warehouse.as_str()),
        ("CATALOG_ENDPOINT", "https://catalog.example/it's"),
        ("CATALOG_OAUTH2_CLIENT_ID", "x"),
        ("CATALOG_OAUTH2_CLIENT_SECRET", "x"),
        ("CATALOG_OAUTH2_SCOPE", scope.as_str()),
        ("CATALOG_OAUTH2_SERVER_URI", "https://login.example"),
    ]);
    let variables = variables.into_iter();
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = environment::read(&variables.collect()).ok()?;
    let script = Script::new(&config, None);
    let Script {
        essential,
        extensions,
        first,
        own,
        last,
    } = &script;
    let access = access_steps(&config).to_vec();
    let steps: Vec<_> = [essential, extensions, first, &access, own, last]
        .into_iter()
        .flatten()
        .collect();
    let of_step = steps.iter().flat_map(|step| {
        let told = record_problem(step, error);
        let row = lex(&told[1]).expect("no quote is left open");
        let texts = [step.what.as_str(), error, &step.try_again];
        let texts = texts.map(|text| Piece::Text(text.to_owned()));
        assert!(texts.iter().all(|text| row.contains(text)));
        assert_eq!(
            row.iter().filter(|it| matches!(it, Piece::Text(_))).count(),
            3
        );
        step.statements
            .iter()
            .cloned()
            .chain(told)
            .chain([step.try_again.clone()])
    });
    Some(of_step.collect())
}
