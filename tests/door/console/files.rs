//! Files that come and go.

use serde_json::json;
use test_support::ConsoleTab;

use super::start_with;

#[tokio::test]
async fn files_come_and_go_without_a_trace() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let (_duckdb, door) = start_with(&[("DOOR_FILES", path)]).await;
    let tab = ConsoleTab::open(&door, "a").await;
    assert_eq!(tab.call("info", json!({})).await["files"], true);
    let result = tab
        .run("1", "SELECT range AS n, 'é' AS s FROM range(300_000)")
        .await;
    for (format, kind) in [
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json"),
        ("parquet", "application/vnd.apache.parquet"),
    ] {
        let input = json!({ "result": result["result"], "format": format });
        let file = tab.call("download", input).await;
        let url = file["url"].as_str().unwrap();
        let answer = tab.get(url).await;
        let name = format!("attachment; filename=\"result.{format}\"");
        assert_eq!(answer.headers()["content-disposition"], name);
        assert_eq!(answer.headers()["content-type"], kind);
        let content = answer.bytes().await.unwrap();
        assert_eq!(tab.get(url).await.status(), 404, "once");

        // The way back.
        let (status, table) = tab
            .try_call(&format!("upload?name=my%20ducks.{format}"), content)
            .await;
        assert_eq!((status, &table["rows"]), (200, &json!(300_000)), "{table}");
        let sum = format!(
            "SELECT sum(n)::BIGINT, any_value(s) FROM {}",
            table["table"].as_str().unwrap()
        );
        assert_eq!(tab.rows("2", &sum).await, json!([["44999850000", "é"]]));
    }
    let names = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'work' ORDER BY ALL";
    let expected = json!([["my_ducks"], ["my_ducks_2"], ["my_ducks_3"]]);
    assert_eq!(tab.rows("2", names).await, expected);

    // A result that is not complete runs once more, for all of its rows.
    let large = "SELECT range FROM range(1_000_010); -- all";
    let result = tab.run("3", large).await;
    let input =
        |sql: &str| json!({ "result": result["result"], "format": "csv", "sql": sql, "tab": "a" });
    let file = tab.call("download", input(large)).await;
    let content = tab
        .get(file["url"].as_str().unwrap())
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(content.lines().count(), 1_000_011);
    let refused = tab.call("download", input("SELECT 1; SELECT 2")).await;
    assert_eq!(refused["error"]["kind"], "refused");

    // Files that are no data, and names that are no names.
    for (name, content, kind) in [
        ("x.parquet", "no", "sql"),
        ("x.json", "{", "sql"),
        ("x.exe", "no", "refused"),
        ("..%2F..%2Fetc%2Fpasswd", "no", "refused"),
    ] {
        let (_, answer) = tab.try_call(&format!("upload?name={name}"), content).await;
        assert_eq!(answer["error"]["kind"], kind, "{name}: {answer}");
        assert!(!answer.to_string().contains(path), "{answer}");
    }
    for url in [
        "/.duckbot/console/files/",
        "/.duckbot/console/files/..%2f..%2fetc%2fpasswd",
    ] {
        assert_eq!(tab.get(url).await.status(), 404, "{url}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
