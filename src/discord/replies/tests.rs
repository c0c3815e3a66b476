//! Snapshots of all replies.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{
    credentials::{
        CredentialField, CredentialMetadata, CredentialPart, ExpiryNote, InputError, KeyHint,
        S3Metadata, TokenMetadata, ValueError,
        preflight::{CheckedService, PreflightError},
    },
    discord::{
        access::DenialReason, buttons::Button, commands::specs, goals::Goal,
        start_options::StartOptions, until::InvalidTime,
    },
    door::activity::Activity,
    error::Error,
    outbound::CertificateProblem,
    runtime::{
        Column, FailureCause, QueryError, QueryResponse, RemoteServer, RequestFailure, Rows,
        StorageLogin, TableName,
    },
    service::{
        CredentialsRejection, ExtendRejection, ExtendedSession, LookupRejection, MissingTable,
        QueryRejection, ReapResult, Rejection, SessionAction, SetupOutcome, StartRejection, Status,
        TableDetails, TableList, TablesError, UnknownCatalog,
    },
    session::{
        Action, Cause, Details, Ending, ErrorSummary, ExtensionLimit, Failure, Incident, Mebibytes,
        Observed, Orphan, Outcome, Plan, Pod, PodEvent, PodState, ReapPause, Record, Renewal,
        Report, ReportDetail, Requests, Restore, Rule, RunningSession, ScheduledStop, SessionId,
        Size, Stage, StartPause, StartupStep, TrackedSession, Usage, UsageTotal, Warning,
        Workspace, starting as starting_record,
    },
};

const URL: &str = "https://duckui-977a26.duck.example.com/";

fn large() -> StartOptions {
    StartOptions {
        size: Some("large".into()),
        workspace: Some("sales".parse().expect("a name")),
        ..StartOptions::default()
    }
}

pub(super) fn in_use(id: &str, is_stopping: bool) -> StartRejection {
    StartRejection::WorkspaceInUse {
        workspace: "sales".parse().expect("a name"),
        id: id.into(),
        is_stopping,
    }
}

pub(super) fn record(stage: Stage) -> Record {
    Record {
        stage,
        ..starting_record()
    }
}

pub(super) fn outcome(is_tried: bool, renewals: &[Renewal]) -> SetupOutcome {
    SetupOutcome {
        entered: with_keys("4D7Q", None),
        is_tried,
        saves_work: None,
        paused_schedules: 0,
        renewals: renewals.iter().map(|it| (seen(), it.clone())).collect(),
    }
}

pub(super) fn with_keys(hint: &str, expires: Option<DateTime<Utc>>) -> CredentialMetadata {
    CredentialMetadata {
        s3: Some(S3Metadata {
            hint: KeyHint(hint.into()),
            expires,
        }),
        catalog_token: None,
        ..token_only(None)
    }
}

fn token_only(expires: Option<DateTime<Utc>>) -> CredentialMetadata {
    CredentialMetadata {
        s3: None,
        catalog_token: Some(TokenMetadata { expires }),
        stored: Some(starting_record().created),
        checked: None,
    }
}

pub(super) fn seen() -> Observed {
    seen_at(Stage::Running)
}

fn seen_at(stage: Stage) -> Observed {
    Observed {
        record: Arc::new(record(stage)),
        uid: "u".into(),
        revision: "1".into(),
        pod: Some(Pod::new(PodState::Ready)),
        service: true,
        route: true,
    }
}

pub(super) fn ending(cause: Cause) -> Reply {
    let at = "2026-11-23T13:00:00Z".parse().expect("a time");
    let is_small = matches!(cause.failure(), Failure::OutOfMemory | Failure::DiskFull);
    ended(
        &record(Stage::Running),
        &Ending { at, cause },
        is_small.then_some("large"),
    )
}

fn slow() -> Error {
    Error::TimedOut {
        action: "create configmaps in duckbot-sessions".into(),
        after: std::time::Duration::from_secs(10),
    }
}

pub(super) fn cancel_button() -> Button {
    Button::Cancel {
        query: "q1".into(),
        text: None,
        session: None,
        catalog: None,
    }
}

/// Formats replies for a snapshot: texts under titles, buttons in brackets.
pub(super) fn gallery(replies: &[(&str, Reply)]) -> String {
    let mut text = String::new();
    for (title, reply) in replies {
        text.push_str(&format!("--- {title}\n{}\n", reply.text));
        for button in &reply.buttons {
            text.push_str(&format!(
                "[{}] {}\n",
                button.label,
                button.button.custom_id()
            ));
        }
        for file in &reply.files {
            text.push_str(&format!(
                "{}: {}\n",
                file.name,
                String::from_utf8_lossy(&file.content)
            ));
        }
    }
    text
}

