//! Snapshots of the replies to `/duck doctor`.

use chrono::TimeDelta;

use super::{
    tests::{gallery, seen, with_keys},
    *,
};
use crate::{
    credentials::preflight::{CheckedService, PreflightError},
    error::Error,
    service::{
        StartRejection, TablesError,
        doctor::{
            AddressFact, Check, CredentialsFact, Fact, Facts, Places, Subject, TablesFact, WorkFact,
        },
    },
    session::{
        Failure, Incident, Pod, PodState, Restored, SaveFailure, SaveFailureReason, SaveSummary,
        StartPause, WorkReport, starting,
    },
    settings::RouteKind,
};

/// A session of which everything works.
fn session() -> Facts {
    use Check::*;
    let now = starting().created;
    let checks = vec![
        Cluster,
        Session,
        DuckDb,
        Door,
        Address,
        Credentials,
        Storage,
        Catalog,
        Tables,
        Work,
    ];
    Facts {
        places: Places {
            namespace: Some("duckbot-sessions".into()),
            url: Some("https://duckui-977a26.duck.example.com/".into()),
            route: Some(RouteKind::Traefik),
            storage: "https://s3.example.com".into(),
            catalog: "https://catalog.example.com".into(),
        },
        pod: Fact::Known(Ok(Some(Pod::new(PodState::Ready)))),
        door: Fact::Known(Ok(true)),
        address: Fact::Known(AddressFact::Door),
        access: Fact::Known(Ok(CredentialsFact {
            stored: Some(with_keys("4D7Q", Some(now + TimeDelta::hours(12)))),
            tried: Some(Ok(true)),
        })),
        storage: Fact::Known(Ok(())),
        catalog_answer: Fact::Known(Ok(())),
        tables: Fact::Known(Ok(TablesFact::Listed(12, false))),
        work: Fact::Known(Ok(WorkFact::Report(report(None)))),
        ..Facts::pending(Subject::Session(seen()), checks)
    }
}

/// A start for which everything is there.
fn start() -> Facts {
    use Check::*;
    Facts {
        subject: Subject::Start,
        checks: vec![
            Cluster,
            Starts,
            Room,
            Rules,
            Credentials,
            Storage,
            Catalog,
            Work,
        ],
        pause: Fact::Known(Ok(None)),
        trial: Fact::Known(Ok(())),
        work: Fact::Known(Ok(WorkFact::Trial(Ok(())))),
        ..session()
    }
}

fn report(failure: Option<SaveFailure>) -> WorkReport {
    WorkReport {
        restored: Restored::Nothing,
        put_aside: Vec::new(),
        saved: Some(SaveSummary {
            number: 3,
            at: starting().created,
            tables: 1,
            notebooks: 1,
            bytes: 1_000,
            is_partial: false,
        }),
        failure,
        is_changed: true,
    }
}

fn refused() -> SaveFailure {
    SaveFailure {
        at: starting().created,
        reason: SaveFailureReason::KeysRefused,
        error: "ExpiredToken".into(),
    }
}

fn unreachable() -> Error {
    Error::Session {
        action: "asking the door of session 977a26".into(),
        why: "connection refused".into(),
    }
}

fn access(
    expires: i64,
    tried: Option<Vec<PreflightError>>,
) -> Fact<Result<CredentialsFact, Error>> {
    let at = starting().created + TimeDelta::hours(expires);
    Fact::Known(Ok(CredentialsFact {
        stored: Some(with_keys("4D7Q", Some(at))),
        tried: tried.map(Err),
    }))
}

