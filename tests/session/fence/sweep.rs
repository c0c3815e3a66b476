//! Everything in DuckDB that could reach a file or a host, tried in a session that is kept to some
//! folders. The names come from DuckDB itself, so that a new one is noticed.

use std::{collections::BTreeSet, fs, path::Path};

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tempfile::TempDir;
use test_support::{Server, Session, UiClient, lake};

use super::{CANARY, run_duckdb};

/// Known names, in sections.
const KNOWN: &str = include_str!("known.txt");
/// Folders of the local runtime, and of an admin who allows one bucket.
const FENCES: [&str; 2] = ["s3://,https://,http://", "s3://lake/"];
/// DuckDB's UI has eight threads, and one connection per name.
const CONNECTIONS: usize = 6;

fn known(section: &str) -> BTreeSet<String> {
    let (_, names) = KNOWN.split_once(&format!("[{section}]\n")).expect(section);
    let names = names.split("\n[").next().unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}

/// Checks that DuckDB has exactly the known names.
fn assert_known(sections: &[&str], names: &BTreeSet<String>) {
    let known: BTreeSet<_> = sections.iter().flat_map(|it| known(it)).collect();
    let new: Vec<_> = names.difference(&known).collect();
    let gone: Vec<_> = known.difference(names).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "known.txt, {sections:?}: DuckDB also has {new:?}, and has no {gone:?}"
    );
}

/// A session that is kept to some folders, and files outside of them.
struct Fenced {
    session: Session,
    outside: TempDir,
    before: BTreeSet<String>,
    /// A host that must not be contacted if only a bucket is allowed.
    host: Server,
}

impl Fenced {
    async fn start(folders: &str) -> Self {
        lake().s3.add_key("AKIASWEEP", "a-sweeping-secret");
        let outside = folder_with_files();
        let host = Server::start(|_| axum::Router::new()).await;
        let variables = [("DUCKDB_FOLDERS", folders)];
        let mut session = Session::start_with("AKIASWEEP", "a-sweeping-secret", &variables);
        session.wait_until_prepared().await;
        Self {
            before: listing(outside.path()),
            session,
            outside,
            host,
        }
    }

    fn path(&self, name: &str) -> String {
        self.outside.path().join(name).to_str().unwrap().to_owned()
    }

    async fn names(&self, query: &str) -> BTreeSet<String> {
        let rows = self.session.rows(query).await.unwrap();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Runs each statement, several at a time. Returns the answers, as DuckDB's UI gives them.
    async fn answers(&self, statements: &[String]) -> Vec<String> {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| self.session.on(&format!("sweep {number}")))
            .collect();
        let chunks = statements.chunks(statements.len().div_ceil(CONNECTIONS).max(1));
        let answers = stream::iter(chunks.zip(&clients))
            .map(|(chunk, client)| answers(client, chunk))
            .buffered(CONNECTIONS);
        answers.collect::<Vec<_>>().await.concat()
    }

    /// Checks that nothing outside was changed or read, and the host was not contacted.
    fn assert_untouched(&self) {
        assert_eq!(listing(self.outside.path()), self.before);
        assert_eq!(self.host.requests(), [""; 0]);
    }
}

async fn answers(client: &UiClient, statements: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for statement in statements {
        let answer = client.raw_answer(statement).await.bytes().await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(!answer.contains(CANARY), "{statement} reads: {answer}");
        all.push(answer);
    }
    all
}

/// Makes a folder with a file in each format that DuckDB reads.
fn folder_with_files() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut sql = String::new();
    for format in ["csv", "json", "parquet"] {
        sql += &format!(
            "COPY (SELECT '{CANARY}' AS c) TO '{}';",
            path(&format!("c.{format}"))
        );
    }
    sql += &format!(
        "ATTACH '{}' AS d; CREATE TABLE d.t AS SELECT '{CANARY}' AS c;",
        path("c.db")
    );
    sql += &format!("EXPORT DATABASE '{}';", path("exported"));
    run_duckdb(folder.path(), &sql);
    folder
}