#[test]
fn asking_duckdb() {
    let id: SessionId = "977a26".parse().expect("an id");
    let nearest = ["sales.orders".to_owned()];
    let unknown = MissingTable::Unknown(nearest.to_vec());
    let to = |sql, said: &QueryResponse| {
        let question = QueryContext {
            sql,
            session: Some(&id),
            catalog: "lake",
            missing: matches!(said, QueryResponse::Error(it) if it.missing.is_some())
                .then_some(&unknown),
            ..QueryContext::default()
        };
        answer(&question, said)
    };
    let sql = "SELECT day, total\nFROM lake.sales.ordrs";
    let column = |name: &str, kind: &str| Column {
        name: name.into(),
        kind: kind.into(),
    };
    let rows = |count: u32, more| {
        let row = |n| vec![Some("2026-11-23".to_owned()), Some(format!("{n}.50"))];
        QueryResponse::Rows(Rows {
            columns: vec![column("day", "DATE"), column("total", "DECIMAL(10,2)")],
            rows: (0..count).map(row).collect(),
            more,
            milliseconds: 1234,
            ..Rows::default()
        })
    };
    let no_default = QueryResponse::Rows(Rows {
        columns: vec![column("name", "VARCHAR")],
        lacks_default_schema: true,
        ..Rows::default()
    });
    let wrong = |kind: &str, message: &str| QueryError {
        kind: kind.into(),
        message: message.into(),
        ..QueryError::default()
    };
    let missing = QueryError {
        position: Some(23),
        name: Some("ordrs".into()),
        missing: Some("Table".into()),
        ..wrong("Catalog", "Table with name ordrs does not exist!")
    };
    let denied = QueryError {
        failure: Some(RequestFailure {
            server: RemoteServer::Storage {
                bucket: Some("lake".into()),
                login: StorageLogin::OwnKeys,
            },
            cause: FailureCause::Forbidden,
        }),
        ..wrong("HTTP", "GET error on 'http://s3/lake/a.parquet' (HTTP 403)")
    };
    let no_access = QueryResponse::NoAccess {
        what: "Attaching the catalog lake".into(),
        error: "HTTP 401".into(),
        failure: None,
    };
    let mut short = to(sql, &rows(200, true));
    short.files.clear();
    let all = |more| TableList {
        names: [("sales", "orders"), ("web", "visits"), ("a.b", "places")]
            .map(|(schema, table)| TableName::new(schema, table))
            .into(),
        more,
    };
    let columns = Rows {
        columns: ["column", "type", "null"]
            .map(|name| column(name, ""))
            .into(),
        rows: vec![
            ["day", "DATE", "YES"]
                .map(|text| Some(text.to_owned()))
                .into(),
        ],
        ..Rows::default()
    };
    let texts = |texts: &[&str]| texts.iter().map(|&it| Some(it.to_owned())).collect();
    let details = TableDetails {
        row_count: Some(1_234_567),
        sample: Some(Rows {
            columns: vec![column("day", "DATE")],
            rows: vec![texts(&["2026-11-23"])],
            ..Rows::default()
        }),
        comments: Some(Rows {
            rows: vec![texts(&["day", "`when` it was\n@everyone"])],
            ..Rows::default()
        }),
        rooms: Vec::new(),
    };
    let name = TableName::new("a.b", "orders");
    let described = with_statistics_button(table_columns(&name, "lake", &columns), &id, &name);
    let record = record(Stage::Running);
    let told = to(sql, &rows(1, false));
    let refusals = [
        LookupRejection::NoSession(SessionAction::Query).into(),
        LookupRejection::NotYours {
            id: id.clone(),
            owner: 7.into(),
            action: SessionAction::Query,
        }
        .into(),
        QueryRejection::Disabled.into(),
        QueryRejection::Empty.into(),
        QueryRejection::InvisibleCharacter('\u{1}').into(),
        QueryRejection::TooMany(2).into(),
        QueryRejection::TablesUnavailable(Box::new(TablesError::NoAccess {
            what: "Attaching the catalog lake".into(),
            error: "`HTTP 401`".into(),
            failure: None,
        }))
        .into(),
        QueryRejection::UnknownTable {
            given: "ordrs".into(),
            nearest: nearest.to_vec(),
        }
        .into(),
    ];
    let mut gallery_of: Vec<_> = refusals
        .iter()
        .map(|it| ("rejection", refused(it)))
        .collect();
    gallery_of.extend([
        (
            "running",
            query_running(sql, &cancel_button(), record.created),
        ),
        ("interrupted", interrupted(sql)),
        (
            "with a note",
            with_note(told.clone(), "Your credentials were saved."),
        ),
        ("cancelled", cancelled(sql)),
        ("already finished", query_over()),
        ("one row", told.clone()),
        ("more than fits, with a file", short),
        ("first row too large", to(sql, &rows(0, true))),
        (
            "done",
            to(
                "CREATE TABLE t AS SELECT 1",
                &QueryResponse::Done { milliseconds: 12 },
            ),
        ),
        ("not committed", to("BEGIN", &QueryResponse::NotCommitted)),
        ("no SELECT", to("DROP TABLE t", &QueryResponse::NotSelect)),
        (
            "several statements",
            to("SELECT 1; SELECT 2", &QueryResponse::MultipleStatements(2)),
        ),
        ("only comments", to("-- a", &QueryResponse::Empty)),
        (
            "a line break",
            to(
                "INSERT INTO t VALUES (e'a\\';\nb')",
                &QueryResponse::LineBreak,
            ),
        ),
        ("no default schema", to("SHOW TABLES", &no_default)),
        ("missing table", to(sql, &QueryResponse::Error(missing))),
        ("access denied", to(sql, &QueryResponse::Error(denied))),
        (
            "out of memory",
            to(
                sql,
                &QueryResponse::Error(wrong("Out of Memory", "failed to allocate")),
            ),
        ),
        (
            "not permitted",
            to(
                sql,
                &QueryResponse::Error(wrong("Permission", "no such file")),
            ),
        ),
        ("no access", to(sql, &no_access)),
        ("timed out", to(sql, &QueryResponse::TimedOut)),
        ("exited", to(sql, &QueryResponse::Exited)),
        ("shared", shared(7, &told.text, Vec::new())),
        ("shared, private reply", share_done(&told.text)),
        ("not shared", share_refused(&told.text, Some(50013))),
        (
            "not permitted to share",
            share_denied(&told.text, &["Send Messages", "Attach Files"]),
        ),
        ("tables", tables(&record, "lake", &all(false), None)),
        (
            "more tables than listed",
            tables(&record, "lake", &all(true), None),
        ),
        (
            "no match",
            tables(&record, "lake", &all(false), Some("x`y")),
        ),
        (
            "no match, of many",
            tables(&record, "lake", &all(true), Some("x")),
        ),
        (
            "no tables",
            tables(&record, "lake", &TableList::default(), None),
        ),
        (
            "no tables in time",
            tables(
                &record,
                "lake",
                &TableList {
                    more: true,
                    ..TableList::default()
                },
                None,
            ),
        ),
        (
            "columns, with details",
            with_details(described.clone(), &details),
        ),
        (
            "columns, without details",
            with_details(described, &TableDetails::default()),
        ),
        ("statistics", table_statistics(&name, "lake", &columns)),
    ]);
    let again = share_failed(&told.text, "why");
    assert_eq!(strip_private_lines(&again.text), told.text);
    let noted = with_note(told.clone(), "A note.");
    assert_eq!(strip_private_lines(&noted.text), told.text);
    let again = share_failed(&noted.text, "why");
    assert_eq!(strip_private_lines(&again.text), told.text);
    let full = Reply::new("x".repeat(MAX_MESSAGE_CHARS - 3));
    assert_eq!(with_note(full.clone(), "A note."), full);
    insta::assert_snapshot!(gallery(&gallery_of));
}