#[test]
fn a_start_is_examined() {
    let told = |facts: Facts| examination(&facts, false);
    let none = Fact::Known(Ok(CredentialsFact {
        stored: None,
        tried: None,
    }));
    let pause = StartPause {
        until: starting().created,
        by: 9.into(),
        reason: Some("We upgrade the cluster.".into()),
    };
    let full = StartRejection::QuotaReached {
        ids: vec!["977a26".into()],
        limit: 1,
    };
    insta::assert_snapshot!(gallery(&[
        (
            "pending",
            told(Facts {
                access: Fact::Pending,
                pause: Fact::Pending,
                ..start()
            })
        ),
        ("all is there", told(start())),
        ("all is there, for an admin", examination(&start(), true)),
        (
            "no keys",
            told(Facts {
                access: none,
                work: Fact::Known(Ok(WorkFact::NoKeys)),
                ..start()
            })
        ),
        (
            "expired",
            told(Facts {
                access: access(-2, None),
                ..start()
            })
        ),
        (
            "refused",
            told(Facts {
                access: access(2, Some(vec![PreflightError::UnknownKey])),
                ..start()
            })
        ),
        (
            "storage down",
            told(Facts {
                access: access(
                    2,
                    Some(vec![PreflightError::Unreachable(CheckedService::Storage)])
                ),
                storage: Fact::Known(Err("no connection".into())),
                ..start()
            })
        ),
        (
            "catalog down, without keys to try",
            told(Facts {
                access: access(2, None),
                catalog_answer: Fact::Known(Err("no connection".into())),
                ..start()
            })
        ),
        (
            "paused",
            told(Facts {
                pause: Fact::Known(Ok(Some(pause))),
                ..start()
            })
        ),
        (
            "no room",
            told(Facts {
                room: Err(full),
                ..start()
            })
        ),
        (
            "no quota left",
            told(Facts {
                trial: Fact::Known(Err(Error::QuotaExceeded {
                    action: "create pods in duckbot-sessions".into(),
                    why: "requested: pods=1, used: pods=40, limited: pods=40".into(),
                })),
                ..start()
            })
        ),
        (
            "against the cluster's rules",
            told(Facts {
                trial: Fact::Known(Err(Error::Refused {
                    action: "create pods in duckbot-sessions".into(),
                    why: "403 images must come from the company's registry".into(),
                })),
                ..start()
            })
        ),
        (
            "no cluster",
            told(Facts {
                pause: Fact::Known(Err(Error::Unreachable {
                    action: "get configmaps in duckbot-sessions".into(),
                    why: "connection refused".into(),
                })),
                ..start()
            })
        ),
        (
            "may not save",
            told(Facts {
                work: Fact::Known(Ok(WorkFact::Trial(Err(refused())))),
                ..start()
            })
        ),
    ]));
}

#[test]
fn a_session_is_examined() {
    let told = |facts: Facts| examination(&facts, false);
    let at = |fact| {
        told(Facts {
            address: Fact::Known(fact),
            ..session()
        })
    };
    let out_of_memory = || Incident::new(Failure::OutOfMemory, "it used more memory than allowed");
    let pod = |pod| {
        told(Facts {
            pod: Fact::Known(Ok(pod)),
            ..session()
        })
    };
    let restarted = Pod {
        restarts: 2,
        last_end: Some(out_of_memory()),
        ..Pod::new(PodState::Ready)
    };
    let tables = TablesError::NoAccess {
        what: "Attaching the catalog".into(),
        error: "no catalog".into(),
        failure: None,
    };
    insta::assert_snapshot!(gallery(&[
        ("all works", told(session())),
        ("restarted", pod(Some(restarted))),
        (
            "can't run",
            pod(Some(Pod::new(PodState::Stuck(out_of_memory()))))
        ),
        ("gone", pod(None)),
        (
            "silent",
            told(Facts {
                door: Fact::Known(Ok(false)),
                ..session()
            })
        ),
        (
            "only the bot can't reach the door",
            told(Facts {
                door: Fact::Known(Err(unreachable())),
                ..session()
            })
        ),
        ("no DNS", at(AddressFact::NoAddress)),
        (
            "hairpin",
            at(AddressFact::Unreachable("no connection".into()))
        ),
        ("no route yet", at(AddressFact::Other(404))),
        ("network policy", at(AddressFact::Other(504))),
        ("network policy that drops", at(AddressFact::Silent)),
        ("login page", at(AddressFact::Other(302))),
        ("somebody else", at(AddressFact::Other(200))),
        (
            "private CA",
            at(AddressFact::UnknownIssuer("CN=Ours".into()))
        ),
        (
            "bad certificate",
            at(AddressFact::BadCertificate("it has expired".into()))
        ),
        (
            "refused route",
            at(AddressFact::RouteRefused("no listener".into()))
        ),
        (
            "no tables",
            told(Facts {
                tables: Fact::Known(Ok(TablesFact::Failed(tables))),
                ..session()
            })
        ),
        (
            "not saved",
            told(Facts {
                work: Fact::Known(Ok(WorkFact::Report(report(Some(refused()))))),
                ..session()
            })
        ),
    ]));
}

#[test]
fn an_admin_reads_details_but_nothing_private_of_the_owner() {
    let facts = Facts {
        is_owner: false,
        door: Fact::Known(Err(unreachable())),
        address: Fact::Known(AddressFact::Other(504)),
        access: access(-2, None),
        storage: Fact::Known(Err("no connection".into())),
        tables: Fact::OwnerOnly,
        work: Fact::Known(Ok(WorkFact::Report(report(Some(refused()))))),
        ..session()
    };
    let reply = examination(&facts, true);
    assert!(!reply.text.contains("ExpiredToken"), "{}", reply.text);
    assert!(message_len(&reply.text) <= MAX_MESSAGE_CHARS);
    let one = Facts {
        storage: Fact::Known(Ok(())),
        ..facts.clone()
    };
    insta::assert_snapshot!(gallery(&[
        ("all details", examination(&session(), true)),
        ("many failures", reply),
        ("some", examination(&one, true)),
    ]));
}