/// Paths below a folder, each with its length and content.
fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                &listing(&path) | &BTreeSet::from([path.display().to_string()])
            } else {
                BTreeSet::from([format!("{}: {:?}", path.display(), fs::read(&path))])
            }
        })
        .collect()
}

#[tokio::test]
async fn no_setting_can_be_changed() {
    let fenced = Fenced::start(FENCES[0]).await;
    let names = fenced
        .names("SELECT DISTINCT name FROM duckdb_settings()")
        .await;
    assert_known(
        &["settings: path", "settings: other", "settings: open"],
        &names,
    );
    let path = fenced.path("c.csv");
    let open = known("settings: open");
    let closed: Vec<_> = names.difference(&open).collect();
    let forms = |name: &&String| {
        let value = format!("'{path}'");
        [
            format!("SET GLOBAL {name} = {value}"),
            format!("SET SESSION {name} = {value}"),
            format!("SET {name} = {value}"),
            format!("PRAGMA {name} = {value}"),
            format!("RESET {name}"),
        ]
    };
    let statements: Vec<_> = closed.iter().flat_map(forms).collect();
    let answers = fenced.answers(&statements).await;
    for (statement, answer) in statements.iter().zip(&answers) {
        assert!(
            answer.contains("the configuration has been locked"),
            "{statement}: {answer}"
        );
    }
    fenced.assert_untouched();
}

/// A function, with its parameters' names and types.
struct Function {
    name: String,
    kind: String,
    parameters: Vec<(String, String)>,
}

impl Function {
    fn new(row: &Value) -> Self {
        let texts = |column: &str| {
            let texts = row[column].as_array().into_iter().flatten();
            texts.map(|text| text.as_str().unwrap_or("ANY").to_owned())
        };
        Self {
            name: row["name"].as_str().unwrap().to_owned(),
            kind: row["kind"].as_str().unwrap().to_owned(),
            parameters: texts("parameters").zip(texts("types")).collect(),
        }
    }