#[test]
fn looking_closely() {
    let after = |minutes| starting_record().created + TimeDelta::minutes(minutes);
    let said = |minutes, reason: &str, message: &str| PodEvent {
        at: after(minutes),
        reason: reason.into(),
        message: message.into(),
    };
    let looked = |seen: Observed, usage, activity, details| {
        let due = Some(ScheduledStop {
            rule: Rule::Lifetime,
            since: after(0),
            at: after(720),
            needs_warning: true,
        });
        let watched = TrackedSession {
            seen,
            usage,
            left: None,
            bot_started: after(0),
        };
        let looked = Status {
            watched,
            activity,
            details,
            work: None,
            due,
        };
        let (memory, disk) = (Mebibytes::gibibytes(4), Mebibytes::gibibytes(10));
        let cpu = "1".parse().expect("cores");
        let size = Size {
            name: "small".into(),
            cpu,
            memory,
            disk,
            requests: Requests { cpu, memory, disk },
        };
        status(&looked, Some(&size), false, 7.into())
    };
    let busy = Activity {
        queries: 1,
        last_query: Some(after(5)),
        tabs: 2,
        since: Some(after(0)),
        ..Activity::default()
    };
    let quiet = Activity {
        queries: 0,
        tabs: 0,
        ..busy.clone()
    };
    let full = Activity {
        queries: 4,
        queued: 8,
        ..busy.clone()
    };
    let on_a_node = Details {
        node: Some("node-1".into()),
        memory: Some(312 << 20),
        events: vec![
            said(
                0,
                "Scheduled",
                "Successfully assigned duckbot-sessions/duckui-977a26",
            ),
            said(1, "Pulling", "Pulling image \"duckui\""),
            said(
                2,
                "FailedMount",
                "MountVolume.SetUp failed for volume `x`\n@everyone",
            ),
        ],
    };
    let mut restarted = seen();
    restarted.pod = Some(Pod {
        restarts: 2,
        last_end: Some(Incident::new(Failure::OutOfMemory, "OOMKilled")),
        ..Pod::new(PodState::Ready)
    });
    Arc::make_mut(&mut restarted.record).credentials_expire = Some(after(60));
    let mut waits = seen();
    Arc::make_mut(&mut waits.record).stage = Stage::Starting;
    waits.pod = Some(Pod::new(PodState::Pending {
        step: StartupStep::Queued,
        incident: Some(Incident::new(
            Failure::NoRoom,
            "0/1 nodes: 1 Insufficient memory",
        )),
    }));
    let record = record(Stage::Running);
    insta::assert_snapshot!(gallery(&[
        (
            "in use",
            looked(restarted, Usage::Busy, Some(busy), on_a_node)
        ),
        (
            "node unknown",
            looked(
                seen(),
                Usage::Idle(after(5)),
                Some(quiet),
                Details::default()
            )
        ),
        (
            "queries wait",
            looked(seen(), Usage::Busy, Some(full), Details::default())
        ),
        (
            "door does not respond",
            looked(
                seen(),
                Usage::Unreachable(after(1)),
                None,
                Details::default()
            )
        ),
        (
            "waiting",
            looked(waits, Usage::Unknown, None, Details::default())
        ),
        ("log", log(&record, Some("quack".into()))),
        ("empty log", log(&record, Some("\n".into()))),
        ("log with unknown credentials", log(&record, None)),
    ]));
}

