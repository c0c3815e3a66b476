//! Documents of earlier versions that a bot meets after an upgrade, and a session after its bot's upgrade. Each must
//! stay readable as long as the record's version is the same. Add documents of a new version; don't change these.

use duckbot::{
    door::activity::Activity,
    duckdb::{
        control::{ControlCommand, ControlResponse},
        query::{QueryRequest, QueryResponse},
    },
    session::{RECORD_VERSION, Record},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Records of 0.1.0, by stage.
fn records() -> Vec<Value> {
    let starting = json!({
        "version": 8, "kind": "session", "id": "977a26", "request": "1042", "owner": "7", "workspace": "sales",
        "restore": "latest",
        "display_name": "Ana", "size": "small", "catalog": "lake", "channel": "5",
        "created": "2026-11-23T12:00:00Z", "credentials": "owner", "credentials_expire": null,
        "credentials_warned": false, "ready": null, "rescheduled": null, "restarts_told": 0,
        "extended_seconds": 0, "kept_until": null, "warned": null, "announcement": null,
        "stage": "starting",
    });
    let with = |changes: Value| {
        let mut record = starting.clone();
        let changes = changes.as_object().unwrap().clone();
        record.as_object_mut().unwrap().extend(changes);
        record
    };
    let at = "2026-11-23T12:00:05Z";
    let stopping =
        |ending: Value| with(json!({ "stage": "stopping", "ending": ending, "told": false }));
    vec![
        with(json!({})),
        with(
            json!({ "kind": "query_runner", "workspace": "query-0", "size": "query runner", "channel": null }),
        ),
        with(json!({
            "stage": "running", "ready": at, "announcement": "9", "credentials_expire": at,
            "credentials_warned": true, "credentials_renewed": at, "credentials_replaced": true,
            "rescheduled": { "at": at, "failure": "evicted", "why": "the node was low on memory" },
            "restarts_told": 2, "extended_seconds": 3600, "kept_until": at,
            "warned": { "rule": "idle", "since": at, "at": at },
        })),
        with(json!({ "stage": "rescheduling", "failure": "node_gone", "why": "" })),
        stopping(json!({ "at": at, "cause": "stopped", "by": "7" })),
        stopping(json!({ "at": at, "cause": "restarted", "by": "7", "credentials_expire": null })),
        stopping(json!({ "at": at, "cause": "took_too_long", "after_seconds": 300 })),
        stopping(
            json!({ "at": at, "cause": "failed", "failure": "crashed", "why": "exit code 1" }),
        ),
        stopping(json!({ "at": at, "cause": "lost" })),
        stopping(json!({ "at": at, "cause": "reaped", "rule": "max_age", "since": at })),
    ]
}

#[test]
fn records_of_this_version_are_readable() {
    for record in records() {
        let read = Record::read(&record.to_string());
        assert!(read.is_ok(), "{read:?}: {record}");
    }
    // If the version changes, `records` has those of the new one.
    assert_eq!(records()[0]["version"], RECORD_VERSION);
}

#[track_caller]
fn assert_readable<T: DeserializeOwned>(documents: &[Value]) {
    for document in documents {
        let read = serde_json::from_value::<T>(document.clone());
        assert!(read.is_ok(), "{:?}: {document}", read.err());
    }
}

#[test]
fn a_session_of_0_1_0_understands_and_is_understood() {
    // From the bot to the session.
    assert_readable::<QueryRequest>(&[json!({
        "sql": "SELECT 42", "rows": 10000, "bytes": 1048576, "cells": 200000, "seconds": 120,
        "writes": false, "list_tables": false, "keep": true, "variables": {},
    })]);
    let renewal =
        json!({ "action": "renew_credentials", "variables": { "AWS_ACCESS_KEY_ID": "x" } });
    assert_readable::<ControlCommand>(&[renewal, json!({ "action": "something_newer" })]);
    // From the session to the bot.
    let error = json!({
        "kind": "Catalog", "message": "Table with name t does not exist!", "position": 14,
        "name": "t", "missing": "Table", "schema": null, "failure": null,
    });
    let storage = json!({ "kind": "HTTP", "message": "403", "position": null, "name": null, "missing": null });
    assert_readable::<QueryResponse>(&[
        json!({ "rows": {
            "columns": [{ "name": "n", "kind": "INTEGER" }], "rows": [["42"], [null]], "more": false,
            "milliseconds": 3,
        } }),
        json!({ "done": { "milliseconds": 3 } }),
        json!("not_committed"),
        json!("not_select"),
        json!({ "several": 2 }),
        json!("empty"),
        json!("line_break"),
        json!({ "wrong": error }),
        json!({ "wrong": storage }),
        json!({ "no_access": { "what": "Attaching lake", "error": "403", "failure": null } }),
        json!("too_long"),
        json!("ended"),
    ]);
    assert_readable::<ControlResponse>(&[
        json!("done"),
        json!({ "failed": { "what": "Attaching lake", "error": "403" } }),
        json!({ "detached": "403" }),
        json!({ "refused": "the clock" }),
        json!("not_supported"),
    ]);
    assert_readable::<Activity>(&[json!({
        "queries": 1, "queued": 0, "last_query": "2026-11-23T12:00:00Z", "tabs": 2,
        "since": "2026-11-23T12:00:00Z",
    })]);
}
