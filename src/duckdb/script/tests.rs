use std::collections::HashMap;

use super::*;
use crate::duckdb::{environment, names::TableName};

const PLAIN: [(&str, &str); 12] = [
    ("HOME", "/home/duck"),
    ("DUCKDB_EXTENSIONS", "/usr/lib/duckdb/extensions"),
    ("DUCKDB_MEMORY", "4096"),
    ("DUCKDB_THREADS", "2"),
    ("DUCKDB_DISK", "10240"),
    ("S3_REGION", "eu-central-1"),
    ("S3_PATH_STYLE", "false"),
    ("S3_ACCESS_KEY_ID", "canary"),
    ("S3_SECRET_ACCESS_KEY", "canary"),
    ("CATALOG_NAME", "lake"),
    ("CATALOG_ENDPOINT", "https://catalog.example"),
    ("CATALOG_WAREHOUSE", "the team's"),
];

const RICH: [(&str, &str); 10] = [
    ("DUCKDB_FURTHER_EXTENSIONS", "spatial,excel"),
    ("S3_ENDPOINT", "http://minio:9000"),
    ("S3_PATH_STYLE", "true"),
    ("S3_SESSION_TOKEN", "canary"),
    ("CATALOG_NAME", "my-lake"),
    ("CATALOG_NESTED", "true"),
    ("CATALOG_OAUTH2_CLIENT_ID", "canary"),
    ("CATALOG_OAUTH2_CLIENT_SECRET", "canary"),
    ("CATALOG_OAUTH2_SERVER_URI", "https://login.example/token"),
    ("CATALOG_OAUTH2_SCOPE", "lake"),
];

fn written(differing: &[(&str, &str)], own: Option<&str>) -> String {
    let variables = PLAIN.iter().chain(differing);
    let variables: HashMap<_, _> = variables
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let config = environment::read(&variables).expect("a valid environment");
    let script = Script::new(&config, own);
    let (name, table) = (&config.catalog.name, TableName::new("a.b", "it's"));
    let tables = vec![
        tables::list_tables(name),
        tables::load_table(name, &table),
        tables::read_table(name, &table, config.catalog.vended),
    ];
    let steps = [
        script.essential,
        script.extensions,
        script.first,
        access_steps(&config).into(),
        tables,
        script.own,
        script.last,
    ];
    let steps = steps.iter().flatten().map(|step| {
        let ScriptStep {
            what,
            statements,
            try_again,
        } = step;
        format!(
            "-- {what}\n{}\n-- to try again:\n{try_again}\n",
            statements.join("\n")
        )
    });
    steps.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_catalog_on_aws_without_login() {
    insta::assert_snapshot!(written(&[], None));
}

#[test]
fn a_storage_of_ones_own_and_a_client_of_the_team() {
    insta::assert_snapshot!(written(&RICH, Some("SELECT 1;")));
}

#[test]
fn a_catalog_that_wants_signatures_gets_those_of_the_s3_secret() {
    let written = written(&[("CATALOG_SIGV4_SERVICE", "glue")], None);
    let attach = "ENDPOINT 'https://catalog.example', AUTHORIZATION_TYPE 'sigv4', SECRET s3, \
                  SIGV4_SERVICE 'glue', SIGV4_REGION 'eu-central-1', ACCESS_DELEGATION_MODE 'none'";
    assert!(written.contains(attach), "{written}");
    assert!(!written.contains("SECRET catalog"), "{written}");
}

#[test]
fn a_catalog_that_hands_out_the_storages_credentials() {
    let vended = [
        ("CATALOG_VENDED_CREDENTIALS", "true"),
        ("CATALOG_TOKEN", "canary"),
        ("S3_ACCESS_KEY_ID", ""),
        ("S3_SECRET_ACCESS_KEY", ""),
    ];
    insta::assert_snapshot!(written(&vended, None));
}

#[test]
fn the_script_contains_no_secret_value() {
    let token = [&RICH[..], &[("CATALOG_TOKEN", "canary")]].concat();
    for differing in [&[], &RICH[..], &token] {
        let written = written(differing, None);
        assert!(!written.contains("canary"), "{written}");
    }
}

#[test]
fn the_limit_leaves_memory_for_the_rest_of_the_process() {
    for (container, limit) in [
        (1, 1),
        (256, 128),
        (512, 256),
        (1024, 640),
        (4096, 3072),
        (u32::MAX, u32::MAX - u32::MAX / 4),
    ] {
        assert_eq!(memory_limit(container), limit, "{container}");
    }
}

#[test]
fn a_problem_is_quoted() {
    let step = ScriptStep::new("Doing it's", vec!["SELECT 'a';".into()]);
    let [_, insert] = record_problem(&step, "no 'such' thing");
    assert_eq!(
        insert,
        "INSERT INTO memory.main.problems VALUES \
         ('Doing it''s', 'no ''such'' thing', 'SELECT ''a'';');"
    );
}

#[test]
fn queries_from_the_chat_share_a_tenth_of_a_sessions_disk_and_most_of_a_runners() {
    let spill = |is_runner: &str| {
        let runner = [(environment::RUNNER, is_runner)];
        let variables = PLAIN.iter().chain(&runner);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = environment::read(&variables.collect()).expect("a valid environment");
        let limits = query::set_limits(&config, "spill".as_ref()).statements;
        let size = "SET max_temp_directory_size = ";
        limits
            .iter()
            .find_map(|it| it.strip_prefix(size).map(str::to_owned))
    };
    assert_eq!(spill("false").as_deref(), Some("'512MiB';"));
    assert_eq!(spill("true").as_deref(), Some("'3840MiB';"));
}