#[test]
fn setting_up() {
    let stored =
        |outcome: &SetupOutcome, note, required| super::stored(outcome, note, required, None);
    let mistakes = [
        InputError::Value(CredentialField::KeyId, ValueError::Space(' ', 5)),
        InputError::Value(CredentialField::SecretKey, ValueError::TooLong(4000)),
    ];
    let lake = || Some("lake".to_owned());
    use CredentialPart::{CatalogToken, S3Keys};
    let of = |entered| SetupOutcome {
        entered,
        ..outcome(true, &[])
    };
    let both = CredentialMetadata {
        catalog_token: Some(TokenMetadata { expires: None }),
        ..with_keys("4D7Q", None)
    };
    let short_key = SetupOutcome {
        entered: with_keys("", None),
        ..outcome(false, &[])
    };
    insta::assert_snapshot!(gallery(&[
        ("in a direct message", setup_invitation(lake(), S3Keys)),
        ("in the channel", setup_sent(99, S3Keys)),
        ("direct messages are closed", setup_here(None, S3Keys)),
        (
            "a token, in a direct message",
            setup_invitation(lake(), CatalogToken)
        ),
        ("a token, in the channel", setup_sent(99, CatalogToken)),
        (
            "a token, stored",
            stored(&of(token_only(None)), None, CatalogToken)
        ),
        (
            "a token beside keys, stored",
            stored(&of(both.clone()), None, CatalogToken)
        ),
        (
            "a token, not stored",
            not_stored(
                &[InputError::NoTime(CatalogToken)],
                Button::OpenForm(lake()),
                CatalogToken
            )
        ),
        (
            "a token, not usable",
            not_usable(
                &[PreflightError::CatalogRefuses("lake".into())],
                Button::OpenForm(lake()),
                CatalogToken
            )
        ),
        (
            "a token, with a session whose catalog requires keys",
            stored(
                &SetupOutcome {
                    entered: token_only(None),
                    ..outcome(true, &[Renewal::Incomplete])
                },
                None,
                CatalogToken
            )
        ),
        ("stored", stored(&outcome(true, &[]), None, S3Keys)),
        (
            "stored, short key, not checked",
            stored(&short_key, None, S3Keys)
        ),
        (
            "stored, with a session that took them",
            stored(&outcome(true, &[Renewal::Done]), None, S3Keys),
        ),
        (
            "stored, with one that took them and one that did not",
            stored(
                &outcome(true, &[Renewal::Done, Renewal::NotSupported]),
                None,
                S3Keys
            ),
        ),
        (
            "stored, with starting sessions",
            stored(
                &outcome(true, &[Renewal::Pending, Renewal::Pending]),
                None,
                S3Keys
            )
        ),
        (
            "stored, with a session that lost its catalog",
            stored(
                &outcome(true, &[Renewal::Detached("IO Error: no catalog".into())]),
                None,
                S3Keys
            )
        ),
        (
            "stored, with sessions that keep the previous ones",
            stored(
                &outcome(
                    true,
                    &[
                        Renewal::NotSupported,
                        Renewal::Unreachable,
                        Renewal::Refused("Trying the new token failed: HTTP 401".into()),
                    ]
                ),
                None,
                S3Keys
            )
        ),
        (
            "stored, time of expiry without a zone",
            stored(&outcome(true, &[]), Some(ExpiryNote::ReadAsUtc), S3Keys)
        ),
        (
            "stored, time of expiry not understood",
            stored(&outcome(true, &[]), Some(ExpiryNote::NotUnderstood), S3Keys)
        ),
        (
            "a session that kept the previous ones when it was ready",
            not_renewed(&starting_record(), &Renewal::NotSupported).expect("a notice")
        ),
        (
            "a session that lost its catalog when it was ready",
            not_renewed(
                &starting_record(),
                &Renewal::Detached("IO Error: no catalog".into())
            )
            .expect("a notice")
        ),
        (
            "not stored",
            not_stored(&mistakes, Button::OpenForm(lake()), S3Keys)
        ),
        (
            "a message of a person with credentials",
            direct_answer(&with_keys("4D7Q", None), true)
        ),
        (
            "a key in a message",
            with_leak_warning(direct_invitation(S3Keys))
        ),
    ]));
}

#[test]
fn keeping_credentials() {
    let noon = || starting_record().created;
    let about = |checked, expires| CredentialMetadata {
        checked,
        ..with_keys("4D7Q", expires)
    };
    let tried = about(Some(noon()), Some(noon()));
    insta::assert_snapshot!(gallery(&[
        (
            "stored, checked, expiring",
            credentials(&tried, true, Some("lake".into()))
        ),
        (
            "stored, not checked",
            credentials(&about(None, None), false, None)
        ),
        (
            "a token, not checked, expiring",
            credentials(&token_only(Some(noon())), true, None)
        ),
        (
            "delete a token?",
            confirm_forget(&token_only(None), &[], false)
        ),
        ("delete?", confirm_forget(&tried, &[], false)),
        (
            "delete, with a session?",
            confirm_forget(&tried, &[seen()], false)
        ),
        (
            "delete, with a starting session?",
            confirm_forget(&tried, &[seen(), seen_at(Stage::Starting)], false)
        ),
        ("deleted", credentials_deleted(&[])),
        ("deleted, with a session", credentials_deleted(&[seen()])),
        ("stopping", stopping_all(&[seen()])),
        ("not deleted", credentials_kept()),
        ("nothing stored", no_credentials()),
        ("restarting", restarting(&[seen()])),
        ("restarted", restarted(&[seen()])),
        ("nothing to restart", nothing_to_restart()),
        (
            "deleted, with an error",
            credentials_deleted_but(failed(&slow(), "1a2b3c4d"))
        ),
        (
            "no longer a member",
            with_forget_button(access_denied(&DenialReason::NotAMember))
        ),
        (
            "credentials expire",
            credentials_expire(&starting_record(), noon())
        ),
    ]));
}

#[test]
fn credentials_that_do_not_work() {
    let lake = || "lake".to_owned();
    let troubles = [
        PreflightError::Unreachable(CheckedService::Storage),
        PreflightError::BadCertificate {
            who: CheckedService::Storage,
            problem: CertificateProblem::UnknownIssuer("CN=Duck Root".into()),
        },
        PreflightError::BadCertificate {
            who: CheckedService::Catalog(lake()),
            problem: CertificateProblem::Invalid("certificate expired".into()),
        },
        PreflightError::UnknownKey,
        PreflightError::Refused,
        PreflightError::WrongSecret,
        PreflightError::ExpiredToken,
        PreflightError::WrongToken,
        PreflightError::ClockSkew,
        PreflightError::NoPermission {
            action: "s3:ListBucket",
            bucket: lake(),
        },
        PreflightError::NoBucket(lake()),
        PreflightError::OtherRegion,
        PreflightError::CatalogWantsToken(lake()),
        PreflightError::CatalogMoved {
            catalog: lake(),
            uri: "http://catalog.example/v2".into(),
        },
        PreflightError::CatalogRefuses(lake()),
        PreflightError::Busy {
            who: CheckedService::Storage,
            status: 503,
        },
    ];
    insta::assert_snapshot!(gallery(&[
        (
            "new",
            not_usable(
                &troubles,
                Button::OpenForm(Some(lake())),
                CredentialPart::S3Keys
            )
        ),
        ("stored", no_longer_usable(&troubles[..1], None)),
    ]));
}

