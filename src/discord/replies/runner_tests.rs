//! Snapshots of the replies about query runners.

use std::sync::Arc;

use super::{
    tests::{cancel_button, gallery},
    *,
};
use crate::{
    runtime::{Column, QueryResponse, Rows, TableName},
    service::{QueryRejection, TableList},
    session::{
        Cause, ErrorSummary, Failure, Incident, Observed, Pod, PodState, Rule, ScheduledStop,
        StartupStep, TrackedSession, Usage, starting, starting_runner,
    },
};

#[test]
fn running_queries_without_a_session() {
    let record = starting_runner().with_announcement(None, starting().created, 0);
    let at = record.created;
    let watched = TrackedSession {
        seen: Observed {
            record: Arc::new(record.clone()),
            uid: "u".into(),
            revision: "1".into(),
            pod: Some(Pod::new(PodState::Ready)),
            service: false,
            route: false,
        },
        usage: Usage::Idle(at),
        left: None,
        bot_started: at,
    };
    let due = ScheduledStop {
        at: at + chrono::TimeDelta::minutes(5),
        rule: Rule::Idle,
        since: at,
        needs_warning: false,
    };
    let runners = [ListEntry {
        watched,
        url: String::new(),
        due: Some(due),
    }];
    let question = QueryContext {
        sql: "SELECT 42 AS n",
        session: None,
        catalog: "lake",
        missing: None,
        ..QueryContext::default()
    };
    let rows = QueryResponse::Rows(Rows {
        columns: vec![Column {
            name: "n".into(),
            kind: "INTEGER".into(),
        }],
        rows: vec![vec![Some("42".into())]],
        ..Rows::default()
    });
    let all = TableList {
        names: vec![TableName::new("sales", "orders")],
        more: false,
    };
    let nobody = || {
        list(
            &[],
            7.into(),
            Some(AllSessions { total: None }),
            None,
            false,
        )
    };
    insta::assert_snapshot!(gallery(&[
        (
            "a query starts one",
            query_starting(
                question.sql,
                &cancel_button(),
                Some(&Pod::at(StartupStep::Placed))
            ),
        ),
        ("tables start one", runner_starting(None)),
        ("rows", answer(&question, &rows)),
        ("took too long", answer(&question, &QueryResponse::TimedOut)),
        ("tables", tables(&record, "lake", &all, None)),
        ("an admin's list", with_runners(nobody(), &runners)),
        (
            "an admin's list of two",
            with_runners(nobody(), &[runners[0].clone(), runners[0].clone()]),
        ),
        ("before a stop", confirm_stop(&record)),
    ]));
}

#[test]
fn a_query_runner_that_ended_before_the_query_ran() {
    let failed = |failure| Cause::Failed(Incident::new(failure, "its words"));
    let since = starting().created;
    let causes = [
        Cause::Refused {
            error: ErrorSummary::QuotaExceeded { why: "cpu".into() },
            reference: "1a2b3c4d".into(),
        },
        Cause::Refused {
            error: ErrorSummary::Refused,
            reference: "1a2b3c4d".into(),
        },
        Cause::TookTooLong { after_seconds: 300 },
        failed(Failure::CredentialsMissing),
        failed(Failure::NoRoom),
        failed(Failure::NoNode),
        failed(Failure::ImageMissing),
        failed(Failure::ImageRefused),
        failed(Failure::ImageUnavailable),
        failed(Failure::Container),
        failed(Failure::Crashed),
        failed(Failure::OutOfMemory),
        failed(Failure::DiskFull),
        failed(Failure::Evicted),
        Cause::Stopped { by: 7.into() },
        Cause::Lost,
        Cause::Reaped {
            rule: Rule::Idle,
            since,
        },
    ];
    let rejections = causes.map(|cause| QueryRejection::RunnerEnded(Box::new(cause)).into());
    let replies: Vec<_> = rejections
        .iter()
        .map(|rejection| ("ended", refused(rejection)))
        .collect();
    insta::assert_snapshot!(gallery(&replies));
}