    /// Calls with `path` as each argument that can be a path. Named parameters are tried one by one.
    fn calls(&self, path: &str) -> Vec<String> {
        let is_table = self.kind == "table";
        let is_positional = |name: &str| {
            let number = name.strip_prefix("col");
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let (named, positional): (Vec<_>, Vec<_>) = self
            .parameters
            .iter()
            .partition(|(name, _)| is_table && !is_positional(name));
        let arguments: Vec<_> = positional
            .iter()
            .map(|(_, kind)| argument(kind, path))
            .collect();
        let named = named.into_iter().filter(|(_, kind)| is_text(kind));
        let named: Vec<_> = named
            .map(|(name, kind)| format!("{name} = {}", argument(kind, path)))
            .collect();
        let takes_text = !named.is_empty() || positional.iter().any(|(_, kind)| is_text(kind));
        let is_bare = is_table && positional.is_empty();
        if !takes_text && !is_bare {
            return Vec::new();
        }
        let before = match self.kind.as_str() {
            "table" | "table_macro" => "FROM",
            "pragma" => "PRAGMA",
            _ => "SELECT",
        };
        let call = |further: Option<String>| {
            let arguments: Vec<_> = arguments.iter().cloned().chain(further).collect();
            format!("{before} {}({})", self.name, arguments.join(", "))
        };
        let alone = [None].into_iter();
        alone.chain(named.into_iter().map(Some)).map(call).collect()
    }
}

fn is_text(kind: &str) -> bool {
    matches!(
        kind,
        "VARCHAR" | "ANY" | "T" | "JSON" | "BLOB" | "VARCHAR[]" | "ANY[]"
    )
}

fn argument(kind: &str, path: &str) -> String {
    match kind {
        "VARCHAR[]" | "ANY[]" => format!("['{path}']"),
        "BLOB" => format!("'{path}'::BLOB"),
        _ if is_text(kind) => format!("'{path}'"),
        "BOOLEAN" => "true".into(),
        "DOUBLE" | "FLOAT" => "1.0".into(),
        _ if kind.contains("INT") => "1".into(),
        _ => "NULL".into(),
    }
}

/// Functions that change something for the whole DuckDB. Those that name paths are tried by
/// `logs_and_profiles_are_written_nowhere_else`.
const SWITCHES: [&str; 5] = [
    "enable_logging",
    "enable_profiling",
    "start_ui",
    "start_ui_server",
    "stop_ui_server",
];

#[tokio::test]
async fn no_function_reaches_a_file_or_a_host() {
    for (folders, places) in [
        (
            FENCES[0],
            &["c.csv", "c.json", "c.parquet", "c.db", "exported", "*"][..],
        ),
        (FENCES[1], &["c.csv", "http"][..]),
    ] {
        let fenced = Fenced::start(folders).await;
        let query = "SELECT DISTINCT function_name AS name, function_type AS kind, parameters, \
                     parameter_types AS types FROM duckdb_functions()";
        let rows = fenced.session.rows(query).await.unwrap();
        let functions: Vec<_> = rows.as_array().unwrap().iter().map(Function::new).collect();
        let names = functions.iter().map(|it| it.name.clone()).collect();
        assert_known(&["functions: path", "functions: other"], &names);
        let is_called = |it: &&Function| {
            it.kind != "aggregate"
                && !SWITCHES.contains(&&*it.name)
                && it.name.starts_with(|c: char| c.is_ascii_lowercase())
        };
        let mut statements = Vec::new();
        for function in functions.iter().filter(is_called) {
            let is_path = known("functions: path").contains(&function.name);
            for place in places.iter().take(if is_path { places.len() } else { 1 }) {
                let path = match *place {
                    "http" => format!("{}/c.csv", fenced.host.url()),
                    name => fenced.path(name),
                };
                let calls = function.calls(&path).into_iter();
                statements.extend(calls.map(|call| (function.name.clone(), call)));
            }
        }
        let (callees, statements): (Vec<_>, Vec<_>) = statements.into_iter().unzip();
        let answers = fenced.answers(&statements).await;
        let refused = callees.into_iter().zip(answers);
        let refused = refused.filter(|(_, answer)| {
            answer.contains("Permission Error") || answer.contains("disabled by configuration")
        });
        let refused: BTreeSet<_> = refused.map(|(name, _)| name).collect();
        let expected: BTreeSet<_> = known("functions: path")
            .into_iter()
            .filter(|name| !SWITCHES.contains(&&**name))
            .collect();
        assert_eq!(
            refused, expected,
            "functions that name a path, in {folders}"
        );
        fenced.assert_untouched();
    }
}

#[tokio::test]
async fn no_statement_reaches_a_file_or_a_host() {
    for folders in FENCES {
        let fenced = Fenced::start(folders).await;
        let types = fenced
            .names("SELECT type AS name FROM duckdb_secret_types()")
            .await;
        assert_known(&["secret types"], &types);
        let [outside, csv, db] = ["new", "c.csv", "c.db"].map(|name| fenced.path(name));
        let home = "current_setting('temp_directory')";
        let mut statements = vec![
            format!("FROM '{csv}'"),
            format!("FROM read_text('file://{csv}')"),
            format!("FROM read_text({home} || '/../../..{csv}')"),
            format!("FROM query('FROM ''{csv}''')"),
            format!("SUMMARIZE '{csv}'"),
            format!("CREATE VIEW v AS FROM '{csv}'; FROM v"),
            format!("CREATE MACRO m() AS TABLE FROM '{csv}'; FROM m()"),
            format!("PREPARE p AS FROM read_text($1); EXECUTE p('{csv}')"),
            format!("SET VARIABLE p = '{csv}'; FROM read_text(getvariable('p'))"),
            format!("CREATE TEMP TABLE t (c TEXT); COPY t FROM '{csv}'"),
            format!("ATTACH '{db}'; FROM c.t"),
            format!("ATTACH '{db}' AS a (READ_ONLY); FROM a.t"),
            format!("ATTACH '{outside}.db' AS b"),
            format!("EXPORT DATABASE '{outside}'"),
            format!("IMPORT DATABASE '{}'", fenced.path("exported")),
            format!("INSTALL '{outside}.duckdb_extension'"),
            format!("LOAD '{outside}.duckdb_extension'"),
            format!(
                "FORCE INSTALL spatial FROM '{}'",
                fenced.outside.path().display()
            ),
            format!("COPY (SELECT 1 AS a, 2 AS b) TO '{outside}' (PARTITION_BY a)"),
            format!("COPY (SELECT 1) TO '{csv}' (FORMAT csv, USE_TMP_FILE false)"),
            "CREATE PERSISTENT SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')".to_owned(),
            "CREATE SECRET IN local_file (TYPE s3, KEY_ID 'a', SECRET 'b')".to_owned(),
            "CREATE SECRET (TYPE s3, PROVIDER credential_chain)".to_owned(),
            "SELECT getenv('S3_SECRET_ACCESS_KEY')".to_owned(),
        ];
        statements.extend(known("copy formats").iter().map(|format| {
            format!("COPY (SELECT 'x' AS c) TO '{outside}.{format}' (FORMAT {format})")
        }));
        if folders == FENCES[1] {
            let url = fenced.host.url();
            statements.extend([
                format!("FROM read_text('{url}/c.csv')"),
                format!("FROM '{url}/c.csv'"),
                format!("COPY (SELECT 1 AS a) TO '{url}/c.csv'"),
                format!("ATTACH '{url}/c.db' AS c (READ_ONLY)"),
                format!("LOAD '{url}/x.duckdb_extension'"),
                "FROM read_text('s3://pond/a.csv')".to_owned(),
                "FROM read_text('s3://lake/../pond/a.csv')".to_owned(),
            ]);
        }
        let answers = fenced.answers(&statements).await;
        for (statement, answer) in statements.iter().zip(&answers) {
            // The second byte of the UI's answer says whether the statement succeeded.
            assert!(
                answer.as_bytes().get(2) == Some(&0),
                "{statement} is possible in {folders}: {answer}"
            );
            assert!(!answer.contains("INTERNAL"), "{statement}: {answer}");
        }
        fenced.assert_untouched();
    }
}

/// The formats of `COPY` can't be listed, so common ones are tried.
#[tokio::test]
async fn no_other_format_can_be_written() {
    let fenced = Fenced::start(FENCES[0]).await;
    let candidates: BTreeSet<_> = [
        "arrow", "avro", "blob", "csv", "delta", "duckdb", "excel", "feather", "gdal", "geojson",
        "iceberg", "json", "jsonl", "ndjson", "orc", "parquet", "sqlite", "text", "tsv", "txt",
        "vortex", "xlsx", "xml",
    ]
    .map(str::to_owned)
    .into();
    let candidates: Vec<_> = candidates.into_iter().collect();
    let statements = candidates.iter().map(|format| {
        format!(
            "COPY (SELECT 'x' AS c) TO '{}' (FORMAT {format})",
            fenced.path("new")
        )
    });
    let answers = fenced.answers(&statements.collect::<Vec<_>>()).await;
    let possible = candidates.into_iter().zip(&answers);
    let possible = possible.filter(|(_, answer)| !answer.contains("Copy Function with name"));
    assert_known(
        &["copy formats"],
        &possible.map(|(format, _)| format).collect(),
    );
    fenced.assert_untouched();
}

#[tokio::test]
async fn logs_and_profiles_are_written_nowhere_else() {
    for switch in [
        "CALL enable_profiling(format = 'json', save_location = '{}')",
        "CALL enable_logging(storage = 'file', storage_path = '{}')",
        "CALL enable_logging(storage = 'file', storage_config = {'path': '{}'})",
    ] {
        let fenced = Fenced::start(FENCES[0]).await;
        let switch = switch.replace("{}", &fenced.path("new.json"));
        let statements = [switch, "SELECT 42".to_owned(), "SELECT 43".to_owned()];
        // The owner may stop their own DuckDB by it.
        for statement in &statements {
            let _ = fenced.session.try_sql(statement).await;
        }
        fenced.assert_untouched();
    }
}