#[test]
fn starting() {
    let record = record(Stage::Starting);
    let another = || {
        Button::StartAnother(StartOptions {
            catalog: Some("lake".into()),
            ..StartOptions::default()
        })
    };
    let one = [(seen(), URL.to_owned())];
    let two = [
        (seen(), URL.to_owned()),
        (seen_at(Stage::Starting), URL.to_owned()),
    ];
    let usual = Some(chrono::TimeDelta::milliseconds(21_400));
    let no_room = Pod::new(PodState::Pending {
        step: StartupStep::Queued,
        incident: Some(Incident::new(Failure::NoRoom, "asked for 4 CPU and 16Gi")),
    });
    let pulling = StartupStep::Pulling("2026-11-23T12:00:05Z".parse().expect("a time"));
    insta::assert_snapshot!(gallery(&[
        ("asked for", progress(&record, None, None)),
        (
            "queued",
            progress(&record, Some(&Pod::at(StartupStep::Queued)), usual)
        ),
        ("no room", progress(&record, Some(&no_room), usual)),
        (
            "placed",
            progress(&record, Some(&Pod::at(StartupStep::Placed)), usual)
        ),
        ("pulling", progress(&record, Some(&Pod::at(pulling)), usual)),
        (
            "starting",
            progress(&record, Some(&Pod::at(StartupStep::Starting)), usual)
        ),
        (
            "almost",
            progress(&record, Some(&Pod::new(PodState::Ready)), usual)
        ),
        ("ready, in private", ready(&record, None)),
        (
            "ready, without a message in the channel",
            ready(&record, Some(URL))
        ),
        ("ready, in the channel", announcement(&record, URL, None)),
        ("one runs already", already_running(&one, true, another())),
        (
            "as many as allowed",
            already_running(&two, false, another())
        ),
    ]));
}

#[test]
fn ending_sessions() {
    let record = record(Stage::Running);
    let refused = Cause::Refused {
        error: ErrorSummary::NotAllowed {
            verb: "create".into(),
            resource: "pods".into(),
            namespace: "duckbot-sessions".into(),
        },
        reference: "1a2b3c4d".into(),
    };
    insta::assert_snapshot!(gallery(&[
        ("before", confirm_stop(&record)),
        ("progress", stopping(&record.id, None)),
        ("after", stopped(&record.id, None, 7.into())),
        ("not stopped", session_kept(&record.id)),
        ("by the owner", ending(Cause::Stopped { by: 7.into() })),
        (
            "restarted",
            ending(Cause::Restarted {
                by: 7.into(),
                credentials_expire: None
            })
        ),
        ("by an admin", ending(Cause::Stopped { by: 8.into() })),
        ("refused", ending(refused)),
        (
            "too long",
            ending(Cause::TookTooLong { after_seconds: 300 })
        ),
        (
            "failed",
            ending(Cause::Failed(Incident::new(
                Failure::Other,
                "`OOM`\n@everyone"
            )))
        ),
        ("lost", ending(Cause::Lost)),
        ("over the quota", ending(Cause::OverQuota)),
        ("ended, in the first message", ended_briefly(&record)),
        ("a start failed after a while", start_failed_notice(&record)),
        ("gone", session_ended(&record.id)),
    ]));
}

#[test]
fn failing() {
    let all = [
        Failure::NoRoom,
        Failure::NoNode,
        Failure::ImageMissing,
        Failure::ImageRefused,
        Failure::ImageUnavailable,
        Failure::CredentialsMissing,
        Failure::Mount,
        Failure::Container,
        Failure::Crashed,
        Failure::OutOfMemory,
        Failure::Door,
        Failure::DiskFull,
        Failure::Evicted,
        Failure::NodeGone,
        Failure::Vanished,
        Failure::BotEnded,
        Failure::Other,
    ];
    let of = |failure| ending(Cause::Failed(Incident::new(failure, "its words")));
    let names = all.map(|failure| format!("{failure:?}"));
    let replies = all.map(of);
    let titled: Vec<_> = names.iter().map(String::as_str).zip(replies).collect();
    insta::assert_snapshot!(gallery(&titled));
}

#[test]
fn going_on() {
    let record = record(Stage::Running);
    let oom = Incident::new(Failure::OutOfMemory, "OOMKilled");
    let crashed = Incident::new(Failure::Crashed, "Error, exit code 1");
    let drained = Incident::new(Failure::Evicted, "Eviction API: evicting");
    let at = record.created;
    let again = record
        .with_announcement(None, at, 0)
        .with_reschedule(drained.clone())
        .with_restart(None, at);
    let not_again = |cause| ended(&again, &Ending { at, cause }, None);
    let stuck = Cause::Failed(Incident::new(Failure::ImageMissing, "not found"));
    insta::assert_snapshot!(gallery(&[
        (
            "out of memory",
            restart_notice(&record, &oom, Some("large"))
        ),
        (
            "out of memory, largest size",
            restart_notice(&record, &oom, None)
        ),
        (
            "exited unexpectedly",
            restart_notice(&record, &crashed, Some("large"))
        ),
        ("rescheduled", rescheduled(&record, &drained)),
        ("restarting", progress(&again, None, None)),
        ("ready again", announcement(&again, URL, None)),
        (
            "not ready again",
            not_again(Cause::TookTooLong { after_seconds: 300 })
        ),
        ("can't start again", not_again(stuck)),
        (
            "for admins",
            crash_log(&record, "IO Error: Extension \"ui\" not found", "Killed")
        ),
        ("link", opening(&record)),
    ]));
}

