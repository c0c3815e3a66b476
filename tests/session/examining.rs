//! Questions to DuckDB about a result: is a value beyond a limit, and is it the same result?

use serde_json::{Value, json};
use tempfile::TempDir;

use super::asking::Asker;

/// Runs a query, and returns what was found out about its result.
async fn examine(asker: &mut Asker, question: Value, sql: &str) -> Value {
    asker.request["examine"] = question;
    let response = asker.ask(sql).await;
    assert!(response["rows"].is_object(), "{sql}: {response}");
    response["rows"]["findings"].clone()
}

#[tokio::test]
async fn a_value_is_compared_with_a_limit_exactly() {
    let (home, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut asker = Asker::start(home.path(), folder.path());
    let beyond = |is_beyond: bool| json!({ "is_beyond": is_beyond });
    for (sql, above, findings) in [
        ("SELECT 101", "100", beyond(true)),
        ("SELECT 100", "100", beyond(false)),
        ("SELECT 9007199254740993", "9007199254740992", beyond(true)),
        ("SELECT 0.1::DECIMAL(3,1) + 0.2", "0.3", beyond(false)),
        ("SELECT -1.5e0", "-2", beyond(true)),
        (
            "SELECT 170141183460469231731687303715884105727",
            "5",
            beyond(true),
        ),
        (
            "SELECT sum(i) AS \"a \"\"sum\" FROM range(20) t(i)",
            "100",
            beyond(true),
        ),
        (
            "SELECT i FROM range(20) t(i) ORDER BY i DESC",
            "18",
            beyond(true),
        ),
        ("SELECT NULL::INTEGER", "-5", beyond(false)),
        ("SELECT 1 WHERE false", "-5", beyond(false)),
        ("SELECT 'many'", "5", json!({ "not_a_number": "VARCHAR" })),
        (
            "SELECT DATE '2026-11-27', 7",
            "5",
            json!({ "not_a_number": "DATE" }),
        ),
    ] {
        let found = examine(&mut asker, json!({ "above": above }), sql).await;
        assert_eq!(found, findings, "{sql} > {above}");
    }
    let found = examine(&mut asker, json!({ "below": "100" }), "SELECT 99.5").await;
    assert_eq!(found, beyond(true));
    asker.end().await;
}

#[tokio::test]
async fn a_result_has_the_fingerprint_of_its_rows_in_any_order() {
    let (home, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut asker = Asker::start(home.path(), folder.path());
    let question = json!("fingerprint");
    let mut found = Vec::new();
    for sql in [
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(n, x) ORDER BY n",
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(n, x) ORDER BY n DESC",
        "SELECT * FROM (VALUES (1, 'a'), (2, '')) t(n, x)",
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL), (2, NULL)) t(n, x)",
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(n, y)",
        "SELECT 1 AS n, 'a' AS x WHERE false",
    ] {
        let findings = examine(&mut asker, question.clone(), sql).await;
        let fingerprint = findings["fingerprint"].as_str();
        found.push(
            fingerprint
                .unwrap_or_else(|| panic!("{sql}: {findings}"))
                .to_owned(),
        );
    }
    assert_eq!(found[0], found[1], "the order does not matter");
    found.remove(1);
    let all = found.len();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), all, "{found:?}");
    // DuckDB does not keep the result of such a statement.
    let found = examine(&mut asker, question, "PRAGMA version").await;
    assert!(
        found.is_null() || found["fingerprint"].is_string(),
        "{found}"
    );
    asker.end().await;
}
