//! Values of settings: each kind that the settings accept works in a real session, and the others
//! are refused with a sentence.

use std::collections::HashMap;

use duckbot::settings::{Catalog, Settings};
use serde_json::json;
use test_support::{Session, lake};

/// Reads settings with one catalog.
fn catalog(name: &str, fields: &[(&str, &str)]) -> Result<Catalog, String> {
    let mut variables = HashMap::from([
        (
            "DUCKBOT_DISCORD__GUILD".to_owned(),
            "1029384756102938475".to_owned(),
        ),
        (
            "DUCKBOT_DISCORD_TOKEN".to_owned(),
            "a.discord.token".to_owned(),
        ),
        (
            "DUCKBOT_ROUTING__DOMAIN".to_owned(),
            "duck.example.com".to_owned(),
        ),
        ("DUCKBOT_SESSIONS__IMAGE".to_owned(), "duckui:1".to_owned()),
        (
            "DUCKBOT_SESSIONS__DOOR_IMAGE".to_owned(),
            "duckbot:1".to_owned(),
        ),
        (
            "DUCKBOT_SESSIONS__DEFAULT_CATALOG".to_owned(),
            name.to_owned(),
        ),
    ]);
    variables.remove("");
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let fields = fields.iter().map(|(key, value)| match *value {
        "true" | "false" => format!("{key} = {value}\n"),
        value => format!("{key} = {}\n", quoted(value)),
    });
    let file = format!(
        "[catalogs.{}]\n{}",
        quoted(name),
        fields.collect::<String>()
    );
    let path = std::path::Path::new("/duckbot.toml");
    let settings = Settings::read(Some((path, &file)), variables);
    let settings = settings.map_err(|error| error.to_string())?;
    Ok(settings.named_catalog(name).unwrap().clone())
}

/// Starts a session with the values of these settings, and reads the table.
async fn assert_works(name: &str, fields: &[(&str, &str)]) {
    let all = catalog(name, fields).unwrap();
    lake().s3.add_key("AKIAVALUES", "a-secret-beside-values");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let s3 = all.s3_endpoint.as_ref().map(ToString::to_string);
    let (warehouse, s3) = (text(&all.warehouse), s3.unwrap_or_default());
    let style = all.s3_path_style.to_string();
    let differing = [
        ("CATALOG_NAME", name),
        ("CATALOG_ENDPOINT", &all.endpoint),
        ("CATALOG_WAREHOUSE", &warehouse),
        ("S3_ENDPOINT", &s3),
        ("S3_REGION", &all.s3_region),
        ("S3_PATH_STYLE", &style),
    ];
    let mut session = Session::start_with("AKIAVALUES", "a-secret-beside-values", &differing);
    session.wait_until_prepared().await;
    let name = duckbot::duckdb::names::display_identifier(name);
    let rows = session
        .rows(&format!("SELECT count(*) AS ducks FROM {name}.zoo.ducks"))
        .await;
    assert_eq!(
        rows,
        Ok(json!([{"ducks": 2}])),
        "{fields:?}: {}",
        session.log()
    );
    assert!(
        session.rows("FROM memory.problems").await.is_err(),
        "{fields:?}"
    );
}

#[tokio::test]
async fn accepted_values_work_in_a_session() {
    let (endpoint, s3) = (lake().catalog.clone(), lake().s3.url());
    let local = s3.replace("127.0.0.1", "localhost");
    let path = lake().s3_url_with_path();
    let base = [("endpoint", endpoint.as_str()), ("s3_path_style", "true")];
    let with = |more: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        let base = base.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let mut all: Vec<_> = base.collect();
        all.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
        all.extend(more.iter().cloned());
        all
    };
    let s3_is = |url: &str| ("s3_endpoint", url.to_owned());
    for (name, fields) in [
        ("lake", with(&[s3_is(&path)])),
        ("lake", with(&[s3_is(&format!("{path}/"))])),
        ("lake", with(&[s3_is(&format!("{s3}/"))])),
        (
            "lake",
            with(&[s3_is(&local), ("s3_path_style", "false".into())]),
        ),
        (
            "lake",
            with(&[s3_is(&s3), ("endpoint", format!("{endpoint}//"))]),
        ),
        (
            "lake",
            with(&[
                s3_is(&s3),
                ("endpoint", endpoint.replace("127.0.0.1", "localhost")),
            ]),
        ),
        (
            "lake",
            with(&[s3_is(&s3), ("warehouse", "it's \"a\" ware;house 🦆".into())]),
        ),
        ("default", with(&[s3_is(&s3)])),
        ("select", with(&[s3_is(&s3)])),
        ("2024", with(&[s3_is(&s3)])),
        ("my-lake", with(&[s3_is(&s3)])),
        ("problems", with(&[s3_is(&s3)])),
        ("zoo", with(&[s3_is(&s3)])),
        ("ui", with(&[s3_is(&s3)])),
        ("twenty-eight-characters-long", with(&[s3_is(&s3)])),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        assert_works(name, &fields).await;
    }
}