#[test]
fn listing_and_helping() {
    assert!(message_len(&help(&specs()).text) < MAX_MESSAGE_CHARS - RESERVE);
    let one = [list_entry(Usage::Unknown, None)];
    let used = |usage| [list_entry(usage, None)];
    let due = |rule| [list_entry(Usage::Idle(noon()), Some(due(rule)))];
    let noon = starting_record().created;
    let everybody = Some(AllSessions { total: None });
    let total = NonZeroU32::new(40);
    insta::assert_snapshot!(gallery(&[
        ("none of theirs", list(&[], 7.into(), None, None, false)),
        ("none at all", list(&[], 7.into(), everybody, None, false)),
        ("one", list(&one, 7.into(), None, None, false)),
        ("out of date", list(&one, 7.into(), None, Some(noon), false)),
        (
            "used before",
            list(&used(Usage::Idle(noon)), 7.into(), None, None, false)
        ),
        (
            "in use",
            list(&used(Usage::Busy), 7.into(), None, None, false)
        ),
        (
            "door does not respond",
            list(&used(Usage::Unreachable(noon)), 7.into(), None, None, false)
        ),
        ("idle", list(&due(Rule::Idle), 7.into(), None, None, false)),
        (
            "lifetime",
            list(&due(Rule::Lifetime), 7.into(), None, None, false)
        ),
        (
            "maximum age",
            list(&due(Rule::MaxAge), 7.into(), None, None, false)
        ),
        (
            "a dry run",
            list(&due(Rule::MaxAge), 7.into(), None, None, true)
        ),
        (
            "owner left",
            list(&due(Rule::OwnerLeft), 7.into(), None, None, false)
        ),
        (
            "everybody's",
            list(
                &[one[0].clone(), one[0].clone()],
                7.into(),
                everybody,
                None,
                false
            )
        ),
        (
            "an admin's, with a total",
            list(&one, 7.into(), Some(AllSessions { total }), None, false)
        ),
        ("help", help(&specs())),
        ("outdated", outdated()),
    ]));
}

#[test]
fn pausing_starts() {
    let pause = |by: u64, reason: Option<&str>| StartPause {
        until: noon() + TimeDelta::hours(6),
        by: by.into(),
        reason: reason.map(str::to_owned),
    };
    let ours = pause(9, Some("We upgrade the @everyone `cluster`."));
    let theirs = pause(8, None);
    let zone = chrono_tz::Europe::Berlin;
    let invalid = |given, why| invalid_time(given, why, zone);
    insta::assert_snapshot!(gallery(&[
        ("paused", paused(&ours, None, true)),
        ("without a reason", paused(&theirs, None, true)),
        ("in place of another's", paused(&ours, Some(&theirs), true)),
        ("that can't be told", paused(&ours, Some(&theirs), false)),
        ("in place of their own", paused(&ours, Some(&ours), true)),
        ("replaced", pause_replaced(9.into(), Some(&ours))),
        ("ended by another", pause_replaced(9.into(), None)),
        ("resumed", resumed(Some(&ours))),
        ("not paused", resumed(None)),
        ("help", with_pause(Reply::new("Commands"), Some(&ours))),
        ("not a time", invalid("`soon`", InvalidTime::Unreadable)),
        ("past", invalid("2026-11-01", InvalidTime::Past(noon()))),
        ("too far", invalid("2062-11-01", InvalidTime::TooFar)),
        ("long reason", reason_too_long(200)),
    ]));
    let status = |now| paused_status(&ours, now, zone);
    assert_eq!(status(noon()), "Starts are paused until 19:00 CET");
    let later = status(noon() - TimeDelta::days(2));
    assert_eq!(later, "Starts are paused until Nov 23, 19:00 CET");
}

#[test]
fn a_long_list_says_how_many_it_leaves_out() {
    let many = vec![list_entry(Usage::Idle(noon()), Some(due(Rule::Idle))); 60];
    let text = list(
        &many,
        7.into(),
        Some(AllSessions { total: None }),
        None,
        false,
    )
    .text;
    assert!(message_len(&text) <= MAX_MESSAGE_CHARS);
    let shown = text.matches("\n- ").count();
    assert!(text.starts_with("60 sessions"), "{text}");
    assert!(text.ends_with(&format!(
        "…and {} more that did not fit in this message.",
        60 - shown
    )));
}

#[test]
fn no_list_shows_more_entries_than_those_whose_doors_are_asked() {
    let mut entry = list_entry(Usage::Unknown, None);
    let record = Arc::make_mut(&mut entry.watched.seen.record);
    (record.size, record.catalog) = ("s".into(), "c".into());
    let everybody = Some(AllSessions { total: None });
    let text = list(&vec![entry; MAX_LISTED], 9.into(), everybody, None, false).text;
    assert!(text.contains("more that did not fit"), "{text}");
}

pub(super) fn noon() -> DateTime<Utc> {
    starting_record().created
}

fn list_entry(usage: Usage, due: Option<ScheduledStop>) -> ListEntry {
    let watched = TrackedSession {
        seen: seen(),
        usage,
        left: None,
        bot_started: noon(),
    };
    ListEntry {
        watched,
        url: URL.to_owned(),
        due,
    }
}

/// A stop three hours after [`noon`].
fn due(rule: Rule) -> ScheduledStop {
    ScheduledStop {
        at: noon() + TimeDelta::hours(3),
        rule,
        since: noon(),
        needs_warning: false,
    }
}

#[test]
fn before_and_after_a_session_is_reaped() {
    let record = record(Stage::Running);
    let warning = |rule| {
        let at = due(rule).at;
        stop_warning(
            &record,
            &Warning {
                rule,
                since: noon(),
                at,
            },
            TimeDelta::hours(4),
        )
    };
    let reaped = |rule| {
        ending(Cause::Reaped {
            rule,
            since: noon(),
        })
    };
    let more = |due, kept_until: Option<DateTime<Utc>>, [from, to]: [i64; 2], left, shortened| {
        let limit = ExtensionLimit::Budget(TimeDelta::hours(48));
        let after = |hours| noon() + TimeDelta::hours(hours);
        extended(&ExtendedSession {
            record: Record {
                kept_until,
                ..record.clone()
            },
            by: TimeDelta::minutes(90),
            shortened,
            latest_stop: kept_until.is_none().then(|| (after(from), after(to))),
            due,
            left: (TimeDelta::hours(left), limit),
        })
    };
    let to_go = || Plan {
        actions: vec![
            Action::Warn(
                record.id.clone(),
                Warning {
                    since: noon(),
                    rule: Rule::Idle,
                    at: noon(),
                },
            ),
            Action::Stop(record.id.clone(), due(Rule::Idle)),
            Action::Remove(Orphan {
                id: record.id.clone(),
                since: noon(),
            }),
            Action::Forget(7.into(), noon()),
        ],
        held_back: None,
    };
    let too_much = ReapPause { stops: 9, of: 12 };
    let held = Plan {
        held_back: Some(too_much),
        ..to_go()
    };
    let all_done = ReapResult {
        done: to_go().actions,
        spared: 2,
        failed: Some("1a2b3c4d".into()),
    };
    let silent = Arc::new(record.clone());
    insta::assert_snapshot!(gallery(&[
        ("idle", warning(Rule::Idle)),
        ("lifetime", warning(Rule::Lifetime)),
        ("maximum age", warning(Rule::MaxAge)),
        (
            "extended",
            more(Some(due(Rule::Lifetime)), None, [12, 14], 46, None)
        ),
        (
            "extended, and idle before",
            more(Some(due(Rule::Idle)), None, [12, 14], 46, None)
        ),
        (
            "extended, without a maximum lifetime, and in use",
            more(None, Some(noon()), [12, 14], 46, None)
        ),
        (
            "extended as far as that goes",
            more(
                Some(due(Rule::Lifetime)),
                None,
                [12, 60],
                0,
                Some(ExtensionLimit::Budget(TimeDelta::hours(48)))
            )
        ),
        (
            "extended at the maximum age",
            more(
                Some(due(Rule::Idle)),
                None,
                [72, 72],
                0,
                Some(ExtensionLimit::MaxAge(TimeDelta::days(3)))
            )
        ),
        ("stopped for idleness", reaped(Rule::Idle)),
        ("end of lifetime", reaped(Rule::Lifetime)),
        ("reached maximum age", reaped(Rule::MaxAge)),
        ("owner left", reaped(Rule::OwnerLeft)),
        ("unreachable door", unreachable(&[(silent.clone(), noon())])),
        (
            "unreachable doors",
            unreachable(&[(silent.clone(), noon()), (silent, noon())])
        ),
        ("reap pause", held_back(&too_much)),
        ("plan", plan(&to_go(), false)),
        ("plan over the limit, dry run", plan(&held, true)),
        ("empty plan", plan(&Plan::default(), false)),
        ("plan changed", changed_plan(&to_go(), false)),
        ("done", done(&all_done)),
        ("nothing done", done(&ReapResult::default())),
        ("cancelled", nothing_reaped()),
    ]));
}

#[test]
fn reporting() {
    let week = TimeDelta::weeks(1);
    let quiet = Report {
        since: noon() - week,
        until: noon(),
        sessions: 0,
        there: 0,
        running: Vec::new(),
        outcomes: Vec::new(),
        users: Vec::new(),
        others: UsageTotal::default(),
        starts: None,
        detail: None,
    };
    let running = |due, unreachable| RunningSession {
        record: Arc::new(record(Stage::Running)),
        due,
        unreachable,
    };
    let used = |seconds, sessions| UsageTotal { seconds, sessions };
    let seconds = TimeDelta::milliseconds;
    let calm = Report {
        sessions: 3,
        there: 1,
        running: vec![running(Some(due(Rule::Idle)), None)],
        outcomes: vec![(Outcome::Stopped, 1), (Outcome::Reaped(Rule::Idle), 1)],
        users: vec![(7.into(), used(5400, 3))],
        starts: Some([seconds(850), seconds(2_340)]),
        ..quiet.clone()
    };
    let people = (1..40u64).map(|n| (n.into(), used(4000 - 60 * n as i64, 2)));
    let busy = Report {
        sessions: 120,
        there: 29,
        running: (1..30)
            .map(|n| running((n > 3).then(|| due(Rule::Lifetime)), None))
            .collect(),
        outcomes: vec![
            (Outcome::Reaped(Rule::Idle), 60),
            (Outcome::Stopped, 20),
            (Outcome::StoppedByAdmin, 4),
            (Outcome::Restarted, 3),
            (Outcome::Reaped(Rule::Lifetime), 2),
            (Outcome::Reaped(Rule::MaxAge), 1),
            (Outcome::Reaped(Rule::OwnerLeft), 1),
        ],
        users: people.collect(),
        others: used(100_000, 31),
        starts: Some([seconds(12_000), seconds(95_000)]),
        detail: Some(ReportDetail {
            sizes: (1..13)
                .map(|n| (format!("size {n}"), used(90_000 - 60 * i64::from(n), n)))
                .collect(),
            load: Vec::new(),
            names: BTreeMap::new(),
            saved: 111_900,
            saved_before: Some(97_500),
        }),
        ..quiet.clone()
    };
    let trouble = Report {
        sessions: 9,
        there: 1,
        running: vec![running(None, Some(noon()))],
        outcomes: vec![
            (Outcome::Failed(Failure::OutOfMemory), 3),
            (Outcome::Failed(Failure::NoRoom), 2),
            (Outcome::TookTooLong, 1),
            (Outcome::Refused, 1),
            (Outcome::Lost, 1),
        ],
        users: vec![(7.into(), used(61, 9))],
        ..quiet.clone()
    };
    let text = report(&busy, false).text;
    assert!(message_len(&text) <= MAX_MESSAGE_CHARS, "{text}");
    insta::assert_snapshot!(gallery(&[
        ("a quiet week", report(&quiet, false)),
        ("the first ever", report(&calm, false)),
        ("the first ever, nothing is stopped", report(&calm, true)),
        ("a busy week", report(&busy, false)),
        ("trouble", report(&trouble, false)),
    ]));
}