#[test]
fn values_that_no_session_could_use_are_refused_with_a_sentence() {
    let url = "http://catalog:8181";
    let s3 = |url| vec![("endpoint", "http://catalog:8181"), ("s3_endpoint", url)];
    for (name, fields, sentence) in [
        (
            "memory",
            vec![("endpoint", url)],
            "catalogs.memory: is the name of a database",
        ),
        (
            "temp",
            vec![("endpoint", url)],
            "catalogs.temp: is the name of a database",
        ),
        (
            "system",
            vec![("endpoint", url)],
            "catalogs.system: is the name of a database",
        ),
        (
            "main",
            vec![("endpoint", url)],
            "catalogs.main: is the name of a database",
        ),
        (
            "work",
            vec![("endpoint", url)],
            "catalogs.work: is the name of a database",
        ),
        (
            "MEMORY",
            vec![("endpoint", url)],
            "catalogs.MEMORY: is not a valid name",
        ),
        (
            "lake",
            vec![("endpoint", "ftp://catalog")],
            "endpoint: must begin with https:// or http://",
        ),
        (
            "lake",
            vec![("endpoint", "http://u:p@catalog")],
            "endpoint: must not contain a user name",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog?x=1")],
            "endpoint: must end with its path",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog/#x")],
            "endpoint: must end with its path",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog:99999")],
            "endpoint: is not a valid URL",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog:0")],
            "endpoint: is not a valid URL",
        ),
        (
            "lake",
            vec![("endpoint", "http://[::1")],
            "endpoint: is not a valid URL",
        ),
        (
            "lake",
            vec![("endpoint", "http://a b")],
            "endpoint: is not a valid URL",
        ),
        (
            "lake",
            vec![("endpoint", "http://127.1")],
            "endpoint: is not a valid URL",
        ),
        (
            "lake",
            vec![("endpoint", "http://cätalog")],
            "endpoint: has a host with letters beyond ASCII",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog/a/../b")],
            "endpoint: has a path",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog//b")],
            "endpoint: has a path",
        ),
        (
            "lake",
            vec![("endpoint", "http://catalog/a\\b")],
            "endpoint: has a path",
        ),
        (
            "lake",
            s3("http://s3:9000/a%20b"),
            "s3_endpoint: has a path with",
        ),
        (
            "lake",
            s3("http://s3:9000?x"),
            "s3_endpoint: must end with its path",
        ),
        (
            "lake",
            s3("s3:9000"),
            "s3_endpoint: must begin with https:// or http://",
        ),
        (
            "lake",
            s3("http://127.0.0.1:9000"),
            "s3_path_style: must be true, because the host",
        ),
        (
            "lake",
            s3("http://[::1]:9000"),
            "s3_path_style: must be true, because the host",
        ),
        (
            "lake",
            vec![("endpoint", url), ("warehouse", "a\nb")],
            "warehouse: ",
        ),
        (
            "lake",
            vec![("endpoint", url), ("s3_region", "eu central")],
            "s3_region: ",
        ),
    ] {
        let error = catalog(name, &fields).expect_err(sentence);
        assert!(error.contains(sentence), "{name} {fields:?}: {error}");
        assert!(!error.contains("u:p"), "{error}");
    }
}