#[test]
fn turning_down() {
    fn rejection(rejection: impl Into<Rejection>) -> Reply {
        refused(&rejection.into())
    }

    let id = || -> SessionId { "977a26".parse().expect("an id") };
    let error = slow();
    let names = || vec!["small".to_owned(), "large".to_owned()];
    let given = || "`huge` @everyone".to_owned();
    insta::assert_snapshot!(gallery(&[
        (
            "size",
            rejection(StartRejection::UnknownSize {
                given: given(),
                known: names()
            })
        ),
        (
            "catalog",
            rejection(UnknownCatalog {
                given: given(),
                known: names()
            })
        ),
        (
            "credentials",
            rejection(StartRejection::CredentialsLack {
                part: CredentialPart::S3Keys,
                catalog: "lake".into(),
            })
        ),
        (
            "expired",
            rejection(StartRejection::CredentialsExpired {
                part: CredentialPart::S3Keys,
                catalog: "lake".into(),
                at: starting_record().created,
            })
        ),
        (
            "nothing stored",
            rejection(CredentialsRejection::NoneStored)
        ),
        ("other options", rejection(StartRejection::RequestReused)),
        (
            "checking is off",
            rejection(CredentialsRejection::PreflightDisabled)
        ),
        (
            "quota",
            rejection(StartRejection::QuotaReached {
                ids: vec!["977a26".into()],
                limit: 1
            })
        ),
        (
            "no id",
            rejection(LookupRejection::InvalidId("../../x".repeat(9)))
        ),
        (
            "no such session",
            rejection(LookupRejection::NoSuchSession(id()))
        ),
        (
            "not theirs",
            rejection(LookupRejection::NotYours {
                id: id(),
                owner: 7.into(),
                action: SessionAction::Stop
            })
        ),
        (
            "nothing to stop",
            rejection(LookupRejection::NoSession(SessionAction::Stop))
        ),
        ("admins only", rejection(Rejection::AdminsOnly)),
        ("no duration", invalid_duration("2 ducks")),
        (
            "nothing stops it",
            rejection(ExtendRejection::NothingStopsIt)
        ),
        (
            "no more time",
            rejection(ExtendRejection::LimitReached {
                id: id(),
                at: Some(noon()),
                limit: ExtensionLimit::Budget(TimeDelta::hours(48)),
            })
        ),
        (
            "which",
            rejection(LookupRejection::Ambiguous {
                sessions: vec![seen(), seen()],
                action: SessionAction::Stop,
            })
        ),
        (
            "which to extend",
            which_session(
                &[seen(), seen()],
                SessionAction::Extend,
                Some(TimeDelta::hours(8))
            )
        ),
        (
            "quota, with the options of the start",
            not_started(
                &StartRejection::QuotaReached {
                    ids: vec!["977a26".into(), "1b2c3d".into()],
                    limit: 2
                },
                large()
            )
        ),
        (
            "credentials, with the options of the start",
            not_started(
                &StartRejection::CredentialsLack {
                    part: CredentialPart::S3Keys,
                    catalog: "lake".into(),
                },
                large()
            )
        ),
        (
            "credentials, for a query",
            needs_credentials(
                &StartRejection::CredentialsLack {
                    part: CredentialPart::S3Keys,
                    catalog: "lake".into(),
                },
                Goal::Query {
                    stored: None,
                    catalog: None,
                    share: false,
                    format: None,
                    chart: None,
                },
            )
        ),
        (
            "nothing to open",
            rejection(LookupRejection::NoSession(SessionAction::Open))
        ),
        (
            "not theirs to open",
            rejection(LookupRejection::NotYours {
                id: id(),
                owner: 7.into(),
                action: SessionAction::Open
            })
        ),
        (
            "workspace in use",
            not_started(&in_use("977a26", false), large())
        ),
        (
            "workspace in use, to restore",
            not_started(
                &in_use("977a26", false),
                StartOptions {
                    restore: Restore::Save(3),
                    ..large()
                }
            )
        ),
        (
            "workspace in use, without saved work",
            not_started(
                &in_use("977a26", false),
                StartOptions {
                    restore: Restore::Nothing,
                    ..large()
                }
            )
        ),
        (
            "workspace of a session that stops",
            not_started(&in_use("977a26", true), large())
        ),
        (
            "workspace with a record that can't be read",
            not_started(&in_use("duckui-7-sales", false), large())
        ),
        (
            "not the name of a workspace",
            invalid_workspace(
                "Sales `1`",
                &"Sales".parse::<Workspace>().expect_err("no name")
            )
        ),
        (
            "reserved name",
            invalid_workspace(
                "query-1",
                &"query-1".parse::<Workspace>().expect_err("no name")
            )
        ),
        ("not ready", rejection(LookupRejection::NotReady(id()))),
        ("no key", rejection(Rejection::NoSigningKey(id()))),
        ("other guild", access_denied(&DenialReason::OtherGuild)),
        ("not a member", access_denied(&DenialReason::NotAMember)),
        (
            "other channel",
            access_denied(&DenialReason::OtherChannel(vec![5, 6]))
        ),
        ("no role", access_denied(&DenialReason::NoRole(vec![8]))),
        ("error", failed(&error, "1a2b3c4d")),
        ("error of start", start_failed(&error, "1a2b3c4d")),
    ]));
}
